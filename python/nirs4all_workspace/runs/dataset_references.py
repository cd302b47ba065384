"""References of a run to its datasets: their identity when the run was created."""

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
    """Return the references to datasets for a run's `datasets.yaml`.

    Args:
        workspace: The workspace in which datasets may be registered.
        datasets: Ids, names, paths or records. A text is a path where it has a separator and exists, or where
            it is the name of a file.
        progress: Called now and then with the bytes hashed of a path and the bytes in all.

    Returns:
        Dicts of id, name, hash, file_size, quick_hash and path; None where a value is not known.

    Raises:
        TypeError: An element has none of these types.
        ValueError: Two elements are the same dataset.
        NotFoundError: An id is unknown, or several records have a name.
    """
    if isinstance(datasets, str | os.PathLike | Mapping):
        raise TypeError("datasets: expected a list of datasets, got a single one")
    found = [_reference(workspace, dataset, progress) for dataset in datasets]
    names = [reference["name"] for reference in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"datasets: several are named {', '.join(map(repr, repeated))}")
    return found


def named(workspace: Workspace, dataset: object, progress: Report | None = None) -> dict[str, Any]:
    """Return the reference that `references` would return for a dataset; nothing is registered.

    A path to content that no record has gives a reference with its hash and without an id.
    """
    return _reference(workspace, dataset, progress, may_register=False)


def _reference(
    workspace: Workspace, dataset: object, progress: Report | None, *, may_register: bool = True
) -> dict[str, Any]:
    if isinstance(dataset, str) and not dataset:
        raise ValueError("name of a dataset: expected a text, got an empty one")
    if isinstance(dataset, str):
        try:
            return _filled(workspace.datasets.get(dataset).stored())
        except NotFoundError:
            if is_id(dataset) or any(same_name(dataset, record.name) for record in workspace.datasets.list()):
                raise
    if isinstance(dataset, os.PathLike) or (isinstance(dataset, str) and _is_path(dataset)):
        if not may_register:
            record, content = workspace.datasets.at(on_disk(absolute(dataset)), progress)
            return _filled(content if record is None else record.stored())
        return _filled(workspace.datasets.register(dataset, progress=progress).stored())
    return _filled({"name": dataset} if isinstance(dataset, str) else _mapping(dataset))


def _is_path(text: str) -> bool:
    """Return whether a text is meant as a path. A folder with the name of a dataset does not make it one."""
    has_separator = os.sep in text or bool(os.altsep and os.altsep in text)
    path = on_disk(absolute(text))
    return os.path.exists(path) if has_separator else os.path.isfile(path)  # noqa: PTH110, PTH113 -- never raise


def _mapping(record: object) -> dict[str, Any]:
    if isinstance(record, Mapping):
        return dict(record)
    if isinstance(record, DatasetRecord):
        return record.stored()
    raise TypeError(f"dataset: expected an id, a name, a path or a record, got {record!r}")


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    path = record.get("path") or record.get("current_path") or record.get("original_path")
    reference = {key: record.get(key) for key in _KEYS} | {"path": None if path is None else str(path)}
    if not isinstance(reference["name"], str) or not reference["name"]:
        raise TypeError(f"name of a dataset's record: expected a text, got {reference['name']!r}")
    return reference | {"name": nfc(reference["name"])}
