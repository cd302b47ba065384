"""Scores by the values of some columns: exact counts, extremes and best; all else from a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nirs4all_workspace.insight.charts.sample import RANK, Sample
from nirs4all_workspace.insight.charts.score_rows import SCORE
from nirs4all_workspace.predictions import filtered

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODE = "n4w:code"


class ScoreGroups:
    """Scores, grouped by some columns, whose values are taken as texts."""

    def __init__(self, keys: Sequence[str], direction: str) -> None:
        """Begin without rows."""
        self._keys = list(keys)
        self._direction = direction
        # Texts of rows would hold all of what they were read from: a number stands for them.
        self._codes: dict[tuple[str | None, ...], int] = {}
        self._stats: pl.DataFrame | None = None
        self._sample = Sample(filtered.AT_ONCE)

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows with the keys and `SCORE`."""
        rows = self._coded(frame)
        self._sample.add(rows)
        new = rows.group_by(_CODE).agg(
            count=pl.len().cast(pl.Int64),
            min=pl.col(SCORE).min(),
            max=pl.col(SCORE).max(),
            best=best_of(pl.col(SCORE), self._direction),
        )
        self._stats = new if self._stats is None else self._merged(pl.concat([self._stats, new]), [_CODE])

    def _coded(self, frame: pl.DataFrame) -> pl.DataFrame:
        texts = [pl.col(key).cast(pl.String) for key in self._keys]
        labels = frame.select(texts).unique()
        codes = [self._codes.setdefault(label, len(self._codes)) for label in labels.iter_rows()]
        coded = labels.with_columns(pl.Series(_CODE, codes, pl.UInt32))
        rank = [RANK] if RANK in frame.columns else []
        rows = frame.select(*texts, SCORE, *rank)
        rows = rows.join(coded, on=self._keys, how="left", nulls_equal=True, maintain_order="left")
        return rows.select(_CODE, SCORE, *rank)

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
            kinds = {"count": pl.Int64(), **dict.fromkeys(("min", "max", "best"), pl.Float64())}
            return pl.DataFrame(schema={**dict.fromkeys(self._keys, pl.String()), **kinds})
        names = list(keys or self._keys)
        stats = self._labelled(self._stats)
        stats = stats if keys is None else self._merged(stats, names)
        return best_first(stats, "best", names, self._direction)

    def medians(self) -> pl.DataFrame:
        """Return the median of each group that the sample has scores of."""
        rows = self._sample.rows()
        if not rows.width:
            return pl.DataFrame(schema={**dict.fromkeys(self._keys, pl.String()), "median": pl.Float64()})
        return self._labelled(rows.group_by(_CODE).agg(pl.col(SCORE).median().alias("median")))

    def scores(self, labels: Sequence[tuple[str | None, ...]]) -> list[pl.Series]:
        """Return the scores of some groups that the sample has."""
        rows = self._sample.rows()
        if not rows.width:
            return [pl.Series(SCORE, [], pl.Float64) for _ in labels]
        codes = [self._codes[label] for label in labels]
        found = rows.filter(pl.col(_CODE).is_in(codes)).partition_by(_CODE, as_dict=True)
        return [found[code,][SCORE] if (code,) in found else rows[SCORE].clear() for code in codes]

    def _labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        fields = dict.fromkeys(self._keys, pl.String)
        labels = pl.DataFrame(list(self._codes), schema=fields, orient="row")
        codes = pl.Series(_CODE, range(labels.height), pl.UInt32)
        return frame.join(labels.with_columns(codes), on=_CODE, how="left").drop(_CODE)


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
    goodness = {"maximize": -number, "minimize": number, "zero": number.abs()}.get(direction)
    ranked = [] if goodness is None else [goodness]
    order = [*ranked, -pl.col("count"), *(pl.col(label) for label in labels)]
    return frame.sort(*order, nulls_last=True)
