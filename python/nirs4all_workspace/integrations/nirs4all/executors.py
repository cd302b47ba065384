"""Tasks on an executor that the caller brings (threads, processes, loky, Dask), a bounded number ahead."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.failures import Failure, PoolError, one_line
from nirs4all_workspace.integrations.nirs4all.processes import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# How often a stop is asked for, in seconds.
_CHECK_S = 0.2
# How many tasks are submitted for each that can be computed at once.
_AHEAD = 2
# How many are submitted to a cluster at least: clusters that grow on demand go by what waits.
_AT_LEAST = 16


def outcomes(
    function: Callable[[Any], Any], tasks: Iterable[Any], executor: Executor, should_stop: Callable[[], bool]
) -> Iterator[tuple[Any, Any | Failure]]:
    """Yield each task with its value or failure, until all are done or it should stop.

    Raises:
        PoolError: The executor broke or was shut down, after all outcomes that there are.
    """
    submitted: dict[Future[Any], Any] = {}
    source = iter(tasks)
    is_more = True
    try:
        while not should_stop():
            try:
                most = _most_submitted(executor)
            except Exception as error:  # noqa: BLE001 - a cluster that is gone
                yield from _what_there_is(submitted)
                raise PoolError(_broken(error)) from None
            while is_more and len(submitted) < most and not should_stop():
                try:
                    task = next(source)
                except StopIteration:
                    is_more = False
                    break
                try:
                    submitted[executor.submit(_call, function, task, _process())] = task
                except (RuntimeError, BrokenExecutor) as error:  # shut down, or broken
                    yield from _what_there_is(submitted)
                    raise PoolError(_broken(error)) from None
                except Exception as error:  # noqa: BLE001 - whatever pickling raises, where it is done at once
                    yield task, Failure.raised(error, "the task cannot be submitted")
            if not submitted:
                return
            done, _ = wait(submitted, timeout=_CHECK_S, return_when=FIRST_COMPLETED)
            broken = None
            for future in done:
                try:
                    value = _value(future)
                except (BrokenExecutor, CancelledError) as error:
                    broken = error
                else:
                    yield submitted.pop(future), value
            if broken is not None:
                yield from _what_there_is(submitted)
                raise PoolError(_broken(broken)) from None
        yield from _what_there_is(submitted)
    finally:
        for future in submitted:
            future.cancel()


@dataclass(frozen=True)
class _Pickled:
    """A value that goes to another process; some executors wait for ever for one that they cannot read."""

    content: bytes


def _call(function: Callable[[Any], Any], task: Any, owner: tuple[str, int]) -> Any:  # noqa: ANN401 - any value
    """Call the function, wherever the executor does; return its value, pickled elsewhere, or a `Failure`."""
    try:
        value = function(task)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is told
        return Failure.raised(error)
    if _process() == owner:
        return value
    try:
        return _Pickled(pickle.dumps(value))
    except Exception as error:  # noqa: BLE001 - whatever pickling raises
        return Failure.raised(error, "what it returned cannot be pickled")


def _process() -> tuple[str, int]:
    """Return what tells this process from others, on this machine and elsewhere."""
    return socket.gethostname(), os.getpid()


def _what_there_is(submitted: dict[Future[Any], Any]) -> Iterator[tuple[Any, Any | Failure]]:
    """Yield what is done already."""
    for future in [future for future in submitted if future.done()]:
        with contextlib.suppress(BrokenExecutor, CancelledError):
            value = _value(future)
            yield submitted.pop(future), value


def _value(future: Future[Any]) -> Any | Failure:  # noqa: ANN401 - any value
    """Return the value or failure of a future that is done.

    Raises:
        BrokenExecutor: The executor broke.
        CancelledError: It was cancelled.
    """
    error = future.exception()
    if error is None:
        value = future.result()
        if not isinstance(value, _Pickled):
            return value
        try:
            return pickle.loads(value.content)  # noqa: S301 - of the caller's own executor
        except Exception as unreadable:  # noqa: BLE001 - whatever unpickling raises
            return Failure.raised(unreadable, "what it returned cannot be unpickled")
    if isinstance(error, BrokenExecutor | CancelledError):
        raise error
    if type(error).__name__ == "KilledWorker":  # of Dask, after several deaths
        return Failure("died", f"the processes that computed it died: {one_line(error)}")
    return Failure.raised(error)


def _most_submitted(executor: Executor) -> int:
    """How many tasks may be submitted and not done at once; clusters grow and shrink."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):  # of Dask
        threads: dict[str, int] = client.nthreads()
        return max(_AT_LEAST, _AHEAD * sum(threads.values()))
    for name in ("_max_workers", "num_workers"):  # of the standard library, loky and Ray; of mpi4py
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return _AHEAD * count
    return max(_AT_LEAST, _AHEAD * cores())


def _broken(error: BaseException) -> str:
    return (
        f"the executor cannot compute any more ({one_line(error)}); what was computed is not lost: "
        "resume with another one"
    )
