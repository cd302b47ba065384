"""Stores written for nirs4all: its own readers, SQL and Parquet find in them what the workspace has."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import experiments
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
import stored
from drives import TEMPLATES, folders
from nirs4all_workspace.integrations.nirs4all import export_store, record, to_predictions
from nirs4all_workspace.integrations.nirs4all import run as drive


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """Two templates on two datasets, driven with models, and their run in a store of nirs4all."""
    folder = tmp_path_factory.mktemp("driven")
    run = drive(TEMPLATES(), folders(folder / "data"), folder / "ws", name="lab", random_state=1)
    id_ = export_store(run.workspace, run, folder / "store")
    return run, folder / "store", id_


def select(store, query):
    with closing(sqlite3.connect(f"file:{store / 'store.sqlite'}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hand_made(ws, rows, name="hand", status="done"):
    run = ws.runs.create(name, [], [])
    with run, run.writer("wheat") as writer:
        for row in rows:
            writer.write({"result_id": "res_1", "metric": "rmse", "task_type": "regression", **row})
        writer.checkpoint(
            {"id": "res_1", "status": status, "error": "too few" if status == "failed" else None}
        )
    return run


def results_by_names_in_rows(run):
    """Results by their datasets and the names of their configurations in rows."""
    results = {result.id: result for result in run.results()}
    rows = stored.rows_of(run.workspace, run)
    return {
        (row["dataset_name"], row["config_name"].removesuffix("_refit")): results[row["result_id"]]
        for row in rows
    }


def test_sql_finds_all_rows_scores_and_arrays(driven):
    run, store, _ = driven
    expected = {row["id"]: row for row in stored.rows_of(run.workspace, run)}
    found = {row["prediction_id"]: row for row in select(store, "SELECT * FROM predictions")}
    assert select(store, "PRAGMA user_version") == [{"user_version": 5}]
    assert found.keys() == expected.keys()
    arrays = pl.concat([pl.read_parquet(path) for path in (store / "arrays").glob("*.parquet")])
    arrays = {row["prediction_id"]: row for row in arrays.iter_rows(named=True)}
    for id_, row in expected.items():
        here = found[id_]
        for column in (
            "val_score",
            "test_score",
            "train_score",
            "n_samples",
            "n_features",
            "metric",
            "task_type",
        ):
            assert here[column] == row[column], column
        for column in (
            "model_name",
            "fold_id",
            "partition",
            "dataset_name",
            "refit_context",
            "preprocessings",
        ):
            assert here[column] == row[column], column
        assert here["model_class"] == row["model_classname"]
        assert json.loads(here["scores"]) == row["scores"]
        for role in ("y_true", "y_pred"):
            assert np.array_equal(arrays[id_][role], row[role].ravel())
        assert arrays[id_]["sample_indices"] == row["sample_indices"].astype(int).tolist()


def test_pipelines_are_the_results_with_their_steps_and_choices(driven):
    run, store, id_ = driven
    pipelines = {(row["dataset_name"], row["name"]): row for row in select(store, "SELECT * FROM pipelines")}
    results = results_by_names_in_rows(run)
    assert pipelines.keys() == results.keys()
    assert len(results) == len(run.results()) == 14
    steps = {config["config_id"]: config["steps"] for config in run.configs()}
    for key, row in pipelines.items():
        assert (row["run_id"], row["status"]) == (id_, "completed")
        assert json.loads(row["expanded_config"]) == steps[results[key].config_id]
        assert json.loads(row["generator_choices"]) == results[key].generator_choices
        template = run.workspace.templates.get(results[key].template_id)
        assert json.loads(row["original_template"]) == template.steps
        assert row["duration_ms"] == round(1000 * results[key].duration_s)
        assert row["dataset_hash"] == results[key].extra["sample_ids_hash"]
    # nirs4all's own summaries of chains: the mean of the folds' scores, and those of the model fitted again.
    query = "SELECT p.name, p.dataset_name, c.* FROM chains c JOIN pipelines p USING (pipeline_id)"
    chains = select(store, query)
    assert len(chains) == len(results)
    for chain in chains:
        result = results[chain["dataset_name"], chain["name"]]
        assert chain["cv_fold_count"] == result.n_folds == 3
        assert chain["cv_val_score"] == pytest.approx(result.score_mean)
        assert chain["final_test_score"] == pytest.approx(result.score_test)


def test_models_are_exported_and_predict(driven):
    import nirs4all
    from nirs4all.pipeline.storage import WorkspaceStore

    run, store, _ = driven
    artifacts = {row["artifact_id"]: row for row in select(store, "SELECT * FROM artifacts")}
    assert artifacts.keys() == {artifact for result in run.results() for artifact in result.artifacts}
    for id_, row in artifacts.items():
        content = (store / "artifacts" / row["artifact_path"]).read_bytes()
        assert content == run.workspace.artifacts.get(id_).read_bytes()
        assert (row["content_hash"], row["size_bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    chains = select(
        store,
        "SELECT shared_artifacts, name, p.dataset_name FROM chains JOIN pipelines p USING (pipeline_id)",
    )
    named = {(it["dataset_name"], it["name"]): json.loads(it["shared_artifacts"])["_models"] for it in chains}
    assert named == {key: result.artifacts for key, result in results_by_names_in_rows(run).items()}
    (final,) = to_predictions(
        run.workspace, run, result=run.results()[0].id, fold="final", partition="test"
    ).filter_predictions()
    with WorkspaceStore.open_readonly(store) as opened:
        path = opened.get_artifact_path(run.results()[0].artifacts[0])
    x = experiments.spectra({"wheat": 7, "corn": 9}[run.results()[0].dataset_name])[experiments.N_TRAIN :]
    predicted = nirs4all.predict(model=str(path), data=x, verbose=0).y_pred
    assert np.allclose(np.ravel(predicted), final["y_pred"].ravel(), atol=1e-9)


def test_nirs4alls_own_readers_open_it(driven):
    from nirs4all.data import Predictions
    from nirs4all.pipeline.storage import WorkspaceStore, studio_run_detail_http_inputs_v1

    run, store, id_ = driven
    with WorkspaceStore.open_readonly(store) as opened:
        (listed,) = opened.list_runs().to_dicts()
        assert (listed["run_id"], listed["name"], listed["status"]) == (id_, "lab", "completed")
        assert len(opened.query_predictions(run_id=id_)) == run.count_rows()
        ids = {row["id"] for row in stored.rows_of(run.workspace, run)}
        check = opened.array_store.integrity_check(expected_ids=ids)
        assert not any(check[problem] for problem in ("orphan_ids", "missing_ids", "corrupt_files"))
    origin = json.loads(listed["config"])["workspace_run"]
    assert (origin["id"], origin["name"], origin["created_at"]) == (run.id, run.name, run.created_at)
    assert origin["workspace_id"] == run.workspace.manifest["workspace_id"]
    detail = studio_run_detail_http_inputs_v1(store, id_)
    assert len(detail["run_detail"]["pipelines"]) == len(run.results())
    assert detail["run_detail"]["config"]["has_refit"]
    found, expected = Predictions(store), to_predictions(run.workspace, run)
    for how in (
        {},
        {"rank_metric": "r2"},
        {"score_scope": "refit"},
        {"group_by": ["dataset_name", "model_name"]},
    ):
        lists = [[(row["rank_score"], row["id"]) for row in of.top(4, **how)] for of in (found, expected)]
        assert sorted(lists[0]) == sorted(lists[1])
        assert lists[0]


def test_nirs4alls_command_reads_it(driven, tmp_path):
    _, store, _ = driven

    def query(path, metric):
        call = [
            sys.executable,
            "-m",
            "nirs4all.cli.main",
            "workspace",
            "query-best",
            "--workspace",
            str(path),
        ]
        return subprocess.run([*call, "--metric", metric], capture_output=True, check=False).returncode

    # It prints nothing, of its own stores either, and ends with 1 where it cannot read one.
    assert [query(store, "test_score"), query(store, "val_score")] == [0, 0]
    assert query(tmp_path, "test_score") == 1


@pytest.mark.parametrize("engine", ["dag-ml", "legacy"])
@pytest.mark.parametrize(
    "capability", ["several models", "branches", "merged predictions", "classification", "two targets"]
)
def test_recorded_calls_of_any_kind(ws, tmp_path, capability, engine):
    from nirs4all.data import Predictions

    steps = experiments.pipeline("plain" if capability == "two targets" else capability)
    given = experiments.data(capability)
    result = experiments.one_call(steps, given, tmp_path / "own", engine=engine)
    run = record(result, ws, name="lab", pipeline=steps, dataset={"wheat": given})
    export_store(ws, "lab", tmp_path / "store")
    found = {row["id"]: row for row in Predictions(tmp_path / "store").filter_predictions()}
    expected = {row["id"]: row for row in to_predictions(ws, run).filter_predictions()}
    assert found.keys() == expected.keys() == {row["id"] for row in stored.rows_of(ws, run)}
    for id_, row in expected.items():
        for column in (
            "config_name",
            "model_name",
            "branch_name",
            "fold_id",
            "val_score",
            "scores",
            "branch_path",
        ):
            assert (found[id_][column] or None) == (row[column] or None), column
        assert found[id_]["step_idx"] == row["step_idx"]
        assert np.array_equal(np.ravel(found[id_]["y_pred"]), row["y_pred"].ravel())
        if capability == "two targets":
            assert found[id_]["y_pred"].shape == row["y_pred"].shape == (row["n_samples"], 2)


def test_rows_that_nirs4all_would_take_for_one_all_arrive(ws, tmp_path):
    same = {"model_name": "PLS", "fold_id": "0", "partition": "val", "val_score": 1.0, "y_pred": [1.0, 2.0]}
    differing = [{}, {"step_idx": 3}, {"branch_name": "a"}, {"val_score": 2.0}, {"val_score": 3.0}]
    with pytest.warns(UserWarning, match="fold '0'"):
        hand_made(ws, [{"id": f"r{number}", **same, **row} for number, row in enumerate(differing)])
    export_store(ws, "hand", tmp_path / "store")
    rows = select(tmp_path / "store", "SELECT prediction_id AS id, val_score FROM predictions ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("r0", 1), ("r1", 1), ("r2", 1), ("r3", 2), ("r4", 3)]


def test_numbers_that_are_none(ws, tmp_path):
    from nirs4all.data import Predictions

    nan, infinite = float("nan"), float("inf")
    row = {"id": "a", "model_name": "M", "fold_id": "0", "partition": "val", "y_pred": [nan, 1.0]}
    hand_made(
        ws, [{**row, "val_score": nan, "test_score": infinite, "scores": {"val": {"rmse": nan, "r2": 0.5}}}]
    )
    export_store(ws, "hand", tmp_path / "store")
    (found,) = select(tmp_path / "store", "SELECT val_score, test_score FROM predictions")
    # SQLite has no NaN.
    assert found == {"val_score": None, "test_score": infinite}
    (read,) = Predictions(tmp_path / "store").filter_predictions()
    assert np.isnan(read["scores"]["val"]["rmse"])
    assert read["scores"]["val"]["r2"] == 0.5
    assert np.array_equal(read["y_pred"], [nan, 1.0], equal_nan=True)


def test_what_did_not_end_well(ws, tmp_path):
    hand_made(ws, [], "bad", "failed")
    paused = ws.runs.create("paused", [], [])
    with paused:
        with paused.writer("wheat") as writer:
            writer.write({"id": "b", "result_id": "res_1", "metric": "rmse", "val_score": 1.0})
            writer.checkpoint({"id": "res_1"})
        paused.transition("paused", "for lunch")
    for name in ("bad", "paused"):
        export_store(ws, name, tmp_path / "store")
    runs = {row["name"]: row for row in select(tmp_path / "store", "SELECT * FROM runs")}
    assert {name: row["status"] for name, row in runs.items()} == {"bad": "failed", "paused": "failed"}
    assert "too few" in runs["bad"]["error"]
    assert "paused" in runs["paused"]["error"]
    assert json.loads(runs["paused"]["config"])["workspace_run"]["status"] == "paused"
    pipelines = {row["run_id"]: row for row in select(tmp_path / "store", "SELECT * FROM pipelines")}
    failed = pipelines[runs["bad"]["run_id"]]
    assert (failed["status"], failed["error"], failed["dataset_name"]) == ("failed", "too few", "wheat")
    assert pipelines[runs["paused"]["run_id"]]["status"] == "completed"


def test_a_run_is_exported_once(driven, ws, tmp_path):
    run, store, _ = driven
    before = select(store, "SELECT prediction_id, chain_id FROM predictions ORDER BY 1")
    with pytest.raises(n4w.ConflictError, match=run.id):
        export_store(run.workspace, run, store)
    assert select(store, "SELECT prediction_id, chain_id FROM predictions ORDER BY 1") == before
    # Rows of one id in two runs: nirs4all would replace the first by the second.
    first, second = (hand_made(ws, [{"id": "same", "val_score": score}]) for score in (1.0, 2.0))
    export_store(ws, first, tmp_path / "store")
    with pytest.raises(n4w.ConflictError, match="same"):
        export_store(ws, second, tmp_path / "store")
    assert select(tmp_path / "store", "SELECT val_score FROM predictions") == [{"val_score": 1.0}]
    assert len(select(tmp_path / "store", "SELECT * FROM runs")) == 1


def test_several_runs_in_one_store(ws, tmp_path):
    from nirs4all.data import Predictions

    (tmp_path / "store").mkdir()
    ids = []
    for number in range(3):
        run = hand_made(ws, [{"id": f"r{number}", "val_score": float(number), "y_pred": [float(number)]}])
        ids.append(export_store(ws.path, run.id, tmp_path / "store"))
    found = {row["id"]: row for row in Predictions(tmp_path / "store").filter_predictions()}
    assert {id_: row["y_pred"].tolist() for id_, row in found.items()} == {"r0": [0], "r1": [1], "r2": [2]}
    assert len(set(ids)) == len(select(tmp_path / "store", "SELECT * FROM runs")) == 3


def test_what_is_no_store_is_left_alone(ws, tmp_path, demo):
    run = hand_made(ws, [{"id": "a"}])
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for path in (other, tmp_path / "file", ws.path):
        with pytest.raises(FileExistsError):
            export_store(ws, run, path)
    assert files_of(other) == {other / "mine.txt": b"mine"}
    with pytest.raises(n4w.SchemaError):
        export_store(demo, n4w.Workspace.open(demo).runs.list()[0].id, tmp_path / "store")
    with pytest.raises(n4w.NotFoundError):
        export_store(ws, "none", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_nothing_is_left_of_an_export_that_fails(driven, ws, tmp_path, monkeypatch):
    """The last call fails: of a new store nothing is there, and an existing one is as it was."""
    from nirs4all.pipeline.storage import WorkspaceStore

    run, _, _ = driven
    hand_made(ws, [{"id": "a", "val_score": 1.0, "y_pred": [1.0]}])
    export_store(ws, "hand", tmp_path / "store")
    tables = ("runs", "pipelines", "chains", "predictions", "artifacts")
    before = [select(tmp_path / "store", f"SELECT * FROM {table}") for table in tables]

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(WorkspaceStore, "complete_run", fail)
        for path in (tmp_path / "new", tmp_path / "store"):
            with pytest.raises(OSError, match="No space"):
                export_store(run.workspace, run, path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "store", "ws"]
    assert [select(tmp_path / "store", f"SELECT * FROM {table}") for table in tables] == before
    assert not [path for path in (tmp_path / "store" / "artifacts").rglob("*") if path.is_file()]
    (arrays,) = (tmp_path / "store" / "arrays").glob("*.parquet")
    assert pl.read_parquet(arrays)["prediction_id"].to_list() == ["a"]
    export_store(run.workspace, run, tmp_path / "store")
    assert len(select(tmp_path / "store", "SELECT * FROM predictions")) == 1 + run.count_rows()


def test_a_run_that_cannot_be_read_is_not_exported(ws, tmp_path):
    run = hand_made(ws, [{"id": "a", "val_score": 1.0, "y_pred": [1.0, 2.0]}])
    (arrays,) = ws.path.glob("arrays/*/*.parquet")
    arrays.write_bytes(b"PAR1 and no more")
    for journal in ws.path.glob("predictions/*/*.journal"):
        journal.unlink()  # which would have been removed by and by
    with pytest.raises(n4w.CorruptFileError):
        export_store(ws, run, tmp_path / "store")
    (segment,) = ws.path.glob("predictions/*/*.meta.parquet")
    segment.write_bytes(b"PAR1 and no more")
    with pytest.raises(n4w.CorruptFileError):
        export_store(ws, run, tmp_path / "store")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cwd", "ws"]
