"""Templates expand as nirs4all expands them, and alike as they were given and as they were stored."""

import json

import experiments
import numpy as np
import pytest
import yaml
from nirs4all_workspace.integrations.nirs4all import expansion
from nirs4all_workspace.model.plan import normalise
from nirs4all_workspace.templates import Template


def templates():
    from nirs4all.operators.transforms import SavitzkyGolay, StandardNormalVariate
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    pls, folds = {"model": PLSRegression(n_components=2)}, experiments.folds()
    scalers = [StandardScaler(), MinMaxScaler(feature_range=(0, 2)), StandardNormalVariate(), None]
    return {
        "instances": [StandardScaler(), folds, pls],
        "classes": [StandardScaler, folds, {"model": PLSRegression}],
        "paths": [{"class": "sklearn.preprocessing.StandardScaler"}, folds, {"model": PLSRegression()}],
        "or": [{"_or_": scalers}, folds, {"_or_": [pls, {"model": Ridge(0.1)}]}],
        "range": [folds, {"model": PLSRegression, "_range_": [1, 4], "param": "n_components"}],
        "grid": [
            folds,
            {"model": PLSRegression(), "_grid_": {"n_components": [1, 2], "scale": [True, False]}},
        ],
        "sampled": [{"_or_": scalers, "count": 2}, folds, pls],
        "picked": [{"feature_augmentation": {"_or_": scalers[:3], "pick": 2}}, folds, pls],
        "logarithmic": [folds, {"model": Ridge(), "alpha": {"_log_range_": [0.001, 1, 3]}}],
        "arrays": [folds, {"model": Ridge(alpha=np.array([0.5]))}],
        "numpy numbers": [folds, {"model": Ridge(alpha=np.float64(0.1))}],
        "nested": [folds, {"model": make_pipeline(StandardScaler(), Ridge())}],
        "kernels": [folds, {"model": GaussianProcessRegressor(kernel=RBF(2.0))}],
        "branches": [folds, experiments.branches(named=True)],
        "targets": [{"y_processing": MinMaxScaler()}, folds, pls],
        "search": experiments.pipeline("search"),
        "a mapping": {"pipeline": [SavitzkyGolay(), folds, pls], "random_state": 5},
    }


NAMES = [
    "instances",
    "classes",
    "paths",
    "or",
    "range",
    "grid",
    "sampled",
    "picked",
    "logarithmic",
    "arrays",
    "numpy numbers",
    "nested",
    "kernels",
    "branches",
    "targets",
    "search",
    "a mapping",
]


@pytest.mark.parametrize("name", NAMES)
def test_given_and_stored_templates_expand_alike(ws, name):
    given = expansion.expand(templates()[name], "lab", 3)
    template_id = ws.templates.add(Template(given.original_template))
    stored = expansion.expand(ws.templates.get(template_id).steps, "lab", 3)
    assert Template(stored.original_template).id == template_id

    def planned(found):
        return [normalise(c, [template_id]) for c in expansion.plannable(found, template_id)]

    assert planned(given) == planned(stored)
    assert len({config["config_id"] for config in planned(given)}) == len(given.configurations)
    json.dumps(planned(given))


@pytest.mark.parametrize("name", NAMES)
def test_configurations_are_those_of_nirs4all(name):
    from nirs4all.pipeline import PipelineConfigs

    found = expansion.expand(templates()[name], "lab", 3)
    theirs = PipelineConfigs(templates()[name], name="lab_p0", random_state=3)
    assert [config.name for config in found.configurations] == theirs.names
    assert [config.steps for config in found.configurations] == theirs.steps
    assert [config.generator_choices for config in found.configurations] == theirs.generator_choices


def test_the_whole_set_is_covered():
    assert set(NAMES) == set(templates())


def test_a_file_is_a_template(tmp_path):
    steps = [
        {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 3}},
        {"model": {"class": "sklearn.linear_model.Ridge"}},
    ]
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump({"pipeline": steps}))
    as_json = tmp_path / "pipeline.json"
    as_json.write_text(json.dumps(steps))
    expected = expansion.expand(steps, "lab")
    for given in (
        path,
        str(path),
        as_json,
        str(as_json),
        path.read_text(),
        as_json.read_text(),
        tuple(steps),
    ):
        assert expansion.expand(given, "lab") == expected
    with pytest.raises(FileNotFoundError):
        expansion.expand("missing.yaml", "lab")
    for text in ("just words", "a: [", ""):
        with pytest.raises(ValueError, match="template"):
            expansion.expand(text, "lab")


def test_reading_a_template_imports_nothing_of_it(tmp_path, monkeypatch):
    (tmp_path / "harmful_steps.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    steps = [{"class": "harmful_steps.Step"}]
    assert expansion.read(json.dumps(steps)) == steps
    assert expansion.read(steps) is steps
    with pytest.raises(RuntimeError, match="imported"):
        expansion.expand(steps, "lab")


def test_what_a_template_states_is_its_seed():
    template = templates()["a mapping"]
    assert expansion.expand(template, "lab").random_state == 5
    assert expansion.expand(template, "lab", 7).random_state == 7


def test_a_generator_beside_a_model_that_nirs4all_cannot_expand_is_left_to_it():
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    sweep = {"model": Ridge(), "alpha": {"_grid_": [0.1, 1.0]}}
    (config,) = expansion.expand([experiments.folds(), sweep], "lab").configurations
    assert config.steps[-1]["alpha"] == {"_grid_": [0.1, 1.0]}
    both = [{"_or_": [StandardScaler(), MinMaxScaler()]}, experiments.folds(), sweep]
    found = expansion.expand(both, "lab")
    assert [config.steps[-1]["alpha"] for config in found.configurations] == [{"_grid_": [0.1, 1.0]}] * 2
    assert expansion.expand(found.original_template, "lab") == found


def test_what_nirs4all_refuses_and_no_model_has_is_refused():
    from sklearn.preprocessing import MinMaxScaler

    with pytest.raises(ValueError, match="10000"):
        expansion.expand([{"_or_": [MinMaxScaler()] * 200, "pick": 3}, experiments.folds()], "lab")
    with pytest.raises(TypeError):
        expansion.expand(7, "lab")
    with pytest.raises(TypeError, match="expected texts as keys"):
        expansion.expand([{"branch": {"by_tag": "t", "steps": {True: [MinMaxScaler()]}}}], "lab")


def test_runs_of_templates_are_named_as_one_call_names_them(tmp_path):
    several = [experiments.pipeline("generators"), experiments.pipeline("plain")]
    given = [experiments.wheat(), experiments.wheat(9, "oats")]
    one = experiments.one_call(several, given, tmp_path / "own", refit=False)
    theirs = {row["config_name"] for row in one.predictions.filter_predictions()}
    ours = {
        config.name
        for index, template in enumerate(several)
        for config in expansion.expand(
            template, expansion.run_name(experiments.NAME, index, len(several) * len(given)), 1
        ).configurations
    }
    assert ours == theirs
    assert expansion.run_name("lab", 0, 1) == "lab"
