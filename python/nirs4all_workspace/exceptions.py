"""Errors, grouped by how a caller would react.

Errors of the operating system stay `OSError`, with `errno` and `filename`; wrong arguments are
`ValueError` and `TypeError`.
"""

from enum import StrEnum
from typing import TypedDict

from nirs4all_workspace.display import shown


class WorkspaceError(Exception):
    """Base class of the errors of this package.

    Attributes:
        message: What was expected and found, and the next step, without the path.
        path: The file or folder concerned, or None.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        """Store message and path separately, so that both survive pickling."""
        super().__init__(message, path)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        r"""Return the path, where there is one, and the message, on one line and safe for a terminal.

        Characters that a terminal would obey are escaped (`\x1b`, `\u202e`); `path` and `message` hold them
        raw.
        """
        return shown(self.message if self.path is None else f"{self.path}: {self.message}")


class InvalidTransitionError(WorkspaceError):
    """A run cannot go from its status to the requested one."""


class ConflictError(WorkspaceError):
    """Another process, or another call, changed or took it first; nothing was written."""


class LockTimeoutError(WorkspaceError):
    """Another process held a lock for longer than the timeout."""


class CorruptFileError(WorkspaceError):
    """A file is not what its name says, ends too early, or contradicts itself."""


class SchemaError(WorkspaceError):
    """Columns or a format are not supported by this version of the package."""


class UnsupportedVersionError(SchemaError):
    """A newer version of the package wrote the file or folder; this version cannot write or read it."""


class ReadOnlyError(SchemaError):
    """A folder or run of nirs4all 0.6, which can only be read."""


class ComputationError(WorkspaceError):
    """A configuration could not be computed; the message has the error, and the traceback that it left."""


class UnknownMetricError(WorkspaceError):
    """A metric has no known direction, or the files and the table of metrics disagree on it."""


class NotFoundError(WorkspaceError, KeyError):
    """There is no such workspace, dataset, run or prediction. Also a `KeyError`; its text is the message."""


class ErrorKind(StrEnum):
    """The kind of a problem with one file, folder or argument, as `errors` of every answer have it.

    Kinds are append-only: a program that decides by them goes on working with later versions.
    """

    IO = "io"
    NOT_PARQUET = "not_parquet"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    SCHEMA = "schema"
    METRIC = "metric"
    CONFLICT = "conflict"
    LOCK_TIMEOUT = "lock_timeout"
    NOT_FOUND = "not_found"
    TYPE = "type"
    ARGUMENT = "argument"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class FindingKind(StrEnum):
    """The kind of what `verify`, `recover` and `gc` find, beside those of `ErrorKind`; append-only."""

    CONTRADICTION = "contradiction"
    DANGLING = "dangling"
    DIVERGED = "diverged"
    FOREIGN = "foreign"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    LACKING = "lacking"
    LEFTOVER = "leftover"
    LINEAGE = "lineage"
    NEWER_FORMAT = "newer_format"
    OUTGROWN = "outgrown"
    OVERLAPPING = "overlapping"
    PARTIAL = "partial"
    REPEATED = "repeated"
    STAGING = "staging"
    TORN = "torn"
    TRASH = "trash"
    UNREADABLE = "unreadable"
    UNTRUSTED_SUMMARY = "untrusted_summary"


class Problem(TypedDict):
    """One thing that is wrong, or worth a note, while the rest of an answer is complete."""

    path: str
    """Relative to the workspace; absolute where it lies elsewhere."""
    kind: str
    """An `ErrorKind`, or of `verify`, `recover`, `gc` and `migrate` a `FindingKind`."""
    message: str
    """What was found and what to do, in one line."""


def problem(path: str, error: WorkspaceError | OSError | TypeError | ValueError) -> Problem:
    """Return an error in the form that answers list: a dict of path, kind and message."""
    if isinstance(error, WorkspaceError):
        kind = next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), ErrorKind.IO.value)
        return {"path": path, "kind": kind, "message": error.message}
    if isinstance(error, OSError):
        return {"path": path, "kind": ErrorKind.IO.value, "message": error.strerror or str(error)}
    return {"path": path, "kind": ErrorKind.ARGUMENT.value, "message": str(error)}


# The classes that concern one item among many; others concern a call.
_KINDS = {
    SchemaError: ErrorKind.SCHEMA.value,
    NotFoundError: ErrorKind.NOT_FOUND.value,
    CorruptFileError: ErrorKind.CORRUPT.value,
}
