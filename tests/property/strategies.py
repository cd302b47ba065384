"""Prediction rows of every kind that hypothesis can think of, and the shapes Arrow can give them."""

import math
from datetime import UTC, datetime
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

SCORES = st.one_of(
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, math.nan, math.inf, -math.inf, None]),
    st.floats(allow_nan=True, allow_infinity=True),
)
METRICS = st.sampled_from(
    ["rmse", "r2", "bias", "mse", "balanced_accuracy", "house_metric", "RMSE", "", None]
)
NAMES = st.one_of(
    st.none(), st.sampled_from(["", "a", "b", "PLS", "ü", "\U0001f33e\n"]), st.text(max_size=12)
)
TIMES = st.sampled_from(
    [None, "2026-01-16T08:27:29.752487+00:00", "2026-01-16T08:27:29+02:00", "1999-12-31 23:59:59"]
)


def rows(max_size=40, metrics=METRICS, scores=SCORES):
    """Lists of rows; a missing key is a null."""
    row = st.fixed_dictionaries(
        {},
        optional={
            "id": st.one_of(st.text(max_size=6), st.sampled_from(["a", "b", "c"])),
            "run_id": NAMES,
            "dataset_name": NAMES,
            "model_name": NAMES,
            "config_name": NAMES,
            "fold_id": st.sampled_from([None, "0", "1", "avg"]),
            "partition": st.sampled_from([None, "train", "val", "test", "Val", ""]),
            "preprocessings": NAMES,
            "val_score": scores,
            "test_score": scores,
            "train_score": scores,
            "metric": metrics,
            "task_type": st.sampled_from([None, "regression", "classification"]),
            "branch_id": st.sampled_from([None, 0, 1, 2]),
            "branch_name": st.sampled_from([None, "", "left"]),
            "created_at": TIMES,
        },
    )
    return st.lists(row, max_size=max_size)


TYPES = {name: pa.float64() for name in ("val_score", "test_score", "train_score")} | {
    "branch_id": pa.int64()
}
COLUMNS = [
    "id", "run_id", "dataset_name", "model_name", "config_name", "fold_id", "partition", "preprocessings",
    "val_score", "test_score", "train_score", "metric", "task_type", "branch_id", "branch_name", "created_at",
]  # fmt: skip


def arrow(content: list[dict]) -> pa.Table:
    """All columns, strings as `string`."""
    return pa.table(
        {name: pa.array([row.get(name) for row in content], TYPES.get(name, pa.string())) for name in COLUMNS}
    )


def frame(content: list[dict]) -> pl.DataFrame:
    """The rows as the oracle takes them."""
    return pl.from_arrow(arrow(content))


