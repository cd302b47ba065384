"""Checkpoint and resume: the work that is left, and what a run says of what is done."""

import json

import nirs4all_workspace as n4w
import pytest
import yaml
from copying import copied, lay_over
from processes import Worker


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


def test_of_several_failed_attempts_the_last_one_says_why(ws, run):
    with run:
        first, second, *_ = run.plan(CONFIGS)
        for error in ("out of memory", "no convergence", "disk full"):
            finish(run, first, rows=0, status="failed", error=error)
        finish(run, second, status="done", error=None)
        finish(run, second, rows=0, status="failed", error="too late")
    shown = {result.id: (result.status, result.error) for result in run.results()}
    assert shown == {first.id: ("failed", "disk full"), second.id: ("done", None)}
    assert {result.id: (result.status, result.error) for result in ws.results.list()} == shown


def test_rows_of_results_that_may_never_be_finished_are_not_in_the_stored_summary(run):
    with run:
        writer = run.writer("wheat", flush_rows=1)
        writer.write({"id": "1", "result_id": run.plan(CONFIGS)[0].id})
        assert run.counts["rows"] == 1
    assert yaml.safe_load((run.path / "summary.yaml").read_text())["counts"]["rows"] == 0
    with pytest.warns(UserWarning, match="never checkpointed"):
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
    copy = copied(ws, tmp_path / "copy")
    for place, score in ((ws, 0.25), (copy, 0.5)):
        same = place.runs.get(run.id)
        with same.resume():
            finish(same, same.plan(CONFIGS)[0], score)
    lay_over(copy, ws)
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


def nested(levels):
    """Lists in lists."""
    value = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


ITSELF: list = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"note": "b\udcff"}, ValueError, r"result\['note'\].*udcff"),
        ({"error": "b\udcff"}, ValueError, r"result\['error'\].*udcff"),
        ({"error": "b\udcff", "status": "done"}, ValueError, r"result\['error'\].*udcff"),
        ({"deep": [{"a": "\ud800"}]}, ValueError, r"result\['deep'\]\[0\]\['a'\].*ud800"),
        ({"b\udcff": 1}, ValueError, r"key result\['b\\udcff'\]"),
        ({"seed": 2**64}, ValueError, r"result\['seed'\].*64 bits"),
        ({"seed": -(2**63) - 1}, ValueError, r"result\['seed'\].*64 bits"),
        ({"seed": 10**400}, ValueError, r"result\['seed'\].*64 bits"),
        ({"seed": 10**5000}, ValueError, r"result\['seed'\].*digits"),
        ({"params": nested(127)}, ValueError, r"result\['params'\].*127 levels"),
        ({"params": nested(100_000)}, ValueError, r"result\['params'\].*127 levels"),
        ({"params": ITSELF}, ValueError, r"result\['params'\].*contains itself"),
        ({"params": {1: "a", "1": "b"}}, ValueError, r"result\['params'\]\['1'\].*same text"),
        ({"long": "x" * (64 << 20)}, ValueError, r"result\['long'\].*64 MiB|result\['long'\].*64 at most"),
        ({"model": object()}, TypeError, r"result\['model'\].*object"),
        ({"artifacts": 5}, TypeError, r"result\['artifacts'\].*5"),
        ({"artifacts": [1]}, TypeError, r"result\['artifacts'\].*\[1\]"),
        ({"best_score": "good"}, TypeError, r"result\['best_score'\].*good"),
        ({"n_rows": 1.5}, TypeError, r"result\['n_rows'\].*1\.5"),
        ({"status": 1}, TypeError, r"result\['status'\].*1"),
    ],
)
def test_what_no_reader_could_read_is_refused_by_name_and_the_writer_goes_on(ws, run, fields, error, named):
    with run, run.writer("wheat") as writer:
        writer.write({"id": "1", "result_id": "r1", "metric": "rmse", "val_score": 1.0})
        writer.flush()
        writer.write({"id": "2", "result_id": "r1", "metric": "rmse", "val_score": 2.0})
        before = writer.path.read_bytes()
        with pytest.raises(error, match=named) as caught:
            writer.checkpoint({"id": "r1", **fields})
        str(caught.value).encode("ascii")
        assert writer.path.read_bytes() == before
        assert writer.checkpoint({"id": "r1", "note": "corrected"})["n_rows"] == 2
        assert [result.extra["note"] for result in run.results()] == ["corrected"]
    assert [result.extra["note"] for result in run.results()] == ["corrected"]
    assert sorted(ws.predictions.scan().collect()["id"]) == ["1", "2"]


