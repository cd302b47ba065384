"""Locks between real processes, and what a forked child keeps of them."""

import os
import signal
import socket
import subprocess
import sys

import nirs4all_workspace as n4w
import pytest
from nirs4all_workspace import _native, locks

HOLD = """
import sys
from pathlib import Path
from nirs4all_workspace import locks
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
    assert lock_path.exists(), "lock files are never deleted"


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
