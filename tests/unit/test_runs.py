"""Runs: what is written, who owns them, what a `with` block does, and what damage does."""

import json
import os
import time

import nirs4all_workspace as n4w
import pytest
import yaml
from processes import Worker, in_fork, tree


def loaded(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def edit(path, **changes):
    path.write_text(yaml.safe_dump(loaded(path) | changes, sort_keys=False), encoding="utf-8")


def test_the_files_of_a_run(ws):
    run = ws.runs.create(
        "Blé & maïs/1",
        templates=[n4w.Template([{"_or_": ["SNV", "MSC"]}], "pretreatments", "two", 2)],
        datasets=["wheat", "corn"],
        description="first",
        config={"cv_folds": 5, "random_state": None},
        parent_run="an older one",
        modifications=[{"type": "dataset_added", "dataset": "corn"}],
    )
    day, slug, digits = run.id.split("_")
    assert (day, slug, len(digits)) == (run.created_at[:10], "Ble-mais-1", 12)
    assert sorted(path.name for path in run.path.iterdir()) == [
        "config.yaml",
        "datasets.yaml",
        "run.yaml",
        "templates.yaml",
    ]
    record = loaded(run.path / "run.yaml")
    assert next(iter(record)) == "schema_version"
    assert (record["id"], record["name"], record["status"]) == (run.id, "Blé & maïs/1", "queued")
    assert record["parent_run"] == "an older one"
    assert record["modifications"] == [{"type": "dataset_added", "dataset": "corn"}]
    reference = {"name": "pretreatments", "description": "two", "expansion_count": 2}
    stored = loaded(run.path / "templates.yaml")["templates"]
    assert stored == [{"id": ws.templates.list()[0], **reference}]
    unknown = {"id": None, "hash": None, "file_size": None, "quick_hash": None, "path": None}
    assert loaded(run.path / "datasets.yaml")["datasets"] == [
        unknown | {"name": "wheat"},
        unknown | {"name": "corn"},
    ]
    assert loaded(run.path / "config.yaml") == {"schema_version": "1.0", "cv_folds": 5, "random_state": None}
    assert ws.verify(full=True) == {"problems": [], "notes": []}


def test_ids_do_not_repeat_and_lists_are_in_order(ws):
    runs = [ws.runs.create("same") for _ in range(20)]
    assert len({run.id for run in runs}) == 20
    assert [run.id for run in ws.runs.list()] == [run.id for run in runs]


def test_lists_are_filtered(ws):
    steps = [[1], [2]]
    a = ws.runs.create("a", templates=steps[:1], datasets=["wheat"])
    b = ws.runs.create("b", templates=steps, datasets=["corn"])
    b.transition("cancelled")
    ids = lambda **filters: [run.id for run in ws.runs.list(**filters)]  # noqa: E731
    assert ids(status="queued") == [a.id]
    assert ids(dataset="corn") == [b.id]
    shared, own = (reference["id"] for reference in b.templates)
    assert ids(template=shared) == [a.id, b.id] == ws.templates.runs_using(shared)
    assert ws.templates.runs_using(own) == [b.id]
    with pytest.raises(ValueError, match="idle"):
        ws.runs.list(status="idle")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": 7}, ValueError),
        ({"name": "a", "datasets": "wheat"}, TypeError),
        ({"name": "a", "datasets": ["wheat", "wheat"]}, ValueError),
        ({"name": "a", "datasets": [""]}, ValueError),
        ({"name": "a", "datasets": [3]}, TypeError),
        ({"name": "a", "templates": n4w.Template([1])}, TypeError),
        ({"name": "a", "templates": [[1], [1.0]]}, ValueError),
        ({"name": "a", "templates": [[object()]]}, TypeError),
        ({"name": "a", "templates": ["tpl_0123456789abcdef"]}, n4w.NotFoundError),
        ({"name": "a", "config": {"schema_version": 2}}, TypeError),
        ({"name": "a", "config": [1]}, TypeError),
        ({"name": "a", "parent_run": 1}, TypeError),
        ({"name": "a", "modifications": [{"dataset": "b"}]}, ValueError),
    ],
)
def test_what_cannot_be_a_run_leaves_none(ws, arguments, error):
    with pytest.raises(error):
        ws.runs.create(**arguments)
    assert list((ws.path / "runs").iterdir()) == []


