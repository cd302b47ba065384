"""A copy of a live workspace that was recovered, and then got the rest of the original by `cp -rn`.

What the merge left out lies only in the journal, or in nothing: what is there may not be lost.
"""

import resource
import shutil
import signal
import subprocess

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from nirs4all_workspace import _native
from writing import DATASET, RUN, age, ids, results, workspace

pytestmark = pytest.mark.filterwarnings("ignore:.* of results that were never checkpointed")

PARTS = ("runs", "templates", "datasets", "predictions", "arrays", "artifacts")
ARRAYS = {"v1": [0.0], "w1": [1.0, 2.0], "w3": [3.0, 4.0]}


def row(name, result=None):
    made = {"id": name, "val_score": 1.0, "metric": "rmse", "partition": "val"}
    return made | ({"result_id": result} if result else {})


def merge(source, target):
    for part in PARTS:
        if (source / part).exists():
            # Some versions of cp say by their code that something was there.
            subprocess.run(["cp", "-rn", source / part, target], check=False, capture_output=True)


def settle(root, *, compacts=False):
    """Recover, and remove what is due; returns what was said."""
    ws = n4w.Workspace.open(root)
    said = ws.recover()
    age(root)
    ws.recover()
    if compacts:
        ws.predictions.compact()
        age(root)
        ws.recover()
    return said


def problems(root):
    """The kinds of what is wrong with rows, arrays and lists; the runs here have no records."""
    found = n4w.Workspace.open(root).verify(full=True)["problems"]
    return [
        one["kind"]
        for one in found
        if one["path"].startswith(("predictions/", "arrays/")) or "/results." in one["path"]
    ]


def rows_on_disk(root):
    files = [*root.glob("predictions/*/*.parquet"), *root.glob("predictions/*/partial/*.parquet")]
    return {name for file in files for name in pl.read_parquet(file, columns=["id"])["id"]}


class Pair:
    """An original with one closed and one living writer, and a copy of it that was recovered."""

    def __init__(self, folder, first, *, compacts=True):
        self.original = workspace(folder / "original").path
        ws = n4w.Workspace.open(self.original)
        with ws.predictions.writer(RUN, DATASET) as closed:
            first(closed, "v1")
        self.writer = ws.predictions.writer(RUN, DATASET)
        first(self.writer, "w1")
        self.writer.flush()
        self.copy = folder / "copy"
        shutil.copytree(self.original, self.copy)
        settle(self.copy, compacts=compacts)


@pytest.mark.parametrize("compacts", [False, True])
def test_arrays_that_only_the_journal_has_are_written_again(tmp_path, compacts):
    def first(writer, name):
        writer.write(row(name) | {"y_pred": ARRAYS[name]})

    pair = Pair(tmp_path, first, compacts=True)
    pair.writer.write(row("w3", "b") | {"y_pred": ARRAYS["w3"]})
    pair.writer.checkpoint({"id": "b"})
    pair.writer.close()
    merge(pair.original, pair.copy)
    assert problems(pair.copy) == ["dangling"]
    notes = n4w.Workspace.open(pair.copy).verify()["notes"]
    assert [note["path"].endswith(".journal") for note in notes if note["kind"] == "interrupted"] == [True]
    settle(pair.copy, compacts=compacts)
    assert list(pair.copy.glob("predictions/*/*.journal")) == []
    ws = n4w.Workspace.open(pair.copy)
    for name, values in ARRAYS.items():
        assert np.array_equal(ws.predictions.get(name, arrays=True)["y_pred"], values)
    assert problems(pair.copy) == []


@pytest.mark.parametrize("compacts", [False, True])
def test_checkpoints_that_only_the_journal_has_are_listed_again(tmp_path, compacts):
    def first(writer, name):
        writer.write(row(name, name))
        writer.checkpoint({"id": name})

    pair = Pair(tmp_path, first)
    pair.writer.write(row("w3", "w3"))
    pair.writer.checkpoint({"id": "w3", "artifacts": ["0" * 64]})
    pair.writer.close()
    merge(pair.original, pair.copy)
    assert problems(pair.copy) == ["dangling"]
    settle(pair.copy, compacts=compacts)
    texts = [file.read_text() for file in pair.copy.glob("runs/*/results.*.jsonl")]
    assert "0" * 64 in "".join(texts)
    assert results(pair.copy) == {"v1": 1, "w1": 1, "w3": 1}
    assert ids(pair.copy) == {"v1": 1, "w1": 1, "w3": 1}
    assert problems(pair.copy) == []


