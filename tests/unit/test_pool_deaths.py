"""Processes that compute die, hang and lose their owner: no innocent task fails, and nothing lives on."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import computing
import pytest
from nirs4all_workspace.integrations.nirs4all.pool import Failure, PoolError, outcomes

TESTS = Path(__file__).parents[1]
# A bound for what takes moments; the machine may be busy.
LONG = 60


def owner(tmp_path, program, guarded=True, **options):
    """A script of its own that computes."""
    head = f"import sys; sys.path.insert(0, {str(TESTS)!r})\nimport computing\n"
    head += "from nirs4all_workspace.integrations.nirs4all.pool import outcomes\n"
    program = textwrap.dedent(program)
    if guarded:
        program = "if __name__ == '__main__':\n" + textwrap.indent(program, "    ")
    script = tmp_path / "script.py"
    script.write_text(head + program)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, script], **pipes, **options)


def started(folder, count):
    """The numbers of the processes whose tasks said that they began."""
    assert computing.wait_until(lambda: len(list(folder.iterdir())) >= count, LONG)
    return [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]


def all_end(pids, seconds=LONG):
    """Whether all processes end soon."""
    return computing.wait_until(lambda: not any(computing.is_alive(pid) for pid in pids), seconds)


@pytest.fixture
def said(tmp_path):
    """A folder where tasks say that they began."""
    folder = tmp_path / "said"
    folder.mkdir()
    return folder


# --- deaths


@pytest.mark.parametrize(
    ("task", "tells"),
    [
        (("kill", signal.SIGKILL), "signal 9 (SIGKILL"),
        (("segfault",), "signal 11 (SIGSEGV"),
        (("kill", signal.SIGTERM), "exit code 143"),
        (("die", 3), "exit code 3"),
        (("die", 0), "exit code 0"),
    ],
)
def test_what_is_in_flight_at_two_deaths_failed_and_nothing_else(task, tells):
    tasks = [("square", 1), task, *(("square", number) for number in range(2, 12))]
    found = dict(outcomes(computing.do, tasks, workers=2))
    failure = found.pop(task)
    assert failure.kind == "died"
    assert tells in failure.message
    assert found == {("square", number): number * number for number in range(1, 12)}


def test_what_was_in_flight_at_one_death_is_computed_again(tmp_path):
    count = tmp_path / "count"
    tasks = [("once", count, ("kill", signal.SIGKILL)), *(("square", number) for number in range(5))]
    found = dict(outcomes(computing.do, tasks, workers=2))
    assert found.pop(tasks[0]) == "again"
    assert count.read_text() == "xx"
    assert found == {("square", number): number * number for number in range(5)}


def test_processes_may_be_killed_at_any_time():
    pids, is_over = set(), threading.Event()

    def tasks():
        for number in range(120):
            yield ("pid", number)

    def kill():
        killed = set()
        while not is_over.wait(0.2):
            for pid in (pids - killed) if len(killed) < 6 else ():
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    found = []
    for task, pid in outcomes(computing.do, tasks(), workers=2):
        found.append(task)
        assert isinstance(pid, int) or pid.kind == "died"
        if isinstance(pid, int):
            pids.add(pid)
    is_over.set()
    killer.join()
    assert sorted(found) == list(tasks())
    assert len(pids) > 2


def test_what_a_dead_process_started_is_ended(said):
    tasks = [("start and sleep", said)]
    with closing(outcomes(computing.do, tasks, workers=1)) as found:
        thread = threading.Thread(target=lambda: list(found))
        thread.start()
        for count in (2, 4):
            new = started(said, count)
            (leader,) = [pid for pid in new if computing.is_alive(pid) and os.getpgid(pid) == pid]
            os.kill(leader, signal.SIGKILL)
        thread.join(LONG)
        assert not thread.is_alive()
    assert all_end(started(said, 4))


# --- timeouts


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_task_that_hangs_is_ended(workers, said):
    tasks = [("square", 1), ("say and sleep", said), ("hold the lock", said), ("square", 2), ("square", 3)]
    found = dict(outcomes(computing.do, tasks, workers=workers, timeout=1))
    assert [found.pop(tasks[at]).kind for at in (1, 2)] == ["timeout", "timeout"]
    assert found == {("square", number): number * number for number in (1, 2, 3)}
    assert all_end(started(said, 2), 5)


# --- stopping


@pytest.mark.parametrize("what", ["say and sleep", "hold the lock", "start and sleep", "clean up after"])
def test_when_it_should_stop_processes_end(said, what):
    stop = threading.Event()
    count = 4 if what == "start and sleep" else 2
    found = []
    tasks = [(what, said)] * 5
    thread = threading.Thread(
        target=lambda: found.extend(outcomes(computing.do, tasks, workers=2, should_stop=stop.is_set))
    )
    thread.start()
    pids = started(said, count)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert found == []
    assert all_end(pids, 5)
    assert (said / "clean").exists() == (what == "clean up after")


def test_what_is_complete_is_yielded_before_it_ends(said):
    stop = threading.Event()

    def tasks():
        yield ("say and sleep", said)
        yield ("square", 3)
        yield ("square", 4)

    found = []
    for task, value in outcomes(computing.do, tasks(), workers=2, should_stop=stop.is_set):
        found.append((task, value))
        started(said, 1)
        time.sleep(0.5)  # the second one is computed meanwhile
        stop.set()
    assert found == [(("square", 3), 9), (("square", 4), 16)]


SLEEPING = """
    import signal
    for found in outcomes(computing.do, [("say and sleep", {said!r})] * 5, workers=2):
        print(found)
