"""`summary.yaml`: the outcome of a run, readable without its results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from nirs4all_workspace import _native
from nirs4all_workspace._io import yaml_records
from nirs4all_workspace.exceptions import CorruptFileError, NotFoundError, UnknownMetricError
from nirs4all_workspace.model.result import ResultList
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nirs4all_workspace.model.answers import BestResult, RunSummary
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.runs.view import RunView

FILE = "summary.yaml"
_LARGEST = 100
_T = TypeVar("_T")


def summarise(
    run: RunView, completed_at: str | None = None, error: str | None = None, *, live: bool = True
) -> RunSummary:
    """Return the current summary of a run, with open segments if `live`; see `Run.summary`."""
    history = run.history
    started = [entry["time"] for entry in history if entry["to"] == RunStatus.RUNNING]
    ended = history[-1]["time"] if history and run.status in _ENDED else None
    problems = [] if error is None else [error]

    def look(read: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return read()
        except (CorruptFileError, NotFoundError, OSError) as problem:
            problems.append(str(problem))
            return otherwise

    results = look(run.results, ResultList())
    n_rows = look(lambda: run.count_rows(live=live), 0)
    n_configs = look(lambda: len(run.configs()), 0)
    summary = of_results(results, n_configs, look(lambda: len(run.datasets), 0))
    summary["counts"]["rows"] = n_rows
    summary["errors"][:0] = [{"error": stored.error_text(message)} for message in dict.fromkeys(problems)]
    summary["started_at"] = started[0] if started else None
    summary["completed_at"] = completed_at or ended
    return summary


def of_results(results: ResultList, configs: int, datasets: int) -> RunSummary:
    """Return the summary of results, given the number of planned configurations and datasets."""
    # The scores of results whose rows cannot be read are unknown.
    is_known = [result for result in results if result.status is not None or result.error is None]
    done = [result for result in is_known if result.status != "failed"]
    failed = [result for result in results if result.status == "failed"]
    errors: list[dict[str, str | None]] = [
        {"error": stored.error_text(f"{item['path']}: {item['message']}")}
        for item in results.errors[:_LARGEST]
    ]
    errors += [
        {
            "result": result.id,
            "dataset": result.dataset_name,
            "config": result.config_name or result.config_id,
            "error": None if result.error is None else stored.error_text(result.error),
        }
        for result in failed[:_LARGEST]
    ]
    return {
        "started_at": None,
        "completed_at": None,
        "counts": {
            "configs": configs,
            "planned": configs * datasets,
            "results": len(done) + len(failed),
            "done": len(done),
            "failed": len(failed),
            "rows": sum(result.n_rows or 0 for result in [*done, *failed]),
        },
        "errors": errors,
        "best": _best(done),
    }


_ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


def _best(results: Iterable[Result]) -> dict[str, BestResult]:
    """Return the best result of each metric with a known direction; ties go to the smaller id."""
    best: dict[str, Result] = {}
    for result in sorted(results, key=lambda result: result.id):
        metric, score = result.metric, result.best_score
        if not metric or score is None or not math.isfinite(score):
            continue
        try:
            if metric not in best or _native.is_better(score, best[metric].best_score or 0.0, metric):
                best[metric] = result
        except UnknownMetricError:
            continue
    return {
        metric: {
            "dataset": result.dataset_name,
            "template": result.template_id,
            "config": result.config_name or result.config_id,
            "result": result.id,
            "score": result.best_score,
            "metric": metric,
        }
        for metric, result in sorted(best.items())
        if _is_known(metric)
    }


def _is_known(metric: str) -> bool:
    try:
        _native.metric_info(metric)
    except UnknownMetricError:
        return False
    return True


def write(path: Path, summary: RunSummary) -> None:
    """Replace a `summary.yaml`, durably; unknown keys are retained.

    Raises:
        UnsupportedVersionError: A newer version wrote the file.
        OSError: The file cannot be written; it is unchanged.
    """
    try:
        before = yaml_records.read(path)
        yaml_records.check_writable(before, path)
    except (NotFoundError, CorruptFileError):
        before = {}
    whole = {"schema_version": yaml_records.SCHEMA_VERSION, **before, **summary}
    _native.replace_file(path, yaml_records.encode(whole, path))