@pytest.mark.parametrize("compacts", [False, True])
def test_rows_of_unfinished_results_that_only_the_journal_has_are_set_apart_again(tmp_path, compacts):
    def first(writer, name):
        writer.write(row(name, f"{name}_done"))
        writer.checkpoint({"id": f"{name}_done"})
        writer.write(row(f"{name}_unfinished", "a"))

    pair = Pair(tmp_path, first)
    pair.writer.write(row("w3_unfinished", "b"))
    pair.writer.write(row("w4"))
    pair.writer.close()
    merge(pair.original, pair.copy)
    settle(pair.copy, compacts=compacts)
    unfinished = {"v1_unfinished", "w1_unfinished", "w3_unfinished"}
    assert rows_on_disk(pair.copy) == {"v1", "w1", "w4"} | unfinished
    assert ids(pair.copy) == {"v1": 1, "w1": 1, "w4": 1}
    assert ids(pair.copy, partial=True) == dict.fromkeys({"v1", "w1", "w4"} | unfinished, 1)


def damage(file):
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(file.read_bytes())
    content[start + chunk.total_compressed_size - 3] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("is_compaction", [False, True])
def test_a_damaged_file_gives_way_to_an_intact_copy_of_its_rows(tmp_path, is_compaction):
    root = workspace(tmp_path / "ws").path
    ws = n4w.Workspace.open(root)
    for name in ("r0", "r1"):
        with ws.predictions.writer(RUN, DATASET) as writer:
            writer.write(row(name))
            journal = writer.path
    if is_compaction:
        age(root)
        file = root / ws.predictions.compact()["compacted"][0]["output"]
    else:
        file = journal.with_name(journal.name.replace(".journal", ".meta.parquet"))
    damage(file)
    age(root)
    found = ws.verify(full=True)
    assert ("corrupt", file) in [(one["kind"], root / one["path"]) for one in found["problems"]]
    needed = [note for note in found["notes"] if file.name in note["message"]]
    assert {note["kind"] for note in needed} == {"interrupted"}
    # Nothing is removed on the way.
    before = rows = sorted(root.glob("predictions/*/*"))
    with ws.predictions.writer(RUN, "another") as writer:
        writer.write(row("other"))
    assert [path for path in before if path.exists()] == rows
    said = ws.recover()
    assert [one["kind"] for one in said["problems"] if root / one["path"] == file] == ["corrupt"]
    assert file.with_name(f"{file.name}.corrupt").exists()
    assert ids(root) == {"r0": 1, "r1": 1, "other": 1}
    age(root)
    ws.recover()
    assert ids(root) == {"r0": 1, "r1": 1, "other": 1}