def cast_texts(table: pa.Table, kind: pa.DataType) -> pa.Table:
    fields = [pa.field(f.name, kind if f.type == pa.string() else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def dictionary(table: pa.Table) -> pa.Table:
    names = {
        name: table[name].dictionary_encode()
        for name in table.column_names
        if table[name].type == pa.string()
    }
    return pa.table({name: names.get(name, table[name]) for name in table.column_names})


def repeated_dictionary(table: pa.Table) -> pa.Table:
    """Dictionaries in which every value stands twice, one of them null."""

    def encode(column):
        values = column.combine_chunks().dictionary_encode()
        size = len(values.dictionary)
        doubled = pa.concat_arrays([values.dictionary, values.dictionary, pa.array([None], pa.string())])
        keys = [
            size * 2 if key is None and at % 2 else key if key is None or at % 2 else key + size
            for at, key in enumerate(values.indices.to_pylist())
        ]
        return pa.DictionaryArray.from_arrays(pa.array(keys, pa.int16()), doubled)

    texts = [name for name in table.column_names if table[name].type == pa.string()]
    return pa.table(
        {name: encode(table[name]) if name in texts else table[name] for name in table.column_names}
    )


def sliced(table: pa.Table) -> pa.Table:
    """The same rows cut out of the middle of a larger table, with offsets."""
    padding = pa.Table.from_pylist([dict.fromkeys(COLUMNS)] * 3, schema=table.schema)
    larger = pa.concat_tables([padding, table, padding]).combine_chunks()
    return larger.slice(3, table.num_rows)


def chunked(table: pa.Table) -> pa.Table:
    half = table.num_rows // 2
    return pa.concat_tables([table.slice(0, half), table.slice(0, 0), table.slice(half)])


def batch(table: pa.Table) -> pa.RecordBatch:
    combined = table.combine_chunks()
    batches = combined.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=combined.schema)


def without_empty_columns(table: pa.Table) -> pa.Table:
    """Columns that are null throughout left out, or of Arrow's null type."""
    content = {}
    for at, name in enumerate(table.column_names):
        if table[name].null_count < table.num_rows:
            content[name] = table[name]
        elif at % 2:
            content[name] = pa.nulls(table.num_rows)
    return pa.table(content) if content else table


FORMS = {
    "table": lambda table: table,
    "batch": batch,
    "sliced batch": lambda table: batch(sliced(table)),
    "large_string": lambda table: cast_texts(table, pa.large_string()),
    "string_view": lambda table: cast_texts(table, pa.string_view()),
    "dictionary": dictionary,
    "repeated dictionary": repeated_dictionary,
    "sliced": sliced,
    "sliced dictionary": lambda table: (
        sliced(table) if table.num_rows == 0 else dictionary(sliced(table)).slice(0)
    ),
    "chunked": chunked,
    "polars": pl.from_arrow,
    "categorical": lambda table: pl.from_arrow(table).with_columns(pl.col(pl.String).cast(pl.Categorical)),
    "absent columns": without_empty_columns,
    "reader": lambda table: pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
}


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "dataset": st.sampled_from(["a", "b", "PLS", "", "0"]),
        "model": st.sampled_from(["a", "PLS", "ü", ""]),
        "partition": st.sampled_from(["train", "val", "test", "nothing"]),
        "run": st.sampled_from(["a", "b"]),
        "fold": st.sampled_from(["0", "avg"]),
        "task_type": st.sampled_from(["regression", "other"]),
        "min_val_score": st.sampled_from([-1.0, 0.0, 0.5, -math.inf]),
        "max_val_score": st.sampled_from([0.0, 0.5, 100.0, math.inf]),
        "max_test_score": st.sampled_from([0.0, 1e3]),
        "min_train_score": st.sampled_from([-1e300, 1.0]),
        "preprocessings_contains": st.sampled_from(["", "P", "ü"]),
    },
)
SORTED = [
    "val_score", "val_score", "test_score", "train_score", "id", "model_name", "metric", "branch_id",
    "created_at", "fold_id", "partition", "run_id", "dataset_name",
]  # fmt: skip
SORTS = st.tuples(st.sampled_from(SORTED), st.sampled_from([None, None, True, False]))


def flat_files(folder: Path, parts: list[list[dict]], forms: list[str], rebuilt: int) -> list[pl.DataFrame]:
    """Files as nirs4all 0.6 lays them out, the first ones with a summary; and their rows."""
    frames = []
    for number, (part, form) in enumerate(zip(parts, forms, strict=True)):
        stored = FORMS[form](arrow(part))
        if isinstance(stored, pl.DataFrame):
            stored.write_parquet(folder / f"{number}.meta.parquet", row_group_size=7)
        else:
            table = stored if isinstance(stored, pa.Table) else pa.Table.from_batches([stored])
            pq.write_table(table, folder / f"{number}.meta.parquet", row_group_size=7, write_page_index=True)
        if number + 1 == rebuilt:
            assert n4w.Workspace.open(folder).predictions.rebuild_summaries()["errors"] == []
        stem = pl.lit(str(number)).alias("stem")
        times = pl.Series(
            "created_at", [when(row.get("created_at")) for row in part], pl.Datetime("us", "UTC")
        )
        frames.append(frame(part).with_columns(stem, pl.int_range(pl.len()).alias("row"), times))
    return frames


def when(text: str | None) -> datetime | None:
    """A time without an offset is in UTC."""
    time = text and datetime.fromisoformat(text)
    return time if not time or time.tzinfo else time.replace(tzinfo=UTC)


# What Parquet can hold.
FILE_FORMS = [form for form in FORMS if form not in ("reader", "absent columns", "repeated dictionary")]


def unique_ids(content: list[dict], first: int) -> list[dict]:
    """The rows with an id each, as a writer demands."""
    return [row | {"id": f"{row.get('id', '')}-{first + number}"} for number, row in enumerate(content)]
