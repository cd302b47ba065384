"""Recognising folders of nirs4all 0.7 and later, which this version does not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The file of a store, and the versions that write it.
_STORES = {"store.sqlite": "nirs4all 0.8.4 or later", "store.duckdb": "nirs4all 0.7 or 0.8"}


def find(root: Path) -> str | None:
    """Return a description of the store of a later nirs4all in a folder; None where there is none."""
    for name, versions in _STORES.items():
        if (root / name).is_file():
            return f"is a store of {versions} ({name}), which this version does not read"
    return None


def names(root: Path) -> list[str]:
    """Return the files that identify such a store."""
    return [name for name in _STORES if (root / name).is_file()]
