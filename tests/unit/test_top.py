"""`top`: its errors, its shape, and when footers alone answer."""

import nirs4all_workspace as n4w
import oracle
import polars as pl
import pytest
from agreement import check_ranking
from samples import frame_of, table, write


@pytest.fixture(params=["scanned", "rebuilt"])
def two_metrics(request, tmp_path):
    write(tmp_path / "a.meta.parquet", table(seed=1, dataset="a"))
    write(tmp_path / "b.meta.parquet", table(seed=2, dataset="b", metric="r2"))
    ws = n4w.Workspace.open(tmp_path)
    if request.param == "rebuilt":
        ws.predictions.rebuild_summaries()
    return ws


def test_several_metrics_are_named_in_the_error(two_metrics):
    with pytest.raises(ValueError, match=r"(?s)(?=.*r2)(?=.*rmse)"):
        two_metrics.predictions.top(5)


def test_one_dataset_may_have_one_metric(two_metrics):
    assert two_metrics.predictions.top(5, dataset="b").metric == "r2"


@pytest.mark.parametrize(("metric", "name"), [("rmse", "a"), ("r2", "b")])
def test_each_metric_by_its_direction(two_metrics, metric, name):
    top = two_metrics.predictions.top(7, metric=metric)
    rows = oracle.normal(frame_of(two_metrics.path / f"{name}.meta.parquet"))
    check_ranking(list(top), oracle.ranking(rows, oracle.DIRECTIONS[metric]), "val_score", 7)
    assert (top.metric, top.direction, top.ranked_by) == (metric, oracle.DIRECTIONS[metric], "val_score")
    assert top.files_read == 0
    assert set(top[0]) == {*oracle.RECORD, "n_equal"}


def test_the_shape_of_to_dict(two_metrics):
    top = two_metrics.predictions.top(2, metric="r2")
    assert top.to_dict() == {
        "metric": "r2",
        "direction": "maximize",
        "ranked_by": "val_score",
        "records": list(top),
        "files_read": 0,
        "errors": [],
    }


def test_no_predictions_asked_for(two_metrics):
    assert list(two_metrics.predictions.top(0, metric="r2")) == []


@pytest.mark.parametrize("k", [-1, -(10**9)])
def test_a_negative_k_is_refused(two_metrics, k):
    with pytest.raises(ValueError, match=r"^k\b"):
        two_metrics.predictions.top(k, metric="r2")


@pytest.mark.parametrize("k", [1.5, "3", None])
def test_a_k_that_is_no_number_is_refused(two_metrics, k):
    with pytest.raises(TypeError):
        two_metrics.predictions.top(k, metric="r2")


