"""The rows that a chart of scores is of: those of one metric and partition, single folds before averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import polars as pl

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import UnknownMetricError
from nirs4all_workspace.insight.charts.sample import NAMES, with_rank
from nirs4all_workspace.predictions import filtered, pages, sessions
from nirs4all_workspace.predictions.conditions import NO_SINGLE_FOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nirs4all_workspace.model.chart_answers import ScoreChart, ScoreCounts
    from nirs4all_workspace.workspace import Workspace

SCORE = "n4w:score"
PARTITIONS = ("train", "val", "test")
# The columns that scores can be grouped by.
FACETS = (
    "dataset_name",
    "model_name",
    "model_classname",
    "preprocessings",
    "config_name",
    "fold_id",
    "run_id",
    "result_id",
    "template_id",
    "step_idx",
    "branch_id",
    "branch_name",
    "task_type",
    "n_samples",
    "n_features",
)

S = TypeVar("S", bound=filtered.State)


class ScoreRows:
    """The rows of a metric and partition, with their score.

    Attributes:
        metric: The metric; None where there is no row.
        direction: Which scores are better; "unknown" where the table of metrics does not say.
        partition: The partition.
    """

    def __init__(
        self, workspace: Workspace, metric: str | None, partition: str, filters: Mapping[str, Any]
    ) -> None:
        """Find the metric among the rows that fit.

        Raises:
            ValueError: A filter or the partition is invalid, there are several metrics and none was named, or
                no row has the named one.
            UnknownMetricError: No row has the named metric, and the table of metrics lacks it.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        if partition not in PARTITIONS:
            raise ValueError(f"partition: expected one of {', '.join(PARTITIONS)}, got {partition!r}")
        pages.check_texts(metric=metric)
        self.partition = partition
        self._root = workspace.path
        self._column = f"{partition}_score"
        bounds = {name: filters.get(name) for name in ("min_scores", "max_scores")}
        given = pages.with_scores({key: it for key, it in filters.items() if key not in bounds}, **bounds)
        resolved = workspace.predictions.native_filters({**given, "partition": partition})
        self._has_fold = resolved.get("fold") is not None
        self._rows = filtered.FilteredRows(self._root, resolved)
        self._total = self._rows.count()
        # As for results: where no row is of the partition, rows that name none are.
        self._is_unnamed = self._total == 0
        if self._is_unnamed:
            resolved = {**resolved, "partition": None}
            self._rows = filtered.FilteredRows(self._root, resolved)
            self._total = self._rows.count()
        self.metric = metric or self._only_metric(resolved)
        # Rows of other metrics that have a number of this one.
        self._others: filtered.FilteredRows | None = None
        if self.metric is not None:
            self._narrow(resolved, self.metric)

    def _only_metric(self, resolved: dict[str, Any]) -> str | None:
        if not self._total:
            return None
        # Whatever the direction, which need not be known.
        arguments = (self._root, 0, None, self._column, "maximize", resolved)
        return _native.top_predictions(*arguments)["metric"] or None

    def _narrow(self, resolved: dict[str, Any], metric: str) -> None:
        """Leave the rows of this metric, and of others those with a number of it in `scores`."""
        own = self._rows.count(metric=metric)
        if own == self._total and own:
            return
        name = f"{self.partition}.{metric}"
        has_numbers = own < self._total and f"scores.{name}" in _native.score_names(self._root, live=True)
        if not own and not has_numbers:
            # Raises where no row has it, whatever the filters.
            _native.top_predictions(self._root, 0, metric, self._column, None, {})
        self._rows = filtered.FilteredRows(self._root, {**resolved, "metric": metric})
        self._total = own
        if has_numbers:
            bounds = {"min_scores": {name: -math.inf, **(resolved.get("min_scores") or {})}}
            self._others = filtered.FilteredRows(self._root, {**resolved, **bounds})
            self._total += self._others.count()

    @property
    def direction(self) -> str:
        """Which scores are better: "maximize", "minimize" or "zero"; "unknown" where nothing says."""
        try:
            return "unknown" if self.metric is None else _native.metric_info(self.metric).direction
        except UnknownMetricError:
            return "unknown"

    def collect(
        self,
        columns: Sequence[str],
        make: Callable[[], S],
        *,
        has_rank: bool | None = None,
        names_runs: bool = False,
    ) -> Chosen[S]:
        """Return a state that all rows with a finite score were added to.

        Args:
            columns: The columns of the frames, beside `SCORE`.
            make: Makes an empty state.
            has_rank: Whether rows have a rank, as a sample needs; None for that where there are many.
            names_runs: Whether rows of nirs4all 0.6 have the session that they are of as their `run_id`.
        """
        if has_rank is None:
            has_rank = self._total > filtered.AT_ONCE
        needed = [*columns, "fold_id", *(NAMES if has_rank else ())]
        needed += sessions.KEYS if names_runs else ()
        needed += ["partition"] if self._is_unnamed else []

        def prepared(frame: pl.DataFrame, column: str) -> pl.DataFrame:
            frame = frame.with_columns(pl.col(column).alias(SCORE))
            if self._is_unnamed:
                frame = frame.filter(pl.col("partition").fill_null("") == "")
            frame = with_rank(frame) if has_rank else frame
            return sessions.with_runs(self._root, frame) if names_runs else frame

        asked = list(dict.fromkeys([*needed, self._column]))
        chosen = self._rows.collect(
            asked, lambda: Chosen(make, lambda frame: prepared(frame, self._column), has_fold=self._has_fold)
        )
        if self._others is not None:
            number = f"scores.{self.partition}.{self.metric}"
            is_other = (pl.col("metric") != self.metric).fill_null(True)
            for frame in self._others.pages(list(dict.fromkeys([*needed, "metric", number]))):
                chosen.add_prepared(prepared(frame.filter(is_other), number))
        return chosen

    def chart(self, counts: ScoreCounts) -> ScoreChart:
        """Return what every chart of these rows says."""
        errors = list(self._rows.errors)
        if self._others is not None:
            listing.add_problems(errors, self._others.errors)
        return {
            "metric": self.metric,
            "direction": self.direction,
            "partition": self.partition,
            "counts": counts,
            "is_sampled": counts["drawn"] > filtered.AT_ONCE,
            "errors": errors,
        }


