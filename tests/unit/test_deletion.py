"""Artifacts, deletion and garbage: what is shared stays, what is nobody's goes, death changes nothing."""

import os
import shutil

import nirs4all_workspace as n4w
import pytest
from processes import Worker, tree

# BLAKE3 of b"model", by the reference implementation.
MODEL = "ccca53791b024d98ee5d8c126d923e16f6cede945beb0b93c9abca301ed453e7"


def row(result, **columns):
    return {"result_id": result.id, "partition": "val", "metric": "rmse", "val_score": 0.5} | columns


def finished(ws, name, artifacts=(), datasets=("wheat",)):
    """A completed run with one result a dataset, each naming these artifacts."""
    run = ws.runs.create(name, templates=[[name]], datasets=datasets)
    with run:
        for result in run.plan([{"name": "only"}]):
            with run.writer(result.dataset_name) as writer:
                writer.write(row(result))
                result.artifacts = list(artifacts)
                writer.checkpoint(result)
    return run


def test_content_is_stored_once_under_its_hash(ws, tmp_path):
    file = tmp_path / "model.joblib"
    file.write_bytes(b"model")
    assert ws.artifacts.put(file) == MODEL
    assert ws.artifacts.put(b"model") == MODEL
    path = ws.artifacts.get(MODEL)
    assert path == ws.path / "artifacts" / "cc" / f"{MODEL}.joblib"
    assert path.read_bytes() == b"model"
    assert list(ws.artifacts.files()) == [path]
    assert [item.name for item in (ws.path / "artifacts").rglob("*") if item.is_file()] == [path.name]


def test_a_large_file_is_streamed(ws, tmp_path):
    content = bytes(range(256)) * 40_000
    (tmp_path / "large").write_bytes(content)
    artifact = ws.artifacts.put(tmp_path / "large")
    assert ws.artifacts.put(content) == artifact
    assert ws.artifacts.get(artifact).read_bytes() == content
    assert ws.artifacts.get(artifact).suffix == ".bin"