@pytest.mark.parametrize(
    "arguments",
    [
        {"score": "rank"},
        {"direction": "up"},
        {"direction": "unknown"},
        {"colour": "red"},
        {"min_id": 1},
        {"max_": 2.0},
    ],
)
def test_arguments_that_make_no_sense(two_metrics, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        two_metrics.predictions.top(5, metric="r2", **arguments)


def test_a_limit_that_is_no_number(two_metrics):
    with pytest.raises(TypeError):
        two_metrics.predictions.top(5, metric="r2", min_val_score="high")


def test_filters_of_none_do_not_filter(two_metrics):
    plain = two_metrics.predictions.top(5, metric="r2")
    assert two_metrics.predictions.top(5, metric="r2", model=None, min_val_score=None, dataset=None) == plain


def test_a_metric_without_rows_is_refused_with_those_that_there_are(two_metrics, tmp_path):
    for metric, refusal in (("mae", ValueError), ("RMSE", ValueError), ("house", n4w.UnknownMetricError)):
        with pytest.raises(refusal, match=f"{metric}.*there are r2, rmse"):
            two_metrics.predictions.top(5, metric=metric)
    top = two_metrics.predictions.top(5, metric="rmse", dataset="b")
    assert (list(top), top.direction, top.errors) == ([], "minimize", [])
    write(tmp_path / "c.meta.parquet", table(dataset="c", metric="house"))
    assert list(two_metrics.predictions.top(5, metric="house", dataset="a", direction="maximize")) == []
    (tmp_path / "bad.meta.parquet").write_bytes(b"bad")
    for metric in ("mae", "mansion"):
        top = two_metrics.predictions.top(5, metric=metric, direction="minimize")
        assert (list(top), [error["path"] for error in top.errors]) == ([], ["bad.meta.parquet"])
    (tmp_path / "empty").mkdir()
    top = n4w.Workspace.open(tmp_path / "empty").predictions.top(5, metric="mae")
    assert (list(top), top.direction, top.errors) == ([], "minimize", [])


def test_partitions_and_scores_are_judged_by_the_rows_that_are_asked_for(tmp_path):
    write(tmp_path / "a.meta.parquet", table(seed=1))
    no_val = pl.from_arrow(table(seed=2)).with_columns(
        pl.lit("lone").alias("model_name"), pl.lit("test").alias("partition")
    )
    write(tmp_path / "b.meta.parquet", no_val.to_arrow())
    bare = no_val.with_columns(
        pl.lit("bare").alias("model_name"), pl.lit(None, pl.Float64).alias("val_score")
    )
    write(tmp_path / "c.meta.parquet", bare.with_columns("c" + pl.col("id")).to_arrow())
    predictions = n4w.Workspace.open(tmp_path).predictions
    for _ in range(2):
        for model, rows, score in (("lone", no_val, "val_score"), ("bare", bare, "test_score")):
            top = predictions.top(4, model=model)
            assert [row[score] for row in top] == rows[score].sort().head(4).to_list()
            assert top.ranked_by == score
        assert [row["model_name"] for row in predictions.top(4)] != ["lone"] * 4
        assert {row["partition"] for row in predictions.top(40)} == {"val"}
        predictions.rebuild_summaries()


def test_an_unknown_metric_needs_the_callers_word(tmp_path):
    path = write(tmp_path / "a.meta.parquet", table(metric="house"))
    ws = n4w.Workspace.open(tmp_path)
    for _ in range(2):
        with pytest.raises(n4w.UnknownMetricError, match="house"):
            ws.predictions.top(5)
        for direction in ("maximize", "minimize", "zero"):
            top = ws.predictions.top(5, direction=direction)
            check_ranking(
                list(top),
                oracle.ranking(oracle.normal(frame_of(path)), direction, "val_score"),
                "val_score",
                5,
            )
        ws.predictions.rebuild_summaries()


def test_a_workspace_without_metrics(tmp_path):
    write(tmp_path / "a.meta.parquet", table(metric=[None] * 60))
    with pytest.raises(ValueError, match="metric"):
        n4w.Workspace.open(tmp_path).predictions.top(5)
    with pytest.raises(ValueError, match="metric"):
        n4w.Workspace.open(tmp_path / ".").predictions.top(5, dataset="nothing")


def test_broken_files_are_listed_beside_the_ranking(tmp_path):
    write(tmp_path / "a.meta.parquet", table(200))
    (tmp_path / "bad.meta.parquet").write_bytes(b"bad")
    write(tmp_path / "text.meta.parquet", table(val_score=["x"] * 60))
    ws = n4w.Workspace.open(tmp_path)
    for options in ({}, {"k": 50}, {"model": "model_1"}, {"score": "train_score"}):
        top = ws.predictions.top(**options)
        assert sorted(error["path"] for error in top.errors) == ["bad.meta.parquet", "text.meta.parquet"]
        assert len(top) > 0


def test_only_files_that_can_matter_are_read(tmp_path):
    for number in range(5):
        write(tmp_path / f"{number}.meta.parquet", table(seed=number, model_name=[f"only in {number}"] * 60))
    ws = n4w.Workspace.open(tmp_path)
    ws.predictions.rebuild_summaries()
    assert ws.predictions.top(5).files_read == 0
    top = ws.predictions.top(5, model="only in 3")
    assert {row["model_name"] for row in top} == {"only in 3"}
    assert top.files_read == 1
    assert ws.predictions.top(5, model="nowhere").files_read == 0


def test_ties_break_by_id_across_files(tmp_path):
    ids = [f"{number:03d}" for number in range(60)]
    for number in range(3):
        content = table(
            60, id=[f"{one}-{number}" for one in ids], val_score=[0.5] * 60, partition=["val"] * 60
        )
        write(tmp_path / f"{number}.meta.parquet", content)
    ws = n4w.Workspace.open(tmp_path)
    for k in (5, 40):
        wanted = sorted(f"{one}-{number}" for one in ids for number in range(3))[:k]
        assert [row["id"] for row in ws.predictions.top(k, distinct=False)] == wanted
        ws.predictions.rebuild_summaries()
        assert [row["id"] for row in ws.predictions.top(k, distinct=False)] == wanted


def test_test_scores_rank_where_there_are_no_others(tmp_path):
    path = write(tmp_path / "a.meta.parquet", table(val_score=[None] * 60, partition=["test"] * 60))
    top = n4w.Workspace.open(tmp_path).predictions.top(60)
    assert top.ranked_by == "test_score"
    check_ranking(list(top), oracle.ranking(oracle.normal(frame_of(path)), "minimize"), "test_score", 60)
