"""After `rebuild_summaries` other readers find every row and every foreign key as before."""

import duckdb
import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agreement import check_summary
from conftest import DEMO
from oracle import summarise
from samples import SKETCH, SUMMARY, footer_span, frame_of, keys, strict, table, write


def rebuild(folder):
    report = n4w.Workspace.open(folder).predictions.rebuild_summaries()
    assert report["errors"] == []
    return report


def duckdb_rows(path):
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


@pytest.fixture(params=["regression", "regression_2", "classification", "2026", "odd"])
def before_and_after(request, tmp_path):
    """An old file and its rebuilt copy."""
    old, new = tmp_path / "old.parquet", tmp_path / "ws" / "wheat.meta.parquet"
    new.parent.mkdir()
    if request.param == "odd":
        odd = {"größe": ["é\n\0\U0001f33e"] * 60, "list": [[1, None]] * 60, "run_id": [None, ""] * 30}
        content = table(60, metric="größe", **odd).replace_schema_metadata(
            {"ключ": "значение", "": "empty key"}
        )
        write(old, content, row_group_size=7, compression="none")
    elif request.param == "2026":
        source = request.getfixturevalue("shared")("nirs4all-2026-01")
        old.write_bytes((source / "hiba23.meta.parquet").read_bytes())
    else:
        old.write_bytes((DEMO / f"{request.param}.meta.parquet").read_bytes())
    new.write_bytes(old.read_bytes())
    rebuild(new.parent)
    return old, new


def test_all_readers_read_the_same_rows(before_and_after):
    old, new = before_and_after
    assert pq.read_table(new).equals(pq.read_table(old))
    assert pq.read_table(new).to_pylist() == pq.read_table(old).to_pylist()
    assert pl.read_parquet(new).equals(pl.read_parquet(old))
    assert duckdb_rows(new) == duckdb_rows(old)


def test_pages_are_copied_byte_for_byte(before_and_after):
    old, new = (path.read_bytes() for path in before_and_after)
    assert old != new
    pages = footer_span(old)[0]
    assert new[:pages] == old[:pages]
    assert footer_span(new)[0] == pages


def test_foreign_keys_and_the_arrow_schema_are_kept(before_and_after):
    old, new = before_and_after
    ours = {SUMMARY, SKETCH}
    kept = {key: value for key, value in keys(new).items() if key not in ours}
    assert kept == {key: value for key, value in keys(old).items() if key not in ours}
    assert pq.read_schema(new).equals(pq.read_schema(old))
    one, other = pq.read_metadata(old), pq.read_metadata(new)
    assert (one.created_by, one.num_rows, one.num_row_groups) == (
        other.created_by,
        other.num_rows,
        other.num_row_groups,
    )
    for group in range(one.num_row_groups):
        assert one.row_group(group).to_dict() == other.row_group(group).to_dict()


def test_the_keys_are_ascii_and_strict_json_for_duckdb_and_polars(before_and_after):
    _, new = before_and_after
    with duckdb.connect() as connection:
        found = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(new)]).fetchall()
    values = {bytes(key): bytes(value) for key, value in found}
    assert len(found) == len(values)
    assert values[SUMMARY].isascii()
    assert values[SKETCH].isascii()
    assert values[SUMMARY] == keys(new)[SUMMARY]
    check_summary(strict(values[SUMMARY]), summarise(frame_of(new)))
    assert pl.read_parquet_metadata(new)["n4a_summary"].encode() == values[SUMMARY]


def test_the_footer_alone_answers(before_and_after):
    _, new = before_and_after
    summary = n4w.read_summary(new)
    assert summary["scanned"] is None
    check_summary(summary, summarise(frame_of(new)))


def test_a_second_rebuild_writes_nothing(before_and_after):
    _, new = before_and_after
    before = new.stat()
    content = new.read_bytes()
    report = rebuild(new.parent)
    assert (report["kept"], report["written"]) == (1, [])
    after = new.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert new.read_bytes() == content
    assert [path.name for path in new.parent.iterdir() if path.name != ".cache"] == [new.name]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_files_of_every_compression_are_rebuilt(tmp_path, compression):
    path = write(tmp_path / "wheat.meta.parquet", table(), compression=compression)
    rows = frame_of(path)
    rebuild(tmp_path)
    assert frame_of(path).equals(rows)
    check_summary(n4w.read_summary(path), summarise(rows))


def test_many_row_groups_and_page_indexes(tmp_path):
    content = table(5_000)
    path = write(
        tmp_path / "wheat.meta.parquet",
        content,
        row_group_size=100,
        write_page_index=True,
        data_page_size=512,
    )
    rebuild(tmp_path)
    assert pq.read_table(path).equals(content)
    assert pq.ParquetFile(path).metadata.num_row_groups == 50
    assert (
        pl.scan_parquet(path)
        .filter(pl.col("val_score") > 0.5)
        .collect()
        .equals(pl.from_arrow(content).filter(pl.col("val_score") > 0.5))
    )


def test_an_empty_file_is_rebuilt(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table(0))
    rebuild(tmp_path)
    assert pq.read_table(path).num_rows == 0
    summary = n4w.read_summary(path)
    assert (summary["scanned"], summary["total_predictions"]) == (None, 0)
    assert isinstance(pq.read_schema(path).field("val_score").type, type(pa.float64()))
