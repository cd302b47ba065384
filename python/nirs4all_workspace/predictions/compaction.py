"""Compaction: the sealed segments of each run on each dataset become one, whatever becomes of the others."""

from __future__ import annotations

import errno
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import layout, listing, locks
from nirs4all_workspace.exceptions import LockTimeoutError, WorkspaceError, problem
from nirs4all_workspace.model import ownership

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Compaction

_OF_THE_DRIVE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_YOUNG = (
    "was sealed so recently that readers may still need its journal; compact again later (after 10 s, on a "
    "network drive 2 minutes)"
)


def compact(root: Path, folder: str | None) -> Compaction:
    """Merge the segments in a workspace, or in one of its folders; see `Predictions.compact`."""
    done: Compaction = {"compacted": [], "skipped": [], "errors": _native.sweep(root)[1]}
    is_shared = _native.is_network_drive(root)
    places: dict[str, set[str]] = {}
    for path in map(PurePosixPath, _native.list_files(root, live=False)):
        run_id = _native.run_of(path.name)
        if run_id and folder in (None, path.parent.name):
            places.setdefault(run_id, set()).add(path.parent.name)
    for run_id in sorted(places):
        owner_lock = layout.owner_lock(root, run_id)
        try:
            if is_shared and ownership.is_owned(root, run_id):
                # Taking the lock would say that this host had it last.
                done["skipped"].append({"run_id": run_id, "reason": "a process on another host owns it"})
                continue
            lock = locks.take(owner_lock, timeout=0)
        except LockTimeoutError as error:
            done["skipped"].append({"run_id": run_id, "reason": error.message})
            continue
        except OSError as error:
            _add(done["errors"], root, error, owner_lock)
            continue
        try:
            for name in sorted(places[run_id]):
                _compact_run(root, run_id, name, done)
        finally:
            try:
                ownership.give_back(root, run_id, lock)
            except OSError as error:
                _add(done["errors"], root, error, owner_lock)
    return done


def _compact_run(root: Path, run_id: str, folder: str, done: Compaction) -> None:
    """Merge the segments of a run in one folder, whose lock the caller holds."""
    try:
        done["compacted"] += _native.compact(root, run_id, folder)
        apart, young = _native.passed_over(root, run_id, folder)
    except (WorkspaceError, OSError) as error:
        _add(done["errors"], root, error, root / "predictions" / folder)
        return
    done["skipped"] += apart + [{"run_id": run_id, "path": path, "reason": _YOUNG} for path in young]


def _add(errors: list[Problem], root: Path, error: WorkspaceError | OSError, place: Path) -> None:
    """Add what cannot be read or written, unless its path, or a folder above it, has an entry already.

    Raises:
        OSError: The drive is full or read-only, for all that would be merged.
    """
    if isinstance(error, OSError) and error.errno in _OF_THE_DRIVE:
        raise error
    otherwise = place.relative_to(root).as_posix()
    if isinstance(error, OSError):
        path = listing.relative_path(root, error, otherwise)
    else:
        path = str(error.path or otherwise).removeprefix(f"{root}/")
    if not any(path == known["path"] or path.startswith(f"{known['path']}/") for known in errors):
        errors.append(problem(path, error))
