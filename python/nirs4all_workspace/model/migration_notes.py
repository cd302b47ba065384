"""Notes of a migration that a workspace and each of its runs retain: their source, and what it lacked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nirs4all_workspace._io import files, yaml_records
from nirs4all_workspace.exceptions import CorruptFileError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem

OF_RUN = "migrated.yaml"
OF_WORKSPACE = "migration.json"


def of_run(folder: Path) -> list[Problem]:
    """Return the notes of a run; empty where it was not migrated.

    Raises:
        CorruptFileError: The file is damaged.
        OSError: The file cannot be read.
    """
    path = folder / OF_RUN
    try:
        return _checked(yaml_records.read(path).get("notes"), path)
    except NotFoundError:
        return []


def of_workspace(root: Path) -> list[Problem]:
    """Return the notes of a workspace that concern no run; empty where it was not migrated.

    Raises:
        CorruptFileError: The file is damaged.
        OSError: The file cannot be read.
    """
    path = root / OF_WORKSPACE
    try:
        report: Any = json.loads(files.read_bytes(path))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise CorruptFileError("invalid JSON", str(path)) from error
    if not isinstance(report, dict):
        raise CorruptFileError("expected a JSON object", str(path))
    notes = _checked(report.get("notes"), path)
    return _checked(report.get("errors"), path) + [note for note in notes if note.get("run") is None]


def _checked(notes: Any, path: Path) -> list[Problem]:  # noqa: ANN401 - what a file says
    keys = {"path", "kind", "message"}
    if not isinstance(notes, list) or not all(
        isinstance(note, dict) and keys <= note.keys() for note in notes
    ):
        raise CorruptFileError("expected a list of notes with path, kind and message", str(path))
    return notes