def test_datasets_by_path_name_id_and_record(ws, tmp_path):
    file = tmp_path / "oats.csv"
    file.write_bytes(b"1,2\n3,4\n")
    by_path = ws.runs.create("path", datasets=[file]).datasets[0]
    (record,) = ws.datasets.list()
    assert (by_path["id"], by_path["name"], by_path["hash"]) == (record.id, "oats", record.hash)
    assert (by_path["file_size"], by_path["path"]) == (8, str(file))
    for same in ("oats", record.id, record, str(file)):
        assert ws.runs.create("again", datasets=[same]).datasets == [by_path]
    given = {"name": "rye", "id": "ds_rye_01234567", "file_size": 3}
    assert ws.runs.create("record", datasets=[given]).datasets[0]["file_size"] == 3
    with pytest.raises(n4w.NotFoundError):
        ws.runs.create("unknown", datasets=["ds_rye_01234567"])
    file.write_bytes(b"other content")
    ws.datasets.register(file, name="oats")
    with pytest.raises(n4w.NotFoundError, match="several"):
        ws.runs.create("ambiguous", datasets=["oats"])


def test_a_block_completes(ws):
    run = ws.runs.create("block")
    with run as same:
        assert same is run
        assert (run.status, run.should_stop, run.is_owned) == ("running", False, True)
        assert run.record["owner"]["pid"] == os.getpid()
    assert (run.status, run.is_owned) == ("completed", False)
    assert [entry["to"] for entry in run.history] == ["queued", "running", "completed"]
    summary = loaded(run.path / "summary.yaml")
    assert summary["started_at"] == run.history[1]["time"]
    assert summary["completed_at"] <= run.history[2]["time"]


def test_a_block_that_raises_fails_and_keeps_the_traceback(ws):
    run = ws.runs.create("block")
    with pytest.raises(ZeroDivisionError, match="division"), run:
        1 / 0  # noqa: B018
    assert run.status == "failed"
    assert run.history[-1]["reason"] == "ZeroDivisionError: division by zero"
    assert "test_runs.py" in run.history[-1]["traceback"]
    assert loaded(run.path / "summary.yaml")["errors"] == [{"error": "ZeroDivisionError: division by zero"}]
    assert not run.is_owned


def test_the_keyboard_pauses(ws):
    run = ws.runs.create("block")
    with pytest.raises(KeyboardInterrupt), run:
        raise KeyboardInterrupt
    assert run.status == "paused"


@pytest.mark.parametrize("to", ["paused", "cancelled"])
def test_a_request_is_honoured_at_the_end(ws, to):
    run = ws.runs.create("block")
    with Worker(ws.path) as other, run:
        assert other.do(f"ws.runs.get({run.id!r}).transition({to!r}, 'maintenance')") == "running"
        assert run.should_stop
    assert (run.status, run.requested) == (to, None)
    assert "maintenance" in run.history[-1]["reason"]


def test_a_block_may_end_the_run_itself(ws):
    run = ws.runs.create("block")
    with run:
        run.transition("cancelled", "enough")
        assert run.should_stop
    assert [entry["to"] for entry in run.history] == ["queued", "running", "cancelled"]


def test_death_of_the_owner_is_seen_by_everybody(ws):
    run = ws.runs.create("dies")
    with Worker(ws.path) as owner:
        assert (
            owner.do(f"str(kept.setdefault('run', ws.runs.get({run.id!r})).transition('running'))")
            == "running"
        )
        assert (run.status, run.is_interrupted) == ("running", False)
        with pytest.raises(n4w.ConflictError, match=str(owner.pid)):
            run.resume()
        with pytest.raises(n4w.ConflictError, match=str(owner.pid)):
            ws.runs.delete(run.id)
        owner.kill()
        content = tree(ws.path)
        assert (run.status, run.is_interrupted) == ("running", True)
        assert tree(ws.path) == content, "looking wrote something"
    notes = ws.verify()["notes"]
    assert [note["kind"] for note in notes] == ["interrupted"]
    with pytest.raises(n4w.ConflictError):
        run.transition("completed")
    assert ws.recover()["runs"] == [{"run_id": run.id, "status": "failed"}]
    assert run.history[-1]["reason"] == "owner died"
    assert ws.recover()["runs"] == []


