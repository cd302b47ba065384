"""How a run went: its transitions, and its finished results over time."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from nirs4all_workspace import _native
from nirs4all_workspace.exceptions import UnknownMetricError, WorkspaceError, problem
from nirs4all_workspace.model.result import ResultList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.chart_answers import BestScoreSoFar, RunHistory, RunProgress, RunTransition
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.workspace import Workspace

MOST_POINTS = 1_000
MOST_LINES = 50

T = TypeVar("T")
# Time, finished results, score and result.
_Point = tuple[str, int, float, str]


def run_history(workspace: Workspace, run: str) -> RunHistory:
    """Return the history that `Charts.run_history` describes."""
    found = workspace.runs.get(run)
    results, planned = ResultList(), 0
    errors: list[Problem] = []
    try:
        results = found.results()
        errors += results.errors
        planned = found.counts["planned"]
    except (WorkspaceError, OSError) as error:
        errors.append(problem(f"runs/{found.id}", error))
    timed = [(time, result) for result in results if (time := _time_of(result.completed_at)) is not None]
    timed.sort(key=lambda pair: (pair[0], pair[1].id))
    lines = _best_so_far(timed)
    failed = sum(result.status == "failed" for result in results)
    return {
        "run_id": found.id,
        "name": found.name,
        "status": None if found.status is None else found.status.value,
        "planned": max(planned, len(results)),
        "done": len(results) - failed,
        "failed": failed,
        "untimed": len(results) - len(timed),
        "transitions": [_transition(it) for it in found.history[-MOST_POINTS:]],
        "progress": _progress(timed),
        "best": lines[:MOST_LINES],
        "others": max(0, len(lines) - MOST_LINES),
        "errors": errors,
    }


def _time_of(text: str | None) -> datetime | None:
    """Return a time of ISO-8601, in UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _transition(entry: dict[str, Any]) -> RunTransition:
    return {
        "time": entry.get("time"),
        "status_from": entry.get("from"),
        "status_to": entry.get("to"),
        "reason": entry.get("reason"),
    }


def _progress(timed: Sequence[tuple[datetime, Result]]) -> RunProgress:
    """Return how many results had finished, at some of the times when one did."""
    shown = set(_thinned(range(len(timed)), MOST_POINTS))
    progress: RunProgress = {"time": [], "done": [], "failed": []}
    failed = 0
    for place, (time, result) in enumerate(timed):
        failed += result.status == "failed"
        if place in shown:
            progress["time"].append(time.isoformat())
            progress["done"].append(place + 1 - failed)
            progress["failed"].append(failed)
    return progress


def _best_so_far(timed: Sequence[tuple[datetime, Result]]) -> list[BestScoreSoFar]:
    """Return a line for each dataset and metric, with a point wherever the best score became better."""
    lines: dict[tuple[str, str, bool], list[_Point]] = {}
    for finished, (time, result) in enumerate(timed, 1):
        metric, score = result.metric, result.score
        if result.status == "failed" or metric is None or score is None or not math.isfinite(score):
            continue
        # Scores of the test set rank after all that were validated.
        key = (result.dataset_name or "", metric, result.score_basis == "test")
        line = lines.setdefault(key, [])
        if _direction(metric) is not None and (not line or _native.is_better(score, line[-1][2], metric)):
            line.append((time.isoformat(), finished, score, result.id))
    shown = [
        key for key in sorted(lines) if lines[key] and not (key[2] and lines.get((key[0], key[1], False)))
    ]
    most = MOST_POINTS // max(1, min(len(shown), MOST_LINES))
    return [
        _line(dataset, metric, _thinned(lines[dataset, metric, test], most))
        for dataset, metric, test in shown
    ]


def _line(dataset: str, metric: str, points: Sequence[_Point]) -> BestScoreSoFar:
    return {
        "dataset_name": dataset or None,
        "metric": metric,
        "direction": _direction(metric) or "unknown",
        "time": [time for time, _, _, _ in points],
        "finished": [finished for _, finished, _, _ in points],
        "score": [score for _, _, score, _ in points],
        "result_id": [id_ for _, _, _, id_ in points],
    }


def _direction(metric: str) -> str | None:
    try:
        return _native.metric_info(metric).direction
    except UnknownMetricError:
        return None


def _thinned(items: Sequence[T], most: int) -> list[T]:
    """Return all items, or some at even distances, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    return [items[at * (len(items) - 1) // (most - 1)] for at in range(most)]
