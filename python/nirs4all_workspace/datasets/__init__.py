"""The registry of datasets, and what their files hold."""
