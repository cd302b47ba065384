"""Charts of scores against Polars: any rows, any filters, and however rows are read."""

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import charting
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
import tiers
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.predictions import filtered
from paging import fitting
from strategies import FILE_FORMS, FILTERS, flat_files, rows

PARTS = st.lists(st.tuples(rows(max_size=20), st.sampled_from(FILE_FORMS)), min_size=1, max_size=4)
FACETS = st.sampled_from(
    ["model_name", "dataset_name", "fold_id", "config_name", "branch_id", "preprocessings"]
)
WAYS = {"one page": (262_144, 262_144), "pages": (5, 262_144), "a scan": (5, 0)}


@contextlib.contextmanager
def reading(way):
    """Read rows in one of the ways, whatever their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filtered, "AT_ONCE", WAYS[way][0])
        patch.setattr(filtered, "MOST_IN_PAGES", WAYS[way][1])
        yield


@tiers.costly()
@given(
    parts=PARTS,
    filters=st.one_of(st.just({}), FILTERS),
    metric=st.sampled_from(["rmse", "r2", "bias", "mse"]),
    partition=st.sampled_from(["val", "val", "test", "train"]),
    by=FACETS,
    way=st.sampled_from(list(WAYS)),
)
def test_any_boxes_of_old_files(parts, filters, metric, partition, by, way):
    filters = {name: value for name, value in filters.items() if name not in ("partition", "run")}
    with TemporaryDirectory() as folder, reading(way):
        frames = flat_files(Path(folder), [part for part, _ in parts], [form for _, form in parts], 0)
        everything = pl.concat(frames)
        charts = n4w.Workspace.open(folder).charts
        if metric not in everything["metric"]:
            if any(everything["metric"]):
                with pytest.raises(ValueError, match="there is no row with the metric"):
                    charts.score_boxes(by, metric, partition, **filters)
            return
        fits = fitting(everything, filters)
        drawn, counts = charting.scored(fits, metric, partition)
        if "fold" in filters:
            drawn, counts = whatever_the_fold(fits, metric, partition)
        answer = charts.score_boxes(by, metric, partition, **filters)
        json.dumps(answer, allow_nan=False)
        assert answer["counts"] == counts
        wanted = charting.by_label(drawn, by)
        assert sum(box["count"] for box in answer["boxes"]) == drawn.height
        assert {box["label"] for box in answer["boxes"]} == {label for (label,) in wanted}
        for box in answer["boxes"]:
            scores = np.array(wanted[box["label"],])
            assert (box["count"], box["min"], box["max"]) == (len(scores), scores.min(), scores.max())
            if not answer["is_sampled"]:
                halves = np.quantile(scores / 2, [0.25, 0.5, 0.75]) * 2
                assert [box["q1"], box["median"], box["q3"]] == pytest.approx(halves.tolist(), rel=1e-9)
                assert box["q1"] <= box["median"] <= box["q3"]
        histogram = charts.score_histogram(metric, partition, 5, **filters)
        inside = sum(histogram["bin_counts"]) + histogram["below"] + histogram["above"]
        assert (histogram["counts"], inside) == (counts, drawn.height)
        cells = charts.score_heat_map(metric, partition, "task_type", "run_id", **filters)
        assert (cells["counts"], sum(map(sum, cells["count"]))) == (counts, drawn.height)


def whatever_the_fold(rows, metric, partition):
    """The rows that are drawn where a fold is asked for."""
    renamed = rows.with_columns(fold_id=pl.lit("0"))
    drawn, counts = charting.scored(renamed, metric, partition)
    return drawn, counts
