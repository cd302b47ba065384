"""`ws.runs.open`: the same script, started again in whatever state the run was left, goes on."""

import warnings

import nirs4all_workspace as n4w
import pytest
from processes import Worker, race, tree

CONFIGS = [{"name": f"c{index}", "steps": [index]} for index in range(2)]
WHAT = {"templates": [["steps"]], "datasets": ["wheat"]}


def finish(run, result):
    with run.writer(result.dataset_name) as writer:
        writer.write({"result_id": result.id, "metric": "rmse", "val_score": 0.5, "partition": "val"})
        writer.checkpoint(result)


def script(ws, stop_after=None):
    """What a user's script does; it is interrupted after so many results."""
    did = []
    with ws.runs.open("sweep", **WHAT) as run:
        for result in run.plan(CONFIGS):
            if len(did) == stop_after:
                break
            finish(run, result)
            did.append(result.config_name)
    return run, did


def states(run):
    return [entry["to"] for entry in run.history]


def test_one_script_serves_for_all_states(ws):
    run, did = script(ws, stop_after=1)
    assert (did, run.status) == (["c0"], "paused")
    again, did = script(ws)
    assert (again.id, did, again.status) == (run.id, ["c1"], "completed")
    content = tree(ws.path)
    same, did = script(ws)
    assert (same.id, did, same.status) == (run.id, [], "completed")
    assert tree(ws.path) == content, "a completed run was touched"
    assert [it.id for it in ws.runs.list()] == [run.id]


def test_a_new_and_a_queued_one_are_queued(ws):
    first = ws.runs.open("sweep", **WHAT, description="d", config={"cv_folds": 5})
    assert (first.status, first.description, first.config) == ("queued", "d", {"cv_folds": 5})
    second = ws.runs.open("sweep", **WHAT)
    assert (second.id, second.status, states(second)) == (first.id, "queued", ["queued"])


def test_a_failed_one_is_resumed(ws):
    with pytest.raises(ZeroDivisionError), ws.runs.open("sweep", **WHAT) as run:  # noqa: PT012
        finish(run, run.plan(CONFIGS)[0])
        1 / 0  # noqa: B018
    again, did = script(ws)
    assert (again.id, did) == (run.id, ["c1"])
    assert states(again) == ["queued", "running", "failed", "queued", "running", "completed"]


def test_a_killed_one_is_resumed_and_a_living_one_is_a_conflict(ws):
    with Worker(ws.path) as owner:
        opened = f"kept.setdefault('run', ws.runs.open('sweep', **{WHAT!r}))"
        run_id = owner.do(f"{opened}.__enter__().id")
        with pytest.raises(n4w.ConflictError, match=str(owner.pid)):
            ws.runs.open("sweep", **WHAT)
        owner.do(f"len(kept.setdefault('todo', kept['run'].plan({CONFIGS!r})))")
        owner.do("kept.setdefault('w', kept['run'].writer('wheat')).run_id")
        owner.do("kept['w'].write({'result_id': kept['todo'][0].id, 'val_score': 1.0})")
        owner.do("kept['w'].checkpoint(kept['todo'][0])['id']")
        owner.do("kept['w'].write({'result_id': kept['todo'][1].id, 'val_score': 1.0})")
        owner.do("kept['w'].flush()")
        owner.kill()
    run, did = script(ws)
    assert (run.id, did, run.status) == (run_id, ["c1"], "completed")
    assert ws.predictions.scan().collect().height == 2
    assert ws.verify(full=True)["problems"] == []


def test_one_that_this_process_owns_is_a_conflict(ws):
    with ws.runs.open("sweep", **WHAT) as run:
        with pytest.raises(n4w.ConflictError, match="this process owns the run"):
            ws.runs.open("sweep", **WHAT)
        assert run.status == "running"


def test_the_newest_that_is_not_cancelled_counts(ws):
    first, second, third = (ws.runs.open("sweep", **WHAT, new=True) for _ in range(3))
    assert len({first.id, second.id, third.id}) == 3
    ws.runs.open("another", **WHAT)
    third.transition("cancelled")
    assert ws.runs.open("sweep", **WHAT).id == second.id
    second.transition("cancelled")
    first.transition("cancelled")
    assert ws.runs.open("sweep", **WHAT).id not in {first.id, second.id, third.id}


def test_names_are_compared_in_any_normal_form(ws):
    run = ws.runs.open("bl\u00e9")
    assert ws.runs.open("ble\u0301").id == run.id


