"""What a summary must say, recomputed from the rows with Polars and exact sums.

Nothing in here uses the package under test. The table of directions is copied from the specification.
"""

import math
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

import polars as pl

MAXIMIZE = [
    "r2", "r2_score", "rpd", "rpiq", "explained_variance", "explained_variance_score", "pearson_r",
    "spearman_r", "consistency", "accuracy", "balanced_accuracy", "precision", "recall", "f1",
    "balanced_precision", "balanced_recall", "balanced_f1", "precision_micro", "recall_micro",
    "f1_micro", "precision_macro", "recall_macro", "f1_macro", "f1_score", "specificity", "roc_auc",
    "auc", "kappa", "cohen_kappa", "matthews_corrcoef", "mcc", "jaccard", "jaccard_score", "q2", "rer", "ccc",
    "average_precision",
]  # fmt: skip
MINIMIZE = [
    "mse", "rmse", "rmsecv", "rmsep", "mae", "mape", "median_ae", "max_error", "sep", "nrmse", "nmse",
    "nmae", "log_loss", "hamming_loss", "mean_squared_error", "root_mean_squared_error",
    "mean_absolute_error", "mean_absolute_percentage_error", "median_absolute_error", "msle", "loss",
    "hinge", "sec", "secv", "rmsec", "brier_score",
]  # fmt: skip
DIRECTIONS = dict.fromkeys(MAXIMIZE, "maximize") | dict.fromkeys(MINIMIZE, "minimize") | {"bias": "zero"}

SCORES = ["val_score", "test_score", "train_score"]
TEXTS = [
    "id", "run_id", "dataset_name", "model_name", "config_name", "fold_id", "partition", "preprocessings",
    "metric", "task_type", "branch_name",
]  # fmt: skip
RECORD = [
    "id", "run_id", "dataset_name", "model_name", "config_name", "val_score", "test_score", "train_score",
    "fold_id", "partition", "preprocessings",
]  # fmt: skip


