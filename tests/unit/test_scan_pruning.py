"""`scan` decodes no row group that its statistics rule out."""

import nirs4all_workspace as n4w
import polars as pl
import pytest
from samples import table, write

# What begins everything that zstd compressed.
ZSTD = b"\x28\xb5\x2f\xfd"


def test_pages_that_cannot_hold_a_row_are_not_read(tmp_path):
    write(tmp_path / "a.meta.parquet", table(60, dataset="a"))
    other = write(tmp_path / "b.meta.parquet", table(60, seed=2, dataset="b"), compression="zstd")
    # Headers of pages are looked at in any case; what follows them is no zstd any more.
    content = other.read_bytes()
    assert content.count(ZSTD) > 5
    other.write_bytes(content.replace(ZSTD, bytes(4)))
    rows = n4w.Workspace.open(tmp_path).predictions.scan()
    assert len(rows.filter(pl.col("dataset_name") == "a", pl.col("val_score") > 0).collect()) == 60
    with pytest.warns(UserWarning, match=r"b\.meta\.parquet"):
        found = rows.filter(pl.col("dataset_name") == "b").collect()
    assert found.is_empty()
