"""Runs and results as data, and their rules."""
