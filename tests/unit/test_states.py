"""Every ordered pair of states, against the table of the specification, in one process and between two."""

import pickle

import nirs4all_workspace as n4w
import pytest
from nirs4all_workspace import RunStatus
from processes import Worker

# Written out here, not taken from the package.
ALLOWED = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "paused"),
    ("running", "cancelled"),
    ("paused", "running"),
    ("paused", "cancelled"),
    ("failed", "queued"),
    ("completed", "queued"),  # where a result failed
}
STATES = ["queued", "running", "paused", "completed", "failed", "cancelled"]
WAY = {
    "queued": [],
    "running": ["running"],
    "paused": ["running", "paused"],
    "completed": ["running", "completed"],
    "failed": ["running", "failed"],
    "cancelled": ["cancelled"],
}


@pytest.fixture
def run_in(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")

    def make(state):
        run = ws.runs.create("pairs")
        for to in WAY[state]:
            if to == "completed":
                with run.writer("wheat") as writer:
                    writer.checkpoint({"id": "bad", "status": "failed"})
                    writer.checkpoint({"id": "good"})
            run.transition(to)
        return run

    return make


def test_the_table_is_public_and_read_only():
    assert {(a.value, b.value) for a, after in n4w.VALID_TRANSITIONS.items() for b in after} == ALLOWED
    assert [status.value for status in RunStatus] == STATES
    assert RunStatus("paused") == "paused"
    with pytest.raises(TypeError):
        n4w.VALID_TRANSITIONS[RunStatus.COMPLETED] = frozenset({RunStatus.QUEUED})


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("to", STATES)
def test_every_pair(run_in, before, to):
    run = run_in(before)
    history = run.history
    if (before, to) in ALLOWED:
        assert run.transition(to, "because") == to
        assert run.status == to
        assert run.history[:-1] == history
        last = run.history[-1]
        assert (last["from"], last["to"], last["reason"]) == (before, to, "because")
        assert set(last["who"]) == {"user", "host", "pid"}
        assert last["time"].endswith("+00:00")
        assert run.record["revision"] == len(WAY[before]) + 1
        return
    content = (run.path / "run.yaml").read_bytes()
    with pytest.raises(n4w.InvalidTransitionError) as caught:
        run.transition(to)
    assert f"from {before} to {to}" in caught.value.message
    for state in STATES:
        if (before, state) in ALLOWED:
            assert state in caught.value.message.partition(";")[2]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert (run.path / "run.yaml").read_bytes() == content


@pytest.mark.parametrize("to", STATES)
def test_every_state_asked_of_another_process(run_in, to):
    """On an owned run: pausing and cancelling become requests, everything else is refused."""
    run = run_in("running")
    with Worker(run.path.parents[1]) as other:
        answer = other.do(f"ws.runs.get({run.id!r}).transition({to!r})")
        if to in ("paused", "cancelled"):
            assert answer == "running"
            assert run.requested == to
            assert run.should_stop
            assert other.do(f"str(ws.runs.get({run.id!r}).requested)") == to
        elif to in ("completed", "failed"):
            assert answer == "ConflictError"
        else:
            assert answer == "InvalidTransitionError"
        assert run.status == "running"
        assert len(run.history) == 2


def test_a_completed_run_without_a_failed_result_is_final(run_in):
    run = run_in("running")
    run.transition("completed")
    content = (run.path / "run.yaml").read_bytes()
    with pytest.raises(n4w.InvalidTransitionError):
        run.transition("queued")
    assert (run.path / "run.yaml").read_bytes() == content


def test_a_state_that_is_none(run_in):
    with pytest.raises(ValueError, match="done"):
        run_in("queued").transition("done")


def test_a_request_to_cancel_is_not_softened(run_in):
    run = run_in("running")
    run.request("cancelled")
    run.request("paused")
    assert run.requested == "cancelled"
