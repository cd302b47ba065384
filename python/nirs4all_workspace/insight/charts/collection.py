"""Access to the data of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nirs4all_workspace.insight.charts.score_rows import ScoreRows
    from nirs4all_workspace.model.arguments import PairFilters, ScoreFilters
    from nirs4all_workspace.model.chart_answers import (
        ConfusionMatrix,
        Parity,
        Residuals,
        RunHistory,
        ScoreBoxes,
        ScoreByParameter,
        ScoreHeatMap,
        ScoreHistogram,
    )
    from nirs4all_workspace.workspace import Workspace


class Charts:
    """Access to the data of charts of a workspace: bounded answers, whatever the number of rows.

    Charts of scores are of the rows of one metric and one partition, by the score of that partition: rows of
    single folds, or averages over folds (avg, w_avg, final) where the rows that fit have no single fold, or
    `fold=` names one. Where no row is of the partition, rows that name none are. As for `Predictions.top`,
    a named metric is also looked for in the `scores` of rows that have another one. NaN, infinities and
    nulls are counted, not drawn.

    Up to 262,144 rows all figures are exact. Of more rows counts, extremes and best scores are, and
    quartiles, medians and means are those of a sample of as many rows, which is the same each time:
    `is_sampled` says so.

    The best scores in these charts are of single folds, of which the luckiest comes first: they show a
    spread and rank nothing. `ws.results.list()` ranks.

    Answers are dicts of plain data, described in `nirs4all_workspace.model.chart_answers`. Files that cannot
    be read are in their `errors`, as dicts of path, kind and message.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "charts")

    def score_histogram(
        self,
        metric: str | None = None,
        partition: str = "val",
        bins: int = 40,
        **filters: Unpack[ScoreFilters],
    ) -> ScoreHistogram:
        """Return the distribution of scores.

        Bins of one width reach from the smallest to the largest score, but no farther than 3 interquartile
        ranges from the quartiles: scores beyond are counted as `below` and `above`.

        Args:
            metric: The metric; None for the only one there is.
            partition: "train", "val" or "test".
            bins: Number of bins, up to 1,000.
            filters: The filters of `Predictions.page`.

        Raises:
            ValueError: An argument is invalid, there are several metrics and none was named, or no row has
                the named one.
            UnknownMetricError: No row has the named metric, and the table of metrics lacks it.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import histogram

        return histogram.score_histogram(self._scores(metric, partition, filters), bins)

    def score_heat_map(
        self,
        metric: str | None = None,
        partition: str = "val",
        rows: str = "model_name",
        columns: str = "preprocessings",
        **filters: Unpack[ScoreFilters],
    ) -> ScoreHeatMap:
        """Return number, best and median of the scores of each pair of values of two columns.

        Of each column the 50 values with the best scores are shown.

        Args:
            metric: The metric; None for the only one there is.
            partition: "train", "val" or "test".
            rows: The column of the rows: dataset_name, model_name, model_classname, preprocessings,
                config_name, fold_id, run_id, result_id, template_id, step_idx, branch_id, branch_name,
                task_type, n_samples or n_features.
            columns: The column of the columns, another one.
            filters: The filters of `Predictions.page`.

        Raises:
            ValueError: An argument is invalid, there are several metrics and none was named, or no row has
                the named one.
            UnknownMetricError: No row has the named metric, and the table of metrics lacks it.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import heat_map

        return heat_map.score_heat_map(self._scores(metric, partition, filters), rows, columns)

    def score_boxes(
        self,
        by: str = "model_name",
        metric: str | None = None,
        partition: str = "val",
        **filters: Unpack[ScoreFilters],
    ) -> ScoreBoxes:
        """Return the scores of each value of a column as a box: quartiles, whiskers, outliers.

        The 50 boxes with the best medians are shown, each with the 100 outliers that are farthest off. Boxes
        over the folds of results are those `by="result_id"`.

        Args:
            by: The column, one of those of `score_heat_map`.
            metric: The metric; None for the only one there is.
            partition: "train", "val" or "test".
            filters: The filters of `Predictions.page`.

        Raises:
            ValueError: An argument is invalid, there are several metrics and none was named, or no row has
                the named one.
            UnknownMetricError: No row has the named metric, and the table of metrics lacks it.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import boxes

        return boxes.score_boxes(self._scores(metric, partition, filters), by)

    def score_by_parameter(
        self,
        parameter: str,
        metric: str | None = None,
        partition: str = "val",
        **filters: Unpack[ScoreFilters],
    ) -> ScoreByParameter:
        """Return scores against a parameter: at most 2,000 points, and 50 values with their best and median.

        The value of a row is the one in its `best_params`, else in the choices of its configuration's
        generators, else in the steps of the configuration, where the first key of that name counts.

        Args:
            parameter: The name of the parameter, such as "n_components".
            metric: The metric; None for the only one there is.
            partition: "train", "val" or "test".
            filters: The filters of `Predictions.page`.

        Raises:
            ValueError: No row has the parameter, an argument is invalid, there are several metrics and none
                was named, or no row has the named one.
            UnknownMetricError: No row has the named metric, and the table of metrics lacks it.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import parameter as by_parameter

        rows = self._scores(metric, partition, filters)
        return by_parameter.score_by_parameter(self._workspace, rows, parameter)

    def parity(
        self,
        id: str | Sequence[str] | None = None,  # noqa: A002
        max_points: int = 5_000,
        **filters: Unpack[PairFilters],
    ) -> Parity:
        """Return true against predicted, by dataset and partition, of several targets each for itself.

        Predictions of single folds are pooled, as docs/scores.md says, each model of a result for itself: all
        held-out pairs together give R², RMSE and bias. Averages over folds are used where there is no single
        fold; of a test set the row of the fold "final" is, else that of "avg". Rows that are named by
        `id=` or `fold=` are taken as they are.

        At most 2,000 rows are looked at, and no more once they have 2 million pairs; `is_complete` says
        whether these are all. All pairs count in the figures; points are a sample where there are more.

        Args:
            id: The ids of predictions; None for those that the filters choose.
            max_points: Number of points in all, up to 50,000.
            filters: The filters of `Predictions.page`; with `id` only `run`.

        Raises:
            ValueError: An argument is invalid, or several runs have a prediction with an id.
            NotFoundError: There is no such prediction or run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import pairs
        from nirs4all_workspace.insight.charts.parity import parity

        return parity(pairs.PooledRows(self._workspace, id, filters), max_points)

    def residuals(
        self,
        id: str | Sequence[str] | None = None,  # noqa: A002
        bins: int = 40,
        max_points: int = 5_000,
        **filters: Unpack[PairFilters],
    ) -> Residuals:
        """Return residuals, predicted less true, as points and as a histogram, of the pairs of `parity`.

        Args:
            id: The ids of predictions; None for those that the filters choose.
            bins: Number of bins, up to 1,000.
            max_points: Number of points in all, up to 50,000.
            filters: The filters of `Predictions.page`; with `id` only `run`.

        Raises:
            ValueError: An argument is invalid, or several runs have a prediction with an id.
            NotFoundError: There is no such prediction or run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import pairs, parity

        return parity.residuals(pairs.PooledRows(self._workspace, id, filters), bins, max_points)

    def confusion_matrix(
        self,
        id: str | Sequence[str] | None = None,  # noqa: A002
        **filters: Unpack[PairFilters],
    ) -> ConfusionMatrix:
        """Return how often each class was predicted as each class, of the pairs of `parity`.

        Args:
            id: The ids of predictions; None for those that the filters choose.
            filters: The filters of `Predictions.page`; with `id` only `run`.

        Returns:
            A matrix for each dataset and partition, of at most 50 labels: the most frequent.

        Raises:
            ValueError: Rows are not of a classification, an argument is invalid, or several runs have a
                prediction with an id.
            NotFoundError: There is no such prediction or run.
            OSError: The workspace cannot be listed.
        """
        from nirs4all_workspace.insight.charts import confusion, pairs

        return confusion.confusion_matrix(pairs.PooledRows(self._workspace, id, filters))

    def run_history(self, run: str) -> RunHistory:
        """Return how a run went: transitions, finished results and best scores over time.

        Args:
            run: The id of the run, its name, "latest", or the beginning of its id.

        Raises:
            NotFoundError: There is no such run, or several.
            OSError: The run cannot be read.
        """
        from nirs4all_workspace.insight.charts import history

        return history.run_history(self._workspace, run)

    def _scores(self, metric: str | None, partition: str, filters: ScoreFilters) -> ScoreRows:
        from nirs4all_workspace.insight.charts.score_rows import ScoreRows

        return ScoreRows(self._workspace, metric, partition, filters)
