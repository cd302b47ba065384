"""The arrays of predictions, found by the ids that rows have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.names import dataset_folder
from nirs4all_workspace.rows import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")


def arrays_of(root: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a row by role, as NumPy arrays of float64; None where there is none."""
    import numpy as np
    import polars as pl

    wanted = {row[f"{role}_id"] for role in ROLES} - {None}
    found: dict[str, Any] = {}
    for frame in _frames(root, row):
        if wanted <= found.keys():
            break
        for array in frame.filter(pl.col("array_id").is_in(wanted)).collect().iter_rows(named=True):
            values = np.array(array["array_data"], dtype=np.float64)
            found[array["array_id"]] = values.reshape(json.loads(array["array_shape"]))
    return {role: found.get(row[f"{role}_id"]) for role in ROLES}


def _frames(root: Path, row: dict[str, Any]) -> Iterator[pl.LazyFrame]:
    """The files that may hold a row's arrays, those of its own run first."""
    import polars as pl

    if row["run_id"] is None:
        old = root / f"{row['dataset_name']}.arrays.parquet"
        if old.exists():
            yield pl.scan_parquet(old)
        return
    folder = dataset_folder(row["dataset_name"])
    for path in sorted((root / "arrays" / folder).glob("*.arrays.parquet")):
        if path.name.startswith(f"{row['run_id']}."):
            yield pl.scan_parquet(path, glob=False)
    for path in sorted((root / "predictions" / folder).glob("*.journal")):
        if path.name.startswith(f"{row['run_id']}."):
            for payload in frames_of(path, "arrays"):
                yield pl.read_ipc_stream(payload).lazy()
