"""Rows that name a planned result take from it, and from its dataset's record, what they lack."""

import nirs4all_workspace as n4w
import polars as pl
import pytest

FIELDS = ["config_name", "template_id", "task_type", "n_samples", "n_features"]


def as_mapping(writer, rows):
    for row in rows:
        writer.write(row)


def as_batch(writer, rows):
    writer.write_batch(pl.DataFrame(rows, infer_schema_length=None))


@pytest.fixture(params=[as_mapping, as_batch])
def add(request):
    return request.param


@pytest.fixture
def run(ws, tmp_path):
    """Give a run of two configurations on a registered dataset and on a name."""
    (tmp_path / "wheat.csv").write_text("1100;1102;1104\n0.1;0.2;0.3\n0.2;0.3;0.4\n", "utf-8")
    ws.datasets.register(tmp_path / "wheat.csv", n_samples=80, n_features=700, task_type="regression")
    return ws.runs.create("Any", templates=[["SNV", "PLS"]], datasets=["wheat", "corn"])


CONFIGS = [{"name": "SNV 1"}, {"name": "SNV 2"}]


def fields(ws):
    """The five columns of each row, by id."""
    return {row[0]: row[1:] for row in ws.predictions.scan().select("id", *FIELDS).collect().rows()}


def test_rows_take_what_they_lack(ws, run, add):
    template = run.templates[0]["id"]
    with run:
        todo = run.plan(CONFIGS)
        first, second = [result.id for result in todo if result.dataset_name == "wheat"]
        with run.writer("wheat") as writer:
            rows = [
                {"id": "a", "result_id": first},
                {"id": "b", "result_id": second, "config_name": "mine", "n_samples": 20, "n_features": None},
                {"id": "d"},
                {"id": "e", "result_id": first, "task_type": "classification", "template_id": "t"},
            ]
            keys = {key: None for row in rows for key in row}
            add(writer, [keys | row for row in rows] if add is as_batch else rows)
            for result in todo[:2]:
                writer.checkpoint(result)
    assert fields(ws) == {
        "a": ("SNV 1", template, "regression", 80, 700),
        "b": ("mine", template, "regression", 20, 700),
        "d": (None, None, None, None, None),
        "e": ("SNV 1", "t", "classification", 80, 700),
    }


def test_what_is_set_in_a_planned_result_comes_first(ws, run, add):
    with run:
        result = run.plan(CONFIGS)[0]
        result.n_samples, result.task_type = 75, "classification"
        with run.writer("wheat") as writer:
            add(writer, [{"id": "a", "result_id": result.id}])
            writer.checkpoint(result)
    assert fields(ws)["a"] == ("SNV 1", run.templates[0]["id"], "classification", 75, 700)


def test_a_dataset_that_is_not_registered_says_nothing(ws, run, add):
    with run:
        result = run.plan(CONFIGS)[-1]
        with run.writer("corn") as writer:
            add(writer, [{"id": "a", "result_id": result.id}])
            writer.checkpoint(result)
    assert fields(ws)["a"] == ("SNV 2", run.templates[0]["id"], None, None, None)


def test_a_run_that_was_got_again_knows_the_stored_plan(ws, run, add):
    with run:
        result = run.plan(CONFIGS)[0]
        with n4w.Workspace.open(ws.path).runs.get(run.id).writer("wheat") as writer:
            add(writer, [{"id": "a", "result_id": result.id}])
            (later,) = (it for it in run.plan([{"name": "later"}]) if it.dataset_name == "wheat")
            add(writer, [{"id": "b", "result_id": later.id}])
            writer.checkpoint(result)
            writer.checkpoint(later)
    assert [fields(ws)[row][0] for row in "ab"] == ["SNV 1", "later"]


def test_a_writer_by_the_id_of_the_run_does_the_same(ws, run, add):
    with run:
        result, other = [it for it in run.plan(CONFIGS) if it.dataset_name == "wheat"]
        with ws.predictions.writer(run.id, "wheat") as writer:
            add(writer, [{"id": "a", "result_id": result.id}])
            writer.checkpoint(result)
            add(writer, [{"id": "b", "result_id": other.id, "n_features": 1}])
            writer.checkpoint(other)
    template = run.templates[0]["id"]
    assert fields(ws) == {
        "a": ("SNV 1", template, "regression", 80, 700),
        "b": ("SNV 2", template, "regression", 80, 1),
    }


def test_rows_of_a_run_without_a_plan_are_as_they_are(ws, run, add):
    with run, run.writer("wheat") as writer:
        add(writer, [{"id": "a", "result_id": "r"}])
        writer.checkpoint({"id": "r"})
    assert fields(ws)["a"] == (None,) * 5


def test_a_row_that_is_refused_is_refused_as_it_was(run):
    with run:
        result = run.plan(CONFIGS)[0]
        with run.writer("wheat") as writer:
            writer.write({"id": "a", "result_id": result.id})
            with pytest.raises(ValueError, match="written already"):
                writer.write({"id": "a", "result_id": result.id})
            with pytest.raises(TypeError):
                writer.write({"id": "b", "result_id": result.id, "val_score": "high"})
            writer.checkpoint(result)
    assert run.counts["rows"] == 1
