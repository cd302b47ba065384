"""Comparing what the package says with what `oracle` recomputed."""

import math

import oracle

STRICT = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def close(actual, expected, rel=1e-10, scale=0.0) -> bool:
    """Equal, or equal but for rounding relative to the larger of the numbers and `scale`."""
    if actual is None or expected is None:
        return actual is expected
    actual = STRICT.get(actual, actual) if isinstance(actual, str) else actual
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    if math.isinf(expected) or math.isinf(actual):
        return actual == expected
    return math.isclose(actual, expected, rel_tol=rel, abs_tol=max(rel * scale, 1e-300))


def check_stats(actual: dict, expected: dict, rel: float, exact_quartiles=True) -> None:
    for key in ("count", "nulls", "nans", "infs", "min", "max"):
        assert actual[key] == expected[key], (key, actual, expected)
    # Texts of earlier versions have no flag.
    assert actual.get("overflow", False) == expected["overflow"]
    scale = max(abs(expected["min"] or 0.0), abs(expected["max"] or 0.0))
    # Squares of differences this small have no digits left.
    for key, least in (("mean", scale), ("std", max(scale, 1e-161 / rel))):
        assert close(actual[key], expected[key], rel, least), (key, actual[key], expected[key])
    if exact_quartiles:
        quartiles, wanted = actual["quartiles"], expected["quartiles"]
        assert (quartiles is None) == (wanted is None)
        for one, other in zip(quartiles or (), wanted or (), strict=True):
            assert close(one, other, rel, scale), (quartiles, wanted)


def check_names(actual: list[dict], expected: dict, rel: float, key="name", count="count", scale=0.0) -> None:
    assert len({entry[key] for entry in actual}) == len(actual), "a name comes twice"
    by_name = {entry[key]: entry for entry in actual}
    assert by_name.keys() == expected.keys()
    for name, wanted in expected.items():
        assert by_name[name][count] == wanted["count"], name
        assert close(by_name[name]["best_val_score"], wanted["best"], rel), (name, by_name[name], wanted)
        if "avg_val_score" in by_name[name]:
            assert by_name[name].get("overflow", False) == wanted["overflow"]
            assert close(by_name[name]["avg_val_score"], wanted["mean"], rel, scale), (
                name,
                by_name[name],
                wanted,
            )


def check_ranking(actual: list[dict], expected: list[dict], score: str, k: int, rel=0.0) -> None:
    """The best k: the same ids with the same scores in the same order, each a row that there is."""
    wanted = expected[:k]
    assert [row["id"] or "" for row in actual] == [row["id"] or "" for row in wanted]
    for row, other in zip(actual, wanted, strict=True):
        assert close(row[score], other[score], rel)
    for row in actual:
        alike = [other for other in expected if other["id"] == row["id"]]
        assert any(all(same_field(row[key], other[key]) for key in oracle.RECORD) for other in alike), row


def same_field(one, other) -> bool:
    if isinstance(other, float):
        return close(one, other, 0.0)
    return one == other


def check_group(actual: dict, expected: dict, rel: float, exact_quartiles=True) -> None:
    assert actual["direction"] == expected["direction"]
    assert actual["ranked_by"] == expected["ranked_by"]
    assert actual["count"] == expected["count"]
    for score in oracle.SCORES:
        check_stats(actual["stats"][score], expected["stats"][score], rel, exact_quartiles)
    bounds = expected["stats"]["val_score"]
    scale = max(abs(bounds["min"] or 0.0), abs(bounds["max"] or 0.0))
    check_names(actual["models"], expected["models"], rel, scale=scale)
    check_names(actual["runs"], expected["runs"], rel, "id", "n_predictions")
    check_ranking(actual["top_predictions"], expected["ranking"], expected["ranked_by"] or "val_score", 10)


def check_summary(actual: dict, expected: dict, rel=1e-10, exact_quartiles=True) -> None:
    """Check the summary of one set of rows, every key that the specification names."""
    assert actual["total_predictions"] == expected["total_predictions"]
    assert actual["metric"] == expected["metric"]
    assert actual["direction"] == expected["direction"]
    assert actual["by_metric"].keys() == expected["by_metric"].keys()
    for metric, group in expected["by_metric"].items():
        check_group(actual["by_metric"][metric], group, rel, exact_quartiles)
    main = actual["by_metric"].get(actual["metric"] or "")
    if main is not None:
        for key in ("direction", "ranked_by", "stats", "top_predictions"):
            assert same_tree(actual[key], main[key]), key
    facets = actual["facets"]
    bounds = expected["by_metric"].get(
        expected["metric"] or "", {"stats": {"val_score": {"min": 0, "max": 0}}}
    )
    val = bounds["stats"]["val_score"]
    check_names(
        facets["models"], expected["models"], rel, scale=max(abs(val["min"] or 0.0), abs(val["max"] or 0.0))
    )
    assert {entry["name"]: entry["count"] for entry in facets["partitions"]} == expected["partitions"]
    assert sorted(facets["folds"]) == expected["folds"]
    for key in ("n_partitions", "n_folds", "n_configs", "n_runs"):
        assert facets[key] == expected[key], key
    assert actual["task_types"] == expected["task_types"]
    assert sorted(actual["metrics_used"]) == sorted(metric for metric in expected["by_metric"] if metric)
    assert actual["has_branches"] == (expected["branch_count"] > 0)
    assert actual["branch_count"] == expected["branch_count"]
    check_names(actual["runs"], expected["runs"], rel, "id", "n_predictions")
    check_dates(actual["date_range"], expected["dates"])


def check_dates(actual: dict, expected: tuple) -> None:
    for key, wanted in zip(("earliest", "latest"), expected, strict=True):
        assert (actual[key] is None) == (wanted is None), key
        if wanted is not None:
            assert oracle.moment(actual[key]) == wanted
            assert actual[key].endswith("+00:00")


def check_workspace(actual: dict, frames: dict, rel=1e-10) -> None:
    """Check the summary of a whole workspace against its rows by dataset."""
    import polars as pl

    parts = {name: oracle.normal(frame) for name, frame in frames.items()}
    expected = oracle.summarise(pl.concat([*parts.values()], how="diagonal_relaxed"))
    assert actual["total_predictions"] == expected["total_predictions"]
    assert actual["total_datasets"] == len(frames)
    assert [entry["dataset_name"] for entry in actual["datasets"]] == sorted(frames)
    for entry in actual["datasets"]:
        check_summary(entry, oracle.summarise(frames[entry["dataset_name"]]), rel)
    assert actual["by_metric"].keys() == expected["by_metric"].keys()
    for metric, group in expected["by_metric"].items():
        check_group(actual["by_metric"][metric], group, rel)
    assert actual["metric"] == expected["metric"]
    main = expected["by_metric"].get(expected["metric"] or "")
    bounds = main["stats"]["val_score"] if main else {"min": None, "max": None}
    scale = max(abs(bounds["min"] or 0.0), abs(bounds["max"] or 0.0))
    check_names(actual["models"], expected["models"], rel, scale=scale)
    check_names(actual["runs"], expected["runs"], rel, "id", "n_predictions")
    assert actual["task_types"] == expected["task_types"]
    check_dates(actual["date_range"], expected["dates"])


def same_tree(one, other) -> bool:
    """Equal, NaN being equal to NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_tree(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_tree, one, other))
    return one == other or (one != one and other != other)


def timeless(tree):
    """The same answer without the times at which it was made."""
    if isinstance(tree, dict):
        return {key: timeless(value) for key, value in tree.items() if key != "generated_at"}
    return [timeless(value) for value in tree] if isinstance(tree, list) else tree
