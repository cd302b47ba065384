"""Tests with the real nirs4all; they are skipped where it is missing, unless N4W_NIRS4ALL demands it."""

import importlib.util
import os

import nirs4all_workspace as n4w
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


def pytest_collection_modifyitems(items):
    for item in items:
        if "integration_nirs4all" in item.path.parts:
            for theirs in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(theirs))
    if IS_HERE or os.environ.get("N4W_NIRS4ALL"):
        return
    missing = pytest.mark.skip(reason='nirs4all is missing: pip install "nirs4all-workspace[nirs4all]"')
    for item in items:
        if "integration_nirs4all" in item.path.parts and item.path.name not in WITHOUT:
            item.add_marker(missing)


@pytest.fixture
def ws(tmp_path):
    return n4w.Workspace.create(tmp_path / "ws")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in a folder of its own, which stays empty: nothing that is computed may be left there."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
