"""Ownership of runs: the owner is the process that holds the owner lock.

A process holds an owner lock once, however many `Run` objects it has; a forked child holds none of its
parent's locks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import layout, listing, locks
from nirs4all_workspace.exceptions import ConflictError, LockTimeoutError, problem
from nirs4all_workspace.model import run_record
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem

# Only a run with status "running" has an owner.
_UNOWNED = frozenset(RunStatus) - {RunStatus.RUNNING}

_held: dict[Path, tuple[int, _native.Lock]] = {}


def take(root: Path, run_id: str, is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Take the owner lock of a run in one try; False where `is_wanted` no longer holds under the lock.

    Raises:
        ConflictError: Another process, or this one, owns the run.
        OSError: The lock file cannot be created.
    """
    path = _key(root, run_id)
    if is_mine(root, run_id):
        raise ConflictError("this process owns the run already", run_id)
    if not is_wanted():
        return False
    try:
        lock = locks.take(path, timeout=0)
    except LockTimeoutError as error:
        raise ConflictError(f"run {run_id} {error.message}", error.path) from error
    _held[path] = (os.getpid(), lock)
    return True


def release(root: Path, run_id: str) -> None:
    """Release the owner lock of a run, if this process holds it; remove its file unless the run is running.

    The file beside the lock of a running run names its owner, for hosts that locks do not reach.
    """
    pid, lock = _held.pop(_key(root, run_id), (0, None))
    if lock is not None and pid == os.getpid():
        give_back(root, run_id, lock)


def give_back(root: Path, run_id: str, lock: _native.Lock) -> None:
    """Release a lock of a run, and remove its file unless the run is running."""
    if run_record.is_gone_or(_UNOWNED, root, run_id):
        lock.remove_on_release()
    lock.release()


def is_mine(root: Path, run_id: str) -> bool:
    """Return whether this process owns the run."""
    return _held.get(_key(root, run_id), (0, None))[0] == os.getpid()


def check_not_forked(root: Path, run_id: str) -> None:
    """Check that this process is not a fork of the owner of a run.

    Raises:
        RuntimeError: The parent owned the run when it forked, and a process owns it still.
    """
    path = _key(root, run_id)
    pid = _held.get(path, (os.getpid(), None))[0]
    if pid != os.getpid() and _native.lock_is_held(path):
        raise RuntimeError(f"run {run_id} belongs to process {pid}, not to its fork")


def is_owned(root: Path, run_id: str, dead_hosts: Sequence[str] = ()) -> bool:
    """Return whether a living process owns the run.

    On a network drive locks may not reach other hosts: a run last owned by another host counts as owned
    unless that host is in `dead_hosts`.
    """
    path = layout.owner_lock(root, run_id)
    if is_mine(root, run_id) or _native.lock_is_held(path):
        return True
    if not _native.is_network_drive(root):
        return False
    import socket

    holder = _native.lock_holder(path)
    return holder is not None and holder["host"] not in {socket.gethostname(), *dead_hosts}


def may_be_owned(root: Path, run_id: str, errors: list[Problem]) -> bool:
    """Return whether a living process owns the run; True, with a problem, if its lock is unreadable."""
    path = layout.owner_lock(root, run_id)
    try:
        return is_owned(root, run_id)
    except OSError as error:
        found = listing.relative_path(root, error, path.relative_to(root).as_posix())
        listing.add_problems(errors, [problem(found, error)])
        return True


def _key(root: Path, run_id: str) -> Path:
    return layout.owner_lock(root.absolute(), run_id)
