"""What one `nirs4all.run` to its own workspace stores arrives, bit for bit, or nirs4all refuses it."""

import experiments
import pytest
import stored

# What is computed, the options of nirs4all, and how many rows are stored beyond those of one call.
ARRIVES = [
    ("plain", {}, 0),
    ("plain", {"refit": False}, 0),
    ("plain", {"engine": "legacy"}, 0),
    ("no splitter", {}, 0),
    ("several models", {}, 0),
    ("several models", {"engine": "legacy"}, 0),
    ("branches", {}, 0),
    ("named branches", {}, 0),
    ("branches, then a model", {"engine": "legacy"}, 0),
    ("merged features", {}, 0),
    ("merged features", {"engine": "legacy"}, 0),
    ("merged features, then scaled", {"engine": "legacy"}, 0),
    ("merged predictions", {}, 0),
    ("merged predictions", {"engine": "legacy"}, 0),
    ("two targets", {}, 0),
    ("classification", {}, 0),
    ("classification", {"engine": "legacy"}, 0),
    ("search", {}, 0),
    ("excluded", {}, 0),
    ("two sources", {}, 0),
    ("augmented samples", {}, 0),
    ("augmented features", {}, 0),
    # One call refits the best of six alone: five further models, each with two rows.
    ("generators", {}, 10),
]
REFUSED = [
    ("branches, then a model", {}),
    ("merged features, then scaled", {}),
    ("generators", {"refit": {"top_k": 2, "ranking": "rmsecv"}}),
]


def ids(value):
    return " ".join(map(str, value.values())) or "default" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(("capability", "options", "further"), ARRIVES, ids=ids)
def test_what_one_call_stores_arrives(ws, tmp_path, elsewhere, capability, options, further):
    kind = "plain" if capability in ("two targets", "two sources") else capability
    steps, given = experiments.pipeline(kind), experiments.data(capability)
    run, outcomes = stored.drive(ws, experiments.NAME, steps, given, **options)
    assert list(elsewhere.iterdir()) == []
    one = experiments.one_call(steps, given, tmp_path / "own", **options)
    names = [result.config_name for result in run.results()]
    expected = stored.in_nirs4all(one, names[0] if len(names) == 1 else None)
    found = stored.in_workspace(ws, run)
    assert not expected - found
    assert (found - expected).total() == further
    assert sum(len(outcome.rows) for outcome in outcomes) == found.total() == run.count_rows()
    assert not any(outcome.was_stopped for outcome in outcomes)
    assert ws.verify()["problems"] == []


@pytest.mark.parametrize(("capability", "options"), REFUSED, ids=ids)
def test_what_nirs4all_refuses_is_refused(ws, tmp_path, capability, options):
    steps, given = experiments.pipeline(capability), experiments.data(capability)
    kinds = []
    for call in (
        lambda: experiments.one_call(steps, given, tmp_path / "own", **options),
        lambda: stored.drive(ws, experiments.NAME, steps, given, **options),
    ):
        with pytest.raises(Exception, match="unsupported_shape") as error:
            call()
        kinds.append(type(error.value))
    assert kinds[0] is kinds[1]


def result_and_rows(ws, capability, given=None, **options):
    given = experiments.data(capability) if given is None else given
    run, _ = stored.drive(ws, experiments.NAME, experiments.pipeline(capability), given, **options)
    (result,) = run.results()
    return result, stored.rows_of(ws, run)


def test_scores_and_fields_of_a_result(ws):
    result, rows = result_and_rows(ws, "plain")
    average = next(row for row in rows if (row["fold_id"], row["partition"]) == ("avg", "val"))
    final = next(row for row in rows if (row["fold_id"], row["partition"]) == ("final", "test"))
    assert result.score_basis == "folds"
    assert result.score == pytest.approx(average["val_score"], rel=1e-12)
    assert result.score_avg == average["val_score"]
    assert result.score_test == result.extra["refit_score"] == final["test_score"]
    assert (result.n_samples, result.n_features, result.task_type) == (60, 30, "regression")
    assert result.extra["engine"] == "dag-ml"
    assert {(row["n_features"], row["model_classname"], row["preprocessings"]) for row in rows} == {
        (30, "PLSRegression", "StandardScaler")
    }


def test_a_refit_without_splitter_is_no_validation(ws):
    result, rows = result_and_rows(ws, "no splitter")
    by_partition = {row["partition"]: row for row in rows}
    assert by_partition["val"]["val_score"] == by_partition["test"]["test_score"]
    assert (result.score_basis, result.score_avg) == ("test", None)
    assert '"test_used_for_validation": true' in by_partition["val"]["result_metadata"]


def test_sources_are_counted_together(ws):
    given = experiments.two_sources()
    result, rows = result_and_rows(ws, "plain", given)
    assert given.num_features == [30, 10]
    assert result.n_features == 40
    assert {row["n_features"] for row in rows} == {40}


