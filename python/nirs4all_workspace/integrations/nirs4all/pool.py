"""Tasks are computed here, in processes or on an executor: each comes back with a value or a `Failure`."""

from __future__ import annotations

import inspect
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all import executors
from nirs4all_workspace.integrations.nirs4all.failures import Failure, PoolError
from nirs4all_workspace.integrations.nirs4all.processes import Processes
from nirs4all_workspace.integrations.nirs4all.spawned import refuse_while_main_is_imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Failure", "PoolError", "outcomes", "refuse_while_main_is_imported"]


def outcomes(
    function: Callable[..., Any],
    tasks: Iterable[Any],
    *,
    workers: int = 0,
    executor: Executor | None = None,
    timeout: float | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[Any, Any | Failure]]:
    """Compute tasks; yield each with what came of it, as they complete.

    Closing the iterator, or an exception in its consumer, ends all processes that were started here; hold it
    by `contextlib.closing` where it has a name. When it should stop, what is complete is yielded and no more.

    Args:
        function: What computes: `function(task)`. A function with a parameter `should_stop` is given that by
            name where it computes in this process; the parameter must have a default. Other processes must be
            able to import it.
        tasks: The tasks; they are taken as they are computed, a few ahead.
        workers: How many processes compute, with cores // workers threads of BLAS each; 0 for this process,
            or for one other where there is a timeout.
        executor: Computes in place of `workers`. When it should stop, what was submitted is cancelled and
            what runs is left alone.
        timeout: Seconds that a task may take, from when a process that is ready is given it.
        should_stop: Asked several times a second, in this process between tasks.

    Returns:
        Pairs of a task and its value or `Failure`.

    Raises:
        TypeError: `executor` is not one, or `workers` not an integer.
        ValueError: Both `workers` and `executor`, or `timeout` with `executor`, or one of them out of range.
        PoolError: While iterating: no process can be started, or the executor broke.
    """
    refuse_while_main_is_imported()
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers: expected an integer, got {workers!r}")
    if workers < 0:
        raise ValueError(f"workers: expected 0 or more, got {workers}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout: expected more than 0 seconds, got {timeout!r}")
    should_stop = should_stop or _never
    if executor is not None:
        if not isinstance(executor, Executor):
            message = "executor: expected a concurrent.futures.Executor (of Dask: `Client.get_executor()`)"
            raise TypeError(f"{message}, got {type(executor).__name__}")
        if workers:
            raise ValueError("workers: not together with executor, which has its own")
        if timeout is not None:
            raise ValueError("timeout: not together with executor, whose tasks cannot be ended; use workers")
        return executors.outcomes(function, tasks, executor, should_stop)
    if workers or timeout is not None:
        return _in_processes(Processes(function, tasks, workers or 1, timeout), should_stop)
    return _here(function, tasks, should_stop)


def _in_processes(
    processes: Processes, should_stop: Callable[[], bool]
) -> Iterator[tuple[Any, Any | Failure]]:
    with processes:
        yield from processes.outcomes(should_stop)


def _here(
    function: Callable[..., Any], tasks: Iterable[Any], should_stop: Callable[[], bool]
) -> Iterator[tuple[Any, Any | Failure]]:
    """Compute in this process, one after another; SystemExit and KeyboardInterrupt pass."""
    options = {"should_stop": should_stop} if _takes_should_stop(function) else {}
    for task in tasks:
        if should_stop():
            return
        try:
            value = function(task, **options)
        except Exception as error:  # noqa: BLE001 - whatever a task raises is told
            value = Failure.raised(error)
        yield task, value


def _takes_should_stop(function: Callable[..., Any]) -> bool:
    try:
        return "should_stop" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some functions of C have none
        return False


def _never() -> bool:
    return False
