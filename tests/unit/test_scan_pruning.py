"""`scan` decodes no row group that its statistics rule out."""

import nirs4all_workspace as n4w
import polars as pl
import pyarrow.parquet as pq
import pytest
from samples import table, write


def test_pages_that_cannot_hold_a_row_are_not_read(tmp_path):
    write(tmp_path / "a.meta.parquet", table(60, dataset="a"))
    other = write(tmp_path / "b.meta.parquet", table(60, seed=2, dataset="b"))
    column = pq.read_metadata(other).row_group(0)
    content = bytearray(other.read_bytes())
    for number in range(column.num_columns):
        chunk = column.column(number)
        if chunk.path_in_schema == "id":
            # What a page holds, not what its header says of it.
            start = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size
            content[start - 40 : start] = b"\xff" * 40
    other.write_bytes(content)
    rows = n4w.Workspace.open(tmp_path).predictions.scan()
    assert len(rows.filter(pl.col("dataset_name") == "a", pl.col("val_score") > 0).collect()) == 60
    with pytest.warns(UserWarning, match=r"b\.meta\.parquet"):
        found = rows.filter(pl.col("dataset_name") == "b").collect()
    assert found.is_empty()
