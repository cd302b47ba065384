"""Opening and creating workspaces: what is promised, and every documented error."""

import datetime
import gc
import os
import pickle
import uuid
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import yaml
from nirs4all_workspace import exceptions
from samples import table, write

FOLDERS = {"templates", "datasets", "runs", "predictions", "arrays", "artifacts"}


def tree(folder):
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def test_a_new_workspace(tmp_path):
    made = n4w.Workspace.create(tmp_path / "deep" / "er" / "ws")
    manifest = yaml.safe_load((made.path / "workspace.yaml").read_text(encoding="utf-8"))
    assert manifest["format_version"] == 2
    assert uuid.UUID(str(manifest["workspace_id"]))
    created = manifest["created_at"]
    created = datetime.datetime.fromisoformat(created) if isinstance(created, str) else created
    assert created.utcoffset() == datetime.timedelta(0)
    assert "nirs4all-workspace" in manifest["created_by"]
    assert {path.name for path in made.path.iterdir()} == FOLDERS | {"workspace.yaml"}
    opened = n4w.Workspace.open(made.path)
    assert (opened.format_version, opened.is_writable) == (2, True)
    assert opened.manifest == made.manifest == manifest
    summary = opened.summary()
    assert (summary["total_predictions"], summary["datasets"], summary["errors"]) == (0, [], [])


def test_two_workspaces_have_two_ids(tmp_path):
    one, two = (n4w.Workspace.create(tmp_path / name) for name in "ab")
    assert one.manifest["workspace_id"] != two.manifest["workspace_id"]


def test_what_lies_in_the_folder_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "old").write_text("mine too")
    n4w.Workspace.create(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "runs" / "old").read_text() == "mine too"


def test_no_absolute_path_stands_inside(tmp_path):
    made = n4w.Workspace.create(tmp_path / "ws")
    assert str(tmp_path) not in (made.path / "workspace.yaml").read_text()


