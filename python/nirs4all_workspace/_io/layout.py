"""Paths in a workspace, and the rules for names of files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from pathlib import Path

TRASH = ".trash"
# Prefixes in `runs`: a run being created; a deleted run where the trash lies on another file system.
STAGING, DELETED = ".n4w-new-", ".n4w-deleted-"
_LONGEST_RUN_ID = 150
_FORBIDDEN = '/\\:*?"<>|'


def check_run_id(run_id: str) -> None:
    """Check that a run id can be part of a file name.

    Raises:
        ValueError: The id is empty, too long, begins with a dot, or has characters that file names cannot
            have.
    """
    if not run_id or run_id.startswith(".") or len(run_id.encode()) > _LONGEST_RUN_ID:
        raise ValueError(
            f"run id {run_id!r}: expected 1 to {_LONGEST_RUN_ID} bytes that do not begin with a dot"
        )
    if any(character in _FORBIDDEN or ord(character) < 32 for character in run_id):
        raise ValueError(f"run id {run_id!r}: expected no control characters and none of {_FORBIDDEN}")


def owner_lock(root: Path, run_id: str) -> Path:
    """Return the path of the lock that the owner of a run holds."""
    return root / ".locks" / "runs" / f"{run_id}.owner.lock"


def transition_lock(root: Path, run_id: str) -> Path:
    """Return the path of the lock under which a run's record is changed."""
    return root / ".locks" / "runs" / f"{run_id}.lock"


def gc_lock(root: Path) -> Path:
    """Return the path of the lock under which shared content is stored again or removed."""
    return root / ".locks" / "gc.lock"


def opening_lock(root: Path) -> Path:
    """Return the path of the lock under which a run is looked for by name, and made where there is none."""
    return root / ".locks" / "opening.lock"


def dataset_folder(name: str) -> str:
    """Return the folder name of a dataset below `predictions` and `arrays`: its slug and 8 hex of BLAKE3.

    Names that are equal in a normal form of Unicode are the same dataset.

    Raises:
        ValueError: The name is not valid Unicode.
    """
    stored.check_text(name, "the name of the dataset")
    return _native.dataset_folder(name)
