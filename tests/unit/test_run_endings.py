"""How a block ends: nothing that was planned or begun is lost while the run says completed."""

import warnings

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pytest
import yaml
from copying import copied, lay_over
from nirs4all_workspace.model import plan
from processes import Worker

CONFIGS = [{"name": f"c{index}", "steps": [index]} for index in range(3)]


@pytest.fixture
def run(ws):
    return ws.runs.create("a", templates=[["steps"]], datasets=["wheat", "corn"])


def row(result, **more):
    return {"result_id": result.id, "partition": "val", "metric": "rmse", "val_score": 0.5} | more


def finish(run, result, status="done", error=None):
    with run.writer(result.dataset_name) as writer:
        writer.write(row(result))
        result.status, result.error = status, error
        writer.checkpoint(result)


def last(run):
    return run.history[-1]["to"], run.history[-1]["reason"]


def test_a_break_pauses_with_what_is_missing(run):
    with run:
        for result in run.plan(CONFIGS):
            if result.config_name == "c2":
                break
            finish(run, result)
    status, reason = last(run)
    assert (run.status, status) == ("paused", "paused")
    assert reason.startswith("4 of 6 planned results are missing: c2 on wheat, c0 on corn, ")
    assert yaml.safe_load((run.path / "summary.yaml").read_text())["completed_at"] is None
    with run.resume():
        for result in run.plan(CONFIGS):
            finish(run, result)
    assert last(run) == ("completed", None)


def test_a_forgotten_checkpoint_pauses_and_warns(run):
    with run:
        first, *others = run.plan(CONFIGS)
        for result in others:
            finish(run, result)
        writer = run.writer("wheat")
        writer.write(row(first))
        writer.write(row(first))
        with pytest.warns(
            UserWarning, match=rf"^2 rows are of results that were never checkpointed \({first.id}\)"
        ):
            writer.close()
    status, reason = last(run)
    assert status == "paused"
    assert "1 of 6 planned results is missing: c0 on wheat" in reason
    assert f"2 rows of 1 result that was never checkpointed: {first.id}" in reason
    with run.resume():
        assert [result.id for result in run.plan(CONFIGS)] == [first.id]
        finish(run, first)
    assert run.status == "completed"


@pytest.mark.filterwarnings("ignore:1 row is of results")
def test_without_a_plan_rows_of_a_result_that_was_never_checkpointed_pause(ws, run):
    with run, run.writer("wheat") as writer:
        writer.write({"id": "1", "result_id": "mine", "val_score": 1.0})
        writer.write({"id": "2", "val_score": 1.0})
    assert last(run) == (
        "paused",
        "1 row of 1 result that was never checkpointed: mine; resume the run to do what is left",
    )
    assert ws.predictions.scan().collect()["id"].to_list() == ["2"]
    with run.resume(), run.writer("wheat") as writer:
        writer.write({"id": "1", "result_id": "mine", "val_score": 1.0})
        writer.checkpoint({"id": "mine"})
    assert run.status == "completed"
    assert sorted(ws.predictions.scan().collect()["id"]) == ["1", "2"]


@pytest.mark.parametrize("is_flushed", [True, False])
def test_a_writer_that_is_still_open_pauses(run, is_flushed):
    with run:
        writer = run.writer("wheat")
        writer.write({"result_id": "mine", "val_score": 1.0})
        if is_flushed:
            writer.flush()
    assert last(run)[0] == "paused"
    assert ("mine" if is_flushed else "1 row waits in a writer that is still open") in last(run)[1]
    writer.checkpoint({"id": "mine"})
    writer.close()
    with run.resume():
        pass
    assert run.status == "completed"


def test_rows_of_another_writer_that_finished_the_result_are_not_missing(ws, run):
    """A worker dies with rows of a result; another one does it again."""
    with run:
        first, *others = run.plan(CONFIGS)
        with Worker(ws.path) as worker:
            worker.do(f"kept.setdefault('w', ws.runs.get({run.id!r}).writer('wheat')).run_id")
            worker.do(f"kept['w'].write({row(first)!r})")
            worker.do("kept['w'].flush()")
            worker.kill()
        for result in others:
            finish(run, result)
        ws.recover()
        finish(run, first)
    assert last(run) == ("completed", None)


@pytest.mark.parametrize("is_recovered", [True, False])
def test_rows_of_a_dead_worker_pause_a_run_without_a_plan(ws, run, is_recovered):
    with run:
        with Worker(ws.path) as worker:
            worker.do(f"kept.setdefault('w', ws.runs.get({run.id!r}).writer('wheat')).run_id")
            worker.do("kept['w'].write({'result_id': 'mine', 'val_score': 1.0})")
            worker.do("kept['w'].flush()")
            worker.kill()
        if is_recovered:
            ws.recover()
    assert last(run)[0] == "paused"
    assert "mine" in last(run)[1]


