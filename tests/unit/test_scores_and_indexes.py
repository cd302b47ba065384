"""Arrays in columns of numbers are refused by name; an index of pandas is the list of its values."""

import datetime as dt
import itertools

import nirs4all_workspace as n4w
import numpy as np
import pytest

_IDS = itertools.count()


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("numbers") / "ws")
    run = ws.runs.create("r", datasets=["corn"])
    with run, run.writer("corn") as writer:
        writer.row = lambda row: _row(ws, writer, row)
        yield writer


def _row(ws, writer, row):
    row["id"] = f"row {next(_IDS)}"
    writer.write(row)
    writer.flush()
    return ws.predictions.get(row["id"])


ARRAYS = {
    "list": [1.0],
    "tuple": (1.0,),
    "array": np.array([1.0]),
    "two": np.array([1.0, 2.0]),
    "deep": np.array([[7.0]]),
    "empty": np.array([]),
    "masked": np.ma.array([1.0], mask=[True]),
}


@pytest.mark.parametrize("column", ["val_score", "test_score", "n_samples", "step_idx", "exclusion_rate"])
@pytest.mark.parametrize("name", [*ARRAYS, "series"])
def test_an_array_is_no_number(writer, column, name):
    value = pytest.importorskip("pandas").Series([1.0]) if name == "series" else ARRAYS[name]
    with pytest.raises(TypeError, match=rf"column .{column}. must be a (whole )?number") as caught:
        writer.write({"id": "a", column: value})
    assert "a text" not in str(caught.value)


@pytest.mark.parametrize("value", [np.array(7.0), np.float32(7), np.int64(7), 7])
def test_one_number_is_one(writer, value):
    row = writer.row({"id": "a", "val_score": value, "n_samples": value})
    assert (row["val_score"], row["n_samples"]) == (7.0, 7)


def test_indexes_of_pandas_are_lists(writer):
    pd = pytest.importorskip("pandas")
    days = ["2020-01-02", "2020-01-03"]
    plain = '["2020-01-02T00:00:00", "2020-01-03T00:00:00"]'
    given = {
        "index": pd.DatetimeIndex(days),
        "series": pd.Series(pd.to_datetime(days)),
        "array": pd.Series(pd.to_datetime(days)).array,
        "seconds": pd.DatetimeIndex(days).as_unit("s"),
        "zone": pd.DatetimeIndex(days, tz="Europe/Berlin"),
        "missing": pd.DatetimeIndex([days[0], None]),
        "whole": pd.Index([1, 2]),
        "range": pd.RangeIndex(2),
        "texts": pd.CategoricalIndex(["a", "b"]),
    }
    row = writer.row({"id": "a"} | given)
    assert {row[name] for name in ("index", "series", "array", "seconds")} == {plain}
    assert row["zone"] == '["2020-01-02T00:00:00+01:00", "2020-01-03T00:00:00+01:00"]'
    assert row["missing"] == '["2020-01-02T00:00:00", null]'
    assert (row["whole"], row["range"], row["texts"]) == ("[1, 2]", "[0, 1]", '["a", "b"]')


@pytest.mark.parametrize("sign", [1, -1])
def test_the_longest_duration_of_a_row(writer, sign):
    days = sign * 106_751_991
    assert writer.row({"id": "a", "took": dt.timedelta(days=days)})["took"] == dt.timedelta(days=days)
    for longer in (dt.timedelta(days=days + 2 * sign), np.timedelta64(days + 2 * sign, "D")):
        with pytest.raises(ValueError, match=r"column 'took' has a duration beyond 106,751,991 days"):
            writer.write({"id": "b", "took": longer})