def test_other_templates_or_datasets_are_a_conflict_that_lists_them(ws):
    run = ws.runs.open("sweep", templates=[n4w.Template(["a"], name="A"), ["b"]], datasets=["wheat", "corn"])
    content = tree(ws.path)
    a, b = (template["id"] for template in run.templates)
    with pytest.raises(n4w.ConflictError) as caught:
        ws.runs.open("sweep", templates=[["b"], n4w.Template(["c"], name="C")], datasets=["corn", "rye"])
    for part in (
        f"template A ({a}) was there and is not given",
        f"template C ({n4w.Template(['c']).id}) is given and was not there",
        "dataset wheat was there and is not given",
        "dataset rye is given and was not there",
    ):
        assert part in caught.value.message
    assert f"({b})" not in caught.value.message
    assert "corn" not in caught.value.message
    assert tree(ws.path) == content
    assert run.status == "queued"
    for same in (
        {"templates": [["b"], ["a"]], "datasets": ["corn", "wheat"]},
        {"templates": [a, b]},
        {"datasets": [{"name": "corn"}, {"name": "wheat"}]},
        {},
    ):
        assert ws.runs.open("sweep", **same).id == run.id
    for wrong in ({"datasets": "wheat"}, {"templates": n4w.Template(["a"])}):
        with pytest.raises(TypeError):
            ws.runs.open("sweep", **wrong)


def test_datasets_given_by_path_are_compared_by_content(ws, tmp_path):
    file = tmp_path / "oats.csv"
    file.write_bytes(b"1,2\n3,4\n")
    run = ws.runs.open("sweep", datasets=[file])
    (record,) = ws.datasets.list()
    for same in (file, str(file), "oats", record.id, record):
        assert ws.runs.open("sweep", datasets=[same]).id == run.id
    file.write_bytes(b"9,9\n9,9\n")
    with pytest.raises(n4w.ConflictError, match="oats"):
        ws.runs.open("sweep", datasets=[file])
    assert [it.id for it in ws.datasets.list()] == [record.id], "a refused call registered it"
    ws.datasets.accept_version(record.id)
    with pytest.raises(n4w.ConflictError, match=f"has other content: {record.hash} then"):
        ws.runs.open("sweep", datasets=["oats"])


def test_a_dataset_registered_since_is_the_same_one(ws, tmp_path):
    run = ws.runs.open("sweep", datasets=["oats"])
    file = tmp_path / "oats.csv"
    file.write_bytes(b"1,2\n3,4\n")
    ws.datasets.register(file)
    assert ws.runs.open("sweep", datasets=["oats"]).id == run.id


def test_another_config_is_a_warning(ws):
    run = ws.runs.open("sweep", config={"cv_folds": 5, "seed": 1})
    with pytest.warns(UserWarning, match="cv_folds 5 then, 10 now") as caught:
        assert ws.runs.open("sweep", config={"cv_folds": 10, "seed": 1}).id == run.id
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ws.runs.open("sweep", config={"seed": 1, "cv_folds": 5})
        ws.runs.open("sweep")


def test_a_completed_one_without_what_is_asked_now_says_so(ws):
    script(ws)
    with ws.runs.open("sweep", **WHAT) as run:
        content = tree(ws.path)
        with pytest.raises(n4w.ConflictError, match="without 1 of these 3 results"):
            run.plan([*CONFIGS, {"name": "c2", "steps": [2]}])
        with pytest.raises(n4w.ConflictError, match="is completed"):
            run.writer("wheat")
    assert tree(ws.path) == content
    with pytest.raises(n4w.InvalidTransitionError), ws.runs.get(run.id):
        pass


def test_one_that_cannot_be_read_is_not_passed_over(ws):
    run = ws.runs.open("My sweep")
    ws.runs.open("other")
    (run.path / "run.yaml").write_text("{")
    with pytest.raises(n4w.CorruptFileError, match="may be run 'My sweep'"):
        ws.runs.open("My sweep")
    assert ws.runs.open("other").status == "queued"
    assert ws.runs.open("My sweep", new=True).status == "queued"
    run.path.rename(run.path.with_name(f"2020-01-01{run.id[10:]}"))
    newer = ws.runs.open("My sweep")
    (newer.path / "summary.yaml").write_text("{")
    assert ws.runs.open("My sweep").id == newer.id, "an older one, or another file of it, is damaged"


@pytest.mark.parametrize("name", ["", " ", None, 7])
def test_a_name_that_is_none(ws, name):
    with pytest.raises(ValueError, match="name of a run"):
        ws.runs.open(name)


def test_a_folder_of_0_6_has_no_runs_to_open(demo):
    with pytest.raises(n4w.SchemaError):
        n4w.Workspace.open(demo).runs.open("sweep")


def test_of_processes_that_open_at_once_one_makes_the_run(ws):
    program = (
        "try: say(str(ws.runs.open('sweep', templates=[['s']], datasets=['wheat']).__enter__().status))\n"
        "except n4w.WorkspaceError as error: say(type(error).__name__)\n"
        "sys.stdin.read()\n"
    )
    said = race(program, ws.path, 4)
    assert len(ws.runs.list()) == 1
    assert "running" in said
    assert set(said) <= {"running", "ConflictError", "InvalidTransitionError"}