def test_a_worker_that_forgets_a_checkpoint_pauses_the_owners_run(ws, run):
    with run, Worker(ws.path) as worker:
        worker.do(f"kept.setdefault('w', ws.runs.get({run.id!r}).writer('wheat')).run_id")
        worker.do("kept['w'].write({'result_id': 'mine', 'val_score': 1.0})")
        worker.do("kept['w'].close()")
    assert last(run)[0] == "paused"


def test_what_another_process_planned_is_missing_too(ws, run):
    with run:
        for result in run.plan(CONFIGS[:1]):
            finish(run, result)
        with Worker(ws.path) as other:
            assert other.do(f"len(ws.runs.get({run.id!r}).plan({CONFIGS[:2]!r}))") == 2
    assert last(run)[0] == "paused"
    assert "2 of 4 planned results are missing: c1 on wheat, c1 on corn" in last(run)[1]


@pytest.mark.parametrize("file", ["configs.jsonl", "datasets.yaml"])
def test_a_plan_that_cannot_be_read_pauses(run, file):
    with run:
        for result in run.plan(CONFIGS):
            finish(run, result)
        (run.path / file).write_text("{")
    assert last(run)[0] == "paused"
    assert file in last(run)[1]


def test_a_plan_of_nothing_and_no_plan_are_completed(ws, run):
    with run:
        assert run.plan([]) == []
    assert run.status == "completed"
    without = ws.runs.create("b")
    with without, without.writer("wheat") as writer:
        writer.write({"val_score": 1.0})
    assert without.status == "completed"


def test_completing_by_hand_what_is_not_complete_warns(run):
    with run:
        run.plan(CONFIGS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning):
                run.transition("completed")
        assert run.status == "running", "where warnings are errors, it is refused"
        with pytest.warns(UserWarning, match="6 of 6 planned results are missing") as caught:
            assert run.transition("completed") == "completed"
    assert caught[0].filename == __file__
    assert run.status == "completed"


def test_a_writer_that_an_exception_closes_says_nothing(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ZeroDivisionError), run, run.writer("wheat") as writer:  # noqa: PT012
            writer.write({"result_id": "mine", "val_score": 1.0})
            1 / 0  # noqa: B018
        with run.resume():
            writer = run.writer("wheat")
            try:
                writer.write({"result_id": "mine", "val_score": 1.0})
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                writer.close()
            run.transition("paused")


def test_the_warning_names_the_line_that_closes(run):
    with run:
        with pytest.warns(UserWarning, match="1 row is") as caught, run.writer("wheat") as writer:
            writer.write({"result_id": "mine"})
        writer = run.writer("corn")
        writer.write_batch(batch("other"))
        with pytest.warns(UserWarning, match=r"1 row is .*\(other\)") as by_call:
            writer.close()
        run.transition("cancelled")
    assert [it.filename for it in (*caught, *by_call)] == [__file__] * 2


def test_a_warning_that_is_an_error_leaves_the_writer_closed(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="1 row is of results"), run, run.writer("wheat") as writer:
            writer.write({"result_id": "mine", "val_score": 1.0})
    assert writer.path is None
    assert run.status == "failed"


def batch(result_id):
    return pl.DataFrame({"id": ["x", "y"], "result_id": [None, result_id], "val_score": [1.0, 2.0]})


@pytest.mark.parametrize("call", ["write", "write_batch", "checkpoint"])
def test_a_planned_run_takes_no_result_that_it_does_not_know(run, call):
    with run:
        planned = run.plan(CONFIGS)
        corn = planned[3]
        writer = run.writer("wheat")
        give = {
            "write": lambda id_: writer.write({"result_id": id_, "val_score": 1.0}),
            "write_batch": lambda id_: writer.write_batch(batch(id_)),
            "checkpoint": lambda id_: writer.checkpoint({"id": id_}),
        }[call]
        for wrong, said in (
            ("res_typo", [f"has no result 'res_typo'; on 'wheat' it has {planned[0].id} (c0), "]),
            (corn.id, ["'corn'", "this writer writes 'wheat'"]),
        ):
            with pytest.raises(ValueError, match="result") as caught:
                give(wrong)
            for text in said:
                assert text in str(caught.value)
        assert (writer.acknowledged, writer.waiting) == (0, 0)
        give(planned[0].id)
        writer.write({"id": "no result", "val_score": 1.0})
        if call != "checkpoint":
            writer.checkpoint(planned[0])
        writer.close()
        run.transition("cancelled")


def test_numbers_as_result_ids_are_checked_as_the_texts_that_they_become(run):
    with run:
        run.plan(CONFIGS)
        with run.writer("wheat") as writer, pytest.raises(ValueError, match="'7'"):
            writer.write({"result_id": 7})
        run.transition("cancelled")