def test_resuming_an_interrupted_run(ws):
    run = ws.runs.create("dies")
    with Worker(ws.path) as owner:
        owner.do(f"str(kept.setdefault('run', ws.runs.get({run.id!r})).transition('running'))")
        owner.kill()
    with run.resume():
        assert run.is_owned
    path = ["queued", "running", "failed", "queued", "running", "completed"]
    assert [entry["to"] for entry in run.history] == path
    assert run.history[2]["reason"] == "owner died"
    with pytest.raises(n4w.InvalidTransitionError, match="completed"):
        run.resume()


def test_a_failed_run_can_be_resumed_or_retried(ws):
    run = ws.runs.create("fails")
    run.transition("running")
    run.transition("failed")
    with pytest.raises(n4w.InvalidTransitionError), run:
        pass
    with run.resume():
        pass
    assert run.status == "completed"


def test_a_fork_owns_nothing(ws):
    run = ws.runs.create("forks")
    with run:
        assert in_fork(lambda: run.transition("completed")) == "RuntimeError"
        assert in_fork(lambda: run.resume()) == "RuntimeError"
        assert in_fork(lambda: run.__enter__()) == "RuntimeError"
        assert in_fork(lambda: ws.runs.delete(run.id)) == "RuntimeError"
        assert in_fork(lambda: run.should_stop) == "False"
        assert in_fork(lambda: run.status) == "running"
        assert run.is_owned
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            os._exit(0 if run.status == "paused" and run.resume() is run else 1)
        run.transition("paused")
    os.write(writer, b"g")
    assert os.waitpid(child, 0)[1] == 0, "a fork may run what its parent does not run any more"
    assert run.is_interrupted


def test_the_owners_death_is_seen_though_its_fork_lives(ws):
    run = ws.runs.create("forks")
    with Worker(ws.path) as owner:
        owner.do(f"str(kept.setdefault('run', ws.runs.get({run.id!r})).transition('running'))")
        child = owner.do("__import__('os').fork() or __import__('time').sleep(30)")
        owner.process.send_signal(9)
        owner.process.wait()
        try:
            until = time.monotonic() + 10  # the child lets go of the lock when it gets to run
            while not run.is_interrupted and time.monotonic() < until:
                time.sleep(0.01)
            assert run.is_interrupted
        finally:
            os.kill(child, 9)


def test_claiming_goes_by_age(ws):
    runs = [ws.runs.create(f"{index}") for index in range(3)]
    runs[0].transition("cancelled")
    claimed = ws.runs.claim_next()
    assert claimed.id == runs[1].id
    assert (claimed.status, claimed.is_owned, claimed.record["attempts"]) == ("running", True, 1)
    with claimed:
        assert ws.runs.claim_next().id == runs[2].id
        assert ws.runs.claim_next() is None
    assert claimed.status == "completed"


def test_a_paused_run_is_claimed_on_request_only(ws):
    run = ws.runs.create("pauses")
    run.transition("running")
    run.transition("paused")
    assert ws.runs.claim_next() is None
    run.request("running")
    assert run.requested == "running"
    assert ws.runs.claim_next().id == run.id
    assert run.requested is None
    assert not run.should_stop


def test_three_attempts(ws):
    run = ws.runs.create("kills its workers")
    for attempt in range(1, 4):
        with Worker(ws.path) as worker:
            assert worker.do("kept.setdefault('run', ws.runs.claim_next()).id") == run.id
            assert run.record["attempts"] == attempt
            worker.kill()
        assert ws.runs.claim_next() is None
        status = "queued" if attempt < 3 else "failed"
        assert ws.recover()["runs"] == [{"run_id": run.id, "status": status}]
    assert ws.runs.claim_next() is None
    run.transition("queued", "fixed")
    assert ws.runs.claim_next().record["attempts"] == 1


def test_a_waiting_run_that_cannot_be_taken_is_told_once_no_other_waits(ws):
    stuck, free = ws.runs.create("stuck"), ws.runs.create("free")
    lock = ws.path / ".locks" / "runs" / f"{stuck.id}.owner.lock"
    lock.mkdir(parents=True)
    assert ws.runs.claim_next().id == free.id
    with pytest.raises(IsADirectoryError):
        ws.runs.claim_next()
    lock.rmdir()
    assert ws.runs.claim_next().id == stuck.id


