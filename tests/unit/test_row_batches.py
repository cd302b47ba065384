"""Batches of rows are as long as was asked for, and short only where their texts would not fit in memory."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nirs4all_workspace import _native

SIZE = 8_192


def batches(path):
    reader = _native.RowReader(path, None, 0, pq.read_metadata(path).num_rows, SIZE)
    frames = []
    while (rows := reader.next()) is not None:
        frames.append(pl.DataFrame(rows))
    return frames


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
def test_many_short_texts_in_a_dictionary_are_read_in_long_batches(tmp_path, codec):
    count = 3 * SIZE
    names = [f"configuration_{number:06d}_of_a_sweep" for number in range(count)]
    table = pa.table({"config_name": names, "val_score": [float(number) for number in range(count)]})
    path = tmp_path / "wheat.meta.parquet"
    pq.write_table(table, path, use_dictionary=True, dictionary_pagesize_limit=1 << 24, compression=codec)
    pages = pq.read_metadata(path).row_group(0).column(0)
    assert "RLE_DICTIONARY" in pages.encodings
    frames = batches(path)
    assert [frame.height for frame in frames] == [SIZE] * 3
    assert pl.concat(frames).equals(pl.from_arrow(table))


def test_a_long_text_in_a_dictionary_makes_batches_short(tmp_path):
    long = "x" * (1 << 20)
    names = [long if number % 2 else f"short {number}" for number in range(600)]
    path = tmp_path / "wheat.meta.parquet"
    pq.write_table(pa.table({"config_name": names}), path, dictionary_pagesize_limit=1 << 24)
    frames = batches(path)
    # So that the texts of a batch have no more than 256 MiB.
    assert max(frame.height for frame in frames) <= 256
    assert sum(frame.height for frame in frames) == 600
    seen = [value for frame in frames for value in frame["config_name"].str.len_bytes()]
    assert seen == [len(name) for name in names]
