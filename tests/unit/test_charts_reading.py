"""Charts of scores: how their rows are read, however many there are and wherever they lie."""

import json
import pickle
import subprocess
import sys

import charting
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from copying import copied, lay_over
from nirs4all_workspace.predictions import filtered
from samples import table, write


@pytest.fixture
def old(tmp_path):
    """A folder of nirs4all 0.6."""
    write(tmp_path / "wheat.meta.parquet", table(240))
    write(tmp_path / "corn.meta.parquet", table(120, "r2", "corn", seed=2))
    return n4w.Workspace.open(tmp_path)


@pytest.fixture(params=["one page", "pages", "a scan"])
def way(request, monkeypatch):
    """Read rows in each way that their number may ask for."""
    if request.param != "one page":
        monkeypatch.setattr(filtered, "AT_ONCE", 7)
    if request.param == "a scan":
        monkeypatch.setattr(filtered, "MOST_IN_PAGES", 14)
    return request.param


@pytest.mark.usefixtures("way")
def test_a_bad_file_is_listed_beside_the_answer(old):
    wanted = old.charts.score_boxes(metric="rmse")
    (old.path / "bad.meta.parquet").write_bytes(b"bad")
    (old.path / "gone.meta.parquet").symlink_to(old.path / "nowhere")
    write(old.path / "text.meta.parquet", table(val_score=["x"] * 60))
    answer = old.charts.score_boxes(metric="rmse")
    assert sorted({error["path"] for error in answer["errors"]}) == [
        "bad.meta.parquet",
        "gone.meta.parquet",
        "text.meta.parquet",
    ]
    assert answer | {"errors": []} == wanted


def test_a_sample_is_the_same_wherever_the_rows_lie(tmp_path, monkeypatch):
    rows = pl.from_arrow(table(900, partition=["val"] * 900, fold_id=["0"] * 900))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    write(whole / "wheat.meta.parquet", rows.to_arrow())
    for part in range(3):
        write(
            parts / f"{part}.meta.parquet", rows.sample(fraction=1, shuffle=True, seed=1)[part::3].to_arrow()
        )
    monkeypatch.setattr(filtered, "AT_ONCE", 200)
    answers = []
    for most in (200, 2_000):
        monkeypatch.setattr(filtered, "MOST_IN_PAGES", most)
        for folder in (whole, parts):
            charts = n4w.Workspace.open(folder).charts
            answers.append([charts.score_boxes(), charts.score_heat_map(), charts.score_histogram()])
    assert all(answer == answers[0] for answer in answers)
    boxes, cells, histogram = answers[0]
    assert boxes["is_sampled"]
    assert sum(box["count"] for box in boxes["boxes"]) == sum(histogram["bin_counts"]) == 900
    assert sum(map(sum, cells["count"])) == 900
    exact = np.quantile(rows["val_score"], [0.25, 0.5, 0.75])
    assert np.abs(np.array(histogram["quartiles"]) - exact).max() < 0.1


def test_a_hundred_thousand_rows_are_a_short_answer(tmp_path):
    count = 100_000
    rows = pl.DataFrame(
        {
            "id": pl.int_range(count, eager=True).cast(pl.String),
            "model_name": [f"m{row % 997}" for row in range(count)],
            "preprocessings": [f"p{row % 1_009}" for row in range(count)],
            "val_score": np.random.default_rng(1).lognormal(size=count),
            "best_params": [f'{{"alpha": {row % 5_003}}}' for row in range(count)],
        }
    ).with_columns(metric=pl.lit("rmse"), partition=pl.lit("val"), fold_id=pl.lit("0"))
    rows.write_parquet(tmp_path / "a.meta.parquet")
    charts = n4w.Workspace.open(tmp_path).charts
    answers = [
        charts.score_histogram(),
        charts.score_heat_map(),
        charts.score_boxes(),
        charts.score_by_parameter("alpha"),
    ]
    assert [answer["counts"]["drawn"] for answer in answers] == [count] * 4
    assert max(len(json.dumps(answer)) for answer in answers) < 400_000
    assert answers[3]["total"] == count
    assert len(answers[3]["points"]["value"]) == 2_000
    assert (len(answers[3]["values"]), answers[3]["others"]) == (50, 4_953)


