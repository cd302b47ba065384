"""Checkpoint and resume: the work that is left, and what a run says of what is done."""

import json
import shutil

import nirs4all_workspace as n4w
import pytest
import yaml
from processes import Worker


@pytest.fixture
def ws(tmp_path):
    return n4w.Workspace.create(tmp_path / "ws")


@pytest.fixture
def run(ws):
    return ws.runs.create("a", templates=[["steps"]], datasets=["wheat", "corn"])


CONFIGS = [{"name": f"c{index}", "steps": [index]} for index in range(3)]


def finish(run, result, score=0.5, rows=2, **fields):
    with run.writer(result.dataset_name) as writer:
        for index in range(rows):
            writer.write(
                {
                    "result_id": result.id,
                    "partition": "val",
                    "metric": "rmse",
                    "model_name": f"PLS{index}",
                    "val_score": score + index,
                }
            )
        for name, value in fields.items():
            setattr(result, name, value)
        writer.checkpoint(result)


def test_what_is_checkpointed_is_not_planned_again(run):
    with run:
        planned = run.plan(CONFIGS)
        for result in planned[:2]:
            finish(run, result)
        assert run.plan(CONFIGS) == planned[2:]
        assert run.is_partial
        run.transition("paused")
    with run.resume():
        assert run.plan(CONFIGS) == planned[2:]
        for result in planned[2:]:
            finish(run, result)
        assert run.plan(CONFIGS) == []
    assert not run.is_partial
    assert [result.id for result in run.results()] == [result.id for result in planned]


def test_a_failed_result_is_a_result(run):
    with run:
        first, *rest = run.plan(CONFIGS)
        finish(run, first, rows=0, status="failed", error="no convergence")
        assert run.plan(CONFIGS) == rest
        assert run.counts == {"configs": 3, "planned": 6, "results": 1, "done": 0, "failed": 1, "rows": 0}
    summary = yaml.safe_load((run.path / "summary.yaml").read_text())
    assert summary["errors"] == [
        {"result": first.id, "dataset": "wheat", "config": "c0", "error": "no convergence"}
    ]


def test_rows_of_results_that_may_never_be_finished_are_not_in_the_stored_summary(run):
    with run:
        writer = run.writer("wheat", flush_rows=1)
        writer.write({"id": "1", "result_id": run.plan(CONFIGS)[0].id})
        assert run.counts["rows"] == 1
    assert yaml.safe_load((run.path / "summary.yaml").read_text())["counts"]["rows"] == 0
    writer.close()
    assert run.counts["rows"] == 0


def test_the_summary_names_the_best(run):
    with run:
        for score, result in zip([3.0, 1.0, 2.0, 4.0, 1.5, float("nan")], run.plan(CONFIGS), strict=True):
            finish(run, result, score, rows=1)
    summary = yaml.safe_load((run.path / "summary.yaml").read_text())
    best = summary["best"]["rmse"]
    assert (best["dataset"], best["config"], best["score"], best["metric"]) == ("wheat", "c1", 1.0, "rmse")
    assert summary["counts"] == {"configs": 3, "planned": 6, "results": 6, "done": 6, "failed": 0, "rows": 6}


def test_a_killed_run_goes_on_where_it_was(ws, run):
    """Killed after a checkpoint, with rows of the next result flushed and not checkpointed."""
    with Worker(ws.path) as owner:
        owner.do(f"str(kept.setdefault('run', ws.runs.get({run.id!r})).transition('running'))")
        owner.do(f"len(kept.setdefault('todo', kept['run'].plan({CONFIGS!r})))")
        owner.do("kept.setdefault('w', kept['run'].writer('wheat')).run_id")
        for index in range(2):
            scores = "'metric': 'rmse', 'val_score': 1.0, 'partition': 'val'"
            row = f"{{'result_id': kept['todo'][{index}].id, {scores}}}"
            owner.do(f"kept['w'].write({row})")
            owner.do("kept['w'].flush()")
            if index == 0:
                owner.do("kept['w'].checkpoint(kept['todo'][0])")
        owner.kill()
    with run.resume():
        todo = run.plan(CONFIGS)
        assert len(todo) == 5
        for result in todo:
            finish(run, result, rows=1)
    rows = ws.predictions.scan().collect()
    assert rows.height == 6
    assert sorted(rows["result_id"]) == sorted(result.id for result in run.results())
    assert ws.verify(full=True)["problems"] == []


def test_of_two_checkpoints_the_earlier_counts(ws, run, tmp_path):
    """Two copies of a run went on apart and were merged."""
    with run:
        (first, *_) = run.plan(CONFIGS)
        run.transition("paused")
    shutil.copytree(ws.path, tmp_path / "copy", ignore=shutil.ignore_patterns(".locks"))
    copy = n4w.Workspace.open(tmp_path / "copy")
    for place, score in ((ws, 0.25), (copy, 0.5)):
        same = place.runs.get(run.id)
        with same.resume():
            finish(same, same.plan(CONFIGS)[0], score)
    for folder in ("runs", "predictions", "arrays"):
        for path in (copy.path / folder).rglob("*"):
            target = ws.path / path.relative_to(copy.path)
            if path.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    results = run.results()
    assert [(result.id, result.best_score) for result in results] == [(first.id, 0.25)]
    assert [result.best_score for result in results.repeated] == [0.5]
    found = ws.verify()
    assert "repeated" in {item["kind"] for item in [*found["problems"], *found["notes"]]}


def test_a_damaged_line_is_one_error(run):
    with run:
        finish(run, run.plan(CONFIGS)[0])
    (path,) = run.path.glob("results.*.jsonl")
    path.write_text(path.read_text() + "{no json\n" + "[]\n")
    assert len(run.results()) == 1
    assert len(run.results().errors) == 2


def test_results_keep_what_they_do_not_know():
    given = {"id": "res_1", "status": "done", "artifacts": None, "invented": [1]}
    result = n4w.Result.from_dict(given, writer="w")
    assert (result.extra, result.artifacts, result.writer) == ({"invented": [1]}, [], "w")
    assert json.loads(json.dumps(result.to_dict()))["invented"] == [1]
    assert n4w.Result.from_dict(result.to_dict(), writer="w") == result
    with pytest.raises(ValueError, match="id"):
        n4w.Result.from_dict({"status": "done"})


def test_only_a_running_run_is_written(run):
    with pytest.raises(n4w.ConflictError, match="queued"):
        run.writer("wheat")
