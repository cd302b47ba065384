"""System calls that strace makes fail, or makes the last ones of a process.

strace attaches to a process that is ready to begin, so that its counts begin with the work itself.
"""

import contextlib
import shutil
import subprocess
import sys
import threading

import pytest


def traced(code, arguments, inject, *, filters=()):
    """Run Python code under strace; its exit code and what strace saw.

    The code prints its process id, waits for a byte on its standard input, and then does the work.
    `inject` names the calls, and what is done to one of them after a colon.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = [sys.executable, "-c", code, *map(str, arguments)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