def test_another_process_may_plan_while_a_writer_is_open(ws, run):
    with run:
        (result, _) = run.plan(CONFIGS[:1])
        with run.writer("wheat") as writer:
            writer.write(row(result))
            with Worker(ws.path) as other:
                new = other.do(f"[it.id for it in ws.runs.get({run.id!r}).plan({CONFIGS[:2]!r})][1]")
            writer.write({"result_id": new})
            writer.checkpoint({"id": new})
            writer.checkpoint(result)
        run.transition("paused")
    assert {result.id, new} == {it.id for it in run.results()}


def test_a_plan_made_after_the_writer_was_opened_counts(ws, run):
    with run, run.writer("wheat") as writer:
        writer.write({"id": "1", "result_id": "free"})
        writer.checkpoint({"id": "free"})
        with Worker(ws.path) as other:
            other.do(f"len(ws.runs.get({run.id!r}).plan({CONFIGS!r}))")
        with pytest.raises(ValueError, match="'new'"):
            writer.write({"result_id": "new"})


def test_a_dataset_that_the_run_lacks_takes_rows_and_no_planned_results(run):
    with run:
        result = run.plan(CONFIGS)[0]
        with run.writer("barley") as writer:
            writer.write({"val_score": 1.0})
            with pytest.raises(ValueError, match="'wheat'"):
                writer.write(row(result))
            with pytest.raises(ValueError, match="none on 'barley', only on 'corn', 'wheat'"):
                writer.write({"result_id": "x"})
        run.transition("cancelled")


def test_names_in_other_forms_of_unicode_are_the_same_dataset(ws):
    run = ws.runs.create("a", templates=[["s"]], datasets=["bl\u00e9"])
    with run:
        (result,) = run.plan(CONFIGS[:1])
        with run.writer("ble\u0301") as writer:
            writer.write(row(result))
            writer.checkpoint(result)
    assert run.status == "completed"


# --- failed results


def test_a_run_of_which_all_results_failed_is_failed(ws, run):
    with run:
        for result in run.plan(CONFIGS):
            finish(run, result, "failed", "no convergence")
    assert last(run) == ("failed", "all 6 results failed")
    assert (run.n_failed, run.record["retry_failed"]) == (6, False)
    (listed,) = ws.runs.list().to_dict()["runs"]
    assert (listed["n_failed"], listed["status"]) == (6, "failed")


def test_a_run_of_which_some_results_failed_is_completed_and_says_how_many(ws, run):
    with run:
        first, *others = run.plan(CONFIGS)
        finish(run, first, "failed", "no convergence")
        for result in others:
            finish(run, result)
    assert (run.status, run.n_failed) == ("completed", 1)
    assert yaml.safe_load((run.path / "summary.yaml").read_text())["counts"]["failed"] == 1
    assert [it["n_failed"] for it in ws.runs.list().to_dict()["runs"]] == [1]
    assert run.to_dict()["n_failed"] == 1


@pytest.fixture
def half_failed(run):
    with run:
        for number, result in enumerate(run.plan(CONFIGS)):
            finish(run, result, "failed" if number < 2 else "done", "no convergence" if number < 2 else None)
    assert run.status == "completed"
    return run


def test_failed_results_are_run_again(ws, half_failed):
    run = half_failed
    bad = [result.id for result in run.results() if result.status == "failed"]
    with pytest.raises(n4w.InvalidTransitionError, match="retry_failed"):
        run.resume()
    with run.resume(retry_failed=True):
        assert run.record["retry_failed"] is True
        planned = run.plan(CONFIGS)
        assert [result.id for result in planned] == bad
        finish(run, planned[0])
        finish(run, planned[1], "failed", "still no convergence")
        assert run.plan(CONFIGS) == [], "what failed again is not run a third time"
    assert (run.status, run.n_failed, run.record["retry_failed"]) == ("completed", 1, False)
    shown = {result.id: (result.status, result.error) for result in run.results()}
    assert [shown[id_] for id_ in bad] == [("done", None), ("failed", "still no convergence")]
    with run.resume(retry_failed=True):
        finish(run, *run.plan(CONFIGS))
    assert run.n_failed == 0
    for call in (
        lambda: run.resume(retry_failed=True),
        lambda: run.retry(),
        lambda: run.transition("queued"),
    ):
        with pytest.raises(n4w.InvalidTransitionError, match="no result of it failed"):
            call()
    assert run.status == "completed"
    assert ws.predictions.scan().collect().height == 6
    assert ws.verify(full=True)["problems"] == []


