"""Deletion of runs behind links and on other drives: what is hidden, what goes, what is left."""

import os
import shutil
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import pytest


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another drive."""
    for place in ("/dev/shm", "/run/shm"):
        if Path(place).is_dir() and Path(place).stat().st_dev != tmp_path.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    pytest.skip("there is no other drive")


def finished(ws, name):
    run = ws.runs.create(name, templates=[[name]], datasets=[name])
    with run:
        (result,) = run.plan([{"name": "only"}])
        with run.writer(name) as writer:
            writer.write({"id": name, "result_id": result.id, "partition": "val", "y_true": [1.0]})
            result.artifacts = [ws.artifacts.put(name.encode())]
            writer.checkpoint(result)
    return run


@pytest.fixture
def ws(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for name in ("wheat", "rye"):
        finished(ws, name)
    return ws


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run_of(ws, name):
    (run,) = (run for run in ws.runs.list() if run.name == name)
    return run


def check_without_wheat(ws):
    """Nothing of one run is told by any answer, and all of the other."""
    ws = n4w.Workspace.open(ws.path)
    listed, page = ws.runs.list(), ws.predictions.page()
    assert ([run.name for run in listed], listed.errors) == (["rye"], [])
    assert ([row["id"] for row in page.records], page.errors) == (["rye"], [])
    assert [result.dataset_name for result in ws.results.list()] == ["rye"]
    assert [one["dataset_name"] for one in ws.summary()["datasets"]] == ["rye"]
    assert ws.predictions.scan().collect()["id"].to_list() == ["rye"]
    assert ws.stats()["workspace"]["runs"]["total"] == 1
    assert [row["id"] for row in ws.predictions.page(run="rye").records] == ["rye"]


def check_nothing_is_left(ws):
    check_without_wheat(ws)
    files = [path for path in ws.path.rglob("*") if path.is_file() and ".cache" not in path.parts]
    assert not [path for path in files if "Wheat" in str(path)]
    assert len(list(ws.artifacts.files())) == 1
    assert names(ws.path / ".trash") == []
    assert [name for name in names(ws.path / "runs") if name.startswith(".")] == []
    assert not [item for item in ws.gc()["items"] if item["kind"] != "lock"]


def test_a_run_that_is_a_link(ws, tmp_path):
    run = run_of(ws, "wheat")
    target = tmp_path / "moved"
    shutil.move(run.path, target)
    run.path.symlink_to(target)
    before = names(target)
    done = ws.runs.delete(run.id)
    # The link is the workspace's, what it leads to may be anybody's.
    assert str(target) in done["kept"]
    assert names(target) == before
    check_nothing_is_left(ws)
    with pytest.raises(n4w.NotFoundError):
        ws.runs.delete(run.id)


def test_a_run_that_is_a_link_to_nothing(ws):
    run = run_of(ws, "wheat")
    shutil.rmtree(run.path)
    run.path.symlink_to("nowhere")
    done = ws.runs.delete(run.id)
    assert done["errors"] == []
    check_without_wheat(ws)
    assert not os.path.lexists(run.path)


@pytest.mark.parametrize("is_link", [False, True])
def test_runs_on_another_drive(ws, elsewhere, tmp_path, is_link):
    run = run_of(ws, "wheat")
    shutil.move(ws.path / "runs", elsewhere / "runs")
    (ws.path / "runs").symlink_to(elsewhere / "runs")
    if is_link:
        shutil.move(run.path, tmp_path / "moved")
        run.path.symlink_to(tmp_path / "moved")
    done = ws.runs.delete(run.id)
    assert done["errors"] == []
    assert (str(tmp_path / "moved") in done["kept"]) == is_link
    check_nothing_is_left(ws)
    # The other one is as it was, and new ones can be made there.
    assert run_of(ws, "rye").summary()["counts"]["done"] == 1
    finished(ws, "oat")


def test_a_trash_on_another_drive(ws, elsewhere):
    (ws.path / ".trash").symlink_to(elsewhere)
    ws.runs.delete(run_of(ws, "wheat").id)
    check_nothing_is_left(ws)


@pytest.mark.parametrize("finish", ["delete", "gc"])
@pytest.mark.parametrize("died", ["before the rename", "after it", "before the mark goes"])
def test_a_deletion_that_died_on_another_drive(ws, elsewhere, died, finish):
    """What each death leaves, made by hand as docs/format.md says, is gone on with or taken back."""
    run = run_of(ws, "wheat")
    shutil.move(ws.path / "runs", elsewhere / "runs")
    (ws.path / "runs").symlink_to(elsewhere / "runs")
    mark = ws.path / ".trash" / run.id
    mark.mkdir(parents=True)
    aside = ws.path / "runs" / f".n4w-deleted-{run.id}"
    if died != "before the rename":
        run.path.rename(aside)
        check_without_wheat(ws)
    if died == "before the mark goes":
        ws.runs.delete(run.id)
        mark.mkdir()
        assert [item["path"] for item in ws.gc()["items"]] == [f".trash/{run.id}"]
    if finish == "delete":
        ws.runs.delete(run.id)
        check_nothing_is_left(ws)
        return
    assert ws.gc(yes=True)["errors"] == []
    if died != "before the rename":
        check_nothing_is_left(ws)
        return
    # It was not deleted yet, and the run is whole again.
    assert {row["id"] for row in ws.predictions.page().records} == {"wheat", "rye"}
    assert {run.name for run in ws.runs.list()} == {"wheat", "rye"}


def test_what_may_hold_more_of_a_run_keeps_it_hidden(ws, tmp_path):
    run = run_of(ws, "wheat")
    (folder,) = (ws.path / "predictions").glob("wheat_*")
    folder.rename(tmp_path / "aside")
    os.mkfifo(folder)
    done = ws.runs.delete(run.id)
    path = folder.relative_to(ws.path).as_posix()
    assert [(error["path"], error["kind"]) for error in done["errors"]] == [(path, "io")]
    assert run.id in names(ws.path / ".trash")
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    check_without_wheat(ws)
    assert ws.gc(yes=True)["errors"] == []
    check_nothing_is_left(ws)
