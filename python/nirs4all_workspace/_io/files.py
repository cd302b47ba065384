"""Opening and listing files of a workspace without blocking: regular files only."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from nirs4all_workspace import _native

# Platforms without these flags have no named pipes in the file system.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: The file cannot be read, or the path is not a regular file. `filename` is the file, or the
            first folder above it that is not a folder; a dangling link is not a `FileNotFoundError`.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise precise_error(path, error) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise not_a_file(path, mode)
    except BaseException:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- it is open
        return file.read()


def list_names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; an empty list where the folder is missing.

    Raises:
        OSError: The folder cannot be listed or searched, or the path is not a folder. `filename` is the
            folder, or the first one above it that is not a folder.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries)
        os.stat(f"{folder}/.")  # noqa: PTH116 -- `Path` drops the trailing point
    except OSError as error:
        culprit = unusable_folder(folder)
        if culprit is None and isinstance(error, FileNotFoundError):
            return []
        raise (culprit or OSError(error.errno, error.strerror, str(folder))) from error
    return found


def make_folder(path: Path) -> None:
    """Create a folder, durably, and those above it, where they are missing.

    Raises:
        OSError: It cannot be created; `filename` is the first folder on the way that is not one.
    """
    try:
        _native.make_folder(path)
    except OSError as error:
        raise (unusable_folder(path) or error) from error


def check_readable(path: Path) -> None:
    """Raise the error of a file that cannot be read or a folder that cannot be listed.

    Raises:
        OSError: The reason, with `errno` and `filename`.
    """
    if path.suffix in (".yaml", ".jsonl", ".parquet", ".journal"):
        read_bytes(path)
    else:
        list_names(path)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; a link counts as itself.

    Raises:
        OSError: Something cannot be looked at.
    """
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def touch(path: Path) -> None:
    """Set the modification time of a file to now.

    Raises:
        OSError: The file is missing or its time may not be set; `filename` is the path.
    """
    try:
        os.utime(path)
    except OSError as error:
        raise (unusable_folder(path.parent) or OSError(error.errno, error.strerror, str(path))) from error


def is_gone(path: Path, error: OSError) -> bool:
    """Return whether an error means that a path does not exist, not even as a link."""
    return isinstance(error, FileNotFoundError) and not os.path.lexists(path)


def unusable_folder(folder: Path) -> OSError | None:
    """Return the error of the first folder, from the root down to `folder`, that cannot be searched.

    None where every one can be searched, or where one of them is missing.
    """
    for place in [*reversed(folder.parents), folder]:
        try:
            os.stat(f"{place}/.")  # noqa: PTH116 -- `Path` drops the trailing point
        except FileNotFoundError:
            if os.path.islink(place):  # noqa: PTH114 -- `Path.is_symlink` adds nothing
                return OSError(errno.ELOOP, "is a dangling link; restore its target or remove it", str(place))
            return None
        except OSError as error:
            return OSError(error.errno, error.strerror, str(place))
    return None


def not_a_file(path: Path, mode: int) -> OSError:
    """Return the error of a path that is not a regular file."""
    if stat.S_ISDIR(mode):
        number, what = errno.EISDIR, "a folder"
    elif stat.S_ISFIFO(mode):
        number, what = errno.ENXIO, "a named pipe"
    elif stat.S_ISSOCK(mode):
        number, what = errno.ENXIO, "a socket"
    else:
        number, what = errno.ENXIO, "a device"
    return OSError(number, f"is {what}, where a file should be; move it away", str(path))


def precise_error(path: Path, error: OSError) -> OSError:
    """Return the error of an open call with the path and the reason that apply."""
    if culprit := unusable_folder(path.parent):
        return culprit
    if error.errno == errno.ENXIO:
        try:
            return not_a_file(path, os.stat(path).st_mode)  # noqa: PTH116 -- `Path.stat` adds nothing
        except OSError:
            return error
    if isinstance(error, FileNotFoundError) and os.path.islink(path):  # noqa: PTH114 -- `Path.is_symlink` adds nothing
        # Not a FileNotFoundError: callers treat that as an absent file, and this link exists.
        return OSError(errno.ELOOP, "is a dangling link, where a file should be; move it away", str(path))
    return error


def is_utf8(name: str) -> bool:
    """Return whether a file name is valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
