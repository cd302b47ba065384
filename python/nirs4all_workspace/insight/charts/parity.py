"""True against predicted, and what is left between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nirs4all_workspace.insight.charts.numbers import bins_of, check_count, finite
from nirs4all_workspace.insight.charts.pairs import MOST_POINTS, Pairs, places_of

if TYPE_CHECKING:
    from nirs4all_workspace.insight.charts.pairs import PooledRows
    from nirs4all_workspace.model.chart_answers import Parity, ParityGroup, ResidualGroup, Residuals


def parity(rows: PooledRows, max_points: int) -> Parity:
    """Return the points that `Charts.parity` describes."""
    check_count("max_points", max_points, MOST_POINTS)
    chosen = places_of(rows.groups, max_points)
    groups = [_parity_of(pairs, places) for pairs, places in zip(rows.groups, chosen, strict=True)]
    return {**rows.chart(), "groups": groups}


def _parity_of(pairs: Pairs, places: np.ndarray) -> ParityGroup:
    both = np.concatenate([pairs.true, pairs.predicted])
    low, high = (float(both.min()), float(both.max())) if len(both) else (None, None)
    return {**pairs.figures(), "low": low, "high": high, "points": pairs.points(places)}


def residuals(rows: PooledRows, bins: int, max_points: int) -> Residuals:
    """Return the points and the histogram that `Charts.residuals` describes."""
    check_count("max_points", max_points, MOST_POINTS)
    check_count("bins", bins, 1_000)
    chosen = places_of(rows.groups, max_points)
    groups = [_residuals_of(pairs, places, bins) for pairs, places in zip(rows.groups, chosen, strict=True)]
    return {**rows.chart(), "groups": groups}


def _residuals_of(pairs: Pairs, places: np.ndarray, bins: int) -> ResidualGroup:
    with np.errstate(over="ignore", invalid="ignore"):
        errors = pairs.predicted - pairs.true
        known = errors[np.isfinite(errors)]
        std = finite(float(np.std(known))) if len(known) else None
    edges, counts = bins_of(known, float(known.min()), float(known.max()), bins) if len(known) else ([], [])
    shown = [finite(error) or 0.0 for error in errors[places].tolist()]
    points = pairs.points(places)
    return {
        **pairs.figures(),
        "std": std,
        "edges": edges,
        "bin_counts": counts,
        "points": {**points, "residual": shown},
    }
