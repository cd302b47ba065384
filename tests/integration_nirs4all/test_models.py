"""Models as nirs4all exports and reads them again."""

import experiments
import numpy as np
import pytest
import stored

EXPORTED = [
    "plain",
    "no splitter",
    "several models",
    "branches",
    "merged features",
    "merged predictions",
    "two targets",
    "search",
    "two sources",
    "augmented features",
]


def predicted(path, given, **options):
    import nirs4all

    spectra = given.x({"partition": "test"}, layout="2d", concat_source=True)
    return np.asarray(nirs4all.predict(model=str(path), data=spectra, verbose=0, **options).y_pred)


@pytest.mark.parametrize("capability", EXPORTED)
def test_a_stored_model_predicts_what_is_stored_of_it(ws, capability):
    kind = "plain" if capability in ("two targets", "two sources") else capability
    given = experiments.data(capability)
    run, _ = stored.drive(ws, experiments.NAME, experiments.pipeline(kind), given)
    (result,) = run.results()
    finals = [
        row["y_pred"]
        for row in stored.rows_of(ws, run)
        if (row["fold_id"], row["partition"]) == ("final", "test")
    ]
    assert len(result.artifacts) == (2 if capability == "several models" else 1)
    differences = []
    for artifact in result.artifacts:
        y = predicted(ws.artifacts.get(artifact), given)
        differences.append(min(np.abs(y.reshape(final.shape) - final).max() for final in finals))
    assert max(differences) <= 1e-9


def test_which_models_are_stored(ws):
    steps, given = experiments.pipeline("plain"), experiments.wheat()

    def names(place, **options):
        _, (outcome,) = stored.drive(ws, f"run {place}", steps, given, **options)
        assert "models_refused" not in outcome.fields or not outcome.models
        return [name for name, _ in outcome.models]

    assert names("refit") == ["run_refit_p0_8d2a9c8b_refit.PLSRegression.n4a"]
    assert names("none", artifacts="none") == []
    assert names("without", refit=False) == []
    assert len(names("legacy", engine="legacy")) == 1
    # The models of folds as one, which the legacy engine alone exports.
    assert len(names("folds", engine="legacy", refit=False, artifacts="all")) == 1
    with pytest.raises(ValueError, match="artifacts"):
        names("other", artifacts="some")


def test_all_models_of_branches_are_stored_where_nirs4all_exports_them(ws):
    steps, given = experiments.pipeline("branches"), experiments.wheat()
    _, (outcome,) = stored.drive(ws, "a", steps, given, engine="legacy", artifacts="all")
    assert {name.split(".")[1] for name, _ in outcome.models} == {"PLSRegression", "Ridge"}
    run, (outcome,) = stored.drive(ws, "b", steps, given, artifacts="all")
    (result,) = run.results()
    # Chosen by cross-validation, as the score of the result is.
    assert [name.split(".")[1] for name, _ in outcome.models] == [result.model_name]


def test_a_model_that_is_not_exported_fails_no_result(ws):
    steps, given = experiments.pipeline("plain"), experiments.wheat()
    run, (outcome,) = stored.drive(ws, "a", steps, given, refit=False, artifacts="all")
    (result,) = run.results()
    assert (result.status, result.artifacts) == ("done", [])
    assert "unsupported_capability" in outcome.fields["models_refused"][0]
    assert result.extra["models_refused"] == outcome.fields["models_refused"]


@pytest.mark.parametrize(
    ("capability", "n_models"), [("plain", 1), ("branches", 2), ("branches, then a model", 2)]
)
def test_models_of_the_legacy_engine_predict_with_it(ws, tmp_path, capability, n_models):
    given = experiments.wheat()
    how = {"engine": "legacy", "artifacts": "all"}
    run, _ = stored.drive(ws, "lab", experiments.pipeline(capability), given, **how)
    (result,) = run.results()
    finals = [
        row["y_pred"]
        for row in stored.rows_of(ws, run)
        if (row["fold_id"], row["partition"]) == ("final", "test")
    ]
    options = {"engine": "legacy", "workspace_path": str(tmp_path / "own")}
    found = [predicted(ws.artifacts.get(one), given, **options) for one in result.artifacts]
    assert len(found) == len(finals) == n_models
    # Each is the model of another row.
    places = [int(np.argmin([np.abs(y.ravel() - final.ravel()).max() for final in finals])) for y in found]
    assert sorted(places) == list(range(n_models))
    for y, place in zip(found, places, strict=True):
        assert np.abs(y.ravel() - finals[place].ravel()).max() <= 1e-9
