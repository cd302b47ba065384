"""Runs: made, run, listed, compared, deleted."""
