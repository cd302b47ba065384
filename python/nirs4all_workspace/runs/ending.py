"""How a run ends: completed where nothing is missing, else paused or failed, with the reason."""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, display
from nirs4all_workspace.exceptions import ConflictError, InvalidTransitionError, WorkspaceError
from nirs4all_workspace.model import plan
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.predictions import writer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nirs4all_workspace.model.result import Result, ResultList
    from nirs4all_workspace.runs.view import RunView

# Why a completed run that `ws.runs.open` found has no writers.
NO_WRITER = (
    "is completed, and its plan is empty: open writers in the loop over `run.plan(...)`, or make another run "
    "with new=True"
)
# Results named in a reason at most.
_SHOWN = 5


def end_of(run: RunView) -> tuple[RunStatus, str | None]:
    """Return the status in which a run ends that was not told how, and the reason.

    Paused where planned results are missing, where rows name a result that was never checkpointed, or where
    that cannot be read; failed where there are results and all of them failed; else completed.
    """
    results, lacking = _look(run)
    if lacking is not None:
        return RunStatus.PAUSED, f"{lacking}; resume the run to do what is left"
    if results and all(result.status == "failed" for result in results):
        one = len(results) == 1
        return RunStatus.FAILED, "its one result failed" if one else f"all {len(results)} results failed"
    return RunStatus.COMPLETED, None


def warn_of_missing(run: RunView) -> None:
    """Warn where a run that is to be completed lacks results that were planned or begun."""
    _, lacking = _look(run)
    if lacking is not None:
        display.warn(f"run {run.id} is completed, although {lacking}", stacklevel=3)