def test_a_break_while_failed_results_are_run_again_pauses_and_the_wish_stands(half_failed):
    run = half_failed
    with run.resume(retry_failed=True):
        first, _ = run.plan(CONFIGS)
        finish(run, first, "failed", "again")
    assert last(run)[0] == "paused"
    assert "1 of 6 planned results is missing: c1 on wheat" in last(run)[1]
    assert yaml.safe_load((run.path / "run.yaml").read_text())["retry_failed"] is True
    with run.resume():
        assert [result.config_name for result in run.plan(CONFIGS)] == ["c1"]
        finish(run, *run.plan(CONFIGS))
    assert (run.status, run.n_failed) == ("completed", 1)


@pytest.mark.parametrize("how", ["retry", "transition", "command"])
def test_a_worker_that_claims_the_run_knows_of_the_wish(ws, half_failed, how):
    if how == "retry":
        half_failed.retry("new driver")
    elif how == "transition":
        half_failed.transition("queued", "new driver")
    else:
        from commands import n4w as command

        assert command("retry", half_failed.id, ws.path, "--reason", "new driver").returncode == 0
    assert last(half_failed) == ("queued", "new driver")
    with Worker(ws.path) as worker:
        assert worker.do("kept.setdefault('run', ws.runs.claim_next()).id") == half_failed.id
        assert worker.do(f"[it.config_name for it in kept['run'].plan({CONFIGS!r})]") == ["c0", "c1"]
        worker.kill()
    ws.recover()
    assert (half_failed.status, half_failed.record["retry_failed"]) == ("queued", True), "death is no end"
    with ws.runs.claim_next() as run:
        for result in run.plan(CONFIGS):
            finish(run, result)
    assert (run.status, run.n_failed, run.record["retry_failed"]) == ("completed", 0, False)


def test_a_wish_written_by_hand_counts(ws, half_failed):
    half_failed.transition("queued")
    path = half_failed.path / "run.yaml"
    record = yaml.safe_load(path.read_text())
    for entry in record["history"]:
        entry.pop("retry_failed", None)
    path.write_text(yaml.safe_dump(record, sort_keys=False))
    with ws.runs.claim_next() as run:
        for result in run.plan(CONFIGS):
            finish(run, result, "failed", "again")
        assert run.plan(CONFIGS) == []
    assert run.status == "completed"


def test_a_failed_run_is_retried_with_what_failed_and_what_is_missing(run):
    with pytest.raises(ZeroDivisionError), run:  # noqa: PT012
        first, *_ = run.plan(CONFIGS)
        finish(run, first, "failed", "no convergence")
        1 / 0  # noqa: B018
    assert run.status == "failed"
    with run.resume():
        assert len(run.plan(CONFIGS)) == 5
        run.transition("paused")
    with run.resume(retry_failed=True):
        assert len(run.plan(CONFIGS)) == 6
        run.transition("failed")
    run.retry()
    with run:
        assert len(run.plan(CONFIGS)) == 6
        run.transition("cancelled")
    assert run.record["retry_failed"] is False
    with pytest.raises(n4w.InvalidTransitionError):
        run.retry()


def test_of_two_copies_that_retry_the_done_result_wins(ws, half_failed, tmp_path):
    run = half_failed
    copy = copied(ws, tmp_path / "copy")
    for place, status in ((ws, "failed"), (copy, "done")):
        with place.runs.get(run.id).resume(retry_failed=True) as again:
            for result in again.plan(CONFIGS):
                finish(again, result, status, "x" if status == "failed" else None)
    lay_over(copy, ws)
    assert {result.status for result in run.results()} == {"done"}
    with pytest.raises(n4w.InvalidTransitionError):
        run.resume(retry_failed=True)


def test_batches_of_any_kind_are_checked_and_read_once(run):
    with run:
        first, second, *_ = run.plan(CONFIGS)
        writer = run.writer("wheat")
        ids = pa.array([first.id, second.id, None]).dictionary_encode()
        scores = pa.array([1.0, 2.0, 3.0])
        for number, column in enumerate((ids, ids.cast(pa.large_string()))):
            table = pa.table({"result_id": column, "val_score": scores})
            writer.write_batch(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()))
            assert writer.acknowledged + writer.waiting == 3 * (number + 1)
        with pytest.raises(ValueError, match="'typo'"):
            writer.write_batch(
                pl.DataFrame({"result_id": pl.Series([first.id, "typo"], dtype=pl.Categorical)})
            )
        assert writer.waiting == 6
        for result in (first, second):
            writer.checkpoint(result)
        writer.close()
        run.transition("paused")
    assert {result.id: result.n_rows for result in run.results()} == {first.id: 2, second.id: 2}


def test_the_plan_is_read_once_for_many_writers(run, monkeypatch):
    read, calls = plan.read, []
    monkeypatch.setattr(plan, "read", lambda path: calls.append(path) or read(path))
    with run:
        results = run.plan(CONFIGS)
        calls.clear()
        for result in results:
            finish(run, result)
        assert len(calls) == 1
    assert run.status == "completed"
