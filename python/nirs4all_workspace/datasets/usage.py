"""References of runs to datasets, and the use of datasets derived from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.datasets.dataset_record import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.datasets.dataset_record import DatasetRecord
    from nirs4all_workspace.exceptions import Problem

_KEYS = ("id", "name", "hash", "file_size", "quick_hash", "path")


@dataclass(frozen=True)
class Reference:
    """A reference of one run to one dataset; a field is None where the run lacks it.

    Attributes:
        run_id: The run; None where prediction files of nirs4all 0.6 name the dataset.
        created_at: Creation time of the run, ISO-8601.
        id: The id of the dataset's record.
        name: The dataset's name in the run.
        hash: The hash of its content at that time.
        file_size: Bytes of its content at that time.
        quick_hash: The quick hash of its content at that time.
        path: Its path at that time, as records store paths.
    """

    run_id: str | None
    created_at: str | None
    id: str | None
    name: str
    hash: str | None
    file_size: int | None
    quick_hash: str | None
    path: str | None


@dataclass
class References:
    """The references of all runs.

    Attributes:
        all: The references, in the order of runs.
        runs_read: Number of runs whose files were read.
        runs_unchanged: Number of runs whose references were cached.
        errors: Runs that cannot be read, as dicts of path, kind and message.
    """

    all: list[Reference]
    runs_read: int
    runs_unchanged: int
    errors: list[Problem]


def read(root: Path) -> References:
    """Return the references of all runs of a workspace to datasets; sessions of nirs4all 0.6 have none."""
    found = _native.list_runs(root)
    runs = [run for run in found["runs"] if run["kind"] == "run"]
    references = [
        Reference(
            run_id=run["id"], created_at=run["created_at"] or None, **{key: it.get(key) for key in _KEYS}
        )
        for run in runs
        for it in run["datasets"]
    ]
    said: list[Problem] = found["errors"]
    errors: list[Problem] = [{**error, "path": str(root / error["path"])} for error in said]
    return References(references, found["read"], found["unchanged"], errors)


class Usages:
    """The use of datasets by runs, read at the first question."""

    def __init__(self, root: Path) -> None:
        """Bind to the runs of the workspace in `root`."""
        self._root = root
        self._runs: dict[tuple[str, str | None], dict[str, str | None]] | None = None

    def of(self, record: DatasetRecord) -> Usage:
        """Return the use of a dataset: runs that refer to its id, to its content, or at least to its path."""
        if self._runs is None:
            self._runs = {}
            for it in read(self._root).all:
                for key in (("id", it.id), ("hash", it.hash) if it.hash else ("place", it.path or it.name)):
                    self._runs.setdefault(key, {})[str(it.run_id)] = it.created_at
        keys = [("id", record.id), ("place", record.original_path or record.name)]
        keys += [("hash", hash_) for hash_ in record.hashes]
        used: dict[str, str | None] = {}
        for key in keys:
            used |= self._runs.get(key, {})
        times = sorted(time_ for time_ in used.values() if time_)
        return Usage(len(used), times[0] if times else None, times[-1] if times else None)
