"""How a run refers to its datasets: by what they were when it was made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nirs4all_workspace._io.paths import absolute, nfc, on_disk, same_name
from nirs4all_workspace.datasets.dataset_record import DatasetRecord, is_id
from nirs4all_workspace.exceptions import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nirs4all_workspace.workspace import Workspace

_KEYS = ("id", "name", "hash", "file_size", "quick_hash", "path")


Report = Callable[[int, int], object]


def references(
    workspace: Workspace, datasets: Iterable[object], progress: Report | None = None
) -> list[dict[str, Any]]:
    """Return how a run's `datasets.yaml` refers to datasets.

    Args:
        workspace: Where they may be registered.
        datasets: Ids, names, paths or records. A text is a path where it holds a separator and something
            is there, or where it is the name of a file.
        progress: Called now and then with the bytes hashed of a path and those there are.

    Returns:
        Dicts of id, name, hash, file_size, quick_hash and path; null where nobody knows.

    Raises:
        TypeError: One is none of these.
        ValueError: Two are the same dataset.
        NotFoundError: An id is of no record, or several records have a name.
    """
    if isinstance(datasets, str | os.PathLike | Mapping):
        raise TypeError("datasets= is a list of datasets, not one")
    found = [_reference(workspace, dataset, progress) for dataset in datasets]
    names = [reference["name"] for reference in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"datasets= has several named {', '.join(map(repr, repeated))}")
    return found


def _reference(workspace: Workspace, dataset: object, progress: Report | None) -> dict[str, Any]:
    if isinstance(dataset, str) and not dataset:
        raise ValueError("a dataset has an empty name")
    if isinstance(dataset, str):
        try:
            return _filled(workspace.datasets.get(dataset).stored())
        except NotFoundError:
            if is_id(dataset) or any(same_name(dataset, record.name) for record in workspace.datasets.list()):
                raise
    if isinstance(dataset, os.PathLike) or (isinstance(dataset, str) and _is_path(dataset)):
        return _filled(workspace.datasets.register(dataset, progress=progress).stored())
    return _filled({"name": dataset} if isinstance(dataset, str) else _mapping(dataset))


def _is_path(text: str) -> bool:
    """Whether a text is meant as a path. A folder that happens to have the name of a dataset is not."""
    has_separator = os.sep in text or bool(os.altsep and os.altsep in text)
    path = on_disk(absolute(text))
    return os.path.exists(path) if has_separator else os.path.isfile(path)  # noqa: PTH110, PTH113 -- never raise


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
    return reference | {"name": nfc(reference["name"])}
