"""What values mean, which of them may be stored, and how."""
