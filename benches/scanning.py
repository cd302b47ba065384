"""What `scan()` costs beside Polars on the same files: groups, one partition, a range of scores, all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import make_workspace
import nirs4all_workspace as n4w
import peers
import polars as pl
import yaml  # noqa: F401 -- what opening a workspace imports is not counted
from report import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from table import Bench

COLUMNS = [name for name in make_workspace.COLUMNS if name != "dataset_name"] + ["template_id", "created_at"]
QUERIES: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "mean by model": lambda rows: rows.group_by("model_name").agg(pl.col("val_score").mean()),
    "one partition": lambda rows: rows.filter(pl.col("partition") == "val"),
    "a range of scores, 4 columns": lambda rows: rows.filter(
        pl.col("val_score").is_between(20.0, 30.0)
    ).select("id", "model_name", "val_score", "partition"),
    "all": lambda rows: rows,
}


def make_written(path: Path, files: int, rows: int) -> None:
    """Segments as writers seal them, each of a run of its own on one of at most 50 datasets."""
    made = n4w.Workspace.create(path)
    each = rows // files
    for number in range(files):
        run = f"2026-01-01_Bench_{number:012x}"
        with made.predictions.writer(run, f"dataset_{number % 50:05d}", durability="none") as writer:
            writer.write_batch(make_workspace.rows(number, 1, each, 1, COLUMNS))
    for journal in path.glob("predictions/*/*.journal"):
        journal.unlink()  # they are covered, and only too young to be swept


def in_turns(folder: str, query: str, rounds: int = 5) -> tuple[list[float], list[float], float]:
    """Seconds of ours and of Polars in one process, each once before; then of ours the first time."""
    of, files = QUERIES[query], peers.files(folder)
    ours: list[float] = []
    theirs: list[float] = []
    rows = n4w.Workspace.open(folder).predictions.scan
    for _ in range(rounds + 1):
        for times, scan in ((theirs, lambda: pl.scan_parquet(files)), (ours, rows)):
            began = time.perf_counter()
            of(scan()).collect()
            times.append(time.perf_counter() - began)
    return ours[1:], theirs[1:], ours[0]


def first(folder: str, query: str) -> float:
    """Seconds of ours in a process that has read nothing: checksums are compared too."""
    return in_turns(folder, query, 1)[2]


def measure(bench: Bench) -> None:
    """A million rows in few and in many files."""
    rows, counts = (20_000, (1, 10)) if bench.quick else (1_000_000, (1, 100, 1_000))
    for count in counts:
        folder = bench.make(f"written-{count}", make_written, count, rows)
        for query in QUERIES:
            mine, theirs, _ = in_turns(str(folder), query, bench.rounds)
            times = {
                "ours": mine,
                "Polars": theirs,
                "ours, a fresh process": [bench.once("scanning:first", folder, query)],
            }
            name = f"scan() of {rows:,} rows in {count:,} files: {query}"
            row = Row(name, f"scan {query}", count, times, plus=0.01)
            row.within = {"Polars": 2.0 if count >= 1_000 else 1.5}
            bench.add(row)
