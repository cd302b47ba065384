"""Rows given as mappings and as batches of whatever type are counted alike."""

import collections
import datetime
import types

import polars as pl
import pyarrow as pa
import pytest
from agreement import timeless
from nirs4all_workspace import SchemaError, SummaryAccumulator
from samples import table


def by_rows(rows):
    made = SummaryAccumulator()
    for row in rows:
        made.add(row)
    return timeless(made.summary())


def by_batch(batch):
    made = SummaryAccumulator()
    made.add_batch(batch)
    return timeless(made.summary())


@pytest.mark.parametrize("column", ["fold_id", "model_name", "metric"])
@pytest.mark.parametrize(
    "values", [[0, 1, None], [0.0, 1.0, None], [0.0, 1.5, float("nan")], [True, False, None]], ids=str
)
def test_names_that_are_no_texts_are_written_alike(column, values):
    """Floats as pandas makes them of integers with gaps: a NaN there is a missing name."""
    base = {"metric": ["rmse"] * 3, "val_score": [1.0, 2.0, 3.0], "id": ["a", "b", "c"]}
    batch = pa.table({**base, column: pa.array(values)})
    assert by_batch(batch) == by_rows(batch.to_pylist())


@pytest.mark.parametrize(
    "values", [[0, 1, None], [0.0, None, 1.0], ["0", None, "1"], [0.0, float("nan"), 1.0]], ids=str
)
def test_branches_are_counted_alike(values):
    batch = pa.table({"metric": ["rmse"] * 3, "branch_id": pa.array(values)})
    summary = by_batch(batch)
    assert summary == by_rows(batch.to_pylist())
    assert summary["branch_count"] == 2


