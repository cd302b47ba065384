"""What ordinary calls returned is recorded whole, or refused where it could not be told apart later."""

from collections import Counter

import experiments
import numpy as np
import pytest
import sample_data
import stored
from drives import TEMPLATES, folders
from nirs4all_workspace.integrations.nirs4all import record

ENGINES = ["dag-ml", "legacy"]


def call(steps, given, place, engine="dag-ml", **options):
    return experiments.one_call(steps, given, place, **({"engine": engine} | options))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "capability", ["plain", "branches", "merged predictions", "generators", "no splitter"]
)
def test_all_rows_are_recorded(ws, tmp_path, capability, engine):
    steps, given = experiments.pipeline(capability), experiments.wheat()
    result = call(steps, given, tmp_path / "own", engine)
    runs = [
        record(result, ws, name="bare"),
        record(result, ws, name="whole", pipeline=steps, dataset={"grain": given}),
    ]
    for run, name in zip(runs, ("wheat", "grain"), strict=True):
        assert (run.status.value, run.is_partial) == ("completed", False)
        assert stored.in_workspace(ws, run) == stored.in_nirs4all(result)
        assert {found.dataset_name for found in run.results()} == {name}
        assert run.config["engine"] == engine
    assert [found.config_name for found in runs[0].results()] == [
        found.config_name for found in runs[1].results()
    ]
    assert ws.verify()["problems"] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pipeline_makes_templates_and_choices(ws, tmp_path, engine):
    steps, given = experiments.pipeline("generators"), experiments.wheat()
    result = call(steps, given, tmp_path / "own", engine)
    run = record(result, ws, name="lab", pipeline=steps, dataset={"wheat": given})
    assert [template["expansion_count"] for template in run.templates] == [6]
    assert len(run.configs()) == len(run.results()) == 6
    assert all(len(found.generator_choices) == 2 for found in run.results())
    assert all((found.n_samples, found.n_features) == (60, 30) for found in run.results())
    artifacts = {found.config_name: len(found.artifacts) for found in run.results()}
    best = result.best["config_name"].removesuffix("_refit")
    assert artifacts == {name: int(name == best) for name in artifacts}


def test_several_pipelines_and_datasets_of_one_call(ws, tmp_path):
    several = [experiments.pipeline("generators"), experiments.pipeline("plain")]
    given = [experiments.wheat(), experiments.wheat(9, "oats")]
    for engine in ENGINES:
        result = call(several, given, tmp_path / engine, engine)
        datasets = {"wheat": given[0], "oats": given[1]}
        run = record(result, ws, name=engine, pipeline=tuple(several), dataset=datasets)
        assert stored.in_workspace(ws, run) == stored.in_nirs4all(result)
        found = Counter((one.dataset_name, one.template_id) for one in run.results())
        assert sorted(found.values()) == [1, 1, 6, 6]
        rows = Counter(row["dataset_name"] for row in result.predictions.filter_predictions())
        assert Counter(row["dataset_name"] for row in stored.rows_of(ws, run)) == rows


@pytest.mark.parametrize("engine", ENGINES)
def test_each_of_several_pipelines_has_its_name_and_steps(ws, tmp_path, engine):
    several, paths = TEMPLATES(), folders(tmp_path / "data")
    result = call(several, paths, tmp_path / "own", engine)
    run = record(result, ws, name="lab", pipeline=tuple(several), dataset=paths)
    names = {row["config_name"] for row in result.predictions.filter_predictions(load_arrays=False)}
    names = {name for name in names if not name.endswith("_refit")}
    assert {found.config_name for found in run.results()} == names
    configs = {config["name"]: config["steps"] for config in run.configs()}
    assert configs.keys() == names
    # What each configuration computed with says the rows' own model, and the scaler that was chosen.
    scalers = Counter(str(steps[0]).rpartition(".")[2].strip("'}") for steps in configs.values())
    assert scalers == {"StandardScaler": 3, "MinMaxScaler": 2, "StandardNormalVariate": 2}
    # The second pipeline, of one configuration, keeps its place in its name.
    (ridge,) = (name for name, steps in configs.items() if "Ridge" in str(steps))
    assert ridge.startswith("lab_p1_")
    assert {row["config_name"] for row in stored.rows_of(ws, run) if row["model_name"] == "Ridge"} == {
        ridge,
        ridge + "_refit",
    }


