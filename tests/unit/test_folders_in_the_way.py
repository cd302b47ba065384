"""Folders of a workspace that vanished are made again; what lies in their place is named by what it is."""

import os
import shutil

import nirs4all_workspace as n4w
import pytest


@pytest.fixture
def made(tmp_path):
    """A workspace with a run that can be deleted, and a dataset that is not registered yet."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("r", templates=[["A"]], datasets=["corn"])
    write(run)
    (tmp_path / "more.csv").write_text("1;2\n3;4\n")
    return ws, run


def write(run):
    with run, run.writer("corn") as writer:
        (result,) = run.plan([{"name": "a"}])
        writer.write({"id": "1", "result_id": result.id, "y_pred": [1.0]})
        writer.checkpoint(result)


def put(ws, _):
    return ws.artifacts.get(ws.artifacts.put(b"model")).read_bytes() == b"model"


def add(ws, _):
    return ws.templates.get(ws.templates.add(["B"])).steps == ["B"]


def register(ws, _):
    return ws.datasets.get(ws.datasets.register(ws.path.parent / "more.csv").id).name == "more"


def delete(ws, run):
    return ws.runs.delete(run.id)["errors"] == []


def write_more(ws, _):
    new = ws.runs.create("n", templates=[["A"]], datasets=["corn"])
    write(new)
    return list(ws.predictions.get("1", new.id, arrays=True)["y_pred"]) == [1.0]


CASES = [
    ("templates", add),
    ("datasets", register),
    ("artifacts", put),
    (".locks", put),
    (".locks", add),
    (".locks", register),
    (".locks", delete),
    (".locks/runs", delete),
    (".trash", delete),
    ("predictions", write_more),
    ("arrays", write_more),
]


@pytest.mark.parametrize(("name", "call"), CASES)
def test_a_folder_that_vanished_is_made_again(made, name, call):
    shutil.rmtree(made[0].path / name, ignore_errors=True)
    assert call(*made)


@pytest.mark.parametrize("kind", ["dangling", "file"])
@pytest.mark.parametrize(("name", "call"), CASES)
def test_what_is_in_the_way_is_named(made, name, call, kind):
    place = made[0].path / name
    shutil.rmtree(place, ignore_errors=True)
    if kind == "dangling":
        place.symlink_to("/nonexistent/x")
    else:
        place.touch()
    with pytest.raises(OSError, match="dangling link" if kind == "dangling" else "directory") as caught:
        call(*made)
    assert caught.value.filename == str(place)
    assert not isinstance(caught.value, FileExistsError)


def test_a_workspace_below_a_dangling_link(tmp_path):
    (tmp_path / "link").symlink_to("/nonexistent/x")
    with pytest.raises(OSError, match="dangling link") as caught:
        n4w.Workspace.create(tmp_path / "link" / "ws")
    assert caught.value.filename == str(tmp_path / "link")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_artifact_that_cannot_be_stored_names_a_folder_that_exists(ws):
    ws.artifacts.folder.chmod(0o555)
    with pytest.raises(PermissionError) as caught:
        ws.artifacts.put(b"x")
    assert caught.value.filename == str(ws.artifacts.folder)
