"""Where things lie in a workspace, and how its files are opened: without waiting, and regular ones alone."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRASH = ".trash"
# In `runs`: a run that is being made, and one that was deleted where the trash lies on another drive.
STAGING, DELETED = ".n4w-new-", ".n4w-deleted-"
# Systems without them have no pipes among files either.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LONGEST_RUN_ID = 150


def check_run_id(run_id: str) -> None:
    """Refuse what cannot be part of a file's name.

    Raises:
        ValueError: It is empty, too long, hidden, or has characters that file names do not have.
    """
    if not run_id or run_id.startswith(".") or len(run_id.encode()) > _LONGEST_RUN_ID:
        raise ValueError(f"run id {run_id!r} must have 1 to {_LONGEST_RUN_ID} bytes and not begin with a dot")
    if any(character in '/\\:*?"<>|' or ord(character) < 32 for character in run_id):
        raise ValueError(f"run id {run_id!r} has characters that file names do not have everywhere")


def owner_lock(root: Path, run_id: str) -> Path:
    """Return the lock that the process which runs a run holds."""
    return root / ".locks" / "runs" / f"{run_id}.owner.lock"


def transition_lock(root: Path, run_id: str) -> Path:
    """Return the lock under which a run's record is changed."""
    return root / ".locks" / "runs" / f"{run_id}.lock"


def gc_lock(root: Path) -> Path:
    """Return the lock under which shared content is asked for again, or removed."""
    return root / ".locks" / "gc.lock"


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
