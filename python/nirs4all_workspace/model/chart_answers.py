"""Data of charts as typed dicts of plain data: numbers are finite, and None where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from nirs4all_workspace.exceptions import Problem


class ScoreCounts(TypedDict):
    """How many rows a chart of scores is of."""

    rows: int
    """All rows that fit: the sum of the others."""
    drawn: int
    """Rows with a finite score."""
    nan: int
    infinite: int
    null: int
    averages: int
    """Rows of the folds avg, w_avg and final, which are left out where there are rows of single folds."""


class ScoreChart(TypedDict):
    """What all charts of scores say."""

    metric: str | None
    """None where there is no row."""
    direction: str
    """"maximize", "minimize", "zero" or "unknown"."""
    partition: str
    counts: ScoreCounts
    is_sampled: bool
    """Whether quartiles, medians, means and outliers are those of a sample of the rows."""
    errors: list[Problem]


class ScoreHistogram(ScoreChart):
    """The distribution of scores."""

    edges: list[float]
    """One more than there are bins; empty without scores. A score on an edge is in the bin above it."""
    bin_counts: list[int]
    below: int
    """Scores so far off that the bins end before them: by 3 interquartile ranges from the quartiles."""
    above: int
    min: float | None
    max: float | None
    quartiles: list[float] | None
    """The first, the median, the third."""


class HeatMapLabels(TypedDict):
    """One axis of a heat map."""

    column: str
    labels: list[str | None]
    """Best first, by the best score; by the number of scores where no direction is known."""
    others: int
    """Labels that are left out."""


class ScoreHeatMap(ScoreChart):
    """Scores by two columns; cells by row, then column."""

    rows: HeatMapLabels
    columns: HeatMapLabels
    count: list[list[int]]
    best: list[list[float | None]]
    """The best score, of a single fold; None in an empty cell, and without a direction."""
    median: list[list[float | None]]
    """None in an empty cell, and where the sample has none of its scores."""
    others: int
    """Scores in cells that are left out."""


class ScoreBox(TypedDict):
    """One box: quartiles as NumPy computes them, and whiskers up to 1.5 interquartile ranges long."""

    label: str | None
    count: int
    min: float
    max: float
    mean: float | None
    q1: float | None
    """None, as the median and all below, where the sample has none of the scores."""
    median: float | None
    q3: float | None
    low_whisker: float | None
    high_whisker: float | None
    outliers: list[float]
    """The farthest from the median, smallest first."""
    outliers_total: int
    """Also those that are not listed."""


class ScoreBoxes(ScoreChart):
    """Scores by one column."""

    by: str
    boxes: list[ScoreBox]
    """Best first, by median; by label where no direction is known."""
    others: int
    """Boxes that are left out."""
    others_count: int
    """Scores in these."""


class ParameterValue(TypedDict):
    """The scores of one value of a parameter."""

    value: float | int | str
    count: int
    best: float | None
    """The best score, of a single fold; None without a direction."""
    median: float | None
    min: float
    max: float


class ParameterPoints(TypedDict):
    """Points, column by column."""

    value: list[float | int | str]
    score: list[float]
    id: list[str | None]
    run_id: list[str | None]
    dataset_name: list[str | None]
    model_name: list[str | None]
    fold_id: list[str | None]


class ScoreByParameter(ScoreChart):
    """Scores against a parameter."""

    parameter: str
    kind: str
    """"number", or "category" where not all values are numbers."""
    values: list[ParameterValue]
    """Numbers in order; categories best first, by median."""
    others: int
    """Values that are left out."""
    points: ParameterPoints
    total: int
    """Scores with a value: all that the points are a sample of."""
    without: int
    """Scores without a value."""


class PairPoints(TypedDict):
    """Points, column by column."""

    y_true: list[float]
    y_pred: list[float]
    fold_id: list[str | None]
    sample: list[int | None]
    """The index of the sample in its dataset; None where the row has none."""
    id: list[str | None]
    """The prediction."""


class PairGroup(TypedDict):
    """Targets and predictions of one dataset and partition; of several targets each for itself."""

    dataset_name: str | None
    partition: str | None
    target: int
    """The column of the arrays; 0 where there is one target."""
    rows: int
    """Predictions that the pairs are of."""
    n: int
    """Pairs, all of which the figures are computed from."""
    invalid: int
    """Pairs with NaN or an infinity, which are left out."""
    r2: float | None
    """1 - sum of squared errors / sum of squared deviations of the targets; None where these are equal."""
    rmse: float | None
    bias: float | None
    """Mean of predicted less true."""


class PairChart(TypedDict):
    """What all charts of targets and predictions say."""

    rows: int
    """Predictions that fit."""
    rows_used: int
    rows_averaged: int
    """Rows that are left out: averages over folds, and of a test set the folds beside a final model."""
    rows_without_arrays: int
    """Rows whose arrays are missing, or of different length."""
    is_complete: bool
    """Whether all rows that fit were looked at."""
    notes: list[str]
    errors: list[Problem]


class ParityGroup(PairGroup):
    """True against predicted."""

    low: float | None
    """The smallest and the largest of both, for equal axes."""
    high: float | None
    points: PairPoints


class Parity(PairChart):
    """True against predicted, by dataset and partition."""

    groups: list[ParityGroup]


class ResidualPoints(PairPoints):
    """Points with their residual, predicted less true."""

    residual: list[float]


class ResidualGroup(PairGroup):
    """Residuals: predicted less true."""

    std: float | None
    """Standard deviation of the residuals around the bias, divided by n: SEP as nirs4all has it."""
    edges: list[float]
    bin_counts: list[int]
    points: ResidualPoints


class Residuals(PairChart):
    """Residuals, by dataset and partition."""

    groups: list[ResidualGroup]


class ConfusionGroup(TypedDict):
    """A confusion matrix of one dataset and partition."""

    dataset_name: str | None
    partition: str | None
    target: int
    rows: int
    n: int
    invalid: int
    labels: list[float | int]
    """Of the matrix, in order; the most frequent, where there are more than 50."""
    matrix: list[list[int]]
    """How often a label (the row) was predicted as a label (the column)."""
    others: int
    """Pairs with a label that is left out."""
    accuracy: float | None


class ConfusionMatrix(PairChart):
    """Confusion matrices, by dataset and partition."""

    groups: list[ConfusionGroup]


class RunTransition(TypedDict):
    """A change of the status of a run."""

    time: str | None
    status_from: str | None
    status_to: str | None
    reason: str | None


class RunProgress(TypedDict):
    """The finished results, over time: points, column by column."""

    time: list[str]
    done: list[int]
    failed: list[int]


class BestScoreSoFar(TypedDict):
    """How the best score of a dataset and metric came down or up: points, column by column."""

    dataset_name: str | None
    metric: str
    direction: str
    time: list[str]
    finished: list[int]
    """Results of the run that had finished by then."""
    score: list[float]
    result_id: list[str]


class RunHistory(TypedDict):
    """How a run went."""

    run_id: str
    name: str
    status: str | None
    planned: int
    done: int
    failed: int
    untimed: int
    """Finished results that do not say when; they are at the beginning of no line."""
    transitions: list[RunTransition]
    """Oldest first; the newest 1,000."""
    progress: RunProgress
    best: list[BestScoreSoFar]
    """By dataset and metric; what others left out is in `others`."""
    others: int
    errors: list[Problem]
