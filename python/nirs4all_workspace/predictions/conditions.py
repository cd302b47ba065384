"""The filters of a page as one condition of Polars, for lists that are too long for a page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.predictions.scan import FILE
from nirs4all_workspace.predictions.sessions import AVERAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

# Folds whose rows are of no single fold.
NO_SINGLE_FOLD = (*AVERAGES, "final")
_EQUAL = {
    "dataset": "dataset_name",
    "model": "model_name",
    "partition": "partition",
    "run": "run_id",
    "result": "result_id",
    "fold": "fold_id",
    "task_type": "task_type",
    "metric": "metric",
}
_SCORES = ("val_score", "test_score", "train_score")
_BOUNDS = {f"{end}_{score}": score for end in ("min", "max") for score in _SCORES}
_NUMBERS = ("min_scores", "max_scores")
# What a number of `scores` is made of.
MADE_OF = ("scores", "fold_id", "metric")


def predicate(filters: Mapping[str, Any]) -> pl.Expr:
    """Return the filters of `Predictions.page`, resolved by `Predictions.native_filters`, as one expression.

    Bounds of numbers in `scores` are not among them: `with_numbers` looks at these.
    """
    import polars as pl

    given = {name: value for name, value in filters.items() if value is not None}
    tests = [_test(name, value) for name, value in given.items() if name not in _NUMBERS]
    return pl.all_horizontal(pl.lit(True), *tests)


def _test(name: str, value: Any) -> pl.Expr:  # noqa: ANN401 - of a filter
    import polars as pl

    # Rows that name no dataset belong to the one that their file is named after.
    dataset = pl.coalesce("dataset_name", FILE)
    test: pl.Expr
    if name == "dataset":
        test = dataset.str.normalize("NFC") == nfc(str(value))
    elif name == "metric":
        test = pl.col("metric").fill_null("") == str(value)
    elif name in _EQUAL:
        test = pl.col(_EQUAL[name]) == str(value)
    elif name in _BOUNDS:
        score = pl.col(_BOUNDS[name])
        is_inside = score >= value if name.startswith("min") else score <= value
        # In Polars NaN is larger than any number.
        test = is_inside & ~score.is_nan() & pl.lit(not math.isnan(value))
    elif name == "preprocessings_contains":
        test = pl.col("preprocessings").str.contains(value, literal=True)
    elif name == "runs":
        test = pl.col("run_id").is_in(list(value))
    elif name == "members":
        fields = {"file": pl.String, "dataset": pl.String, "config": pl.String}
        wanted = pl.Series([dict(zip(fields, one, strict=True)) for one in value], dtype=pl.Struct(fields))
        row = (pl.col(FILE).alias("file"), dataset.alias("dataset"), pl.col("config_name").alias("config"))
        test = pl.struct(*row).is_in(wanted.implode())
    else:
        raise ValueError(f"unknown filter {name!r}")
    return test.fill_null(False)


def with_numbers(frame: pl.DataFrame, filters: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of a frame whose numbers in `scores` fit the bounds `min_scores` and `max_scores`.

    The frame has the columns of `MADE_OF`, where there are such bounds.
    """
    for column, (low, high) in _bounds_of_scores(filters).items():
        numbers = numbers_of_scores(frame, column)
        frame = frame.filter((numbers.is_between(low, high) & ~numbers.is_nan()).fill_null(False))
    return frame


def _bounds_of_scores(filters: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for name in _NUMBERS:
        for key, bound in (filters.get(name) or {}).items():
            if bound is None:
                continue
            column = f"scores.{key.removeprefix('scores.')}"
            low, high = found.get(column, (-math.inf, math.inf))
            found[column] = (max(low, bound), high) if name == "min_scores" else (low, min(high, bound))
    return found


def numbers_of_scores(frame: pl.DataFrame, column: str) -> pl.Series:
    """Return a number of `scores` of each row, such as "scores.val.r2"; null without one, as NaN is.

    Rows of no single fold have no number of validation, unless the metric is their own.
    """
    import polars as pl

    _, part, metric = column.split(".", 2)
    rows: Sequence[_native.Rows] = _native.score_structs(frame.select("scores"), [column])
    parts = [pl.DataFrame(batch)["scores"] for batch in rows]
    if not parts:
        return pl.Series(column, [None] * frame.height, pl.Float64)
    numbers = pl.concat(parts).struct.field(part).struct.field(metric)
    is_averaged = frame["fold_id"].is_in(NO_SINGLE_FOLD).fill_null(False)
    if part == "val":
        is_other = (frame["metric"] != metric).fill_null(True)
        numbers = numbers.set(is_averaged & is_other, None)
    return numbers.alias(column)
