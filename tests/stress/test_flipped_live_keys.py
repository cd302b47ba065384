"""Every bit of the footers that say which rows are live, flipped: each answer is right or names the file.

What is right is a model of dicts: the rows that were written, and whose checkpoint of a result won.
"""

import contextlib
import os
import random
import shutil
import struct
import warnings
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
from writing import age, row

DATASET = "wheat"
# Each so many bits one is flipped; those of the keys that decide which rows are live are nearer.
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "401"))
NEAR = max(1, STRIDE // 8)
KEYS = (b"n4a_replaces", b"n4a_results", b"n4a_journal")
# By writer: the rows of no result, those of the shared one, its status.
WRITTEN = {"a": (["a1"], ["a2"], "failed"), "b": (["b1"], ["b2", "b3"], "done")}
LIVE = ["a1", "b1", "b2", "b3"]


def write(ws, run_id, name):
    """One writer's segment."""
    plain, shared, status = WRITTEN[name]
    with ws.predictions.writer(run_id, DATASET) as writer:
        for one in plain:
            writer.write(row(one))
        for one in shared:
            writer.write(row(one, "r1"))
        writer.checkpoint({"id": "r1", "status": status, "completed_at": "2026-01-01T00:00:01+00:00"})
    return next(ws.path.glob(f"predictions/*/*.{writer.writer_id}.meta.parquet"))


def two_writers(path):
    ws = n4w.Workspace.create(path)
    run_id = ws.runs.create("run").id
    files = {name: write(ws, run_id, name) for name in WRITTEN}
    age(ws.path)
    ws.recover()  # the journals are no longer needed
    return ws, files


def answers(path):
    """The ids that each answer has, and the files that it names with their kinds."""
    ws = n4w.Workspace.open(path)
    page = ws.predictions.page(limit=50, columns=["id"], sort_by="id")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        scanned = sorted(ws.predictions.scan().select("id").collect()["id"])
    summary = ws.summary()
    top = ws.predictions.top(50, metric="rmse", distinct=False)
    told = {tuple(str(one.message).split(": ")[:2]) for one in warned}
    named = [
        {(one["path"], one["kind"]) for one in of} for of in (page.errors, summary["errors"], top.errors)
    ]
    assert all(names == told for names in named), (named, told)
    ids = [one["id"] for one in page.records]
    assert scanned == ids
    assert sorted(one["id"] for one in top) == ids
    assert summary["total_predictions"] == len(ids)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in ("a1", "a2", "b1", "b2", "b3"):
            with contextlib.suppress(n4w.NotFoundError, n4w.CorruptFileError):
                found.append(ws.predictions.get(one)["id"])
    assert found == ids
    return ids, told


def flips(content):
    """Places of bits: of all of the footer, and more of those of the keys."""
    (length,) = struct.unpack("<I", content[-8:-4])
    start = len(content) - 8 - length
    bits = set(range(start * 8 + random.Random(1).randrange(STRIDE), len(content) * 8, STRIDE))
    for key in KEYS:
        at = content.find(key, start)
        if at >= 0:
            bits.update(range(at * 8, (at + 400) * 8, NEAR))
    return sorted(bits)


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def upkeep(path):
    age(path)
    ws = n4w.Workspace.open(path)
    ws.recover()
    with contextlib.suppress(n4w.CorruptFileError):
        ws.predictions.compact()
    age(path)
    ws.recover()


def test_a_compaction_beside_what_it_replaces(tmp_path):
    ws, _ = two_writers(tmp_path / "ws")
    (done,) = ws.predictions.compact()["compacted"]
    assert answers(ws.path) == (LIVE, set())
    file = ws.path / done["output"]
    content = file.read_bytes()
    for number, bit in enumerate(flips(content)):
        file.write_bytes(flipped(content, bit))
        ids, told = answers(ws.path)
        assert ids == LIVE, bit
        assert {path for path, _ in told} <= {done["output"]}
        if number % 40 == 0:
            copy = tmp_path / "copy"
            shutil.copytree(ws.path, copy)
            upkeep(copy)
            assert answers(copy)[0] == LIVE, bit
            (copy / done["output"]).write_bytes(content)
            assert answers(copy) == (LIVE, set()), bit
            shutil.rmtree(copy)
    file.write_bytes(content)


@pytest.mark.parametrize("damaged", ["a", "b"])
def test_a_segment_beside_that_of_another_writer(tmp_path, damaged):
    ws, files = two_writers(tmp_path / "ws")
    assert answers(ws.path) == (LIVE, set())
    file = files[damaged]
    relative = file.relative_to(ws.path).as_posix()
    plain, shared, _ = WRITTEN["b" if damaged == "a" else "a"]
    others = sorted(plain + shared)
    content = file.read_bytes()
    for number, bit in enumerate(flips(content)):
        file.write_bytes(flipped(content, bit))
        ids, told = answers(ws.path)
        assert (ids, told) == (LIVE, set()) or (ids == others and {path for path, _ in told} == {relative}), (
            bit
        )
        if number % 40 == 0:
            copy = tmp_path / "copy"
            shutil.copytree(ws.path, copy)
            upkeep(copy)
            (copy / relative).write_bytes(content)
            assert answers(copy) == (LIVE, set()), bit
            shutil.rmtree(copy)


def test_a_rebuild_does_not_prove_what_changed(tmp_path):
    ws, files = two_writers(tmp_path / "ws")
    file, other = files["b"], files["a"]
    held = Path(tmp_path / "held")
    shutil.move(other, held)  # alone, its rows are read
    content = file.read_bytes()
    at = content.rindex(b'"done", "2026-01-01') + len(b'"done", "202')
    file.write_bytes(flipped(content, at * 8))
    assert n4w.Workspace.open(ws.path).summary()["total_predictions"] == 3
    found = ws.predictions.rebuild_summaries()
    assert [(one["path"], one["kind"]) for one in found["errors"]] == [
        (file.relative_to(ws.path).as_posix(), "corrupt")
    ]
    (problem,) = ws.verify()["problems"]
    assert (problem["path"], problem["kind"]) == (file.relative_to(ws.path).as_posix(), "corrupt")
    shutil.move(held, other)
    ids, told = answers(ws.path)
    assert ids == ["a1", "a2"]
    assert {path for path, _ in told} == {file.relative_to(ws.path).as_posix()}
