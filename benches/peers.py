"""What others need for the same work: each function answers what ours answers, or less of it."""

from __future__ import annotations

import gc
import json
import marshal
import math
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from heapq import heappush, heapreplace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORES = ["val_score", "test_score", "train_score"]
FACETS = ["model_name", "partition", "fold_id", "config_name", "run_id"]
SHOWN = ["id", "run_id", "model_name", "config_name", *SCORES, "fold_id", "partition", "preprocessings"]
KEY = "n4a_summary"


def files(folder: str) -> list[str]:
    """Prediction files in the root (nirs4all 0.6) or in `predictions/*/` (format 2)."""
    root = Path(folder)
    return [str(path) for path in root.glob("*.meta.parquet")] or [
        str(path) for path in root.glob("predictions/*/*.meta.parquet")
    ]


# Footers: read the summary of each file and decode its JSON; nothing is merged.


def _read_footer_pyarrow(file: str) -> Any:
    return json.loads(pq.read_metadata(file).metadata[KEY.encode()])


def footers_pyarrow_8_threads(folder: str) -> list[Any]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(_read_footer_pyarrow, files(folder)))


def footers_pyarrow_loop(folder: str) -> list[Any]:
    return [_read_footer_pyarrow(file) for file in files(folder)]


def footers_duckdb(folder: str) -> list[Any]:
    query = "SELECT value FROM parquet_kv_metadata($files) WHERE key = $key::BLOB"
    values = duckdb.execute(query, {"files": files(folder), "key": KEY}).fetchall()
    return [json.loads(value) for (value,) in values]


def _read_footer_polars(file: str) -> Any:
    return json.loads(pl.read_parquet_metadata(file)[KEY])


def footers_polars(folder: str) -> list[Any]:
    return [_read_footer_polars(file) for file in files(folder)]


def footers_polars_2_threads(folder: str) -> list[Any]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_read_footer_polars, files(folder)))


def objects(file: str) -> float:
    """Seconds to make the objects of a written answer, as fast as Python itself makes any; not to read it."""
    content = Path(file).read_bytes()
    gc.disable()  # it would pass over all that was imported
    began = time.perf_counter()
    marshal.loads(content)
    return time.perf_counter() - began


# Rows: statistics, counts and a ranking, without regard to what a footer says.


def three_passes(frame: pl.DataFrame, facets: list[str]) -> list[pl.DataFrame]:
    """Statistics of three scores, counts of the facets (and mean and best by model), top 10."""
    lazy = frame.lazy()
    score = pl.col(SCORES)
    finite = score.filter(score.is_finite())
    statistics = lazy.select(
        finite.count().name.suffix("_count"),
        score.null_count().name.suffix("_nulls"),
        score.is_nan().sum().name.suffix("_nans"),
        finite.min().name.suffix("_min"),
        finite.max().name.suffix("_max"),
        finite.mean().name.suffix("_mean"),
        finite.std().name.suffix("_std"),
    ).collect()
    counts = [lazy.group_by(facet).agg(pl.len()) for facet in facets if facet != "model_name"]
    by_model = pl.col("val_score")
    models = lazy.group_by("model_name").agg(
        pl.len(), by_model.mean().alias("mean"), by_model.min().alias("best")
    )
    counted = pl.collect_all([models, *counts])
    return [statistics, *counted, top_polars(frame)]


def quartiles_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """What three_passes leaves out."""
    score = pl.col(SCORES)
    shares = (0.25, 0.5, 0.75)
    return (
        frame.lazy()
        .select(score.quantile(share, "linear").name.suffix(f"_{share}") for share in shares)
        .collect()
    )


def scan_polars(folder: str) -> list[pl.DataFrame]:
    """The summary from all rows of all files; the columns that it needs are read once."""
    facets = ["model_name", "partition", "fold_id", "config_name", "dataset_name"]
    return three_passes(pl.scan_parquet(files(folder)).select("id", *facets, *SCORES).collect(), facets)


def top_polars(frame: pl.DataFrame) -> pl.DataFrame:
    shown = frame.lazy().select(column for column in SHOWN if column in frame.columns)
    return shown.filter(pl.col("partition") == "val").bottom_k(10, by="val_score").collect()


