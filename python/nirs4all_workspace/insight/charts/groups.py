"""Scores by the values of some columns: exact counts, extremes and best; all else from a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nirs4all_workspace.insight.charts.sample import RANK, Sample
from nirs4all_workspace.insight.charts.score_rows import SCORE
from nirs4all_workspace.predictions import filtered

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScoreGroups:
    """Scores, grouped by some columns, whose values are taken as texts."""

    def __init__(self, keys: Sequence[str], direction: str) -> None:
        """Begin without rows."""
        self._keys = list(keys)
        self._direction = direction
        self._stats: pl.DataFrame | None = None
        self._sample = Sample(filtered.AT_ONCE)

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows with the keys and `SCORE`."""
        rank = [RANK] if RANK in frame.columns else []
        rows = frame.select(*(pl.col(key).cast(pl.String) for key in self._keys), SCORE, *rank)
        self._sample.add(rows)
        new = rows.group_by(self._keys).agg(
            count=pl.len(),
            min=pl.col(SCORE).min(),
            max=pl.col(SCORE).max(),
            best=best_of(pl.col(SCORE), self._direction),
        )
        self._stats = new if self._stats is None else self._merged(pl.concat([self._stats, new]), self._keys)

    def _merged(self, stats: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
        return stats.group_by(keys).agg(
            pl.col("count").sum(),
            pl.col("min").min(),
            pl.col("max").max(),
            best_of(pl.col("best"), self._direction).alias("best"),
        )

    def stats(self, keys: Sequence[str] | None = None) -> pl.DataFrame:
        """Return count, min, max and best of each group, or of those of some of the keys, best first."""
        if self._stats is None:
            kinds = {key: pl.String() for key in self._keys}
            others = dict.fromkeys(("min", "max", "best"), pl.Float64())
            return pl.DataFrame(schema={**kinds, "count": pl.UInt32(), **others})
        names = list(keys or self._keys)
        stats = self._stats.with_columns(pl.col("count").cast(pl.Int64))
        stats = stats if keys is None else self._merged(stats, names)
        return best_first(stats, "best", names, self._direction)

    def sampled(self) -> pl.DataFrame:
        """Return the keys and scores that the sample has."""
        rows = self._sample.rows()
        return (
            rows
            if rows.width
            else pl.DataFrame(schema={**dict.fromkeys(self._keys, pl.String()), SCORE: pl.Float64()})
        )


def best_of(score: pl.Expr, direction: str) -> pl.Expr:
    """Return the best of some finite scores; null where no direction is known."""
    if direction == "maximize":
        return score.max()
    if direction == "minimize":
        return score.min()
    if direction == "zero":
        # Of two that are equally close it is the larger one, as within one file.
        return score.sort_by(score.abs(), score, descending=[False, True]).first()
    return pl.lit(None, pl.Float64).first()


def best_first(frame: pl.DataFrame, score: str, labels: Sequence[str], direction: str) -> pl.DataFrame:
    """Return rows in the order of a score, best first, then of the largest count, then of labels."""
    if frame.is_empty():
        return frame
    number = pl.col(score)
    goodness = {"maximize": -number, "minimize": number, "zero": number.abs()}.get(direction, pl.lit(0.0))
    order = [goodness, -pl.col("count").cast(pl.Int64), *(pl.col(label) for label in labels)]
    return frame.sort(*order, nulls_last=True)
