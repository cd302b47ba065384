"""Rows that a writer of a run lost or still holds, and results of no status: the run is not completed."""

import gc
import warnings

import nirs4all_workspace as n4w
import pytest


@pytest.fixture
def run(ws):
    return ws.runs.create("a")


def drop(run, *rows):
    """Write rows with a writer that is never closed, and forget it."""
    writer = run.writer("wheat")
    for row in rows:
        writer.write(row)
    del writer
    gc.collect()


@pytest.mark.parametrize("result", [{}, {"result_id": "mine"}])
def test_a_writer_that_was_dropped_with_rows_pauses(ws, run, result):
    with run, pytest.warns(UserWarning, match="dropped with 2 unflushed rows, which are lost"):
        drop(run, {"val_score": 1.0, **result}, {"val_score": 2.0, **result})
    assert run.status == "paused"
    assert "2 rows were lost in a writer that was not closed" in run.history[-1]["reason"]
    with run.resume():
        pass
    assert run.status == "completed", "it was started again, to write what it lost"
    assert ws.predictions.scan().collect().height == 0


def test_a_writer_that_was_dropped_without_rows_is_no_loss(ws, run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with run:
            drop(run)
            writer = run.writer("wheat")
            writer.write({"val_score": 1.0})
            writer.flush()
            del writer
            gc.collect()
    assert run.status == "completed"
    assert ws.predictions.scan().collect()["val_score"].to_list() == [1.0]


def test_lost_rows_of_another_run_are_its_own(ws, run):
    other = ws.runs.create("b")
    with run, other, pytest.warns(UserWarning, match="1 unflushed row, "):
        drop(other, {"val_score": 1.0})
    assert (run.status, other.status) == ("completed", "paused")


def test_a_run_whose_lost_rows_are_known_is_completed_by_hand(run):
    with run:
        with pytest.warns(UserWarning, match="lost"):
            drop(run, {"val_score": 1.0})
        with pytest.warns(UserWarning, match="although 1 row was lost"):
            run.transition("completed")
    assert run.status == "completed"


def test_a_writer_by_another_path_to_the_workspace_is_seen(ws, run, tmp_path):
    (tmp_path / "link").symlink_to(ws.path)
    linked = n4w.Workspace.open(tmp_path / "link")
    with run:
        writer = linked.predictions.writer(run.id, "wheat")
        writer.write({"val_score": 1.0})
    writer.close()
    assert run.status == "paused"
    assert "1 row waits" in run.history[-1]["reason"]


@pytest.mark.parametrize("status", ["error", "Failed", "completed", ""])
def test_a_result_is_done_or_failed(ws, run, status):
    with run, run.writer("wheat") as writer:
        writer.write({"result_id": "r", "val_score": 1.0})
        with pytest.raises(ValueError, match="expected 'done' or 'failed'"):
            writer.checkpoint({"id": "r", "status": status})
        writer.checkpoint({"id": "r", "status": "failed"})
    assert (run.status, run.n_failed) == ("failed", 1)
    assert ws.verify(full=True)["problems"] == []