class Full:
    """A disk that is full for files of some size."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)
        signal.signal(signal.SIGXFSZ, self.handler)


@pytest.mark.parametrize("is_into_copy", [False, True])
@pytest.mark.parametrize("compacts", [False, True])
@pytest.mark.parametrize("is_quiet", [False, True])
def test_rows_become_live_whose_result_was_checkpointed_in_a_successor(
    tmp_path, is_into_copy, compacts, is_quiet
):
    def first(writer, name):
        writer.write(row(name))
        writer.write(row(f"{name}_a", f"{name}_r"))

    pair = Pair(tmp_path, first, compacts=compacts)
    pair.writer.write(row("w3", "w1_r"))
    size = pair.writer.path.stat().st_size
    with Full(size + 100), pytest.raises(OSError, match="too large"):
        pair.writer.flush()
    pair.writer.checkpoint({"id": "w1_r"})
    pair.writer.close()
    if is_quiet:
        settle(pair.original)
    live = {"v1": 1, "w1": 1, "w1_a": 1, "w3": 1}
    assert ids(pair.original) == live
    source, target = (pair.original, pair.copy) if is_into_copy else (pair.copy, pair.original)
    merge(source, target)
    if ids(target) != live:
        assert "outgrown" in problems(target)
    settle(target)
    for _ in range(2):
        assert ids(target) == live
        assert ids(target, partial=True) == dict.fromkeys([*live, "v1_a"], 1)
        assert problems(target) == []
        settle(target, compacts=True)
    assert results(target) == {"w1_r": 1}


def test_a_result_whose_rows_were_not_copied_is_planned_again(tmp_path):
    original = n4w.Workspace.create(tmp_path / "original")
    run = original.runs.create("x", templates=[["A"]], datasets=[DATASET])
    configs = [{"name": name, "steps": [name]} for name in ("c1", "c2")]
    with run:
        first, second = run.plan(configs)
        writer = run.writer(DATASET)
        writer.write(row("r1", first.id))
        writer.checkpoint(first)
        writer.write(row("r2a", second.id))
        writer.flush()
        shutil.copytree(original.path, tmp_path / "copy")
        writer.write(row("r2b", second.id))
        writer.checkpoint(second)
        writer.close()
    copy = tmp_path / "copy"
    lists = f"runs/{run.id}/results.*.jsonl"
    # The copy's list is the one that was taken along: its segment was not.
    settle(copy)
    settle(original.path)
    for file in copy.glob(lists):
        file.unlink()
    merge(original.path, copy)
    assert problems(copy) == ["incomplete"]
    assert "incomplete" in [note["kind"] for note in n4w.Workspace.open(copy).recover()["notes"]]
    assert problems(copy) == []
    ws = n4w.Workspace.open(copy)
    assert [one.id for one in ws.results.list(limit=None)] == [first.id]
    assert [file.read_text().count(second.id) for file in copy.glob(f"{lists}.apart")] == [1]
    with ws.runs.get(run.id).resume() as resumed:
        (planned,) = resumed.plan(configs)
        assert planned.id == second.id
        with resumed.writer(DATASET) as writer:
            writer.write(row("again", second.id))
            writer.checkpoint(planned)
    assert set(ids(copy)) == {"r1", "again"}


def test_rows_that_were_copied_with_their_checkpoint_hide_those_of_a_later_one(tmp_path):
    original = workspace(tmp_path / "original").path
    writer = n4w.Workspace.open(original).predictions.writer(RUN, DATASET)
    writer.write(row("first"))
    writer.write(row("first_r", "r"))
    writer.flush()
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    settle(copy)
    writer.checkpoint({"id": "r", "completed_at": "2026-01-01T00:00:00+00:00"})
    writer.close()
    with n4w.Workspace.open(copy).predictions.writer(RUN, DATASET) as other:
        other.write(row("second_r", "r"))
        other.checkpoint({"id": "r", "completed_at": "2026-01-02T00:00:00+00:00"})
    settle(original)
    settle(copy)
    merge(original, copy)
    assert "outgrown" in problems(copy)
    settle(copy)
    for compacts in (False, True):
        assert ids(copy) == {"first": 1, "first_r": 1}
        said = _native.finished_results(copy, RUN)[0]
        assert {name for name, text in said if "2026-01-01" in text} == {writer.writer_id}
        assert problems(copy) == []
        settle(copy, compacts=compacts)


def test_a_fence_that_came_with_a_copy_leaves_a_living_writer_alone(tmp_path):
    original = workspace(tmp_path / "original").path
    writer = n4w.Workspace.open(original).predictions.writer(RUN, DATASET)
    writer.write(row("a"))
    writer.flush()
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    n4w.Workspace.open(copy).recover()
    merge(copy, original)
    assert list(original.glob("predictions/*/*.fence")) != []
    writer.write(row("b"))
    writer.close()
    assert ids(original) == {"a": 1, "b": 1}
    settle(original)
    assert ids(original) == {"a": 1, "b": 1}


def test_a_fence_without_a_file_counts_as_before(tmp_path):
    root = workspace(tmp_path / "ws").path
    writer = n4w.Workspace.open(root).predictions.writer(RUN, DATASET)
    writer.write(row("a"))
    writer.flush()
    fence = writer.path.with_name(f"{writer.path.name}.fence")
    fence.write_text('{"declared_at": "2026-11-24T09:25:29.686302+00:00", "by": {}}')
    writer.write(row("b"))
    with pytest.raises(n4w.ConflictError):
        writer.flush()
    writer._is_closed = True
