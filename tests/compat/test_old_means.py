"""Summaries of versions that did not tell which means there are."""

import base64
import shutil
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
from agreement import check_summary, check_workspace
from oracle import summarise
from samples import SKETCH, frame_of, keys, patch_sketch, table, write

OLD = Path(__file__).parent / "data" / "means" / "overflow_1_1.meta.parquet"


def minor_of(path):
    return base64.b64decode(keys(path)[SKETCH].partition(b".seal:")[0])[5]


@pytest.fixture
def path(tmp_path):
    return Path(shutil.copy(OLD, tmp_path / "wheat.meta.parquet"))


def test_an_old_summary_of_scores_without_a_mean_is_counted_again(path):
    assert minor_of(path) == 1
    answer = n4w.Workspace.open(path.parent).summary()
    assert [entry["path"] for entry in answer["scanned"]] == [path.name]
    check_workspace(answer, {"wheat": frame_of(path)})
    models = {entry["name"]: entry for entry in answer["models"]}
    assert (models["A"]["avg_val_score"], models["A"]["overflow"]) == (None, True)
    assert (models["B"]["avg_val_score"], models["B"].get("overflow")) == (0.375, None)


def test_it_is_rebuilt(path):
    report = n4w.Workspace.open(path.parent).predictions.rebuild_summaries()
    assert [entry["path"] for entry in report["written"]] == [path.name]
    assert minor_of(path) == 2
    summary = n4w.read_summary(path)
    assert summary["scanned"] is None
    check_summary(summary, summarise(frame_of(path)))
    assert summary["stats"]["val_score"]["overflow"] is True
    scores = frame_of(path)["test_score"] / 1e200
    assert summary["stats"]["test_score"]["std"] == pytest.approx(scores.std() * 1e200)


def test_other_old_summaries_are_trusted(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table())
    n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()
    patch_sketch(path, 5, 1)
    assert n4w.read_summary(path)["scanned"] is None
    check_summary(n4w.read_summary(path), summarise(frame_of(path)))


def test_what_older_readers_find_in_a_new_summary_is_no_mean(path):
    """They know no flag: the numbers that they would show are not finite."""
    n4w.Workspace.open(path.parent).predictions.rebuild_summaries()
    state = base64.b64decode(keys(path)[SKETCH].partition(b".seal:")[0])
    infinite = bytes.fromhex("000000000000f07f")
    # Mean and squares of val_score; the sum of model A, and of the configuration that all rows lack.
    assert state.count(bytes(8) + infinite + infinite) == 1
    assert state.count(infinite + bytes(8)) >= 2
