"""Footers that name the results of segments, read by pyarrow, and what is decided without them."""

import json

import pyarrow.parquet as pq
import pytest
from settling import settle

DATASET = "wheat"


@pytest.fixture
def run_id(ws):
    return ws.runs.create("run").id


def written(ws, run_id, result, rows, status="done", at="2026-01-01T00:00:01+00:00"):
    """Rows of one result, sealed; the writer."""
    with ws.predictions.writer(run_id, DATASET) as writer:
        for number in range(rows):
            writer.write({"result_id": result, "metric": "rmse", "val_score": float(number)})
        if status is not None:
            writer.checkpoint({"id": result, "status": status, "completed_at": at})
    for journal in ws.path.glob("predictions/*/*.journal"):
        journal.unlink()
    return writer.writer_id


def key(ws, writer, name="n4a_results"):
    (segment,) = ws.path.glob(f"predictions/*/*.{writer}.meta.parquet")
    value = pq.read_metadata(segment).metadata.get(name.encode())
    return None if value is None else json.loads(value.decode("ascii"))


def test_a_segment_names_its_results(ws, run_id):
    at = "2026-01-01T00:00:01+00:00"
    writer = written(ws, run_id, "r\u00e9sultat", 2, "failed", at)
    assert key(ws, writer) == {"r\u00e9sultat": ["failed", at]}


def test_a_segment_without_results_has_no_such_key(ws, run_id):
    assert key(ws, written(ws, run_id, None, 2, None)) is None


def test_a_compaction_names_the_results_of_each_writer_and_where_its_rows_are(ws, run_id):
    at = "2026-01-01T00:00:02+00:00"
    writers = [written(ws, run_id, "r1", rows, status, at) for rows, status in ((2, "done"), (3, "failed"))]
    statuses = dict(zip(writers, ("done", "failed"), strict=True))
    rows = dict(zip(writers, (2, 3), strict=True))
    (done,) = ws.predictions.compact()["compacted"]
    assert done["rows"] == 5
    name = done["output"].split(".")[-3]
    assert key(ws, name) == {writer: {"r1": [statuses[writer], at]} for writer in writers}
    places = {writer: (said["first"], said["rows"]) for writer, said in key(ws, name, "n4a_replaces").items()}
    first, second = sorted(writers)
    assert places == {first: (0, rows[first]), second: (rows[first], rows[second])}


def test_results_that_are_too_many_for_a_footer_are_told_by_their_list(ws, run_id):
    results = [f"result-{number:05}-{'x' * 40}" for number in range(1_000)]
    with ws.predictions.writer(run_id, DATASET) as writer:
        for result in results:
            writer.write({"result_id": result, "metric": "rmse", "val_score": 1.0})
        for result in results:
            writer.checkpoint({"id": result, "completed_at": "2026-01-01T00:00:02+00:00"})
    assert key(ws, writer.writer_id) is None
    written(ws, run_id, results[0], 5, "done", "2026-01-01T00:00:01+00:00")
    written(ws, run_id, results[1], 7, "done", "2026-01-01T00:00:03+00:00")
    assert ws.summary()["total_predictions"] == 1_000 - 1 + 5
    assert ws.predictions.page(0, 0, result=results[0]).total == 5
    assert ws.predictions.page(0, 0, result=results[1]).total == 1


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_list_that_comes_later_is_heeded(ws, run_id, is_cached):
    """As where a folder is copied piece by piece: what hid nothing before does now."""
    results = [f"result-{number:05}-{'x' * 80}" for number in range(700)]
    with ws.predictions.writer(run_id, DATASET) as writer:
        for result in results:
            writer.checkpoint({"id": result, "completed_at": "2026-01-01T00:00:01+00:00"})
    written(ws, run_id, results[0], 3, "done", "2026-01-01T00:00:02+00:00")
    (listed,) = ws.path.glob(f"runs/*/results.{writer.writer_id}.jsonl")
    content = listed.read_bytes()
    listed.unlink()
    if is_cached:
        settle(ws.path)  # what is younger is not kept
    for _ in range(2 if is_cached else 1):
        assert ws.summary()["total_predictions"] == 3
        assert ws.stats()["workspace"]["predictions"]["total"] == 3
    listed.write_bytes(content)
    assert ws.summary()["total_predictions"] == 0
    assert ws.stats()["workspace"]["predictions"]["total"] == 0
    assert ws.predictions.scan().collect().height == 0


def test_a_done_checkpoint_comes_before_a_failed_one_and_then_the_earlier(ws, run_id):
    written(ws, run_id, "r1", 1, "failed", "2026-01-01T00:00:01+00:00")
    assert ws.summary()["total_predictions"] == 1
    written(ws, run_id, "r1", 2, "done", "2026-01-01T00:00:03+00:00")
    winner = written(ws, run_id, "r1", 4, "done", "2026-01-01T00:00:02+00:00")
    (result,) = ws.runs.get(run_id).results()
    assert (result.writer, result.n_rows) == (winner, 4)
    assert ws.summary(DATASET)["total_predictions"] == 4
    assert ws.predictions.scan().collect().height == 4
    assert ws.predictions.page().total == 4
    assert len(ws.predictions.top(10)) == 4
    found = ws.verify()
    assert found["problems"] == []
    repeated = [item for item in found["notes"] if item["kind"] == "repeated"]
    lists = {item["path"] for item in repeated if item["path"].startswith("runs/")}
    segments = {item["path"] for item in repeated if item["path"].startswith("predictions/")}
    assert (len(lists), len(segments)) == (2, 2)
    assert all(winner not in path for path in lists | segments)


def test_a_deleted_run_takes_hidden_rows_with_it(ws, run_id):
    written(ws, run_id, "r1", 1)
    written(ws, run_id, "r1", 2, "done", "2026-01-01T00:00:00+00:00")
    ws.runs.get(run_id)
    ws.runs.delete(run_id)
    assert list(ws.path.rglob("*.parquet")) == []
    assert ws.summary()["total_predictions"] == 0
