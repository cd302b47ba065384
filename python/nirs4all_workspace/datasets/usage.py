"""What runs say of the datasets that they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.datasets.dataset_record import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.datasets.dataset_record import DatasetRecord

_KEYS = ("id", "name", "hash", "file_size", "quick_hash", "path")


@dataclass(frozen=True)
class Reference:
    """One dataset of one run; None where the run did not say.

    Attributes:
        run_id: The run; None where prediction files of nirs4all 0.6 name the dataset.
        created_at: When the run was created, ISO-8601.
        id: Of the dataset's record.
        name: What the run calls it.
        hash: Of its content at that time.
        file_size: Bytes.
        quick_hash: Of its content at that time.
        path: Where it was, as records store paths.
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
        all: In the order of runs.
        runs_read: Runs whose files were read now.
        runs_unchanged: Runs that were known.
        errors: Runs that cannot be read, as dicts of path, kind and message.
    """

    all: list[Reference]
    runs_read: int
    runs_unchanged: int
    errors: list[dict[str, str]]


def read(root: Path) -> References:
    """Return what all runs of a workspace say now of their datasets; not what nirs4all 0.6 left."""
    found = _native.list_runs(root)
    runs = [run for run in found["runs"] if run["kind"] == "run"]
    references = [
        Reference(
            run_id=run["id"], created_at=run["created_at"] or None, **{key: it.get(key) for key in _KEYS}
        )
        for run in runs
        for it in run["datasets"]
    ]
    errors = [{**error, "path": str(root / error["path"])} for error in found["errors"]]
    return References(references, found["read"], found["unchanged"], errors)


class Usages:
    """How runs use datasets, as they say when it is first asked."""

    def __init__(self, root: Path) -> None:
        """Belong to the runs of the workspace in `root`."""
        self._root = root
        self._runs: dict[tuple[str, str | None], dict[str, str | None]] | None = None

    def of(self, record: DatasetRecord) -> Usage:
        """Return how runs use a dataset: those that name its id, or its content, or at least its place."""
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
