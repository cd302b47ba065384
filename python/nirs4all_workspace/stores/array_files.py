"""The files of arrays of a store: which row of which file has the arrays of a prediction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.migration import files, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.migration.report import Report
    from nirs4all_workspace.stores.source import Source

ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights", "X", "spectra")
METADATA = "sample_metadata"
# What a sample may have several values of.
_BY_SAMPLE = ("y_true", "y_pred", "y_proba")
# Columns that repeat what the row of the database says.
ABOUT = ("dataset_name", "model_name", "fold_id", "partition", "metric", "val_score", "task_type")
ID = "prediction_id"
FILE, PLACE, HASH = "n4w:file", "n4w:place", "n4w:hash"
# Bytes of a batch, decoded: an estimate, as a compressed file has about a quarter of them.
_BYTES = 48 * 1024 * 1024
_DECODED = 4


class ArrayFiles:
    """The rows of all files of arrays that a prediction uses.

    Attributes:
        used: The place of each prediction's arrays: hash of its id, number of the file, row; each once.
        orphans: Rows of the files that no prediction uses, by path.
        unreadable: Rows that cannot be read, by path.
    """

    def __init__(self, source: Source, known: pl.DataFrame, paths: Sequence[Path], report: Report) -> None:
        """Look up which rows are used.

        Args:
            source: The store.
            known: The hashes of the ids of all predictions, and the number of the part of each.
            paths: The files.
            report: What cannot be read is an error of it.
        """
        import polars as pl

        self._source = source
        self.paths = list(paths)
        self.orphans: dict[Path, int] = {}
        self._lost: dict[Path, tables.Lost] = {}
        schema = {HASH: pl.UInt64, FILE: pl.Int32, PLACE: pl.Int64}
        found = [pl.DataFrame(schema=schema)]
        rows: dict[Path, int] = {}
        for number, path in enumerate(self.paths):
            try:
                if refusal := files.refusal(path):
                    raise CorruptFileError(refusal[1], str(path))
                columns, rows[path] = tables.outline(path)
                if ID not in columns:
                    raise CorruptFileError(f"lacks the column {ID}", str(path))
                for role in ROLES:
                    _check_numbers(role, columns.get(role), path)
                lost = self._lost.setdefault(path, [])
                for at, frame in tables.batches(path, [ID], 0, rows[path], lost):
                    places = frame.select(hash_of(ID)).with_row_index(PLACE, at)
                    found.append(
                        places.select(
                            HASH, pl.lit(number, pl.Int32).alias(FILE), pl.col(PLACE).cast(pl.Int64)
                        )
                    )
            except (CorruptFileError, OSError) as error:
                rows.pop(path, None)
                message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
                report.error(self.name(path), "corrupt", f"{message}; its arrays are missing from the rows")
        every = pl.concat(found)
        # As nirs4all reads them: of several rows of a file the last one, of several files the first.
        chosen = every.sort(FILE, -pl.col(PLACE)).unique(HASH, keep="first", maintain_order=True)
        self.used = chosen.join(known, on=HASH, how="inner").sort(FILE, PLACE)
        for number, path in enumerate(self.paths):
            if path in rows:
                here = self.used.filter(pl.col(FILE) == number).height
                self.orphans[path] = every.filter(pl.col(FILE) == number).height - here

    def name(self, path: Path) -> str:
        """Return the path of a file relative to the store."""
        try:
            return path.relative_to(self._source.path).as_posix()
        except ValueError:
            return f"{self._source.file}: {path.stem}"

    def batches(self, used: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield rows of files with arrays in the types of a workspace.

        Args:
            used: Those rows of `self.used` that are wanted.
        """
        for (number,), places in used.group_by(FILE, maintain_order=True):
            path = self.paths[int(str(number))]
            schema, rows = tables.outline(path)
            columns = [name for name in schema.names() if name == ID or name not in ABOUT]
            size = _rows_at_once(path, rows)
            wanted = places[PLACE]
            start, stop = int(wanted.min()), int(wanted.max()) + 1  # type: ignore[arg-type]
            for at, frame in tables.batches(path, columns, start, stop, self._lost[path], size):
                within = wanted.filter((wanted >= at) & (wanted < at + frame.height)) - at
                if len(within):
                    yield self._fitted(frame[within])

    def unreadable(self) -> dict[Path, int]:
        """Return how many rows of each file cannot be read."""
        return {path: tables.count(list(dict.fromkeys(lost))) for path, lost in self._lost.items() if lost}

    @staticmethod
    def _fitted(frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        columns = []
        for name, kind in frame.schema.items():
            column = tables.column_of(name)
            if name in ROLES:
                if kind == pl.Null:
                    continue
                column = column.cast(pl.List(pl.Float64))
                if frame.select(column.list.eval(pl.element().is_null()).list.any().any()).item():
                    column = column.list.eval(pl.element().fill_null(float("nan")))
                columns.append(column)
            elif re.fullmatch(f"({'|'.join(ROLES)})_shape", name):
                if kind != pl.Null:
                    columns.append(column.cast(pl.List(pl.Int64)))
            else:
                columns.append(tables.as_text(column, kind).alias(name))
        return frame.select(columns)


def _check_numbers(name: str, kind: Any, path: Path) -> None:  # noqa: ANN401 - a type of Polars
    """Refuse a file whose column of arrays has no lists of numbers."""
    import polars as pl

    if kind is None or kind == pl.Null:
        return
    if not isinstance(kind, pl.List | pl.Array) or not (kind.inner.is_numeric() or kind.inner == pl.Null):
        raise CorruptFileError(f"column {name}: expected lists of numbers, found {kind}", str(path))


def hash_of(column: str) -> pl.Expr:
    """Return the hash of an id, which stands for it where places are planned."""
    import polars as pl

    return pl.col(column).cast(pl.String).hash(seed=7).alias(HASH)


def shape_of(frame: pl.DataFrame, role: str) -> pl.Expr:
    """Return the shapes of arrays as a workspace has them, `[97, 1]`; null where one dimension is all.

    Stores before nirs4all 1.2 have none for targets, of which several are stored sample by sample.
    """
    import polars as pl

    length, shape = pl.col(role).list.len(), pl.lit(None, pl.String)
    if role in _BY_SAMPLE and ("sample_indices" in frame.columns or "n_samples" in frame.columns):
        counts = [pl.col("n_samples").cast(pl.Int64)] if "n_samples" in frame.columns else []
        if "sample_indices" in frame.columns:
            counts.insert(0, pl.col("sample_indices").list.len().cast(pl.Int64))
        samples = pl.coalesce(counts)
        is_several = (samples > 0) & (length > samples) & (length % samples == 0)
        text = pl.format("[{}, {}]", samples, length // samples)
        shape = pl.when(is_several).then(text)
    name = f"{role}_shape"
    if name in frame.columns and frame[name].null_count() < frame.height:
        fits = pl.col(name).list.eval(pl.element().product()).list.first() == length
        text = pl.lit("[") + pl.col(name).list.eval(pl.element().cast(pl.String)).list.join(", ") + "]"
        shape = pl.when(fits & (pl.col(name).list.len() > 0)).then(text).otherwise(shape)
    return shape.alias("array_shape")


def _rows_at_once(path: Path, rows: int) -> int:
    bytes_of_row = max(1, _DECODED * path.stat().st_size // max(1, rows))
    return max(256, min(tables.ROWS, _BYTES // bytes_of_row))
