"""Pages that announce more than they can hold are refused by name, before anything is allocated for them."""

import json
import os
import subprocess
import sys

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nirs4all_workspace import _native

# More than the package and Polars need, less than what the pages announce.
MEMORY = 700 * 1024**2
HUGE = os.environ.get("N4W_STRESS_HUGE")

READ = """
import json, resource, sys, warnings
import nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
warnings.simplefilter("ignore")
said = {"page": [error["kind"] for error in ws.predictions.page().errors]}
said["summary"] = [error["kind"] for error in ws.summary()["errors"]]
said["scan"] = ws.predictions.scan().collect().height
# Not of getrusage, which a process inherits from whoever started it.
status = open("/proc/self/status").read()
said["peak"] = int(status.split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps(said))
"""


def varint(number):
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def number_at(content, at):
    value, shift = 0, 0
    while True:
        value |= (content[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if content[at - 1] < 0x80:
            return value, at


def zigzag(number):
    return number << 1 ^ number >> 63


def read_struct(content, at):
    """The fields of a Thrift struct of integers, booleans and such structs, and its end."""
    fields, id_ = {}, 0
    while content[at]:
        id_, kind = id_ + (content[at] >> 4), content[at] & 15
        at += 1
        if kind == 12:
            fields[id_], at = read_struct(content, at)
        elif kind in (1, 2):
            fields[id_] = kind == 1
        else:
            assert kind == 5, kind
            value, at = number_at(content, at)
            fields[id_] = value >> 1 ^ -(value & 1)
    return fields, at + 1


def write_struct(fields):
    made, last = bytearray(), 0
    for id_, value in sorted(fields.items()):
        kind = 12 if isinstance(value, dict) else (2 - value) if isinstance(value, bool) else 5
        made.append(id_ - last << 4 | kind)
        last = id_
        if kind == 12:
            made += write_struct(value)
        elif kind == 5:
            made += varint(zigzag(value))
    return bytes(made) + b"\0"


def padded(fields, length):
    """A struct in so many bytes, which a field that nobody knows fills."""
    made = write_struct(fields)
    extra = length - len(made)
    assert 0 <= extra <= 11
    if extra == 0:
        return made
    delta = 9 - max(fields) << 4
    more = bytes([delta | 1]) if extra == 1 else bytes([delta | 5]) + b"\x80" * (extra - 2) + b"\0"
    return made[:-1] + more + b"\0"


def write(path, table, **options):
    # A checksum in the header leaves room for larger numbers.
    pq.write_table(table, path, write_page_checksum=True, write_statistics=False, **options)
    return path


def patch(path, change, page="data"):
    """Change the header of the first page of the first column."""
    chunk = pq.read_metadata(path).row_group(0).column(0)
    at = chunk.dictionary_page_offset if page == "dictionary" else chunk.data_page_offset
    content = path.read_bytes()
    fields, end = read_struct(content, at)
    del fields[4]
    change(fields)
    path.write_bytes(content[:at] + padded(fields, end - at) + content[end:])


def announce(field, value, header=None):
    def change(fields):
        (fields if header is None else fields[header])[field] = value

    return change


def table(rows=2_000):
    return pa.table(
        {"val_score": pa.array([0.25] * rows), "metric": ["rmse"] * rows, "partition": ["val"] * rows}
    )


CASES = {
    "2 GiB of a page": ("data", announce(2, 2**31 - 1), {}),
    "300 MiB of a page": ("data", announce(2, 300 << 20), {}),
    "fewer than none": ("data", announce(2, -1), {}),
    "2 GiB of a dictionary": ("dictionary", announce(2, 2**31 - 1), {}),
    "2^31 values": ("data", announce(1, 2**31 - 1, 5), {}),
    "2^31 values of the second version": ("data", announce(1, 2**31 - 1, 8), {"data_page_version": "2.0"}),
    "2^31 rows of the second version": ("data", announce(3, 2**31 - 1, 8), {"data_page_version": "2.0"}),
    "2^31 values of a dictionary": ("dictionary", announce(1, 2**31 - 1, 7), {}),
    "levels longer than the page": ("data", announce(5, 2**20, 8), {"data_page_version": "2.0"}),
    "a page longer than its chunk": ("data", announce(3, 2**20), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_page_that_announces_too_much(tmp_path, name):
    page, change, options = CASES[name]
    root = tmp_path / "ws"
    root.mkdir()
    bad = write(root / "bad.meta.parquet", table(), **options)
    write(root / "good.meta.parquet", table(), **options)
    patch(bad, change, page)
    found = _native.check_chunks([bad, root / "good.meta.parquet"])
    assert isinstance(found[0], n4w.CorruptFileError)
    assert found[0].path == str(bad)
    assert "'val_score'" in str(found[0]) or '"val_score"' in str(found[0])
    assert found[1] is None
    said = subprocess.run(
        [sys.executable, "-c", READ, root], capture_output=True, text=True, check=True, timeout=60
    )
    said = json.loads(said.stdout)
    assert said.pop("peak") < MEMORY
    assert said == {"page": ["corrupt"], "summary": ["corrupt"], "scan": 2_000}


def test_limit_of_a_page(tmp_path):
    # A text that is really there.
    for length in (200 << 20, 300 << 20):
        file = tmp_path / f"{length}.meta.parquet"
        made = pa.table({"metadata": pa.array([b"x" * length], pa.binary())})
        pq.write_table(made, file, compression="zstd", use_dictionary=False, write_statistics=False)
        assert file.stat().st_size < 100_000
    good, bad = _native.check_chunks(
        [tmp_path / f"{length}.meta.parquet" for length in (200 << 20, 300 << 20)]
    )
    assert good is None
    assert isinstance(bad, n4w.CorruptFileError)


def test_a_nested_column_of_very_many_values_in_few_bytes(tmp_path):
    # One list of nulls: its levels are one run.
    lists = pa.ListArray.from_arrays([0, 20_000_000], pa.nulls(20_000_000, pa.float64()))
    file = tmp_path / "a.arrays.parquet"
    pq.write_table(pa.table({"array_data": lists}), file)
    assert file.stat().st_size < 100_000
    (found,) = _native.check_chunks([file])
    assert isinstance(found, n4w.CorruptFileError)


def test_rows_that_are_many_in_few_bytes_are_decoded_a_few_at_a_time(tmp_path):
    rows = 30_000_000
    file = tmp_path / "wheat.meta.parquet"
    score = pa.DictionaryArray.from_arrays(zeros(rows), pa.array([0.25]))
    pq.write_table(pa.table({"val_score": score}), file, row_group_size=rows, store_schema=False)
    assert file.stat().st_size < 300_000
    (found,) = _native.check_chunks([file])
    assert isinstance(found, str)
    frame = n4w.Workspace.open(tmp_path).predictions.scan()
    assert frame.select(pl.len(), pl.col("val_score").sum()).collect().row(0) == (rows, rows / 4)


def zeros(count):
    return pa.Array.from_buffers(pa.int8(), count, [None, pa.py_buffer(bytes(count))])


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_texts_whose_lengths_are_counted_in_the_page(tmp_path, encoding):
    root = tmp_path / "ws"
    root.mkdir()
    texts = [f"model {number % 40}" for number in range(1_000)]
    made = pa.table({"model_name": pa.array(texts, pa.string()), "val_score": [0.5] * 1_000})
    options = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    options["column_encoding"] = {"model_name": encoding}
    good = root / "good.meta.parquet"
    pq.write_table(made, good, **options)
    assert _native.check_chunks([good]) == [None] or encoding == "DELTA_BYTE_ARRAY"
    scanned = n4w.Workspace.open(root).predictions.scan().collect()
    assert scanned["model_name"].to_list() == texts
    # The count is the third number after the levels: 1,000 in two bytes.
    content = good.read_bytes()
    at = pq.read_metadata(good).row_group(0).column(0).data_page_offset
    _, start = read_struct(content, at)
    levels = int.from_bytes(content[start : start + 4], "little")
    _, place = number_at(content, start + 4 + levels)
    _, place = number_at(content, place)
    count, end = number_at(content, place)
    assert count == 1_000
    bad = root / "bad.meta.parquet"
    bad.write_bytes(content[:place] + varint(16_000) + content[end:])
    (found,) = _native.check_chunks([bad])
    assert isinstance(found, n4w.CorruptFileError)


def without_checksums(path):
    """A segment as earlier versions wrote it."""
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert content.count(b"n4a_chunks", footer) == 1
    path.write_bytes(content[:footer] + content[footer:].replace(b"n4a_chunks", b"n4a_chunkz"))


def test_a_segment_without_checksums_is_read(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.predictions.writer("2026-01-02_Stress_0123456789ab", "wheat") as writer:
        for number in range(100):
            writer.write({"id": str(number), "val_score": number / 7, "metric": "rmse", "y_pred": [number]})
    # Beside it, the footer would have to prove how much of it the segment has.
    for journal in ws.path.glob("*/*/*.journal"):
        journal.unlink()
    for file in ws.path.glob("*/*/*.parquet"):
        without_checksums(file)
        assert _native.check_chunks([file]) == [None]
    assert ws.predictions.scan().collect()["val_score"].to_list() == [number / 7 for number in range(100)]
    assert ws.predictions.get("77", arrays=True)["y_pred"].tolist() == [77]


LIMIT = 64 << 20


@pytest.fixture
def writer(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.predictions.writer("2026-01-02_Stress_0123456789ab", "wheat") as opened:
        yield opened


LONG = {
    "text of a row": lambda w: w.write({"id": "a", "note": "x" * (LIMIT + 1)}),
    "array of a row": lambda w: w.write({"id": "a", "y_true": bytes_of(LIMIT // 8 + 1)}),
    "text of a batch": lambda w: w.write_batch(pa.table({"id": ["a"], "note": ["x" * (LIMIT + 1)]})),
    "nested": lambda w: w.write_batch(pa.table({"id": ["a"], "note": [["x" * LIMIT, "y"]]})),
    "coded": lambda w: w.write_batch(
        pa.table({"id": ["a"], "note": pa.array(["x" * (LIMIT + 1)]).dictionary_encode()})
    ),
}


def bytes_of(count):
    import numpy as np

    return np.zeros(count)


@pytest.mark.parametrize("name", LONG)
def test_a_value_beyond_the_limit_is_refused(writer, name):
    with pytest.raises(ValueError, match="y_true" if name.startswith("array") else "note"):
        LONG[name](writer)
    writer.write({"id": "a", "note": "x" * LIMIT} if name == "text of a row" else {"id": "a"})
    writer.flush()
    assert writer.acknowledged == 1


@pytest.mark.skipif(not HUGE, reason="needs some 4 GB of memory; N4W_STRESS_HUGE=1 runs it")
def test_texts_of_more_than_2_gib_in_one_batch(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    count, length = 50, 50 << 20
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int8()), pa.array(["x" * length]))
    with ws.predictions.writer("2026-01-02_Stress_0123456789ab", "wheat") as writer:
        writer.write_batch(pa.table({"id": [str(number) for number in range(count)], "best_params": texts}))
    (file,) = ws.path.glob("predictions/*/*.meta.parquet")
    metadata = pq.read_metadata(file)
    assert metadata.num_row_groups > 1
    lengths = ws.predictions.scan().select(pl.col("best_params").str.len_bytes()).collect()
    assert lengths["best_params"].to_list() == [length] * count
    assert ws.verify(full=True)["problems"] == []
    assert ws.predictions.get("7")["best_params"] == "x" * length
