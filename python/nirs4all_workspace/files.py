"""Where things lie in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRASH = ".trash"
_LONGEST_RUN_ID = 150


def check_run_id(run_id: str) -> None:
    """Refuse what cannot be part of a file's name.

    Raises:
        ValueError: It is empty, too long, hidden, or has characters that file names do not have.
    """
    if not run_id or run_id.startswith(".") or len(run_id.encode()) > _LONGEST_RUN_ID:
        raise ValueError(f"run id {run_id!r} must have 1 to {_LONGEST_RUN_ID} bytes and not begin with a dot")
    if any(character in '/\\:*?"<>|' or ord(character) < 32 for character in run_id):
        raise ValueError(f"run id {run_id!r} has characters that file names do not have everywhere")


def owner_lock(root: Path, run_id: str) -> Path:
    """Return the lock that the process which runs a run holds."""
    return root / ".locks" / "runs" / f"{run_id}.owner.lock"


def transition_lock(root: Path, run_id: str) -> Path:
    """Return the lock under which a run's record is changed."""
    return root / ".locks" / "runs" / f"{run_id}.lock"


def gc_lock(root: Path) -> Path:
    """Return the lock under which shared content is asked for again, or removed."""
    return root / ".locks" / "gc.lock"