def test_a_dataset_at_a_path_is_registered(ws, tmp_path):
    folder = sample_data.write(tmp_path / "regression", "regression")
    steps = experiments.pipeline("plain")
    result = call(steps, str(folder), tmp_path / "own")
    run = record(result, ws, name="lab", pipeline=steps, dataset=str(folder))
    (reference,) = run.datasets
    assert ws.datasets.get(reference["id"]).hash == reference["hash"]
    assert reference["name"] == "regression"
    assert [one.name for one in ws.datasets.list()] == ["regression"]


def test_nulls_stay_nulls(ws, tmp_path):
    steps = experiments.pipeline("merged predictions")
    result = call(steps, experiments.wheat(), tmp_path / "own")
    run = record(result, ws, name="lab")
    rows = {(row["fold_id"], row["partition"]): row for row in stored.rows_of(ws, run)}
    fold = rows["0", "val"]
    assert (fold["train_score"], fold["test_score"]) == (None, None)
    (found,) = run.results()
    assert found.score == pytest.approx(found.score_avg)


def test_a_search_without_names_is_one_result(ws, tmp_path):
    steps, given = experiments.pipeline("search"), experiments.wheat()
    result = call(steps, given, tmp_path / "own")
    (bare,) = record(result, ws, name="bare").results()
    run = record(result, ws, name="lab", pipeline=steps, dataset={"wheat": given})
    (whole,) = run.results()
    assert (bare.config_name, bare.score) == (None, whole.score)
    assert whole.config_name.startswith("lab_p0_")
    assert {row["config_name"] for row in stored.rows_of(ws, run)} == {
        whole.config_name,
        whole.config_name + "_refit",
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_data_in_memory_needs_a_name(ws, tmp_path, engine):
    x = experiments.spectra()
    steps, y = experiments.pipeline("plain"), x[:, 3]
    result = call(steps, (x, y), tmp_path / "own", engine)
    with pytest.raises(ValueError, match="by name"):
        record(result, ws, name="lab")
    run = record(result, ws, name="lab", dataset={"grain": (x, y)})
    assert [found.dataset_name for found in run.results()] == ["grain"]
    assert run.config["data"]["grain"].startswith("blake3:")


@pytest.mark.parametrize("engine", ENGINES)
def test_two_datasets_of_one_name_are_refused(ws, tmp_path, engine):
    steps, given = experiments.pipeline("plain"), [experiments.wheat(), experiments.wheat(9)]
    result = call(steps, given, tmp_path / "own", engine)
    with pytest.raises(ValueError, match="told apart"):
        record(result, ws, name="lab")
    with pytest.raises(ValueError, match="told apart"):
        record(result, ws, name="lab", dataset={"wheat": given[0], "oats": given[1]})
    assert list(ws.runs.list()) == []


def test_two_searches_that_nirs4all_names_alike_are_refused(ws, tmp_path):
    search = experiments.pipeline("search")
    result = call([*search, search[-1]], experiments.wheat(), tmp_path / "own")
    with pytest.raises(ValueError, match="told apart"):
        record(result, ws, name="lab")
    run = record(result, ws, name="lab", pipeline=[*search, search[-1]])
    assert run.count_rows() == len(result.predictions.filter_predictions())
    assert len({row["config_name"] for row in stored.rows_of(ws, run)}) == 4


def test_what_is_no_result_is_refused(ws):
    with pytest.raises(TypeError, match="result"):
        record({"predictions": []}, ws, name="lab")
    with pytest.raises(TypeError, match="result"):
        record(np.ones(3), ws, name="lab")


@pytest.mark.parametrize("has_pipeline", [False, True])
def test_rows_of_content_that_the_workspace_knows_by_another_name(ws, tmp_path, has_pipeline):
    (path, _) = folders(tmp_path / "data")
    known = ws.datasets.register(path, "known")
    steps = experiments.pipeline("plain")
    result = call(steps, path, tmp_path / "own")
    run = record(result, ws, name="lab", pipeline=steps if has_pipeline else None, dataset=[path])
    assert run.status == "completed"
    assert {(it.dataset_name, it.dataset_id) for it in run.results()} == {("known", known.id)}
    assert stored.in_workspace(ws, run) == stored.in_nirs4all(result)


def test_another_dataset_than_was_run_on_is_refused(ws, tmp_path):
    wheat, corn = folders(tmp_path / "data")
    result = call(experiments.pipeline("plain"), wheat, tmp_path / "own")
    x = experiments.spectra()
    for given in ([corn], {"mine": corn}, {"mine": (x, x[:, 0])}, [wheat, corn]):
        with pytest.raises(ValueError, match="wheat"):
            record(result, ws, name="lab", dataset=given)
    assert len(ws.runs.list()) == 0
    assert record(result, ws, name="lab", dataset={"mine": wheat}).results()[0].dataset_name == "mine"
