"""A sample of rows that is the same each time, wherever the rows lie and in whatever order they come."""

from __future__ import annotations

import polars as pl

# The column that a sample goes by.
RANK = "n4w:rank"
# What the rank of a row is made of: its name.
NAMES = ("id", "run_id", "dataset_name")


def with_rank(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows with a rank, which their names alone decide; it may change with the version of Polars."""
    rank = pl.lit(0, pl.UInt64)
    for seed, name in enumerate(NAMES, 1):
        rank = rank ^ pl.col(name).hash(seed)
    return frame.with_columns(rank.alias(RANK))


class Sample:
    """The rows of the smallest ranks, as many as there may be; all rows, where they have no rank."""

    def __init__(self, limit: int) -> None:
        """Begin without rows."""
        self._limit = limit
        self._parts: list[pl.DataFrame] = []
        self._height = 0
        self._last: int | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows; those of one sample all have a rank, or none has."""
        if self._last is not None:
            frame = frame.filter(pl.col(RANK) <= self._last)
        if RANK in frame.columns and frame.height:
            frame = _on_its_own(frame.bottom_k(self._limit, by=RANK))
        self._parts.append(frame)
        self._height += frame.height
        if self._height > 2 * self._limit and RANK in frame.columns:
            self._shrink()

    def rows(self) -> pl.DataFrame:
        """Return the rows of the sample, in the order of their ranks if they have any."""
        if not self._parts:
            return pl.DataFrame()
        rows = pl.concat(self._parts)
        return rows if RANK not in rows.columns else rows.sort(RANK).head(self._limit)

    def _shrink(self) -> None:
        kept = self.rows()
        self._parts, self._height = [kept], kept.height
        self._last = kept[RANK][-1]


def _on_its_own(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose texts hold nothing but themselves, not all of what they were read from."""
    if pl.String not in frame.dtypes:
        return frame
    return pl.DataFrame(frame.to_dict(as_series=False), frame.schema)
