"""Small prediction tables and files, made without the package under test."""

import base64
import json
import random
import struct
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

SUMMARY, SKETCH = b"n4a_summary", b"n4a_sketch"


def table(rows=60, metric="rmse", dataset="wheat", seed=1, **columns) -> pa.Table:
    """Rows as one run on one dataset leaves them: a row for each model, fold and partition."""
    rng = random.Random(seed)
    partitions = ["train", "val", "test"]
    content = {
        "id": [f"{seed:02d}-{row:06d}" for row in range(rows)],
        "dataset_name": [dataset] * rows,
        "config_name": [f"config_{row % 5}" for row in range(rows)],
        "model_name": [f"model_{rng.randrange(4)}" for _ in range(rows)],
        "fold_id": [str(row // 3 % 4) for row in range(rows)],
        "partition": [partitions[row % 3] for row in range(rows)],
        "val_score": [rng.uniform(0.1, 0.9) for _ in range(rows)],
        "test_score": [rng.uniform(0.1, 0.9) for _ in range(rows)],
        "train_score": [rng.uniform(0.1, 0.9) for _ in range(rows)],
        "metric": metric if isinstance(metric, list) else [metric] * rows,
        "task_type": ["regression"] * rows,
        "preprocessings": [f"SNV>D{row % 3}" for row in range(rows)],
    }
    types = {name: pa.float64() if name.endswith("_score") else pa.string() for name in content}
    arrays = {name: pa.array(values, types[name]) for name, values in content.items()}
    for name, values in columns.items():
        arrays[name] = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return pa.table({name: array for name, array in arrays.items() if array is not None})


def write(path: Path, content: pa.Table, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, **options)
    return path


def frame_of(path: Path) -> pl.DataFrame:
    """The rows of a file, read by pyarrow."""
    return pl.from_arrow(pq.read_table(path))


def keys(path: Path) -> dict[bytes, bytes]:
    """The key values of a footer, read by pyarrow."""
    return pq.read_metadata(path).metadata or {}


def strict(text: str | bytes):
    """JSON without the words that are not JSON."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def footer_span(content: bytes) -> tuple[int, int]:
    """Where the footer lies in a file's bytes."""
    length = struct.unpack("<I", content[-8:-4])[0]
    return len(content) - 8 - length, len(content) - 8


def patch_sketch(path: Path, offset: int, value: int) -> None:
    """Overwrite one byte of a sketch in place, and renew its checksum and the seal of the footer."""
    content = bytearray(path.read_bytes())
    text, mark, seal = keys(path)[SKETCH].partition(b".seal:")
    sketch = bytearray(base64.b64decode(text)[:-8])
    sketch[offset] = value
    changed = base64.b64encode(sketch + struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(sketch))))
    start, end = footer_span(content)
    at = content.index(text + mark + seal, start)
    content[at : at + len(text)] = changed
    at += len(text + mark) + 8
    before = xxhash.xxh3_64_intdigest(bytes(content[start:at]))
    digest = xxhash.xxh3_64_intdigest(bytes(content[at + 16 : end]), seed=before)
    content[at : at + 16] = f"{digest:016x}".encode()
    path.write_bytes(content)
