"""The one table of metrics: directions as specified, aliases, comparisons, additions, disagreements."""

import math

import nirs4all_workspace as n4w
import pytest
import spawning
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace import UnknownMetricError
from oracle import DIRECTIONS, frame_best
from samples import SKETCH, keys, strict, table, write
from settling import settle

ALIASES = {
    "r2_score": "r2", "explained_variance_score": "explained_variance", "f1_score": "f1", "auc": "roc_auc",
    "cohen_kappa": "kappa", "matthews_corrcoef": "mcc", "jaccard_score": "jaccard",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse", "mean_absolute_error": "mae", "median_absolute_error": "median_ae",
    "mean_absolute_percentage_error": "mape", "R²": "r2", "r²": "r2", "logloss": "log_loss",
    "rmse_cv": "rmsecv", "mbe": "bias", "sensitivity": "recall", "LogLoss": "log_loss",
}  # fmt: skip


@pytest.mark.parametrize("name", DIRECTIONS)
def test_direction(name):
    info = n4w.metric_info(name)
    assert info.direction == DIRECTIONS[name]
    assert info["direction"] == info.direction
    assert name == info.name or name in info.aliases


@pytest.mark.parametrize("name", DIRECTIONS)
def test_optimum_and_range_fit_the_direction(name):
    info = n4w.metric_info(name)
    low, high = info.range
    assert low < high
    if info.direction == "minimize":
        assert info.optimum == low == 0.0
    elif info.direction == "zero":
        assert info.optimum == 0.0
    else:
        assert info.optimum == (high if math.isfinite(high) else None)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_mean_the_same_metric(alias):
    assert n4w.metric_info(alias) == n4w.metric_info(ALIASES[alias])
    assert n4w.metric_info(alias).name in (alias, ALIASES[alias])


@pytest.mark.parametrize("name", ["RMSE", "R2", "Balanced_Accuracy"])
def test_case_does_not_matter(name):
    assert n4w.metric_info(name) == n4w.metric_info(name.lower())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing",
        "rmse ",
        "r³",
        "rmse2",
        "my_loss",
        "neg_",
        "neg_r2",
        "neg_bias",
        "neg_nothing",
        "neg_neg_mse",
    ],
)
def test_an_unknown_metric_is_never_guessed(name):
    with pytest.raises(UnknownMetricError):
        n4w.metric_info(name)
    with pytest.raises(UnknownMetricError):
        n4w.is_better(1.0, 2.0, name)


# What scikit-learn 1.9 calls scores of which it turned the sign.
NEGATED = {
    "neg_max_error": "max_error", "neg_mean_absolute_error": "mae", "neg_mean_squared_error": "mse",
    "neg_root_mean_squared_error": "rmse", "neg_mean_squared_log_error": "msle",
    "neg_root_mean_squared_log_error": "rmsle", "neg_median_absolute_error": "median_ae",
    "neg_mean_absolute_percentage_error": "mape", "neg_log_loss": "log_loss",
    "neg_brier_score": "brier_score", "neg_mean_poisson_deviance": "mean_poisson_deviance",
    "neg_mean_gamma_deviance": "mean_gamma_deviance",
    "neg_negative_likelihood_ratio": "negative_likelihood_ratio",
}  # fmt: skip


@pytest.mark.parametrize("name", NEGATED)
def test_negated_metrics_are_maximized(name):
    info, base = n4w.metric_info(name), n4w.metric_info(NEGATED[name])
    assert (base.direction, info.direction, info.name) == ("minimize", "maximize", f"neg_{base.name}")
    assert name == info.name or name in info.aliases
    assert (info.optimum, info.range) == (0.0, (-base.range[1], 0.0))
    assert n4w.is_better(-0.1, -0.2, name.upper())
    assert math.copysign(1.0, info.optimum) == 1.0
    with pytest.raises(ValueError, match="direction"):
        n4w.register_metric(name, "minimize")


SCORES = st.floats(allow_nan=True, allow_infinity=True)


@given(SCORES, SCORES, st.sampled_from(sorted(DIRECTIONS)))
def test_is_better(a, b, metric):
    if math.isnan(a):
        expected = False
    elif math.isnan(b):
        expected = True
    else:
        expected = {"maximize": a > b, "minimize": a < b, "zero": abs(a) < abs(b)}[DIRECTIONS[metric]]
    assert n4w.is_better(a, b, metric) is expected


@pytest.mark.parametrize(("a", "b"), [(0.0, -0.0), (-0.5, 0.5), (math.inf, math.inf), (math.nan, math.nan)])
def test_equally_good_is_not_better(a, b):
    assert not n4w.is_better(a, b, "bias")
    assert not n4w.is_better(b, a, "bias")


