"""Scores by two columns, as cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace.insight.charts.groups import ScoreGroups
from nirs4all_workspace.insight.charts.numbers import finite
from nirs4all_workspace.insight.charts.score_rows import check_facet

if TYPE_CHECKING:
    from nirs4all_workspace.insight.charts.score_rows import ScoreRows
    from nirs4all_workspace.model.chart_answers import HeatMapLabels, ScoreHeatMap

MOST_LABELS = 50


def score_heat_map(score_rows: ScoreRows, rows: str, columns: str) -> ScoreHeatMap:
    """Return the heat map that `Charts.score_heat_map` describes."""
    check_facet("rows", rows)
    check_facet("columns", columns)
    if rows == columns:
        raise ValueError(f"rows, columns: expected two different columns, got {rows!r} twice")
    found = score_rows.collect(
        [rows, columns],
        lambda: ScoreGroups([rows, columns], score_rows.direction),
        names_runs="run_id" in (rows, columns),
    )
    groups = found.state
    of_rows, of_columns = _labels(groups, rows), _labels(groups, columns)
    places = {
        rows: {label: place for place, label in enumerate(of_rows["labels"])},
        columns: {label: place for place, label in enumerate(of_columns["labels"])},
    }
    shape = len(of_rows["labels"]), len(of_columns["labels"])
    count = [[0] * shape[1] for _ in range(shape[0])]
    best: list[list[float | None]] = [[None] * shape[1] for _ in range(shape[0])]
    median: list[list[float | None]] = [[None] * shape[1] for _ in range(shape[0])]
    others = 0
    stats = groups.stats().join(groups.medians(), on=[rows, columns], how="left", nulls_equal=True)
    for row, column, n, its_best, its_median in stats.select(
        rows, columns, "count", "best", "median"
    ).iter_rows():
        if row not in places[rows] or column not in places[columns]:
            others += n
            continue
        at, below = places[rows][row], places[columns][column]
        count[at][below], best[at][below], median[at][below] = n, finite(its_best), finite(its_median)
    return {
        **score_rows.chart(found.counts),
        "rows": of_rows,
        "columns": of_columns,
        "count": count,
        "best": best,
        "median": median,
        "others": others,
    }


def _labels(groups: ScoreGroups, column: str) -> HeatMapLabels:
    labels = groups.stats([column])[column].to_list()
    return {
        "column": column,
        "labels": labels[:MOST_LABELS],
        "others": max(0, len(labels) - MOST_LABELS),
    }
