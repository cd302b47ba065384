"""Reading the arrays of predictions by their ids."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, display
from nirs4all_workspace._io import files, listing
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace.exceptions import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_COLUMNS = ["array_id", "array_data", "array_shape"]
_FEW = 1_000
_BATCH = 8_192
ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")
# Of rows that name them, as those from stores of nirs4all.
_EXTRA_ROLES = ("X", "spectra")


def arrays_of(root: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a row by role, as NumPy arrays of float64; None where the row has none.

    `X` and `spectra` are there where the row has an `X_id` or `spectra_id`. A file that cannot be read is a
    warning where other files have the arrays.
    """
    roles = (*ROLES, *(role for role in _EXTRA_ROLES if isinstance(row.get(f"{role}_id"), str)))
    wanted = {row[f"{role}_id"] for role in roles} - {None}
    found = arrays_by_id(root, row["run_id"], row["dataset_name"], wanted)
    return {role: found.get(row[f"{role}_id"]) for role in roles}


def arrays_by_id(root: Path, run_id: str | None, dataset_name: str, wanted: set[str]) -> dict[str, Any]:
    """Return arrays of a run on a dataset by their ids, as NumPy arrays of float64, those that are there.

    A file that cannot be read is a warning where other files have the arrays.

    Args:
        root: The workspace.
        run_id: The run; None of a 0.6 folder.
        dataset_name: The dataset.
        wanted: The ids.
    """
    found, unread = read_arrays(root, run_id, dataset_name, wanted)
    if unread and not wanted <= found.keys():
        raise unread[0]  # the arrays may lie there
    for error in unread:
        display.warn(f"left out, since another file has the arrays: {error}")
    return found


def read_arrays(
    root: Path, run_id: str | None, dataset_name: str, wanted: set[str]
) -> tuple[dict[str, Any], list[WorkspaceError | OSError]]:
    """Return what `arrays_by_id` finds, and the errors of files and folders that cannot be read."""
    import numpy as np
    import polars as pl

    found: dict[str, Any] = {}
    unread: list[WorkspaceError | OSError] = []
    for batch in _batches(root, run_id, dataset_name, wanted, unread) if wanted else ():
        frame = pl.DataFrame(batch)
        lacking = [pl.lit(None).alias(name) for name in _COLUMNS if name not in frame.columns]
        for id_, data, shape in frame.with_columns(lacking).select(_COLUMNS).iter_rows():
            if id_ in wanted and id_ not in found:  # of several arrays with one id, the first one is used
                values = np.array(data, dtype=np.float64)
                sizes = json.loads(shape) if shape else [values.size]
                found[id_] = values.reshape(sizes) if math.prod(sizes) == values.size else values
        if wanted <= found.keys():
            break
    return found, unread


def _batches(
    root: Path,
    run_id: str | None,
    dataset_name: str,
    wanted: set[str],
    unread: list[WorkspaceError | OSError],
) -> Iterator[_native.Rows]:
    """Yield batches that may hold arrays: files of the run and dataset; with 0.6 all files."""
    # Looking up each of very many takes longer than reading all.
    is_few = len(wanted) <= _FEW
    find: Callable[[Path], Iterable[_native.Rows]]
    find = partial(_native.find_arrays, ids=sorted(wanted)) if is_few else _all_of
    if run_id is None:
        likely = f"{dataset_name}.arrays.parquet"
        names, errors = _native.old_files(root, ".arrays.parquet")
        try:
            listing.raise_if_unreadable(root, errors, *(error["path"] for error in errors))
        except OSError as error:
            unread.append(error)
        places = [(root / name, find) for name in sorted(names, key=lambda name: (name != likely, name))]
    else:
        folder, run = dataset_folder(dataset_name), f"{run_id}."
        arrays = _files(root / "arrays" / folder, run, ".arrays.parquet", unread)
        journals = _files(root / "predictions" / folder, run, ".journal", unread)
        places = [(path, find) for path in arrays] + [(path, _in_journal) for path in journals]
    for path, read in places:
        try:
            yield from read(path)
        except (WorkspaceError, OSError) as error:
            unread.append(error)


def _all_of(path: Path) -> Iterator[_native.Rows]:
    """Yield all arrays of a file."""
    reader = _native.RowReader(path, _COLUMNS, 0, sys.maxsize, _BATCH)
    while (rows := reader.next()) is not None:
        yield rows


def _in_journal(path: Path) -> Iterator[_native.Rows]:
    """Yield the arrays of a journal; all damage is one warning."""
    place, found = None, []
    while True:
        arrays, place, damage = _native.journal_arrays(path, place)
        yield from arrays
        if damage is not None:
            found.append(damage)
        if place is None:
            break
    if found:
        display.warn(f"{path}: {'; '.join(found)}")


def _files(folder: Path, begin: str, end: str, unread: list[WorkspaceError | OSError]) -> list[Path]:
    try:
        names = files.list_names(folder)
    except OSError as error:
        unread.append(error)
        return []
    return [folder / name for name in names if name.startswith(begin) and name.endswith(end)]
