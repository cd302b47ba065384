"""How files of a workspace are opened and listed: without waiting, and regular ones alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Systems without them have no pipes among files either.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: Path) -> bytes:
    """Return what a regular file holds.

    Raises:
        OSError: It cannot be read, or is something else. `filename` is what is to blame: the file, or the
            first folder on the way to it that is none; a link to nothing is no `FileNotFoundError`.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise _explained(path, error) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise not_a_file(path, mode)
    except BaseException:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- it is open
        return file.read()


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where it is missing.

    Raises:
        OSError: It cannot be listed, or not be searched, or is something else. `filename` is what is to
            blame: the folder, or the first on the way to it that is none.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries)
        os.stat(f"{folder}/.")  # noqa: PTH116 -- may it be searched? `Path` forgets the point
    except OSError as error:
        culprit = _culprit(folder)
        if culprit is None and isinstance(error, FileNotFoundError):
            return []
        raise (culprit or OSError(error.errno, error.strerror, str(folder))) from error
    return found


def check_readable(path: Path) -> None:
    """Refuse what cannot be listed, or read.

    Raises:
        OSError: The reason, with number and path.
    """
    if path.suffix in (".yaml", ".jsonl", ".parquet", ".journal"):
        read_bytes(path)
    else:
        names_in(path)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; a link counts as itself.

    Raises:
        OSError: Something cannot be looked at.
    """
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def touch(path: Path) -> None:
    """Set the time of a file to now.

    Raises:
        OSError: It is missing, or may not be; the path is named.
    """
    try:
        os.utime(path)
    except OSError as error:
        raise (_culprit(path.parent) or OSError(error.errno, error.strerror, str(path))) from error


def is_gone(path: Path, error: OSError) -> bool:
    """Return whether an error says that nothing is there, not even a link."""
    return isinstance(error, FileNotFoundError) and not os.path.lexists(path)


def _culprit(folder: Path) -> OSError | None:
    """The first folder on the way to one, itself included, that is none or cannot be searched, as its error.

    None where there is no such, or where one of them is missing.
    """
    for place in [*reversed(folder.parents), folder]:
        try:
            os.stat(f"{place}/.")  # noqa: PTH116 -- as above
        except FileNotFoundError:
            if os.path.islink(place):  # noqa: PTH114 -- as above
                return OSError(errno.ELOOP, "is a link to what is not there", str(place))
            return None
        except OSError as error:
            return OSError(error.errno, error.strerror, str(place))
    return None


def not_a_file(path: Path, mode: int) -> OSError:
    """Return the error of what is no regular file."""
    if stat.S_ISDIR(mode):
        number, what = errno.EISDIR, "a folder"
    elif stat.S_ISFIFO(mode):
        number, what = errno.ENXIO, "a named pipe"
    elif stat.S_ISSOCK(mode):
        number, what = errno.ENXIO, "a socket"
    else:
        number, what = errno.ENXIO, "a device"
    return OSError(number, f"is {what}, where a file should be; move it away", str(path))


def _explained(path: Path, error: OSError) -> OSError:
    """What the system said, told more exactly."""
    if culprit := _culprit(path.parent):
        return culprit
    if error.errno == errno.ENXIO:
        try:
            return not_a_file(path, os.stat(path).st_mode)  # noqa: PTH116 -- as above
        except OSError:
            return error
    if isinstance(error, FileNotFoundError) and os.path.islink(path):  # noqa: PTH114 -- as above
        # With another class: whoever looks for files that are missing means others.
        return OSError(errno.ELOOP, "is a link to what is not there, where a file should be", str(path))
    return error


def is_utf8(name: str) -> bool:
    """Return whether a file's name is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
