"""Two workspaces merged by `cp -rn` are the union of both."""

import os
import shutil
import subprocess

import nirs4all_workspace as n4w
import polars as pl
import pytest

FOLDERS = ("runs", "templates", "datasets", "predictions", "arrays", "artifacts")


def filled(path, spectra, scores):
    """A workspace with one run on a registered dataset, results, arrays and an artifact."""
    ws = n4w.Workspace.create(path)
    record = ws.datasets.register(spectra)
    run = ws.runs.create(path.name, templates=[["SNV", "PLS"]], datasets=[record])
    with run:
        (result,) = run.plan([{"name": path.name, "steps": [path.name]}])
        with run.writer(record.id) as writer:
            for fold, score in enumerate(scores):
                row = {"result_id": result.id, "fold_id": fold, "val_score": score, "metric": "rmse"}
                writer.write({**row, "partition": "val", "y_true": [1.0, 2.0], "y_pred": [score, fold]})
            artifact = ws.artifacts.put(path.name.encode())
            writer.checkpoint({**result.to_dict(), "artifacts": [artifact]})
    return ws, run


@pytest.mark.skipif(shutil.which("cp") is None, reason="needs cp")
def test_merging_gives_the_union(tmp_path):
    spectra = tmp_path / "wheat.csv"
    spectra.write_text("1000,1001,y\n0.1,0.2,3\n0.2,0.3,4\n")
    one, first = filled(tmp_path / "one", spectra, [0.5, 0.25])
    two, second = filled(tmp_path / "two", spectra, [0.125, 0.75, 1.0])
    for folder in FOLDERS:
        subprocess.run(["cp", "-rn", two.path / folder, one.path], check=True)

    merged = n4w.Workspace.open(one.path)
    assert {run.id for run in merged.runs.list()} == {first.id, second.id}
    assert {result.run_id for run in merged.runs.list() for result in run.results()} == {first.id, second.id}
    rows = pl.read_parquet(one.path / "predictions/*/*.meta.parquet")
    assert sorted(rows["val_score"]) == [0.125, 0.25, 0.5, 0.75, 1.0]
    summary = merged.summary()
    assert summary["total_predictions"] == merged.predictions.scan().collect().height == 5
    assert {run["id"]: run["n_predictions"] for run in summary["runs"]} == {first.id: 2, second.id: 3}
    assert merged.predictions.top(1)[0]["val_score"] == 0.125
    assert merged.predictions.get(merged.predictions.top(1)[0]["id"], arrays=True)["y_pred"].tolist() == [
        0.125,
        0,
    ]
    # The same content is one dataset and one template, used by both runs.
    assert len(merged.datasets.list()) == 1
    (template,) = {reference["id"] for run in merged.runs.list() for reference in run.templates}
    assert {getattr(run, "id", run) for run in merged.templates.runs_using(template)} == {first.id, second.id}
    assert merged.verify(full=True)["problems"] == []


def row_of(result, number):
    return {
        "id": f"r{number}",
        "result_id": result.id,
        "val_score": 1.0 + number,
        "metric": "rmse",
        "partition": "val",
    }


def sweep(ws):
    """Removes what was replaced, as if it was long ago."""
    for segment in (ws.path / "predictions").glob("*/*.parquet"):
        os.utime(segment, (0, 0))
    ws.recover()


@pytest.mark.skipif(shutil.which("cp") is None, reason="needs cp")
def test_results_come_with_the_rows_of_a_compaction(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "one")
    run = ws.runs.create("grow", templates=[["SNV", "PLS"]], datasets=["wheat"])
    with run:
        results = list(run.plan([{"name": name, "steps": [name]} for name in "abc"]))
        first = run.writer("wheat")
        first.write(row_of(results[0], 0))
        first.checkpoint(results[0])
        shutil.copytree(ws.path, tmp_path / "two")
        first.write(row_of(results[1], 1))
        first.checkpoint(results[1])
        first.close()
        with run.writer("wheat") as second:
            second.write(row_of(results[2], 2))
            second.checkpoint(results[2])
    writers = {result.id: result.writer for result in run.results()}
    sweep(ws)
    assert len(ws.predictions.compact()["compacted"]) == 1
    sweep(ws)
    assert len(list((ws.path / "predictions").glob("*/*.parquet"))) == 1

    copy = n4w.Workspace.open(tmp_path / "two")
    copy.recover()
    assert [result.id for result in copy.runs.get(run.id).results()] == [results[0].id]
    for folder in FOLDERS:
        subprocess.run(["cp", "-rn", ws.path / folder, copy.path], check=True)
    merged = copy.runs.get(run.id)
    assert sorted(copy.predictions.scan().select("id").collect()["id"]) == ["r0", "r1", "r2"]
    assert {result.id: result.writer for result in merged.results()} == writers
    assert {result.id: result.writer for result in run.results()} == writers
    assert {result.id for result in copy.results.list()} == set(writers)
    assert copy.verify(full=True)["problems"] == []
    assert "repeated" not in {note["kind"] for note in copy.verify(full=True)["notes"]}

    # Without its list, the rows of the compaction are rows of results that nobody knows.
    (lists,) = (merged.path).glob(f"results.c{'?' * 12}.jsonl")
    lists.unlink()
    problems = [problem for problem in copy.verify()["problems"] if problem["kind"] == "dangling"]
    assert len(problems) == 1
    assert problems[0]["path"].endswith(".meta.parquet")
