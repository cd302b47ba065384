"""Damaged journals beside intact copies, segments, compactions and successors: each row counts once."""

import json
import os
import shutil
import warnings

import nirs4all_workspace as n4w
import pyarrow.parquet as pq
import pytest
from damaging import check_sealed, copy, make_original, read
from nirs4all_workspace import _native
from samples import keys, strict
from writing import DATASET, RUN, age, ids, journals, recover, results, row, run, sealed_ids, workspace


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_original(tmp_path_factory)


def test_two_damaged_copies_are_told_and_neither_is_lost(original, tmp_path):
    """Each has a frame that the other lacks: the one that was sealed counts."""
    root, relative, content, bounds = original
    one, other = bytearray(content), bytearray(content)
    one[bounds[1] + 40] ^= 1
    other[bounds[4] + 10] ^= 1
    target = copy(root, tmp_path, "ws", relative, one)
    recover(target)
    (target / relative).write_bytes(other)
    assert sealed_ids(target) == read(target)[0] == {"b": 1, "c": 1}
    assert [error["kind"] for error in n4w.Workspace.open(target).summary()["errors"]] == ["conflict"]
    assert [problem["kind"] for problem in recover(target)["problems"]] == ["conflict"]
    age(target)
    recover(target)
    assert (target / relative).read_bytes() == other
    (target / relative).write_bytes(content)
    recover(target)
    check_sealed(target, range(5))


def forget_places(root):
    """Say of the compaction what earlier versions said: which writers it has, not where their rows lie."""
    (file,) = (root / "predictions").glob("*/*.c*.meta.parquet")
    table = pq.read_table(file)
    replaces = json.loads(pq.read_metadata(file).metadata[b"n4a_replaces"])
    before = {
        writer: {key: value for key, value in said.items() if key not in ("first", "rows")}
        for writer, said in replaces.items()
    }
    assert len(before) > 1
    assert before != replaces
    pq.write_table(table.replace_schema_metadata({"n4a_replaces": json.dumps(before)}), file)


