"""Spawned processes that compute tasks: they are started, given one task each, replaced and ended here.

Why not `concurrent.futures.ProcessPoolExecutor` or loky: the death of one process breaks the whole pool and
fails all that was submitted, a task that hangs cannot be ended, and processes outlive a killed owner. Here
each process has a pipe of its own and one task at a time: what a death or a timeout concerns is known.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.failures import Failure, PoolError, ended_how, one_line
from nirs4all_workspace.integrations.nirs4all.spawned import MAIN_GUARD, NO_MAIN_GUARD, PROCESS_NAME, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import SpawnProcess

# Read by BLAS, OpenMP and other pools of threads when they are imported, and by loky.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
_ENVIRONMENT = threading.Lock()
# How often a stop is asked for and a death looked for, in seconds.
_CHECK_S = 0.1
# How long a process is given to end by itself, in seconds.
_GRACE_S = 2.0
# In how many deaths a task is in flight before it is taken for their cause.
_DEATHS = 2
# How many processes may fail to start, one after another.
_START_FAILURES = 3


@dataclass(eq=False)
class _Entry:
    """A task, pickled, and in how many deaths it was in flight."""

    task: Any
    pickled: Any
    deaths: int = 0


class _Worker:
    """One process, its pipe, and what it computes."""

    def __init__(self, function: Any, threads: int) -> None:  # noqa: ANN401 - a buffer
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve, args=(theirs,), name=PROCESS_NAME, daemon=True
        )
        try:
            with theirs, _few_threads(threads), _without_a_vanished_script():
                self.process.start()
            with contextlib.suppress(OSError):  # it died; that is seen where its answers are looked for
                self.pipe.send_bytes(function)
        except BaseException:
            self.pipe.close()
            raise
        self.is_ready = False
        self.entry: _Entry | None = None
        self.since = 0.0

    def give(self, entry: _Entry) -> None:
        """Send a task; where the process is dead, that is seen later."""
        self.entry, self.since = entry, time.monotonic()
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(entry.pickled)

    def answer(self) -> bytes | None:
        """Read what it sent; None where its end of the pipe is closed."""
        try:
            return self.pipe.recv_bytes()
        except (EOFError, OSError):
            return None

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        if self.process.pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def bury(self, grace_s: float = 0.0) -> int | None:
        """End the process, once it had the time to end by itself; return its exit code."""
        self.process.join(grace_s)
        self.kill()
        self.process.join(_GRACE_S)
        self.pipe.close()
        return self.process.exitcode

    def is_late(self, timeout: float) -> bool:
        """Whether its task takes longer than it may, and sent nothing that was not read."""
        return time.monotonic() - self.since > timeout and not self.pipe.poll()

    def is_dead(self) -> bool:
        """Whether it ended and sent nothing that was not read; forks of it may hold its pipe open."""
        return not self.process.is_alive() and not self.pipe.poll()


class Processes:
    """As many processes as were asked for, at most; a context manager, which ends them."""

    def __init__(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], count: int, timeout: float | None
    ) -> None:
        """Start nothing yet.

        Raises:
            PoolError: The function cannot be found by other processes.
        """
        try:
            self._function = ForkingPickler.dumps(function)
        except Exception as error:  # noqa: BLE001 - whatever pickling raises
            message = f"expected a function of a module, which other processes can import: {one_line(error)}"
            raise PoolError(message) from None
        self._owner = os.getpid()
        self._tasks = iter(tasks)
        self._is_more = True
        self._waiting: deque[_Entry] = deque()
        self._count = count
        self._threads = max(1, cores() // count)
        self._timeout = timeout
        self._workers: list[_Worker] = []
        self._was_ready = False
        self._start_failures = 0

    def __enter__(self) -> Processes:
        """Have the processes end with this one."""
        atexit.register(self._kill)
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self.end()
        atexit.unregister(self._kill)

    def outcomes(self, should_stop: Callable[[], bool]) -> Iterator[tuple[Any, Any | Failure]]:
        """Yield each task with its value or failure, until all are done or it should stop.

        Raises:
            PoolError: No process can be started, or the function cannot be imported there.
        """
        while not should_stop():
            yield from self._assign()
            if not self._waiting and not any(worker.entry for worker in self._workers):
                return
            done = self._collect(_CHECK_S)
            # The next tasks are computed while the consumer works.
            yield from done + ([] if should_stop() else self._assign())
        done = self._collect(0)
        self.end()
        yield from done

    def end(self) -> None:
        """End all processes: those that do not when asked by signal 9, which an interrupt does at once."""
        if os.getpid() != self._owner:
            return
        try:
            for worker in self._workers:
                worker.pipe.close()
                if not worker.is_ready or worker.entry is not None:
                    worker.process.terminate()
            until = time.monotonic() + _GRACE_S
            for worker in self._workers:
                worker.process.join(max(0.0, until - time.monotonic()))
        finally:
            self._kill()
            for worker in self._workers:
                worker.bury()
            self._workers.clear()

    def _kill(self) -> None:
        """End all processes at once; a fork of their owner ends none."""
        if os.getpid() == self._owner:
            for worker in self._workers:
                worker.kill()

    def _assign(self) -> list[tuple[Any, Failure]]:
        """Give idle processes tasks, start processes for those that wait, return what cannot be sent."""
        failed = self._fetch()
        for worker in self._workers:
            if worker.is_ready and worker.entry is None and self._waiting:
                worker.give(self._waiting.popleft())
                failed += self._fetch()
        # The first one shows whether the script can be imported at all.
        most = self._count if self._was_ready else 1
        starting = sum(not worker.is_ready for worker in self._workers)
        while (
            self._waiting and len(self._workers) < most and (self._is_more or starting < len(self._waiting))
        ):
            starting += 1
            try:
                self._workers.append(_Worker(self._function, self._threads))
            except OSError as error:
                self._count_start_failure(f"cannot be started: {one_line(error)}")
                break
        return failed

    def _fetch(self) -> list[tuple[Any, Failure]]:
        """Have a task wait, where there are more; return those that cannot be sent."""
        failed = []
        while self._is_more and not self._waiting:
            try:
                task = next(self._tasks)
            except StopIteration:
                self._is_more = False
                break
            try:
                self._waiting.append(_Entry(task, ForkingPickler.dumps(task)))
            except Exception as error:  # noqa: BLE001 - whatever pickling raises
                failed.append((task, Failure.raised(error, "the task cannot be pickled")))
        return failed

    def _collect(self, wait_s: float) -> list[tuple[Any, Any | Failure]]:
        """Return what came within some seconds: values, failures, deaths and timeouts."""
        done: list[tuple[Any, Any | Failure]] = []
        ready = connection.wait([worker.pipe for worker in self._workers], wait_s)
        for worker in list(self._workers):
            if worker.pipe in ready:
                answer = worker.answer()
                done += self._bury(worker) if answer is None else self._take(worker, answer)
            elif worker.is_dead():
                done += self._bury(worker)
            elif self._timeout is not None and worker.entry is not None and worker.is_late(self._timeout):
                self._workers.remove(worker)
                worker.bury()
                done.append((worker.entry.task, Failure.took_too_long(self._timeout)))
        return done

    def _take(self, worker: _Worker, answer: bytes) -> list[tuple[Any, Any | Failure]]:
        """Read an answer; return the task with its value or failure."""
        try:
            kind, value = pickle.loads(answer)  # noqa: S301 - of a process of ours
        except Exception as error:  # noqa: BLE001 - whatever unpickling raises
            kind, value = "failure", Failure.raised(error, "what it returned cannot be unpickled")
        if kind == "unusable":
            raise PoolError(
                f"the function cannot be imported by the processes that compute ({value}); "
                f"define it in a module, not in a notebook or at a prompt; in a script, {MAIN_GUARD}"
            )
        if kind == "ready":
            worker.is_ready = self._was_ready = True
            self._start_failures = 0
            return []
        entry, worker.entry = worker.entry, None
        return [] if entry is None else [(entry.task, value)]

    def _bury(self, worker: _Worker) -> list[tuple[Any, Failure]]:
        """Remove a dead process; return its task where that was in too many deaths, else it waits again."""
        self._workers.remove(worker)
        exit_code = worker.bury(_GRACE_S)
        if not worker.is_ready:
            if exit_code == NO_MAIN_GUARD:
                raise PoolError(f"expected a script with a main guard: {MAIN_GUARD}")
            if not self._was_ready and (exit_code or 0) > 0:
                raise PoolError(
                    f"a process that was to compute {ended_how(exit_code)} while it imported the script; "
                    f"see what it printed; most often the script lacks a main guard: {MAIN_GUARD}"
                )
            self._count_start_failure(ended_how(exit_code))
        entry = worker.entry
        if entry is None:
            return []
        entry.deaths += 1
        if entry.deaths >= _DEATHS:
            return [(entry.task, Failure.died(exit_code))]
        self._waiting.appendleft(entry)
        return []

    def _count_start_failure(self, what: str) -> None:
        """Count a process that never computed; after some in a row go on without, or raise without any."""
        self._start_failures += 1
        if self._start_failures < _START_FAILURES:
            return
        able = sum(worker.is_ready for worker in self._workers)
        if not able:
            tries = self._start_failures
            raise PoolError(f"no process that computes could be started: {tries} tries, the last one {what}")
        self._count = able


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # of Linux
        return os.cpu_count() or 1


@contextlib.contextmanager
def _without_a_vanished_script() -> Iterator[None]:
    """Have no process import a script that is no file, such as one that was read from stdin."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None or Path(file).exists():
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


@contextlib.contextmanager
def _few_threads(count: int) -> Iterator[None]:
    """Have processes that are started here take so many threads at most; the environment is put back."""
    with _ENVIRONMENT:
        before = {name: os.environ.get(name) for name in _THREADS}
        try:
            for name, value in before.items():
                is_less = value is not None and value.isdecimal() and 0 < int(value) < count
                os.environ[name] = value if value is not None and is_less else str(count)
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
