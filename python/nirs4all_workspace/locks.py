"""Locks between processes, and what a forked child must not keep of its parent's.

A lock lives as long as any process has its open file, so a child that kept it would make its dead
parent look alive. The child's copies are closed; its calls on them raise.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Protocol

from nirs4all_workspace import _native

if TYPE_CHECKING:
    from pathlib import Path


class _Open(Protocol):
    def filenos(self) -> list[int]: ...


_open: weakref.WeakSet[_Open] = weakref.WeakSet()


def take(path: Path, timeout: float = 10.0) -> _native.Lock:
    """Take a lock; its folder is made where it is missing.

    Args:
        path: The lock file, `<something>.lock` under `.locks/`.
        timeout: Seconds to wait; 0 for one try.

    Raises:
        LockTimeoutError: Another process kept it; the message names the process.
        OSError: The file cannot be made or locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _native.Lock(path, timeout)
    watch(lock)
    return lock


def watch(handle: _Open) -> None:
    """Close this handle's files in every child that is forked while it is open."""
    _open.add(handle)


def _close_in_child() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in list(_open):
        for number in handle.filenos():
            os.dup2(nothing, number, inheritable=False)
    os.close(nothing)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
