"""What charts are drawn of: bounded data, whatever the number of rows. Nothing is drawn here."""
