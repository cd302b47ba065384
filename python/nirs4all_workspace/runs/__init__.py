"""Runs: creating, running, listing, comparing, deleting."""
