"""The digest of a table's rows: every value counts, and neither order nor storage does."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from nirs4all_workspace import _native

ROWS = 9_001


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    numbers = rng.normal(size=ROWS)
    texts = [None if i % 7 == 0 else f"text {i % 50}" for i in range(ROWS)]
    return pl.DataFrame(
        {
            "id": [f"row {i}" for i in range(ROWS)],
            "score": pl.Series(numbers).set(pl.Series(np.arange(ROWS) % 11 == 0), None),
            "count": np.arange(ROWS) % 5,
            "flag": np.arange(ROWS) % 2 == 0,
            "text": texts,
            "made": [datetime(2026, 1, 1, 0, 0, i % 60, i, tzinfo=UTC) for i in range(ROWS)],
            "names": [[f"{i}", None] if i % 3 else [] for i in range(ROWS)],
            "pair": [{"a": i, "b": f"{i}"} for i in range(ROWS)],
        }
    )


def test_order_and_division_do_not_matter(table):
    whole = _native.row_digest(table)
    assert 0 < whole < 2**128
    assert _native.row_digest(table.sample(fraction=1, shuffle=True, seed=3)) == whole
    assert _native.row_digest(table.select(sorted(table.columns))) == whole
    parts = [_native.row_digest(table[at : at + 1_000]) for at in range(0, ROWS, 1_000)]
    assert sum(parts) % 2**128 == whole
    assert _native.row_digest(table.to_arrow().combine_chunks()) == whole
    assert _native.row_digest(table[:0]) == 0


def test_every_value_counts(table):
    small = table[:40]
    whole = _native.row_digest(small)
    digests = {whole}
    for name in small.columns:
        for row in (0, 17, 39):
            # A value of another row in its place.
            changed = small[name].to_list()
            changed[row] = next(value for value in table[name][40:].to_list() if value != changed[row])
            frame = small.with_columns(pl.Series(name, changed, dtype=small[name].dtype))
            assert not frame.equals(small)
            assert _native.row_digest(frame) != whole
        digests |= {_native.row_digest(small.drop(name)), _native.row_digest(small.rename({name: "renamed"}))}
    assert len(digests) == 1 + len(small.columns) * 2
    assert _native.row_digest(small.vstack(small[:1])) != whole


def test_null_columns_are_missing_ones_and_swapped_ones_are_not(table):
    whole = _native.row_digest(table)
    nulls = pl.lit(None, dtype=pl.Float64).alias("more"), pl.lit(None).alias("untyped")
    assert _native.row_digest(table.with_columns(*nulls)) == whole
    two = pl.DataFrame({"val_score": [0.5, 0.25], "test_score": [0.125, None]})
    swapped = two.rename({"val_score": "test_score", "test_score": "val_score"})
    assert _native.row_digest(two) != _native.row_digest(swapped)
    paired = two.with_columns(pl.col("test_score").reverse())
    assert _native.row_digest(two) != _native.row_digest(paired)


def test_columns_may_be_chosen(table):
    columns = ["text", "score", "absent"]
    assert _native.row_digest(table, columns) == _native.row_digest(table.select("score", "text"))
    nulls = pl.DataFrame({"absent": [None] * ROWS})
    assert _native.row_digest(table, columns=[]) == _native.row_digest(nulls)


@pytest.mark.parametrize(
    ("values", "types"),
    [
        (
            ["x", None, ""],
            [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
        ),
        ([1, None, 0], [pa.int8(), pa.int64(), pa.uint8(), pa.uint64()]),
        ([0.5, None, -0.0], [pa.float16(), pa.float32(), pa.float64()]),
        ([b"x", None], [pa.binary(), pa.large_binary(), pa.binary_view()]),
        (
            [datetime(2026, 5, 1, 12, 0, 3), None],
            [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")] + [pa.timestamp("us", "UTC")],
        ),
        ([["x", None], None, []], [pa.list_(pa.string()), pa.large_list(pa.string_view())]),
    ],
    ids=lambda value: str(value[0]),
)
def test_storage_does_not_matter(values, types):
    # pyarrow 22 hands over views of short texts with a null buffer, which Arrow's C interface follows.
    known = [it for it in types if not (pa.__version__.startswith("22.") and "view" in str(it))]
    tables = [pa.table({"a": pa.array(values).cast(type_)}) for type_ in known]
    assert len({_native.row_digest(table) for table in tables}) == 1


def test_what_looks_alike_is_told_apart():
    def digest(*values: object) -> int:
        return _native.row_digest(pa.table({"a": pa.array(values)}))

    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001], dtype=np.uint64).view(np.float64)
    assert len({digest(float(nan)) for nan in nans}) == 1
    kinds = [0.0, -0.0, 0, False, "", "0", b"", None, [], [None], {"b": None}, float("nan")]
    assert len({digest(value) for value in kinds}) == len(kinds)
    assert digest(2**63 - 1) != digest(-(2**63))
    assert _native.row_digest(pa.table({"a": pa.array([2**64 - 1], pa.uint64())})) != digest(-1)


def test_other_types_are_refused():
    from decimal import Decimal

    with pytest.raises(TypeError):
        _native.row_digest(pa.table({"a": pa.array([Decimal("0.5")])}))
    with pytest.raises(TypeError):
        _native.row_digest({"a": [1]})
