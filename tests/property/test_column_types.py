"""Extra columns of any Arrow type: refused by name, or the values that were written, in every answer."""

import datetime as dt
import json
import math
import shutil
import tempfile
import warnings
from decimal import Decimal
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiers
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace import _native
from writing import age

RUN = "2026-01-02_Types_0123456789ab"
TIMES = st.datetimes(dt.datetime(1680, 1, 1), dt.datetime(2260, 1, 1))
# Seconds at which limits of times and durations lie: a day, the years 1 to 9999, 999,999,999 days.
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400
FIRST, BEYOND = -719_162 * DAY, 2_932_897 * DAY
LONGEST = 999_999_999 * DAY
UNITS = st.sampled_from(["s", "ms", "us", "ns"])


def whole_ms(time):
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def whole_s(time):
    return time.replace(microsecond=0)


def timestamps(zone):
    def of(unit):
        kind = pa.timestamp(unit, zone)
        times = TIMES.map({"s": whole_s, "ms": whole_ms}.get(unit, lambda time: time))
        if zone is not None:
            times = times.map(lambda time: time.replace(tzinfo=dt.UTC))
        return st.tuples(st.just(kind), st.just(times))

    return UNITS.flatmap(of)


def ints(bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
# Arrow types with the values that they hold: the closed list of docs/format.md.
FLAT = st.one_of(
    st.sampled_from(
        [
            (pa.bool_(), st.booleans()),
            *((getattr(pa, f"int{bits}")(), ints(bits, True)) for bits in (8, 16, 32, 64)),
            *((getattr(pa, f"uint{bits}")(), ints(bits, False)) for bits in (8, 16, 32, 64)),
            (pa.float16(), st.floats(width=16)),
            (pa.float32(), st.floats(width=32)),
            (pa.float64(), st.floats()),
            *((kind, TEXTS) for kind in (pa.string(), pa.large_string(), pa.string_view())),
            *((kind, st.binary(max_size=4)) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
            (pa.binary(3), st.binary(min_size=3, max_size=3)),
            (pa.date32(), st.dates()),
            (pa.time32("s"), st.times().map(whole_s)),
            (pa.time32("ms"), st.times().map(whole_ms)),
            (pa.time64("us"), st.times()),
            (pa.decimal128(12, 3), st.decimals(-(10**9), 10**9, places=3).filter(lambda d: abs(d) < 10**9)),
            (pa.decimal128(38, 0), st.integers(-(10**37), 10**37).map(Decimal)),
            (pa.decimal32(5, 2), st.decimals(-100, 100, places=2)),
            (pa.decimal64(15, 2), st.decimals(-100, 100, places=2)),
        ]
    ),
    timestamps(None),
    timestamps("UTC"),
    timestamps("Europe/Paris"),
    timestamps("+02:00"),
    UNITS.map(
        lambda unit: (
            pa.duration(unit),
            st.integers(-(10**6), 10**6).map(lambda seconds: dt.timedelta(seconds=seconds)),
        )
    ),
)


def nested(inner):
    kinds = st.tuples(inner, st.sampled_from(["list", "large_list", "fixed", "struct", "map"]))

    def of(drawn):
        (kind, values), shape = drawn
        maybe = st.none() | values
        if shape == "list":
            return pa.list_(kind), st.lists(maybe, max_size=3)
        if shape == "large_list":
            return pa.large_list(kind), st.lists(maybe, max_size=3)
        if shape == "fixed":
            return pa.list_(kind, 2), st.lists(maybe, min_size=2, max_size=2)
        if shape == "struct":
            return pa.struct([("a", kind), ("ü", pa.int64())]), st.fixed_dictionaries(
                {"a": maybe, "ü": st.none() | st.integers(0, 9)}
            )
        pairs = st.dictionaries(TEXTS, maybe, max_size=2).map(lambda pairs: list(pairs.items()))
        return pa.map_(pa.string(), kind), pairs

    return kinds.map(of)


TYPES = st.recursive(FLAT, nested, max_leaves=3)
REFUSED = st.sampled_from(
    [
        pa.array([Decimal("1.5")], pa.decimal256(50, 2)),
        pa.array([Decimal("1200")], pa.decimal128(5, -2)),
        pa.array([b""], pa.binary(0)),
        pa.array([[]], pa.list_(pa.int64(), 0)),
        pa.array([[1]], pa.list_view(pa.int64())),
        pa.array([{}], pa.struct([])),
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.StructArray.from_arrays([pa.array([1]), pa.array([1])], ["a", "a"]),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"])),
        pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        pa.array([1_790_000_000_000], pa.timestamp("s")),
        pa.array([[2**62]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("us"))),
        pa.array([-1], pa.int64()).cast(pa.time64("us")),
        pa.array([2**62], pa.int64()).cast(pa.duration("s")),
        pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")),
    ]
)


def extremes(kind, bits, allowed):
    """A type, numbers of it about its limits, and the first and the last that readers know."""
    first, last = allowed
    edges = {number + step for number in allowed for step in (-1, 0, 1)}
    edges |= {-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0}
    fit = sorted(number for number in edges if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1))
    return st.tuples(
        st.just((kind, bits, first, last)), st.lists(st.sampled_from(fit), min_size=1, max_size=3)
    )


EXTREMES = st.one_of(
    extremes(pa.date32(), 32, (FIRST // DAY, BEYOND // DAY - 1)),
    extremes(pa.time32("ms"), 32, (0, DAY * 1000 - 1)),
    *(extremes(pa.time64(unit), 64, (0, DAY * PER_SECOND[unit] - 1)) for unit in ("us", "ns")),
    *(
        extremes(pa.timestamp(unit, zone), 64, (FIRST * PER_SECOND[unit], BEYOND * PER_SECOND[unit] - 1))
        for unit in ("ms", "us", "ns")
        for zone in (None, "UTC")
    ),
    *(
        extremes(pa.duration(unit), 64, (-LONGEST * PER_SECOND[unit], LONGEST * PER_SECOND[unit]))
        for unit in ("ms", "us", "ns")
    ),
)


def shaped(flat, shape):
    """Each number as a row: itself, alone in a list, or in a struct."""
    if shape == "list":
        return pa.ListArray.from_arrays(pa.array(range(len(flat) + 1), pa.int32()), flat)
    return pa.StructArray.from_arrays([flat], ["a"]) if shape == "struct" else flat


def is_null(value):
    """Whether the number of a row is null, whatever its shape; as a text, a nested one is JSON."""
    if isinstance(value, str) and value[0] in "[{":
        value = json.loads(value)
    if isinstance(value, list):
        return value[0] is None
    return value["a"] is None if isinstance(value, dict) else value is None


@tiers.costly()
@given(EXTREMES, st.sampled_from(["flat", "list", "struct"]), st.sampled_from(["none", "text", "numbers"]))
def test_extreme_numbers_are_null_and_told_in_every_answer(drawn, shape, other):
    (kind, bits, first, last), numbers = drawn
    flat = pa.array(numbers, pa.int32() if bits == 32 else pa.int64()).view(kind)
    ids = [str(at) for at in range(len(numbers))]
    expected = [not first <= number <= last for number in numbers]
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        rows = pa.table({"id": ids, "x": shaped(flat, shape), "y": pa.array([1] * len(ids), pa.int8())})
        pq.write_table(rows, folder / "a.meta.parquet")
        if other != "none":
            # A column of two types, that of x or that of y: the rows are converted.
            beside = {"id": ["z"], **({"x": ["text"]} if other == "text" else {"y": [1.5]})}
            pq.write_table(pa.table(beside), folder / "b.meta.parquet")
        found = n4w.Workspace.open(folder).predictions
        page = found.page(columns=["id", "x"], sort_by="id")
        assert [error["kind"] for error in page.errors] == ["type"] * any(expected)
        errors = found.export(folder / "all.parquet", columns=["id", "x"], sort_by="id")
        assert [error["kind"] for error in errors] == ["type"] * any(expected)
        answers = {
            "page": [record["x"] for record in page.records],
            "get": [found.get(id_)["x"] for id_ in ids],
            "export": pq.read_table(folder / "all.parquet")["x"].to_pylist(),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers["scan"] = found.scan().sort("id").collect()["x"].to_list()
            for columns in (["id"], ["id", "y"], ["id", "x"]):
                filled = found.scan().filter(pl.col("x").is_not_null()).select(columns).collect()
                told = (
                    page.records if shape != "flat" else [row for row in page.records if row["x"] is not None]
                )
                assert sorted(filled["id"]) == [row["id"] for row in told if row["x"] is not None]
        for answer, values in answers.items():
            assert [is_null(value) for value in values[: len(ids)]] == expected, (answer, kind, numbers)


@tiers.costly()
@given(EXTREMES, st.sampled_from(["flat", "list", "struct"]))
def test_extreme_numbers_are_stored_or_refused(drawn, shape):
    (kind, bits, first, last), numbers = drawn
    flat = pa.array(numbers, pa.int32() if bits == 32 else pa.int64()).view(kind)
    ids = [str(at) for at in range(len(numbers))]
    with tempfile.TemporaryDirectory() as name:
        ws = n4w.Workspace.create(Path(name))
        with ws.predictions.writer(RUN, "wheat") as writer:
            rows = pa.table({"id": ids, "x": shaped(flat, shape)})
            if not all(first <= number <= last for number in numbers):
                with pytest.raises(TypeError, match='"x"'):
                    writer.write_batch(rows)
                return
            writer.write_batch(rows)
        exported = Path(name) / "all.parquet"
        assert ws.predictions.export(exported, sort_by="id", columns=["id", "x"]) == []
        back = pq.read_table(exported)["x"].combine_chunks()
        inner = back.values if shape == "list" else back.field(0) if shape == "struct" else back
        assert inner.equals(flat.cast(inner.type))


def plain(value):
    """A value as any library gives it: maps as dicts, times in UTC, NaN as a word."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(inner, tuple) for inner in value):
            return {key: plain(inner) for key, inner in value}
        return [plain(inner) for inner in value]
    return {} if isinstance(value, tuple) and not value else value


def empty_maps(value, kind):
    """An empty map looks like an empty list to pyarrow."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {key: empty_maps(inner, kind.item_type) for key, inner in value}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [empty_maps(inner, kind.value_type) for inner in value]
    if pa.types.is_struct(kind):
        return {field.name: empty_maps(value[field.name], field.type) for field in kind}
    return plain(value)


def answers(ws, ids):
    """The column in every answer that has rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scanned = ws.predictions.scan().sort("id").collect()
        page = ws.predictions.page(sort_by="id", columns=["id", "x"])
        exported = ws.path.parent / "all.parquet"
        assert ws.predictions.export(exported, sort_by="id", columns=["id", "x"]) == []
        assert page.errors == []
        return {
            "scan": scanned["x"].to_list(),
            "page": [record["x"] for record in page.records],
            "get": [ws.predictions.get(id_)["x"] for id_ in ids],
            "export": pl.read_parquet(exported)["x"].to_list(),
        }


@tiers.costly()
@given(TYPES, st.data())
def test_any_value_comes_back_or_is_refused_by_name(drawn, data):
    kind, values = drawn
    written = pa.array([data.draw(st.none() | values), data.draw(values)], kind)
    with tempfile.TemporaryDirectory() as folder:
        ws = n4w.Workspace.create(Path(folder) / "ws")
        writer = ws.predictions.writer(RUN, "wheat")
        writer.write_batch(pa.table({"id": ["0", "1"], "val_score": [0.1, 0.2], "x": written}))
        writer.flush()
        expected = [empty_maps(value, kind) for value in written.to_pylist()]

        def check(where, ids=("0", "1")):
            for name, got in answers(ws, ids).items():
                assert [plain(value) for value in got] == expected, (where, name, kind)

        check("live")
        writer.close()
        check("sealed")
        with ws.predictions.writer(RUN, "wheat") as other:
            other.write_batch(pa.table({"id": ["2"], "val_score": [0.3], "x": written.slice(1)}))
        expected.append(expected[1])
        check("two segments", ("0", "1", "2"))
        age(ws.path)
        _native.sweep(ws.path)
        assert _native.compact(ws.path, RUN, None)
        check("compacted", ("0", "1", "2"))
        shutil.copytree(ws.path, Path(folder) / "copy")
        ws = n4w.Workspace.open(Path(folder) / "copy")
        check("copied", ("0", "1", "2"))
        assert ws.verify(full=True)["problems"] == []


@given(REFUSED)
def test_what_has_no_place_is_refused_and_the_writer_goes_on(column):
    with tempfile.TemporaryDirectory() as folder:
        ws = n4w.Workspace.create(Path(folder) / "ws")
        with ws.predictions.writer(RUN, "wheat") as writer:
            with pytest.raises(TypeError, match="x"):
                writer.write_batch(pa.table({"id": ["0"], "x": column}))
            writer.write({"id": "0", "val_score": 0.1})
        assert ws.predictions.scan().collect()["id"].to_list() == ["0"]


# Two columns of one name, and what answers have of both: the rule of docs/format.md, written again.
PAIRS = [
    (pa.int8(), [1], pa.int64(), [2**40], [1, 2**40]),
    (pa.uint8(), [1], pa.uint64(), [2**64 - 1], [1, 2**64 - 1]),
    (pa.uint64(), [2**64 - 1, 5], pa.int64(), [-1], [None, 5, -1]),
    (pa.int64(), [2**53 + 1, 2**53], pa.float64(), [0.5], [None, float(2**53), 0.5]),
    (pa.bool_(), [True], pa.int16(), [7], [1, 7]),
    (pa.bool_(), [True], pa.float32(), [0.5], [1.0, 0.5]),
    (pa.float32(), [0.5], pa.float64(), [0.1], [0.5, 0.1]),
    (pa.decimal128(5, 2), [Decimal("1.25")], pa.float64(), [0.5], [1.25, 0.5]),
    (
        pa.decimal128(5, 2),
        [Decimal("1.25")],
        pa.decimal128(9, 4),
        [Decimal("0.0001")],
        [Decimal("1.2500"), Decimal("0.0001")],
    ),
    (pa.decimal128(5, 2), [Decimal("1.25")], pa.int64(), [3], [1.25, 3.0]),
    (pa.int64(), [1], pa.string(), ["a"], ["1", "a"]),
    (pa.float64(), [1.0, 0.5], pa.string(), ["a"], ["1", "0.5", "a"]),
    (pa.bool_(), [True], pa.string(), ["a"], ["true", "a"]),
    (pa.list_(pa.float64()), [[1.5, None]], pa.string(), ["all"], ["[1.5, null]", "all"]),
    (pa.list_(pa.int64()), [[1]], pa.list_(pa.float64()), [[0.5]], [[1.0], [0.5]]),
    (pa.list_(pa.int64(), 2), [[1, 2]], pa.list_(pa.int64()), [[3]], [[1, 2], [3]]),
    (pa.list_(pa.int64()), [[1]], pa.list_(pa.string()), [["a"]], [["1"], ["a"]]),
    (
        pa.struct([("a", pa.int64())]),
        [{"a": 1}],
        pa.struct([("a", pa.float64())]),
        [{"a": 0.5}],
        [{"a": 1.0}, {"a": 0.5}],
    ),
    (pa.struct([("a", pa.int64())]), [{"a": 1}], pa.int64(), [2], ['{"a": 1}', "2"]),
    (pa.binary(), [b"\xff"], pa.string(), ["a"], ["/w==", "a"]),
    (pa.binary(2), [b"ab"], pa.binary(), [b"c"], [b"ab", b"c"]),
    (
        pa.date32(),
        [dt.date(2026, 1, 2)],
        pa.timestamp("us"),
        [dt.datetime(2026, 1, 2, 3)],
        [dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 2, 3)],
    ),
    (
        pa.date32(),
        [dt.date(2026, 1, 2)],
        pa.timestamp("us", "UTC"),
        [dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)],
        [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)],
    ),
    (
        pa.timestamp("ms"),
        [dt.datetime(2026, 1, 2)],
        pa.timestamp("us", "UTC"),
        [dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)],
        [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)],
    ),
    (
        pa.timestamp("us", "Europe/Paris"),
        [dt.datetime(2026, 1, 2, tzinfo=dt.UTC)],
        pa.string(),
        ["a"],
        ["2026-01-02T00:00:00.000000+00:00", "a"],
    ),
    (pa.time32("s"), [dt.time(1)], pa.time64("us"), [dt.time(2)], [dt.time(1), dt.time(2)]),
    (
        pa.duration("s"),
        [dt.timedelta(1)],
        pa.duration("us"),
        [dt.timedelta(2)],
        [dt.timedelta(1), dt.timedelta(2)],
    ),
    (pa.dictionary(pa.int8(), pa.string()), ["a"], pa.string(), ["b"], ["a", "b"]),
]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]} {pair[2]}")
def test_columns_of_two_types_are_answered_alike(tmp_path, pair, swapped):
    one, first, two, second, expected = pair
    names = ("b", "a") if swapped else ("a", "b")
    ids, values = [], first + second
    for name, kind, column in zip(names, (one, two), (first, second), strict=True):
        own = [f"{len(ids) + place}" for place in range(len(column))]
        ids += own
        table = pa.table({"id": own, "val_score": [0.1] * len(own), "x": pa.array(column, kind)})
        pq.write_table(table, tmp_path / f"{name}.meta.parquet")
    pq.write_table(pa.table({"id": ["~"], "val_score": [0.1]}), tmp_path / "c.meta.parquet")
    ws = n4w.Workspace.open(tmp_path)
    is_lossy = None in expected
    page = ws.predictions.page(sort_by="id", columns=["id", "x"])
    assert [plain(record["x"]) for record in page.records] == [*expected, None]
    assert [error["kind"] for error in page.errors] == ["type"] * is_lossy
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scanned = ws.predictions.scan().sort("id").collect()
    assert [plain(value) for value in scanned["x"].to_list()] == [*expected, None]
    assert len(said) == is_lossy
    assert ws.predictions.scan().select("id").collect().height == len(ids) + 1
    by_page = (
        sorted(record["x"] for record in page.records if record["x"] is not None)
        if (not isinstance(expected[-1], dict | list))
        else None
    )
    if by_page is not None and not isinstance(expected[-1], bytes):
        ordered = ws.predictions.page(sort_by="x", columns=["x"])
        assert [plain(record["x"]) for record in ordered.records if record["x"] is not None] == by_page
    for id_, value in zip(ids, values, strict=True):
        assert plain(ws.predictions.get(id_)["x"]) == plain(value)
    assert ws.predictions.get("~")["x"] is None


KNOWN_WRONG = [
    ("val_score", pa.array(["0.5", "n/a"])),
    ("val_score", pa.array([[0.1], [0.2]])),
    ("id", pa.array([b"a", b"b"])),
    ("created_at", pa.array([dt.time(1), dt.time(2)])),
    ("n_samples", pa.array(["1", "2"])),
    ("fold_id", pa.array([dt.date(2026, 1, 2)] * 2)),
    ("metric", pa.array([{"a": 1}] * 2)),
]


@pytest.mark.parametrize(("column", "values"), KNOWN_WRONG, ids=lambda value: str(value)[:12])
def test_a_known_column_of_another_type_is_one_error_in_every_answer(tmp_path, column, values):
    def rows(name):
        return {"id": [f"{name}{i}" for i in range(2)], "val_score": [0.1, 0.2], "metric": ["rmse"] * 2}

    pq.write_table(pa.table(rows("good")), tmp_path / "good.meta.parquet")
    pq.write_table(pa.table(rows("bad") | {column: values}), tmp_path / "bad.meta.parquet")
    ws = n4w.Workspace.open(tmp_path)
    summary = ws.summary()
    assert summary["total_predictions"] == 2
    page = ws.predictions.page(sort_by="id")
    assert [record["id"] for record in page.records] == ["good0", "good1"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scanned = ws.predictions.scan().sort("id").collect()
    assert scanned["id"].to_list() == ["good0", "good1"]
    (warning,) = said
    for errors in (summary["errors"], page.errors):
        (error,) = errors
        assert (error["path"], error["kind"]) == ("bad.meta.parquet", "schema")
        assert column in error["message"]
        assert str(warning.message) == f"{error['path']}: {error['kind']}: {error['message']}"


def test_a_column_that_stands_twice_is_an_error_of_its_file(tmp_path):
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array([0.1]), pa.array([1]), pa.array([2])], ["id", "val_score", "x", "x"]
    )
    pq.write_table(table, tmp_path / "twice.meta.parquet")
    pq.write_table(pa.table({"id": ["b"], "val_score": [0.2]}), tmp_path / "good.meta.parquet")
    ws = n4w.Workspace.open(tmp_path)
    with pytest.warns(UserWarning, match=r"twice\.meta\.parquet: schema: .*'?x"):
        assert ws.predictions.scan().collect()["id"].to_list() == ["b"]
    for answer in (ws.summary()["errors"], ws.predictions.page().errors):
        assert [(error["path"], error["kind"]) for error in answer] == [("twice.meta.parquet", "schema")]


def write_segment(ws, run, ids, column):
    with ws.predictions.writer(run, "wheat") as writer:
        writer.write_batch(pa.table({"id": ids, "val_score": [0.1] * len(ids), "x": column}))


def test_segments_of_other_types_stay_apart_when_others_are_merged(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    other = "2026-01-03_Types_0123456789ab"
    written = [
        (["a"], pa.array([1])),
        (["b"], pa.array(["text"])),
        (["c"], pa.array([0.5])),
        (["d"], pa.array([2**53 + 1])),
        (["e"], pa.array([7])),
    ]
    for ids, column in written:
        write_segment(ws, RUN, ids, column)
    for id_ in ("x", "y"):
        write_segment(ws, other, [id_], pa.array([[1.0]]))
    age(ws.path)
    done = ws.predictions.compact()
    assert sum(len(one["inputs"]) for one in done["compacted"]) == 2 + len(written) - len(done["skipped"])
    assert done["skipped"]
    assert {skipped["column"] for skipped in done["skipped"]} == {"x"}
    for (id_,), column in written:
        assert ws.predictions.get(id_)["x"] == column[0].as_py()
    assert ws.predictions.page().total == len(written) + 2
    assert ws.predictions.scan().collect().height == len(written) + 2


def test_columns_that_a_file_lacks_are_null_however_they_are_asked_for(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    write_segment(ws, RUN, ["a", "b", "c"], pa.array([1, None, 3]))
    with ws.predictions.writer("2026-01-03_Types_0123456789ab", "wheat") as writer:
        writer.write_batch(pa.table({"id": ["d", "e", "f"], "y": ["p", "q", None]}))
    scan = ws.predictions.scan
    assert scan().filter(pl.col("x").is_null()).select("x").collect().shape == (4, 1)
    assert sorted(scan().select("x").collect()["x"].to_list(), key=str) == [1, 3, None, None, None, None]
    assert scan().select("y").unique().collect().height == 3
    assert scan().select(pl.len()).collect().item() == 6
    folder = tmp_path / "old"
    folder.mkdir()
    pq.write_table(pa.table({"id": ["a", "b", "c"]}), folder / "a.meta.parquet")
    old = n4w.Workspace.open(folder).predictions.scan
    assert old().select("metric").collect().shape == (3, 1)
    assert old().select(pl.len()).collect().item() == 3


@pytest.mark.parametrize("name", ["*", "^x$", "^.*$", "a.b", ""])
def test_names_of_columns_are_no_patterns(tmp_path, name):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write_batch(pa.table({"id": ["a", "b", "c"], name: [5, None, 7]}))
    frame = ws.predictions.scan().sort("id").collect()
    assert frame[name].to_list() == [5, None, 7]
    assert ws.predictions.get("c")[name] == 7


def test_names_and_times_that_no_reader_takes_are_refused(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.predictions.writer(RUN, "wheat") as writer:
        with pytest.raises(ValueError, match="zero byte"):
            writer.write({"id": "a", "a\0b": 1})
        late = dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
        for column in ("x", "created_at"):
            with pytest.raises(TypeError, match=column):
                writer.write({"id": "a", column: late})
        twice = pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64()))
        with pytest.raises(TypeError, match="key twice"):
            writer.write_batch(pa.table({"id": ["a"], "x": twice}))
        writer.write({"id": "a"})
    assert ws.predictions.scan().collect()["id"].to_list() == ["a"]


def test_a_first_file_that_polars_does_not_read_is_one_warning(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for id_ in ("a", "b"):
        write_segment(ws, RUN, [id_], pa.array([1]))
    file = min(ws.path.glob("predictions/*/*.meta.parquet"))
    content = bytearray(file.read_bytes())
    content[content.rindex(b"parquet-rs version")] = 0xFF
    file.write_bytes(content)
    # Its row comes from the journal that is still beside it.
    with pytest.warns(UserWarning, match=file.name):
        assert ws.predictions.scan().collect().height == 2
    page = ws.predictions.page()
    assert (page.total, len(page.errors)) == (2, 1)


def test_a_range_of_dates_has_the_times_that_answers_have(tmp_path):
    texts = ["0000-01-01", "2020-01-01", "+20000-01-01T00:00:00"]
    pq.write_table(pa.table({"id": ["a", "b", "c"], "created_at": texts}), tmp_path / "a.meta.parquet")
    found = n4w.Workspace.open(tmp_path).summary()["date_range"]
    assert [found["earliest"][:10], found["latest"][:10]] == ["2020-01-01"] * 2
