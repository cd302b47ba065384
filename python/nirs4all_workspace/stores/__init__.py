"""Stores of nirs4all 0.7 to 1.4, imported into workspaces."""
