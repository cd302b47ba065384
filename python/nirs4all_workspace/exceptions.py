"""Errors, grouped by how a caller would react.

Errors of the operating system stay `OSError`, with `errno` and `filename`; wrong arguments are
`ValueError` and `TypeError`.
"""

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


class UnknownMetricError(WorkspaceError):
    """A metric has no known direction, or the files and the table of metrics disagree on it."""


class NotFoundError(WorkspaceError, KeyError):
    """There is no such workspace, dataset, run or prediction. Also a `KeyError`; its text is the message."""


def problem(path: str, error: WorkspaceError | OSError | TypeError | ValueError) -> dict[str, str]:
    """Return an error in the form that answers list: a dict of path, kind and message."""
    if isinstance(error, WorkspaceError):
        kind = next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), "io")
        return {"path": path, "kind": kind, "message": error.message}
    if isinstance(error, OSError):
        return {"path": path, "kind": "io", "message": error.strerror or str(error)}
    return {"path": path, "kind": "argument", "message": str(error)}


# The classes that concern one item among many; others concern a call.
_KINDS = {SchemaError: "schema", NotFoundError: "not_found", CorruptFileError: "corrupt"}
