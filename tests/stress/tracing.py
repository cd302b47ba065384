"""strace around a worker that is ready to begin, so that its counts begin with the work itself.

The worker prints its pid, then waits for a byte on stdin.
"""

import contextlib
import shutil
import subprocess
import threading

import pytest
import spawning


def need_strace():
    """Skip where there is no strace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")


def traced(worker, arguments, inject, *, filters=()):
    """Run a worker, a program for `python -c`, under strace; its exit code and what strace saw.

    `inject` names the calls, and what is done to one of them after a colon.
    """
    need_strace()
    worker = spawning.Process(worker, *arguments, text=False)
    pid = int(worker.stdout.readline())
    command = ["strace", "-f", "-y", "-p", str(pid), *filters, "-e", f"trace={inject.partition(':')[0]}"]
    if ":" in inject:
        command += ["-e", f"inject={inject}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, worker.kill)
    watchdog.start()
    lines = []
    try:
        for line in tracer.stderr:
            if "attached" in line:
                break
            lines.append(line)
        else:
            worker.kill()
            pytest.skip(f"strace cannot attach here: {''.join(lines)[-200:]}")
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(b"g")
            worker.stdin.flush()
        lines += tracer.stderr.readlines()
        return worker.wait(), lines
    finally:
        watchdog.cancel()
        worker.kill()
        worker.communicate()
        tracer.communicate()


def calls_made(lines, names):
    """Each call of these names that was made: the name, and which of its like it is in its thread.

    strace counts the calls of each thread for itself.
    """
    seen = [thread_and_call(line) for line in lines]
    found = []
    for name in names.split(","):
        threads = [thread for thread, call in seen if call == name]
        made = max(map(threads.count, threads), default=0)
        found += [(name, nth) for nth in range(1, made + 1)]
    return found


def thread_and_call(line):
    """The thread that strace names, if it names one, and the system call."""
    head, _, _ = line.partition("(")
    return head.rpartition("] ")[0], head.rpartition(" ")[2]
