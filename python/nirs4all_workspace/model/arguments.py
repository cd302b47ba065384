"""Rows, filters and options as typed dicts, by which type checkers know a misspelled name.

At run time they are ordinary dicts; `Writer.write` takes columns beyond those of `PredictionRow` too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import ArrayLike

# A text, or a value with one, which is stored.
_Name = str | int | None
_Json = str | Mapping[str, Any] | Sequence[Any] | None


class PredictionRow(TypedDict, total=False):
    """A row that `Writer.write` takes, as nirs4all names its columns; each may be missing or None."""

    id: str | None
    """Unique within the run; made where it is missing."""
    result_id: str | None
    """The result that the row is of; it gives what the row lacks (see `Run.writer`)."""
    run_id: str | None
    """The writer's, where it is given."""
    dataset_name: str | None
    """The writer's, where it is given."""
    dataset_path: str | None
    config_name: _Name
    config_path: str | None
    template_id: str | None
    pipeline_uid: _Name
    step_idx: int | None
    op_counter: int | None
    model_name: _Name
    model_classname: str | None
    model_path: str | None
    model_artifact_id: str | None
    trace_id: str | None
    fold_id: _Name
    """"0", "1", ...; "avg", "w_avg", "final"."""
    partition: str | None
    """"train", "val" or "test"."""
    val_score: float | None
    test_score: float | None
    train_score: float | None
    metric: str | None
    """The metric of the three scores, as in `metric_info`."""
    task_type: str | None
    n_samples: int | None
    n_features: int | None
    preprocessings: str | None
    best_params: _Json
    metadata: _Json
    scores: _Json
    """Scores by partition and metric; a mapping is stored as JSON."""
    branch_id: int | None
    branch_name: _Name
    exclusion_count: int | None
    exclusion_rate: float | None
    created_at: datetime | str | None
    """Made where it is missing."""
    y_true: ArrayLike | None
    y_pred: ArrayLike | None
    y_proba: ArrayLike | None
    sample_indices: ArrayLike | None
    weights: ArrayLike | None
    y_true_id: str | None
    y_pred_id: str | None
    y_proba_id: str | None
    sample_indices_id: str | None
    weights_id: str | None


class RowFilters(TypedDict, total=False):
    """The filters that all lists, rankings and charts of rows have; None filters nothing."""

    dataset: str | None
    model: str | None
    run: str | None
    """The id or name of a run."""
    result: str | None
    fold: str | None
    task_type: str | None
    min_val_score: float | None
    max_val_score: float | None
    min_test_score: float | None
    max_test_score: float | None
    min_train_score: float | None
    max_train_score: float | None
    preprocessings_contains: str | None


class RankingFilters(RowFilters, total=False):
    """The filters of `Predictions.top`; None filters nothing."""

    partition: str | None


class PredictionFilters(RankingFilters, total=False):
    """The filters of `Predictions.page` and `Predictions.export`; None filters nothing."""

    metric: str | None


class ScoreFilters(RowFilters, total=False):
    """The filters of charts of scores; None filters nothing."""

    min_scores: Mapping[str, float] | None
    """Lowest numbers in `scores`, by partition and metric, as for `Predictions.page`."""
    max_scores: Mapping[str, float] | None


class PairFilters(ScoreFilters, total=False):
    """The filters of charts of targets and predictions; None filters nothing."""

    partition: str | None
    metric: str | None


class WriterOptions(TypedDict, total=False):
    """The options of `Run.writer` and `Predictions.writer`, which `Writer` documents."""

    durability: str
    flush_rows: int
    flush_bytes: int
    flush_seconds: float
    progress: Callable[[int, int], object] | None


class DatasetFields(TypedDict, total=False):
    """The fields that `Datasets.register` takes, as in `DatasetRecord`."""

    task_type: str | None
    n_samples: int | None
    n_features: int | None
    y_columns: Sequence[str]
    y_stats: Mapping[str, Any]
    wavelength_range: Sequence[float] | None
    wavelength_unit: str | None
    metadata: Mapping[str, Any]


class ResultFields(TypedDict, total=False):
    """What rows of a result take from it where they lack it."""

    config_name: str | None
    template_id: str | None
    task_type: str | None
    n_samples: int | None
    n_features: int | None
