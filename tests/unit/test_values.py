"""Values go in by their meaning, or are refused by name and leave the writer as it was."""

import array
import datetime as dt
import enum
import json
import pathlib
import uuid
import warnings
from decimal import Decimal
from fractions import Fraction

import nirs4all_workspace as n4w
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from storing import BIG, MOMENT, UTC, stored


@pytest.fixture
def run(ws):
    run = ws.runs.create("values", datasets=["wheat"])
    run.transition("running")
    return run


MASKED = np.ma.masked


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Quantity(np.ndarray):
    """What libraries of units make of arrays."""

    unit = "nm"


class Measure:
    """What others do."""

    units = "nm"

    def __float__(self):
        return 1.0

    def item(self):
        return 1.0


GRID = np.arange(24.0).reshape(2, 3, 4)
KINDS = [
    f"{order}{kind}{size}"
    for order in "<>"
    for kind, sizes in (("f", "248"), ("i", "1248"), ("u", "1248"))
    for size in sizes
]
LAYOUTS = {
    "c": lambda it: it,
    "fortran": np.asfortranarray,
    "transposed": lambda it: it.T,
    "reversed": lambda it: it[::-1, :, ::-2],
    "one": lambda it: it[1, 2, ::2],
    "matrix": lambda it: it[0],
    "number": lambda it: it[1, 1, 1],
    "no dimensions": lambda it: np.array(it[1, 1, 1]),
    "empty": lambda it: it[:0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_dtype_order_and_stride(ws, run, layout):
    expected = np.asarray(LAYOUTS[layout](GRID))
    given = {kind: {"y_true": LAYOUTS[layout](GRID.astype(kind))} for kind in [*KINDS, "longdouble"]}
    found, refused = stored(ws, run, given)
    assert not refused
    for kind, row in found.items():
        assert row["y_true"].dtype == np.float64, kind
        assert row["y_true"].shape == expected.shape, kind
        assert np.array_equal(row["y_true"], expected), kind


def test_what_is_masked_or_null_in_an_array_is_nan(ws, run):
    nan = float("nan")
    masked = np.ma.array([[1.0, 999.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    given = {
        "masked": (masked, [[1.0, nan], [3.0, 4.0]]),
        "big-endian": (masked.astype(">f4"), [[1.0, nan], [3.0, 4.0]]),
        "hidden": (np.ma.array([1, BIG], mask=[0, 1]), [1.0, nan]),
        "no mask": (np.ma.array([1.0, 2.0]), [1.0, 2.0]),
        "objects": (np.array([1, None, 2.5, MASKED], dtype=object), [1.0, nan, 2.5, nan]),
        "list": ([1.0, MASKED, None, Decimal("0.1")], [1.0, nan, nan, 0.1]),
        "rows": ([np.ma.array([1, 2], mask=[1, 0]), [3, np.float16(4)]], [[nan, 2.0], [3.0, 4.0]]),
        "polars": (pl.Series([1, None, 3]), [1.0, nan, 3.0]),
        "polars list": (pl.Series([[1, None], [2, 3]]), [[1.0, nan], [2.0, 3.0]]),
        "pyarrow": (pa.array([True, None]), [1.0, nan]),
        "chunks": (pa.chunked_array([[1], [None]], pa.int64()), [1.0, nan]),
        "frame": (pl.DataFrame({"a": [1, None], "b": [0.5, 0.25]}), [[1.0, 0.5], [nan, 0.25]]),
        "bool": (np.array([True, False]), [1.0, 0.0]),
        "buffer": (array.array("h", [1, 2]), [1.0, 2.0]),
        "view": (memoryview(array.array("f", [1, 2])), [1.0, 2.0]),
        "range": (range(3), [0.0, 1.0, 2.0]),
        "empty": ([], []),
    }
    found, refused = stored(ws, run, {id_: {"weights": value} for id_, (value, _) in given.items()})
    assert not refused
    for id_, (_, expected) in given.items():
        assert np.array_equal(found[id_]["weights"], np.array(expected), equal_nan=True), id_


def test_a_masked_array_as_a_whole_is_none(ws, run):
    found, _ = stored(ws, run, {"masked": {"y_true": MASKED}, "none": {"y_true": None}})
    assert [row["y_true"] for row in found.values()] == [None, None]


def test_arrays_that_would_lose_their_meaning_are_refused(ws, run):
    given = {
        "complex": np.array([1 + 2j]),
        "time": np.array(["2026-01-01"], "M8[ns]"),
        "duration": np.array([1], "m8[s]"),
        "text": np.array(["1.0"]),
        "bytes": np.array([b"1.0"]),
        "record": np.array([(1.0, 2.0)], dtype="f8,f8"),
        "integer": np.array([BIG]),
        "largest": np.array([2**63 - 1]),
        "unsigned": np.array([2**64 - 1], dtype=">u8"),
        "integers": [1, BIG],
        "beyond": [10**400],
        "polars": pl.Series([BIG, None]),
        "pyarrow": pa.array([BIG, None]),
        "frame": pl.DataFrame({"a": [0.5], "b": [BIG]}),
        "unit": np.array([1.0]).view(Quantity),
        "objects": np.array([dt.date(2026, 1, 1)], dtype=object),
        "texts": ["1.0"],
        "complexes": [1j],
        "ragged": [[1.0], [1.0, 2.0]],
        "mixed": [1.0, [2.0]],
        "mapping": {0: 1.0},
        "set": {1.0},
        "digits": "12",
        "raw": b"12",
        "dates": pl.Series([dt.date(2026, 1, 1)]),
        "words": pl.Series(["a"]),
    }
    if np.finfo(np.longdouble).bits > 64:
        given["long"] = np.array([2], np.longdouble) ** 63 + 1
    found, refused = stored(ws, run, {id_: {"y_pred": value} for id_, value in given.items()} | {"good": {}})
    assert refused.keys() == given.keys()
    assert found.keys() == {"good"}
    for id_, error in refused.items():
        assert "y_pred" in str(error), id_


def test_whole_numbers_that_floats_hold_are_exact(ws, run):
    numbers = [2**53, -(2**60), 2**62]
    given = {"array": np.array(numbers), "list": numbers, "polars": pl.Series(numbers)}
    found, refused = stored(ws, run, {id_: {"sample_indices": value} for id_, value in given.items()})
    assert not refused
    assert all([int(it) for it in row["sample_indices"]] == numbers for row in found.values())


DAY = dt.datetime(2026, 1, 2, tzinfo=UTC)
with warnings.catch_warnings():
    # NumPy begins to warn of times and durations without a unit.
    warnings.simplefilter("ignore", DeprecationWarning)
    NO_DATE, NO_DURATION, ONE_OF_NO_UNIT = np.datetime64("NaT"), np.timedelta64("NaT"), np.timedelta64(1)
MEANT = {
    "masked": (MASKED, None),
    "masked number": (np.ma.array(5.0, mask=True), None),
    "masked mean": (np.ma.mean(np.ma.array([9.0], mask=[1])), None),
    "masked element": (np.ma.array([5, 6], mask=[0, 1])[1], None),
    "not masked": (np.ma.array([5, 6], mask=[0, 1])[0], 5),
    "NaT": (NO_DATE, None),
    "NaT of durations": (NO_DURATION, None),
    "null of pyarrow": (pa.scalar(None, pa.int64()), None),
    "half": (np.float16(1.5), 1.5),
    "long": (np.longdouble(1.5), 1.5),
    "big-endian": (np.array([7], ">i2")[0], 7),
    "largest": (np.int64(2**63 - 1), 2**63 - 1),
    "exact": (BIG, BIG),
    "bool": (np.bool_(True), True),
    "text": (np.str_("x"), "x"),
    "no dimensions": (np.array(0.25, ">f4"), 0.25),
    "decimal": (Decimal("0.1"), 0.1),
    "whole decimal": (Decimal(BIG), BIG),
    "fraction": (Fraction(3, 8), 0.375),
    "enumeration": (Colour.RED, "red"),
    "number of an enumeration": (Level.HIGH, 3),
    "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
    "uuid": (uuid.UUID(int=10), "00000000-0000-0000-0000-00000000000a"),
    "scalar of pyarrow": (pa.scalar(2.5), 2.5),
    "list": ([1, MASKED, np.float32(0.5)], [1, None, 0.5]),
    "array": (np.ma.array([1, 2], mask=[0, 1]), [1, None]),
    "big-endian array": (np.array([[1.5, 2.5]], ">f8"), [[1.5, 2.5]]),
    "record": (np.array([(1, 2.5)], dtype=[("a", ">i4"), ("b", "f8")])[0], {"a": 1, "b": 2.5}),
    "times": (np.array(["2026-01-02T03:04:05.123456789"], "M8[ns]"), ["2026-01-02T03:04:05.123456789"]),
    "mapping": ({"at": np.datetime64("2026-01-02")}, {"at": "2026-01-02"}),
    "duration": (dt.timedelta(days=2, microseconds=1), dt.timedelta(days=2, microseconds=1)),
    "time": (dt.time(3, 4), "03:04:00"),
    "day": (DAY.date(), DAY),
    "month": (np.datetime64("2026-02"), DAY.replace(month=2, day=1)),
    "year": (np.datetime64("1901"), DAY.replace(year=1901, day=1)),
    "picoseconds": (np.datetime64(5_000_000, "ps"), dt.datetime(1970, 1, 1, 0, 0, 0, 5, tzinfo=UTC)),
    "attoseconds": (np.datetime64(-(10**18), "as"), dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "zone": (MOMENT.astimezone(dt.timezone(dt.timedelta(hours=5))), MOMENT),
}
MEANT |= {
    f"time in {unit}": (np.datetime64(MOMENT.replace(tzinfo=None)).astype(f"M8[{unit}]"), MOMENT)
    for unit in ("us", "ns")
}
MEANT |= {f"day in {unit}": (np.datetime64("2026-01-02", unit), DAY) for unit in ("D", "h", "m", "s", "ms")}
MEANT |= {
    f"duration in {unit}": (np.timedelta64(count, unit), dt.timedelta(minutes=minutes))
    for unit, count, minutes in (
        ("W", 1, 10080),
        ("D", 2, 2880),
        ("h", -3, -180),
        ("m", 4, 4),
        ("s", 60, 1),
        ("ms", 60_000, 1),
        ("ns", 6 * 10**10, 1),
    )
}


def test_values_of_extra_columns(ws, run):
    rows = {id_: {f"x {id_}": value} for id_, (value, _) in MEANT.items()}
    found, refused = stored(ws, run, rows)
    assert not refused
    for id_, (_, expected) in MEANT.items():
        actual = found[id_].get(f"x {id_}")
        if isinstance(expected, list | dict):
            actual = json.loads(actual)
        assert actual == expected, id_
        assert type(actual) is type(expected) or isinstance(expected, dt.datetime), id_


def test_values_that_no_column_holds_are_refused_by_name(ws, run):
    given = {
        "complex": 1j,
        "complex of numpy": np.complex64(1),
        "bytes": b"x",
        "bytes of numpy": np.bytes_(b"x"),
        "set": {1},
        "class": Colour,
        "beyond 64 bits": 2**63,
        "unsigned": np.uint64(2**64 - 1),
        "no float": Decimal("0.12345678901234567890123"),
        "third": Fraction(1, 3),
        "beyond": Decimal("1e999999"),
        "nanoseconds": np.datetime64("2026-01-02T03:04:05.123456789"),
        "short": np.timedelta64(1, "ns"),
        "no length": np.timedelta64(1, "M"),
        "no unit": ONE_OF_NO_UNIT,
        "far": np.datetime64("20260-01-01"),
        "far away": np.datetime64(2**62, "Y"),
        "long ago": np.datetime64("-0001-01-01", "s"),
        "long": np.timedelta64(2**62, "D"),
        "unit": Measure(),
        "array of units": np.array(1.0).view(Quantity),
        "nested": {"a": [np.timedelta64(1, "ns")]},
        "nested complex": [np.complex128(1)],
    }
    if np.finfo(np.longdouble).bits > 64:
        given["whole"] = np.longdouble(2) ** 63 + 1
        given["infinite"] = np.longdouble("1e400")
    rows = {id_: {f"x {id_}": value} for id_, value in given.items()}
    _, refused = stored(ws, run, rows | {"good": {"val_score": 1.0}})
    assert refused.keys() == given.keys()
    for id_, error in refused.items():
        assert f"x {id_}" in str(error), id_


SCORES = {
    "masked": (MASKED, None),
    "NaT": (NO_DATE, None),
    "half": (np.float16(0.5), 0.5),
    "big-endian": (np.array([0.25], ">f8")[0], 0.25),
    "array": (np.array(0.75, ">f4"), 0.75),
    "decimal": (Decimal("0.12345678901234567890123"), 0.12345678901234568),
    "fraction": (Fraction(1, 3), 1 / 3),
    "whole": (np.uint8(2), 2.0),
}
NO_SCORES = {
    "complex": np.complex128(1 + 2j),
    "bool": np.bool_(True),
    "text": "0.5",
    "duration": np.timedelta64(5, "s"),
    "time": np.datetime64("2026-01-01"),
    "list": [0.5],
    "unit": Measure(),
    "bytes": b"1",
}


def test_scores_of_mappings(ws, run):
    rows = {id_: {"val_score": value, "metric": "rmse"} for id_, (value, _) in SCORES.items()}
    others = {id_: {"val_score": value} for id_, value in NO_SCORES.items()}
    found, refused = stored(ws, run, rows | others)
    assert {id_: row["val_score"] for id_, row in found.items()} == {
        id_: it for id_, (_, it) in SCORES.items()
    }
    assert refused.keys() == NO_SCORES.keys()
    assert [row["id"] for row in ws.predictions.top(1, metric="rmse")] == ["decimal"]


def test_an_accumulator_takes_what_a_writer_takes(ws, run):
    names = {
        "masked": MASKED,
        "half": np.float16(2),
        "bool": np.bool_(False),
        "enum": Colour.RED,
        "day": np.datetime64("2026-01-02"),
    }
    rows = [{"val_score": value, "metric": "rmse"} for value, _ in SCORES.values()]
    rows += [{"model_name": value, "metric": "rmse", "created_at": MOMENT} for value in names.values()]
    rows += [{"created_at": np.datetime64("2026-01-02T00:00:00"), "fold_id": np.int8(1), "metric": "rmse"}]
    made = n4w.SummaryAccumulator()
    for value in NO_SCORES.values():
        with pytest.raises((TypeError, ValueError), match="val_score"):
            made.add({"val_score": value})
    with run.writer("wheat") as writer:
        for number, row in enumerate(rows):
            row = {"id": str(number), "run_id": run.id, "dataset_name": "wheat", **row}
            row.setdefault("created_at", MOMENT)
            made.add(row)
            writer.write(row)
    [file] = (ws.path / "predictions").rglob("*.meta.parquet")
    ours, theirs = made.summary(), n4w.read_summary(file)
    assert {key: ours[key] for key in ours if key != "generated_at"} == {
        key: theirs[key] for key in ours if key != "generated_at"
    }
    assert ours["stats"]["val_score"]["nulls"] == len(rows) - 6


TIMES = {
    "2026-01-02": DAY,
    "2026-01-02T03:04": DAY.replace(hour=3, minute=4),
    "2026-01-02 03:04": DAY.replace(hour=3, minute=4),
    "2026-01-02T03:04Z": DAY.replace(hour=3, minute=4),
    "2026-01-02T03:04:05.123456": MOMENT,
    "2026-01-02 04:04:05.123456+0100": MOMENT,
    "2026-01-02T05:04:05.123456+02": MOMENT,
    "2026-01-02T01:34:05.123456-01:30": MOMENT,
}


def test_times_as_text(ws, run):
    with run.writer("wheat") as writer:
        for text in TIMES:
            writer.write({"id": text, "created_at": text})
        writer.write_batch(pa.table({"id": [f"b{text}" for text in TIMES], "created_at": list(TIMES)}))
        for text in ("yesterday", "2026-1-2", "2026-13-01", ""):
            with pytest.raises(TypeError, match="created_at"):
                writer.write({"created_at": text})
    for text, time in TIMES.items():
        assert ws.predictions.get(text)["created_at"] == time, text
        assert ws.predictions.get(f"b{text}")["created_at"] == time, text
        summed = n4w.SummaryAccumulator()
        summed.add({"created_at": text})
        earliest = summed.summary()["date_range"]["earliest"]
        assert dt.datetime.fromisoformat(earliest) == time, text


@pytest.mark.parametrize(
    ("value", "error"), [("yesterday", ValueError), (5, TypeError), ((1, 2), ValueError)]
)
def test_an_accumulator_takes_no_other_texts_for_times(value, error):
    summed = n4w.SummaryAccumulator()
    summed.add({"created_at": "2026-01-02"})  # rows like the one before are added by another way
    with pytest.raises(error, match="created_at"):
        summed.add({"created_at": value})
    assert summed.summary()["total_predictions"] == 1


def test_missing_values_and_offsets_within_values(ws, run):
    zoned = pd.Timestamp("2026-01-01", tz="Asia/Tokyo")
    given = {
        "texts": (pd.Series(["a", None], dtype="str"), ["a", None]),
        "categories": (pd.Categorical(["a", None]), ["a", None]),
        "objects": (pd.Series(["a", None], dtype=object), ["a", None]),
        "gaps": (pd.Series([1.5, float("nan")]), [1.5, "NaN"]),
        "nullable": (pd.array([1, None], "Int64"), [1, None]),
        "matrix": (np.array([[1, 2], [3, 4]]).view(np.matrix), [[1, 2], [3, 4]]),
        "zoned": ([zoned], ["2026-01-01T00:00:00+09:00"]),
        "zoned series": (pd.Series([zoned, None]), ["2026-01-01T00:00:00+09:00", None]),
        "ns": ({"at": zoned + pd.Timedelta(1, "ns")}, {"at": "2026-01-01T00:00:00.000000001+09:00"}),
        "arrow": ([pa.scalar(zoned)], ["2026-01-01T00:00:00+09:00"]),
        "naive": ([pd.Timestamp("2026-01-01")], ["2026-01-01T00:00:00"]),
        "map": (pa.scalar([("a", 1)], pa.map_(pa.string(), pa.int8())), {"a": 1}),
        "struct": (pa.scalar({"a": 1, "b": None}), {"a": 1, "b": None}),
        "lists": (pa.scalar([[1], None]), [[1], None]),
        "record": (np.ma.array([(1, 2.0)], mask=[(1, 0)], dtype="i8,f8")[0], {"f0": None, "f1": 2.0}),
    }
    found, refused = stored(ws, run, {id_: {id_: value} for id_, (value, _) in given.items()})
    assert not refused
    assert {id_: json.loads(found[id_][id_]) for id_ in given} == {
        id_: meant for id_, (_, meant) in given.items()
    }


def test_offsets_in_results(ws, run):
    zoned = pd.Timestamp("2026-01-01", tz="Asia/Tokyo")
    with run.writer("wheat") as writer:
        writer.checkpoint({"id": "r", "extra": {"at": zoned}})
    [result] = ws.results.list(run=run.id)
    assert result.to_dict()["extra"] == {"at": "2026-01-01T00:00:00+09:00"}


def test_values_that_would_change_are_refused(ws, run):
    given = {
        "series": pl.Series([1.5]),
        "frame": pl.DataFrame({"a": [1]}),
        "memory": memoryview(b"abc"),
        "interval": pa.scalar((1, 2, 3), pa.month_day_nano_interval()),
        "time": pa.scalar(1999, pa.time64("ns")),
        "times": pa.array([1999], pa.time64("ns")),
        "times of a list": pa.scalar([1999], pa.list_(pa.time64("ns"))),
        "longest": dt.timedelta.max,
        "fraction": Fraction(10**5000, 3),
    }
    if np.finfo(np.longdouble).bits > 64:
        given["long"] = np.longdouble(1) / 3
    found, refused = stored(ws, run, {id_: {f"x {id_}": value} for id_, value in given.items()})
    assert not found
    for id_, error in refused.items():
        assert f"x {id_}" in str(error)
    deep: list = [1]
    for _ in range(70):
        deep = [deep]
    within: list = []
    within.append(within)
    arrays = {"deep": deep, "within": within, "digits": [10**5000], "keys": {1: 1}}
    found, refused = stored(ws, run, {id_: {"y_pred": value} for id_, value in arrays.items()})
    assert not found
    assert all("y_pred" in str(error) for error in refused.values())
