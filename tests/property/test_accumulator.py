"""Any split, order, shape, merge tree and round trip of the same rows gives the recomputed summary."""

import copy
import math
import pickle

import pytest
from agreement import check_stats, check_summary, close, timeless
from hypothesis import example, given
from hypothesis import strategies as st
from nirs4all_workspace import SummaryAccumulator
from oracle import SCORES, summarise
from strategies import FORMS, arrow, frame, rows

REL = 1e-9
TRIPS = {
    "none": lambda made: made,
    "bytes": lambda made: SummaryAccumulator.from_bytes(made.to_bytes()),
    "dict": lambda made: SummaryAccumulator.from_dict(made.to_dict()),
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "copy": copy.deepcopy,
}


def add(accumulator, content, form, threads=0):
    if form == "rows":
        for row in content:
            accumulator.add(row)
    else:
        accumulator.add_batch(FORMS[form](arrow(content)), threads=threads)


def of(content, form="rows", threads=0, **options):
    made = SummaryAccumulator(**options)
    add(made, content, form, threads)
    return made


@given(rows())
def test_row_by_row(content):
    check_summary(of(content).summary(), summarise(frame(content)), REL)


@pytest.mark.parametrize("form", FORMS)
@given(content=rows())
def test_every_shape_of_batch(form, content):
    check_summary(of(content, form, threads=1).summary(), summarise(frame(content)), REL)


@given(
    content=rows(max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    forms=st.lists(st.sampled_from(["rows", *FORMS]), min_size=6, max_size=6),
    trips=st.lists(st.sampled_from(list(TRIPS)), min_size=6, max_size=6),
    threads=st.sampled_from([1, 2]),
    data=st.data(),
)
def test_any_split_order_and_merge_tree(content, cuts, forms, trips, threads, data):
    expected = summarise(frame(content))
    shuffled = data.draw(st.permutations(content))
    bounds = [0, *sorted(min(cut, len(shuffled)) for cut in cuts), len(shuffled)]
    parts = []
    for start, end, form, trip in zip(bounds, bounds[1:], forms, trips, strict=False):
        parts.append(TRIPS[trip](of(shuffled[start:end], form, threads)))
    while len(parts) > 1:
        one = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        other = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        one.merge(other)
        parts.append(TRIPS[data.draw(st.sampled_from(list(TRIPS)))](one))
    assert len(parts[0]) == len(content)
    check_summary(parts[0].summary(), expected, REL)


@given(rows(max_size=20), rows(max_size=20))
def test_continuing_after_a_round_trip(first, second):
    for trip in TRIPS.values():
        made = trip(of(first))
        add(made, second, "table")
        check_summary(made.summary(), summarise(frame(first + second)), REL)


@given(rows(max_size=30))
def test_merging_with_itself_counts_twice(content):
    made = of(content)
    made.merge(made)
    assert made.summary()["total_predictions"] == 2 * len(content)
    doubled = summarise(frame(content + content))
    for metric, group in doubled["by_metric"].items():
        for score in SCORES:
            check_stats(made.summary()["by_metric"][metric]["stats"][score], group["stats"][score], REL)


@given(rows(max_size=30))
def test_thread_count_and_round_trips_change_no_bit(content):
    made = [of(content, "chunked", threads) for threads in (1, 2, 3)]
    states = {one.to_bytes() for one in made}
    assert len(states) == 1
    for trip in TRIPS.values():
        again = trip(made[0])
        assert again.to_bytes() == made[0].to_bytes()
        assert repr(timeless(again.summary())) == repr(timeless(made[0].summary()))


@given(rows(max_size=60, metrics=st.just("rmse")), st.integers(0, 12))
def test_any_top_k(content, k):
    shown = of(content, top_k=k).summary()["top_predictions"]
    ranking = summarise(frame(content))["by_metric"].get("rmse", {"ranking": []})["ranking"]
    assert [row["id"] for row in shown] == [row["id"] for row in ranking[: min(k, 10)]]


@given(
    st.lists(st.floats(-1e-3, 1e-3), min_size=2, max_size=300),
    st.sampled_from([1e9, -1e9, 1e6, 0.0]),
    st.sampled_from(["rows", "table", "merged"]),
)
def test_a_large_mean_with_a_small_spread(offsets, mean, form):
    content = [{"metric": "rmse", "val_score": mean + offset} for offset in offsets]
    if form == "merged":
        made = of(content[:1])
        for row in content[1:]:
            made.merge(of([row]))
    else:
        made = of(content, form)
    stats = made.summary()["stats"]["val_score"]
    expected = summarise(frame(content))["by_metric"]["rmse"]["stats"]["val_score"]
    assert math.isclose(stats["mean"], expected["mean"], rel_tol=1e-15, abs_tol=1e-15)
    assert math.isclose(stats["std"], expected["std"], rel_tol=1e-6, abs_tol=1e-12)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@example([-1.7e308, 1.7e308])
@example([1.7e308, 1.7e308, 1.6e308])
def test_huge_values_leave_a_number_or_null(values):
    """No small sum on the way decides, and no order."""
    content = [{"metric": "rmse", "val_score": value} for value in values]
    for form in ("rows", "table"):
        stats = of(content, form).summary()["stats"]["val_score"]
        expected = summarise(frame(content))["by_metric"]["rmse"]["stats"]["val_score"]
        assert (stats["count"], stats["min"], stats["max"]) == (len(values), min(values), max(values))
        scale = max(map(abs, values))
        for key in ("mean", "std"):
            assert close(stats[key], expected[key], 1e-10, scale), key
        # Between two finite values lies a finite one.
        ordered = sorted(values)
        for q, shown in zip((0.25, 0.5, 0.75), stats["quartiles"], strict=True):
            at = q * (len(values) - 1)
            assert ordered[math.floor(at)] <= shown <= ordered[math.ceil(at)], (shown, expected["quartiles"])


@given(rows(max_size=8), st.data())
def test_any_damage_to_a_state_is_found(content, data):
    from nirs4all_workspace import CorruptFileError, SchemaError

    state = bytearray(of(content).to_bytes())
    bit = data.draw(st.integers(0, 8 * len(state) - 1))
    state[bit // 8] ^= 1 << bit % 8
    with pytest.raises((CorruptFileError, SchemaError)):
        SummaryAccumulator.from_bytes(bytes(state))
    with pytest.raises((CorruptFileError, SchemaError)):
        SummaryAccumulator.from_bytes(bytes(of(content).to_bytes()[: bit // 8]))