def test_the_largest_that_readers_take_is_taken(ws, run):
    """To the last level, bit and byte."""
    taken = {"params": nested(126), "large": 2**64 - 1, "small": -(2**63), "long": "x" * (63 << 20)}
    with run, run.writer("wheat") as writer:
        writer.checkpoint({"id": "r1", **taken})
        assert run.results()[0].extra == taken
    assert run.results()[0].extra == ws.results.list()[0].extra == taken


@pytest.mark.parametrize("field", ["error", "traceback"])
def test_the_error_of_a_failed_result_is_cut_and_never_refused(run, field):
    long = "é" * (5 << 20) + "\udcff"
    with run, run.writer("wheat") as writer:
        writer.checkpoint({"id": "r1", "status": "failed", field: long})
        writer.checkpoint({"id": "r2", "status": "failed", field: "b\udcffro"})
        writer.checkpoint({"id": "r3", "status": "failed", field: "x" * 65536})
    cut, escaped, whole = (result.to_dict()[field] for result in run.results())
    assert len(cut.encode()) <= 64 * 1024
    assert cut.startswith("é" * 32_000)
    assert cut.endswith(f"[cut here: {len(long)} characters in all]")
    assert (escaped, whole) == ("b\\udcffro", "x" * 65536)
    assert len(yaml.safe_load((run.path / "summary.yaml").read_text())["errors"]) == 3


class OddError(Exception):
    """One whose text cannot be made."""

    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * (70 << 20)),
        ValueError("é" * (1 << 20)),
        ValueError("b\udcffro"),
        ValueError("\x00\x07\x85\u2028\ufeff\uffff: - # 'a' \"b\"\n\n  c\n---\n..."),
        ValueError(""),
        OddError(),
        ExceptionGroup("b\udcff", [ValueError("x" * (1 << 20)), OddError()]),
    ],
)
def test_whatever_an_exception_says_its_run_is_failed_and_listed(ws, run, error):
    error.add_note("n\udcff" * 10)
    with pytest.raises(type(error)) as caught, run:
        raise error
    assert caught.value is error
    assert len(error.__notes__) == 1
    listed = ws.runs.list()
    assert ([one.id for one in listed], listed.errors) == ([run.id], [])
    assert listed[0].status == "failed"
    entry = run.history[-1]
    for text in (entry["reason"], entry["traceback"]):
        assert 0 < len(text.encode()) <= 64 * 1024
    assert entry["reason"].startswith(type(error).__qualname__) or isinstance(error, OddError)
    assert ws.verify()["problems"] == []
    with run.resume():
        pass
    assert ws.runs.list()[0].status == "completed"


def test_a_reason_is_cut_too(ws, run):
    run.transition("running")
    run.transition("failed", reason="b\udcff" + "x" * (1 << 20))
    assert len(run.history[-1]["reason"]) == 64 * 1024
    assert ws.runs.list()[0].status == "failed"


@pytest.mark.parametrize(
    ("config", "error", "named"),
    [
        ({"steps": ["\udcff"]}, ValueError, r"config\['steps'\]\[0\].*udcff"),
        ({"name": "\udcff"}, ValueError, r"config\['name'\].*udcff"),
        ({"name": 5}, TypeError, r"config\['name'\]"),
        ({"config_id": 5}, TypeError, r"config\['config_id'\]"),
        ({"name": "a", "generator_choices": nested(127)}, ValueError, "generator_choices.*126"),
        ({"name": "a", "steps": nested(250)}, ValueError, r"config\['steps'\].*levels"),
        ({"name": "a", "steps": [10**5000]}, ValueError, r"config\['steps'\]\[0\].*digits"),
    ],
)
def test_a_configuration_that_could_not_be_read_is_not_planned(run, config, error, named):
    with run:
        with pytest.raises(error, match=named):
            run.plan([*CONFIGS, config])
        assert run.configs() == []
        assert len(run.plan(CONFIGS)) == 6