def test_damage_is_one_flagged_entry(ws):
    good, bad, empty = (ws.runs.create(name) for name in ("good", "bad", "empty"))
    (bad.path / "run.yaml").write_text("schema_version: '1.0'\nname: bad\nstatus: idle\n")
    (empty.path / "run.yaml").unlink()
    listed = ws.runs.list()
    assert [run.id for run in listed] == [good.id]
    assert {error["path"] for error in listed.errors} == {f"runs/{run.id}/run.yaml" for run in (bad, empty)}
    assert {error["kind"] for error in listed.errors} == {"corrupt"}
    with pytest.raises(n4w.CorruptFileError, match=r"key 'status' in line 3 is 'idle'") as caught:
        ws.runs.get(bad.id)
    assert caught.value.path == str(bad.path / "run.yaml")
    assert ws.runs.claim_next().id == good.id
    assert len(ws.verify()["problems"]) == 2
    assert [note["kind"] for note in ws.gc()["notes"]] == ["unreadable"]


@pytest.mark.parametrize("damage", ["templates: 3", "templates: [1]", "{", None])
def test_what_a_damaged_run_may_use_is_no_garbage(ws, damage):
    run = ws.runs.create("a", templates=[["used"]])
    template = run.templates[0]["id"]
    os.utime(ws.templates.path(template), (0, 0))
    file = run.path / "templates.yaml"
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    done = ws.gc(yes=True)
    assert (done["items"], [note["kind"] for note in done["notes"]]) == ([], ["unreadable"])
    assert ws.templates.list() == [template]
    where = f"runs/{run.id}/templates.yaml"
    assert [item["path"] for item in ws.verify()["problems"]] == [where]
    assert [item["path"] for item in ws.runs.list(template=template).errors] == [where]


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "", "\x00", "revision: one\nstatus: queued", "history: {}\nstatus: queued"]
)
def test_no_content_breaks_a_list(ws, text):
    run = ws.runs.create("bad")
    (run.path / "run.yaml").write_text(text)
    assert [error["kind"] for error in ws.runs.list().errors] == ["corrupt"]


def test_newer_records_are_read_and_not_written(ws):
    run = ws.runs.create("newer")
    edit(run.path / "run.yaml", schema_version="2.0", invented={"a": 1})
    content = tree(ws.path)
    assert [item.name for item in ws.runs.list()] == ["newer"]
    for call in (
        lambda: run.transition("cancelled"),
        lambda: run.resume(),
        lambda: run.plan([]),
        lambda: run.__enter__(),
    ):
        with pytest.raises(n4w.SchemaError, match=r"2\.0"):
            call()
    assert ws.runs.claim_next() is None
    assert tree(ws.path) == content
    edit(run.path / "run.yaml", status="dreaming")
    assert [error["kind"] for error in ws.runs.list().errors] == ["schema"]


def test_unknown_keys_survive(ws):
    run = ws.runs.create("minor")
    edit(run.path / "run.yaml", schema_version="1.7", invented={"a": [1, None]})
    with run:
        pass
    record = loaded(run.path / "run.yaml")
    assert (record["status"], record["invented"], record["schema_version"]) == (
        "completed",
        {"a": [1, None]},
        "1.7",
    )


def test_missing_keys_have_defaults(ws):
    run = ws.runs.create("sparse")
    (run.path / "run.yaml").write_text("status: queued\n")
    same = ws.runs.get(run.id)
    assert (same.name, same.history, same.requested, same.description) == (run.id, [], None, None)
    with same:
        pass
    assert same.status == "completed"


def test_an_edit_by_hand_while_the_state_changes_is_not_lost(ws):
    run = ws.runs.create("edited")
    run.record  # noqa: B018
    edit(run.path / "run.yaml", description="by hand")
    run.transition("cancelled")
    assert loaded(run.path / "run.yaml")["description"] == "by hand"


@pytest.mark.parametrize("run_id", ["nothing", "", "../runs", "a/b", "."])
def test_there_is_no_such_run(ws, run_id):
    with pytest.raises(n4w.NotFoundError):
        ws.runs.get(run_id)
    with pytest.raises(n4w.NotFoundError):
        ws.runs.delete(run_id)


