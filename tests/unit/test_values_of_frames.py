"""Frames, tables and batches go in by their meaning, and their columns are sorted and answered."""

import datetime as dt
import uuid
from decimal import Decimal

import nirs4all_workspace as n4w
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from storing import BIG, MOMENT, stored


@pytest.fixture
def run(ws):
    run = ws.runs.create("values", datasets=["wheat"])
    run.transition("running")
    return run


def test_integers_beside_floats_of_another_segment(ws, run):
    numbers = [BIG, -BIG, 2**63 - 1, 7]
    with run.writer("wheat") as writer:
        for number in numbers:
            writer.write({"id": f"i{number}", "x": number})
    with run.writer("wheat") as writer:
        writer.write({"id": "f", "x": 0.5})
    with run.writer("wheat") as writer:
        writer.write_batch(pl.DataFrame({"id": ["u"], "x": pl.Series([2**64 - 1], dtype=pl.UInt64)}))
    assert [ws.predictions.get(f"i{number}")["x"] for number in numbers] == numbers
    assert ws.predictions.get("u")["x"] == 2**64 - 1
    page = ws.predictions.page(columns=["id", "x"], sort_by="id", limit=10)
    shown = {row["id"]: row["x"] for row in page.records}
    # An answer of floats has those that are floats; of the others it says so.
    assert shown == {f"i{number}": None for number in numbers[:3]} | {"i7": 7.0, "f": 0.5, "u": None}
    assert {error["kind"] for error in page.errors} == {"type"}


@pytest.mark.parametrize("form", ["frame", "table", "rows"])
def test_null_columns_of_any_library(ws, run, form):
    columns = {
        "id": pl.Series(["a", "b"]),
        "nothing": pl.Series([None, None], dtype=pl.Null),
        "lists": pl.Series([[None, None], None], dtype=pl.List(pl.Null)),
        "structs": pl.Series(
            [{"a": None, "b": 1}, {"a": None, "b": 2}], dtype=pl.Struct({"a": pl.Null, "b": pl.Int64})
        ),
        "val_score": pl.Series([None, None], dtype=pl.Null),
    }
    frame = pl.DataFrame(columns)
    if form == "rows":
        frame = pl.concat([frame, frame.with_columns(pl.col("id") + "2")], rechunk=False)
    with run.writer("wheat") as writer:
        writer.write_batch(frame.to_arrow() if form == "table" else frame)
    for row in map(ws.predictions.get, frame["id"]):
        assert (row["val_score"], row.get("nothing")) == (None, None)
        assert row["lists"] == ([None, None] if row["id"].startswith("a") else None)
        assert row["structs"] == {"a": None, "b": 1 if row["id"].startswith("a") else 2}
    assert ws.predictions.scan().collect().height == len(frame)
    assert ws.verify(full=True)["problems"] == []
    made = n4w.SummaryAccumulator()
    made.add_batch(frame)
    assert made.summary()["stats"]["val_score"]["nulls"] == len(frame)


def test_extension_types_by_their_meaning(ws, run):
    ids = [uuid.uuid4(), uuid.UUID(int=3)]
    raw = pa.array([it.bytes for it in ids], pa.binary(16))
    truths = pa.array([0, -5], pa.int8())
    lists = pa.ListArray.from_arrays(
        pa.array([0, 1, 2], pa.int32()), pa.ExtensionArray.from_storage(pa.uuid(), raw)
    )
    structs = pa.StructArray.from_arrays([pa.ExtensionArray.from_storage(pa.bool8(), truths)], names=["flag"])
    table = pa.table(
        {
            "id": pa.ExtensionArray.from_storage(pa.uuid(), raw),
            "other": pa.ExtensionArray.from_storage(pa.uuid(), raw),
            "flag": pa.ExtensionArray.from_storage(pa.bool8(), truths),
            "text": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}', None])),
            "lists": lists,
            "structs": structs,
        }
    )
    with run.writer("wheat") as writer:
        writer.write_batch(table)
        for name, array_ in {
            "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2, 3))),
            "opaque": pa.ExtensionArray.from_storage(
                pa.opaque(pa.int64(), "period", "pandas"), pa.array([1])
            ),
        }.items():
            for column in (array_, pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array_)):
                with pytest.raises(TypeError, match=f'"{name}" has extension type'):
                    writer.write_batch(pa.table({"id": ["x"], name: column}))
    for id_, flag, text in zip(ids, [False, True], ['{"a": 1}', None], strict=True):
        row = ws.predictions.get(str(id_))
        assert (row["other"], row["flag"], row["text"]) == (str(id_), flag, text)
        assert (row["lists"], row["structs"]) == ([str(id_)], {"flag": flag})
    made = n4w.SummaryAccumulator()
    made.add_batch(table.append_column("metric", [["rmse"] * 2]).append_column("val_score", [[0.5, 0.25]]))
    assert made.summary()["top_predictions"][0]["id"] == str(ids[1])


