"""What a store of nirs4all holds, read by DuckDB, SQLite and Polars alone, and what a workspace holds."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights", "X", "spectra")
TABLES = ("runs", "pipelines", "chains", "predictions", "artifacts", "logs", "projects")
RESULTS = ("conformal_results", "tuning_results", "robustness_results")
Row = dict[str, Any]


class Store:
    """All tables and arrays of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, list[Row]] = {}
        if (folder / "store.sqlite").exists():
            with closing(sqlite3.connect(f"file:{folder}/store.sqlite?immutable=1", uri=True)) as base:
                for name in self._names(base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")):
                    self.tables[name] = self._rows(base.execute(f"SELECT * FROM {name} ORDER BY rowid"))
        else:
            with duckdb.connect(str(folder / "store.duckdb"), read_only=True) as base:
                for name in self._names(base.execute("SELECT table_name FROM duckdb_tables()").fetchall()):
                    self.tables[name] = self._rows(base.execute(f"SELECT * FROM {name} ORDER BY rowid"))
        self.arrays = self._arrays()

    @staticmethod
    def _names(found: Any) -> list[str]:
        return [name for (name,) in found if not name.startswith("sqlite_")]

    @staticmethod
    def _rows(cursor: Any) -> list[Row]:
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _arrays(self) -> dict[str, Row]:
        """The arrays of each prediction: the last row of a file, and the first file, as nirs4all reads."""
        found: dict[str, Row] = {
            row["prediction_id"]: row for row in self.tables.get("prediction_arrays", [])
        }
        for path in sorted((self.folder / "arrays").glob("*.parquet"), reverse=True):
            for row in pl.read_parquet(path).iter_rows(named=True):
                found[row["prediction_id"]] = row
        return found

    def by(self, table: str, key: str) -> dict[str, Row]:
        return {row[key]: row for row in self.tables.get(table, [])}


def numbers(values: Any) -> list[float] | None:
    """Numbers as they can be compared: NaN, and what is missing in a list, is None."""
    if values is None:
        return None
    found = [math.nan if value is None else float(value) for value in values]
    return [None if math.isnan(value) else value for value in found]  # type: ignore[misc]


class Files:
    """Rows, arrays and records of a workspace, read from its files by Polars and pyarrow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = [
            row
            for path in sorted(folder.glob("predictions/*/*.meta.parquet"))
            for row in pl.read_parquet(path).iter_rows(named=True)
        ]
        self.arrays: dict[str, Row] = {}
        for path in sorted(folder.glob("arrays/*/*.parquet")):
            for row in pq.read_table(path).to_pylist():
                self.arrays[row["array_id"]] = row
        self.artifacts = {digest(path) for path in (folder / "artifacts").rglob("*") if path.is_file()}

    def lines(self, run_id: str, name: str) -> list[Row]:
        """The lines of the files of a run with such a name."""
        found = sorted((self.folder / "runs" / run_id).glob(name))
        return [json.loads(line) for path in found for line in path.read_text().splitlines()]

    def array(self, row: Row, role: str) -> list[float] | None:
        name = row.get(f"{role}_id")
        return None if name is None else numbers(self.arrays[name]["array_data"])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder."""
    return {
        str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def parsed(value: Any) -> Any:
    """What a column of a store says: JSON texts as what they hold, times as they are written."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
