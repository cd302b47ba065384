"""Answers derived from a workspace: traces, statistics, changes, names of sessions."""
