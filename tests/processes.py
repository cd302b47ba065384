"""Other processes for tests: each has a workspace open and does what it is told, one line at a time."""

import json
import os
import signal
from pathlib import Path

import spawning

_WORKER = """
import json, sys, traceback
import nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
kept = {}
print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = {"value": eval(json.loads(line))}
    except BaseException as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer, default=str), flush=True)
"""


class Worker:
    """A process with `ws`, `n4w` and a dict `kept`; expressions are evaluated there."""

    def __init__(self, folder):
        self.process = spawning.Process(_WORKER, folder)
        assert self.process.stdout.readline() == "ready\n"

    @property
    def pid(self):
        return self.process.pid

    def send(self, expression):
        self.process.stdin.write(json.dumps(expression) + "\n")
        self.process.stdin.flush()

    def receive(self):
        """The value, or the name of the error."""
        answer = json.loads(self.process.stdout.readline())
        return answer["error"] if "error" in answer else answer["value"]

    def do(self, expression):
        self.send(expression)
        return self.receive()

    def kill(self):
        """End it as a power failure would, as far as other processes see."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def race(program, folder, count, *arguments):
    """Run a program in several processes that begin together; what each printed, as JSON.

    The program finds `ws`, `n4w` and its number `me`, and calls `say(value)` once.
    """
    head = (
        "import json, os, sys, time\nimport nirs4all_workspace as n4w\n"
        "ws = n4w.Workspace.open(sys.argv[1]); me = int(sys.argv[2]); arguments = sys.argv[3:]\n"
        "def say(value): print(json.dumps(value, default=str), flush=True)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
    )
    processes = [spawning.Process(head + program, folder, me, *arguments) for me in range(count)]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
        assert [process.returncode for process in processes] == [0] * count
        return said
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def tree(folder):
    """Every file below a folder that is data, with its bytes."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".locks", ".cache"} & set(path.relative_to(folder).parts)
    }


def in_fork(work):
    """What `work` returns, or the name of what it raises, in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = str(work())
        except BaseException as error:  # noqa: BLE001 - the child must not return
            answer = type(error).__name__
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer
