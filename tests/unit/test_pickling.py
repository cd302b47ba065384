"""What users hold goes to other processes by path and id, and says by name why it does not."""

import copy
import multiprocessing
import pickle

import nirs4all_workspace as n4w
import pytest
from samples import table, write


@pytest.fixture
def filled(ws, tmp_path):
    """Give a workspace with a finished run and a dataset."""
    (tmp_path / "wheat.csv").write_text("1100;1102;1104\n0.1;0.2;0.3\n0.2;0.3;0.4\n", "utf-8")
    ws.datasets.register(tmp_path / "wheat.csv")
    run = ws.runs.create("Any", templates=[["SNV"]], datasets=["wheat"], tags=["a"])
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "SNV"}])
        row = {"result_id": result.id, "metric": "rmse", "val_score": 0.5, "partition": "val"}
        writer.write({"id": "1", "model_name": "PLS", **row})
        writer.checkpoint(result)
    return ws


COPIES = [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]


@pytest.fixture(params=COPIES, ids=["copy", "deepcopy", "pickle"])
def again(request):
    return request.param


def test_a_workspace_is_opened_again(filled, again):
    other = again(filled)
    assert (other.path, other.manifest, len(other.runs.list())) == (filled.path, filled.manifest, 1)
    assert other.datasets.list() == filled.datasets.list()


def test_what_a_workspace_hands_out_belongs_to_it(filled, again):
    for name in ("runs", "templates", "results", "predictions", "artifacts", "datasets"):
        other = again(getattr(filled, name))
        assert type(other) is type(getattr(filled, name))
    assert again(filled.predictions).top(1)[0]["id"] == "1"


def test_a_run_is_got_again_and_not_owned(filled, again):
    (run,) = filled.runs.list()
    other = again(run)
    assert (type(other), other.id, other.status, other.tags) == (n4w.Run, run.id, run.status, ["a"])
    waits = filled.runs.create("Waits")
    held = again(waits)
    with waits:
        assert held.status is n4w.RunStatus.RUNNING
    filled.runs.delete(waits.id)
    if again not in COPIES[:2]:
        with pytest.raises(n4w.NotFoundError):
            pickle.loads(pickle.dumps(held))


def held(ws):
    run = ws.runs.list()[0]
    return {
        "result": run.results()[0],
        "results": run.results(),
        "page of results": ws.results.list(),
        "dataset": ws.datasets.list()[0],
        "datasets": ws.datasets.list(),
        "page": ws.predictions.page(),
        "ranking": ws.predictions.top(1),
        "template": ws.templates.get(run.templates[0]["id"]),
        "usage": ws.templates.usage(),
        "plan": run.plan([{"name": "other"}]),
        "plan with progress": run.plan([{"name": "other"}], progress=True),
        "metric": n4w.metric_info("rmse"),
        "summary": ws.summary(),
        "resolution": ws.datasets.resolve("wheat"),
        "link": ws.datasets.link(),
    }


def test_records_are_equal_to_their_copies(filled, again):
    for name, one in held(filled).items():
        other = again(one)
        assert other == one, name
        for attribute in ("errors", "total", "metric", "offset"):
            assert getattr(other, attribute, None) == getattr(one, attribute, None), (name, attribute)


def test_records_without_equality_say_the_same(filled, again):
    run = filled.runs.list()[0]
    for one in (filled.lineage(run.id), filled.trace("run", run.id), filled.runs.list()):
        assert again(one).to_dict() == one.to_dict()
    header = filled.runs.list().headers[0]
    other = again(header)
    assert (other.id, other.stamp, other.entry()) == (header.id, header.stamp, header.entry())
    index = n4w.FileIndex(filled.path)
    assert (again(index).root, len(again(index))) == (index.root, len(index))
    usage = filled.datasets.list()[0].usage
    assert again(filled.datasets.list()[0]).usage == usage


def test_runs_of_an_old_folder_too(tmp_path, again):
    write(tmp_path / "old" / "wheat.meta.parquet", table(3))
    (run,) = n4w.Workspace.open(tmp_path / "old").runs.list()
    assert again(run).to_dict() == run.to_dict()


def test_what_cannot_be_pickled_says_why_by_name(filled, again):
    run = filled.runs.create("Other")
    with run, run.writer("wheat") as writer, pytest.raises(TypeError, match=r"Writer.*run\.writer"):
        again(writer)
    with pytest.raises(TypeError, match="Watch"):
        again(filled.watch())


def in_another_process(workspace, run, result):
    """What a worker does with what it is given."""
    with run.writer("wheat") as writer:
        writer.write({"id": "from afar", "result_id": result.id, "val_score": 0.25, "metric": "rmse"})
        writer.checkpoint(result)
    owned = False
    try:
        run.transition("completed")
    except n4w.WorkspaceError:
        owned = True
    return str(workspace.path), run.status.value, owned


def test_a_spawned_process_works_on_them(filled):
    run = filled.runs.create("Other", templates=[["SNV"]], datasets=["wheat"])
    with run:
        (result,) = run.plan([{"name": "SNV"}])
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            path, status, owned = pool.apply(in_another_process, (filled, run, result))
    assert (path, status, owned) == (str(filled.path), "running", True)
    assert filled.predictions.get("from afar")["config_name"] == "SNV"
    assert run.counts["done"] == 1
