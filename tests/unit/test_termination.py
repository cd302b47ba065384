"""SIGTERM in a block pauses the run, as Ctrl-C does, where the program has no handler of its own."""

import os
import signal
import threading

import nirs4all_workspace as n4w
import pytest
import spawning

SCRIPT = """
import sys, time
import nirs4all_workspace as n4w
run = n4w.Workspace.open(sys.argv[1]).runs.open("sweep", templates=[["s"]], datasets=["wheat"])
with run, run.writer("wheat") as writer:
    for number, result in enumerate(run.plan([{"name": f"c{n}", "steps": [n]} for n in range(3)])):
        writer.write({"result_id": result.id, "val_score": 1.0})
        if number == 1:
            print("ready", flush=True)
            time.sleep(60)
        writer.checkpoint(result)
"""


def test_a_process_that_is_told_to_end_pauses_its_run(ws):
    with spawning.Process(SCRIPT, ws.path, stderr=spawning.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert "never checkpointed" not in errors
    (run,) = ws.runs.list()
    assert (run.status, run.is_interrupted) == ("paused", False)
    assert run.history[-1]["reason"] == "terminated by SIGTERM"
    assert len(run.results()) == 1
    with ws.runs.open("sweep") as again:
        assert len(again.plan([])) == 0
        assert len(again.configs()) == 3
        again.transition("cancelled")
    assert again.id == run.id


@pytest.fixture
def default():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("default")
def test_the_default_action_is_restored_however_the_block_ends(ws):
    run = ws.runs.create("a")
    with pytest.raises(KeyboardInterrupt), run:
        os.kill(os.getpid(), signal.SIGTERM)
    assert run.status == "paused"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(ZeroDivisionError), run.resume():  # noqa: PT012
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        1 / 0  # noqa: B018
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with run.resume():
        run.transition("cancelled")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(n4w.InvalidTransitionError), run:
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("default")
def test_blocks_in_each_other_are_all_paused(ws):
    outer, first, second = (ws.runs.create(name) for name in ("outer", "first", "second"))
    with pytest.raises(KeyboardInterrupt), outer:  # noqa: PT012
        with first:
            pass
        with second:
            os.kill(os.getpid(), signal.SIGTERM)
    assert [run.status for run in (outer, first, second)] == ["paused", "completed", "paused"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("default")
def test_a_handler_of_the_program_stays(ws):
    called = []
    signal.signal(signal.SIGTERM, lambda *_: called.append(1))
    own = signal.getsignal(signal.SIGTERM)
    with ws.runs.create("a") as run:
        assert signal.getsignal(signal.SIGTERM) is own
        os.kill(os.getpid(), signal.SIGTERM)
    assert (called, run.status) == ([1], "completed")
    assert signal.getsignal(signal.SIGTERM) is own
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with ws.runs.create("b") as run:
        os.kill(os.getpid(), signal.SIGTERM)
    assert run.status == "completed"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("default")
def test_a_handler_that_the_block_installs_stays(ws):
    with ws.runs.create("a"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("default")
def test_other_threads_install_nothing(ws):
    seen = []

    def work():
        with ws.runs.create("a") as run:
            seen.append(signal.getsignal(signal.SIGTERM))
        seen.append(run.status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL, "completed"]


@pytest.mark.usefixtures("default")
def test_a_fork_in_the_block_dies_of_the_signal(ws):
    with ws.runs.create("a") as run:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    assert run.status == "completed"


@pytest.mark.usefixtures("default")
def test_blocks_that_overlap_keep_the_handler_until_the_last_one_ends(ws):
    first, second = ws.runs.create("first"), ws.runs.create("second")
    first.__enter__()
    with pytest.raises(KeyboardInterrupt), second:  # noqa: PT012
        first.__exit__(None, None, None)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)
    assert (first.status, second.status) == ("completed", "paused")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("default")
def test_a_fork_in_the_block_pauses_a_run_of_its_own(ws):
    own = ws.runs.create("own")
    with ws.runs.create("a") as run:
        child = os.fork()
        if child == 0:
            code = 7
            try:
                with own:
                    os.kill(os.getpid(), signal.SIGTERM)
            except KeyboardInterrupt:
                code = 8 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 9
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 8
    assert (run.status, own.status) == ("completed", "paused")
