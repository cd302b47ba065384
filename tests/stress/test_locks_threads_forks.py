"""Locks among threads, forked children and other processes, all at once.

Forked children are idle workers, as pools have them: what they keep of their parent they keep until they end.
"""

import ctypes
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
from nirs4all_workspace import _native
from nirs4all_workspace._io import locks
from tracing import need_strace, traced
from writing import DATASET, RUN, row, workspace

ROUNDS = int(os.environ.get("N4W_STRESS_ROUNDS", "15"))
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def c_fork():
    """A fork that no hook of Python sees."""
    return ctypes.PyDLL(None).fork()


class Idle:
    """Children that do nothing until they are killed."""

    def __init__(self, fork=os.fork):
        self.fork = fork
        self.pids = []

    def add(self):
        pid = self.fork()
        if pid == 0:
            while True:
                signal.pause()
        self.pids.append(pid)

    def lock_files(self):
        """Which lock files they have open, where the system tells."""
        links = (link for pid in self.pids for link in Path(f"/proc/{pid}/fd").glob("*"))
        names = {str(link.readlink()).removesuffix(" (deleted)") for link in links}
        return {name for name in names if name.endswith(".lock")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Busy:
    """Threads that do the same again and again until the block ends; what they raised is raised then."""

    def __init__(self, *works):
        self.is_over = False
        self.errors = []
        self.threads = [threading.Thread(target=self._run, args=[work]) for work in works]

    def _run(self, work):
        try:
            while not self.is_over:
                work()
        except BaseException as error:  # noqa: BLE001 - raised below
            self.errors.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        if kind is None and self.errors:
            raise self.errors[0]


def locked_by_somebody(root):
    """Files below a folder that are locked, as the kernel tells a program without this package."""
    held = []
    for path in sorted(Path(root).rglob("*")):
        if path.suffix not in (".lock", ".journal"):
            continue
        with path.open("rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path.name)
    return held


def take_and_release(path):
    return lambda: locks.take(path, timeout=30).release()


def wait_in_vain(path):
    def work():
        with pytest.raises(n4w.LockTimeoutError):
            locks.take(path, timeout=0)

    return work


def write_and_leave(ws):
    """A writer that leaves its journal, as one that dies, but unlocked."""

    def work():
        writer = ws.predictions.writer(RUN, DATASET, durability="none")
        writer.write(row(None))
        writer.flush()

    return work


def works_of(kind, ws):
    locked = ws.path / ".locks"
    locks.take(locked / "x.lock").release()
    return {
        "taking": [take_and_release(locked / f"{name}.lock") for name in "xxy"],
        "looking": [lambda: _native.lock_is_held(locked / "x.lock")] * 3,
        "waiting": [wait_in_vain(locked / "held.lock")] * 3,
        "writing": [write_and_leave(ws)] * 2,
        "recovering": [write_and_leave(ws), lambda: _native.recover(ws.path)],
    }[kind]


@pytest.mark.parametrize("fork", [os.fork, c_fork])
@pytest.mark.parametrize("kind", ["taking", "looking", "waiting", "writing", "recovering"])
def test_idle_forks_keep_no_lock_of_busy_threads(tmp_path, kind, fork):
    ws = workspace(tmp_path / "ws")
    held = locks.take(ws.path / ".locks" / "held.lock")
    works = works_of(kind, ws)
    with Idle(fork) as idle:
        with Busy(*works):
            for _ in range(3 * ROUNDS):
                idle.add()
                time.sleep(0.001)
        assert locked_by_somebody(ws.path) == ["held.lock"]
        held.release()
        assert locked_by_somebody(ws.path) == []
        assert idle.lock_files() == set()
        assert _native.recover(ws.path)["alive"] == []


def test_a_child_of_a_busy_parent_can_work(tmp_path):
    """Children of a pool take locks, write and recover, whatever their parent's threads did at the fork."""
    ws = workspace(tmp_path / "ws")
    path = ws.path / ".locks" / "x.lock"
    busy = [take_and_release(path), lambda: ws.verify(), write_and_leave(ws)]
    context = multiprocessing.get_context("fork")
    with Busy(*busy):
        for place in range(max(2, ROUNDS // 5)):
            with context.Pool(2) as pool:
                done = pool.map_async(work_in_child, [(ws.path, f"{place}-{me}") for me in range(4)])
                assert done.get(timeout=60) == [1] * 4


def work_in_child(work):
    root, me = work
    locks.take(root / ".locks" / "x.lock", timeout=60).release()
    with n4w.Workspace.open(root).predictions.writer(RUN, me, durability="none") as writer:
        writer.write(row(me))
    return writer.acknowledged


COUNT = """
import os, sys, threading, time
from pathlib import Path
from nirs4all_workspace import _native
from nirs4all_workspace._io import locks
path, counter, idle = Path(sys.argv[1]), Path(sys.argv[2]), []
times, removes = int(sys.argv[3]), int(sys.argv[4])
def count():
    for turn in range(times):
        with locks.take(path, timeout=120) as lock:
            counter.write_text(str(int(counter.read_text()) + 1))
            if removes and turn % 3 != 1:
                lock.remove_on_release()
threads = [threading.Thread(target=count) for _ in range(2)]
[thread.start() for thread in threads]
while any(thread.is_alive() for thread in threads):
    time.sleep(0.01)
    if len(idle) < 20:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        idle.append(pid)
for pid in idle:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""
# As version 0.1.0 and any other program takes a lock: it never removes the file.
COUNT_PLAINLY = """
import fcntl, os, sys, time
path, counter, times = sys.argv[1], sys.argv[2], 2 * int(sys.argv[3])
while times:
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.0005)
            continue
        try:
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                continue
        except FileNotFoundError:
            continue
        number = int(open(counter).read()) + 1
        with open(counter, "w") as out:
            out.write(str(number))
        times -= 1
        fcntl.flock(file, fcntl.LOCK_UN)
"""


@pytest.mark.parametrize("removes", [0, 1])
def test_a_lock_excludes_threads_forks_and_processes(tmp_path, removes):
    path, counter = tmp_path / ".locks" / "x.lock", tmp_path / "counter"
    path.parent.mkdir()
    counter.write_text("0")
    times = 15 * ROUNDS
    programs = [COUNT, COUNT, COUNT_PLAINLY]
    processes = [
        subprocess.Popen([sys.executable, "-c", program, path, counter, str(times), str(removes)])
        for program in programs
    ]
    with Busy(lambda: (_native.lock_is_held(path), time.sleep(0.0001))):
        assert [process.wait(timeout=240) for process in processes] == [0] * len(programs)
    assert int(counter.read_text()) == 2 * times * len(programs)


TAKE = """
import os, sys
from pathlib import Path
from nirs4all_workspace import _native
from nirs4all_workspace._io import locks
path = Path(sys.argv[1])
print(os.getpid(), flush=True)
os.read(0, 1)
lock = locks.take(path)
os._exit(0 if _native.lock_is_held(path) else 3)
"""


def test_a_file_that_is_removed_between_opening_and_locking_is_not_the_lock(tmp_path):
    need_strace()
    path = tmp_path / "x.lock"

    def remove():
        while not path.exists():
            time.sleep(0.001)
        path.unlink()

    thread = threading.Thread(target=remove)
    thread.start()
    code, lines = traced(TAKE, [path], "flock:delay_enter=2000000:when=1")
    thread.join()
    assert any("INJECTED" in line or "DELAYED" in line for line in lines), lines
    assert code == 0, lines


LOOK = """
import sys
from pathlib import Path
from nirs4all_workspace import _native
print("looking", flush=True)
while True:
    _native.lock_is_held(Path(sys.argv[1]))
"""


# A slow machine: whoever looks is interrupted while it has the lock.
LOOK_SLOWLY = """
import fcntl, sys, time
print("looking", flush=True)
while True:
    with open(sys.argv[1], "a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        time.sleep(0.003)
        fcntl.flock(file, fcntl.LOCK_UN)
    time.sleep(0.002)
"""


@pytest.mark.parametrize("programs", [[LOOK] * 4, [LOOK_SLOWLY]])
def test_looking_fails_no_take(tmp_path, programs):
    path = tmp_path / ".locks" / "x.lock"
    locks.take(path).release()
    readers = [
        subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
        for program in programs
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "looking\n"
        for turn in range(20 * ROUNDS):
            with locks.take(path, timeout=0) as lock:
                if turn % 2:
                    lock.remove_on_release()
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def test_threads_wait_for_each_other_only_on_the_same_lock(tmp_path):
    """Each of many threads waits for its lock; one that is free comes at once to each of as many others."""
    held = [locks.take(tmp_path / ".locks" / f"{name}.lock") for name in range(8)]
    got = []

    def wait(name):
        with locks.take(tmp_path / ".locks" / f"{name}.lock", timeout=60):
            got.append(name)

    waiting = [threading.Thread(target=wait, args=[name]) for name in range(8)]
    for thread in waiting:
        thread.start()
    free = [threading.Thread(target=wait, args=[name]) for name in range(8, 16)]
    for thread in free:
        thread.start()
    for thread in free:
        thread.join(20)
    assert sorted(got) == list(range(8, 16)), "those that are free came, though others wait"
    for lock in held:
        lock.release()
    for thread in waiting:
        thread.join(20)
    assert sorted(got) == list(range(16))
