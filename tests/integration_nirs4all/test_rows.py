"""Rows of nirs4all's form, made by hand: what is kept, filled in and left out."""

from types import SimpleNamespace

import numpy as np
from nirs4all_workspace.integrations.nirs4all.rows import Known, row_of, rows_of, sample_ids_hash
from nirs4all_workspace.integrations.nirs4all.steps import is_tuned, model_of_row, models_of

PLS = {"class": "sklearn.cross_decomposition._pls.PLSRegression", "params": {"n_components": 2}}
KFOLD = {"class": "sklearn.model_selection._split.KFold", "params": {"n_splits": 3}}
SCALER, SNV = "sklearn.preprocessing._data.StandardScaler", "nirs4all.operators.transforms.scalers.SNV"


def given(**changed):
    row = {
        "id": "a",
        "dataset_name": "wheat",
        "created_at": "2026-11-30T22:40:55",
        "config_name": "",
        "model_name": "PLSRegression",
        "model_classname": "",
        "fold_id": "0",
        "partition": "val",
        "val_score": None,
        "n_features": 0,
        "best_params": {},
        "metadata": {},
        "branch_name": "",
        "refit_context": None,
        "y_pred": np.arange(3.0),
        "y_proba": np.array([]),
        "weights": [],
        "spectra": np.array([]),
        "sample_indices": [4, 5, 6],
        "exclusion_count": 0,
    }
    return row | changed


def test_zeros_are_kept_and_nothings_are_left_out():
    row = row_of(given(), Known())
    assert row["exclusion_count"] == 0
    assert row["sample_indices"].tolist() == [4, 5, 6]
    left = {
        "id",
        "model_name",
        "fold_id",
        "partition",
        "n_features",
        "y_pred",
        "sample_indices",
        "best_params",
    }
    assert {name for name, value in row.items() if value is not None} == left - {
        "n_features",
        "best_params",
    } | {"exclusion_count"}


def test_what_is_known_fills_what_is_empty_and_no_more():
    known = Known(
        models_of([SCALER, KFOLD, {"model": PLS}]), None, "lab_p0_1", {"n_features": 30}, {"fold0": {"k": 2}}
    )
    row = row_of(given(), known)
    assert (row["config_name"], row["n_features"], row["best_params"]) == ("lab_p0_1", 30, {"k": 2})
    assert (row["model_classname"], row["preprocessings"]) == ("PLSRegression", "StandardScaler")
    said = {"config_name": "x", "n_features": 9, "best_params": {"k": 1}, "model_classname": "M"}
    row = row_of(given(**said, preprocessings="Std"), known)
    assert {name: row[name] for name in said} == said
    assert row["preprocessings"] == "Std"
    assert (
        row_of(given(fold_id="final", refit_context="standalone"), known)["config_name"] == "lab_p0_1_refit"
    )


def ids(*names, indices=(4, 5)):
    return {"metadata": {"physical_sample_id": list(names)}, "sample_indices": np.array(indices)}


def test_ids_that_follow_are_taken_out():
    rows = [ids("ab.s4", "ab.s5"), {"metadata": None}, ids("ab.s5", indices=(5,))]
    rows[0]["metadata"]["batch"] = "x"
    assert sample_ids_hash(rows) == "ab"
    assert [row["metadata"] for row in rows] == [{"batch": "x"}, None, None]


def test_ids_that_do_not_follow_stay():
    for odd in (
        ids("ab.s4", "ab.s6"),
        ids("cd.s4", "cd.s5"),
        ids("ab.s4"),
        ids("ab.s4", "cd.s5"),
        ids("x", "y"),
    ):
        rows = [ids("ab.s4", "ab.s5"), odd]
        before = list(odd["metadata"]["physical_sample_id"])
        assert sample_ids_hash(rows) == "ab"
        assert odd["metadata"]["physical_sample_id"] == before
    assert sample_ids_hash([ids("x", "y")]) is None


def test_each_of_several_results_has_a_name():
    leaves = [
        SimpleNamespace(predictions=SimpleNamespace(filter_predictions=lambda **_: [given()])) for _ in "ab"
    ]
    batch = SimpleNamespace(runs=leaves)
    steps = [KFOLD, {"model": PLS}, {"model": {"class": "sklearn.linear_model._ridge.Ridge"}}]
    rows = rows_of(batch, steps=steps, config_name="lab_p0_1")
    assert [row["config_name"] for row in rows] == ["lab_p0_1_p0", "lab_p0_1_p1"]
    assert [row["model_classname"] for row in rows] == ["PLSRegression", "Ridge"]


def test_models_of_steps():
    models = models_of(
        [
            SCALER,
            {"feature_augmentation": [SNV, SCALER]},
            KFOLD,
            {"branch": {"a": [SNV, {"model": PLS}], "b": [{"model": PLS, "name": "B"}]}},
            {"merge": "predictions"},
            {"model": "sklearn.linear_model._ridge.Ridge"},
        ]
    )
    before = "StandardScaler+[SNV|StandardScaler]"
    assert [(model.name, model.branch, model.preprocessings) for model in models] == [
        ("PLSRegression", "a", before + "+SNV"),
        ("B", "b", before),
        ("Ridge", "", None),
    ]
    row = {"model_name": "MetaModel_Ridge", "branch_name": ""}
    assert model_of_row(models, row, None) is models[2]
    assert model_of_row(models, {"model_name": "Other", "branch_name": "a"}, None) is None
    assert [model.name for model in models_of([SCALER, KFOLD, "sklearn.linear_model._ridge.Ridge"])] == [
        "Ridge"
    ]
    assert models_of([SCALER]) == models_of(None) == []
    assert is_tuned([{"branch": [[{"model": PLS, "finetune_params": {}}]]}])
    assert not is_tuned([KFOLD, {"model": PLS}])
