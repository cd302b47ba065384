"""Recognising stores of nirs4all 0.7 and later, which are no workspaces; they are imported into one."""

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
            return f"is a store of {versions} ({name}), which `n4w import` adds to a workspace"
    return None


def names(root: Path) -> list[str]:
    """Return the files that identify such a store."""
    return [name for name in _STORES if (root / name).is_file()]
