"""Scores against a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nirs4all_workspace._io import listing
from nirs4all_workspace.display import some_of
from nirs4all_workspace.insight.charts.choices import READ, VALUE, Choices, value_of
from nirs4all_workspace.insight.charts.groups import ScoreGroups, best_first
from nirs4all_workspace.insight.charts.numbers import finite
from nirs4all_workspace.insight.charts.sample import NAMES, RANK, Sample
from nirs4all_workspace.insight.charts.score_rows import SCORE
from nirs4all_workspace.predictions import sessions

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.insight.charts.score_rows import ScoreRows
    from nirs4all_workspace.model.chart_answers import ParameterPoints, ParameterValue, ScoreByParameter
    from nirs4all_workspace.workspace import Workspace

MOST_POINTS = 2_000
MOST_VALUES = 50
_SHOWN = ("id", "run_id", "dataset_name", "model_name", "fold_id")
# Names in a message.
_MOST_NAMES = 48


def score_by_parameter(workspace: Workspace, rows: ScoreRows, parameter: str) -> ScoreByParameter:
    """Return the points that `Charts.score_by_parameter` describes."""
    choices = Choices(workspace, parameter)
    columns = list(dict.fromkeys([*READ, *_SHOWN, *NAMES]))
    found = rows.collect(columns, lambda: _Points(choices, rows.direction), has_rank=True)
    state = found.state
    if found.counts["drawn"] and not state.total:
        there_are = some_of(sorted(choices.names), _MOST_NAMES) or "none"
        raise ValueError(f"no row has a parameter {parameter!r}; there are {there_are}")
    stats = state.groups.stats()
    stats = stats.join(state.groups.medians(), on=VALUE, how="left")
    stats = best_first(stats, "median", [VALUE], rows.direction)
    values = {text: value_of(text) for text in stats[VALUE]}
    is_number = all(not isinstance(value, str) for value in values.values())
    listed: list[ParameterValue] = [
        _value(one, values[one[VALUE]]) for one in stats.head(MOST_VALUES).to_dicts()
    ]
    if is_number:
        listed.sort(key=lambda one: float(one["value"]))
    chart = rows.chart(found.counts)
    listing.add_problems(chart["errors"], choices.errors)
    return {
        **chart,
        "parameter": parameter,
        "kind": "number" if is_number else "category",
        "values": listed,
        "others": max(0, stats.height - MOST_VALUES),
        "points": state.points(workspace.path, values),
        "total": state.total,
        "without": state.without,
    }


def _value(stats: dict[str, Any], value: float | int | str) -> ParameterValue:
    return {
        "value": value,
        "count": stats["count"],
        "best": finite(stats["best"]),
        "median": finite(stats["median"]),
        "min": stats["min"],
        "max": stats["max"],
    }


class _Points:
    """Rows with a value, in groups, and some of them as points."""

    def __init__(self, choices: Choices, direction: str) -> None:
        self._choices = choices
        self.groups = ScoreGroups([VALUE], direction)
        self._sample = Sample(MOST_POINTS)
        self.total = self.without = 0

    def add(self, frame: pl.DataFrame) -> None:
        rows = self._choices.with_values(frame)
        known = rows.filter(pl.col(VALUE).is_not_null())
        self.total += known.height
        self.without += rows.height - known.height
        if known.height:
            self.groups.add(known)
            self._sample.add(known.select(*_SHOWN, "config_name", SCORE, VALUE, RANK))

    def points(self, root: Path, values: dict[str, float | int | str]) -> ParameterPoints:
        rows = sessions.with_runs(root, self._sample.rows())
        if not rows.width:
            return {"value": [], "score": [], **{name: [] for name in _SHOWN}}  # type: ignore[typeddict-item]
        points = {name: rows[name].to_list() for name in _SHOWN}
        shown = {"value": [values[text] for text in rows[VALUE]], "score": rows[SCORE].to_list()}
        return {**shown, **points}  # type: ignore[typeddict-item]
