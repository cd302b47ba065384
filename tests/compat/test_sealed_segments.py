"""Sealed segments in the tools that others use, by one glob: all count what the package counts."""

import duckdb
import nirs4all_workspace as n4w
import polars as pl
import pyarrow.dataset as ds
import pytest
from nirs4all_workspace import _native
from writing import RUN, age, recover, row, workspace

pytestmark = pytest.mark.filterwarnings("ignore:.* of results that were never checkpointed")


def check_counts(root, expected):
    glob = f"{root}/predictions/*/*.meta.parquet"
    assert (
        pl.scan_parquet(glob, missing_columns="insert", extra_columns="ignore")
        .select(pl.len())
        .collect()
        .item()
        == expected
    )
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{glob}', union_by_name=true)").fetchall() == [
        (expected,)
    ]
    files = sorted(root.glob("predictions/*/*.meta.parquet"))
    assert ds.dataset(files, format="parquet").count_rows() == expected
    assert n4w.Workspace.open(root).predictions.scan(live=False).collect().height == expected


def test_polars_pyarrow_and_duckdb_count_the_same(tmp_path):
    """With unfinished results beside, open journals, extra columns, and after a compaction was swept."""
    ws = workspace(tmp_path / "ws")
    for number in range(4):
        with ws.predictions.writer(RUN, f"d{number % 2}") as writer:
            writer.write(row(f"{number}a", f"r{number}", extra=number))
            writer.checkpoint({"id": f"r{number}"})
            writer.write(row(f"{number}b", "never finished"))
            writer.write(row(f"{number}c", score=float("nan"), y_true=[1.0], y_pred=[2.0]))
    open_writer = ws.predictions.writer(RUN, "d0")
    open_writer.write(row("open"))
    open_writer.flush()
    check_counts(ws.path, 8)
    age(ws.path)
    recover(ws.path)
    assert len(_native.compact(ws.path, RUN)) == 2
    age(ws.path)
    recover(ws.path)
    assert len(list(ws.path.glob("predictions/*/*.meta.parquet"))) == 2
    check_counts(ws.path, 8)
    open_writer.close()
    check_counts(ws.path, 9)
