"""Parameters of the routes, as pydantic models: unknown ones are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from nirs4all_workspace.model.result import NAMES

LARGEST_PAGE = 1_000
_LARGEST_OFFSET = 2**53


# Texts without null characters, which no file system and no SQL takes.
_PATTERN = r"^[^\x00]*$"
Text = Annotated[str, Field(max_length=1_000, pattern=_PATTERN)]
Tag = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Cursor = Annotated[str, Field(max_length=4_000, pattern=_PATTERN)]
Score = FiniteFloat | None
# Fields of results, by which they can be sorted.
ResultField = Literal[(*NAMES, "writer")]  # type: ignore[valid-type]
Limit = Annotated[int, Field(ge=0, le=LARGEST_PAGE, description="Rows of the page.")]
Offset = Annotated[int, Field(ge=0, le=_LARGEST_OFFSET, description="Rows before the page.")]
_BOUND = r"^(train|val|test)\.[A-Za-z0-9_.:@-]+:-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$"
Bound = Annotated[str, Field(max_length=200, pattern=_BOUND)]
Bounds = Annotated[list[Bound], Field(max_length=20, examples=[["val.r2:0.9"]])]


Bins = Annotated[int, Field(ge=1, le=1_000)]
Column = Literal[
    "dataset_name", "model_name", "model_classname", "preprocessings", "config_name", "fold_id", "run_id",
    "result_id", "template_id", "step_idx", "branch_id", "branch_name", "task_type", "n_samples",
    "n_features",
]  # fmt: skip


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RowFilters(_Parameters):
    """The filters that lists and charts of rows share."""

    dataset: Text | None = Field(None, description="Only rows on this dataset.")
    model: Text | None = Field(None, description="Only rows of this model.")
    run: Text | None = Field(None, description="Only rows of this run, by id or name.")
    result: Text | None = Field(None, description="Only rows of this result.")
    fold: Text | None = Field(None, description="Only rows of this fold.")
    task_type: Text | None = Field(None, description="regression, classification, ...")
    min_val_score: Score = Field(None, description="Lowest val_score.")
    max_val_score: Score = Field(None, description="Highest val_score.")
    min_test_score: Score = Field(None, description="Lowest test_score.")
    max_test_score: Score = Field(None, description="Highest test_score.")
    min_train_score: Score = Field(None, description="Lowest train_score.")
    max_train_score: Score = Field(None, description="Highest train_score.")
    preprocessings_contains: Text | None = Field(None, description="A part of the text of preprocessings.")
    min_scores: Bounds = Field([], description="Lowest numbers in `scores`: <partition>.<metric>:<number>.")
    max_scores: Bounds = Field([], description="Highest numbers in `scores`.")

    def filters(self) -> dict[str, Any]:
        """Return the filters as `Predictions.page` takes them."""
        names = RowFilters.model_fields.keys() - {"min_scores", "max_scores"}
        bounds = {name: _numbers(getattr(self, name)) or None for name in ("min_scores", "max_scores")}
        return {name: getattr(self, name) for name in names} | bounds


class PredictionFilters(RowFilters):
    """The filters of `Predictions.page`."""

    partition: Text | None = Field(None, description="train, val or test.")
    metric: Text | None = Field(None, description="Only rows of this metric.")

    def filters(self) -> dict[str, Any]:
        """Return the filters as `Predictions.page` takes them."""
        return super().filters() | {"partition": self.partition, "metric": self.metric}


class PredictionOrder(PredictionFilters):
    """Filters, an order and columns."""

    sort_by: Text = Field("val_score", description="A column, or a number in `scores`: scores.val.r2.")
    sort_order: Literal["asc", "desc"] | None = Field(
        None, description="By default best first for scores, else smallest first."
    )
    columns: Annotated[list[Text], Field(max_length=100)] = Field(
        [], description="By default those of lists."
    )

    def order(self) -> dict[str, Any]:
        """Return filters and order as `Predictions.page` takes them."""
        descending = None if self.sort_order is None else self.sort_order == "desc"
        columns = self.columns or None
        return self.filters() | {"sort_by": self.sort_by, "descending": descending, "columns": columns}


class PredictionPageQuery(PredictionOrder):
    """A page of predictions."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = Field(None, description="`next_cursor` of a page, instead of an offset.")

    def page(self) -> dict[str, Any]:
        """Return the arguments of `Predictions.page`."""
        return self.order() | {"limit": self.limit, "offset": self.offset, "cursor": self.cursor}