def test_a_workspace_with_runs_copies_and_open_segments(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    scores = {}
    for name, dataset in (("spring", "wheat"), ("spring", "corn"), ("autumn", "wheat")):
        run = ws.runs.create(name, templates=[["PLS"]], datasets=[dataset])
        with run, run.writer(dataset) as writer:
            (result,) = run.plan([{"name": "PLS"}])
            for fold in range(5):
                score = float(len(scores) * 5 + fold)
                row = {"metric": "rmse", "partition": "val", "val_score": score, "fold_id": str(fold)}
                writer.write(row | {"result_id": result.id, "model_name": "PLS"})
            writer.checkpoint(result)
        scores[run.id] = [len(scores) * 5.0, len(scores) * 5 + 4.0]
    waiting = ws.runs.create("open", templates=[["RF"]], datasets=["wheat"])
    with waiting:
        writer = waiting.writer("wheat")
        (result,) = waiting.plan([{"name": "RF"}])
        row = {"metric": "rmse", "partition": "val", "val_score": 99.0, "fold_id": "0"}
        writer.write(row | {"result_id": result.id})
        writer.checkpoint(result)
        answer = ws.charts.score_boxes("run_id")
        writer.close()
    found = {box["label"]: [box["min"], box["max"]] for box in answer["boxes"]}
    assert found == scores | {waiting.id: [99.0, 99.0]}
    assert ws.charts.score_boxes("run_id") == answer
    for run in ("spring", next(iter(scores))):
        wanted = {id_: it for id_, it in scores.items() if run == id_ or id_ != list(scores)[2]}
        wanted = wanted if run == "spring" else {run: scores[run]}
        boxes = ws.charts.score_boxes("run_id", run=run)["boxes"]
        assert {box["label"]: [box["min"], box["max"]] for box in boxes} == wanted
    per_result = ws.charts.score_boxes("result_id", run="spring")
    assert [box["count"] for box in per_result["boxes"]] == [5, 5]


def test_sessions_of_old_rows_are_their_runs(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    rows = ws.predictions.page(limit=1_000, metric="mse", partition="val").records
    wanted = {}
    for row in rows:
        if row["fold_id"] not in charting.AVERAGES:
            wanted[row["run_id"]] = wanted.get(row["run_id"], 0) + 1
    boxes = ws.charts.score_boxes("run_id", "mse")["boxes"]
    assert {box["label"]: box["count"] for box in boxes} == wanted


def test_charts_are_of_their_workspace(old):
    assert pickle.loads(pickle.dumps(old.charts)).score_boxes(metric="r2") == old.charts.score_boxes(
        metric="r2"
    )
    code = f"""
import sys, nirs4all_workspace as n4w
charts = n4w.Workspace.open({str(old.path)!r}).charts
assert not {{"polars", "numpy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("way")
def test_a_file_that_is_damaged_after_its_first_rows_is_left_out_whole(tmp_path):
    write(tmp_path / "a.meta.parquet", table(60))
    wanted = n4w.Workspace.open(tmp_path).charts.score_boxes("dataset_name")
    path = write(
        tmp_path / "b.meta.parquet", table(60, seed=2, dataset="corn"), row_group_size=10, compression="zstd"
    )
    chunk = pq.read_metadata(path).row_group(5).column(6)
    assert chunk.path_in_schema == "val_score"
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset : chunk.data_page_offset + 12] = b"\xff" * 12
    path.write_bytes(content)
    answer = n4w.Workspace.open(tmp_path).charts.score_boxes("dataset_name")
    assert [error["path"] for error in answer["errors"]] == ["b.meta.parquet"]
    assert answer | {"errors": []} == wanted


@pytest.mark.usefixtures("way")
def test_copies_that_went_on_apart_and_were_merged(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("sweep", templates=[["PLS"]], datasets=["wheat"])
    configs = [{"name": str(number)} for number in range(6)]

    def work(run, results, first):
        with run.writer("wheat") as writer:
            for number, result in enumerate(results, first):
                row = {"metric": "rmse", "partition": "val", "val_score": float(number), "fold_id": "0"}
                writer.write(row | {"result_id": result.id, "model_name": result.config_name})
                writer.checkpoint(result)

    with run:
        work(run, run.plan(configs)[:2], 0)
    copy = copied(ws, tmp_path / "copy")
    other = copy.runs.get(run.id)
    for one, first in ((run, 10), (other, 20)):
        with one.resume():
            work(one, one.plan(configs)[:2], first)
    lay_over(copy, ws)
    rows = ws.predictions.page(limit=100).records
    boxes = ws.charts.score_boxes()["boxes"]
    # Of a result that both finished, one counts.
    assert {box["label"] for box in boxes} == {"0", "1", "2", "3"}
    assert {box["label"]: (box["count"], box["min"]) for box in boxes} == {
        row["model_name"]: (1, row["val_score"]) for row in rows
    }