def test_ids_of_samples_follow_from_what_is_kept(ws, tmp_path):
    result, rows = result_and_rows(ws, "plain")
    one = experiments.one_call(experiments.pipeline("plain"), experiments.wheat(), tmp_path / "own")
    theirs = {
        (row["fold_id"], row["partition"]): row["metadata"]["physical_sample_id"]
        for row in one.predictions.filter_predictions(load_arrays=True)
    }
    assert all(row["metadata"] is None for row in rows)
    for row in rows:
        made = [f"{result.extra['sample_ids_hash']}.s{int(index)}" for index in row["sample_indices"]]
        assert made == theirs[row["fold_id"], row["partition"]]


def test_a_search_says_what_it_selected(ws):
    result, rows = result_and_rows(ws, "search")
    assert {row["config_name"] for row in rows} == {result.config_name, result.config_name + "_refit"}
    selected = {row["fold_id"]: row["best_params"] for row in rows}
    assert {fold for fold, params in selected.items() if params is not None} == {"0", "1", "2", "final"}
    assert all(1 <= params["n_components"] <= 5 for params in selected.values() if params)


def test_models_of_branches_are_told_apart(ws):
    result, rows = result_and_rows(ws, "named branches")
    assert {(row["branch_name"], row["model_classname"], row["preprocessings"]) for row in rows} == {
        ("a", "PLSRegression", "StandardScaler"),
        ("b", "Ridge", "StandardNormalVariate"),
    }
    assert {model["branch_name"] for model in result.models} == {"a", "b"}
    assert result.score == min(model["score"] for model in result.models)


def test_classes_are_named_where_texts_were_given(ws):
    import numpy as np

    x = experiments.spectra()
    y = np.where(x[:, 3] > 0, "high", np.where(x[:, 8] > 0, "mid", "low"))
    result, rows = result_and_rows(ws, "classification", (x, y))
    row = next(row for row in rows if (row["fold_id"], row["partition"]) == ("final", "train"))
    named = [result.extra["classes"][int(code)] for code in row["y_true"].ravel()]
    assert named == [y[int(index)] for index in row["sample_indices"]]


def test_one_stops_where_it_is_told_to():
    from nirs4all_workspace.integrations.nirs4all.compute import compute
    from nirs4all_workspace.integrations.nirs4all.expansion import expand
    from nirs4all_workspace.integrations.nirs4all.inputs import inputs_of
    from nirs4all_workspace.integrations.nirs4all.tasks import Options, Task

    (item,) = inputs_of({"wheat": experiments.wheat()})
    (config,) = expand(experiments.pipeline("plain"), "lab").configurations
    for engine in (None, "legacy"):
        options = Options(engine=engine, random_state=1)
        task = Task("res", "lab", config.name, config.steps, [], item, options)
        asked = []
        outcome = compute(task, lambda asked=asked: asked.append(1) or len(asked) > 2)
        assert outcome.was_stopped
        assert (outcome.rows, outcome.models) == ([], [])
        assert not compute(task, lambda: False).was_stopped


def test_options_that_are_set_here_are_refused(ws):
    for name in ("workspace_path", "save_artifacts", "pipeline", "project"):
        with pytest.raises(TypeError, match=name):
            stored.drive(ws, "lab", experiments.pipeline("plain"), experiments.wheat(), run_options={name: 1})


def test_another_process_computes_the_same():
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from nirs4all_workspace.integrations.nirs4all.compute import compute
    from nirs4all_workspace.integrations.nirs4all.expansion import expand
    from nirs4all_workspace.integrations.nirs4all.inputs import inputs_of
    from nirs4all_workspace.integrations.nirs4all.tasks import Options, Task

    (item,) = inputs_of({"wheat": experiments.wheat()})
    tasks = []
    for capability in ("augmented samples", "generators"):
        for config in expand(experiments.pipeline(capability), "lab", 1).configurations[:2]:
            choices, options = config.generator_choices, Options(random_state=1)
            tasks.append(Task("res", "lab", config.name, config.steps, choices, item, options))
    here = [compute(task) for task in tasks]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        # In another order: what was computed before changes nothing.
        there = list(pool.map(compute, reversed(tasks)))[::-1]
    for one, other in zip(here, there, strict=True):
        assert [stored.known(row) for row in one.rows] == [stored.known(row) for row in other.rows]
        assert one.fields == other.fields


def test_the_legacy_engine_has_no_average_without_folds(ws, tmp_path):
    one = experiments.one_call(
        experiments.pipeline("no splitter"), experiments.wheat(), tmp_path / "own", engine="legacy"
    )
    result, rows = result_and_rows(ws, "no splitter", engine="legacy")
    by_partition = {row["partition"]: row for row in rows}
    assert one.cv_best_score == by_partition["test"]["test_score"] == by_partition["val"]["val_score"]
    assert (result.score_basis, result.score_avg) == ("single", None)
