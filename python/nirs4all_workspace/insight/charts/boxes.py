"""Scores by one column, as boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nirs4all_workspace.insight.charts.groups import ScoreGroups, best_first
from nirs4all_workspace.insight.charts.numbers import finite, quartiles_of
from nirs4all_workspace.insight.charts.score_rows import check_facet

if TYPE_CHECKING:
    from nirs4all_workspace.insight.charts.score_rows import ScoreRows
    from nirs4all_workspace.model.chart_answers import ScoreBox, ScoreBoxes

MOST_BOXES = 50
MOST_OUTLIERS = 100
# Whiskers reach as many interquartile ranges from the quartiles: Tukey's inner fences.
_NEAR = 1.5


def score_boxes(rows: ScoreRows, by: str) -> ScoreBoxes:
    """Return the boxes that `Charts.score_boxes` describes."""
    check_facet("by", by)
    found = rows.collect([by], lambda: ScoreGroups([by], rows.direction), names_runs=by == "run_id")
    stats = found.state.stats().join(found.state.medians(), on=by, how="left", nulls_equal=True)
    if rows.direction == "unknown":
        stats = stats.sort(by, nulls_last=True)
    else:
        stats = best_first(stats, "median", [by], rows.direction)
    shown, others = stats.head(MOST_BOXES), stats.tail(max(0, stats.height - MOST_BOXES))
    scores = found.state.scores([(label,) for label in shown[by]])
    return {
        **rows.chart(found.counts),
        "by": by,
        "boxes": [
            _box(one, by, of_box.to_numpy())
            for one, of_box in zip(shown.iter_rows(named=True), scores, strict=True)
        ],
        "others": others.height,
        "others_count": int(others["count"].sum()),
    }


def _box(stats: dict[str, Any], by: str, scores: np.ndarray) -> ScoreBox:
    box: ScoreBox = {
        "label": stats[by],
        "count": stats["count"],
        "min": stats["min"],
        "max": stats["max"],
        "mean": None,
        "q1": None,
        "median": None,
        "q3": None,
        "low_whisker": None,
        "high_whisker": None,
        "outliers": [],
        "outliers_total": 0,
    }
    if not len(scores):
        return box
    scores = np.sort(scores)
    q1, median, q3 = quartiles_of(scores)
    with np.errstate(over="ignore"):
        reach = _NEAR * (q3 - q1)
        is_inside = (scores >= q1 - reach) & (scores <= q3 + reach)
        box["mean"] = finite(float(np.mean(scores)))
    inside, outside = scores[is_inside], scores[~is_inside]
    farthest = np.argsort(-np.abs(outside - median), kind="stable")[:MOST_OUTLIERS]
    box |= {"q1": q1, "median": median, "q3": q3}
    box |= {"low_whisker": float(inside[0]), "high_whisker": float(inside[-1])}
    box |= {"outliers": np.sort(outside[farthest]).tolist(), "outliers_total": len(outside)}
    return box