def normal(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame all columns that a summary reads, with one type each."""
    wanted = dict.fromkeys(SCORES, pl.Float64) | dict.fromkeys([*TEXTS, "branch_id"], pl.String)
    return frame.with_columns(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype)).alias(name)
        for name, dtype in wanted.items()
    )


def direction_of(metric: str | None) -> str:
    return DIRECTIONS.get((metric or "").lower(), "unknown")


def goodness(score: float | None, direction: str) -> float | None:
    """Larger is better; None where the score never ranks."""
    if score is None or math.isnan(score):
        return None
    return {"maximize": score, "minimize": -score, "zero": -abs(score)}.get(direction)


def exact_mean(numbers: list[float]) -> float:
    """Rounded once; a sum beyond the largest float does no harm."""
    return float(sum(map(Fraction, numbers)) / len(numbers))


def overflows(numbers: list[float]) -> bool:
    """Whether a number is so large that there is no mean."""
    return any(abs(number) >= 2.0**960 for number in numbers)


def stats(series: pl.Series) -> dict:
    values = series.drop_nulls()
    finite = values.filter(values.is_finite())
    numbers = finite.to_list()
    mean = std = None
    if numbers and not overflows(numbers):
        mean = exact_mean(numbers)
    if len(numbers) > 1 and not overflows(numbers):
        # Squares of large numbers overflow.
        unit = 2.0**-512 if max(map(abs, numbers)) > 2.0**400 else 1.0
        squares = math.fsum(((number - mean) * unit) ** 2 for number in numbers)
        # What the rounding of the mean itself adds.
        squares -= math.fsum((number - mean) * unit for number in numbers) ** 2 / len(numbers)
        std = math.sqrt(max(squares, 0.0) / (len(numbers) - 1)) / unit
    return {
        "count": len(numbers),
        "nulls": series.null_count(),
        "nans": int(values.is_nan().sum()),
        "infs": int(values.is_infinite().sum()),
        "min": finite.min(),
        "max": finite.max(),
        "mean": mean,
        "std": std,
        "overflow": overflows(numbers),
        "quartiles": quartiles(numbers),
    }


def quartiles(numbers: list[float]) -> list[float] | None:
    """Interpolated linearly; between numbers whose difference overflows too."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    places = [q * (len(ordered) - 1) for q in (0.25, 0.5, 0.75)]
    ends = [
        (Fraction(ordered[math.floor(at)]), Fraction(ordered[math.ceil(at)]), Fraction(at)) for at in places
    ]
    return [float(low + (high - low) * (at - math.floor(at))) for low, high, at in ends]


def counts(series: pl.Series) -> dict:
    return dict(Counter(series.to_list()))


def best(numbers: list[float], direction: str) -> float | None:
    ranked = [(goodness(number, direction), number) for number in numbers if math.isfinite(number)]
    return max(ranked)[1] if ranked and direction != "unknown" else None


def tallies(rows: pl.DataFrame, name: str, of_metric: pl.DataFrame, direction: str) -> dict:
    """Rows of each name, with mean and best of its finite val_score in one metric."""
    scores = {value: [] for value in rows[name]}
    for value, score in of_metric.select(name, "val_score").iter_rows():
        if value in scores and score is not None and math.isfinite(score):
            scores[value].append(score)
    answer = {}
    for value, count in counts(rows[name]).items():
        numbers = scores[value]
        mean = exact_mean(numbers) if numbers and not overflows(numbers) else None
        of_name = {"count": count, "mean": mean, "best": best(numbers, direction)}
        answer[value] = of_name | {"overflow": overflows(numbers)}
    return answer


def ranked_by(rows: pl.DataFrame, direction: str) -> str | None:
    if direction == "unknown":
        return None
    return "val_score" if rows["val_score"].null_count() < len(rows) else "test_score"


def ranking(
    rows: pl.DataFrame, direction: str, score: str | None = None, only_val: bool = True
) -> list[dict]:
    """All candidates, best first, ties by id."""
    score = score or ranked_by(rows, direction)
    if score is None:
        return []
    if only_val and (rows["partition"] == "val").any():
        rows = rows.filter(pl.col("partition") == "val")
    records = [row for row in rows.select(RECORD).to_dicts() if goodness(row[score], direction) is not None]
    return sorted(records, key=lambda row: (-goodness(row[score], direction), row["id"] or ""))


def main_metric(frame: pl.DataFrame) -> str | None:
    named = {name: count for name, count in counts(frame["metric"]).items() if name}
    return min(named, key=lambda name: (-named[name], name)) if named else None


def summarise(frame: pl.DataFrame) -> dict:
    """Everything that is specified about the summary of these rows."""
    frame = normal(frame)
    metrics = {name or "" for name in frame["metric"].to_list()}
    main = main_metric(frame)
    by_metric = {}
    for metric in metrics:
        rows = frame.filter(pl.col("metric").fill_null("") == metric)
        direction = direction_of(metric)
        by_metric[metric] = {
            "direction": direction,
            "ranked_by": ranked_by(rows, direction),
            "count": len(rows),
            "stats": {score: stats(rows[score]) for score in SCORES},
            "models": tallies(rows, "model_name", rows, direction),
            "runs": tallies(rows.filter(pl.col("run_id").is_not_null()), "run_id", rows, direction),
            "ranking": ranking(rows, direction),
            "rows": rows,
        }
    of_main = frame.filter(pl.col("metric").fill_null("") == (main or ""))
    direction = direction_of(main)
    branches = frame.select(
        pl.coalesce("branch_id", pl.when(pl.col("branch_name") != "").then(pl.col("branch_name")))
    ).to_series()
    return {
        "total_predictions": len(frame),
        "metric": main,
        "direction": direction,
        "by_metric": by_metric,
        "models": tallies(frame, "model_name", of_main, direction),
        "partitions": counts(frame["partition"]),
        "folds": sorted(frame["fold_id"].drop_nulls().unique().to_list()),
        "n_partitions": frame["partition"].drop_nulls().n_unique(),
        "n_folds": frame["fold_id"].drop_nulls().n_unique(),
        "n_configs": frame["config_name"].drop_nulls().n_unique(),
        "n_runs": frame["run_id"].drop_nulls().n_unique(),
        "task_types": {name: count for name, count in counts(frame["task_type"]).items() if name is not None},
        "branch_count": branches.drop_nulls().n_unique(),
        "runs": tallies(frame.filter(pl.col("run_id").is_not_null()), "run_id", of_main, direction),
        "dates": dates(frame),
    }


def dates(frame: pl.DataFrame) -> tuple:
    if "created_at" not in frame.columns:
        return None, None
    times = [moment(value) for value in frame["created_at"].to_list() if value is not None]
    return (min(times), max(times)) if times else (None, None)


def moment(value) -> datetime:
    """A time with offset; one without is UTC."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def frame_best(path, score: str, direction: str, k=10) -> list[str]:
    """The ids of the best val rows of a file of one metric, whatever the table says of it."""
    rows = normal(pl.read_parquet(path))
    return [row["id"] for row in ranking(rows, direction, score)[:k]]
