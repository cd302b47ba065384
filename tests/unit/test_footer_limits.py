"""A footer's summary stays within 256 KiB, and what it leaves out it counts together."""

import random

import nirs4all_workspace as n4w
import numpy
import pyarrow as pa
import pytest
from oracle import counts, normal
from samples import SKETCH, SUMMARY, frame_of, keys, strict, table, write

LIMIT = 256 * 1024


def rebuild(path):
    report = n4w.Workspace.open(path.parent).predictions.rebuild_summaries()
    assert report["errors"] == []
    values = keys(path)
    assert len(values[SUMMARY]) + len(values[SKETCH]) <= LIMIT
    said = strict(values[SUMMARY])
    read = n4w.read_summary(path)
    assert read["scanned"] is None
    assert read["total_predictions"] == said["total_predictions"]
    return said


def check_counts(entries, expected, key="name", count="count"):
    """Named entries are right, and with those counted together nothing is missing."""
    others = [entry for entry in entries if entry.get("is_other")]
    named = [entry for entry in entries if not entry.get("is_other")]
    assert len(others) <= 1
    assert len({entry[key] for entry in named}) == len(named)
    for entry in named:
        assert entry[count] == expected[entry[key]]
    assert sum(entry[count] for entry in entries) == sum(expected.values())
    assert bool(others) == (len(named) < len(expected))


@pytest.mark.parametrize("names", [150, 1_024, 1_025, 3_000])
def test_names_beyond_the_limit_go_to_other(tmp_path, names):
    rng = random.Random(names)
    models = [f"m{at}" for at in range(names)] + [f"m{rng.randrange(names)}" for _ in range(2_000)]
    content = table(len(models), model_name=models, run_id=models[::-1])
    path = write(tmp_path / "wheat.meta.parquet", content)
    said = rebuild(path)
    expected = counts(frame_of(path)["model_name"])
    for entries in (said["facets"]["models"], said["by_metric"]["rmse"]["models"]):
        check_counts(entries, expected)
        assert len(entries) <= 1_025
        if names <= 150:
            assert len(entries) == names
    check_counts(said["runs"], counts(frame_of(path)["run_id"]), "id", "n_predictions")


def test_the_most_frequent_names_are_kept(tmp_path):
    models = [f"rare {at}" for at in range(2_000)] + ["common"] * 5 + ["frequent"] * 9
    random.Random(1).shuffle(models)
    path = write(tmp_path / "wheat.meta.parquet", table(len(models), model_name=models))
    shown = rebuild(path)["facets"]["models"]
    assert [(entry["name"], entry["count"]) for entry in shown[:2]] == [("frequent", 9), ("common", 5)]


KNOWN = [
    "rmse", "mse", "mae", "r2", "rpd", "bias", "sep", "nrmse", "accuracy", "f1", "mcc", "kappa", "auc",
    "mape", "rpiq", "precision", "recall", "log_loss", "jaccard", "max_error",
]  # fmt: skip


def nasty(case):
    rng = random.Random(5)
    rows = 25_000
    many = {
        "model_name": [f"model {at % 5_000}" for at in range(rows)],
        "config_name": [f"config {at % 5_000}" for at in range(rows)],
        "run_id": [f"2026-01-01_Run_{at % 5_000:012x}" for at in range(rows)],
        "fold_id": [str(at % 3_000) for at in range(rows)],
    }
    metrics = [f"metric_{at % 20}" for at in range(rows)]
    if case == "many metrics and models":
        return table(rows, metric=metrics, **many)
    if case == "known metrics":
        return table(rows, metric=[KNOWN[at % 20] for at in range(rows)], **many)
    if case == "long names":
        many = {name: [value.ljust(300, "x") for value in values] for name, values in many.items()}
        return table(rows, **many)
    if case == "long names that are not ASCII":
        return table(
            rows, **{name: [value.ljust(120, "ü") for value in values] for name, values in many.items()}
        )
    if case == "long preprocessings":
        text = ["SNV>" * rng.randrange(200, 500) + str(at) for at in range(1_000)]
        return table(1_000, preprocessings=text)
    if case == "long everything in 20 metrics":
        many = {name: [value.ljust(200, "x") for value in values] for name, values in many.items()}
        many["preprocessings"] = ["SNV>D1>" * 40] * rows
        many["partition"] = ["val"] * rows
        return table(rows, metric=[KNOWN[at % 20] for at in range(rows)], **many)
    raise AssertionError(case)


