"""Names that are not UTF-8: of files, which are one entry each, and of arguments, which name nothing."""

import nirs4all_workspace as n4w
import pytest

BAD = "x\udcff"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with one run of one result."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("names") / "ws")
    run = ws.runs.create("r", templates=[["A"]], datasets=["corn"])
    with run, run.writer("corn") as writer:
        (result,) = run.plan([{"name": "a"}])
        result.artifacts = [ws.artifacts.put(b"model")]
        writer.write({"id": "1", "result_id": result.id, "metric": "rmse", "val_score": 1.0})
        writer.checkpoint(result)
    return ws, run, result


@pytest.fixture(params=[".meta.parquet", ".journal", "", ".folder"])
def beside(request, made):
    """A file or folder beside the segments of a dataset, whose name is not UTF-8."""
    (folder,) = (made[0].path / "predictions").iterdir()
    path = folder / f"{made[1].id}{BAD}{request.param}"
    if request.param == ".folder":
        path.mkdir()
    else:
        path.write_bytes(b"x")
    yield path
    path.rmdir() if request.param == ".folder" else path.unlink()


@pytest.mark.filterwarnings("ignore:.*not UTF-8", "ignore:.*no UTF-8")
def test_a_trace_of_each_kind_is_whole_beside_such_a_file(made, beside):
    ws, run, result = made
    asked = {"dataset": "corn", "run": run.id, "template": run.templates[0]["id"], "result": result.id}
    for kind, id_ in (asked | {"prediction": "1", "artifact": result.artifacts[0]}).items():
        traced = ws.trace(kind, id_)
        assert [one["id"] for one in traced.runs] == [run.id], kind
        assert [one["id"] for one in traced.predictions] == ["1"], kind
        told = [error["path"] for error in traced.errors]
        is_read = beside.name.endswith(".meta.parquet")
        assert told == ([beside.relative_to(ws.path).as_posix()] if is_read else []), kind


@pytest.mark.parametrize("name", ["datasets/ds_\udcff_01234567.yaml", "templates/tpl_\udcff.yaml"])
def test_such_a_record_is_one_entry(made, name):
    ws = made[0]
    path = ws.path / name
    path.touch()
    try:
        for answer in (ws.stats(), ws.prewarm(), ws.datasets.link().to_dict()):
            told = [error["path"].removeprefix(f"{ws.path}/") for error in answer["errors"]]
            assert told == [name], answer
    finally:
        path.unlink()
