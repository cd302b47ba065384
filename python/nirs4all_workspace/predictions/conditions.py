"""The filters of a page as one condition of Polars, for lists that are too long for a page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.predictions.scan import FILE
from nirs4all_workspace.predictions.sessions import AVERAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def predicate(filters: Mapping[str, Any]) -> pl.Expr:
    """Return the filters of `Predictions.page`, resolved by `Predictions.native_filters`, as one expression.

    Raises:
        ValueError: There is a filter that a frame cannot be asked, such as bounds of numbers in `scores`.
    """
    import polars as pl

    given = {name: value for name, value in filters.items() if value is not None}
    tests = [_test(name, value) for name, value in given.items()]
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
        raise ValueError(f"filter {name!r}: no condition of Polars")
    return test.fill_null(False)
