"""Scores of results, held against scikit-learn, against predictions, and against what nirs4all said.

The rows are those that nirs4all 1.4.10 (both engines) and 0.6.2 made; tests/compat/data/scores says how.
"""

import json
import math
import shutil
import zipfile
from pathlib import Path

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest

DATA = Path(__file__).parents[1] / "compat" / "data" / "scores"
CASES = sorted(DATA.glob("nirs4all-1.4.10*/*.parquet"))
# Scores that were computed in single precision.
SINGLE = 2e-6
OWN = ["config_name", "model_name", "step_idx", "branch_id", "branch_name"]
LISTS = ["y_true", "y_pred", "y_proba", "weights", "sample_indices"]
NOT_HELD_OUT = ["avg", "w_avg", "final", ""]


def rows_of(path):
    return pl.read_parquet(path)


def held_out(rows):
    return rows.filter((pl.col("partition") == "val") & ~pl.col("fold_id").is_in(NOT_HELD_OUT))


def error_of(rows, metric):
    """The error of the predictions of all these rows together."""
    true = np.concatenate([np.array(values) for values in rows["y_true"]])
    predicted = np.concatenate([np.array(values) for values in rows["y_pred"]])
    errors = {
        "mse": np.mean((true - predicted) ** 2),
        "mae": np.mean(np.abs(true - predicted)),
        "accuracy": np.mean(true == predicted),
    }
    return float(np.sqrt(errors["mse"]) if metric == "rmse" else errors[metric])


def said(path):
    about = json.loads(path.with_suffix(".json").read_text())
    return about, about["models"]


def checkpointed(root, rows):
    """All rows as one result of a run."""
    ws = n4w.Workspace.create(root)
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    with run:
        (result,) = run.plan([{"name": "one"}])
        with run.writer("wheat") as writer:
            plain = rows.drop("id", "created_at", "dataset_name", *(set(LISTS) & set(rows.columns)))
            writer.write_batch(plain.with_columns(result_id=pl.lit(result.id)))
            writer.checkpoint(result)
    return ws


def models_of(result):
    if result.models is not None:
        return result.models
    return [
        {
            name: getattr(result, name)
            for name in ("model_name", "score", "n_folds", "score_basis", "score_test")
        }
    ]


def key_of(model):
    return tuple(model.get(name) or None for name in OWN)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name[9:]}-{path.stem}")
@pytest.mark.parametrize("metric", ["rmse", "mse", "mae"])
def test_a_score_is_the_error_of_the_held_out_predictions(tmp_path, path, metric):
    rows = rows_of(path)
    if rows["task_type"][0] != "regression" or path.stem == "two_targets":
        pytest.skip("not one target of regression")
    values = [json.loads(text, parse_constant=float) for text in rows["scores"]]
    if metric != rows["metric"][0]:
        # The same rows as if they had been scored by it.
        scores = [(value.get("val") or {}).get(metric) for value in values]
        rows = rows.with_columns(val_score=pl.Series(scores, dtype=pl.Float64), metric=pl.lit(metric))
    (result,) = checkpointed(tmp_path / "ws", rows).results.list()
    expected = {}
    for key, part in held_out(rows).group_by(OWN):
        if any(value is None for value in part["val_score"]) or 0 in part["n_samples"]:
            continue
        named = key_of(dict(zip(OWN, key, strict=True)))
        expected[named] = (error_of(part, metric), part.height)
    found = {key_of(model): model for model in models_of(result) if model["score_basis"] == "folds"}
    if result.models is None and expected:
        found = {next(iter(expected)): models_of(result)[0]}
    tolerance = SINGLE if "legacy" in path.parent.name else 1e-9
    for named, (error, n_folds) in expected.items():
        assert found[named]["score"] == pytest.approx(error, abs=tolerance)
        assert found[named]["n_folds"] == n_folds
    if expected:
        assert result.score == pytest.approx(min(error for error, _ in expected.values()), abs=tolerance)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name[9:]}-{path.stem}")
