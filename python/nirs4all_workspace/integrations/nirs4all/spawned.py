"""What runs in a process that computes: tasks come through a pipe, and what they give goes back.

Nothing that is heavy is imported here: the function that computes says what it needs.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.failures import Failure, PoolError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESS_NAME = "n4w-computes"
# The exit code of a process whose script started to compute when it was only to be imported.
NO_MAIN_GUARD = 86
MAIN_GUARD = (
    "put what the script does below `if __name__ == '__main__':` (a main guard), "
    "since each process imports the script again"
)
_CHECK_S = 0.5


def refuse_while_main_is_imported() -> None:
    """Stop where a process that was started to compute imports a script without a main guard.

    Raises:
        SystemExit: In a process of ours; its owner says what to do, once.
        PoolError: In a process that was not started here.
    """
    process = multiprocessing.current_process()
    if not getattr(process, "_inheriting", False):
        return
    if process.name == PROCESS_NAME:
        raise SystemExit(NO_MAIN_GUARD)
    raise PoolError(f"expected to be called by a script with a main guard: {MAIN_GUARD}")


def serve(pipe: connection.Connection) -> None:
    """Compute what comes through the pipe until it is closed; the first message is the function.

    The process leads a group of its own, so that whatever a task starts ends with it. It ignores SIGINT,
    which a terminal sends to all: the owner decides. SIGTERM ends it as an exception would, so that temporary
    files are removed.
    """
    process = multiprocessing.current_process()
    process.daemon = False  # else models that compute with processes of their own may not
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # what it prints may go to a terminal
    _end_with_owner()
    try:
        function = pickle.loads(pipe.recv_bytes())  # noqa: S301 - of the owner
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever an import raises
        pipe.send_bytes(ForkingPickler.dumps(("unusable", one_line(error))))
        return
    pipe.send_bytes(ForkingPickler.dumps(("ready", None)))
    while True:
        try:
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        answer = _answer(function, task)
        try:
            pipe.send_bytes(answer)
        except OSError:  # the owner is gone
            return


class _TerminatedError(SystemExit):
    """The owner ends this process."""


def _terminate(*_: object) -> None:
    raise _TerminatedError(128 + signal.SIGTERM)


def _answer(function: Callable[[Any], Any], pickled: bytes) -> Any:  # noqa: ANN401 - a buffer
    """Compute one task; return the pickled answer, a `Failure` where the value cannot be pickled."""
    doing = "the task cannot be unpickled"
    try:
        task = pickle.loads(pickled)  # noqa: S301 - of the owner
        doing = ""
        value = function(task)
        doing = "what it returned cannot be pickled"
        return ForkingPickler.dumps(("value", value))
    except _TerminatedError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is told
        return ForkingPickler.dumps(("failure", Failure.raised(error, doing)))


def _end_with_owner() -> None:
    """End this process and all that it started when its owner dies, of whatever."""
    owner = multiprocessing.parent_process()
    if owner is None:
        return
    if sys.platform == "linux":
        _have_the_kernel_end(owner.sentinel)
    threading.Thread(target=_watch, args=(owner.sentinel,), name="n4w-owner", daemon=True).start()


def _watch(sentinel: int) -> None:
    """Wait for the owner's death; its number is looked at too, since forks of it may hold its pipe open."""
    number = os.getppid()
    while not connection.wait([sentinel], timeout=_CHECK_S):
        if os.getppid() != number:
            break
    _end_at_once()


def _end_at_once() -> None:
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _have_the_kernel_end(sentinel: int) -> None:
    """Have the kernel kill this group when the owner's pipe closes, also where a task holds Python's lock."""
    import fcntl

    fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
