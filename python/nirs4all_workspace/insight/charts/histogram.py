"""The distribution of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nirs4all_workspace.insight.charts.numbers import bins_of, check_count, quartiles_of
from nirs4all_workspace.insight.charts.sample import RANK, Sample
from nirs4all_workspace.insight.charts.score_rows import SCORE
from nirs4all_workspace.predictions import filtered

if TYPE_CHECKING:
    from nirs4all_workspace.insight.charts.score_rows import ScoreRows
    from nirs4all_workspace.model.chart_answers import ScoreHistogram

MOST_BINS = 1_000
# Bins end this many interquartile ranges from the quartiles: Tukey's outer fences.
_FAR = 3.0


def score_histogram(rows: ScoreRows, bins: int) -> ScoreHistogram:
    """Return the histogram that `Charts.score_histogram` describes."""
    check_count("bins", bins, MOST_BINS)
    looked = rows.collect([], _Spread)
    spread = looked.state
    if spread.low is None or spread.high is None:
        return {
            **rows.chart(looked.counts),
            "edges": [],
            "bin_counts": [],
            "below": 0,
            "above": 0,
            "min": None,
            "max": None,
            "quartiles": None,
        }
    quartiles = spread.quartiles()
    low, high = _range(spread.low, spread.high, quartiles)
    edges, _ = bins_of(np.empty(0), low, high, bins)
    found = rows.collect([], lambda: _Bins(edges), has_rank=False)
    return {
        **rows.chart(found.counts),
        "edges": edges,
        "bin_counts": found.state.counts.tolist(),
        "below": found.state.below,
        "above": found.state.above,
        "min": spread.low,
        "max": spread.high,
        "quartiles": quartiles,
    }


def _range(low: float, high: float, quartiles: list[float]) -> tuple[float, float]:
    first, _, third = quartiles
    reach = _FAR * (third - first)
    if not np.isfinite(reach) or reach == 0:
        return low, high
    return max(low, first - reach), min(high, third + reach)


class _Spread:
    """Where scores lie."""

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self._sample = Sample(filtered.AT_ONCE)

    def add(self, frame: pl.DataFrame) -> None:
        scores = frame[SCORE].to_numpy()
        low, high = float(scores.min()), float(scores.max())
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        self._sample.add(frame.select(pl.col(SCORE), *(name for name in (RANK,) if name in frame.columns)))

    def quartiles(self) -> list[float]:
        return quartiles_of(self._sample.rows()[SCORE].to_numpy())


class _Bins:
    """Scores counted by bins."""

    def __init__(self, edges: list[float]) -> None:
        self._edges = np.array(edges)
        self.counts = np.zeros(len(edges) - 1, np.int64)
        self.below = self.above = 0

    def add(self, frame: pl.DataFrame) -> None:
        scores = frame[SCORE].to_numpy()
        self.counts += np.histogram(scores, self._edges)[0]
        self.below += int((scores < self._edges[0]).sum())
        self.above += int((scores > self._edges[-1]).sum())
