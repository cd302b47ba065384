"""What drives other libraries through a workspace; each is an extra, imported when it is used."""
