"""Locks between processes.

A lock is held as long as any process has its file open, so an inherited copy in a child would outlive
the parent. The native module closes the copies in forked children; calls on them raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import files

if TYPE_CHECKING:
    from pathlib import Path


def take(path: Path, timeout: float = 10.0) -> _native.Lock:
    """Take a lock; its folder is created where it is missing.

    Threads of this process wait for each other as processes do, for the same lock only.

    Args:
        path: The lock file, `<something>.lock` under `.locks/`.
        timeout: Seconds to wait; 0 for a single try, which takes up to 100 ms.

    Raises:
        LockTimeoutError: Another process holds the lock; the message names that process.
        OSError: The lock file cannot be created or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise (files.unusable_folder(path.parent) or error) from error
    return _native.Lock(path, timeout)
