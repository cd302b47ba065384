"""Locks between real processes, and what a forked child keeps of them."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
from nirs4all_workspace import _native
from nirs4all_workspace._io import locks
from nirs4all_workspace.model import ownership
from nirs4all_workspace.runs.run import Run
from processes import Worker, in_fork

HOLD = """
import sys
from pathlib import Path
from nirs4all_workspace._io import locks
lock = locks.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock_path(tmp_path):
    return tmp_path / ".locks" / "thing.lock"


@pytest.fixture
def holder(lock_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_lock_names_its_holder(lock_path, holder):
    with pytest.raises(n4w.LockTimeoutError) as caught:
        locks.take(lock_path, timeout=0.05)
    assert str(holder.pid) in caught.value.message
    assert socket.gethostname() in caught.value.message
    assert caught.value.path == str(lock_path)
    known = _native.lock_holder(lock_path)
    assert (known["pid"], known["host"]) == (holder.pid, socket.gethostname())
    assert _native.lock_is_held(lock_path)


def test_death_releases(lock_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not _native.lock_is_held(lock_path)
    with locks.take(lock_path, timeout=0):
        pass


def test_looking_takes_nothing(lock_path):
    assert not _native.lock_is_held(lock_path)
    assert not lock_path.exists()
    with locks.take(lock_path):
        assert _native.lock_is_held(lock_path)
    assert not _native.lock_is_held(lock_path)
    assert lock_path.exists(), "it stays unless it is said to be over"


def test_a_lock_file_that_was_replaced_is_not_the_lock(lock_path):
    # Whoever holds the old file must not keep others from the name, nor be taken for its holder.
    old = locks.take(lock_path)
    lock_path.unlink()
    with locks.take(lock_path, timeout=0):
        with pytest.raises(n4w.LockTimeoutError):
            locks.take(lock_path, timeout=0)
        old.release()
        with pytest.raises(n4w.LockTimeoutError):
            locks.take(lock_path, timeout=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_keeps_no_lock_and_cannot_release_its_parents(lock_path):
    lock = locks.take(lock_path)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            lock.release()
            outcome = b"released"
        except RuntimeError:
            outcome = b"refused"
        os.write(ready[1], outcome)
        os.read(go[0], 1)
        os._exit(0)
    try:
        assert os.read(ready[0], 20) == b"refused"
        assert _native.lock_is_held(lock_path)
        lock.release()
        # The child lives on, and has no copy of the open file.
        assert not _native.lock_is_held(lock_path)
    finally:
        os.write(go[1], b".")
        os.waitpid(child, 0)


@pytest.mark.usefixtures("holder")
def test_waiting_can_be_interrupted(lock_path):
    code = f"""
import signal, sys, threading
from nirs4all_workspace import _native
threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT)).start()
try:
    _native.Lock({str(lock_path)!r}, 60.0)
except KeyboardInterrupt:
    print("interrupted")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout == "interrupted\n"


def taken_plainly(path):
    """Whether a program that knows nothing of this package gets the lock."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_plain_flock_excludes_and_is_excluded(lock_path):
    with locks.take(lock_path):
        assert not taken_plainly(lock_path)
    assert taken_plainly(lock_path)
    with lock_path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert _native.lock_is_held(lock_path)
        with pytest.raises(n4w.LockTimeoutError):
            locks.take(lock_path, timeout=0)
    with locks.take(lock_path, timeout=0):
        pass


def test_who_holds_a_lock_removes_its_file(lock_path):
    with locks.take(lock_path) as lock:
        assert {path.name for path in lock_path.parent.iterdir()} == {"thing.lock", "thing.holder"}
        lock.remove_on_release()
        assert _native.lock_is_held(lock_path), "it stays until the lock is released"
    assert list(lock_path.parent.iterdir()) == []
    assert not _native.lock_is_held(lock_path)
    assert _native.lock_holder(lock_path) is None
    lock.release()
    with locks.take(lock_path, timeout=0):
        assert not taken_plainly(lock_path)


def test_a_lock_file_that_was_replaced_is_not_removed(lock_path):
    old = locks.take(lock_path)
    lock_path.unlink()
    with locks.take(lock_path, timeout=0):
        old.remove_on_release()
        old.release()
        assert not taken_plainly(lock_path)
        assert _native.lock_holder(lock_path)["pid"] == os.getpid()


def test_who_waits_for_a_lock_that_is_removed_gets_the_new_one(lock_path):
    first = locks.take(lock_path)
    got = []
    threads = [threading.Thread(target=lambda: got.append(locks.take(lock_path, 30))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        first.remove_on_release()
        first.release()
        while not got:
            pass
        assert not taken_plainly(lock_path)
        assert _native.lock_is_held(lock_path)
        first = got.pop()
    for thread in threads:
        thread.join()
    assert not got
    first.release()
    assert taken_plainly(lock_path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_release_unlocks_though_another_process_has_a_copy(lock_path):
    # A process that was started an instant ago has copies of all files until it executes its program.
    with locks.take(lock_path):
        fds = [int(link.name) for link in Path("/proc/self/fd").iterdir() if link.resolve() == lock_path]
        child = subprocess.Popen(["sleep", "60"], pass_fds=fds)
    try:
        assert len(fds) == 1
        assert not _native.lock_is_held(lock_path)
        assert taken_plainly(lock_path)
    finally:
        child.kill()
        child.wait()


def test_a_fork_takes_locks_of_its_own(lock_path):
    def work():
        with locks.take(lock_path.with_name("own.lock"), timeout=0):
            return _native.lock_is_held(lock_path)

    with locks.take(lock_path):
        assert in_fork(work) == "True"
        assert in_fork(lambda: locks.take(lock_path, timeout=0)) == "LockTimeoutError"
        assert not taken_plainly(lock_path), "the end of a fork releases nothing of its parent's"
    assert in_fork(lambda: locks.take(lock_path, timeout=0) is not None) == "True"


def test_a_fork_can_neither_use_nor_spoil_what_its_parent_writes(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    writer = ws.predictions.writer("2026-01-02_Forked_0123456789ab", "wheat")
    target = tmp_path / "out.txt"
    with _native.Draft(target) as draft:
        draft.write(b"parent")
        for work in (lambda: writer.path, lambda: writer.acknowledged, lambda: draft.write(b"child")):
            assert in_fork(work) == "RuntimeError"
        assert in_fork(lambda: draft.__exit__(None, None, None)) == "RuntimeError"
    assert target.read_bytes() == b"parent"
    writer.write({"id": "a"})
    writer.close()
    assert ws.predictions.scan().collect()["id"].to_list() == ["a"]


def test_a_signal_ends_a_wait(tmp_path):
    """Of a process that waits in the public interface, as a person's Ctrl-C does."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("waits")
    with Worker(ws.path) as worker, locks.take(ws.path / ".locks" / "runs" / f"{run.id}.lock"):
        worker.send(f"print('waits', flush=True) or ws.runs.get({run.id!r}).transition('cancelled')")
        assert worker.process.stdout.readline() == "waits\n"
        worker.process.send_signal(signal.SIGINT)
        assert worker.receive() == "KeyboardInterrupt"
    assert run.transition("cancelled") == "cancelled"


# Which files are left


def lock_files(ws):
    return sorted(path.name for path in (ws.path / ".locks").rglob("*") if path.is_file())


SHARED = ["gc.holder", "gc.lock"]


def test_runs_that_ended_leave_no_lock_files(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for place in range(25):
        run = ws.runs.create(f"run {place}", templates=[["SNV", place]], datasets=["wheat"])
        if place % 5 == 0:
            run.transition("cancelled")
            continue
        try:
            with run:
                run.plan([])
                assert len(lock_files(ws)) == 4 + len(SHARED)
                if place % 5 == 1:
                    raise ZeroDivisionError
                if place % 5 == 2:
                    run.transition("paused")
        except ZeroDivisionError:
            pass
        if place % 5 == 2:
            assert lock_files(ws) == sorted([*SHARED, f"{run.id}.holder", f"{run.id}.lock"])
            ws.runs.delete(run.id)
        assert lock_files(ws) == SHARED
    # Asking again for what has ended leaves none either.
    for run in ws.runs.list():
        for work in (Run.claim, lambda run: run.transition("running"), lambda run: run.plan([])):
            with contextlib.suppress(n4w.WorkspaceError, ValueError):
                work(run)
    assert ws.predictions.compact()["skipped"] == []
    assert lock_files(ws) == SHARED


def test_edited_datasets_leave_no_lock_files(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for place in range(5):
        (tmp_path / f"{place}.csv").write_text(f"a,b\n{place},2\n")
        record = ws.datasets.register(tmp_path / f"{place}.csv")
        ws.datasets.register(tmp_path / f"{place}.csv", task_type="regression")
        assert ws.datasets.get(record.id).task_type == "regression"
    assert lock_files(ws) == ["datasets.holder", "datasets.lock"]


def test_garbage_are_the_lock_files_that_older_versions_and_deaths_left(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    ended, paused, gone = (ws.runs.create(name) for name in ("ended", "paused", "gone"))
    with paused:
        paused.transition("paused")
    ended.transition("cancelled")
    ws.runs.delete(gone.id)
    folder = ws.path / ".locks" / "runs"
    kinds = (".holder", ".lock", ".owner.holder", ".owner.lock")
    for run in (ended, gone, paused):
        for kind in kinds:
            (folder / f"{run.id}{kind}").touch()
    wanted = {f".locks/runs/{run.id}{kind}" for run in (ended, gone) for kind in (".lock", ".owner.lock")}
    with locks.take(folder / f"{gone.id}.lock"):
        looked = ws.gc()["items"]
        assert {(item["path"], item["kind"]) for item in looked} == {(path, "lock") for path in wanted}
        held = f".locks/runs/{gone.id}.lock"
        assert {item["path"] for item in ws.gc(yes=True)["items"]} == wanted - {held}
    assert [item["path"] for item in ws.gc(yes=True)["items"]] == [held]
    left = sorted(path.name for path in folder.iterdir())
    assert left == sorted(
        f"{paused.id}{kind}" for kind in (".lock", ".owner.lock", ".holder", ".owner.holder")
    )


def test_the_host_that_owned_a_running_run_last_stays_known(tmp_path, monkeypatch):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("runs elsewhere")
    with Worker(ws.path) as worker:
        assert worker.do(f"ws.runs.get({run.id!r}).transition('running')") == "running"
    holder = ws.path / ".locks" / "runs" / f"{run.id}.owner.holder"
    holder.write_text(holder.read_text().replace(socket.gethostname(), "elsewhere"))
    assert not run.is_owned
    monkeypatch.setattr(_native, "is_network_drive", lambda _: True)
    assert run.is_owned
    with ws.predictions.writer(run.id, "wheat") as writer:
        writer.write({"id": "a"})
    assert [skipped["run_id"] for skipped in ws.predictions.compact()["skipped"]] == [run.id]
    assert run.is_owned
    assert ws.recover()["runs"] == []
    assert [one["status"] for one in ws.recover(dead_hosts=["elsewhere"])["runs"]] == ["failed"]
    assert not run.is_owned
    # Who lets go of a run that is still running stays known as well.
    other = ws.runs.create("stays")
    other.transition("running")
    ownership.release(ws.path, other.id)
    assert _native.lock_holder(holder.with_name(f"{other.id}.owner.lock"))["pid"] == os.getpid()