class ExportQuery(PredictionOrder):
    """Rows as a file."""

    format: Literal["csv", "parquet"] = Field("csv", description="The kind of file.")


class ScoreQuery(RowFilters):
    """Which scores a chart is of."""

    metric: Text | None = Field(None, description="The metric; by default the only one there is.")
    partition: Literal["train", "val", "test"] = "val"

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of a chart of scores."""
        own = type(self).model_fields.keys() - RowFilters.model_fields.keys()
        return self.filters() | {name: getattr(self, name) for name in own}


class HistogramQuery(ScoreQuery):
    """The distribution of scores."""

    bins: Bins = 40


class HeatMapQuery(ScoreQuery):
    """Scores by two columns."""

    rows: Column = "model_name"
    columns: Column = "preprocessings"


class BoxesQuery(ScoreQuery):
    """Scores by a column."""

    by: Column = "model_name"


class ParameterQuery(ScoreQuery):
    """Scores against a parameter."""

    parameter: Annotated[Text, Field(min_length=1, examples=["n_components"])]


class PairQuery(PredictionFilters):
    """Which predictions a chart is of."""

    id: Annotated[list[Text], Field(max_length=50)] = Field([], description="By default by the filters.")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of a chart of pairs."""
        own = type(self).model_fields.keys() - PredictionFilters.model_fields.keys()
        return self.filters() | {name: getattr(self, name) for name in own} | {"id": self.id or None}


class ParityQuery(PairQuery):
    """True against predicted."""

    max_points: Annotated[int, Field(ge=0, le=50_000)] = 5_000


class ResidualsQuery(ParityQuery):
    """Predicted less true."""

    bins: Bins = 40


class RunQuery(_Parameters):
    """Filters of runs."""

    status: Literal["queued", "running", "paused", "completed", "failed", "cancelled"] | None = None
    dataset: Text | None = None
    template: Text | None = None
    tag: Annotated[list[Tag], Field(max_length=20)] = []


class ResultQuery(_Parameters):
    """Filters and order of results."""

    run: Text | None = None
    template: Text | None = None
    dataset: Text | None = None
    model: Text | None = None
    metric: Text | None = None
    status: Literal["done", "failed"] | None = None
    min_score: Score = None
    max_score: Score = None
    sort_by: ResultField | None = Field(None, description="By default the best first.")
    sort_order: Literal["asc", "desc"] | None = None
    limit: Limit = 100
    offset: Offset = 0

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `Results.list`."""
        given = self.model_dump()
        order = given.pop("sort_order")
        return given | {"descending": None if order is None else order == "desc"}


class NewRun(_Parameters):
    """A run that waits in the queue for `n4w worker`."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    templates: Annotated[list[Text | list[Any]], Field(min_length=1, max_length=100)] = Field(
        description="Ids of stored templates, or steps.", examples=[["tpl_8bd451df81a53ed9"]]
    )
    datasets: Annotated[list[Text], Field(min_length=1, max_length=100)] = Field(
        description="Ids or names of registered datasets."
    )
    description: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    notes: Text | None = None


class RunEdit(_Parameters):
    """What people say of a run; what is not given stays."""

    description: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    notes: Text | None = None


class Reason(_Parameters):
    """Why a run is paused, resumed, cancelled or tried again."""

    reason: Text | None = None


class NewTemplate(_Parameters):
    """A template: its steps, as nirs4all has them in plain data."""

    steps: Annotated[list[Any], Field(min_length=1, max_length=1_000)]


class PreviewQuery(NewTemplate):
    """Steps that are expanded, and nothing else."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20


class PathOfDataset(_Parameters):
    """A path on the machine of the server."""

    path: Annotated[Text, Field(min_length=1)]


class OptionalPath(_Parameters):
    """A path on the machine of the server; by default where the dataset was last."""

    path: Annotated[Text, Field(min_length=1)] | None = None


class Empty(_Parameters):
    """A body without content."""


def _numbers(given: list[str]) -> dict[str, float]:
    parts = (text.rpartition(":") for text in given)
    return {key: float(number) for key, _, number in parts}
