"""How a run refers to its datasets: by what they were when it was made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.dataset_records import DatasetRecord, is_id
from nirs4all_workspace.exceptions import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nirs4all_workspace.workspace import Workspace

_KEYS = ("id", "name", "hash", "file_size", "quick_hash", "path")


def references(workspace: Workspace, datasets: Iterable[object]) -> list[dict[str, Any]]:
    """Return how a run's `datasets.yaml` refers to datasets.

    Args:
        workspace: Where they may be registered.
        datasets: Ids, names, paths or records.

    Returns:
        Dicts of id, name, hash, file_size, quick_hash and path; null where nobody knows.

    Raises:
        TypeError: One is none of these.
        ValueError: Two are the same dataset.
        NotFoundError: An id is of no record, or several records have a name.
    """
    if isinstance(datasets, str | os.PathLike | Mapping):
        raise TypeError("datasets= is a list of datasets, not one")
    found = [_reference(workspace, dataset) for dataset in datasets]
    names = [reference["name"] for reference in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"datasets= has several named {', '.join(repeated)}")
    return found


def _reference(workspace: Workspace, dataset: object) -> dict[str, Any]:
    if isinstance(dataset, str) and not dataset:
        raise ValueError("a dataset has an empty name")
    if isinstance(dataset, str):
        try:
            return _filled(workspace.datasets.get(dataset).stored())
        except NotFoundError:
            names = {record.name for record in workspace.datasets.list()}
            if is_id(dataset) or dataset in names:
                raise
    if isinstance(dataset, os.PathLike) or (isinstance(dataset, str) and _is_path(dataset)):
        return _filled(workspace.datasets.register(Path(dataset)).stored())
    return _filled({"name": dataset} if isinstance(dataset, str) else _mapping(dataset))


def _is_path(text: str) -> bool:
    return (os.sep in text or "." in text) and Path(text).exists()


def _mapping(record: object) -> dict[str, Any]:
    if isinstance(record, Mapping):
        return dict(record)
    if isinstance(record, DatasetRecord):
        return record.stored()
    raise TypeError(f"a dataset is an id, a name, a path or a record, not {record!r}")


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    path = record.get("path") or record.get("current_path") or record.get("original_path")
    reference = {key: record.get(key) for key in _KEYS} | {"path": None if path is None else str(path)}
    if not isinstance(reference["name"], str) or not reference["name"]:
        raise TypeError(f"a dataset's record needs a name, not {reference['name']!r}")
    return reference