def warn_of_equal_configs(run_id: str, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Warn of configurations in pairs with a planned one of their id that has other content."""
    differing = [(config, known) for config, known in pairs if not plan.is_same(config, known)]
    if differing:
        named = [
            f"{config['name'] or config['config_id']} (as {planned['name'] or planned['config_id']})"
            for config, planned in differing
        ]
        what = "1 configuration is" if len(differing) == 1 else f"{len(differing)} configurations are"
        display.warn(
            f"{what} planned already in run {run_id}, with other content, which stays as it was: "
            f"{display.some_of(named, _SHOWN)}. Equal steps or an equal config_id are one configuration",
            stacklevel=4,
        )


def check_some_failed(run: RunView) -> None:
    """Check that a completed run has failed results.

    Raises:
        InvalidTransitionError: It has none.
    """
    if not any(result.status == "failed" for result in run.results()):
        raise InvalidTransitionError(
            f"run {run.id} is completed and no result of it failed; there is nothing to run again"
        )


def plan_of_completed(run: RunView, planned: list[Result]) -> list[Result]:
    """Return no results, for a completed run that `ws.runs.open` found.

    Raises:
        ConflictError: It lacks some of the results.
    """
    new = to_do(run, planned, run.results())
    if new:
        raise ConflictError(
            f"is completed, without {len(new)} of these {len(planned)} results; `ws.runs.open` with "
            "new=True makes another run",
            str(run.path),
        )
    return []


def describe(error: BaseException) -> str:
    """Return the class and the message of an exception."""
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # noqa: BLE001 - an exception whose own code fails is one all the same
        return type(error).__qualname__


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - an exception whose own code fails is one all the same
        return describe(error)


def to_do(run: RunView, planned: Iterable[Result], results: ResultList) -> list[Result]:
    """Return those of planned results that are still to do.

    A failed result is done, unless it is to be run again and was not since that was asked for.
    """
    since = retried_since(run.record)
    done = {result.id for result in results}
    if since is not None:
        last: dict[str, str] = {}
        for result in [*results, *results.repeated]:
            last[result.id] = max(last.get(result.id, ""), _in_order(result.completed_at))
        done -= {it.id for it in results if it.status == "failed" and last[it.id] < _in_order(since)}
    return [result for result in planned if result.id not in done]


def retried_since(record: dict[str, Any]) -> str | None:
    """Return since when the failed results of a run are to be run again; None where they are not."""
    if record.get("retry_failed") is not True:
        return None
    asked = [str(entry.get("time")) for entry in record["history"] if entry.get("retry_failed") is True]
    # Before the first transition after an edit by hand there is no time.
    return asked[-1] if asked else "9999"


def _in_order(time: str | None) -> str:
    """Return a time in a form in which texts are ordered as times are."""
    try:
        parsed = datetime.fromisoformat(time or "")
    except ValueError:
        return time or ""
    return f"{parsed.timestamp():020.6f}" if parsed.tzinfo else time or ""


def _look(run: RunView) -> tuple[list[Result], str | None]:
    """Return the results of a run, and what it lacks to be completed; None where it lacks nothing."""
    try:
        results = run.results()
        reasons = [*_missing(run, results), *_unfinished(run, results)]
    except (WorkspaceError, OSError) as error:
        return [], f"what it lacks cannot be told: {error}"
    return results, "; ".join(reasons) or None


def _missing(run: RunView, results: ResultList) -> list[str]:
    configs = run.configs()
    planned = plan.results_of(run.id, configs, run.datasets) if configs else []
    missing = to_do(run, planned, results)
    if not missing:
        return []
    what = f"{len(missing)} of {len(planned)} planned results {'is' if len(missing) == 1 else 'are'} missing"
    named = [f"{it.config_name or it.config_id} on {it.dataset_name}" for it in missing]
    return [f"{what}: {display.some_of(named, _SHOWN)}"]


def _unfinished(run: RunView, results: ResultList) -> list[str]:
    root = run.path.parents[1]
    rows, elsewhere = _rows_that_count_nowhere(run, root, results)
    reasons = []
    if rows:
        what = "1 result that was" if len(rows) == 1 else f"{len(rows)} results that were"
        named = display.some_of(sorted(rows), _SHOWN)
        reasons.append(f"{_rows(sum(rows.values()))} of {what} never checkpointed: {named}")
    if elsewhere:
        what = "1 result was" if len(elsewhere) == 1 else f"{len(elsewhere)} results were"
        named = display.some_of(sorted(elsewhere), _SHOWN)
        reasons.append(
            f"{_rows(sum(elsewhere.values()))} of {what} written by another writer than the one that "
            f"checkpointed it, and count nowhere, also once the run is resumed: {named}; write all rows of a "
            "result with one writer"
        )
    waiting = sum(it.waiting for it in writer.open_writers(root, run.id))
    if waiting:
        wait = "waits" if waiting == 1 else "wait"
        reasons.append(f"{_rows(waiting)} {wait} in a writer that is still open")
    lost = writer.lost_rows(run.id)
    if lost:
        reasons.append(f"{_rows(lost)} {'was' if lost == 1 else 'were'} lost in a writer that was not closed")
    return reasons


def _rows_that_count_nowhere(
    run: RunView, root: Path, results: ResultList
) -> tuple[dict[str, int], dict[str, int]]:
    """Return numbers of rows, by results that were never checkpointed and by ones that another writer did.

    Rows of an attempt that ended without a checkpoint, and was made again, are none of the latter: the result
    has their like. Nor are those of a failed attempt.
    """
    status = {result.id: result.status for result in results}
    finished = {result.id: str(result.writer) for result in results}
    rows, elsewhere = Counter[str](), Counter[str]()
    own: set[tuple[str | None, ...]] | None = None
    for _, result_id, key, number in _native.rows_by_result(root, run.id, finished)[0]:
        if result_id not in finished:
            rows[result_id] += number
        elif status[result_id] != "failed":
            own = _keys(run) if own is None else own
            elsewhere[result_id] += 0 if (result_id, *key) in own else number
    started = [str(entry["time"]) for entry in run.record["history"] if entry["to"] == RunStatus.RUNNING][-1:]
    for result in results.repeated:
        is_of_now = started and _in_order(result.completed_at) >= _in_order(started[0])
        if result.status != "failed" and is_of_now and result.n_rows:
            elsewhere[result.id] += result.n_rows
    return rows, +elsewhere


def _keys(run: RunView) -> set[tuple[str | None, ...]]:
    """Return results and what tells their rows apart, of the rows of a run that count."""
    import polars as pl

    rows = run.workspace.predictions.scan().filter(pl.col("run_id") == run.id)
    columns = [pl.col(name).cast(pl.String) for name in ("result_id", *_native.ROW_KEY)]
    return set(rows.select(columns).unique().collect().iter_rows())


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
