"""Moving the rows and arrays of an old prediction file into segments, a batch at a time."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.migration import files, tables
from nirs4all_workspace.migration.rows import (
    KEYS,
    REFERENCES,
    RESULT,
    ROW,
    TEMPLATE,
    UNIT,
    Group,
    PredictionFile,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.workspace import Workspace

# Limits: open writers, bytes that wait in all of them, and arrays of one batch.
_WRITERS = 32
_BYTES = 32 * 1024 * 1024
_ARRAYS = 4_096
_IS_FOUND = "^array_[0-9a-f]{24}$"
_WANTED = "SELECT old, unit FROM named WHERE new IS NULL AND old"
_ARRAY_COLUMNS = ("array_id", "array_data", "array_shape", "array_type")


class Ids:
    """The ids that several rows of a run share, and the new ids of those rows."""

    def __init__(self, files: list[PredictionFile], at_once: int = 2_000_000) -> None:
        """Find the repeated ids, a part of them at a time."""
        import polars as pl

        self._number: dict[str, int] = {}
        for file in files:
            for unit in file.units:
                self._number.setdefault(unit.run_id, len(self._number))
        parts = 1 + sum(file.rows for file in files) // at_once
        found = [self._repeated(files, part, parts) for part in range(parts)]
        self._candidates = pl.concat(found)
        self._seen: dict[tuple[int, str], int] = {}

    def _hashes(self, file: PredictionFile, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        numbers = [self._number[unit.run_id] for unit in file.units]
        run = pl.col(UNIT).replace_strict(list(range(len(numbers))), numbers, return_dtype=pl.UInt32)
        return frame.select(
            run.alias("run"), tables.as_text(pl.col("id"), frame["id"].dtype).hash().alias("hash")
        )

    def _repeated(self, files: list[PredictionFile], part: int, parts: int) -> pl.DataFrame:
        import polars as pl

        schema = {"run": pl.UInt32, "hash": pl.UInt64}
        found = [pl.DataFrame(schema=schema)]
        for file in files:
            if "id" not in file.schema:
                continue
            for _, frame in file.keyed(["id"], 0, file.rows):
                hashes = self._hashes(file, frame.filter(pl.col("id").is_not_null()))
                found.append(hashes.filter(pl.col("hash") % parts == part))
        counted = pl.concat(found).group_by("run", "hash").len()
        return counted.filter(pl.col("len") > 1).select("run", "hash")

    def given(self, file: PredictionFile, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows with ids that are unique in their run; `source_id` is the id in the source."""
        import polars as pl

        if "id" not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias("id"))
        lacking = frame.select((pl.col("id").is_null() | (pl.col("id") == "")).arg_true())["id"].to_list()
        again = [] if self._candidates.is_empty() else self._again(file, frame)
        if not lacking and not again:
            return frame
        ids = frame["id"].to_list()
        before: list[str | None] = [None] * len(ids)
        for row in lacking:
            before[row] = ids[row] or ""
            ids[row] = self._unlike_any(file, frame, row)
        for row, number in again:
            key = number, ids[row]
            times = self._seen[key] = self._seen.get(key, 0) + 1
            if times > 1:
                before[row], ids[row] = ids[row], self._unlike_any(file, frame, row)
        return frame.with_columns(pl.Series("id", ids, pl.String), pl.Series("source_id", before, pl.String))

    @staticmethod
    def _unlike_any(file: PredictionFile, frame: pl.DataFrame, row: int) -> str:
        place = f"{file.file}\n{frame[ROW][row]}"
        return _native.blake3_hex(place.encode("utf-8", "surrogateescape"), 16)

    def _again(self, file: PredictionFile, frame: pl.DataFrame) -> list[tuple[int, int]]:
        hashes = self._hashes(file, frame).with_row_index("row")
        found = hashes.join(self._candidates, on=["run", "hash"], how="semi").sort("row")
        return [(row, run) for row, run in found.select("row", "run").iter_rows() if frame["id"][row]]


