"""Migration of a folder of nirs4all 0.6 to a workspace; `migrate` is the entry point."""
