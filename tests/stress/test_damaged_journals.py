"""Every flipped bit and every truncation of a journal: found, and what is before it counts."""

import os
import shutil
import struct
import warnings

import nirs4all_workspace as n4w
import pytest
import xxhash
from nirs4all_workspace import _native
from samples import keys, strict
from writing import DATASET, RUN, ids, journals, recover, results, row, run, sealed_ids, workspace

# The short form takes every n-th bit or byte.
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "5"))

WORKER = """
ws = n4w.Workspace.open(ROOT)
writer = ws.predictions.writer(RUN, DATASET)
writer.write(row("a", y_pred=[1.0]))
writer.flush()
writer.write(row("b", "r1"))
writer.checkpoint({"id": "r1"})
writer.write(row("c"))
writer.flush()
os._exit(0)
"""
# What each frame brings, in the order of the file: arrays, rows, rows, checkpoint, rows.
FRAMES = [(), ("a",), ("b",), ("r1",), ("c",)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A workspace whose writer died, its journal, and where its frames begin and end, by format.md."""
    root = workspace(tmp_path_factory.mktemp("damaged") / "ws").path
    run(WORKER, root)
    journal = journals(root)[0]
    content = journal.read_bytes()
    assert content[:4] == b"N4AJ"
    seed = xor_halves(content[8:24])
    bounds = [28 + struct.unpack("<I", content[24:28])[0] + 8]
    while bounds[-1] < len(content):
        head = content[bounds[-1] : bounds[-1] + 32]
        magic, kind, number, length, checksum = struct.unpack("<4sB3xQQQ", head)
        assert (magic, number) == (b"N4AF", len(bounds) - 1)
        assert kind in (1, 2, 3)
        assert checksum == xxhash.xxh3_64_intdigest(head[:24], seed)
        payload = content[bounds[-1] + 32 :][:length]
        stored = content[bounds[-1] + 32 + length :][:8]
        assert struct.unpack("<Q", stored)[0] == xxhash.xxh3_64_intdigest(payload, seed ^ checksum)
        bounds.append(bounds[-1] + 32 + length + 8)
    assert len(bounds) == 6
    return root, journal.relative_to(root), content, bounds


def xor_halves(identity: bytes) -> int:
    return int.from_bytes(identity[:8], "big") ^ int.from_bytes(identity[8:], "big")


def expected(whole_frames: int) -> tuple[set, set]:
    names = {name for frame in FRAMES[:whole_frames] for name in frame}
    return names - {"r1"}, names & {"r1"}


def read(root):
    """The ids that a reader sees, and whether it was warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ids(root)
    return found, [str(one.message) for one in caught]


def check_reader(root, frames, *, is_flagged):
    """Readers see the good part and no more; damage amid frames is flagged, a torn end is none."""
    rows, finished = expected(frames)
    found, _ = read(root)
    assert found == dict.fromkeys(rows, 1)
    summary = n4w.Workspace.open(root).summary()
    assert summary["total_predictions"] == len(rows)
    assert bool(summary["errors"]) >= is_flagged, summary
    assert results(root) == dict.fromkeys(finished, 1)


def check_sealed(root, frames):
    """Recovered: whole frames, and of `b` only what its checkpoint made count."""
    rows, finished = expected(frames)
    counting = rows if finished else rows - {"b"}
    assert ids(root, partial=True) == dict.fromkeys(rows, 1)
    assert ids(root) == sealed_ids(root) == dict.fromkeys(counting, 1)
    assert results(root) == dict.fromkeys(finished, 1)


def copy(root, tmp_path, name, relative, content):
    target = tmp_path / name
    shutil.copytree(root, target)
    (target / relative).write_bytes(content)
    return target


def flips(content):
    """Every bit in the long form, some of all in the short."""
    return range(0, 8 * len(content), 1 if STRIDE == 1 else 37 * STRIDE)


def test_every_flipped_bit_is_found(original, tmp_path):
    root, relative, content, bounds = original
    for bit in flips(content):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        frames = sum(bound <= bit // 8 for bound in bounds)  # 0: in the header
        target = copy(root, tmp_path, f"bit{bit}", relative, damaged)
        whole = max(0, frames - 1)
        # A damaged last frame may be one that its writer is about to finish, for whoever only reads.
        check_reader(target, whole, is_flagged=frames < 5)
        report = recover(target)
        problems = [one for one in report["problems"] if one["path"] == relative.as_posix()]
        if content[4:8] == damaged[4:8]:
            assert len(problems) == 1, (bit, report)
        if frames:
            assert f"at byte {bounds[frames - 1]}" in problems[0]["message"], (bit, problems)
        if problems and problems[0]["kind"] == "corrupt":
            assert not (target / relative).exists()
            assert (target / f"{relative}.corrupt").read_bytes() == damaged
        check_sealed(target, whole)
        again = recover(target)
        assert (again["problems"], again["sealed"]) == ([], []) or frames == 0
        shutil.rmtree(target)


def test_every_flipped_bit_of_what_says_how_long_the_header_is(original, tmp_path):
    """A header that seems to go on beyond the file is not one that was being made."""
    root, relative, content, _ = original
    for bit in range(24 * 8, 28 * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        target = copy(root, tmp_path, f"bit{bit}", relative, damaged)
        check_reader(target, 0, is_flagged=True)
        assert [one["kind"] for one in recover(target)["problems"]] == ["corrupt"], bit
        assert (target / f"{relative}.corrupt").read_bytes() == damaged
        shutil.rmtree(target)


def test_every_truncation_is_the_state_before(original, tmp_path):
    """Cut at the end of a frame a journal equals its earlier self; within one, the rest is no frame."""
    root, relative, content, bounds = original
    lengths = {
        *range(0, len(content), 1 if STRIDE == 1 else 13 * STRIDE),
        *bounds,
        bounds[0] - 1,
        bounds[0] + 31,
    }
    for length in sorted(lengths):
        target = copy(root, tmp_path, f"cut{length}", relative, content[:length])
        whole = max(0, sum(bound <= length for bound in bounds) - 1)
        check_reader(target, whole, is_flagged=False)
        report = recover(target)
        assert report["problems"] == []
        if length < bounds[0]:
            assert [note["kind"] for note in report["notes"]] == ["corrupt"]
        elif length in bounds:
            assert report["notes"] == []
        else:
            assert [note["kind"] for note in report["notes"]] == ["torn"]
            assert f"at byte {bounds[whole]} " in report["notes"][0]["message"]
        check_sealed(target, whole)
        shutil.rmtree(target)


def test_frames_of_another_journal_are_not_believed(original, tmp_path):
    root, relative, content, bounds = original
    other = workspace(tmp_path / "other").path
    run(WORKER, other)
    foreign = journals(other)[0].read_bytes()
    begin = bounds[0]
    strange = 28 + struct.unpack("<I", foreign[24:28])[0] + 8
    target = copy(root, tmp_path, "mixed", relative, content[:begin] + foreign[strange:])
    check_reader(target, 0, is_flagged=True)
    assert recover(target)["problems"][0]["kind"] == "corrupt"
    # A frame twice, and two in the wrong order.
    for number, order in enumerate([(0, 1, 1), (0, 2, 1)]):
        parts = [content[bounds[frame] : bounds[frame + 1]] for frame in order]
        target = copy(root, tmp_path, f"order{number}", relative, content[:begin] + b"".join(parts))
        kept = 2 - number
        assert read(target)[0] == dict.fromkeys(expected(kept)[0], 1)
        assert recover(target)["problems"][0]["kind"] == "corrupt"


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