CASES = [
    "many metrics and models", "known metrics", "long names", "long names that are not ASCII",
    "long preprocessings",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nasty_tables_fit(tmp_path, case):
    path = write(tmp_path / "wheat.meta.parquet", nasty(case))
    said = rebuild(path)
    frame = normal(frame_of(path))
    assert said["total_predictions"] == len(frame)
    check_counts(said["facets"]["models"], counts(frame["model_name"]))
    assert {name: entry["count"] for name, entry in said["by_metric"].items()} == counts(frame["metric"])
    for metric, entry in said["by_metric"].items():
        scores = frame.filter(metric=metric)["val_score"]
        stats = entry["stats"]["val_score"]
        assert (stats["count"], stats["min"], stats["max"]) == (len(scores), scores.min(), scores.max())
        assert stats["mean"] == pytest.approx(scores.mean(), rel=1e-9)
    for key, column in (("n_configs", "config_name"), ("n_runs", "run_id"), ("n_folds", "fold_id")):
        distinct = frame[column].drop_nulls().n_unique()
        assert abs(said["facets"][key] - distinct) <= 0.02 * distinct


def four_thousand_metrics():
    return table(4_000, metric=[f"metric with a rather long name, number {at}" for at in range(4_000)])


@pytest.mark.parametrize(
    "content",
    [four_thousand_metrics, lambda: nasty("long everything in 20 metrics")],
    ids=["metrics", "names"],
)
def test_more_than_a_footer_holds_is_a_named_error(tmp_path, content):
    """The file stays as it is, readable by scanning."""
    rows = content()
    path = write(tmp_path / "wheat.meta.parquet", rows)
    before = path.read_bytes()
    report = n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()
    if report["written"]:
        assert len(keys(path)[SUMMARY]) + len(keys(path)[SKETCH]) <= LIMIT
    else:
        assert [(error["path"], error["kind"]) for error in report["errors"]] == [(path.name, "argument")]
        assert path.read_bytes() == before
    assert n4w.Workspace.open(tmp_path).summary()["total_predictions"] == rows.num_rows


def test_names_counted_together_merge_between_files(tmp_path):
    for number in range(3):
        models = [f"m{number}-{at}" for at in range(2_000)] + ["shared"] * 10
        write(tmp_path / f"{number}.meta.parquet", table(2_010, model_name=models, seed=number))
    ws = n4w.Workspace.open(tmp_path)
    ws.predictions.rebuild_summaries()
    summary = ws.summary("wheat")
    expected = {f"m{number}-{at}": 1 for number in range(3) for at in range(2_000)} | {"shared": 30}
    check_counts(summary["facets"]["models"], expected)


@pytest.mark.parametrize("rows", [*range(30_000, 90_000, 6_000), 65_537])
def test_values_that_must_be_compacted_are_read_again(tmp_path, rows):
    """Three scores of many values each are more than a footer holds; what is compacted is a sketch still."""
    draw = numpy.random.default_rng(rows)
    scores = {f"{kind}_score": draw.lognormal(size=rows) for kind in ("val", "test", "train")}
    content = pa.table({"id": [str(row) for row in range(rows)], "metric": ["rmse"] * rows, **scores})
    path = write(tmp_path / "wheat.meta.parquet", content)
    stats = rebuild(path)["by_metric"]["rmse"]["stats"]
    again = n4w.read_summary(path)["by_metric"]["rmse"]["stats"]
    for name, values in scores.items():
        ranks = [(values <= quartile).mean() for quartile in again[name]["quartiles"]]
        assert ranks == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
        assert stats[name]["count"] == rows
