"""Charts of scores by Polars: the rows of a metric and partition, single folds before averages."""

import math

import numpy as np
import oracle
import polars as pl
from polars import col

AVERAGES = ["avg", "w_avg", "final"]


def scored(rows: pl.DataFrame, metric: str, partition: str = "val") -> tuple[pl.DataFrame, dict]:
    """The rows that are drawn, with their score, and how many rows there are of which kind."""
    score = f"{partition}_score"
    of_partition = rows.filter(col("partition") == partition)
    if not of_partition.height:
        of_partition = rows.filter(col("partition").fill_null("") == "")
    fits = of_partition.filter(col("metric") == metric).with_columns(score=col(score))
    single = fits.filter(~col("fold_id").fill_null("").is_in(AVERAGES))
    taken = single if single.height else fits
    drawn = taken.filter(col("score").is_finite())
    null, nan = taken["score"].null_count(), int(taken["score"].is_nan().sum())
    counts = {
        "rows": fits.height,
        "drawn": drawn.height,
        "nan": nan,
        "infinite": taken.height - drawn.height - null - nan,
        "null": null,
        "averages": fits.height - taken.height,
    }
    return drawn, counts


def best(scores: list[float], metric: str) -> float | None:
    """The best of some scores."""
    direction = oracle.direction_of(metric)
    if direction == "unknown":
        return None
    return max(scores, key=lambda score: (oracle.goodness(score, direction), score))


def order(score: float, metric: str) -> float:
    """What is smaller for a better score."""
    return -(oracle.goodness(score, oracle.direction_of(metric)) or 0.0)


def by_label(drawn: pl.DataFrame, *columns: str) -> dict[tuple, list[float]]:
    """The scores of each label, as texts."""
    found: dict[tuple, list[float]] = {}
    labels = drawn.select(col(column).cast(pl.String) for column in columns)
    for label, score in zip(labels.iter_rows(), drawn["score"], strict=True):
        found.setdefault(label, []).append(score)
    return found


def box(scores: list[float]) -> dict:
    """A box without its label."""
    values = np.sort(np.array(scores))
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    inside = [value for value in values if low <= value <= high]
    outside = sorted(
        (value for value in values if not low <= value <= high), key=lambda it: -abs(it - median)
    )
    return {
        "count": len(values),
        "min": values[0],
        "max": values[-1],
        "mean": math.fsum(values) / len(values),
        "q1": q1,
        "median": median,
        "q3": q3,
        "low_whisker": inside[0],
        "high_whisker": inside[-1],
        "outliers": sorted(outside[:100]),
        "outliers_total": len(outside),
    }
