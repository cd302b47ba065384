"""The examples of docs/format.md, parsed as that page says and by nothing of the package; real files too."""

import json
import re
import struct
from datetime import datetime
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

RUN = "2026-11-24_Protein_sweep_5f0c9a1be277"
FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", FORMAT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"docs/format.md has no example in {language}"
    return found


def parse_journal(data):
    """Header and frames, as the tables of the page say."""
    magic, major, minor, zeros, journal, length = struct.unpack_from("<4sBBH16sI", data)
    assert (magic, major, minor, zeros) == (b"N4AJ", 1, 0, 0)
    begin = 28 + length
    assert data[begin : begin + 8] == struct.pack("<Q", xxhash.xxh3_64_intdigest(data[:begin]))
    about = json.loads(data[28:begin])
    high, low = struct.unpack(">QQ", journal)
    seed, at, frames = high ^ low, begin + 8, []
    while at < len(data):
        magic, kind, zeros, number, length, head = struct.unpack_from("<4sB3sQQQ", data, at)
        assert (magic, zeros, number) == (b"N4AF", bytes(3), len(frames))
        assert head == xxhash.xxh3_64_intdigest(data[at : at + 24], seed=seed)
        payload = data[at + 32 : at + 32 + length]
        (checksum,) = struct.unpack_from("<Q", data, at + 32 + length)
        assert checksum == xxhash.xxh3_64_intdigest(payload, seed=seed ^ head)
        frames.append((kind, payload, checksum))
        at += 32 + length + 8
    assert at == len(data)
    return journal.hex(), about, frames


def check_owner(owner):
    assert list(owner) == ["host", "boot_id", "pid", "since"]
    assert datetime.fromisoformat(owner["since"]).utcoffset().total_seconds() == 0


def test_the_journal_of_the_page():
    (text,) = blocks("hex")
    journal, about, frames = parse_journal(bytes.fromhex(text.replace("\n", "")))
    assert list(about) == ["dataset_name", "owner", "predecessor"]
    check_owner(about["owner"])
    ((kind, payload, _),) = frames
    assert kind == 3
    assert json.loads(payload)["id"] == "res_0a1b2c3d4e5f6071"
    # The segment that the page shows was sealed from this journal.
    assert journal == next(json.loads(text) for text in blocks("json") if "frames" in text)["journal"]


def test_the_json_of_the_page():
    sealed = ("journal", "length", "frames", "checksum", "predecessor", "results")
    shapes = {("declared_at", "by", "inode"), sealed}
    shapes.add(("host", "boot_id", "pid", "since"))
    assert shapes <= {tuple(json.loads(text)) for text in blocks("json")}


@pytest.fixture
def ws(tmp_path):
    made = n4w.Workspace.create(tmp_path / "ws")
    (made.path / "runs" / RUN).mkdir()
    return made


def test_real_files_are_what_the_page_says(ws):
    writer = ws.predictions.writer(RUN, "wheat")
    for row in range(3):
        writer.write({"id": f"a{row}", "val_score": row / 2, "y_true": [1.0, 2.0], "result_id": "r"})
    writer.flush()
    writer.checkpoint({"id": "r"})
    journal, about, frames = parse_journal(writer.path.read_bytes())
    check_owner(about["owner"])
    assert about["dataset_name"] == "wheat"
    assert [kind for kind, _, _ in frames] == [1, 2, 3]
    arrays, rows = (pa.ipc.open_stream(payload).read_all() for _, payload, _ in frames[:2])
    assert rows["id"].to_pylist() == ["a0", "a1", "a2"]
    assert arrays["array_data"].to_pylist() == [[1.0, 2.0]]
    length = writer.path.stat().st_size
    path = writer.path
    writer.close()

    segment = path.with_name(path.name.replace(".journal", ".meta.parquet"))
    metadata = pq.read_metadata(segment)
    expected = {"journal": journal, "length": length, "frames": 3, "checksum": f"{frames[-1][2]:016x}"}
    result = ws.path / "runs" / RUN / f"results.{segment.name.split('.')[-3]}.jsonl"
    expected |= {"predecessor": None, "results": xxhash.xxh3_64_hexdigest(result.read_bytes())}
    assert json.loads(metadata.metadata[b"n4a_journal"]) == expected
    stored = pq.read_table(ws.path / "arrays" / segment.parent.name / segment.name.replace("meta", "arrays"))
    assert stored.schema.names == arrays.schema.names
    assert stored["array_shape"].to_pylist() == ["[2]"]
    assert [json.loads(line)["id"] for line in result.read_text().splitlines()] == ["r"]


def test_segments_are_laid_out_as_the_page_says(ws):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write_batch(
            pl.DataFrame({"id": [f"r{i}" for i in range(70_000)], "val_score": 0.5, "mine": 1})
        )
    (segment,) = ws.path.glob("predictions/*/*.meta.parquet")
    metadata = pq.read_metadata(segment)
    page = FORMAT.read_text("utf-8")
    order = re.search(r"The order is that of `(.*?)`", page, re.DOTALL).group(1)
    assert metadata.schema.to_arrow_schema().names == [*re.split(r",\s+", order), "mine"]
    assert [metadata.row_group(group).num_rows for group in range(2)] == [65_536, 4_464]
    columns = {
        metadata.row_group(0).column(c).path_in_schema: metadata.row_group(0).column(c) for c in range(40)
    }
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert columns["val_score"].is_stats_set
    assert columns["val_score"].has_offset_index
    assert columns["val_score"].has_column_index


def test_a_compaction_lists_what_it_replaces(ws):
    writers = []
    for row in range(2):
        with ws.predictions.writer(RUN, "wheat") as writer:
            writer.write({"val_score": float(row)})
        writers.append(writer.writer_id)
    for journal in ws.path.glob("predictions/*/*.journal"):
        journal.unlink()  # covered, and only too young to be removed
    (done,) = ws.predictions.compact()["compacted"]
    assert re.fullmatch(
        rf"predictions/wheat_[0-9a-f]{{8}}/{RUN}\.c[0-9a-f]{{12}}\.meta\.parquet", done["output"]
    )
    footer = pq.read_metadata(ws.path / done["output"]).metadata
    replaces = json.loads(footer[b"n4a_replaces"])
    assert sorted(replaces) == sorted(writers)
    places = sorted((sealed.pop("first"), sealed.pop("rows")) for sealed in replaces.values())
    assert places == [(0, 1), (1, 1)]
    for writer, sealed in replaces.items():
        (segment,) = ws.path.glob(f"predictions/*/*.{writer}.meta.parquet")
        assert sealed == json.loads(pq.read_metadata(segment).metadata[b"n4a_journal"])
    assert b"n4a_journal" not in footer
