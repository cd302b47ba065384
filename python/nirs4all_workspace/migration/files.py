"""The files of an old workspace: all of them are listed, and what is not turned into something is copied."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nirs4all_workspace import _native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What readers leave in a folder, and what is not data anywhere.
_NOT_DATA = (".cache", ".locks")
_OWN = ("runs", "binaries")
SOURCE = "source"
# Elsewhere `os.sync` is missing, or does not wait.
IS_SYNCED_AT_ONCE = sys.platform == "linux"


def walk(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, in name order.

    Links to folders within it are followed, but in no circle; one that leads out of it is yielded itself,
    unless it stands for a folder that nirs4all makes.
    """
    yield from _walk(root, root.resolve(), {_identity(root)})


def _walk(folder: Path, root: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    is_top = len(above) == 1
    for path in sorted(folder.iterdir()):
        if is_top and path.name in _NOT_DATA:
            continue
        target = path.resolve() if path.is_symlink() else root
        leads_out = root not in (target, *target.parents)
        if not path.is_dir() or (leads_out and not (is_top and path.name in _OWN)):
            yield path
        elif (identity := _identity(path)) not in above:
            yield from _walk(path, root, above | {identity})


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def fingerprint(root: Path) -> tuple[str, int, int]:
    """Return what tells whether a folder is still what it was, the number of its files, and their bytes."""
    lines, total = [], 0
    for path in walk(root):
        stat = path.lstat() if not path.exists() else path.stat()
        name = os.fsencode(path.relative_to(root))
        lines.append(b"%s\0%d\0%d\n" % (name, stat.st_size, stat.st_mtime_ns))
        total += stat.st_size
    return f"blake3:{_native.blake3_hex(b''.join(lines))}", len(lines), total


def written_at(path: Path) -> str:
    """Return when a file was last written, in ISO-8601."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="microseconds")


def write(path: Path, content: bytes) -> None:
    """Write a file into a workspace that is waited for as a whole, where the system can do that.

    Raises:
        OSError: It is there already, or cannot be written.
    """
    if IS_SYNCED_AT_ONCE:
        with path.open("xb") as file:
            file.write(content)
    else:
        _native.create_file(path, content)


def copy(path: Path, target: Path) -> None:
    """Copy a file as it is, and see that the copy has the same content.

    Raises:
        OSError: It cannot be read or written, or the copy differs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        # Of the two files it is the target's disk that is full.
        raise OSError(error.errno, error.strerror, str(target)) from error
    if _native.hash_file(target) != _native.hash_file(path):
        raise OSError(None, "the copy has another content", str(target))
