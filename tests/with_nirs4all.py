"""Tests with the real nirs4all; they are skipped where it is missing, unless N4W_NIRS4ALL demands it."""

import importlib.util
import os

import pytest

IS_HERE = importlib.util.find_spec("nirs4all") is not None
WITHOUT = ("test_without_nirs4all.py",)

# What nirs4all and what it imports warn of; our own warnings are errors here too.
THEIRS = (
    r"ignore:.*explicit_legacy_engine",
    r"ignore:::nirs4all\.",
    r"ignore:::sklearn\.",
    r"ignore:::optuna",
)


def mark(items):
    """Mark the tests of the folder that needs it."""
    missing = pytest.mark.skip(reason='nirs4all is missing: pip install "nirs4all-workspace[nirs4all]"')
    is_demanded = IS_HERE or os.environ.get("N4W_NIRS4ALL")
    for item in items:
        if "integration_nirs4all" in item.path.parts:
            for theirs in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(theirs))
            if not is_demanded and item.path.name not in WITHOUT:
                item.add_marker(missing)