def by_model_polars(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.lazy().group_by("model_name").agg(pl.len(), pl.col("val_score").mean()).collect()


# One Parquet file with all rows.


def top_duckdb(file: str) -> list[Any]:
    where = "WHERE partition = 'val' ORDER BY val_score LIMIT 10"
    return duckdb.execute(
        f"SELECT {', '.join(SHOWN)} FROM read_parquet($file) {where}", {"file": file}
    ).fetchall()


def by_model_duckdb(file: str) -> list[Any]:
    query = "SELECT model_name, COUNT(*), AVG(val_score) FROM read_parquet($file) GROUP BY model_name"
    return duckdb.execute(query, {"file": file}).fetchall()


# The store of nirs4all 1.4, in SQL.


def _query_store(folder: str, query: str) -> list[Any]:
    store = sqlite3.connect(f"{Path(folder, 'store.sqlite').resolve().as_uri()}?mode=ro", uri=True)
    try:
        return store.execute(query).fetchall()
    finally:
        store.close()


def top_store(folder: str) -> list[Any]:
    """The query of its `WorkspaceStore.top_predictions`."""
    where = "WHERE partition = 'val' ORDER BY (val_score IS NULL), val_score ASC LIMIT 10"
    return _query_store(folder, f"SELECT * FROM predictions {where}")


def top_store_by_index(folder: str) -> list[Any]:
    """Written by hand so that SQLite walks the index on val_score; no function of that package does so."""
    where = "WHERE +partition = 'val' AND val_score IS NOT NULL ORDER BY val_score LIMIT 10"
    return _query_store(folder, f"SELECT * FROM predictions {where}")


def by_model_store(folder: str) -> list[Any]:
    counted = "SELECT model_name, COUNT(*), AVG(val_score)"
    return _query_store(folder, f"{counted} FROM predictions GROUP BY model_name")


# A page of 100 rows: those of partition val, the best score first.

LISTED = [
    "id", "dataset_name", "model_name", "config_name", *SCORES, "fold_id", "partition",
    "preprocessings", "metric", "task_type",
]  # fmt: skip


def page_polars(folder: str, offset: str) -> list[Any]:
    rows = pl.scan_parquet(files(folder)).filter(pl.col("partition") == "val").sort("val_score")
    return rows.select(LISTED).slice(int(offset), 100).collect().rows()


def page_by_text_polars(folder: str, column: str, offset: str) -> list[Any]:
    rows = pl.scan_parquet(files(folder)).sort(column, "id")
    return rows.select(LISTED).slice(int(offset), 100).collect().rows()


def page_duckdb(folder: str, offset: str) -> list[Any]:
    where = f"WHERE partition = 'val' ORDER BY val_score LIMIT 100 OFFSET {int(offset)}"
    query = f"SELECT {', '.join(LISTED)} FROM read_parquet($files) {where}"
    return duckdb.execute(query, {"files": files(folder)}).fetchall()


def page_store(folder: str, offset: str) -> list[Any]:
    """Its page, with the filter and the order that its own API does not have together."""
    where = (
        f"WHERE partition = 'val' ORDER BY (val_score IS NULL), val_score ASC LIMIT 100 OFFSET {int(offset)}"
    )
    return _query_store(folder, f"SELECT * FROM predictions {where}")


class PlainAccumulator:
    """What one writes in plain Python: no quartiles, no groups by metric, no train scores."""

    def __init__(self) -> None:
        self.count = 0
        self.val_mean = self.val_squares = self.test_mean = self.test_squares = 0.0
        self.models: dict[str, int] = {}
        self.partitions: dict[str, int] = {}
        self.configs: set[str] = set()
        self.folds: set[str] = set()
        self.best: list[tuple[float, str]] = []
        self.worst_of_best = math.inf

    def add(self, row: Mapping[str, Any]) -> None:
        """Written for speed: Welford's update, and the heap is looked at only where it can change."""
        self.count = count = self.count + 1
        val = row["val_score"]
        delta = val - self.val_mean
        self.val_mean = mean = self.val_mean + delta / count
        self.val_squares += delta * (val - mean)
        test = row["test_score"]
        delta = test - self.test_mean
        self.test_mean = mean = self.test_mean + delta / count
        self.test_squares += delta * (test - mean)
        counts = self.models
        name = row["model_name"]
        counts[name] = counts.get(name, 0) + 1
        counts = self.partitions
        name = row["partition"]
        counts[name] = counts.get(name, 0) + 1
        self.configs.add(row["config_name"])
        self.folds.add(row["fold_id"])
        if val < self.worst_of_best:
            best = self.best
            if len(best) < 10:
                heappush(best, (-val, row["id"]))
            else:
                heapreplace(best, (-val, row["id"]))
                self.worst_of_best = -best[0][0]

    def summary(self) -> dict[str, Any]:
        others = max(self.count - 1, 1)
        return {
            "total_predictions": self.count,
            "means": [self.val_mean, self.test_mean],
            "std": [math.sqrt(self.val_squares / others), math.sqrt(self.test_squares / others)],
            "models": dict(self.models),
            "partitions": dict(self.partitions),
            "n_configs": len(self.configs),
            "folds": sorted(self.folds),
            "top_predictions": sorted(((-score, id_) for score, id_ in self.best)),
        }
