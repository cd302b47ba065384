"""What is asked of folders of nirs4all 0.6 by the runs that the catalogue lists; and of several metrics."""

import math

import nirs4all_workspace as n4w
import polars as pl
import pytest


def rows(dataset, configs, ids):
    frame = pl.DataFrame({"id": ids, "config_name": configs}).with_row_index("row")
    return frame.select(
        "id",
        "config_name",
        pl.lit(dataset).alias("dataset_name"),
        pl.lit("val").alias("partition"),
        pl.lit("rmse" if dataset == "wheat" else "r2").alias("metric"),
        pl.lit("PLS").alias("model_name"),
        pl.col("row").cast(pl.Float64).alias("val_score"),
    )


@pytest.fixture
def folder(tmp_path):
    rows("wheat", ["a", "a", "b"], ["1", "2", "3"]).write_parquet(tmp_path / "wheat.meta.parquet")
    rows("rye", ["a", "c"], ["1", "5"]).write_parquet(tmp_path / "rye.meta.parquet")
    return n4w.Workspace.open(tmp_path)


def test_files_that_no_manifest_claims(folder):
    runs = {run.name: run for run in folder.runs.list()}
    assert {run.kind for run in runs.values()} == {"files"}
    for name, ids in (("wheat", ["1", "2", "3"]), ("rye", ["5", "1"])):
        run = runs[name]
        page = folder.predictions.page(run=run.id)
        assert [row["id"] for row in page.records] == ids
        assert [row["id"] for row in folder.predictions.top(5, run=run.id)] == ids
        assert sum(result.n_rows for result in folder.results.list(run=run.id)) == len(ids)
    result = next(it for it in folder.results.list(run=runs["wheat"].id) if it.config_name == "a")
    assert folder.predictions.page(result=result.id).total == 2


def test_a_result_in_a_folder_without_files(tmp_path):
    page = n4w.Workspace.open(tmp_path).predictions.page(result="res_none")
    assert (page.records, page.total, page.errors) == ([], 0, [])


def test_one_of_several_rows_of_an_id(folder):
    with pytest.raises(ValueError, match=r"several predictions have the id '1'.*run_id="):
        folder.predictions.get("1")
    runs = {run.name: run for run in folder.runs.list()}
    for name in ("wheat", "rye"):
        assert folder.predictions.get("1", run_id=runs[name].id)["dataset_name"] == name
    with pytest.raises(n4w.NotFoundError):
        folder.predictions.get("5", run_id=runs["wheat"].id)


def test_the_only_metric_of_what_is_asked(folder):
    assert folder.predictions.top(1, dataset="rye").metric == "r2"
    run = next(run for run in folder.runs.list() if run.name == "rye")
    assert folder.predictions.top(1, run=run.id).metric == "r2"
    with pytest.raises(ValueError, match="several metrics"):
        folder.predictions.top(1, model="PLS")


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan])
def test_best_scores_are_numbers(tmp_path, score):
    ws = n4w.Workspace.create(tmp_path)
    run = ws.runs.create("one", templates=[["PLS"]], datasets=["wheat"])
    with run, run.writer("wheat") as writer:
        [result] = run.plan([{"name": "PLS"}])
        writer.write({"result_id": result.id, "metric": "rmse", "partition": "val", "val_score": score})
        writer.checkpoint(result.to_dict() | {"best_score": score})
        live = run.results()[0].best_score
    for found in (live, run.results()[0].best_score, ws.results.list()[0].best_score):
        assert isinstance(found, float)
        assert found == score or (math.isnan(score) and math.isnan(found))
    assert run.summary()["best"] == {}


def test_runs_that_are_each_others_parents(tmp_path):
    ws = n4w.Workspace.create(tmp_path)
    first, second = ws.runs.create("one"), ws.runs.create("two")
    for run, parent in ((first, second), (second, first)):
        path = run.path / "run.yaml"
        path.write_text(path.read_text().replace("parent_run: null", f"parent_run: {parent.id}"))
    [problem] = ws.verify()["problems"]
    assert problem["kind"] == "lineage"
    assert all(run.id in problem["message"] for run in (first, second))


@pytest.mark.parametrize("columns", [["array_id", "array_data"], ["array_id", "array_data", "array_shape"]])
@pytest.mark.parametrize("file", ["wheat", "another"])
def test_arrays_without_a_shape_that_fits(tmp_path, columns, file):
    frame = rows("wheat", ["a"], ["1"]).with_columns(pl.lit("array_1").alias("y_true_id"))
    frame.write_parquet(tmp_path / "wheat.meta.parquet")
    arrays = {"array_id": ["array_1"], "array_data": [[1.0, 2.0]], "array_shape": ["[3, 3]"]}
    pl.DataFrame(arrays).select(columns).write_parquet(tmp_path / f"{file}.arrays.parquet")
    row = n4w.Workspace.open(tmp_path).predictions.get("1", arrays=True)
    assert row["y_true"].tolist() == [1.0, 2.0]


@pytest.mark.usefixtures("folder")
def test_what_lies_deeper_belongs_to_the_folder(tmp_path):
    before = n4w.Workspace.open(tmp_path).predictions.scan().select("id").collect().height
    (tmp_path / "deep").mkdir()
    rows("oat", ["a"], ["deep 1"]).write_parquet(tmp_path / "deep" / "oat.meta.parquet")
    target = tmp_path.with_name(f"{tmp_path.name}-new")
    assert n4w.migrate(tmp_path, target)["errors"] == []
    for folder in (tmp_path, target):
        listed = n4w.Workspace.open(folder).predictions.scan().select("id", "dataset_name").collect()
        assert listed.height == before + 1
        assert ("deep 1", "oat") in listed.rows()


def test_datasets_of_files_that_are_odd_or_that_somebody_writes(tmp_path):
    frame = pl.DataFrame({"id": ["1", "2"], "dataset_name": ["rye", None], "dataset_path": ["/rye", "/oats"]})
    frame.write_parquet(tmp_path / "oats [1].meta.parquet")
    frame.write_parquet(tmp_path / "torn.meta.parquet")
    content = (tmp_path / "torn.meta.parquet").read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    # Its data are not there: what a reader sees of a file that is being written in its place.
    (tmp_path / "torn.meta.parquet").write_bytes(content[:4] + content[-footer:])
    listed = n4w.Workspace.open(tmp_path).datasets.list()
    assert {record.name: record.current_path for record in listed} == {"rye": "/rye", "oats [1]": "/oats"}
    assert [error["path"] for error in listed.errors] == ["torn.meta.parquet"]
