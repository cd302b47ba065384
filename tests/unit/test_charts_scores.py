"""Charts of scores: histogram, heat map and boxes, against Polars and NumPy over the same rows."""

import json
import math

import charting
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from nirs4all_workspace.predictions import filtered
from samples import frame_of, table, write

ODD = [math.nan, math.inf, -math.inf, None]


def mixed(rows=240, seed=1, dataset="wheat", **columns):
    """Rows of which some are averages over folds, and some have no finite score."""
    made = table(rows, dataset=dataset, seed=seed)
    folds = [("0", "1", "2", "avg", "w_avg", "final", None)[row // 3 % 7] for row in range(rows)]
    scores = made["val_score"].to_pylist()
    scores = [ODD[row // 20 % 4] if row % 20 == 1 else score for row, score in enumerate(scores)]
    models = [("PLS", "Forêt", "\U0001f33e\n", None)[row // 5 % 4] for row in range(rows)]
    given = {"fold_id": folds, "val_score": scores, "model_name": models, **columns}
    return table(rows, dataset=dataset, seed=seed, **given)


@pytest.fixture
def ws(tmp_path):
    write(tmp_path / "wheat.meta.parquet", mixed())
    write(tmp_path / "corn.meta.parquet", mixed(120, 2, "corn", metric=["r2"] * 120))
    return n4w.Workspace.open(tmp_path)


@pytest.fixture(params=["one page", "pages", "a scan"])
def way(request, monkeypatch):
    """Read rows in each way that their number may ask for."""
    if request.param != "one page":
        monkeypatch.setattr(filtered, "AT_ONCE", 7)
    if request.param == "a scan":
        monkeypatch.setattr(filtered, "MOST_IN_PAGES", 14)
    return request.param


def rows_of(ws):
    frames = [frame_of(path) for path in sorted(ws.path.rglob("*.meta.parquet"))]
    return pl.concat(frames, how="diagonal_relaxed")


def plain(answer):
    return json.loads(json.dumps(answer, allow_nan=False))


@pytest.mark.parametrize("metric", ["rmse", "r2"])
@pytest.mark.parametrize("partition", ["val", "test", "train"])
def test_a_histogram_is_numpys(ws, metric, partition):
    drawn, counts = charting.scored(rows_of(ws), metric, partition)
    answer = plain(ws.charts.score_histogram(metric, partition, 7))
    bins, edges = np.histogram(drawn["score"], 7)
    assert answer["counts"] == counts
    assert answer["edges"] == pytest.approx(edges.tolist())
    assert answer["bin_counts"] == bins.tolist()
    assert (answer["below"], answer["above"]) == (0, 0)
    assert (answer["min"], answer["max"]) == (drawn["score"].min(), drawn["score"].max())
    assert answer["quartiles"] == pytest.approx(np.quantile(drawn["score"], [0.25, 0.5, 0.75]).tolist())
    assert answer["direction"] == {"rmse": "minimize", "r2": "maximize"}[metric]
    assert (answer["metric"], answer["partition"], answer["is_sampled"]) == (metric, partition, False)


def test_bins_end_before_what_is_far_off(tmp_path):
    scores = [*np.linspace(0, 1, 98).tolist(), -1e6, 1e300]
    content = table(100, val_score=scores, partition=["val"] * 100)
    write(tmp_path / "a.meta.parquet", content)
    answer = n4w.Workspace.open(tmp_path).charts.score_histogram(bins=10)
    q1, _, q3 = np.quantile(scores, [0.25, 0.5, 0.75])
    assert (answer["edges"][0], answer["edges"][-1]) == pytest.approx(
        (q1 - 3 * (q3 - q1), q3 + 3 * (q3 - q1))
    )
    assert (answer["below"], answer["above"], sum(answer["bin_counts"])) == (1, 1, 98)
    assert (answer["min"], answer["max"]) == (-1e6, 1e300)


@pytest.mark.parametrize(
    "scores",
    [[0.5], [0.5, 0.5], [0.0, -0.0], [1.0, math.nextafter(1.0, 2)], [-1.7e308, 1.7e308], [1e300] * 3],
)
def test_few_scores_and_scores_of_all_sizes(tmp_path, scores):
    write(tmp_path / "a.meta.parquet", table(len(scores), val_score=scores, partition=["val"] * len(scores)))
    charts = n4w.Workspace.open(tmp_path).charts
    histogram = plain(charts.score_histogram())
    assert sum(histogram["bin_counts"]) == len(scores)
    assert len(histogram["edges"]) == len(histogram["bin_counts"]) + 1
    assert histogram["edges"] == sorted(set(histogram["edges"]))
    assert histogram["edges"][0] <= min(scores) <= max(scores) <= histogram["edges"][-1]
    boxes = plain(charts.score_boxes("dataset_name"))["boxes"]
    wanted = {"label": "wheat", "count": len(scores), "min": min(scores), "max": max(scores)}
    assert {name: boxes[0][name] for name in wanted} == wanted
    assert boxes[0]["low_whisker"] <= boxes[0]["median"] <= boxes[0]["high_whisker"]


def test_a_folder_without_rows(ws, tmp_path):
    empty = n4w.Workspace.create(tmp_path / "empty").charts
    no_counts = dict.fromkeys(("rows", "drawn", "nan", "infinite", "null", "averages"), 0)
    for answer in (empty.score_histogram(), empty.score_heat_map(), empty.score_boxes()):
        assert (answer["metric"], answer["direction"]) == (None, "unknown")
        assert (answer["counts"], answer["errors"]) == (no_counts, [])
    assert empty.score_histogram()["edges"] == []
    assert empty.score_heat_map()["count"] == []
    assert empty.score_boxes()["boxes"] == []
    nothing = ws.charts.score_boxes(metric="rmse", dataset="barley")
    assert (nothing["metric"], nothing["boxes"], nothing["counts"]) == ("rmse", [], no_counts)


def heat_map(drawn, metric, rows, columns):
    """The cells, by label."""
    cells = charting.by_label(drawn, rows, columns)
    return {
        cell: (len(scores), charting.best(scores, metric), pytest.approx(np.median(scores)))
        for cell, scores in cells.items()
    }


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_a_heat_map_has_the_scores_of_each_pair(ws, metric, way):
    drawn, counts = charting.scored(rows_of(ws), metric)
    answer = plain(ws.charts.score_heat_map(metric, columns="config_name"))
    rows, columns = answer["rows"]["labels"], answer["columns"]["labels"]
    found = {
        (row, column): (answer["count"][x][y], answer["best"][x][y], answer["median"][x][y])
        for x, row in enumerate(rows)
        for y, column in enumerate(columns)
        if answer["count"][x][y]
    }
    wanted = heat_map(drawn, metric, "model_name", "config_name")
    assert answer["counts"] == counts
    assert answer["is_sampled"] == (way != "one page")
    if answer["is_sampled"]:
        assert {cell: it[:2] for cell, it in found.items()} == {cell: it[:2] for cell, it in wanted.items()}
    else:
        assert found == wanted
    for labels, column in ((rows, "model_name"), (columns, "config_name")):
        of_label = charting.by_label(drawn, column)
        bests = [charting.order(charting.best(of_label[label,], metric), metric) for label in labels]
        assert bests == sorted(bests)
        assert len(labels) == len(of_label)


@pytest.mark.parametrize("metric", ["rmse", "r2"])
@pytest.mark.parametrize("by", ["model_name", "fold_id", "dataset_name", "config_name"])
def test_boxes_are_numpys(ws, metric, by):
    drawn, counts = charting.scored(rows_of(ws), metric)
    answer = plain(ws.charts.score_boxes(by, metric))
    found = {box["label"]: box for box in answer["boxes"]}
    wanted = {label: charting.box(scores) for (label,), scores in charting.by_label(drawn, by).items()}
    assert found.keys() == wanted.keys()
    for label, box in wanted.items():
        assert found[label].pop("outliers") == pytest.approx(box.pop("outliers"))
        assert found[label] == pytest.approx(box | {"label": label})
    medians = [charting.order(box["median"], metric) for box in answer["boxes"]]
    assert medians == sorted(medians)
    assert (answer["counts"], answer["others"], answer["others_count"]) == (counts, 0, 0)


def test_outliers_are_the_farthest(tmp_path):
    scores = [*np.linspace(1, 2, 2_000).tolist(), *np.linspace(50, 99, 150).tolist(), -7.0]
    write(tmp_path / "a.meta.parquet", table(len(scores), val_score=scores, partition=["val"] * len(scores)))
    (box,) = n4w.Workspace.open(tmp_path).charts.score_boxes("dataset_name")["boxes"]
    wanted = charting.box(scores)
    assert box["outliers"] == pytest.approx(wanted.pop("outliers"))
    assert {name: box[name] for name in wanted} == pytest.approx(wanted)
    assert (len(box["outliers"]), box["outliers_total"]) == (100, 151)


def test_at_most_fifty_of_everything(tmp_path):
    count = 61 * 3
    names = [f"m{row // 3:02d}" for row in range(count)]
    steps = [f"SNV>{row // 3 % 57}" for row in range(count)]
    scores = [float(row // 3) for row in range(count)]
    content = table(
        count, model_name=names, preprocessings=steps, val_score=scores, partition=["val"] * count
    )
    write(tmp_path / "a.meta.parquet", content)
    charts = n4w.Workspace.open(tmp_path).charts
    boxes = charts.score_boxes()
    assert [box["label"] for box in boxes["boxes"]] == [f"m{number:02d}" for number in range(50)]
    assert (boxes["others"], boxes["others_count"]) == (11, 33)
    answer = charts.score_heat_map()
    assert answer["rows"] == {
        "column": "model_name",
        "labels": [f"m{at:02d}" for at in range(50)],
        "others": 11,
    }
    assert answer["columns"]["labels"] == [f"SNV>{number}" for number in range(50)]
    assert answer["columns"]["others"] == 7
    assert sum(map(sum, answer["count"])) + answer["others"] == answer["counts"]["drawn"] == count
    assert answer["count"][4][4] == 3


@pytest.mark.usefixtures("way")
def test_averages_are_drawn_where_there_is_no_single_fold(ws):
    rows = rows_of(ws).filter(pl.col("fold_id") == "avg", partition="val", metric="rmse")
    answer = ws.charts.score_boxes("fold_id", "rmse", fold="avg")
    drawn = rows.filter(pl.col("val_score").is_finite())
    assert [(box["label"], box["count"]) for box in answer["boxes"]] == [("avg", drawn.height)]
    assert (answer["counts"]["rows"], answer["counts"]["averages"]) == (rows.height, 0)


@pytest.mark.usefixtures("way")
def test_only_averages(tmp_path):
    rows = table(30, fold_id=["avg", "w_avg", "final"] * 10, partition=["val"] * 30)
    write(tmp_path / "a.meta.parquet", rows)
    answer = n4w.Workspace.open(tmp_path).charts.score_boxes("fold_id")
    assert sorted((box["label"], box["count"]) for box in answer["boxes"]) == [
        ("avg", 10),
        ("final", 10),
        ("w_avg", 10),
    ]
    assert answer["counts"] == {"rows": 30, "drawn": 30, "nan": 0, "infinite": 0, "null": 0, "averages": 0}


@pytest.mark.usefixtures("way")
def test_averages_that_come_first_are_left_out(tmp_path):
    scores = [0.001 * row for row in range(30)]
    folds = ["avg"] * 20 + ["0"] * 10
    write(tmp_path / "a.meta.parquet", table(30, fold_id=folds, partition=["val"] * 30, val_score=scores))
    answer = n4w.Workspace.open(tmp_path).charts.score_boxes("fold_id")
    assert [(box["label"], box["count"], box["min"]) for box in answer["boxes"]] == [("0", 10, 0.02)]
    assert (answer["counts"]["rows"], answer["counts"]["averages"]) == (30, 20)


@pytest.mark.usefixtures("way")
def test_rows_that_name_no_partition(tmp_path):
    partitions = [None, "", None] * 10
    write(tmp_path / "a.meta.parquet", table(30, partition=partitions))
    charts = n4w.Workspace.open(tmp_path).charts
    assert charts.score_histogram()["counts"]["drawn"] == 30
    write(tmp_path / "b.meta.parquet", table(3, seed=2, partition=["val"] * 3))
    assert charts.score_histogram()["counts"]["drawn"] == 3


@pytest.mark.usefixtures("way")
def test_a_metric_that_others_have_in_scores(tmp_path):
    numbers = [json.dumps({"val": {"r2": row / 40}}) if row % 3 else None for row in range(40)]
    folds = ["0", "1", "2", "avg"] * 10
    write(tmp_path / "a.meta.parquet", table(40, fold_id=folds, partition=["val"] * 40, scores=numbers))
    own = table(20, seed=2, metric="r2", dataset="corn", partition=["val"] * 20, fold_id=["0"] * 20)
    write(tmp_path / "b.meta.parquet", own)
    answer = n4w.Workspace.open(tmp_path).charts.score_boxes("dataset_name", "r2")
    others = [row / 40 for row in range(40) if row % 3 and folds[row] != "avg"]
    found = {box["label"]: (box["count"], box["min"], box["max"]) for box in answer["boxes"]}
    scores = own["val_score"].to_pylist()
    assert found == {
        "wheat": (len(others), min(others), max(others)),
        "corn": (20, min(scores), max(scores)),
    }
    assert answer["counts"]["drawn"] == len(others) + 20


def test_a_metric_without_a_direction(tmp_path):
    write(tmp_path / "a.meta.parquet", table(metric="house_of_charts"))
    charts = n4w.Workspace.open(tmp_path).charts
    answer = charts.score_heat_map()
    assert (answer["metric"], answer["direction"]) == ("house_of_charts", "unknown")
    assert {number for row in answer["best"] for number in row} == {None}
    assert sum(map(sum, answer["count"])) == 20
    labels = [box["label"] for box in charts.score_boxes()["boxes"]]
    assert labels == sorted(labels)


def test_closest_to_zero_is_best(tmp_path):
    scores = [-0.5, 0.25, -0.25, 3.0, -0.1, 2.0]
    names = ["a", "a", "a", "b", "b", "c"]
    content = table(6, metric="bias", val_score=scores, model_name=names, partition=["val"] * 6)
    write(tmp_path / "a.meta.parquet", content)
    answer = n4w.Workspace.open(tmp_path).charts.score_heat_map(columns="dataset_name")
    assert answer["rows"]["labels"] == ["b", "a", "c"]
    assert answer["best"] == [[-0.1], [0.25], [2.0]]


@pytest.mark.parametrize(
    "filters",
    [
        {"dataset": "wheat"},
        {"model": "Forêt"},
        {"fold": 1},
        {"min_val_score": 0.5},
        {"max_val_score": 0.5, "min_test_score": 0.2},
        {"preprocessings_contains": "D1"},
        {"task_type": "regression"},
        {"min_scores": {"val.r2": 0.3}},
        {"max_scores": {"val.r2": 0.3}, "dataset": "wheat"},
    ],
)
@pytest.mark.usefixtures("way")
def test_filters_are_those_of_a_page(tmp_path, filters):
    rows = 240
    numbers = [json.dumps({"val": {"r2": row / rows}}) for row in range(rows)]
    write(tmp_path / "wheat.meta.parquet", mixed(rows, scores=numbers))
    ws = n4w.Workspace.open(tmp_path)
    page = ws.predictions.page(limit=1_000, partition="val", metric="rmse", **filters)
    wanted = [
        row["val_score"]
        for row in page.records
        if row["fold_id"] not in charting.AVERAGES and math.isfinite(row["val_score"] or math.nan)
    ]
    answer = ws.charts.score_boxes("dataset_name", "rmse", **filters)
    assert answer["counts"]["rows"] == page.total > 0
    (box,) = answer["boxes"]
    assert (box["count"], box["min"], box["max"]) == (len(wanted), min(wanted), max(wanted))


@pytest.mark.usefixtures("way")
def test_a_dataset_in_another_normal_form_and_one_that_only_its_file_names(tmp_path):
    write(tmp_path / "a.meta.parquet", table(30, dataset="Bl\u00e9"))
    write(tmp_path / "orge.meta.parquet", table(30, seed=2, dataset_name=pa.array([None] * 30, pa.string())))
    charts = n4w.Workspace.open(tmp_path).charts
    assert charts.score_histogram(dataset="Ble\u0301")["counts"]["rows"] == 10
    assert charts.score_histogram(dataset="orge")["counts"]["rows"] == 10


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"metric": "mae"}, ValueError, "mae.*r2, rmse"),
        ({"metric": "nonsense"}, n4w.UnknownMetricError, "nonsense.*r2, rmse"),
        ({}, ValueError, "r2, rmse"),
        ({"metric": "rmse", "partition": "Val"}, ValueError, "train, val, test.*'Val'"),
        ({"metric": "rmse", "bins": 0}, ValueError, "bins.*1,000"),
        ({"metric": "rmse", "bins": 1_001}, ValueError, "bins.*1001"),
        ({"metric": "rmse", "bins": 1.5}, TypeError, "float"),
        ({"metric": "rmse", "colour": "red"}, ValueError, "unknown filter 'colour'"),
        ({"metric": "rmse", "model": ["a"]}, TypeError, "model"),
        ({"metric": "rmse", "run": "nowhere"}, n4w.NotFoundError, "nowhere"),
        ({"metric": "rm\udc80se"}, ValueError, "metric"),
    ],
)
def test_arguments_that_make_no_sense(ws, arguments, kind, message):
    with pytest.raises(kind, match=message):
        ws.charts.score_histogram(**arguments)


def test_columns_that_scores_are_not_grouped_by(ws):
    for column in ("id", "val_score", "colour", "model"):
        with pytest.raises(ValueError, match="model_name"):
            ws.charts.score_boxes(column, "rmse")
    with pytest.raises(ValueError, match="different columns"):
        ws.charts.score_heat_map("rmse", rows="fold_id", columns="fold_id")
