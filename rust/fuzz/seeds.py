"""Writes footers of files by pyarrow, Polars and DuckDB into corpus/footer: `python seeds.py`."""

import io
import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent / "corpus" / "footer"
ROWS = {
    "id": ["a", "b", "c"],
    "dataset_name": ["wheat"] * 3,
    "metric": ["rmse", "r2", None],
    "partition": ["train", "val", "test"],
    "val_score": [0.5, None, float("nan")],
    "fold_id": [0, 1, 2],
}


def footer(file: bytes) -> bytes:
    """The footer's bytes of a Parquet file."""
    length = int.from_bytes(file[-8:-4], "little")
    return file[-8 - length : -8]


def by_pyarrow(table: pa.Table, **options: object) -> bytes:
    """A file as pyarrow writes it."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def by_polars(frame: pl.DataFrame, **options: object) -> bytes:
    """A file as Polars writes it."""
    out = io.BytesIO()
    frame.write_parquet(out, **options)
    return out.getvalue()


def by_duckdb(table: pa.Table) -> bytes:
    """A file as DuckDB writes it, with a key of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.parquet"
        duckdb.from_arrow(table).query(
            "t", f"COPY t TO '{path}' (FORMAT parquet, KV_METADATA {{note: 'hello'}})"
        )
        return path.read_bytes()


def main() -> None:
    """Writes all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = pa.table(ROWS)
    nested = table.append_column("scores", pa.array([[1.0], [], None])).append_column(
        "branch", pa.array([{"id": 1, "name": "left"}, None, {"id": 2, "name": None}])
    )
    categories = table.set_column(3, "partition", table["partition"].dictionary_encode())
    with_keys = table.replace_schema_metadata({"clé": "valeur", "n4a_summary": "{}", "empty": ""})
    frame = pl.DataFrame(ROWS)
    files = {
        "pyarrow": by_pyarrow(table),
        "pyarrow_groups": by_pyarrow(table, row_group_size=1, write_page_index=True, version="1.0"),
        "pyarrow_nested": by_pyarrow(nested, compression="zstd", data_page_version="2.0"),
        "pyarrow_categories": by_pyarrow(
            categories, store_schema=True, sorting_columns=[pq.SortingColumn(0)]
        ),
        "pyarrow_keys": by_pyarrow(with_keys, write_statistics=False),
        "pyarrow_empty": by_pyarrow(table.slice(0, 0)),
        "polars": by_polars(frame),
        "polars_groups": by_polars(frame, row_group_size=1, statistics=False, metadata={"note": "hello"}),
        "duckdb": by_duckdb(table),
    }
    for name, file in files.items():
        (FOLDER / name).write_bytes(footer(file))


if __name__ == "__main__":
    main()
