"""What a page must have, by Polars: filter, sort and slice of all rows."""

import oracle
import polars as pl
from polars import col

EQUAL = {
    "dataset": "dataset_name",
    "model": "model_name",
    "partition": "partition",
    "run": "run_id",
    "result": "result_id",
    "fold": "fold_id",
    "task_type": "task_type",
    "metric": "metric",
}
LIST = [
    "id", "run_id", "dataset_name", "model_name", "config_name", "val_score", "test_score", "train_score",
    "fold_id", "partition", "preprocessings", "metric", "task_type",
]  # fmt: skip


def fitting(rows: pl.DataFrame, filters: dict) -> pl.DataFrame:
    """The rows that a query asks for; `stem` is the name of a row's file."""
    for name, value in filters.items():
        if name in EQUAL:
            column = col(EQUAL[name])
            if name == "dataset":
                column = column.fill_null(col("stem"))
            rows = rows.filter((column.fill_null("") if name == "metric" else column) == value)
        elif name == "preprocessings_contains":
            rows = rows.filter(col("preprocessings").str.contains(value, literal=True))
        else:
            score = col(name[4:])
            wanted = score >= value if name.startswith("min_") else score <= value
            rows = rows.filter(wanted & score.is_not_nan())
    return rows


def ordered(rows: pl.DataFrame, sort_by: str, descending: bool | None) -> pl.DataFrame:
    """The rows in the order that is documented."""
    value = col(sort_by)
    is_float = rows.schema[sort_by].is_float()
    if is_float:
        value = value + 0.0  # -0.0 and 0.0 are one
    keys = []
    if descending is None and sort_by in oracle.SCORES:
        direction = col("metric").fill_null("").map_elements(oracle.direction_of, pl.String)
        ranked = direction != "unknown"
        goodness = (
            pl.when(direction == "maximize")
            .then(-value)
            .when(direction == "zero")
            .then(value.abs())
            .otherwise(value)
        )
        keys += [~ranked, pl.when(ranked).then(col("metric"))]
        value = pl.when(ranked).then(goodness)
    keys.append(value.is_null())
    if is_float:
        keys.append(value.is_nan().fill_null(False))
        value = value.fill_nan(None)
    keys.append(value)
    ties = [col(name) for name in ("id", "run_id", "dataset_name", "stem", "row")]
    flags = [False] * (len(keys) - 1) + [bool(descending)] + [False] * len(ties)
    return rows.sort([*keys, *ties], descending=flags, nulls_last=True)
