"""Description, tags and notes of a run can be changed in any status, and runs are found by tag."""

import json

import nirs4all_workspace as n4w
import pytest
import yaml
from commands import n4w as command
from samples import table, write


@pytest.fixture
def run(ws):
    """Give a queued run."""
    return ws.runs.create("First", description="as planned", tags=["a", "b"])


def stored(run):
    return yaml.safe_load((run.path / "run.yaml").read_text("utf-8"))


def test_what_is_not_given_stays(ws, run):
    before = stored(run)
    assert (before["tags"], before["notes"]) == (["a", "b"], None)
    assert run.edit(notes="look at fold 3") is run
    assert stored(run) == before | {"notes": "look at fold 3"}
    run.edit(description=None, tags=["c", " c ", "d"])
    assert stored(run) == before | {"notes": "look at fold 3", "description": None, "tags": ["c", "d"]}
    run.edit(tags=(), notes=None)
    again = ws.runs.get(run.id)
    assert (again.tags, again.notes, again.description) == ([], None, None)


def test_an_edit_is_no_transition(run):
    before = stored(run)
    run.edit(tags=["c"])
    after = stored(run)
    assert (after["revision"], after["history"]) == (before["revision"], before["history"])
    run.transition("cancelled")
    run.edit(notes="given up")
    assert (run.status, run.notes) == (n4w.RunStatus.CANCELLED, "given up")


def test_a_run_that_is_executed_here_or_elsewhere_can_be_edited(ws, run):
    with run:
        ws.runs.get(run.id).edit(tags=["busy"])
    assert (run.tags, run.status) == (["busy"], n4w.RunStatus.COMPLETED)


def test_unknown_keys_survive_and_older_records_have_no_tags(ws, run):
    path = run.path / "run.yaml"
    content = stored(run)
    del content["tags"], content["notes"]
    path.write_text(yaml.safe_dump(content | {"colour": {"of": "mine"}}), "utf-8")
    again = ws.runs.get(run.id)
    assert (again.tags, again.notes) == ([], None)
    again.edit(notes="n")
    assert stored(run) == content | {"colour": {"of": "mine"}, "tags": [], "notes": "n"}


def test_tags_of_another_form_are_none(ws, run):
    path = run.path / "run.yaml"
    path.write_text(yaml.safe_dump(stored(run) | {"tags": "a"}), "utf-8")
    assert (ws.runs.get(run.id).tags, list(ws.runs.list(tag="a"))) == ([], [])
    ws.runs.get(run.id).edit(tags=["a"])
    assert [found.id for found in ws.runs.list(tag="a")] == [run.id]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"tags": "a"}, TypeError),
        ({"tags": [1]}, TypeError),
        ({"tags": ["a", " "]}, ValueError),
        ({"tags": ["\udcff"]}, ValueError),
        ({"description": 3}, TypeError),
        ({"notes": ["a"]}, TypeError),
        ({"notes": "\udcff"}, ValueError),
        ({"name": "Other"}, TypeError),
    ],
)
def test_what_cannot_be_stored_changes_nothing(run, changes, error):
    before = (run.path / "run.yaml").read_bytes()
    with pytest.raises(error):
        run.edit(**changes)
    assert (run.path / "run.yaml").read_bytes() == before


def test_runs_are_found_by_tag(ws, run):
    both = ws.runs.create("Second", tags=["b", "Stra\u00dfe", "cafe\u0301"])
    ws.runs.create("Third")

    def found(**filters):
        return [one.id for one in ws.runs.list(**filters)]

    assert found(tag="b") == [run.id, both.id]
    assert found(tag=["b", "a"]) == [run.id]
    assert found(tag="caf\u00e9") == [both.id]
    assert found(tag="b", status="running") == found(tag="B") == []
    assert len(found()) == len(found(tag=[])) == 3
    run.edit(tags=[])
    assert found(tag="b") == [both.id]


def test_the_cache_knows_an_edit(ws, run):
    assert ws.runs.list().to_dict()["runs"][0]["tags"] == ["a", "b"]
    run.edit(tags=["c"], notes="n")
    (entry,) = ws.runs.list().to_dict()["runs"]
    assert (entry["tags"], entry["notes"]) == (["c"], "n")
    assert run.to_dict()["tags"] == ["c"]


def test_a_change_by_hand_meanwhile_is_not_overwritten(run, monkeypatch):
    from nirs4all_workspace.model import run_record

    path = run.path / "run.yaml"
    held = run_record.changing

    def changed_before(root, run_id, revision):
        path.write_text(yaml.safe_dump(stored(run) | {"revision": revision + 1}), "utf-8")
        return held(root, run_id, revision)

    monkeypatch.setattr(run_record, "changing", changed_before)
    with pytest.raises(n4w.ConflictError):
        run.edit(notes="late")
    assert stored(run)["notes"] is None


def test_a_run_of_an_old_folder_cannot_be_edited(tmp_path):
    write(tmp_path / "old" / "wheat.meta.parquet", table(3))
    (old,) = n4w.Workspace.open(tmp_path / "old").runs.list()
    assert (old.tags, old.notes) == ([], None)
    with pytest.raises(n4w.ReadOnlyError):
        old.edit(notes="n")
    assert command("edit", old.id, tmp_path / "old", "--notes", "n").returncode == 1
    assert old.to_dict()["tags"] == []


def test_the_command_edits_and_filters(ws, run):
    ws.runs.create("Second")
    done = command("edit", run.id, ws.path, "--tag", "x", "--tag", "y", "--notes", "n", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, ws.runs.get(run.id).to_dict())
    assert (run.tags, run.notes, run.description) == (["x", "y"], "n", "as planned")
    listed = json.loads(command("runs", ws.path, "--tag", "x", "--json").stdout)["runs"]
    assert [(one["id"], one["tags"]) for one in listed] == [(run.id, ["x", "y"])]
    assert "x, y" in command("runs", ws.path).stdout
    shown = command("show", run.id, ws.path).stdout
    assert [text in shown for text in ("x, y", "as planned")] == [True, True]
    done = command("edit", run.id, ws.path, "--tag", "", "--description", "")
    assert (done.returncode, run.tags, run.description, run.notes) == (0, [], None, "n")
    assert command("edit", run.id, ws.path).returncode == 2
