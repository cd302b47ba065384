"""Driving nirs4all: one process owns the run and writes, this one or others compute."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from nirs4all_workspace.exceptions import ComputationError
from nirs4all_workspace.integrations.nirs4all import preparation
from nirs4all_workspace.integrations.nirs4all.compute import compute
from nirs4all_workspace.integrations.nirs4all.interruption import Interruption
from nirs4all_workspace.integrations.nirs4all.pool import Failure, outcomes, refuse_while_main_is_imported
from nirs4all_workspace.integrations.nirs4all.settings import How, of_run
from nirs4all_workspace.integrations.nirs4all.tasks import Options
from nirs4all_workspace.model.result import NAMES as RESULT_FIELDS
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from concurrent.futures import Executor

    from nirs4all_workspace.integrations.nirs4all.preparation import Place
    from nirs4all_workspace.integrations.nirs4all.tasks import Input, Outcome, Task
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.predictions.writer import Writer
    from nirs4all_workspace.runs.run import Run


def run(
    templates: object = None,
    datasets: object = None,
    workspace: Place = None,
    *,
    name: str | None = None,
    resume: Run | str | None = None,
    retry_failed: bool = False,
    workers: int = 0,
    executor: Executor | None = None,
    on_error: str = "record",
    refit: object = True,
    artifacts: str = "refit",
    engine: str | None = None,
    random_state: int | None = None,
    timeout: float | None = None,
    allow_packages: Iterable[str] = (),
    **run_options: object,
) -> Run:
    """Run pipelines on datasets with nirs4all, each configuration a result that is kept once it is done.

    Whatever ends the process, `resume=` goes on with what is left. Scores, names and arrays are those of one
    `nirs4all.run(templates, datasets, name=, random_state=)`; refits of all configurations are there besides.

    Args:
        templates: A list of templates: a `Template`, or steps as nirs4all takes them.
        datasets: A list of paths, or a mapping of names to (X, y), mappings or SpectroDatasets in memory.
        workspace: A workspace or its folder, which is made where it is missing; None for "n4w-workspace".
        name: The name of the run, which its configuration names begin with; None for "config".
        resume: A run to go on with: the run, its id or the beginning of it, its name, or "latest".
        retry_failed: Whether to run failed results of that again.
        workers: Number of processes that compute; 0 to compute in this one.
        executor: What computes instead: any `concurrent.futures.Executor`, on this machine or others.
        on_error: "record" to keep the error of a configuration that fails and go on, or "raise".
        refit: As for `nirs4all.run`: whether models are fitted again to all samples, of each configuration.
        artifacts: Which models are stored as `.n4a`: "refit", "all" or "none".
        engine: As for `nirs4all.run`.
        random_state: The seed; drawn, and stored, where it is None.
        timeout: Seconds that a configuration may take; not with `executor`.
        allow_packages: Packages whose classes templates may name as texts, beside nirs4all and scikit-learn;
            instances that are given in this call need no permission.
        run_options: Further options of `nirs4all.run`.

    Returns:
        The run: completed, or failed where all results failed; paused where another process asked for that.

    Raises:
        ImportError: nirs4all is not installed.
        ValueError: An argument makes no sense, or a template names a class that is not allowed.
        TypeError: A template, dataset or option has a type that cannot be stored.
        ConflictError: The run to resume has other templates, datasets or options than are given, or is owned.
        ComputationError: A configuration failed, with `on_error="raise"`; it is recorded, and the run failed.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run is paused.
    """
    # Else a script without a main guard would make a run in each process.
    refuse_while_main_is_imported()
    allowed = tuple(allow_packages)
    options = Options(engine, refit, artifacts, random_state, run_options)
    how = How(workers, timeout, on_error)
    if resume is None:
        found, given = preparation.make(workspace, templates, datasets, name, options, how, allowed)
        found.transition(RunStatus.RUNNING)
        # What was given in this call was checked, and may hold instances of any class.
        return _execute(found, how, executor, given, None)
    found, given = preparation.find(resume, workspace, templates, datasets, options, name, allowed)
    if found.status is RunStatus.COMPLETED and not retry_failed:
        return found
    preparation.check_permissions(found, allowed)
    found.resume(retry_failed=retry_failed)
    return _execute(found, how, executor, given, None)


def queue(
    templates: object,
    datasets: object,
    workspace: Place = None,
    *,
    name: str | None = None,
    workers: int = 0,
    on_error: str = "record",
    refit: object = True,
    artifacts: str = "refit",
    engine: str | None = None,
    random_state: int | None = None,
    timeout: float | None = None,
    allow_packages: Iterable[str] = (),
    **run_options: object,
) -> Run:
    """Make a run that `n4w worker` drives. Arguments, and what it raises, are those of `run`.

    A worker has its own list of packages that templates may name.

    Raises:
        ValueError: Data is in memory, which no worker has.
    """
    refuse_while_main_is_imported()
    options = Options(engine, refit, artifacts, random_state, run_options)
    how = How(workers, timeout, on_error)
    allowed = tuple(allow_packages)
    return preparation.make(
        workspace, templates, datasets, name, options, how, allowed, may_be_in_memory=False
    )[0]


def execute(
    run: Run,
    *,
    workers: int | None = None,
    allow_packages: Iterable[str] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Run:
    """Drive a run that this process owns, with the options that it was made with.

    Args:
        run: The run, as `claim_next` returns it.
        workers: Number of processes that compute; None for that of the run.
        allow_packages: Packages whose classes its templates may name, beside nirs4all and scikit-learn.
        should_stop: Called now and then; once it returns true, the run is paused.

    Raises:
        NotFoundError: The run was not made to be driven with nirs4all.
        ValueError: A template names a class that is not allowed; the run failed.
    """
    how = of_run(run).how
    how = how if workers is None else replace(how, workers=workers)
    return _execute(run, how, None, {}, tuple(allow_packages), should_stop)


def _execute(
    run: Run,
    how: How,
    executor: Executor | None,
    given: Mapping[str, Input],
    allowed: tuple[str, ...] | None,
    should_stop: Callable[[], bool] | None = None,
) -> Run:
    """Drive a run to its end; templates are checked unless `allowed` is None."""
    again = f"n4w: stopping; go on with run(resume={run.id!r}). Once more ends at once"
    # Its handlers come first: those of the block stand back where there are others.
    with Interruption(again) as interruption, run:

        def is_to_stop() -> bool:
            return interruption.signal is not None or run.should_stop or bool(should_stop and should_stop())

        if allowed is not None:
            preparation.check_permissions(run, allowed)
        todo = preparation.plan(run)
        tasks = preparation.tasks(run, todo, given)
        answers = outcomes(
            compute,
            tasks,
            workers=how.workers,
            executor=executor,
            timeout=how.timeout,
            should_stop=is_to_stop,
        )
        with ExitStack() as stack, todo.progress():
            store = _Store(run, {result.id: result for result in todo[:]}, stack)
            # Ends the processes, however the block ends.
            stack.enter_context(closing(cast("Generator[Any]", answers)))
            for task, answer in answers:
                store.add(task, answer)
                if isinstance(answer, Failure) and how.on_error == "raise":
                    raise _error_of(task, answer)
                if is_to_stop():
                    break
        if store.is_complete:
            pass  # whatever came in the meantime
        elif interruption.signal is not None:
            raise KeyboardInterrupt(f"ended by {interruption.signal.name}")
        elif should_stop is not None and should_stop():
            run.transition(RunStatus.PAUSED, "the worker was asked to stop")
    return run


def _error_of(task: Task, failure: Failure) -> ComputationError:
    error = ComputationError(f"{task.config_name} on {task.input.name}: {failure.message}")
    error.add_note(failure.traceback)
    return error


class _Store:
    """Writes what was computed: one writer a dataset, opened when it has rows, closed with the stack."""

    def __init__(self, run: Run, results: Mapping[str, Result], stack: ExitStack) -> None:
        self._run = run
        self._results = results
        self._stack = stack
        self._writers: dict[str, Writer] = {}
        self._left = set(results)

    @property
    def is_complete(self) -> bool:
        """Whether all results are committed."""
        return not self._left

    def add(self, task: Task, answer: Outcome | Failure) -> None:
        """Write the rows of a result, store its models, and commit it; one that was stopped is left out."""
        result = self._results[task.result_id]
        writer = self._writer(task.input.name)
        if isinstance(answer, Failure):
            result.status, result.error = "failed", answer.message
            result.extra |= {"failure": answer.kind, "traceback": answer.traceback}
        elif answer.was_stopped:
            return
        else:
            for row in answer.rows:
                writer.write({**row, "result_id": result.id})
            result.artifacts = [self._run.workspace.artifacts.put(model, "n4a") for _, model in answer.models]
            for key, value in answer.fields.items():
                if key in RESULT_FIELDS:
                    setattr(result, key, value)
                else:
                    result.extra[key] = value
            result.duration_s = answer.duration_s
        writer.checkpoint(result)
        self._left.discard(result.id)

    def _writer(self, dataset: str) -> Writer:
        if dataset not in self._writers:
            self._writers[dataset] = self._stack.enter_context(self._run.writer(dataset))
        return self._writers[dataset]