def test_old_and_newer_workspaces_are_not_written(demo, tmp_path):
    old = n4w.Workspace.open(demo)
    newer = n4w.Workspace.create(tmp_path / "newer")
    newer.manifest["format_version"] = 3
    for ws in (old, newer):
        for call in (
            lambda: ws.runs.create("a"),  # noqa: B023
            lambda: ws.templates.add(n4w.Template([1])),  # noqa: B023
            lambda: ws.artifacts.put(b"a"),  # noqa: B023
            lambda: ws.runs.claim_next(),  # noqa: B023
            lambda: ws.runs.delete("a"),  # noqa: B023
            lambda: ws.recover(),  # noqa: B023
            lambda: ws.gc(yes=True),  # noqa: B023
        ):
            with pytest.raises(n4w.SchemaError):
                call()
        assert ws.runs.list().writable() == []


def test_a_run_being_made_is_not_listed(ws):
    draft = ws.path / "runs" / ".n4w-new-x"
    draft.mkdir()
    (draft / "run.yaml").write_text("status: queued")
    assert (list(ws.runs.list()), ws.runs.list().errors) == ([], [])
    assert ws.gc()["items"] == []
    os.utime(draft, (time.time() - 200_000,) * 2)
    assert [item["kind"] for item in ws.gc(yes=True)["items"]] == ["staging"]
    assert not draft.exists()


def test_configs_are_strict_json_and_ids_are_stable(ws):
    run = ws.runs.create("plans", templates=[[{"_range_": [1, 3]}], ["b"]], datasets=["wheat", "corn"])
    first = run.templates[0]["id"]
    configs = [
        {"template_id": first, "name": "nan", "steps": [float("nan")]},
        {"template_id": first, "name": "two", "generator_choices": {"_range_": 2}, "note": 1},
    ]
    planned = run.plan(configs)
    assert len(planned) == 4 == len({result.id for result in planned})
    assert [result.dataset_name for result in planned] == ["wheat", "wheat", "corn", "corn"]
    assert run.plan(reversed(configs))[::-1][:2] == planned[2:]
    text = (run.path / "configs.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert [line["name"] for line in lines] == ["nan", "two"]
    assert lines[0]["steps"] == ["NaN"]
    assert lines[1]["note"] == 1
    with pytest.raises(ValueError, match="tpl_none"):
        run.plan([{"template_id": "tpl_none", "name": "x"}])
    with pytest.raises(ValueError, match="template"):
        run.plan([{"name": "which of the two"}])
    with pytest.raises(ValueError, match="no datasets"):
        ws.runs.create("none", templates=[[1]]).plan([{"name": "x"}])
    assert run.counts == {"configs": 2, "planned": 4, "results": 0, "done": 0, "failed": 0, "rows": 0}


@pytest.mark.parametrize("name", [b"d\xff_6cf73f3c/", b"wheat_6cf73f3c/\xff.0123456789ab.meta.parquet"])
def test_a_name_that_is_no_utf8_below_predictions_keeps_no_run_from_ending(ws, name):
    run = ws.runs.create("one", templates=[["a"]], datasets=["wheat"])
    dead = ws.runs.create("dead", templates=[["a"]], datasets=["wheat"])
    assert in_fork(lambda: dead.transition("running")) == "running"
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "c", "steps": ["a"]}])
        writer.write({"result_id": result.id, "partition": "val"})
        writer.checkpoint(result)
        place = ws.path / "predictions" / os.fsdecode(name)
        if name.endswith(b"/"):
            place.mkdir()
        else:
            place.parent.mkdir(exist_ok=True)
            place.touch()
    assert (run.status, run.summary()["counts"]["done"]) == ("completed", 1)
    recovered = ws.recover()
    assert [it["status"] for it in recovered["runs"]] == ["failed"]
    assert {os.fsencode(it["path"]) for it in recovered["problems"]} == {b"predictions/" + name.rstrip(b"/")}
    for one in (run, dead):
        texts = [it["error"] for it in loaded(one.path / "summary.yaml")["errors"]]
        assert any("\\udcff" in text for text in texts), texts


def test_a_writer_left_open_in_this_process_is_to_be_closed(ws):
    run = ws.runs.create("one", templates=[["a"]], datasets=["wheat"])
    run.transition("running")
    writer = run.writer("wheat")
    writer.write({"partition": "val"})
    writer.flush()
    run.transition("paused")
    with pytest.raises(n4w.ConflictError, match="in this process; `close"):
        run.resume()
    writer.close()
    assert run.resume().status == "running"
