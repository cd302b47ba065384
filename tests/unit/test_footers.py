"""`read_footers` says what pyarrow says of the same files."""

import duckdb
import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DATA, DEMO
from samples import table, write


def assert_equals_pyarrow(path, footer):
    metadata = pq.read_metadata(path)
    assert footer["path"] == str(path)
    assert footer["num_rows"] == metadata.num_rows
    assert footer["num_row_groups"] == metadata.num_row_groups
    # A file that does not name its writer reads as "" in pyarrow.
    assert (footer["created_by"] or "") == metadata.created_by
    wanted = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
    assert footer["key_values"] == wanted


def by_pyarrow(path):
    write(path, table().replace_schema_metadata({"a": "b", "ü": "ß"}), row_group_size=17)


def by_pyarrow_v1(path):
    write(path, table(), version="1.0", data_page_version="1.0", store_schema=False)


def by_polars(path):
    pl.from_arrow(table()).write_parquet(path, row_group_size=20, metadata={"kind": "test"})


def by_duckdb(path):
    with duckdb.connect() as connection:
        rows = table()  # noqa: F841  DuckDB finds it by its name
        options = "(FORMAT parquet, KV_METADATA {kind: 'test', note: 'é'}, ROW_GROUP_SIZE 2048)"
        connection.execute(f"COPY (SELECT * FROM rows) TO '{path}' {options}")


def by_us(path):
    write(path, table())
    n4w.Workspace.open(path.parent).predictions.rebuild_summaries()


WRITERS = [by_pyarrow, by_pyarrow_v1, by_polars, by_duckdb, by_us]


@pytest.mark.parametrize("writer", WRITERS)
def test_footers_of_every_writer(tmp_path, writer):
    path = tmp_path / "wheat.meta.parquet"
    writer(path)
    [footer] = n4w.read_footers([path])
    assert_equals_pyarrow(path, footer)


def test_golden_and_demo_files():
    paths = sorted([*DEMO.glob("*.parquet"), *DATA.glob("*.parquet")])
    assert len(paths) > 5
    for path, footer in zip(paths, n4w.read_footers(paths), strict=True):
        assert_equals_pyarrow(path, footer)


@pytest.mark.parametrize("columns", [1, 14, 15, 16, 300, 3_000])
def test_many_columns(tmp_path, columns):
    content = pa.table({f"column_{number}": [number, None] for number in range(columns)})
    path = write(tmp_path / "wide.parquet", content)
    [footer] = n4w.read_footers([path])
    assert_equals_pyarrow(path, footer)


@pytest.mark.parametrize("groups", [0, 1, 14, 15, 16, 127, 128, 2_000])
def test_any_number_of_row_groups(tmp_path, groups):
    path = tmp_path / "groups.parquet"
    content = table(1)
    with pq.ParquetWriter(path, content.schema) as writer:
        for _ in range(groups):
            writer.write_table(content)
    [footer] = n4w.read_footers([path])
    assert footer["num_row_groups"] == groups
    assert_equals_pyarrow(path, footer)


@pytest.mark.parametrize("size", [8_000, 16_000, 16_384, 17_000, 64 * 1024, 100_000, 3_000_000])
def test_footers_of_any_size(tmp_path, size):
    path = write(tmp_path / "big.parquet", table().replace_schema_metadata({"big": "x" * size, "small": "y"}))
    [footer] = n4w.read_footers([path])
    assert_equals_pyarrow(path, footer)


def test_sizes_mixed_in_one_call(tmp_path):
    paths = []
    for number, size in enumerate([0, 200_000, 10, 70_000, 16_384, 0, 1_000_000, 5]):
        content = table(number).replace_schema_metadata({"big": "x" * size})
        paths.append(write(tmp_path / f"{number}.parquet", content))
    for threads in (1, 2, 3):
        for path, footer in zip(paths, n4w.read_footers(paths, threads=threads), strict=True):
            assert_equals_pyarrow(path, footer)


def test_one_thread_equals_two(tmp_path):
    paths = [write(tmp_path / f"{number}.parquet", table(number, seed=number)) for number in range(40)]
    paths.insert(7, tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("no parquet at all")
    paths.insert(20, tmp_path / "text.parquet")
    one, two = (n4w.read_footers(paths, threads=threads) for threads in (1, 2))
    assert [repr(footer) for footer in one] == [repr(footer) for footer in two]
    assert [index for index, footer in enumerate(one) if isinstance(footer, Exception)] == [7, 20]


def test_only_the_keys_that_were_asked_for(tmp_path):
    content = table().replace_schema_metadata({"a": "1", "b": "2", "c": "3"})
    path = write(tmp_path / "keys.parquet", content)
    [footer] = n4w.read_footers([path], keys=["b", "nothing", "a"])
    assert footer["key_values"] == {"a": "1", "b": "2"}
    assert n4w.read_footers([path], keys=[])[0]["key_values"] == {}


def test_a_binary_value_does_not_hide_the_others(tmp_path):
    path = write(
        tmp_path / "keys.parquet", table().replace_schema_metadata({b"raw": b"\xff\xfe\x00", b"text": b"t"})
    )
    [footer] = n4w.read_footers([path])
    assert footer["key_values"]["text"] == "t"
    assert footer["num_rows"] == 60


def test_equal_columns_have_equal_fingerprints(tmp_path):
    one, same = write(tmp_path / "1.parquet", table(3)), write(tmp_path / "2.parquet", table(9, seed=5))
    other = write(tmp_path / "3.parquet", table(3, extra=[1, 2, 3]))
    prints = [footer["schema_fingerprint"] for footer in n4w.read_footers([one, same, other])]
    assert prints[0] == prints[1] != prints[2]


def test_no_files_and_an_empty_file_list():
    assert n4w.read_footers([]) == []
    assert n4w.read_summaries([]) == []
