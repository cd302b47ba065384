"""What nirs4all 0.6 uses and cannot be read is an error; no target is made through a link to nothing."""

import nirs4all_workspace as n4w
import pytest
import yaml
from migrating import listing
from migrations import Old
from unreadable import hurt

PLACES = ("model", "pipeline.json", "binaries/wheat", "binaries")
CASES = [(place, fault) for place in PLACES for fault in ("fifo", "dangling", "loop", "other type")]
CASES = [case for case in CASES if case not in (("binaries", "other type"), ("binaries/wheat", "other type"))]


@pytest.fixture
def old(tmp_path):
    """A folder of one configuration with a pipeline and two models."""
    old = Old(tmp_path / "old")
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    (manifest,) = old.root.glob("runs/wheat/*/manifest.yaml")
    items = [{"path": "model.joblib", "artifact_id": "a"}, {"path": "other.joblib", "artifact_id": "b"}]
    content = yaml.safe_load(manifest.read_text("utf-8")) | {"artifacts": {"items": items}}
    manifest.write_text(yaml.safe_dump(content), "utf-8")
    manifest.with_name("pipeline.json").write_text("{}")
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    for item in items:
        (old.root / "binaries" / "wheat" / item["path"]).write_text(item["path"])
    return old


def place_of(old, place):
    if place == "model":
        return old.root / "binaries" / "wheat" / "model.joblib"
    if place == "pipeline.json":
        (manifest,) = old.root.glob("runs/wheat/*/manifest.yaml")
        return manifest.with_name("pipeline.json")
    return old.root / place


@pytest.mark.parametrize(("place", "fault"), CASES)
def test_it_is_one_error(old, tmp_path, place, fault):
    path = place_of(old, place)
    hurt(path, fault, is_folder=False)
    before = listing(old.root)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert listing(old.root) == before
    told = [(error["path"], error["kind"]) for error in report["errors"]]
    assert told == [(path.relative_to(old.root).as_posix(), "io")], report["errors"]
    assert "left" not in [note["kind"] for note in report["notes"]]
    lost = {"model": 1, "pipeline.json": 0}.get(place, 2)
    assert report["counts"]["source"]["artifacts_missing"] == lost
    assert n4w.Workspace.open(tmp_path / "new").verify(full=True)["problems"] == []


@pytest.mark.parametrize("fault", ["fifo", "dangling", "loop"])
def test_artifacts_that_no_manifest_names(old, tmp_path, fault):
    (old.root / "binaries" / "wheat" / "unnamed.joblib").touch()
    hurt(old.root / "binaries" / "wheat" / "unnamed.joblib", fault, is_folder=False)
    errors = n4w.migrate(old.root, tmp_path / "new")["errors"]
    assert [(it["path"], it["kind"]) for it in errors] == [("binaries/wheat/unnamed.joblib", "io")]


def test_a_model_that_is_not_there_is_a_note(old, tmp_path):
    place_of(old, "model").unlink()
    report = n4w.migrate(old.root, tmp_path / "new")
    assert report["errors"] == []
    assert [note["kind"] for note in report["notes"]] == ["missing_artifacts"]


@pytest.mark.parametrize("below", ["link", "link/new", "link/deep/new"])
def test_a_target_at_a_dangling_link_is_refused(old, tmp_path, below):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a dangling link") as caught:
        n4w.migrate(old.root, tmp_path / below)
    assert caught.value.filename == str(tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]


def test_a_target_at_a_link_to_a_folder(old, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert n4w.migrate(old.root, tmp_path / "link" / "new")["errors"] == []
    assert (tmp_path / "real" / "new" / "workspace.yaml").is_file()