@pytest.mark.parametrize("is_landed", [False, True])
def test_an_intact_copy_after_a_compaction_brings_what_was_lost(original, tmp_path, is_landed):
    """Not what the damaged one had beyond the bad frame: each row counts once."""
    root, relative, content, bounds = original
    damaged = bytearray(content)
    damaged[bounds[1] + 40] ^= 1
    target = copy(root, tmp_path, "ws", relative, damaged)
    recover(target)
    with n4w.Workspace.open(target).predictions.writer(RUN, DATASET) as writer:
        writer.write(row("d"))
    age(target)
    recover(target)
    assert len(_native.compact(target, RUN)) == 1
    age(target)
    recover(target)
    assert ids(target) == {"b": 1, "c": 1, "d": 1}
    if is_landed:
        forget_places(target)
    # The damaged file itself has nothing new.
    (target / relative).write_bytes(damaged)
    assert read(target)[0] == {"b": 1, "c": 1, "d": 1}
    assert recover(target)["sealed"] == []
    (target / relative).write_bytes(content)
    assert len(recover(target)["sealed"]) == 1
    assert ids(target) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert results(target) == {"r1": 1}
    age(target)
    recover(target)
    # What the compaction has of it is hidden there, and left out when both are merged.
    assert ids(target) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert len(_native.compact(target, RUN)) == 1
    age(target)
    recover(target)
    assert ids(target) == sealed_ids(target) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_nothing_is_remembered_past_a_damaged_frame(original, tmp_path):
    """An answer that was kept before the damage, or during it, is none after it."""
    root, relative, content, bounds = original
    target = copy(root, tmp_path, "ws", relative, content)
    damaged = bytearray(content)
    damaged[bounds[1] + 40] ^= 1
    ws = n4w.Workspace.open(target)
    stat = (target / relative).stat()
    for state, wanted in [
        (content, "abc"),
        (damaged, "bc"),
        (damaged, "bc"),
        (content, "abc"),
        (damaged, "bc"),
    ]:
        with (target / relative).open("r+b") as file:
            file.write(state)
        # As a disk that loses bits in silence.
        os.utime(target / relative, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        records = ws.predictions.page(sort_by="id").records
        assert [record["id"] for record in records] == [*wanted]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert [ws.predictions.get(name)["id"] for name in wanted] == [*wanted]
        assert set(read(target)[0]) == {*wanted}


def test_a_writer_says_when_its_journal_was_damaged_before_it_closed(tmp_path):
    ws = workspace(tmp_path / "ws")
    writer = ws.predictions.writer(RUN, DATASET)
    for name in "abc":
        writer.write(row(name, name))
        writer.checkpoint({"id": name})
    path = writer.path
    content = bytearray(path.read_bytes())
    _, begin, *_ = [at for at in range(len(content)) if content[at : at + 5] == b"N4AF\x02"]
    content[begin + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(n4w.CorruptFileError, match="damaged"):
        writer.close()
    writer.close()
    assert ids(ws.path) == sealed_ids(ws.path) == {"a": 1, "c": 1}
    assert results(ws.path) == {"a": 1, "c": 1}
    assert ws.summary()["total_predictions"] == 2
    assert path.with_name(path.name + ".corrupt").read_bytes() == content


def test_rows_that_a_predecessor_lost_unmake_a_checkpoint_in_its_successor(tmp_path):
    """A result whose rows were flushed before their journal failed, and damaged there."""
    for is_sealed_first in (False, True):
        ws = workspace(tmp_path / f"ws{is_sealed_first}")
        run(CONTINUED, ws.path)
        first, second = sorted(journals(ws.path), key=lambda path: len(path.name))
        content = bytearray(first.read_bytes())
        _, begin = [at for at in range(len(content)) if content[at : at + 5] == b"N4AF\x02"]
        content[begin + 40] ^= 1
        first.write_bytes(content)
        assert results(ws.path) == {"whole": 1}
        if is_sealed_first:
            later = second.read_bytes()
            second.unlink()
            recover(ws.path)
            second.write_bytes(later)
            assert results(ws.path) == {"whole": 1}
        recover(ws.path)
        assert results(ws.path) == {"whole": 1}
        assert ids(ws.path) == sealed_ids(ws.path)
        assert ids(ws.path, partial=True) == {"a": 1, "c": 1, "d": 1}


CONTINUED = """
import resource, signal
ws = n4w.Workspace.open(ROOT)
writer = ws.predictions.writer(RUN, DATASET)
writer.write(row("a", "whole"))
writer.flush()
writer.write(row("b", "short"))
writer.flush()
writer.write(row("c", "short"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.stat(writer.path).st_size + 100, hard))
try:
    writer.flush()
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
writer.write(row("d", "whole"))
writer.checkpoint({"id": "short"})
writer.checkpoint({"id": "whole"})
os._exit(0)
"""


def test_damage_in_a_successor_leaves_its_predecessor_alone(original, tmp_path):
    """A journal whose successor's header is damaged still counts."""
    root, relative, content, _ = original
    successor = relative.with_name(relative.name.replace(".journal", "-1.journal"))
    for name, header in {"bad": b"N4AX" + content[4:], "torn": content[:20], "none": b""}.items():
        target = copy(root, tmp_path, name, relative, content)
        (target / successor).write_bytes(header)
        found, _ = read(target)
        assert found == {"a": 1, "b": 1, "c": 1}
        recover(target)
        assert ids(target) == sealed_ids(target) == {"a": 1, "b": 1, "c": 1}


def test_a_damaged_segment_does_not_cover_its_journal(original, tmp_path):
    root, relative, _, _ = original
    target = tmp_path / "ws"
    shutil.copytree(root, target)
    recover(target)
    segment = next(target.glob("predictions/*/*.meta.parquet"))
    assert strict(keys(segment)[b"n4a_journal"])["length"] == (target / relative).stat().st_size
    segment.write_bytes(segment.read_bytes()[:-20])
    assert ids(target) == {"a": 1, "b": 1, "c": 1}
    recover(target)
    assert sealed_ids(target) == {"a": 1, "b": 1, "c": 1}


def test_a_damaged_sealed_segment_is_one_error(original, tmp_path):
    """Beside good ones, by summary, scan and verify."""
    target = tmp_path / "ws"
    shutil.copytree(original[0], target)
    recover(target)
    with n4w.Workspace.open(target).predictions.writer(RUN, DATASET) as writer:
        writer.write(row("good"))
    damaged = next(
        path
        for path in target.glob("predictions/*/*.meta.parquet")
        if "good" not in str(path) and writer.writer_id not in path.name
    )
    damaged.with_name(damaged.name.replace(".meta.parquet", ".journal")).unlink()
    content = bytearray(damaged.read_bytes())
    content[-12] ^= 1
    damaged.write_bytes(content[: len(content) // 2] + content[-8:])
    found, warned = read(target)
    assert found == {"good": 1}
    assert any(damaged.name in message for message in warned)
    ws = n4w.Workspace.open(target)
    assert [error["path"] for error in ws.summary()["errors"]] == [damaged.relative_to(target).as_posix()]
    assert ws.summary()["total_predictions"] == 1
    assert _native.list_files(target, live=True)


def test_a_longer_journal_that_lost_a_sealed_row_does_not_take_its_segment(original, tmp_path):
    """Its rows would be gone from the disk."""
    root, relative, content, bounds = original
    target = copy(root, tmp_path, "ws", relative, content)
    recover(target)
    age(target)
    recover(target)
    sealed = ids(target)
    damaged = bytearray(content)
    damaged[bounds[1] + 40] ^= 1
    (target / relative).write_bytes(damaged)
    assert ids(target) == sealed
    recover(target)
    age(target)
    recover(target)
    assert ids(target) == sealed_ids(target) == sealed


def test_what_was_counted_of_a_journal_is_looked_at_again(original, tmp_path):
    root, relative, content, bounds = original
    target = copy(root, tmp_path, "ws", relative, content)
    ws = n4w.Workspace.open(target)
    assert ws.summary()["total_predictions"] == ws.predictions.page().total
    damaged = bytearray(content)
    damaged[bounds[1] + 40] ^= 1
    (target / relative).write_bytes(damaged)
    summary = n4w.Workspace.open(target).summary()
    assert summary["total_predictions"] == ws.predictions.page().total
    assert [error["kind"] for error in summary["errors"]] == ["corrupt"]
