"""Beyond the exact limits: quartiles within 1 % of rank, distinct counts within 2 % and flagged."""

import bisect
import random

import polars as pl
import pyarrow as pa
import pytest
from nirs4all_workspace import SummaryAccumulator

RANK_ERROR = 0.01


def values(kind, count, seed=1):
    rng = random.Random(seed)
    made = {
        "random": lambda: [rng.random() for _ in range(count)],
        "sorted": lambda: [float(at) for at in range(count)],
        "reversed": lambda: [float(count - at) for at in range(count)],
        "normal": lambda: [rng.gauss(1e9, 1e-3) for _ in range(count)],
        "skewed": lambda: [rng.paretovariate(0.3) for _ in range(count)],
        "few": lambda: [float(rng.randrange(5)) for _ in range(count)],
        "zigzag": lambda: [float(at if at % 2 else -at) for at in range(count)],
        "sawtooth": lambda: [float(at % 2048) for at in range(count)],
    }
    return made[kind]()


def batch(scores):
    return pa.table({"metric": ["rmse"] * len(scores), "val_score": scores})


def check_quartiles(summary, scores):
    shown = summary["stats"]["val_score"]["quartiles"]
    assert summary["stats"]["val_score"]["count"] == len(scores)
    ordered = sorted(scores)
    for q, value in zip((0.25, 0.5, 0.75), shown, strict=True):
        # All ranks that the value has among the scores, as a share of them.
        low, high = (
            bisect.bisect_left(ordered, value) / len(ordered),
            bisect.bisect_right(ordered, value) / len(ordered),
        )
        assert low - RANK_ERROR <= q <= high + RANK_ERROR, (q, value, low, high)


KINDS = ["random", "sorted", "reversed", "normal", "skewed", "few", "zigzag", "sawtooth"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2_049, 5_000, 100_000])
def test_quartiles_of_one_batch(kind, count):
    scores = values(kind, count)
    made = SummaryAccumulator()
    made.add_batch(batch(scores))
    check_quartiles(made.summary(), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_quartiles_row_by_row(kind):
    scores = values(kind, 20_000)
    made = SummaryAccumulator()
    for score in scores:
        made.add({"metric": "rmse", "val_score": score})
    check_quartiles(made.summary(), scores)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [1, 100, 1_500, 2_048, 2_049, 10_000])
def test_quartiles_merged_in_pieces(kind, piece):
    scores = values(kind, 200 * piece if piece == 1 else 60_000)
    made = SummaryAccumulator()
    for start in range(0, len(scores), piece):
        part = SummaryAccumulator()
        part.add_batch(batch(scores[start : start + piece]), threads=1)
        made.merge(part)
    check_quartiles(made.summary(), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_quartiles_of_a_balanced_merge_tree_with_round_trips(kind):
    scores = values(kind, 64_000)
    parts = []
    for start in range(0, len(scores), 500):
        parts.append(SummaryAccumulator())
        parts[-1].add_batch(batch(scores[start : start + 500]), threads=1)
    while len(parts) > 1:
        for one, other in zip(parts[::2], parts[1::2], strict=False):
            one.merge(other)
        parts = [SummaryAccumulator.from_bytes(part.to_bytes()) for part in parts[::2]]
    check_quartiles(parts[0].summary(), scores)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 2_047, 2_048])
@pytest.mark.parametrize("kind", ["random", "reversed", "few"])
def test_quartiles_are_exact_up_to_2048_values(kind, count):
    scores = values(kind, count)
    one, pieces = SummaryAccumulator(), SummaryAccumulator()
    one.add_batch(batch(scores))
    for score in scores:
        pieces.add({"metric": "rmse", "val_score": score})
    wanted = [pl.Series(scores).quantile(q, "linear") for q in (0.25, 0.5, 0.75)]
    for made in (one, pieces):
        assert made.summary()["stats"]["val_score"]["quartiles"] == pytest.approx(wanted, rel=1e-14)


def test_the_rank_error_does_not_grow_with_the_rows():
    scores = values("random", 1_000_000)
    made = SummaryAccumulator()
    made.add_batch(batch(scores), threads=2)
    check_quartiles(made.summary(), scores)


COUNTS = {"n_configs": "config_name", "n_runs": "run_id", "n_folds": "fold_id", "n_partitions": "partition"}


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("count", [0, 1, 4_095, 4_096])
def test_distinct_counts_are_exact_up_to_4096(key, count):
    names = [f"name {at}" for at in range(count)]
    made = SummaryAccumulator()
    made.add_batch(pa.table({COUNTS[key]: pa.array(names * 2, pa.string()), "metric": ["r2"] * (2 * count)}))
    facets = made.summary()["facets"]
    assert facets[key] == count
    assert key not in facets["approximate"]


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("count", [4_097, 20_000, 100_000])
@pytest.mark.parametrize("way", ["batch", "merged", "rows"])
def test_distinct_counts_beyond_are_near_and_flagged(key, count, way):
    if way == "rows" and count > 20_000:
        pytest.skip("row by row takes long at this count and adds nothing")
    column, names = COUNTS[key], [f"{key} {at:08d}" for at in range(count)]
    made = SummaryAccumulator()
    if way == "batch":
        made.add_batch(pa.table({column: names}))
    elif way == "merged":
        # Pieces that overlap by half.
        for start in range(0, count, 2_000):
            part = SummaryAccumulator()
            part.add_batch(pa.table({column: names[max(0, start - 2_000) : start + 2_000]}), threads=1)
            made.merge(SummaryAccumulator.from_bytes(part.to_bytes()))
    else:
        for name in names:
            made.add({column: name})
    facets = made.summary()["facets"]
    assert abs(facets[key] - count) <= 0.02 * count
    assert key in facets["approximate"]


def test_adding_a_name_again_does_not_raise_an_approximate_count():
    names = [f"name {at}" for at in range(20_000)]
    made = SummaryAccumulator()
    for _ in range(3):
        made.add_batch(pa.table({"config_name": names}))
        first = made.summary()["facets"]["n_configs"]
    made.merge(made)
    assert made.summary()["facets"]["n_configs"] == first
