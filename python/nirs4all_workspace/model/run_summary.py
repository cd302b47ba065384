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

    from nirs4all_workspace.model.answers import BestOfDataset, BestResult, ResultReference, RunSummary
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.runs.view import RunView

FILE = "summary.yaml"
_LARGEST = 100
_T = TypeVar("_T")
_K = TypeVar("_K")


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
        "best_by_dataset": _best_by_dataset(done),
        "best": _best(done),
    }


_ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


def _best(results: Iterable[Result]) -> dict[str, BestResult]:
    """Return the result with the luckiest row of each metric, as earlier versions expect it."""
    finite = [it for it in results if it.best_score is not None and math.isfinite(it.best_score)]
    found = _first_by(finite, lambda result: result.metric, lambda result: result.best_score)
    return {
        str(metric): {**_about(result), "score": result.best_score, "metric": str(metric)}
        for metric, result in sorted(found.items())
    }


def _best_by_dataset(results: Iterable[Result]) -> list[BestOfDataset]:
    """Return the result with the best score of each dataset and metric."""

    def best(results: Iterable[Result]) -> dict[tuple[str | None, str | None], Result]:
        return _first_by(results, lambda it: (it.dataset_name, it.metric), lambda it: it.score)

    results = list(results)
    # A test score stands for a dataset of which no result was validated.
    found = best(results) | best(it for it in results if it.score_basis != "test")
    return [
        {
            "dataset": result.dataset_name,
            "metric": result.metric,
            "score": result.score,
            "score_basis": result.score_basis,
            "score_test": result.score_test,
            "model_name": result.model_name,
            **_about(result),
        }
        for _, result in sorted(found.items(), key=lambda item: [str(part or "") for part in item[0]])
    ]


def _about(result: Result) -> ResultReference:
    return {
        "dataset": result.dataset_name,
        "template": result.template_id,
        "config": result.config_name or result.config_id,
        "result": result.id,
    }


def _first_by(
    results: Iterable[Result], key_of: Callable[[Result], _K], score_of: Callable[[Result], float | None]
) -> dict[_K, Result]:
    """Return the best result of each key, in metrics with a known direction; ties go to the smaller id."""
    best: dict[_K, Result] = {}
    for result in sorted(results, key=lambda result: result.id):
        key, score = key_of(result), score_of(result)
        if not result.metric or score is None or math.isnan(score):
            continue
        try:
            if _native.is_better(
                score, score_of(best[key]) or 0.0 if key in best else math.nan, result.metric
            ):
                best[key] = result
        except UnknownMetricError:
            continue
    return best


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
