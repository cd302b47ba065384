"""The registry of datasets, and the description of their files."""
