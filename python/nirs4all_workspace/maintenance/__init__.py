"""Verification, recovery and garbage collection of a workspace."""