def test_the_mean_of_folds_is_that_of_scikit_learn(tmp_path, path):
    _, models = said(path)
    rows = rows_of(path)
    if rows["task_type"][0] != "regression" or path.stem == "two_targets" or len(models) > 1:
        pytest.skip("several models, or not one target of regression")
    (result,) = checkpointed(tmp_path / "ws", rows).results.list()
    if result.score_basis != "folds":
        pytest.skip("no folds")
    truth = models[0]["sklearn"]
    tolerance = SINGLE if "legacy" in path.parent.name else 1e-9
    metric = result.metric
    assert result.score_mean == pytest.approx(abs(truth["mean_test_score"][metric]), abs=tolerance)
    folds = [fold[metric] for fold in truth["test_score"]]
    if len(folds) > 1:
        assert result.score_std == pytest.approx(float(np.std(folds, ddof=1)), abs=tolerance)
    else:
        assert result.score_std is None


@pytest.mark.parametrize("case", ["kfold3", "kfold7", "leave_one_out", "two_models", "branches", "twins"])
def test_rmse_where_each_sample_is_held_out_once_is_what_nirs4all_returned(tmp_path, case):
    path = DATA / "nirs4all-1.4.10" / f"{case}.parquet"
    about, _ = said(path)
    (result,) = checkpointed(tmp_path / "ws", rows_of(path)).results.list()
    assert result.score == pytest.approx(about["result"]["cv_best_score"], abs=1e-9)
    assert result.score_basis == "folds"


def test_biases_of_either_sign_are_not_perfect(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    with run:
        todo = run.plan([{"name": "lucky"}, {"name": "honest"}])
        with run.writer("wheat") as writer:
            for result, biases in zip(todo, [(2.0, -2.0), (0.5, 0.5)], strict=True):
                for fold, bias in enumerate(biases):
                    row = {"result_id": result.id, "model_name": "PLS", "fold_id": str(fold)}
                    writer.write({**row, "partition": "val", "metric": "bias", "val_score": bias})
                writer.checkpoint(result)
    first, second = ws.results.list()
    assert (first.config_name, first.score, first.score_mean) == ("honest", 0.5, 0.5)
    assert (second.config_name, second.score, second.score_mean) == ("lucky", 2.0, 0.0)


@pytest.fixture(scope="module")
def old_workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("old") / "ws"
    shutil.copytree(DATA / "nirs4all-0.6.2" / "workspace", root)
    with zipfile.ZipFile(DATA / "nirs4all-0.6.2" / "manifests.zip") as manifests:
        manifests.extractall(root)
    return root


OLD = sorted((DATA / "nirs4all-0.6.2").glob("*.json"))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_results_of_nirs4all_0_6_are_scored_by_their_folds(old_workspace, path):
    about = json.loads(path.read_text())
    if "models" not in about:
        pytest.skip("refused")
    results = n4w.Workspace.open(old_workspace).results.list()
    for model in about["models"]:
        name = model["rows"]["config_name"].split("_", 1)[1]
        (result,) = [it for it in results if it.config_name == name and it.score is not None]
        found = next(
            it
            for it in models_of(result)
            if it["model_name"] == model["rows"]["model_name"]
            and it.get("step_idx", model["rows"]["step_idx"]) == model["rows"]["step_idx"]
            and (it.get("branch_name") or "") == (model["rows"]["branch_name"] if result.models else "")
        )
        if set(model["folds"]) <= {"", "final"}:
            assert found["score_basis"] in ("single", "test")
            continue
        truth = model["sklearn"]
        metric = model["metric"]
        assert found["n_folds"] == len(model["folds"])
        pooled = truth["pooled"].get(metric)
        if metric in ("mse", "accuracy"):
            assert found["score"] == pytest.approx(pooled, abs=SINGLE * max(1, abs(pooled)))
        else:
            mean = math.fsum(model["folds"].values()) / len(model["folds"])
            assert found["score"] == pytest.approx(mean, abs=SINGLE)
