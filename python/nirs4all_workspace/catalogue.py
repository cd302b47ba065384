"""The catalogue: all runs of a workspace, whatever wrote them, as one kind of entry.

An entry is a dict with all keys of a run's `run.yaml`, and `kind`: "run"; "session", what one call of
nirs4all 0.6 made; or "files", prediction files that no run and no manifest claims. docs/format.md
describes the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, ownership
from nirs4all_workspace.results import Result, ResultList
from nirs4all_workspace.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def read(root: Path, *, keep: bool = True) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the entries of the workspace in `root`, oldest first, and what cannot be read.

    Args:
        root: The workspace.
        keep: Whether what was read may be kept in its cache.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_runs(root, keep=keep)
    return found["runs"], found["errors"]


def results(root: Path, run_ids: Sequence[str] | None = None) -> ResultList:
    """Return the results of these runs, sessions and files, or of all, run by run, oldest first.

    Raises:
        OSError: They cannot be listed.
        CorruptFileError: A journal cannot be read.
    """
    found = _native.list_results(root, run_ids)
    listed = ResultList()
    listed.errors = found["errors"]
    listed.extend(Result.from_dict(item, item["writer"]) for item in found["results"])
    listed.repeated.extend(Result.from_dict(item, item["writer"]) for item in found["repeated"])
    return listed


def is_on(entry: Mapping[str, Any], dataset: str) -> bool:
    """Return whether a run uses a dataset, by id or name."""
    return any(dataset in (item.get("id"), item.get("name")) for item in entry["datasets"])


def is_of(entry: Mapping[str, Any], template: str) -> bool:
    """Return whether a run uses a template, by id or name."""
    return any(template in (item.get("id"), item.get("name")) for item in entry["templates"])


def is_interrupted(root: Path, entry: Mapping[str, Any]) -> bool:
    """Return whether a run says "running" but nobody runs it; only then a lock is looked at."""
    return bool(entry["status"] == RunStatus.RUNNING) and not ownership.is_owned(root, entry["id"])
