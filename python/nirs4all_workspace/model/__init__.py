"""What runs and results are on disk, and the rules they follow."""