class Chosen(Generic[S]):
    """Rows of single folds; averages over folds only where there is no single one.

    Attributes:
        state: What the rows with a finite score were added to.
    """

    def __init__(
        self, make: Callable[[], S], prepare: Callable[[pl.DataFrame], pl.DataFrame], *, has_fold: bool
    ) -> None:
        """Begin without rows; where a fold is asked for, its rows are taken whatever it is."""
        self.state = make()
        self._make, self._prepare = make, prepare
        self._has_single = has_fold
        self._takes_all = has_fold
        self._averages = 0
        self._seen = {"rows": 0, "drawn": 0, "nan": 0, "infinite": 0, "null": 0}

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows as they are read."""
        self.add_prepared(self._prepare(frame))

    def add_prepared(self, frame: pl.DataFrame) -> None:
        """Add rows that have their score."""
        self._seen["rows"] += frame.height
        if not self._takes_all:
            is_average = pl.col("fold_id").is_in(NO_SINGLE_FOLD).fill_null(False)
            single = frame.filter(~is_average)
            if single.height and not self._has_single:
                self._has_single = True
                self.state = self._make()
                # What was taken so far were averages.
                self._averages = self._seen["rows"] - frame.height
                self._seen |= dict.fromkeys(("drawn", "nan", "infinite", "null"), 0)
            if self._has_single:
                self._averages += frame.height - single.height
                frame = single
        self._take(frame)

    def _take(self, frame: pl.DataFrame) -> None:
        score = frame[SCORE]
        null, nan = score.null_count(), int(score.is_nan().sum())
        finite = frame.filter(pl.col(SCORE).is_finite())
        self._seen["null"] += null
        self._seen["nan"] += nan
        self._seen["infinite"] += frame.height - finite.height - null - nan
        self._seen["drawn"] += finite.height
        if finite.height:
            self.state.add(finite)

    @property
    def counts(self) -> ScoreCounts:
        """How many rows there were."""
        return {
            "rows": self._seen["rows"],
            "drawn": self._seen["drawn"],
            "nan": self._seen["nan"],
            "infinite": self._seen["infinite"],
            "null": self._seen["null"],
            "averages": self._averages,
        }


def check_facet(name: str, column: str) -> str:
    """Return the name of a column that scores can be grouped by.

    Raises:
        ValueError: They cannot; the message lists those by which they can.
    """
    if column not in FACETS:
        raise ValueError(f"{name}: expected one of {', '.join(FACETS)}, got {column!r}")
    return column
