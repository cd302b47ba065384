"""The files of a source folder: all are listed, and those that are not converted are copied."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import yaml_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Files that readers leave in a folder, and files that are not data anywhere.
_NOT_DATA = (".cache", ".locks")
_OWN = ("runs", "binaries", "logs")
SOURCE = "source"
# On other systems `os.sync` is missing, or does not wait.
IS_SYNCED_AT_ONCE = sys.platform == "linux"


def walk(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, in name order.

    Links to folders within it are followed, without cycles; a link that leads out of it is yielded itself, as
    is a folder that cannot be listed.
    """
    yield from _walk(root, root.resolve(), {_identity(root.stat())}, frozenset())


def walk_source(root: Path) -> Iterator[Path]:
    """Yield every file of a folder of nirs4all 0.6; links in place of its own folders are followed."""
    datasets = {name.partition("/")[0] for name in catalogue.old_files(root, ".parquet") if "/" in name}
    yield from _walk(root, root.resolve(), {_identity(root.stat())}, frozenset(datasets.union(_OWN)))


def _walk(
    folder: Path, root: Path, above: set[tuple[int, int]], followed: frozenset[str] | None
) -> Iterator[Path]:
    """Yield files; `followed` are folders that may be links to anywhere, None where every folder may."""
    is_top = len(above) == 1
    try:
        # A folder that can be listed but not searched hides its files.
        (folder / ".").stat()
        paths = sorted(folder.iterdir())
    except OSError:
        if is_top:
            raise
        yield folder
        return
    for path in paths:
        if is_top and path.name in _NOT_DATA:
            continue
        found = _stat(path)
        may_lead_out = followed is None or path.name in followed
        if not stat.S_ISDIR(found.st_mode) or not (may_lead_out or _lies_in(path, root)):
            yield path
        elif (identity := _identity(found)) not in above:
            inner = None if may_lead_out else frozenset[str]()
            yield from _walk(path, root, above | {identity}, inner)


def _lies_in(path: Path, root: Path) -> bool:
    return not path.is_symlink() or path.resolve().is_relative_to(root)


def _stat(path: Path) -> os.stat_result:
    """Return the stat of a path's target; of the link itself where it is dangling or a loop."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file or a link to one; False where that cannot be told."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def fingerprint(root: Path) -> tuple[str, int, int]:
    """Return a fingerprint of a folder that changes with its files, their number, and their bytes."""
    lines, total = [], 0
    for path in walk_source(root):
        found = _stat(path)
        name = os.fsencode(path.relative_to(root))
        lines.append(b"%s\0%d\0%d\n" % (name, found.st_size, found.st_mtime_ns))
        total += found.st_size
    return f"blake3:{_native.blake3_hex(b''.join(lines))}", len(lines), total


def written_at(path: Path) -> str:
    """Return when a file was last modified, in ISO-8601."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="microseconds")


def write(path: Path, content: bytes) -> None:
    """Write a file of the new workspace, which is synced as a whole where the system supports that.

    Raises:
        OSError: The file exists already, or cannot be written.
    """
    if IS_SYNCED_AT_ONCE:
        with path.open("xb") as file:
            file.write(content)
    else:
        _native.create_file(path, content)


def write_record(path: Path, mapping: Mapping[str, Any]) -> None:
    """Write a record of the new workspace, which is synced as a whole.

    Raises:
        OSError: The file exists already, or cannot be written.
    """
    write(path, yaml_records.encode({"schema_version": yaml_records.SCHEMA_VERSION, **mapping}, path))


def refusal(path: Path) -> tuple[str, str] | None:
    """Return why a file cannot be opened or a folder listed, as kind and message; None where it can be."""
    if path.is_dir() and not path.is_symlink():
        try:
            (path / ".").stat()
            os.scandir(path).close()
        except OSError as error:
            return "io", error.strerror or str(error)
    found = _native.read_footers([path])[0]
    if not isinstance(found, Exception) or (is_file(path) and not isinstance(found, OSError)):
        return None
    message = getattr(found, "message", None) or getattr(found, "strerror", None) or str(found)
    # The same kind as scans give to a path that is not a file.
    is_special = not isinstance(found, OSError) or found.errno == errno.ENXIO
    is_special = is_special and path.name.endswith(".parquet")
    return "not_parquet" if is_special else "io", message


def copy(path: Path, target: Path) -> None:
    """Copy a file unchanged, and check that the copy has the same content.

    Raises:
        OSError: The file cannot be read or written, or the copy differs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        # Of the two files, the target's file system is full.
        raise OSError(error.errno, error.strerror, str(target)) from error
    if _native.hash_file(target) != _native.hash_file(path):
        raise OSError(None, "the copy differs from its source", str(target))