@dataclass
class Moved:
    """The outcome of moving one file.

    Attributes:
        rows: Number of rows written.
        renamed: Number of rows that got a new id.
        beside: Number of values kept as `source_<column>`, by column.
        segments: The segments that were written.
        arrays_error: Why arrays, or some of them, cannot be read.
        unnamed: Number of arrays in the file beside that no row names.
        repeated: Number of array ids with several values. This and `unnamed` are set by the comparison.
    """

    rows: int = 0
    renamed: int = 0
    beside: Counter[str] = field(default_factory=Counter)
    segments: list[Path] = field(default_factory=list)
    arrays_error: str | None = None
    unnamed: int = 0
    repeated: int = 0


class Transfer:
    """Moves one file.

    The ids of arrays are held in a temporary SQLite database, which spills to disk where it is large.
    """

    def __init__(self, workspace: Workspace, file: PredictionFile, ids: Ids) -> None:
        """Bind to a workspace and a file; nothing is moved yet."""
        self._workspace = workspace
        self.file = file
        self._ids = ids
        self.done = Moved()
        self._missing: dict[str, int] = {}
        self.arrays = file.path.with_name(f"{file.path.name.removesuffix(catalogue.SUFFIX)}.arrays.parquet")
        # The reason why the file of arrays cannot be opened, if it exists.
        self.refusal = files.refusal(self.arrays) if os.path.lexists(self.arrays) else None
        is_there = self.refusal is None and files.is_file(self.arrays)
        self._array_files = [self.arrays] if is_there else []
        self._hashes: list[str] | None = None
        self.database = sqlite3.connect("")
        self.database.execute("PRAGMA cache_size = -65536")
        self.database.execute(
            "CREATE TABLE named (old TEXT, unit INTEGER, new TEXT, PRIMARY KEY (old, unit)) WITHOUT ROWID"
        )
        self.named = [name for name in REFERENCES if name in file.schema]

    def close(self) -> None:
        """Drop the database of ids."""
        self.database.close()

    def run(self, step: Callable[[int], object]) -> None:
        """Move all rows and arrays; `step` is called with the number of rows moved."""
        units = sorted(self.file.units, key=lambda unit: unit.first)
        for at in range(0, len(units), _WRITERS):
            self._move(units[at : at + _WRITERS], step)

    def _move(self, units: list[Unit], step: Callable[[int], object]) -> None:
        start, stop = min(unit.first for unit in units), max(unit.last for unit in units) + 1
        for unit in units:
            unit.writer = self._workspace.predictions.open_writer(
                unit.run_id,
                unit.dataset,
                durability="none",
                flush_rows=tables.ROWS,
                flush_bytes=_BYTES // len(units),
                flush_seconds=1e9,
                ids=writer_ids(unit.run_id, unit.dataset, self.file.file, *self._contents()),
            )
        self._find_names({unit.number for unit in units}, start, stop)
        self._move_arrays(units)
        self._move_rows({unit.number: unit for unit in units}, start, stop, step)

    def _contents(self) -> list[str]:
        """Return the hashes of the file and of the file of arrays beside it."""
        if self._hashes is None:
            self._hashes = [_native.hash_file(path) for path in (self.file.path, *self._array_files[:1])]
        return self._hashes

    def _close(self, unit: Unit) -> None:
        if unit.writer is None:
            return
        path = unit.writer.path
        unit.writer.close()
        unit.writer = None
        if path is not None:
            # No process reads here yet: the journals that the segment covers are removed at once.
            path.unlink(missing_ok=True)
            self.done.segments.append(path.with_name(f"{path.stem}.meta.parquet"))

    def _find_names(self, units: set[int], start: int, stop: int) -> None:
        import polars as pl

        for _, frame in self.file.keyed(self.named, start, stop):
            frame = frame.filter(pl.col(UNIT).is_in(units))
            for name in self.named:
                named = (
                    frame.select(tables.as_text(pl.col(name), frame[name].dtype), UNIT).drop_nulls().unique()
                )
                self.database.executemany(
                    "INSERT OR IGNORE INTO named (old, unit) VALUES (?, ?)", named.iter_rows()
                )

    def _move_arrays(self, units: list[Unit]) -> None:
        if not self.named:
            return
        self._move_found(units)
        if self.database.execute("SELECT 1 FROM named WHERE new IS NULL LIMIT 1").fetchone():
            before = len(self._array_files)
            self._look_elsewhere()
            if len(self._array_files) > before:
                self._move_found(units)

    def _move_found(self, units: list[Unit]) -> None:
        writers = {unit.number: unit.writer for unit in units}
        for _, frame in self.array_batches():
            rows: dict[int, list[int]] = {}
            # Of several arrays with one id, the first one is used.
            places = {old: row for row, old in reversed(list(enumerate(frame["array_id"])))}
            for old, unit in self._select(_WANTED, places):
                rows.setdefault(unit, []).append(places[old])
            for unit, chosen in rows.items():
                writer = writers.get(unit)
                if writer is None:
                    continue
                part = frame[chosen]
                new = writer.write_arrays(part)
                self.database.executemany(
                    "UPDATE named SET new = ? WHERE old = ? AND unit = ?",
                    zip(new, part["array_id"], [unit] * len(new), strict=True),
                )

    def array_batches(self) -> Iterator[tuple[Path, pl.DataFrame]]:
        """Yield the arrays without missing parts, with the file that they are in.

        First those of the file beside; once some were not found there, those of other files that have them.
        """
        for path in self._array_files:
            try:
                for frame in _arrays_in(path):
                    yield path, frame
            except (CorruptFileError, OSError) as error:
                # Defects of other files are reported when their own rows are moved.
                if path == self.arrays:
                    self.done.arrays_error = str(getattr(error, "message", error))

    def _look_elsewhere(self) -> None:
        """Search all other files for arrays that the file beside lacks, as nirs4all 0.6 does."""
        import polars as pl

        for name in catalogue.old_files(self.file.root, ".arrays.parquet"):
            path = self.file.root / name
            if path in self._array_files:
                continue
            with suppress(CorruptFileError, OSError):
                schema, rows = tables.outline(path)
                if "array_id" not in schema:
                    continue
                ids = tables.as_text(pl.col("array_id"), schema["array_id"]).drop_nulls()
                for _, frame in tables.batches(path, ["array_id"], 0, rows):
                    if self._select(_WANTED, frame.select(ids).to_series()):
                        self._array_files.append(path)
                        break

    def missing(self) -> dict[str, int]:
        """Return how often rows name arrays that were not found, by run."""
        return {run: number for run, number in sorted(self._missing.items()) if number}

    def new_names(self, olds: list[str]) -> dict[str, str]:
        """Return the new ids of arrays, without those that were not found."""
        return dict(self._select("SELECT old, new FROM named WHERE new IS NOT NULL AND old", olds))

    def _select(self, query: str, olds: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - texts
        listed = json.dumps(list(olds))
        return self.database.execute(f"{query} IN (SELECT value FROM json_each(?))", (listed,)).fetchall()  # noqa: S608 - of our own

    def renamed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows with the new ids of their arrays.

        An id that was not found, but looks like a new one, gets the prefix `source_`.
        """
        import polars as pl

        named = [name for name in self.named if frame[name].null_count() < frame.height]
        if not named:
            return frame
        olds = pl.concat([frame[name].unique().rename("old") for name in named]).unique().drop_nulls()
        alike = olds.filter(olds.str.contains(_IS_FOUND))
        new = {old: f"source_{old}" for old in alike} | self.new_names(olds.to_list())
        return frame.with_columns(pl.col(named).replace(list(new), list(new.values())))

    def _move_rows(
        self, units: dict[int, Unit], start: int, stop: int, step: Callable[[int], object]
    ) -> None:
        import polars as pl

        waiting = sorted((group for unit in units.values() for group in unit.groups), key=lambda it: it.last)
        unit_of = {group.number: unit for unit in units.values() for group in unit.groups}
        for at, frame in self.file.whole(start, stop):
            stop_at = at + frame.height
            frame = frame.with_row_index(ROW, at).filter(pl.col(UNIT).is_in(list(units)))
            frame = self.renamed(self._ids.given(self.file, frame))
            if "source_id" in frame.columns:
                self.done.renamed += frame["source_id"].count()
            self.done.beside.update({name: frame[f"source_{name}"].count() for name in self.file.unfit})
            frame = frame.with_columns(
                pl.col(RESULT).alias("result_id"), pl.col(TEMPLATE).alias("template_id")
            )
            for (number,), part in frame.partition_by(UNIT, as_dict=True, maintain_order=True).items():
                unit = units[int(str(number))]
                lacking = [pl.col(name).is_not_null() & ~_is_found(pl.col(name)) for name in self.named]
                missing = part.select(pl.sum_horizontal(lacking).sum()).item() if lacking else 0
                self._missing[unit.run_id] = self._missing.get(unit.run_id, 0) + missing
                if unit.writer is not None:
                    unit.writer.write_batch(part.drop(KEYS, strict=False))
            self.done.rows += frame.height
            step(frame.height)
            while waiting and waiting[0].last < stop_at:
                self._finish(unit_of[waiting[0].number], waiting.pop(0))
        for group in waiting:
            self._finish(unit_of[group.number], group)

    def _finish(self, unit: Unit, group: Group) -> None:
        """Commit a result whose rows are complete, and close the writer after its last one."""
        if unit.writer is not None:
            unit.writer.checkpoint(group.target.result.to_dict() | group.about())
        if group.last == unit.last:
            self._close(unit)


def writer_ids(run_id: str, dataset: str, *content: str) -> tuple[str, str]:
    """Return the writer id and journal id of a writer, derived from what it writes.

    So two migrations of one folder create files of the same names, which merge into one.
    """
    named = json.dumps([run_id, dataset, *content]).encode("utf-8", "surrogatepass")
    digits = _native.blake3_hex(named, 44)
    return digits[:12], digits[12:]


def _is_found(column: pl.Expr) -> pl.Expr:
    """Return whether an array has its new id."""
    return column.str.contains(_IS_FOUND)


def _arrays_in(path: Path) -> Iterator[pl.DataFrame]:
    """Yield batches of arrays with an id and values; null values are NaN.

    Raises:
        CorruptFileError: Some or all of them cannot be read.
        OSError: The file cannot be read.
    """
    import polars as pl

    schema, rows = tables.outline(path)
    if not {"array_id", "array_data"} <= set(schema.names()):
        raise CorruptFileError("lacks the columns array_id and array_data", str(path))
    lost: tables.Lost = []
    empty = 0
    columns = [name for name in _ARRAY_COLUMNS if name in schema]
    texts = [name for name in _ARRAY_COLUMNS if name != "array_data"]
    named = [
        tables.as_text(pl.col(name), schema[name]) if name in schema else _no_text(name) for name in texts
    ]
    data = pl.col("array_data").cast(pl.List(pl.Float64)).list.eval(pl.element().fill_null(math.nan))
    for _, frame in tables.batches(path, columns, 0, rows, lost, _ARRAYS):
        try:
            whole = frame.with_columns(data, *named)
        except pl.exceptions.PolarsError as error:
            raise CorruptFileError(f"its arrays are not lists of numbers: {error}", str(path)) from error
        found = whole.drop_nulls(["array_id", "array_data"])
        empty += whole.height - found.height
        yield found
    if bad := tables.count(lost) + empty:
        raise CorruptFileError(f"{bad} of its rows cannot be read, or lack an id or values", str(path))


def _no_text(name: str) -> pl.Expr:
    import polars as pl

    return pl.lit(None, pl.String).alias(name)
