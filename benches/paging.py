"""What a page costs: of 100 rows, filtered and sorted by score, and the ones after it."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import make_workspace
import nirs4all_workspace as n4w
import yaml  # noqa: F401 -- what opening a workspace imports is not counted either
from report import Row
from writes import peak as peak_of_process

if TYPE_CHECKING:
    from table import Bench

LIMIT = 100
FILTER = {"partition": "val"}
NEXT = 10
FILES = 100


def offset_of(rows: int) -> int:
    """Deep into what fits, a third of the rows."""
    return min(50_000, rows // 10)


def first(folder: str, offset: str) -> n4w.Page:
    """A page, with nothing in memory."""
    return n4w.Workspace.open(folder).predictions.page(int(offset), LIMIT, **FILTER)


def following(folder: str, offset: str) -> float:
    """Seconds of a page that a cursor leads to, the median of some."""
    page = first(folder, offset)
    times = []
    for _ in range(NEXT):
        began = time.perf_counter()
        page = n4w.Workspace.open(folder).predictions.page(limit=LIMIT, cursor=page.next_cursor, **FILTER)
        times.append(time.perf_counter() - began)
    return sorted(times)[NEXT // 2]


def first_by_text(folder: str, column: str, offset: str) -> n4w.Page:
    """A page of all rows in the order of a column of few values, with nothing in memory."""
    return n4w.Workspace.open(folder).predictions.page(int(offset), LIMIT, column)


def following_by_text(folder: str, column: str, offset: str) -> float:
    """Seconds of a page that a cursor leads to from there, the median of some."""
    page = first_by_text(folder, column, offset)
    times = []
    for _ in range(NEXT):
        began = time.perf_counter()
        page = n4w.Workspace.open(folder).predictions.page(
            limit=LIMIT, cursor=page.next_cursor, sort_by=column
        )
        times.append(time.perf_counter() - began)
    return sorted(times)[NEXT // 2]


def peak_by_text(folder: str, column: str, offset: str) -> float:
    """MiB at most while these are read."""
    following_by_text(folder, column, offset)
    return peak_of_process()


def measure_texts(bench: Bench) -> None:
    """Pages inside runs of equal values, where ids order."""
    sizes = (10_000, 20_000) if bench.quick else (100_000, 1_000_000, 10_000_000)
    peaks: dict[int, list[float]] = {}
    for rows in sizes:
        folder = bench.make(f"pages-{rows}", make_workspace.make_segments, FILES // 10, 10, rows // FILES)
        full = rows == sizes[-1] and not bench.quick
        for column, share in (("model_name", 3), ("model_name", 9), ("fold_id", 50), ("dataset_name", 97)):
            offset = str(rows * share // 100)
            once = functools.partial(functools.partial, bench.once)
            times = bench.in_turns(
                {
                    "ours": once("paging:first_by_text", folder, column, offset),
                    "next": once("paging:following_by_text", folder, column, offset),
                    "Polars lazy": once("peers:page_by_text_polars", folder, column, offset),
                }
            )
            following_times = times.pop("next")
            name = f"Page of {LIMIT} at {int(offset):,} by {column} of {rows:,} rows"
            bench.add(Row(name, f"page {column} {share}", rows, times, limit=1.0 if full else 0.0))
            limit = 0.05 if full else 0.0
            next_times = {"ours": following_times}
            bench.add(Row("the next page", f"next page {column} {share}", rows, next_times, limit=limit))
        peaks[rows] = [bench.once("paging:peak_by_text", folder, "model_name", str(rows * 9 // 100))]
    few, many = sizes[-2:]
    shown = {"ours": peaks[many], f"at {few:,}": peaks[few]}
    row = Row(f"Memory of these pages of {many:,} rows", "text pages peak", many, shown, unit="MiB")
    row.beyond = {f"at {few:,}": 300.0}
    bench.add(row)


def peak(folder: str, offset: str) -> float:
    """MiB at most while the pages are read."""
    following(folder, offset)
    return peak_of_process()


def measure(bench: Bench) -> None:
    """Several sizes, against what others need for the first of the pages."""
    sizes = (10_000, 20_000) if bench.quick else (10_000, 100_000, 1_000_000, 10_000_000)
    peaks: dict[int, list[float]] = {}
    for rows in sizes:
        folder = bench.make(f"pages-{rows}", make_workspace.make_segments, FILES // 10, 10, rows // FILES)
        offset = str(offset_of(rows))
        once = functools.partial(functools.partial, bench.once)
        cases: dict[str, Any] = {
            "ours": once("paging:first", folder, offset),
            "next": once("paging:following", folder, offset),
            "Polars lazy": once("peers:page_polars", folder, offset),
            "DuckDB": once("peers:page_duckdb", folder, offset),
        }
        store = "nirs4all 1.4 store, its SQL, filtered"
        if rows in (sizes[1], 1_000_000):
            made = bench.make(f"pages-store-{rows}", make_workspace.make_store, FILES, rows // FILES, 10)
            cases[store] = once("peers:page_store", made, offset)
        times = bench.in_turns(cases)
        following_times = times.pop("next")
        bars = {1_000_000: {store: 5.0}, 10_000_000: {"Polars lazy": 1.0}}
        name = f"Page of {LIMIT} at {int(offset):,}, filtered and sorted, of {rows:,} rows"
        bench.add(Row(name, "page", rows, times, bars.get(rows, {})))
        limit = 0.1 if rows > 1_000_000 else 0.05
        bench.add(Row("the next page", "next page", rows, {"ours": following_times}, limit=limit))
        peaks[rows] = [bench.once("paging:peak", folder, offset)]
    few, many = sizes[-2:]
    shown = {"ours": peaks[many], f"at {few:,}": peaks[few]}
    row = Row(f"Memory of pages of {many:,} rows", "pages peak", many, shown, unit="MiB")
    row.beyond = {f"at {few:,}": 300.0}
    bench.add(row)
