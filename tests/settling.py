"""Files that are old enough for caches to believe their stat: a younger one may change within a tick.

The time of a change is the kernel's and cannot be forged: a test must wait, and pools of files wait once.
"""

import time
from pathlib import Path

from nirs4all_workspace import _native

WINDOW_S = _native.RACY_NS / 1e9 + 0.02


def settle(*roots: Path) -> None:
    """Wait until everything below these folders, or these files, is old enough."""
    paths = [path for root in roots for path in (root, *root.rglob("*"))]
    newest = max(path.lstat().st_ctime for path in paths)
    time.sleep(max(0.0, newest + WINDOW_S - time.time()))
