"""Charts of scores, and the same by Polars over the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nirs4all_workspace as n4w
import peers
import polars as pl
import yaml  # noqa: F401 -- what opening a workspace imports is not counted
from writes import peak as peak_of_process

if TYPE_CHECKING:
    from nirs4all_workspace.model.chart_answers import ScoreBoxes, ScoreHeatMap, ScoreHistogram

METRIC = "mse"
AVERAGES = ["avg", "w_avg", "final"]


def histogram(folder: str) -> ScoreHistogram:
    return n4w.Workspace.open(folder).charts.score_histogram(METRIC)


def heat_map(folder: str) -> ScoreHeatMap:
    return n4w.Workspace.open(folder).charts.score_heat_map(METRIC)


def boxes(folder: str) -> ScoreBoxes:
    return n4w.Workspace.open(folder).charts.score_boxes("model_name", METRIC)


def peak(folder: str) -> float:
    """MiB at most while all three are made."""
    for chart in (histogram, heat_map, boxes):
        chart(folder)
    return peak_of_process()


def _drawn(folder: str) -> pl.LazyFrame:
    score = pl.col("val_score")
    rows = pl.scan_parquet(peers.files(folder)).filter(
        pl.col("partition") == "val", pl.col("metric") == METRIC
    )
    return rows.filter(~pl.col("fold_id").is_in(AVERAGES), score.is_finite())


def histogram_polars(folder: str) -> list[int]:
    """The counts of 40 bins of one width."""
    scores = _drawn(folder).select("val_score").collect()["val_score"]
    return scores.hist(bin_count=40)["count"].to_list()


def heat_map_polars(folder: str) -> dict[tuple[str, str], tuple[int, float]]:
    """Number and best of each cell."""
    cells = (
        _drawn(folder)
        .group_by("model_name", "preprocessings")
        .agg(n=pl.len(), best=pl.col("val_score").min())
    )
    return {(row, column): (n, best) for row, column, n, best in cells.collect().iter_rows()}


def boxes_polars(folder: str) -> dict[str, tuple[int, float, float, float]]:
    """Number and quartiles of each model."""
    score = pl.col("val_score")
    quartiles = [score.quantile(share, "linear").alias(str(share)) for share in (0.25, 0.5, 0.75)]
    found = _drawn(folder).group_by("model_name").agg(pl.len(), *quartiles).collect()
    return {name: (n, first, middle, third) for name, n, first, middle, third in found.iter_rows()}
