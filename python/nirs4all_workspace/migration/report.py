"""The report of a migration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nirs4all_workspace.exceptions import Problem

# Counts that are always present, zero or not.
_OF_SOURCE = ("files", "sessions", "manifests", "rows", "arrays", "artifacts", "artifacts_missing", "traces")
_OF_TARGET = (
    *("files", "runs", "results", "manifests", "rows", "arrays", "artifacts", "artifact_files", "traces"),
    "copied_files",
)


@dataclass
class Report:
    """Notes, errors and counts of a migration.

    Attributes:
        notes: What the source lacked or repeated, as dicts of path, kind, message and run.
        errors: What could not be converted, as dicts of path, kind and message.
        source: Counts of what was read.
        target: Counts of what was written.
        runs: The runs that were made: id, name, kind, rows and results.
    """

    notes: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    source: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OF_SOURCE, 0))
    target: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OF_TARGET, 0))
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, path: str, kind: str, message: str, run_id: str | None = None) -> None:
        """Add a note, with its run if any."""
        self.notes.append({"path": shown(path), "kind": kind, "message": shown(message), "run": run_id})

    def error(self, path: str, kind: str, message: str) -> None:
        """Add an error."""
        self.errors.append({"path": shown(path), "kind": kind, "message": shown(message)})

    def lost(self, path: str, kind: str, message: str) -> None:
        """Add an error of a path that cannot be read, once."""
        if shown(path) not in {item["path"] for item in self.errors}:
            self.error(path, kind, message)

    def count(self, side: dict[str, int], **numbers: int) -> None:
        """Add to counts."""
        for key, number in numbers.items():
            side[key] = side.get(key, 0) + number


def shown(path: str) -> str:
    """Return a path as valid Unicode, whatever bytes it has."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
