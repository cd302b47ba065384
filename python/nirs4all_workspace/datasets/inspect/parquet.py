"""Spectra and targets in Parquet files, whose columns have names and types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.datasets.inspect import rows, tokens
from nirs4all_workspace.datasets.inspect.spectra import Spectra
from nirs4all_workspace.datasets.inspect.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.datasets.inspect.rows import Rows

# The name that pandas gives to the index of a frame in a file.
_INDEX = "__index_level_"


def open_rows(path: Path, *, are_spectra: bool) -> Rows:
    """Return the number of rows of a file, whose footer is checked before Polars follows it."""
    import polars as pl

    if (error := _native.check_chunks([path], [])[0]) is not None:
        raise error if isinstance(error, Exception) else AssertionError(error)
    count = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return rows.fixed(path, count, are_spectra=are_spectra)


def schema(path: Path) -> dict[str, pl.DataType]:
    """Return the names and types of the columns of a file."""
    import polars as pl

    found = pl.scan_parquet(path, glob=False).collect_schema()
    return {name: dtype for name, dtype in found.items() if not name.startswith(_INDEX)}


def find(settled: Rows) -> Spectra:
    """Return which columns of a file of spectra are wavelengths."""
    path = settled.table.path
    columns = schema(path)
    found = Spectra(count=settled.count, notes=list(settled.notes))
    numeric = [name for name, dtype in columns.items() if dtype.is_numeric()]
    named = [numeric[i] for i in tokens.waves(numeric)]
    features = named if 2 * len(named) >= len(columns) else numeric
    doubtful = [name for name in numeric if name not in features]
    for name in columns:
        if name in doubtful:
            found.notes.append(
                f"column {name!r} of {path.name} may be a wavelength or not: features are not counted"
            )
        elif name not in numeric:
            found.notes.append(f"column {name!r} of {path.name} holds {columns[name]}, not a wavelength")
    found.names = features
    if not features:
        found.notes.append(f"{path.name} has 0 columns of numbers")
        found.count = None
    elif not doubtful:
        found.n_features = len(features)
    return found


def read_targets(path: Path, names: list[str]) -> list[Target]:
    """Return columns of targets."""
    import polars as pl

    frame = pl.scan_parquet(path, glob=False).select(names).collect()
    return [_target(column) for column in frame]


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _target(column: pl.Series) -> Target:
    import polars as pl

    found = Target(column.name)
    is_number = column.dtype.is_numeric()
    if column.dtype.is_temporal() or column.dtype.is_nested() or column.dtype == pl.Binary:
        found.doubt = f"values of type {column.dtype}"
    for number, value in enumerate(column.to_list(), 1):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            found.add_missing(number, "null")
        elif is_number:
            found.add_number(_float(value), number, str(value))
        else:
            found.add_text(number, str(value))
    return found
