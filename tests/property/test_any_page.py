"""`page` against filter, sort and slice of all rows: any query, on files of any kind, by offset and by cursor."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nirs4all_workspace as n4w
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paging import LIST, fitting, ordered
from strategies import FILE_FORMS, FILTERS, SORTS, flat_files, rows


def same(records: list[dict], wanted: list[dict]) -> bool:
    """Equal, NaN to NaN too, and 0.0 not to -0.0."""
    return repr(records) == repr(wanted)


PARTS = st.lists(
    st.tuples(rows(max_size=20), st.sampled_from(FILE_FORMS)), min_size=1, max_size=4
)
QUERIES = st.tuples(st.one_of(st.just({}), FILTERS), SORTS)


@given(parts=PARTS, rebuilt=st.integers(0, 4), query=QUERIES, offset=st.integers(0, 40), limit=st.integers(0, 30))
@settings(max_examples=150)
def test_any_page_of_old_files(parts, rebuilt, query, offset, limit):
    filters, (sort_by, descending) = query
    with TemporaryDirectory() as folder:
        frames = flat_files(Path(folder), [part for part, _ in parts], [form for _, form in parts], rebuilt)
        everything = pl.concat(frames)
        predictions = n4w.Workspace.open(folder).predictions
        wanted = ordered(fitting(everything, filters), sort_by, descending).select(LIST).to_dicts()
        page = predictions.page(offset, limit, sort_by, descending, **filters)
        assert page.errors == []
        assert (page.total, page.offset, page.limit) == (len(wanted), offset, limit)
        assert same(page.records, wanted[offset : offset + limit])
        assert page.has_more == (offset + len(page.records) < len(wanted))
        again = predictions.page(offset, limit, sort_by, descending, **filters)
        assert repr(again) == repr(page)
        assert same(by_cursor(predictions, max(limit, 1), sort_by, descending, filters), wanted)


def by_cursor(predictions, limit, sort_by, descending, filters) -> list[dict]:
    page = predictions.page(0, limit, sort_by, descending, **filters)
    records = list(page.records)
    while page.next_cursor:
        assert page.next_cursor.isascii()
        page = predictions.page(0, limit, sort_by, descending, page.next_cursor, **filters)
        assert page.offset == len(records)
        records += page.records
    assert not page.has_more
    return records