def test_what_is_no_artifact(ws, tmp_path):
    for artifact in ("", "../workspace.yaml", "0" * 64, "zz", None):
        with pytest.raises(n4w.NotFoundError):
            ws.artifacts.get(artifact)
    with pytest.raises(ValueError, match="extension"):
        ws.artifacts.put(b"a", extension="../a")
    with pytest.raises(FileNotFoundError) as caught:
        ws.artifacts.put(tmp_path / "nowhere")
    assert caught.value.filename == str(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        ws.artifacts.put(tmp_path)
    assert list(ws.artifacts.files()) == []


def test_damaged_and_missing_artifacts_are_problems(ws):
    run = finished(ws, "a", [ws.artifacts.put(b"model"), ws.artifacts.put(b"other")])
    path = ws.artifacts.get(MODEL)
    path.write_bytes(b"Model")
    other = next(found for found in ws.artifacts.files() if found != path)
    other.unlink()
    assert [item["kind"] for item in ws.verify()["problems"]] == ["dangling"]
    kinds = {item["path"].partition("/")[0]: item["kind"] for item in ws.verify(full=True)["problems"]}
    assert kinds == {"artifacts": "corrupt", "runs": "dangling"}
    assert run.results()[0].artifacts[0] == MODEL


def test_deleting_leaves_what_others_name(ws):
    shared, own = ws.artifacts.put(b"shared"), ws.artifacts.put(b"own")
    gone = finished(ws, "gone", [shared, own], datasets=["wheat", "corn"])
    stays = finished(ws, "stays", [shared])
    assert ws.predictions.scan().collect().height == 3
    done = ws.runs.delete(gone.id)
    assert not any(gone.id in name for name in tree(ws.path))
    assert [path.name[:64] for path in ws.artifacts.files()] == [shared]
    assert len([name for name in done["removed"] if name.startswith("artifacts/")]) == 1
    assert done["kept"] == [str(ws.artifacts.get(shared).relative_to(ws.path))]
    assert [run.id for run in ws.runs.list()] == [stays.id]
    assert ws.predictions.scan().collect()["run_id"].to_list() == [stays.id]
    assert ws.verify(full=True)["problems"] == []
    with pytest.raises(n4w.NotFoundError):
        ws.runs.get(gone.id)
    with pytest.raises(n4w.NotFoundError):
        ws.runs.delete(gone.id)


def test_what_a_running_run_just_stored_is_left_to_it(ws):
    """Its result, which names the same content, is not checkpointed yet."""
    gone = finished(ws, "gone", [ws.artifacts.put(b"model")])
    with ws.runs.create("runs"):
        assert ws.artifacts.put(b"model") == MODEL
        ws.runs.delete(gone.id)
        assert ws.artifacts.get(MODEL).exists()
    os.utime(ws.artifacts.get(MODEL), (0, 0))
    assert [item["kind"] for item in ws.gc(yes=True)["items"]] == ["artifact"]


def test_a_run_that_somebody_writes_for_is_not_deleted(ws):
    run = ws.runs.create("a", templates=[[1]], datasets=["wheat"])
    with Worker(ws.path) as owner, Worker(ws.path) as other:
        owner.do(f"str(kept.setdefault('run', ws.runs.get({run.id!r})).transition('running'))")
        other.do(f"kept.setdefault('w', ws.runs.get({run.id!r}).writer('wheat')).write({{'id': 'a'}})")
        other.do("kept['w'].flush()")
        owner.kill()
        assert other.do(f"ws.runs.delete({run.id!r})") == "ConflictError"
        with pytest.raises(n4w.ConflictError, match=str(other.pid)):
            run.resume()
        assert run.status == "running"
        other.kill()
    with run.resume():
        pass
    assert ws.predictions.scan().collect()["id"].to_list() == ["a"]


def test_rests_of_a_deletion_are_finished_by_gc(ws):
    own = ws.artifacts.put(b"own")
    run = finished(ws, "gone", [own])
    stays = finished(ws, "stays")
    (ws.path / ".trash").mkdir()
    run.path.rename(ws.path / ".trash" / run.id)
    assert [item.id for item in ws.runs.list()] == [stays.id]
    assert ws.predictions.scan().collect()["run_id"].to_list() == [stays.id]
    assert "trash" in [note["kind"] for note in ws.verify()["notes"]]
    before = tree(ws.path)
    looked = ws.gc()
    assert [item["kind"] for item in looked["items"]] == ["trash"]
    assert tree(ws.path) == before
    assert [item["kind"] for item in ws.gc(yes=True)["items"]] == ["trash"]
    assert not any(run.id in name for name in tree(ws.path))
    assert ws.artifacts.find(own) is None
    assert ws.verify(full=True)["problems"] == []


def test_a_run_copied_back_is_not_lost_with_the_trash(ws, tmp_path):
    run = finished(ws, "comes back")
    shutil.copytree(ws.path, tmp_path / "copy")
    (ws.path / ".trash").mkdir()
    run.path.rename(ws.path / ".trash" / run.id)
    shutil.copytree(tmp_path / "copy" / "runs", ws.path / "runs", dirs_exist_ok=True)
    ws.gc(yes=True)
    assert ws.predictions.scan().collect().height == 1
    assert ws.verify(full=True)["problems"] == []


def test_artifacts_in_the_making_are_no_garbage(ws):
    ws.artifacts.put(b"fresh")
    old = ws.artifacts.get(ws.artifacts.put(b"old"))
    named = ws.artifacts.get(ws.artifacts.put(b"named"))
    finished(ws, "names it", [named.name[:64]])
    os.utime(old, (0, 0))
    os.utime(named, (0, 0))
    assert [item["path"] for item in ws.gc()["items"]] == [str(old.relative_to(ws.path))]
    ws.artifacts.put(b"old")
    assert ws.gc(yes=True)["items"] == []
    assert len(list(ws.artifacts.files())) == 3


@pytest.mark.parametrize("what", ["folder", "copy", "file", "pipe", "dangling link", "loop"])
def test_what_lies_in_the_trash_hides_no_run_that_is_in_place(ws, what):
    run = finished(ws, "one")
    trash = ws.path / ".trash"
    trash.mkdir(exist_ok=True)
    place = trash / run.id
    make = {
        "folder": place.mkdir,
        "copy": lambda: shutil.copytree(run.path, place),
        "file": place.touch,
        "pipe": lambda: os.mkfifo(place),
        "dangling link": lambda: place.symlink_to("nowhere"),
        "loop": lambda: place.symlink_to(place.name),
    }
    make[what]()
    assert ws.summary()["total_predictions"] == 1
    assert ws.predictions.scan().collect().height == 1
    assert ws.predictions.page().total == 1
    assert ws.stats()["workspace"]["predictions"]["total"] == 1
    assert run.count_rows() == 1
    assert [item["kind"] for item in ws.gc(yes=True)["items"]] == ["trash"]
    assert not os.path.lexists(place)
    assert ws.predictions.page().total == 1
