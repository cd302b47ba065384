"""Names that are not UTF-8: of files, which are one entry each, and of arguments, which name nothing."""

import os
import subprocess

import nirs4all_workspace as n4w
import pytest
from commands import LINE

BAD = "x\udcff"
KINDS = ("dataset", "run", "template", "result", "prediction", "artifact")


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


FILTERS = ("metric", "dataset", "model", "partition", "result", "fold", "task_type")
FILTERS += ("preprocessings_contains",)


@pytest.mark.parametrize("name", [*FILTERS, "cursor", "sort_by", "columns"])
def test_an_argument_is_refused_by_name(made, tmp_path, name):
    ws = made[0]
    given = {name: [BAD] if name == "columns" else BAD}
    calls = [lambda: ws.predictions.page(**given)]
    if name != "cursor":
        calls.append(lambda: ws.predictions.export(tmp_path / "rows.parquet", **given))
    if name in FILTERS:
        calls.append(lambda: ws.predictions.top(**given))
    if name in ("metric", "dataset", "model", "sort_by"):
        calls.append(lambda: ws.results.list(**given))
    for call in calls:
        with pytest.raises(ValueError, match=rf"^{name}(\[0\])? is not valid Unicode"):
            call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "call",
    [
        lambda ws: ws.predictions.page(run=BAD),
        lambda ws: ws.predictions.top(run=BAD),
        lambda ws: ws.predictions.get(BAD),
        lambda ws: ws.predictions.get("1", run_id=BAD),
        lambda ws: ws.results.list(run=BAD),
        lambda ws: ws.results.get(BAD),
        lambda ws: ws.runs.get(BAD),
        lambda ws: ws.runs.delete(BAD),
        lambda ws: ws.summary(BAD),
        lambda ws: ws.lineage(BAD),
        lambda ws: ws.templates.get(BAD),
        lambda ws: ws.datasets.get(BAD),
        lambda ws: ws.artifacts.get(BAD),
        *(lambda ws, kind=kind: ws.trace(kind, BAD) for kind in KINDS),
    ],
)
def test_an_id_names_nothing(made, call):
    with pytest.raises(n4w.NotFoundError, match="udcff"):
        call(made[0])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["predictions", "--model"], 2),
        (["predictions", "--columns"], 2),
        (["predictions", "--cursor"], 2),
        (["predictions", "--run"], 1),
        (["top", "--dataset"], 1),
        (["results", "--run"], 1),
    ],
)
def test_the_command_says_so_in_one_line(made, options, code):
    arguments = [*LINE, options[0], str(made[0].path), options[1], os.fsencode(BAD)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines), "udcff" in lines[0]) == (code, 1, True), done
