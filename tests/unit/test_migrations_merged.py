"""Two migrations of one folder, laid over each other as `cp -rn` does, are one."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest

GOLDEN = Path(__file__).parents[1] / "compat" / "golden"
PARTS = ("runs", "templates", "datasets", "predictions", "arrays", "artifacts")


def merge(source, target):
    for part in PARTS:
        # Some versions of cp say by their code that something was there.
        subprocess.run(["cp", "-rn", source / part, target], check=False, capture_output=True)


def names(root):
    return sorted(path.name for top in ("predictions", "arrays") for path in (root / top).rglob("*.parquet"))


def said(root):
    ws = n4w.Workspace.open(root)
    rows = ws.predictions.scan().select("run_id", "id").collect()
    results = Counter(result.id for result in ws.results.list(limit=None))
    return ws.summary()["total_predictions"], Counter(rows.iter_rows()), results


@pytest.mark.parametrize("source", ["nirs4all-0.6.2", "nirs4all-2026-01"])
@pytest.mark.parametrize("is_compacted", [False, True])
def test_two_migrations_of_one_folder_are_one(tmp_path, source, is_compacted):
    shutil.copytree(GOLDEN / source, tmp_path / "old")
    for name in ("one", "two"):
        n4w.migrate(tmp_path / "old", tmp_path / name)
    assert names(tmp_path / "one") == names(tmp_path / "two")
    total, rows, results = said(tmp_path / "one")
    old = [pl.read_parquet(file, columns=["id"]) for file in (tmp_path / "old").glob("*.meta.parquet")]
    assert total == sum(frame.height for frame in old) == rows.total()
    if is_compacted:
        n4w.Workspace.open(tmp_path / "two").predictions.compact()
    merge(tmp_path / "two", tmp_path / "one")
    assert said(tmp_path / "one") == (total, rows, results)
    assert n4w.Workspace.open(tmp_path / "one").verify(full=True)["problems"] == []


def test_migrations_of_a_folder_that_grew_are_the_larger_one(tmp_path):
    """What was there before has the same results, of which one checkpoint wins."""
    shutil.copytree(GOLDEN / "nirs4all-0.6.2", tmp_path / "old")
    n4w.migrate(tmp_path / "old", tmp_path / "before")
    file = sorted((tmp_path / "old").glob("*.meta.parquet"))[0]
    stat = file.stat()
    frame = pl.read_parquet(file)
    more = frame.head(3).with_columns(pl.lit("another").alias("config_name"), pl.col("id") + "x")
    pl.concat([frame, more]).write_parquet(file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    n4w.migrate(tmp_path / "old", tmp_path / "after")
    total, rows, results = said(tmp_path / "after")
    merge(tmp_path / "after", tmp_path / "before")
    assert said(tmp_path / "before") == (total, rows, results)
