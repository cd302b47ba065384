"""`page` by columns of few values: deep inside a run of equal ones, against a sort of all rows by Polars."""

import random

import nirs4all_workspace as n4w
import polars as pl
import pytest

KINDS = {
    "random": lambda _, rng: f"{rng.randrange(16**12):012x}",
    "in order": lambda row, _: f"prediction_{row:012d}",
    "long and alike": lambda _, rng: f"one_prefix_of_all_of_them_{rng.randrange(10**9):09d}",
    "few": lambda row, _: None if row % 5 == 0 else f"id_{row % 3}",
}


def frame(rows, kind, seed):
    rng = random.Random(seed)
    return pl.DataFrame(
        {
            "id": [KINDS[kind](row, rng) for row in range(rows)],
            "run_id": [f"run_{row % 2}" for row in range(rows)],
            "dataset_name": [f"data_{seed}"] * rows,
            "model_name": [None if row % 7 == 6 else f"model_{row % 3}" for row in range(rows)],
            "fold_id": [str(row * 4 // rows) for row in range(rows)],
            "task_type": ["regression"] * rows,
            "partition": ["val" if row % 3 else "train" for row in range(rows)],
            "n_samples": [row % 2 for row in range(rows)],
            "metric": ["rmse"] * rows,
        },
        schema_overrides={"id": pl.String},
    )


@pytest.fixture(scope="module", params=KINDS)
def laid(request, tmp_path_factory):
    """A folder of three files, and their rows with what orders ties at last."""
    root = tmp_path_factory.mktemp("ties")
    frames = []
    for number in range(3):
        made = frame(9_000, request.param, number)
        made.write_parquet(root / f"{number}.meta.parquet", row_group_size=2_500, data_page_size=4_096)
        frames.append(made.with_columns(stem=pl.lit(str(number)), row=pl.int_range(pl.len())))
    return n4w.Workspace.open(root).predictions, pl.concat(frames)


def in_order(rows, column, descending):
    keys = [column, "id", "run_id", "dataset_name", "stem", "row"]
    return rows.sort(keys, descending=[descending, *[False] * 5], nulls_last=True)


SHOWN = ["id", "run_id", "dataset_name", "model_name", "fold_id"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "column", ["model_name", "fold_id", "task_type", "dataset_name", "run_id", "n_samples"]
)
def test_any_offset_and_what_follows(laid, column, descending):
    predictions, rows = laid
    wanted = in_order(rows, column, descending).select(SHOWN).to_dicts()
    for offset in (0, 4_000, 11_570, 13_499, 17_990, 26_000, 26_990):
        page = predictions.page(offset, 40, column, descending, columns=SHOWN)
        assert page.records == wanted[offset : offset + 40]
        assert page.total == len(wanted)
        assert page.has_more == (offset + 40 < len(wanted))
        if not page.has_more:
            continue
        after = predictions.page(0, 15, column, descending, page.next_cursor, columns=SHOWN)
        assert after.records == wanted[offset + 40 : offset + 55]
        assert after.offset == offset + 40


def test_with_filters(laid):
    predictions, rows = laid
    for filters in ({"partition": "val"}, {"model": "model_1"}, {"partition": "train", "dataset": "data_1"}):
        fitting = rows
        for name, value in filters.items():
            fitting = fitting.filter(pl.col({"partition": "partition"}.get(name, f"{name}_name")) == value)
        wanted = in_order(fitting, "fold_id", False).select(SHOWN).to_dicts()
        for offset in (0, len(wanted) // 2, len(wanted) - 10):
            page = predictions.page(offset, 30, "fold_id", columns=SHOWN, **filters)
            assert page.records == wanted[offset : offset + 30]
            assert page.total == len(wanted)


def test_more_rows_of_one_value_than_are_held(tmp_path):
    rows = 300_000
    number = (pl.int_range(rows, dtype=pl.UInt64) * 0x9E3779B97F4A7C15) // 2**24
    made = pl.select(id=pl.format("p{}", number.cast(pl.String).str.zfill(13)), model_name=pl.lit("one"))
    made.write_parquet(tmp_path / "a.meta.parquet", row_group_size=65_536)
    predictions = n4w.Workspace.open(tmp_path).predictions
    wanted = made["id"].sort()
    for offset in (0, 150_000, 299_980, 100_000):
        page = predictions.page(offset, 20, "model_name", columns=["id"])
        assert [row["id"] for row in page.records] == wanted[offset : offset + 20].to_list()
        if page.next_cursor:
            page = predictions.page(0, 20, "model_name", cursor=page.next_cursor, columns=["id"])
            assert [row["id"] for row in page.records] == wanted[offset + 20 : offset + 40].to_list()
