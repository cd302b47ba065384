"""Workers as processes: several on one folder, killed, terminated, with a dead one before them."""

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import computing
import pytest
import stand_in

TESTS = Path(__file__).parents[1]
LONG = 120


@pytest.fixture
def began(ws):
    """The folder where workers say that a result began."""
    folder = Path(f"{ws.path}.began")
    folder.mkdir()
    return folder


def start(ws, **options):
    """Start a worker with the stand-in for nirs4all."""
    program = f"""
        import sys
        sys.path.insert(0, {str(TESTS)!r})
        import stand_in
        for run in stand_in.work({str(ws.path)!r}, **{options!r}):
            print(run.id, run.status)
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], **pipes)


def wait_for(folder, count):
    assert computing.wait_until(lambda: len(list(folder.iterdir())) >= count, LONG)


def done(run):
    return Counter(result.config_name for result in run.results() if result.status == "done")


def rows(ws):
    return Counter(ws.predictions.scan().collect()["result_id"])


ALL = Counter(["0", "1", "2", "3"])


def test_two_workers_do_all_runs_though_one_is_killed(ws, began):
    runs = [stand_in.queue(ws, f"run {at}") for at in range(5)]
    workers = [start(ws, took=0.2, idle_exit=3) for _ in range(2)]
    wait_for(began, 5)
    workers[0].kill()
    workers[0].communicate()
    # Dead owners are looked for while there is nothing else to do.
    out, err = workers[1].communicate(timeout=LONG)
    assert (err, workers[1].returncode) == ("", 0)
    assert [run.status for run in runs] == ["completed"] * 5, out
    assert [done(run) for run in runs] == [ALL] * 5
    assert set(rows(ws).values()) == {1}
    assert len(rows(ws)) == 20


def test_many_workers_do_each_run_once(ws, began):
    runs = [stand_in.queue(ws, f"run {at}") for at in range(12)]
    workers = [start(ws, took=0.02, idle_exit=1) for _ in range(3)]
    for worker in workers:
        assert worker.wait(LONG) == 0
        worker.communicate()
    assert [run.status for run in runs] == ["completed"] * 12
    # Each result began once.
    assert len(list(began.iterdir())) == 48
    assert [entry["to"] for run in runs for entry in run.history].count("running") == 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_run_to_the_next_worker(ws, began, number):
    run = stand_in.queue(ws, "one")
    worker = start(ws, took=1)
    wait_for(began, 2)
    worker.send_signal(number)
    out, err = worker.communicate(timeout=LONG)
    assert (err, worker.returncode) == ("", 0)
    assert signal.Signals(number).name in run.history[-1]["reason"] or "stop" in run.history[-1]["reason"]
    assert (run.status, run.requested, run.record["attempts"]) == ("paused", "running", 0)
    assert 0 < sum(done(run).values()) < 4
    out, err = start(ws, once=True).communicate(timeout=LONG)
    assert f"{run.id} completed" in out
    assert (err, done(run)) == ("", ALL)


def test_a_second_signal_ends_at_once_and_leaves_the_run_to_the_next_worker(ws, began):
    run = stand_in.queue(ws, "one")
    program = f"""
        import sys, time
        sys.path.insert(0, {str(TESTS)!r})
        import stand_in, nirs4all_workspace as n4w
        from pathlib import Path
        from nirs4all_workspace.integrations.nirs4all import worker
        stand_in.prepare()

        def execute(run, **_):
            with run:
                (Path({str(began)!r}) / "one").touch()
                time.sleep(600)

        with worker.Stop() as stop:
            worker.work(n4w.Workspace.open({str(ws.path)!r}), stop, execute=execute)
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    worker = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], **pipes)
    wait_for(began, 1)
    worker.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(1)
    worker.terminate()
    _, err = worker.communicate(timeout=LONG)
    assert "KeyboardInterrupt" in err.splitlines()[-1]
    assert (run.status, run.requested, run.record["attempts"]) == ("paused", "running", 0)


def test_what_a_dead_worker_left_is_done_by_the_next_one(ws, began):
    run = stand_in.queue(ws, "one")
    for deaths in (1, 2):
        worker = start(ws, took=0.3, once=True)
        wait_for(began, 2 * deaths)
        worker.kill()
        worker.communicate()
        assert run.is_interrupted
    out, err = start(ws, once=True).communicate(timeout=LONG)
    assert (run.status, done(run), err) == ("completed", ALL, ""), out
    assert set(rows(ws).values()) == {1}


def test_a_run_that_kills_its_workers_is_given_up(ws, began):
    run = stand_in.queue(ws, "one")
    for deaths in range(3):
        worker = start(ws, took=600)
        wait_for(began, deaths + 1)
        worker.kill()
        worker.communicate()
    fine = stand_in.queue(ws, "fine")
    _, err = start(ws, idle_exit=1).communicate(timeout=LONG)
    assert (err, run.status, fine.status) == ("", "failed", "completed")


def test_the_end_of_its_time_ends_a_worker_that_waits(ws):
    worker = start(ws, max_time=1.0)
    worker.communicate(timeout=LONG)
    assert worker.returncode == 0
