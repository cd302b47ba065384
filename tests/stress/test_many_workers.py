"""Many processes that make runs and claim them: nothing lost, no id shared, one winner each."""

import os

import nirs4all_workspace as n4w
import pytest
from processes import race

WORKERS = int(os.environ.get("N4W_STRESS_WRITERS", "8"))

MAKE_AND_CLAIM = """
made = [ws.runs.create(f"{me}-{index}", templates=[["shared"]], datasets=["wheat"]).id for index in range(2)]
claimed = []
while (run := ws.runs.claim_next()) is not None:
    with run:
        claimed.append(run.id)
say({"made": made, "claimed": claimed})
"""
CLAIM_ONE = """
run = ws.runs.claim_next()
say(run and run.id)
time.sleep(0.1)
"""
TRANSITION = """
run = ws.runs.get(arguments[0])
try:
    say(str(run.transition("cancelled")))
except n4w.WorkspaceError as error:
    say(type(error).__name__)
"""
ADD = """
templates = [ws.templates.add([["a", index]]) for index in range(5)]
say(templates + [ws.artifacts.put(b"a" * index) for index in range(5)])
"""


@pytest.fixture
def ws(tmp_path):
    return n4w.Workspace.create(tmp_path / "ws")


def test_making_and_claiming_at_once(ws):
    said = race(MAKE_AND_CLAIM, ws.path, WORKERS)
    made = [run for one in said for run in one["made"]]
    claimed = [run for one in said for run in one["claimed"]]
    assert len(set(made)) == 2 * WORKERS
    assert len(set(claimed)) == len(claimed), "a run was claimed twice"
    # Whoever looked last may have left before others had made theirs.
    while (run := ws.runs.claim_next()) is not None:
        with run:
            claimed.append(run.id)
    assert sorted(claimed) == sorted(made)
    runs = ws.runs.list()
    assert (len(runs), runs.errors) == (2 * WORKERS, [])
    for run in runs:
        assert [entry["to"] for entry in run.history] == ["queued", "running", "completed"]
        assert run.history[1]["who"]["pid"] == run.history[2]["who"]["pid"]
    assert len(ws.templates.list()) == 1
    assert ws.verify(full=True) == {"problems": [], "notes": []}


def test_one_run_and_many_workers(ws):
    run = ws.runs.create("one")
    said = race(CLAIM_ONE, ws.path, WORKERS)
    assert sorted(filter(None, said)) == [run.id]
    assert ws.recover()["runs"] == [{"run_id": run.id, "status": "queued"}]


def test_one_transition_of_many_wins(ws):
    run = ws.runs.create("one")
    said = race(TRANSITION, ws.path, WORKERS, run.id)
    assert said.count("cancelled") == 1
    assert set(said) <= {"cancelled", "ConflictError", "InvalidTransitionError"}
    assert len(run.history) == 2


def test_the_same_content_from_many(ws):
    said = race(ADD, ws.path, WORKERS)
    assert len({tuple(one) for one in said}) == 1
    assert len(ws.templates.list()) == 5
    assert len(list(ws.artifacts.files())) == 5
    assert ws.verify(full=True) == {"problems": [], "notes": []}
