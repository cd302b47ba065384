"""The arrays of predictions, found by the ids that rows have."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.names import dataset_folder
from nirs4all_workspace.rows import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = ["array_id", "array_data", "array_shape"]
ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")


def arrays_of(root: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a row by role, as NumPy arrays of float64; None where there is none."""
    import numpy as np
    import polars as pl

    wanted = {row[f"{role}_id"] for role in ROLES} - {None}
    found: dict[str, Any] = {}
    for batch in _batches(root, row, wanted) if wanted else ():
        frame = pl.read_ipc_stream(batch)
        lacking = [pl.lit(None).alias(name) for name in _COLUMNS if name not in frame.columns]
        for id_, data, shape in frame.with_columns(lacking).select(_COLUMNS).iter_rows():
            if id_ in wanted and id_ not in found:  # of those with one id the first counts
                values = np.array(data, dtype=np.float64)
                sizes = json.loads(shape or "[]")
                found[id_] = values.reshape(sizes) if sizes and math.prod(sizes) == values.size else values
        if wanted <= found.keys():
            break
    return {role: found.get(row[f"{role}_id"]) for role in ROLES}


def _batches(root: Path, row: dict[str, Any], wanted: set[str]) -> Iterator[bytes]:
    """What may hold a row's arrays, as Arrow IPC streams: the files of its run on its dataset, of 0.6 all."""
    if row["run_id"] is None:
        likely = f"{row['dataset_name']}.arrays.parquet"
        names = _native.old_files(root, ".arrays.parquet")
        for name in sorted(names, key=lambda name: (name != likely, name)):
            yield from _native.find_arrays(root / name, sorted(wanted))
        return
    folder = dataset_folder(row["dataset_name"])
    for path in sorted((root / "arrays" / folder).glob("*.arrays.parquet")):
        if path.name.startswith(f"{row['run_id']}."):
            yield from _native.find_arrays(path, sorted(wanted))
    for path in sorted((root / "predictions" / folder).glob("*.journal")):
        if path.name.startswith(f"{row['run_id']}."):
            yield from frames_of(path, "arrays")
