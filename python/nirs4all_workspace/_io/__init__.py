"""Files of a workspace: paths, opening, listing, locking, reading and publishing."""
