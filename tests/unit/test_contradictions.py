"""Footers whose parts contradict each other are errors, not other numbers."""

import nirs4all_workspace as n4w
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import footer_span, table, write

# Zigzag varints of Parquet's physical types.
TYPES = {"int32": b"\x02", "int64": b"\x04", "int96": b"\x06", "float": b"\x08", "bytes": b"\x0c"}


def schema_element(name: bytes) -> bytes:
    """A nullable DOUBLE as the compact protocol writes it: type, repetition, length of the name, name."""
    return b"\x15\x0a\x25\x02\x18" + bytes([len(name)]) + name


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("store_schema", [True, False])
def test_a_column_of_another_type_than_its_pages(tmp_path, kind, store_schema):
    path = write(tmp_path / "wheat.meta.parquet", table(), store_schema=store_schema)
    content = bytearray(path.read_bytes())
    at = content.index(schema_element(b"val_score"), footer_span(content)[0])
    content[at + 1 : at + 2] = TYPES[kind]
    path.write_bytes(content)
    with pytest.raises((OSError, pa.ArrowException)):
        pq.ParquetFile(path).read()
    with pytest.raises((n4w.CorruptFileError, n4w.SchemaError)):
        n4w.read_summary(path)
    assert n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()["written"] == []


@pytest.mark.parametrize("rows", [0, 59, 61, 63])
def test_another_number_of_rows_than_there_are(tmp_path, rows):
    path = write(tmp_path / "wheat.meta.parquet", table(60), store_schema=False)
    content = bytearray(path.read_bytes())
    start, end = footer_span(content)
    footer = content[start:end]
    # FileMetaData.num_rows follows the schema as an i64; RowGroup.num_rows stands beside its sizes.
    marker = b"\x16" + bytes([60 * 2]) + b"\x19"
    at = footer.index(marker)
    footer[at + 1] = rows * 2
    path.write_bytes(content[:start] + footer + content[end:])
    assert pq.read_metadata(path).num_rows == rows
    with pytest.raises(n4w.CorruptFileError, match="rows"):
        n4w.read_summary(path)
