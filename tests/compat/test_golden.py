"""Files that older programs wrote, kept as they were (`make_golden.py` made them)."""

import nirs4all_workspace as n4w
import polars as pl
import pytest
from agreement import check_summary, check_workspace
from conftest import DATA, copy_files
from oracle import summarise
from samples import SKETCH, SUMMARY, frame_of, keys, strict

FILES = ["pyarrow", "polars", "duckdb", "summary_1_0", "rebuilt_1_1"]


@pytest.fixture(params=FILES)
def golden(request):
    return DATA / f"{request.param}.meta.parquet"


def test_they_hold_the_same_rows(golden):
    rows, first = pl.read_parquet(golden), pl.read_parquet(DATA / "pyarrow.meta.parquet")
    assert rows.equals(first.select(rows.columns))


def test_the_summary_equals_the_rows(golden):
    check_summary(n4w.read_summary(golden), summarise(frame_of(golden)))


def test_the_summary_equals_the_rows_after_a_rebuild(golden, tmp_path):
    copy = tmp_path / golden.name
    copy.write_bytes(golden.read_bytes())
    report = n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()
    assert report["errors"] == []
    assert frame_of(copy).equals(frame_of(golden))
    check_summary(strict(keys(copy)[SUMMARY]), summarise(frame_of(golden)))


def test_only_the_rebuilt_one_is_trusted():
    scanned = {name: n4w.read_summary(DATA / f"{name}.meta.parquet")["scanned"] for name in FILES}
    assert scanned.pop("rebuilt_1_1") is None
    assert all(scanned.values())
    assert "1.0" in scanned["summary_1_0"]


def test_the_1_0_footer_lists_the_worst_first():
    """The reason for not trusting it, told by the file itself."""
    path = DATA / "summary_1_0.meta.parquet"
    said = strict(keys(path)[SUMMARY])
    assert SKETCH not in keys(path)
    finite = frame_of(path).filter(pl.col("val_score").is_finite())["val_score"]
    assert said["top_predictions"][0]["val_score"] == finite.max()
    assert n4w.read_summary(path)["direction"] == "minimize"


def test_as_one_workspace(tmp_path):
    copy_files(DATA, tmp_path)
    frame = pl.concat([frame_of(path) for path in sorted(DATA.glob("*.parquet"))], how="diagonal_relaxed")
    check_workspace(n4w.Workspace.open(tmp_path).summary(), {"golden": frame})
    n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()
    check_workspace(n4w.Workspace.open(tmp_path).summary(), {"golden": frame})


def test_they_are_small():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 200_000
