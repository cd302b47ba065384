"""Workers claim runs that wait, drive them, and leave those that they pause to the next one."""

import threading

import pytest
import stand_in
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.exceptions import SchemaError
from nirs4all_workspace.integrations.nirs4all import worker
from nirs4all_workspace.integrations.nirs4all.worker import Stop, seconds_of, work


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Nirs4all is taken for installed."""
    monkeypatch.setattr(worker, "nirs4all", lambda: None)


def done(run):
    """The results of a run that are done, by configuration."""
    return sorted(result.config_name for result in run.results() if result.status == "done")


ALL = ["0", "1", "2", "3"]


def test_runs_are_driven_in_their_order_and_others_are_left(ws):
    first = stand_in.queue(ws, "first")
    other = ws.runs.create("other", datasets=["wheat"])
    second = stand_in.queue(ws, "second")
    lines = []
    found = work(ws, Stop(), idle_exit=0.01, execute=stand_in.execute, say=lines.append)
    assert [run.id for run in found] == [first.id, second.id]
    assert [run.status for run in (first, second, other)] == ["completed", "completed", "queued"]
    assert done(first) == done(second) == ALL
    assert [line.split(":")[0] for line in lines] == [first.id, first.id, second.id, second.id]
    assert not first.is_owned


def test_one_run_or_none_is_enough_once(ws):
    assert work(ws, Stop(), once=True, execute=stand_in.execute) == []
    runs = [stand_in.queue(ws, "first"), stand_in.queue(ws, "second")]
    assert [run.id for run in work(ws, Stop(), once=True, execute=stand_in.execute)] == [runs[0].id]
    assert [run.status for run in runs] == ["completed", "queued"]


def test_what_a_run_is_driven_with_is_passed_on(ws):
    stand_in.queue(ws, "one")
    given = {}

    def execute(run, **options):
        given.update(options)
        stand_in.execute(run)

    work(ws, Stop(), once=True, workers=3, allow_packages=["torch"], execute=execute)
    assert not given.pop("should_stop")()
    assert given == {"workers": 3, "allow_packages": ["torch"]}


@pytest.mark.parametrize("how", ["time", "asked"])
def test_a_worker_that_stops_leaves_its_run_to_the_next_one(ws, how):
    run = stand_in.queue(ws, "one")
    stop = Stop(0.5 if how == "time" else None)
    began = []

    def execute(run, **options):
        def begin(_):
            began.append(1)
            if how == "asked" and len(began) == 3:
                stop.ask("because")

        stand_in.execute(run, began=begin, took=0.2, **options)

    for attempt in range(10):
        found = work(ws, stop, execute=execute, idle_exit=0.01)
        assert [one.id for one in found] == ([run.id] if attempt == 0 else [])
    assert 0 < len(done(run)) < 4
    assert (run.status, run.requested, run.is_owned) == ("paused", "running", False)
    assert run.record["attempts"] == 0
    work(ws, Stop(), once=True, execute=stand_in.execute)
    assert (run.status, run.requested, done(run)) == ("completed", None, ALL)


def test_stopping_many_times_counts_as_no_attempt(ws):
    run = stand_in.queue(ws, "one")
    for _ in range(6):
        stop = Stop()

        def execute(run, stop=stop, **options):
            stop.ask("because")
            stand_in.execute(run, **options)

        work(ws, stop, execute=execute)
        assert (run.status, run.requested, run.record["attempts"]) == ("paused", "running", 0)
    work(ws, Stop(), once=True, execute=stand_in.execute)
    assert run.status == "completed"


@pytest.mark.parametrize("to", ["paused", "cancelled"])
@pytest.mark.parametrize("is_stopping", [False, True])
def test_what_somebody_else_pauses_or_cancels_stays_so(ws, to, is_stopping):
    run = stand_in.queue(ws, "one")
    stop = Stop()

    def execute(run, **options):
        run.request(to, "by hand")
        if is_stopping:
            stop.ask("because")
        stand_in.execute(run, **options)

    work(ws, stop, once=True, execute=execute)
    assert (run.status, run.requested) == (to, None)
    assert work(ws, Stop(), once=True, execute=stand_in.execute) == []


def test_a_run_that_raises_fails_and_the_next_one_is_driven(ws):
    runs = [stand_in.queue(ws, name) for name in ("raises", "raises before", "fine")]

    def execute(run, **options):
        if run.name == "raises before":
            raise ValueError("no such option")
        if run.name == "raises":
            with run:
                raise RuntimeError("no such disk")
        stand_in.execute(run, **options)

    lines = []
    assert len(work(ws, Stop(), idle_exit=0.01, execute=execute, say=lines.append)) == 3
    assert [run.status for run in runs] == ["failed", "failed", "completed"]
    assert not any(run.is_owned for run in runs)
    assert [text in "\n".join(lines) for text in ("no such disk", "no such option")] == [True, True]


@pytest.mark.parametrize("is_in_block", [False, True])
def test_an_interrupt_passes_and_leaves_the_run_to_the_next_one(ws, is_in_block):
    run = stand_in.queue(ws, "one")

    def execute(run, **_):
        if is_in_block:
            with run:
                raise KeyboardInterrupt
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(ws, Stop(), execute=execute)
    assert (run.status, run.requested, run.is_owned) == ("paused", "running", False)
    assert run.record["attempts"] == 0


def test_without_nirs4all_nothing_is_claimed(ws, monkeypatch):
    def missing():
        raise ImportError("not installed", name="nirs4all")

    monkeypatch.setattr(worker, "nirs4all", missing)
    ws.runs.create("other")
    assert work(ws, Stop(), once=True, execute=stand_in.execute) == []
    run = stand_in.queue(ws, "one")
    with pytest.raises(ImportError):
        work(ws, Stop(), once=True, execute=stand_in.execute)
    assert (run.status, run.is_owned, run.record["attempts"]) == ("queued", False, 0)


def test_a_folder_that_cannot_be_read_for_now_is_looked_at_again(ws, monkeypatch):
    run = stand_in.queue(ws, "one")
    runs = type(ws.runs)
    claim, failures = runs.claim_next, [OSError(5, "Input/output error"), OSError(116, "Stale handle")]

    def claim_next(self, accepts):
        if failures:
            raise failures.pop()
        return claim(self, accepts)

    monkeypatch.setattr(runs, "claim_next", claim_next)
    monkeypatch.setattr(worker, "_FIRST_LOOK_S", 0.01)
    lines = []
    stop = Stop()

    def execute(run, **options):
        stand_in.execute(run, **options)
        stop.ask("that is all")

    assert [one.id for one in work(ws, stop, execute=execute, say=lines.append)] == [run.id]
    assert run.status == "completed"
    assert sum("trying again" in line for line in lines) == 2


def test_an_old_folder_is_refused(demo):
    import nirs4all_workspace as n4w

    with pytest.raises(SchemaError):
        work(n4w.Workspace.open(demo), Stop(), once=True, execute=stand_in.execute)


def test_runs_are_claimed_that_are_accepted(ws):
    first, second = ws.runs.create("first"), ws.runs.create("second")
    asked = []

    def accepts(run):
        asked.append(run.id)
        return run.name == "second"

    assert ws.runs.claim_next(accepts).id == second.id
    assert asked == [first.id, second.id]
    assert ws.runs.claim_next(accepts) is None
    (first.path / "config.yaml").write_text("[")
    assert ws.runs.claim_next(lambda run: bool(run.config)) is None
    assert ws.runs.claim_next(lambda _: True).id == first.id


def test_a_wait_ends_when_it_is_to_stop():
    stop = Stop()
    waiting = threading.Thread(target=stop.wait, args=(600,))
    waiting.start()
    stop.ask("because")
    waiting.join(60)
    assert not waiting.is_alive()
    stop.ask("again")
    assert (stop(), stop.why) == (True, "because")
    over = Stop(0.05)
    over.wait(600)
    assert over()


@given(
    st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.floats(0, 99).map(lambda it: round(it, 3))
)
def test_durations_are_days_hours_minutes_and_seconds(days, hours, minutes, seconds):
    parts = [f"{days}d" * bool(days), f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes)]
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    for text in (f"{days}d{hours}h{minutes}m{seconds}s", "".join(parts) + f"{seconds}"):
        if total:
            assert seconds_of(text) == pytest.approx(total)
            assert seconds_of(f" {text.upper()} ") == pytest.approx(total)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "x", "3x", "-1", "1h-2m", "5m3h", "1.5h", "h", "1 h 5", "inf", "nan", "1e3", "9" * 40],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="3h55m"):
        seconds_of(text)