@pytest.mark.parametrize("missing", [None, "artifacts", "predictions", "runs"])
def test_creating_over_a_workspace_changes_nothing(tmp_path, missing):
    """Also where an empty folder got lost, as Git and zip programs lose them."""
    n4w.Workspace.create(tmp_path)
    if missing:
        (tmp_path / missing).rmdir()
    before = tree(tmp_path)
    with pytest.raises(n4w.ConflictError) as caught:
        n4w.Workspace.create(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert tree(tmp_path) == before


def test_creating_in_a_folder_of_0_6_is_refused(tmp_path):
    write(tmp_path / "wheat.meta.parquet", table())
    before = tree(tmp_path)
    with pytest.raises(n4w.ConflictError, match=r"0\.6"):
        n4w.Workspace.create(tmp_path)
    assert tree(tmp_path) == before


def test_creating_where_a_file_lies(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file") as caught:
        n4w.Workspace.create(tmp_path / "file")
    assert caught.value.errno
    assert Path(caught.value.filename) == tmp_path / "file"
    with pytest.raises(NotADirectoryError):
        n4w.Workspace.create(tmp_path / "file" / "below")


def test_opening_what_is_not_there(tmp_path):
    with pytest.raises(n4w.NotFoundError) as caught:
        n4w.Workspace.open(tmp_path / "nowhere")
    assert caught.value.path == str(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(n4w.NotFoundError):
        n4w.Workspace.open(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(n4w.NotFoundError):
        n4w.Workspace.open(tmp_path / "dangling")


def test_a_plain_folder_opens_as_format_1(demo):
    opened = n4w.Workspace.open(demo)
    assert (opened.format_version, opened.manifest, opened.is_writable) == (1, {}, True)
    assert "demo" in repr(opened)


def test_text_and_relative_paths(demo, monkeypatch):
    monkeypatch.chdir(demo.parent)
    for path in ("demo", "./demo/", str(demo), Path("demo"), os.fspath(demo) + "/../demo"):
        assert n4w.Workspace.open(path).summary()["total_predictions"] == 390
    monkeypatch.chdir(demo)
    assert n4w.Workspace.open(".").predictions.rebuild_summaries()["errors"] == []
    assert n4w.Workspace.open(".").summary()["scanned"] == []


BAD_YAML = {
    "unclosed": ("format_version: 2\nname: [1, 2\n", 3),
    "tab": ("format_version: 2\nx:\n\t- a\n", 3),
    "colon": ("format_version: 2\na: b: c\n", 2),
    "tag": ("format_version: 2\na: !!python/object:os.system x\n", 2),
    "alias": ("format_version: 2\na: *nowhere\n", 2),
    "control character": ("format_version: 2\na: \0\n", 2),
    "date": ("format_version: 2\ncreated_at: 2026-13-45\n", None),
    "number": ("format_version: !!int two\n", None),
    "deep": ("format_version: 2\na: " + "[" * 5_000 + "\n", None),
    "two documents": ("format_version: 2\n---\nformat_version: 2\n", None),
    "unhashable key": ("format_version: 2\n? [a]\n: b\n", 2),
}


@pytest.mark.parametrize("case", BAD_YAML)
def test_bad_yaml_names_the_file_and_the_line(tmp_path, case):
    text, line = BAD_YAML[case]
    (tmp_path / "workspace.yaml").write_text(text)
    with pytest.raises(n4w.CorruptFileError) as caught:
        n4w.Workspace.open(tmp_path)
    assert caught.value.path == str(tmp_path / "workspace.yaml")
    if line is not None:
        assert f"line {line}" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"text", b"42", b"null", b"\xff\xfe\xfa"])
def test_a_manifest_that_is_no_mapping(tmp_path, content):
    (tmp_path / "workspace.yaml").write_bytes(content)
    with pytest.raises(n4w.CorruptFileError, match=r"workspace\.yaml"):
        n4w.Workspace.open(tmp_path)


@pytest.mark.parametrize("version", ["two", "-1", "0", "1.5", "true", "null", "[2]", "'2'", ".nan", ""])
def test_a_bad_format_version(tmp_path, version):
    (tmp_path / "workspace.yaml").write_text(f"format_version: {version}\n")
    with pytest.raises(n4w.CorruptFileError, match="format_version"):
        n4w.Workspace.open(tmp_path)


def test_a_manifest_that_cannot_be_read(tmp_path):
    (tmp_path / "workspace.yaml").mkdir()
    with pytest.raises(OSError, match=r"workspace\.yaml") as caught:
        n4w.Workspace.open(tmp_path)
    assert caught.value.errno


@pytest.mark.parametrize("version", [3, 4, 10**20])
def test_a_newer_format_opens_and_is_not_written(tmp_path, version):
    made = n4w.Workspace.create(tmp_path)
    path = write(tmp_path / "predictions" / "wheat" / "run.w.meta.parquet", table())
    manifest = made.manifest | {"format_version": version, "from the future": [1]}
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(manifest))
    before = path.read_bytes()
    opened = n4w.Workspace.open(tmp_path)
    assert (opened.format_version, opened.is_writable) == (version, False)
    assert opened.manifest["from the future"] == [1]
    assert opened.summary()["total_predictions"] == 60
    assert len(opened.predictions.top(3)) == 3
    with pytest.raises(n4w.SchemaError, match="update") as caught:
        opened.predictions.rebuild_summaries()
    assert caught.value.path == str(tmp_path)
    assert path.read_bytes() == before
    assert [note["kind"] for note in opened.verify()["notes"] if note["path"] == "workspace.yaml"] == [
        "newer_format"
    ]


def test_an_unknown_dataset(demo):
    with pytest.raises(n4w.NotFoundError, match="barley"):
        n4w.Workspace.open(demo).summary("barley")


def test_a_workspace_that_vanishes(demo):
    import shutil

    opened = n4w.Workspace.open(demo)
    shutil.rmtree(demo)
    for call in (opened.summary, opened.verify, opened.predictions.top, opened.predictions.rebuild_summaries):
        with pytest.raises(FileNotFoundError) as caught:
            call()
        assert caught.value.filename == str(demo)
    with pytest.raises(FileNotFoundError):
        n4w.read_summaries(demo)


CLASSES = [
    kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)
]


def test_every_promised_exception_is_there():
    assert {kind.__name__ for kind in CLASSES} >= {
        "WorkspaceError", "InvalidTransitionError", "ConflictError", "LockTimeoutError", "CorruptFileError",
        "SchemaError", "UnknownMetricError", "NotFoundError",
    }  # fmt: skip
    for kind in CLASSES:
        assert getattr(n4w, kind.__name__) is kind
        assert issubclass(kind, n4w.WorkspaceError)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("path", [None, "/some/where"])
def test_exceptions_survive_pickling(kind, path):
    error = kind("what happened", path)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.path, str(again)) == ("what happened", path, str(error))
    assert "what happened" in str(again)
    assert (path or "") in str(again)


def test_raised_exceptions_survive_pickling(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"bad")
    for path in (tmp_path / "bad.parquet", tmp_path / "nowhere.parquet"):
        [error] = n4w.read_footers([path])
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
        if isinstance(error, OSError):
            assert (again.errno, again.filename) == (error.errno, error.filename) == (2, str(path))


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_of_cycles_is_left_as_it_was(tmp_path, is_enabled):
    write(tmp_path / "wheat.meta.parquet", table(10))
    (gc.enable if is_enabled else gc.disable)()
    try:
        assert n4w.Workspace.open(tmp_path).summary()["total_predictions"] == 10
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no folder in which the system makes none")
@pytest.mark.parametrize("place", ["/proc/ws", "/proc/self/fd/deeper/ws", "/dev/fd/ws"])
def test_where_no_folder_can_be_made_is_said(place):
    with pytest.raises(OSError, match="/"):
        n4w.Workspace.create(place)
