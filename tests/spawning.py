"""Processes that run a program of Python with the package imported already: forks of one that only imports.

Starting Python and importing takes longer than most of what tests let processes do. The one that forks is
started by the first test that wants a process; it has no threads, no locks and no workspace. A process that
must begin as a user's does is started by `subprocess` instead.
"""

import array
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
# Number of bytes of a request, before it; what a process ended with, as `os.waitpid` has it.
HEAD, STATUS = struct.Struct("<I"), struct.Struct("<i")


# --- the one that forks


def _serve(requests: socket.socket) -> tuple[str, list[str]]:
    """Fork for each request until there are no more; in a fork, return its program and its arguments."""
    import nirs4all_workspace as n4w
    import polars
    import yaml

    assert n4w.Workspace
    assert polars.DataFrame
    assert yaml.safe_load
    children: dict[int, int] = {}
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            os.read(woken, 1_000)
            while children:
                pid, ended = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                with contextlib.suppress(BrokenPipeError):
                    os.write(children[pid], STATUS.pack(ended))
                os.close(children.pop(pid))
        if requests not in ready:
            continue
        head, files, _, _ = socket.recv_fds(requests, HEAD.size, 4)
        if not head:
            os._exit(0)
        text = b""
        while len(text) < HEAD.unpack(head)[0]:
            text += requests.recv(HEAD.unpack(head)[0] - len(text))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for other in (woken, wake, *children.values()):
                os.close(other)
            requests.close()
            return _become(json.loads(text), files)
        children[pid] = files.pop()
        for file in files:
            os.close(file)
        requests.sendall(STATUS.pack(pid))


def _become(request: dict, files: list[int]) -> tuple[str, list[str]]:
    """Take the streams, the variables and the folder that were asked for."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(request["variables"])
    os.chdir(request["folder"])
    return request["code"], request["arguments"]


def _main() -> None:
    code, arguments = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = ["-c", *arguments]
    main = sys.modules["__main__"].__dict__
    for name in [name for name in main if not name.startswith("__") or name == "__file__"]:
        del main[name]
    ended = 0
    # Names of this module are gone from here on.
    from os import _exit
    from sys import stderr, stdout
    from traceback import print_exc

    try:
        exec(compile(code, "<string>", "exec"), main)
    except SystemExit as asked:
        ended = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        print_exc()
        ended = 1
    for stream in (stdout, stderr):
        stream.flush()
    # What libraries do at the end of a process may wait for threads that no fork has.
    _exit(ended)


# --- those that ask


class _Forker:
    """The process that forks for this one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner = os.getpid()
        self.socket, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())], stdin=DEVNULL, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        atexit.register(self.end)

    def end(self) -> None:
        """Let it go, where this is the process that it forks for."""
        if self.owner == os.getpid():
            self.socket.close()
            self.process.wait()

    def fork(self, request: dict, files: list[int]) -> int:
        text = json.dumps(request).encode()
        with self.lock:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
            self.socket.sendmsg([HEAD.pack(len(text))], rights)
            self.socket.sendall(text)
            answer = self.socket.recv(STATUS.size, socket.MSG_WAITALL)
        return STATUS.unpack(answer)[0]


_forkers: list[_Forker] = []


def _forker() -> _Forker:
    if not _forkers or _forkers[-1].owner != os.getpid():
        _forkers.append(_Forker())
    return _forkers[-1]


class Process:
    """A program of Python in a process of its own; the same names mean the same as in `subprocess.Popen`."""

    def __init__(self, code, *arguments, stdin=PIPE, stdout=PIPE, stderr=None, text=True, cwd=None, env=None):
        self.returncode = None
        ours, theirs = [None] * 3, []
        for number, stream in enumerate((stdin, stdout, stderr)):
            if stream is PIPE:
                reader, writer = os.pipe()
                theirs.append(reader if number == 0 else writer)
                end, mode = (writer, "w") if number == 0 else (reader, "r")
                ours[number] = os.fdopen(end, mode if text else f"{mode}b")
            elif stream is DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
            else:
                theirs.append(os.dup(number if stream is None else stream.fileno()))
        self.stdin, self.stdout, self.stderr = ours
        self._ended, ended = os.pipe()
        request = {
            "code": code,
            "arguments": [os.fspath(it) if isinstance(it, os.PathLike) else str(it) for it in arguments],
            "folder": os.fspath(cwd or Path.cwd()),
            "variables": dict(os.environ if env is None else env),
        }
        try:
            self.pid = _forker().fork(request, [*theirs, ended])
        finally:
            for file in (*theirs, ended):
                os.close(file)

    def wait(self, timeout=None):
        """What it returned, or minus the signal that ended it."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self.returncode = os.waitstatus_to_exitcode(STATUS.unpack(os.read(self._ended, STATUS.size))[0])
            os.close(self._ended)
        return self.returncode

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, said=None, timeout=None):
        """All that it says, once it ended."""
        until = None if timeout is None else time.monotonic() + timeout
        found = [None, None]

        def read(number, stream):
            found[number] = stream.read()
            stream.close()

        open_ones = [(n, it) for n, it in enumerate((self.stdout, self.stderr)) if it and not it.closed]
        readers = [threading.Thread(target=read, args=one, daemon=True) for one in open_ones]
        for reader in readers:
            reader.start()
        if self.stdin and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                if said is not None:
                    self.stdin.write(said)
                self.stdin.close()
        for reader in readers:
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
        if any(reader.is_alive() for reader in readers):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        return tuple(found)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.communicate()


def run(code, *arguments, check=False, timeout=None, **options) -> subprocess.CompletedProcess:
    """Run a program to its end."""
    with Process(code, *arguments, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, code, out, err)
    return subprocess.CompletedProcess(code, process.returncode, out, err)


if __name__ == "__main__":
    _main()
