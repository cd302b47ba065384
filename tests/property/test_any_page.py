"""`page` against filter, sort and slice of all rows: any query, any kind of file, by offset and by cursor."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import nirs4all_workspace as n4w
import polars as pl
import pytest
import tiers
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace import _native
from paging import LIST, fitting, ordered
from strategies import FILE_FORMS, FILTERS, SORTS, flat_files, rows, unique_ids

# Values that a writer warns of are what is tested.
pytestmark = [
    pytest.mark.filterwarnings("ignore:metric .* is unknown:UserWarning"),
    pytest.mark.filterwarnings("ignore:partition .* expected:UserWarning"),
]

PARTS = st.lists(st.tuples(rows(max_size=20), st.sampled_from(FILE_FORMS)), min_size=1, max_size=4)
COLUMNS = st.one_of(
    st.none(),
    st.lists(st.sampled_from([*LIST, "created_at", "branch_id", "n_samples"]), unique=True),
)


def same(records: list[dict], wanted: list[dict]) -> bool:
    """Equal, NaN to NaN too, and 0.0 not to -0.0; times whatever their object for UTC."""

    def shown(rows):
        return [
            {name: str(value) if name == "created_at" else value for name, value in row.items()}
            for row in rows
        ]

    return repr(shown(records)) == repr(shown(wanted))


def by_cursor(predictions, limit, sort_by, descending, filters) -> list[dict]:
    page = predictions.page(0, limit, sort_by, descending, **filters)
    records = list(page.records)
    while page.next_cursor:
        assert page.next_cursor.isascii()
        assert page.has_more
        page = predictions.page(0, limit, sort_by, descending, page.next_cursor, **filters)
        assert page.offset == len(records)
        records += page.records
    assert not page.has_more
    return records


@given(
    parts=PARTS,
    rebuilt=st.integers(0, 4),
    filters=st.one_of(st.just({}), FILTERS),
    sort=SORTS,
    offset=st.integers(0, 40),
    limit=st.integers(0, 30),
    columns=COLUMNS,
)
def test_any_page_of_old_files(parts, rebuilt, filters, sort, offset, limit, columns):
    sort_by, descending = sort
    with TemporaryDirectory() as folder:
        root = Path(folder, "one")
        root.mkdir()
        frames = flat_files(root, [part for part, _ in parts], [form for _, form in parts], rebuilt)
        everything = pl.concat(frames).with_columns(n_samples=pl.lit(None, pl.Int64))
        predictions = n4w.Workspace.open(root).predictions
        wanted = ordered(fitting(everything, filters), sort_by, descending)
        shown = wanted.select(columns or LIST).to_dicts()
        if columns == []:
            shown = [{}] * len(wanted)
        if "run" in filters and filters["run"] not in everything["run_id"]:
            with pytest.raises(n4w.NotFoundError, match=f"there is no run '{filters['run']}'"):
                predictions.page(offset, limit, sort_by, descending, columns=columns, **filters)
            return
        page = predictions.page(offset, limit, sort_by, descending, columns=columns, **filters)
        assert page.errors == []
        assert (page.total, page.offset, page.limit) == (len(shown), offset, limit)
        assert same(page.records, shown[offset : offset + limit])
        assert page.has_more == (limit > 0 and offset + len(page.records) < len(shown))
        # From memory, by cursors, by one thread, and by one that has nothing in memory.
        again = predictions.page(offset, limit, sort_by, descending, columns=columns, **filters)
        assert repr(again) == repr(page)
        listed = wanted.select(LIST).to_dicts()
        assert same(by_cursor(predictions, max(limit, 1), sort_by, descending, filters), listed)
        elsewhere = shutil.copytree(root, Path(folder, "two"))
        asked = predictions._asked(offset, limit, sort_by, descending, None, LIST, True, filters)
        alone = _native.page_predictions(elsewhere, asked, as_batch=True, threads=1)
        assert same(pl.DataFrame(alone["batch"]).to_dicts(), listed[offset : offset + limit])


RUNS = ("2026-01-01_A_00000000000a", "2026-01-01_B_00000000000b")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 1), st.sampled_from("ab"), rows(max_size=8)),
        st.sampled_from([("close",), ("compact",), ("recover",), ("cache",)]),
    ),
    min_size=1,
    max_size=10,
)


class Writing:
    """A workspace of format 2 that is written to, and what it must hold."""

    def __init__(self, root: Path) -> None:
        self.ws = n4w.Workspace.create(root)
        self.writers = {}
        self.rows = []

    def step(self, what, *arguments) -> None:
        if what == "write":
            run, dataset, content = arguments
            key = (RUNS[run], dataset)
            writer = self.writers.get(key) or self.ws.predictions.writer(*key)
            self.writers[key] = writer
            for row in unique_ids(content, len(self.rows)):
                # An unfinished result's rows would go when their writer closes.
                row = row | {"dataset_name": dataset, "run_id": key[0]}
                writer.write({name: value for name, value in row.items() if value is not None})
                self.rows.append(row)
            writer.flush()
        elif what == "close":
            self.close()
        elif what == "compact":
            self.close()
            self.ws.predictions.compact()
        elif what == "recover":
            self.ws.recover()
        else:
            shutil.rmtree(self.ws.path / ".cache", ignore_errors=True)

    def close(self) -> None:
        while self.writers:
            self.writers.popitem()[1].close()

    def frame(self) -> pl.DataFrame:
        """All rows as `scan` has them."""
        return self.ws.predictions.scan().collect().with_columns(stem=pl.lit(""), row=0)


@tiers.costly()
@given(steps=STEPS, filters=st.one_of(st.just({}), FILTERS), sort=SORTS, limit=st.integers(1, 7))
def test_pages_while_segments_come_and_are_sealed_and_merged(steps, filters, sort, limit):
    sort_by, descending = sort
    filters = {**filters, **({"run": RUNS[0]} if "run" in filters else {})}
    with TemporaryDirectory() as folder:
        writing = Writing(Path(folder, "ws"))
        try:
            writing.step("write", 0, "a", [{"val_score": 1.0, "metric": "rmse"}] * 3)
            predictions = writing.ws.predictions
            at_start = {
                row["id"]
                for row in ordered(fitting(writing.frame(), filters), sort_by, descending).to_dicts()
            }
            page = predictions.page(0, limit, sort_by, descending, **filters)
            seen = list(page.records)
            for number, step in enumerate([*steps, *[("cache",)] * 60]):
                if number < len(steps):
                    writing.step(*step)
                    frame = writing.frame()
                    assert frame.height == len(writing.rows)
                    wanted = ordered(fitting(frame, filters), sort_by, descending).select(LIST).to_dicts()
                    whole = predictions.page(0, 1000, sort_by, descending, **filters)
                    assert same(whole.records, wanted)
                    assert whole.total == len(wanted)
                    assert whole.errors == []
                if page.next_cursor is None:
                    continue
                page = predictions.page(0, limit, sort_by, descending, page.next_cursor, **filters)
                seen += page.records
            ids = [row["id"] for row in seen]
            assert len(set(ids)) == len(ids)
            assert at_start <= set(ids) or page.next_cursor is not None
        finally:
            writing.close()