def test_register_a_metric():
    n4w.register_metric("test_gain", "maximize", aliases=["test_gain_score"], optimum=2.0, range=(0.0, 2.0))
    info = n4w.metric_info("test_gain_score")
    assert (info.name, info.direction, info.optimum, info.range) == ("test_gain", "maximize", 2.0, (0.0, 2.0))
    assert n4w.is_better(1.0, 0.5, "test_gain")
    n4w.register_metric("test_gain", "maximize")  # again, the same


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("rmse", "maximize"),
        ("RMSE", "zero"),
        ("r2_score", "minimize"),
        ("new_one", "up"),
        ("new_one", "unknown"),
        ("", "zero"),
    ],
)
def test_a_registration_that_contradicts_is_refused(name, direction):
    before = n4w.metric_info("rmse"), n4w.metric_info("r2")
    with pytest.raises(ValueError, match=r"direction|name"):
        n4w.register_metric(name, direction)
    assert (n4w.metric_info("rmse"), n4w.metric_info("r2")) == before


def test_an_alias_that_contradicts_is_refused_as_a_whole():
    with pytest.raises(ValueError, match="rmse"):
        n4w.register_metric("test_odd", "maximize", aliases=["rmse"])
    with pytest.raises(UnknownMetricError):
        n4w.metric_info("test_odd")


def run(code, folder):
    process = spawning.run(code, folder, stderr=spawning.PIPE, timeout=60)
    assert process.returncode == 0, process.stderr
    return process.stdout


SUMMARY = """
import json, sys, nirs4all_workspace as n4w
{register}
ws = n4w.Workspace.open(sys.argv[1])
{rebuild}
summary = ws.summary()
print(json.dumps([summary["direction"], summary["errors"], [e["path"] for e in summary["scanned"]],
                  [row["id"] for row in summary["top_predictions"]]]))
"""


def summarise(folder, direction=None, rebuild=False):
    register = f"n4w.register_metric('house', {direction!r})" if direction else ""
    code = SUMMARY.format(register=register, rebuild="ws.predictions.rebuild_summaries()" if rebuild else "")
    return strict(run(code, folder))


@pytest.fixture
def house(tmp_path):
    """A workspace of one file with a metric that the table does not have."""
    return write(tmp_path / "wheat.meta.parquet", table(metric="house"))


def best(path, direction):
    return frame_best(path, "val_score", direction)


def test_unknown_metrics_are_stored_counted_and_not_ranked(house):
    direction, errors, _, top = summarise(house.parent)
    assert (direction, errors, top) == ("unknown", [], [])


def test_a_registered_direction_is_stored_in_the_footer(house):
    direction, _, _, top = summarise(house.parent, "maximize", rebuild=True)
    assert direction == "maximize"
    assert top == best(house, "maximize")
    # Another process, which never heard of the metric, takes the word of the file.
    assert summarise(house.parent)[:2] == ["maximize", []]


def test_a_stored_direction_that_disagrees_is_an_error_of_that_file(house):
    write(house.parent / "barley.meta.parquet", table(seed=5, dataset="barley"))
    summarise(house.parent, "maximize", rebuild=True)
    for _ in range(2):
        _, errors, scanned, _ = summarise(house.parent, "minimize")
        assert [(error["path"], error["kind"]) for error in errors] == [(house.name, "metric")]
        assert "house" in errors[0]["message"]
        assert scanned == []
    code = """
import sys, nirs4all_workspace as n4w
n4w.register_metric("house", "minimize")
try:
    n4w.read_summary(sys.argv[1])
except n4w.UnknownMetricError as error:
    print(error.path)
"""
    assert run(code, house).strip() == str(house)


def test_a_rebuild_settles_it_for_the_table(house):
    summarise(house.parent, "maximize", rebuild=True)
    direction, errors, _, top = summarise(house.parent, "minimize", rebuild=True)
    assert (direction, errors, top) == ("minimize", [], best(house, "minimize"))
    assert SKETCH in keys(house)


def test_a_metric_that_became_known_is_ranked(house):
    summarise(house.parent, rebuild=True)
    direction, errors, scanned, top = summarise(house.parent, "minimize")
    assert (direction, errors, scanned, top) == ("minimize", [], [house.name], best(house, "minimize"))


def test_the_cache_of_one_process_does_not_decide_for_another(tmp_path):
    """Deleting the cache changes no answer: neither does a registration made elsewhere."""
    choices = [None, "maximize", "minimize"]
    cases = {(first, then): tmp_path / f"{first}-{then}" for first in choices for then in choices}
    for folder in cases.values():
        write(folder / "wheat.meta.parquet", table(metric="house"))
    settle(tmp_path)  # younger files would not be taken from the cache at all
    answers = {}
    for (first, then), folder in cases.items():
        summarise(folder, first)
        cached = summarise(folder, then)
        for file in folder.glob(".cache/*"):
            file.unlink()
        answers[first, then] = cached == summarise(folder, then)
    assert answers == dict.fromkeys(cases, True)


def test_scores_of_two_metrics_never_mix(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table(metric=["rmse", "r2"] * 30))
    summary = n4w.read_summary(path)
    for metric, entry in summary["by_metric"].items():
        assert entry["count"] == 30
        only = write(
            tmp_path / metric / "wheat.meta.parquet",
            table().filter([name == metric for name in ["rmse", "r2"] * 30]),
        )
        alone = n4w.read_summary(only)
        assert entry["stats"] == alone["stats"]
