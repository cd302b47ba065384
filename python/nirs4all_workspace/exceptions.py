"""What can go wrong, by the way a caller would react.

Errors of the operating system stay `OSError`, with `errno` and `filename`; arguments that make no
sense are `ValueError` and `TypeError`.
"""

from nirs4all_workspace.display import shown


class WorkspaceError(Exception):
    """Anything that this package finds wrong with a workspace.

    Attributes:
        message: What happened and what can be done, without the path.
        path: The file concerned, or None.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        """Keep the message and the path apart, so that both survive pickling."""
        super().__init__(message, path)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        r"""Return the path, where there is one, and the message, on one line and safe for a terminal.

        What a terminal would obey in them is escaped (`\x1b`, `\u202e`); `path` and `message` have it raw.
        """
        return shown(self.message if self.path is None else f"{self.path}: {self.message}")


class InvalidTransitionError(WorkspaceError):
    """A run cannot go from its state to the one asked for."""


class ConflictError(WorkspaceError):
    """Somebody else changed or took it first; nothing was written."""


class LockTimeoutError(WorkspaceError):
    """Another process held a lock for longer than the caller would wait."""


class CorruptFileError(WorkspaceError):
    """A file is not what its name says, ends too early, or contradicts itself."""


class SchemaError(WorkspaceError):
    """Columns or a format are not what this version of the package can handle."""


class UnsupportedVersionError(SchemaError):
    """A newer version of the package wrote it; this one can read it at most."""


class ReadOnlyError(SchemaError):
    """A folder or a run of nirs4all 0.6, to which nothing is added."""


class UnknownMetricError(WorkspaceError):
    """No direction is known for a metric, or files and table disagree on it."""


class NotFoundError(WorkspaceError, KeyError):
    """There is no such workspace, dataset, run or prediction. Also a `KeyError`; its text is the message."""


def problem(path: str, error: WorkspaceError | OSError | TypeError | ValueError) -> dict[str, str]:
    """Return an error as answers list it: a dict of path, kind and message."""
    if isinstance(error, WorkspaceError):
        kind = next((kind for cls, kind in _KINDS.items() if isinstance(error, cls)), "io")
        return {"path": path, "kind": kind, "message": error.message}
    if isinstance(error, OSError):
        return {"path": path, "kind": "io", "message": error.strerror or str(error)}
    return {"path": path, "kind": "argument", "message": str(error)}


# Of those that one thing among many can have; others are of a call.
_KINDS = {SchemaError: "schema", NotFoundError: "not_found", CorruptFileError: "corrupt"}