def test_types_that_are_none_of_arrow_are_refused_by_name(ws, run):
    with run.writer("wheat") as writer:
        for column in (pl.Series([1], dtype=pl.Int128), pl.Series([[1]], dtype=pl.List(pl.Int128))):
            for take in (writer.write_batch, n4w.SummaryAccumulator().add_batch):
                with pytest.raises(TypeError, match='"big"'):
                    take(pl.DataFrame({"id": ["a"], "big": column}))
        with pytest.raises(TypeError, match="write_batch"):
            writer.write_batch(pl.Series([1.0]))
        writer.write_batch(pl.DataFrame({"id": ["b"]}))
    assert ws.predictions.page().total == 1


def test_frames_of_pandas(ws, run):
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "val_score": np.array([1.5, 2.5], ">f4"),
            "x": np.array([1, 2], ">i8"),
            "masked": pd.array([BIG, None], "Int64"),
            "day": pd.Categorical(["mon", "tue"]),
        }
    )
    with run.writer("wheat") as writer:
        writer.write_batch(frame)
        for name, column in {
            "complex": np.array([1j]),
            "period": pd.period_range("2026-01", periods=1, freq="M"),
            "interval": pd.interval_range(0, 1),
            "mixed": pd.Series([1j], dtype=object),
        }.items():
            with pytest.raises(TypeError, match=name):
                writer.write_batch(pd.DataFrame({"id": ["x"], name: column}))
        for id_, value in {
            "NA": pd.NA,
            "NaT": pd.NaT,
            "time": pd.Timestamp(MOMENT),
            "duration": pd.Timedelta("90s"),
        }.items():
            writer.write({"id": id_, id_: value, "y_true": pd.Series([1, None], dtype="Int64")})
        with pytest.raises(TypeError, match="moment"):
            writer.write({"moment": pd.Period("2026-01")})
        with pytest.raises(ValueError, match="y_true"):
            writer.write({"y_true": pd.array([BIG, None], "Int64")})
    rows = {id_: ws.predictions.get(id_, arrays=True) for id_ in ("a", "b", "NA", "NaT", "time", "duration")}
    assert [
        (rows[id_]["val_score"], rows[id_]["x"], rows[id_]["masked"], rows[id_]["day"]) for id_ in "ab"
    ] == [
        (1.5, 1, BIG, "mon"),
        (2.5, 2, None, "tue"),
    ]
    assert [rows[id_].get(id_) for id_ in ("NA", "NaT", "time", "duration")] == [
        None,
        None,
        MOMENT,
        dt.timedelta(seconds=90),
    ]
    assert np.array_equal(rows["NA"]["y_true"], [1.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("descending", [False, True])
def test_pages_in_the_order_of_unsigned_integers(ws, run, descending):
    numbers = [2**64 - 1, 0, 2**64 - 3, 2**63, 2**64 - 2, BIG, BIG - 1]
    ids = [f"{number:020}" for number in numbers]
    with run.writer("wheat") as writer:
        writer.write_batch(pl.DataFrame({"id": ids, "n": pl.Series(numbers, dtype=pl.UInt64)}))
        writer.write_batch(pl.DataFrame({"id": ["none"]}))
    with run.writer("wheat") as writer:
        writer.write_batch(pl.DataFrame({"id": [f"{7:020}"], "n": pl.Series([7], dtype=pl.UInt8)}))
    expected = sorted([*numbers, 7], reverse=descending)
    found, cursor = [], None
    while True:
        page = ws.predictions.page(
            sort_by="n", descending=descending, limit=2, columns=["id", "n"], cursor=cursor
        )
        found += [row["n"] for row in page.records]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [*expected, None]


def test_a_cursor_of_unsigned_integers_goes_on_where_they_become_floats(ws, run):
    with run.writer("wheat") as writer:
        writer.write_batch(pl.DataFrame({"id": list("abc"), "n": pl.Series([1, 2, 2**63], dtype=pl.UInt64)}))
    first = ws.predictions.page(sort_by="n", descending=False, limit=2, columns=["id"])
    assert [row["id"] for row in first.records] == ["a", "b"]
    with run.writer("wheat") as writer:
        writer.write({"id": "d", "n": 2.5})
    after = ws.predictions.page(
        sort_by="n", descending=False, limit=5, columns=["id"], cursor=first.next_cursor
    )
    assert [row["id"] for row in after.records] == ["d", "c"]


def test_a_column_without_a_name_sorts(ws, run):
    with run.writer("wheat") as writer:
        for number in (3, 1, 2):
            writer.write({"id": str(number), "": number})
    page = ws.predictions.page(sort_by="", descending=True)
    assert [row["id"] for row in page.records] == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        (pa.list_(pa.int8()), [([1], 1)]),
        (pa.struct({"a": pa.int8()}), [({"a": 1}, 1)]),
        (pa.map_(pa.string(), pa.int8()), [([("a", 1)], 1)]),
        (pa.float64(), [(0.0, 1), (-0.0, 2)]),
        (pa.float32(), [(-0.0, 1), (0.0, 2)]),
        (pa.timestamp("ns"), [(1, 1), (2, 2)]),
        (pa.timestamp("ns", "UTC"), [(-1, 1), (-2, 2)]),
        (pa.time64("ns"), [(1000, 1), (1001, 2)]),
        (pa.duration("ns"), [(-1, 1), (2, 2)]),
    ],
)
def test_maps_with_keys_that_dicts_do_not_tell_apart(ws, run, kind, entries):
    table = pa.table({"id": ["a"], "m": pa.array([entries], pa.map_(kind, pa.int8()))})
    with run.writer("wheat") as writer, pytest.raises(TypeError, match='"m"'):
        writer.write_batch(table)
    assert ws.predictions.page().total == 0


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (pa.float64(), {-0.0: 1, 0.5: 2, float("inf"): 3}),
        (pa.binary(), {b"a": 1, b"b": 2}),
        (pa.decimal128(5, 2), {Decimal("1.50"): 1, Decimal("-2.00"): 2}),
        (pa.timestamp("ns"), {dt.datetime(2026, 1, 1): 1, dt.datetime(1969, 1, 1, 0, 0, 0, 1): 2}),
        (pa.duration("ns"), {dt.timedelta(microseconds=-1): 1, dt.timedelta(0): 2}),
        (pa.time64("ns"), {dt.time(1, 2, 3, 4): 1, dt.time(0): 2}),
        (pa.bool_(), {True: 1, False: 2}),
        (pa.uint64(), {2**64 - 1: 1, 0: 2}),
        (pa.date32(), {dt.date(2026, 1, 1): 1}),
    ],
)
def test_maps_with_keys_that_dicts_tell_apart(ws, run, kind, given):
    table = pa.table({"id": ["a"], "m": pa.array([list(given.items())], pa.map_(kind, pa.int8()))})
    with run.writer("wheat") as writer:
        writer.write_batch(table)
    assert ws.predictions.get("a")["m"] == given


@pytest.mark.parametrize("column", ["val_score", "exclusion_rate"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [(BIG, pa.int64()), (2**64 - 1, pa.uint64()), (BIG, pa.dictionary(pa.int8(), pa.int64()))],
)
def test_whole_scores_of_batches_that_no_float_is(ws, run, column, value, kind):
    with run.writer("wheat") as writer:
        with pytest.raises(TypeError, match=column):
            writer.write_batch(pa.table({"id": ["a"], column: pa.array([value], kind)}))
        writer.write_batch(pa.table({"id": ["b", "c"], column: pa.array([2**60, None], pa.int64())}))
    assert ws.predictions.page(columns=["id", column], sort_by="id", descending=False).records == [
        {"id": "b", column: 2.0**60},
        {"id": "c", column: None},
    ]


def test_no_gap_beside_whole_numbers_that_no_float_is(ws, run):
    found, refused = stored(ws, run, {"a": {"x": BIG}, "b": {"x": float("nan")}, "c": {"x": None}})
    assert refused.keys() == {"b"}
    assert "x" in str(refused["b"])
    assert found["a"]["x"] == BIG
    assert found["c"]["x"] is None