SCORE_TYPES = [
    pa.float64(), pa.float32(), pa.float16(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(),
    pa.uint16(), pa.uint32(), pa.uint64(),
]  # fmt: skip


@pytest.mark.parametrize("dtype", SCORE_TYPES, ids=str)
def test_scores_of_every_numeric_type(dtype):
    plain = pa.table(
        {"metric": ["mse"] * 4, "val_score": pa.array([3, 1, None, 2], pa.int64()), "id": list("abcd")}
    )
    typed = plain.set_column(1, "val_score", plain["val_score"].cast(dtype))
    assert by_batch(typed) == by_rows(
        [row | {"val_score": row["val_score"] and float(row["val_score"])} for row in plain.to_pylist()]
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_times_of_every_unit(unit, zone):
    times = [datetime.datetime(2026, 1, 16, 8, 27, 29), None, datetime.datetime(1969, 12, 31, 23, 59, 58)]
    if zone:
        times = [time and time.replace(tzinfo=datetime.UTC) for time in times]
    batch = pa.table({"created_at": pa.array(times, pa.timestamp(unit, zone))})
    wanted = {"earliest": "1969-12-31T23:59:58", "latest": "2026-01-16T08:27:29"}
    for made in (by_batch(batch), by_rows(batch.to_pylist()), by_batch(pl.from_arrow(batch))):
        for key, value in made["date_range"].items():
            parsed = datetime.datetime.fromisoformat(value)
            assert parsed == datetime.datetime.fromisoformat(wanted[key]).replace(tzinfo=datetime.UTC)


def test_times_as_texts_of_mixed_shapes():
    texts = [
        "2026-01-16T10:00:00+02:00",
        "2026-01-16T08:30:00Z",
        "2026-01-16 08:29:59.5",
        "nonsense",
        "",
        None,
    ]
    batch = pa.table({"created_at": texts})
    for text in ("nonsense", ""):  # in files of others null, of a mapping refused
        with pytest.raises(ValueError, match="created_at"):
            by_rows([{"created_at": text}])
    rows = [{"created_at": text} for text in texts if text not in ("nonsense", "")]
    for made in (by_batch(batch), by_rows(rows)):
        found = {key: datetime.datetime.fromisoformat(value) for key, value in made["date_range"].items()}
        day = datetime.datetime(2026, 1, 16, tzinfo=datetime.UTC)
        assert found == {"earliest": day.replace(hour=8), "latest": day.replace(hour=8, minute=30)}


@pytest.mark.parametrize(
    "wrap",
    [dict, collections.OrderedDict, types.MappingProxyType, collections.UserDict, collections.ChainMap],
)
def test_any_mapping_is_a_row(wrap):
    rows = table(5).to_pylist()
    assert by_rows([wrap(row) for row in rows]) == by_rows(rows)


@pytest.mark.parametrize("row", [None, 1, "text", [("metric", "rmse")], object()])
def test_what_is_no_mapping_is_refused(row):
    made = SummaryAccumulator()
    with pytest.raises(TypeError):
        made.add(row)
    assert len(made) == 0


@pytest.mark.parametrize("score", ["0.5", b"1", [1.0], {}, object(), 1j])
def test_a_score_that_is_no_number_is_refused(score):
    made = SummaryAccumulator()
    with pytest.raises(TypeError, match="val_score"):
        made.add({"val_score": score, "metric": "rmse"})
    assert len(made) == 0


@pytest.mark.parametrize("batch", [None, 1, [{"val_score": 1.0}], {"val_score": [1.0]}, "text"])
def test_what_is_no_batch_is_refused(batch):
    made = SummaryAccumulator()
    with pytest.raises(TypeError):
        made.add_batch(batch)
    assert len(made) == 0


def test_a_bad_column_adds_nothing():
    made = SummaryAccumulator()
    good, bad = table(3), table(3, val_score=["a", "b", "c"])
    made.add_batch(good)
    with pytest.raises(SchemaError, match="val_score"):
        made.add_batch(bad)
    assert len(made) == 3


def test_a_stream_that_breaks_off_adds_nothing():
    good = table(3).to_batches()[0]

    def batches():
        yield good
        raise RuntimeError("the disk is gone")

    made = SummaryAccumulator()
    with pytest.raises(Exception, match="the disk is gone"):
        made.add_batch(pa.RecordBatchReader.from_batches(good.schema, batches()))
    assert len(made) == 0


def test_a_batch_without_any_known_column_counts_its_rows():
    assert by_batch(pa.table({"x": [1, 2, 3]}))["total_predictions"] == 3


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_lone_surrogate_is_refused_not_dropped(text):
    made = SummaryAccumulator()
    with pytest.raises((UnicodeEncodeError, ValueError)):
        made.add({"model_name": text})
    assert len(made) == 0


UTC, INDIA = datetime.UTC, datetime.timezone(datetime.timedelta(hours=5, minutes=30))


@pytest.mark.parametrize("zone", [UTC, INDIA, None], ids=str)
@pytest.mark.parametrize("year", [2, 1600, 1871, 1969, 2026, 2068, 2300, 9998])
def test_a_datetime_is_kept_to_the_microsecond(year, zone):
    for micros in (0, 1, 123_457, 999_999):
        when = datetime.datetime(year, 12, 31, 23, 59, 59, micros, zone)
        utc = when.replace(tzinfo=UTC) if zone is None else when.astimezone(UTC)
        told = by_rows([{"metric": "rmse", "val_score": 1.0, "created_at": when}])["date_range"]
        assert [datetime.datetime.fromisoformat(told[end]) for end in ("earliest", "latest")] == [utc, utc]


def test_what_a_ranking_shows_is_looked_up_for_ranked_rows():
    """Also for those that come when many better ones are kept already, and after the candidates changed."""
    rows = [
        {
            "id": f"{row:03}",
            "partition": "train",
            "metric": "rmse",
            "val_score": 1.0 + row % 7,
            "fold_id": "0",
        }
        for row in range(100)
    ]
    rows += [row | {"id": f"v{row['id']}", "partition": "val", "preprocessings": "SNV"} for row in rows]
    rows += [row | {"id": f"w{row['id']}", "val_score": row["val_score"] - 0.5} for row in rows[::-1]]
    expected = sorted(
        (row for row in rows if row["partition"] == "val"), key=lambda row: (row["val_score"], row["id"])
    )
    top = by_rows(rows)["top_predictions"]
    assert [(row["id"], row["preprocessings"]) for row in top] == [
        (row["id"], row["preprocessings"]) for row in expected[:10]
    ]
