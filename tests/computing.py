"""What tests have processes compute: functions of a task, which other processes can import."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path


def do(task):
    """Do what a task says: a word and what belongs to it."""
    what, *rest = task
    return _DOING[what](*rest)


class Wild:
    """Says what is asked of it when it is pickled or unpickled."""

    def __init__(self, where):
        self.where = where

    def __reduce__(self):
        if self.where == "pickled":
            raise RuntimeError("cannot be pickled")
        return (_raise_elsewhere, (self.where, os.getpid()))


class NoTextError(Exception):
    """Has no text, and cannot be pickled."""

    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise RuntimeError("cannot be pickled")


def _raise_elsewhere(where, made_by):
    if where == "unpickled" and os.getpid() != made_by:
        raise RuntimeError("cannot be unpickled")
    return Wild(where)


def _raise(error):
    raise error


def _count(path):
    """How often this was called with a path."""
    with Path(path).open("a") as file:
        file.write("x")
    return Path(path).stat().st_size


def _once(path, what):
    """The first time, do something that may never return."""
    if _count(path) == 1:
        do(what)
    return "again"


def _say_and_sleep(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)


def _hold_the_lock(folder):
    """Sleep without ever letting another thread run, as a long loop in C does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    (Path(folder) / str(os.getpid())).touch()
    ctypes.PyDLL(None).sleep(600)


def _start_and_sleep(folder):
    """Start a process, as models with `n_jobs` do."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (Path(folder) / str(child.pid)).touch()
    _say_and_sleep(folder)


def _clean_up_after(folder):
    (Path(folder) / str(os.getpid())).touch()
    try:
        time.sleep(600)
    finally:
        (Path(folder) / "clean").touch()


_DOING = {
    "square": lambda number: number * number,
    "pid": lambda *_: (time.sleep(0.05), os.getpid())[1],
    "raise": lambda: _raise(ValueError("no such\nwavelength")),
    "exit": lambda code: sys.exit(code),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "no text": lambda: _raise(NoTextError()),
    "wild": Wild,
    "die": os._exit,
    "kill": lambda number: os.kill(os.getpid(), number),
    "segfault": lambda: ctypes.string_at(0),
    "sleep": time.sleep,
    "once": _once,
    "environment": lambda *names: {name: os.environ.get(name) for name in names},
    "blas": lambda: _threads_of_blas(),
    "say and sleep": _say_and_sleep,
    "hold the lock": _hold_the_lock,
    "start and sleep": _start_and_sleep,
    "clean up after": _clean_up_after,
    "group": os.getpgrp,
    "interrupts": lambda: signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    "bytes": lambda count: b"x" * count,
    "takes": len,
}


def _threads_of_blas():
    """How many threads the kernel knows of this process once NumPy multiplied."""
    import numpy as np

    square = np.ones((300, 300))
    np.dot(square, square)
    return int(re.search(r"Threads:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def is_alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(is_so, seconds=60):
    """Wait until something is so; return whether it came to be."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.02)
    return is_so()
