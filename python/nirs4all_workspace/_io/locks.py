"""Locks between processes.

A lock lives as long as any process has its open file, so a child that kept it would make its dead
parent look alive. The native module closes the copies of forked children; their calls on them raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace import _native

if TYPE_CHECKING:
    from pathlib import Path


def take(path: Path, timeout: float = 10.0) -> _native.Lock:
    """Take a lock; its folder is made where it is missing.

    Threads of this process wait for each other as processes do: for the same lock alone.

    Args:
        path: The lock file, `<something>.lock` under `.locks/`.
        timeout: Seconds to wait; 0 for one try, which takes up to 100 ms.

    Raises:
        LockTimeoutError: Another process kept it; the message names the process.
        OSError: The file cannot be made or locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return _native.Lock(path, timeout)