"""


@pytest.mark.parametrize("what", ["say and sleep", "hold the lock", "start and sleep"])
def test_nothing_lives_five_seconds_after_the_owner_was_killed(tmp_path, said, what):
    script = owner(tmp_path, SLEEPING.format(said=str(said)).replace("say and sleep", what))
    pids = started(said, 4 if what == "start and sleep" else 2)
    script.kill()
    script.wait()
    assert all_end(pids, 5)
    script.communicate()


def test_idle_processes_and_forks_of_the_owner_keep_nothing_alive(tmp_path, said):
    script = owner(
        tmp_path,
        f"""
        import os, time
        found = outcomes(computing.do, (("pid", number) for number in range(9)), workers=2)
        pids = {{next(found)[1] for _ in range(6)}}
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(600)
        for pid in pids:
            open(os.path.join({str(said)!r}, str(pid)), "w").close()
        time.sleep(600)
        """,
    )
    fork = int(script.stdout.readline())
    pids = started(said, 1)
    script.kill()
    script.wait()
    assert all_end(pids, 5)
    assert computing.is_alive(fork)
    os.kill(fork, signal.SIGKILL)
    script.communicate()


def test_an_interrupt_ends_processes_and_passes(tmp_path, said):
    script = owner(tmp_path, SLEEPING.format(said=str(said)), start_new_session=True)
    pids = started(said, 2)
    os.killpg(script.pid, signal.SIGINT)
    out, err = script.communicate(timeout=LONG)
    assert (out, script.returncode) == ("", -signal.SIGINT)
    assert err.count("Traceback") == 1
    assert all_end(pids, 5)


def test_a_second_interrupt_ends_at_once(tmp_path, said):
    program = SLEEPING.format(said=str(said)).replace("say and sleep", "hold the lock")
    script = owner(
        tmp_path,
        "    from nirs4all_workspace.integrations.nirs4all import processes\n"
        "    processes._GRACE_S = 500\n" + program,
    )
    pids = started(said, 2)
    script.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        script.communicate(timeout=2)  # it waits for its processes
    script.send_signal(signal.SIGINT)
    script.communicate(timeout=LONG)
    assert script.returncode == -signal.SIGINT
    assert all_end(pids, 5)


def test_sigterm_stops_where_the_owner_says_so(tmp_path, said):
    script = owner(
        tmp_path,
        f"""
        import signal
        asked = []
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        print(list(outcomes(computing.do, [("say and sleep", {str(said)!r})] * 5, workers=2,
            should_stop=lambda: bool(asked))))
        """,
    )
    pids = started(said, 2)
    script.terminate()
    out, err = script.communicate(timeout=LONG)
    assert (out, err, script.returncode) == ("[]\n", "", 0)
    assert all_end(pids, 5)


def test_an_owner_that_ends_in_the_middle_ends_its_processes(tmp_path):
    script = owner(
        tmp_path,
        """
        from itertools import repeat
        found = outcomes(computing.do, repeat(("pid", 1)), workers=2)
        pids = {next(found)[1] for _ in range(20)}
        print(*pids)
        """,
    )
    out, err = script.communicate(timeout=LONG)
    assert (err, script.returncode) == ("", 0)
    assert all_end([int(pid) for pid in out.split()], 5)


# --- scripts that cannot be imported again


def test_a_script_without_a_main_guard_is_told_so_once(tmp_path):
    script = owner(
        tmp_path, "print(list(outcomes(computing.do, [('square', 1)] * 9, workers=2)))", guarded=False
    )
    out, err = script.communicate(timeout=LONG)
    assert (out, script.returncode) == ("", 1)
    assert err.count("Traceback") == 1
    assert "__main__" in err.splitlines()[-1]
    assert "PoolError" in err.splitlines()[-1]


def test_a_script_that_raises_when_it_is_imported_again_is_told_so_once(tmp_path):
    script = owner(
        tmp_path,
        f"""
        import os
        os.mkdir({str(tmp_path / "new")!r})
        print(list(outcomes(computing.do, [('square', 1)] * 9, workers=2)))
        """,
        guarded=False,
    )
    out, err = script.communicate(timeout=LONG)
    assert (out, script.returncode) == ("", 1)
    assert err.count("Traceback") == 2  # its own, of one process, and the error
    assert "main guard" in err.splitlines()[-1]


def test_a_script_from_stdin_computes():
    program = (
        "from nirs4all_workspace.integrations.nirs4all.pool import outcomes\n"
        "print(sum(value for _, value in outcomes(abs, range(9), workers=2)))\n"
        "print(__file__)\n"
    )
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, timeout=LONG)
    assert (done.stdout, done.stderr) == ("36\n<stdin>\n", "")


@pytest.mark.parametrize("way", ["stdin", "-c"])
def test_a_function_of_a_prompt_is_told_so(way):
    program = (
        "from nirs4all_workspace.integrations.nirs4all.pool import outcomes\n"
        "def function(task): return task\n"
        "print(list(outcomes(function, range(9), workers=2)))\n"
    )
    arguments = ["-c", program] if way == "-c" else ["-"]
    done = subprocess.run(
        [sys.executable, *arguments], input=program, capture_output=True, text=True, timeout=LONG
    )
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.count("Traceback") == 1
    assert "PoolError" in done.stderr.splitlines()[-1]
    assert "module" in done.stderr.splitlines()[-1]


def test_processes_that_never_start_are_an_error(monkeypatch):
    monkeypatch.setattr("multiprocessing.spawn.get_executable", lambda: b"/bin/nothing here")
    with pytest.raises(PoolError):
        list(outcomes(computing.do, [("square", 1)], workers=2))
    assert Failure
