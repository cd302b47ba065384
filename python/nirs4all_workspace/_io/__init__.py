"""Files of a workspace: where they lie, and how they are opened, locked, read and published."""
