"""Every flipped bit and every truncation of a journal: found, and it costs the frames that it hits."""

import os
import shutil
import struct

import nirs4all_workspace as n4w
import pytest
import xxhash
from damaging import WORKER, check_sealed, copy, expected, make_original, read, xor_halves
from nirs4all_workspace import _native
from samples import keys, strict
from writing import RUN, ids, journals, recover, results, run, sealed_ids, workspace


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_original(tmp_path_factory)


# The short form takes every n-th bit or byte.
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "5"))


def decode(content: bytes, limit: int | None = None) -> tuple[list[int], list[int]]:
    """Read a journal by format.md: the numbers of the frames that count, and where bytes were given up.

    An end that is cut is none of these places.
    """
    limit = len(content) if limit is None else limit
    about = struct.unpack("<I", content[24:28])[0]
    seed, at = xor_halves(content[8:24]), 28 + about + 8
    frames, lost, least = [], [], 0

    def head(at):
        """Number and length of the payload, where the head at this place is right."""
        checksum = xxhash.xxh3_64_intdigest(content[at : at + 24], seed)
        magic, kind, number, length, stored = struct.unpack("<4sB3xQQQ", content[at : at + 32])
        return (
            (number, length, stored) if (magic, stored) == (b"N4AF", checksum) and kind in (1, 2, 3) else None
        )

    def give_up(at):
        if not lost or lost[-1] != at:
            lost.append(at)

    while limit - at >= 32:
        found = head(at)
        if found is None:
            if not any(content[at:limit]):
                break
            give_up(at)
            at += 1
            while limit - at >= 32 and not (head(at) and head(at)[0] >= least):
                at += 1
            least = head(at)[0] if limit - at >= 32 else least
            continue
        number, length, stored = found
        end = at + 32 + length + 8
        if number < least:
            give_up(at)
            at = end
            continue
        if number > least:
            give_up(at)
        if end > limit:
            break
        payload, checksum = content[at + 32 : end - 8], struct.unpack("<Q", content[end - 8 : end])[0]
        if xxhash.xxh3_64_intdigest(payload, seed ^ stored) == checksum:
            frames.append(number)
        else:
            give_up(at)
        at, least = end, number + 1
    return frames, lost


def check_reader(root, frames, lost=()):
    """Every reader has the rows of these frames; damage is one error with its places in every answer."""
    rows, finished = expected(frames)
    found, warned = read(root)
    assert found == dict.fromkeys(rows, 1)
    ws = n4w.Workspace.open(root)
    answers = {"summary": ws.summary()["errors"], "page": ws.predictions.page().errors}
    summary = ws.summary()
    assert summary["total_predictions"] == len(rows)
    assert {record["id"] for record in ws.predictions.page().records} == rows
    assert results(root) == dict.fromkeys(finished, 1)
    _, answers["results"] = _native.finished_results(root, RUN)
    # Polars asks for the columns first: so it may be said twice.
    answers["scan"] = [
        {"kind": "corrupt", "path": str(journals(root)[0]), "message": text} for text in sorted(set(warned))
    ]
    for name, errors in answers.items():
        assert len(errors) == bool(lost), (name, errors)
        for error in errors:
            assert error["kind"] == "corrupt"
            assert str(journals(root)[0]).endswith(error["path"])
            for place in lost:
                assert f"at byte {place}" in error["message"], (name, error)


def flips(content, bounds):
    """Every bit in the long form; in the short one a bit of each field, and some of all."""
    if STRIDE == 1:
        return range(8 * len(content))
    # Of the first frame, of one within and of the last: magic, kind, number, length, checksum and payload.
    heads = [bounds[0] + byte for byte in (2, 17, 32)]
    heads += [bounds[1] + byte for byte in (2, 4, 9, 17, 29, 32)] + [bounds[2] + 40, bounds[3] + 9]
    heads += [bounds[4] + byte for byte in (4, 17, 40)]
    # Magic, version, identity, length, text and checksum of the header; the checksums of payloads.
    fields = [1, 5, 13, 25, 40, bounds[0] - 4, bounds[1] - 4, bounds[4] - 4, bounds[5] - 4]
    some = range(5, 8 * len(content), 8 * len(content) // 5)
    return sorted({*some, *(8 * byte + 3 for byte in (*heads, *fields))})


def test_every_flipped_bit_is_found(original, tmp_path):
    root, relative, content, bounds = original
    for bit in flips(content, bounds):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        hit = sum(bound <= bit // 8 for bound in bounds) - 1  # -1: the header
        target = copy(root, tmp_path, f"bit{bit}", relative, damaged)
        if hit < 0:
            check_unreadable(target, relative, content, damaged)
        else:
            frames, lost = decode(bytes(damaged))
            assert frames == [frame for frame in range(5) if frame != hit]
            assert lost == [bounds[hit]]
            check_damage(target, relative, content, damaged, bounds[4])
        shutil.rmtree(target)


def check_unreadable(root, relative, content, damaged):
    """The header is damaged: nothing in the journal is believed, and it is kept."""
    assert read(root)[0] == {}
    assert bool(n4w.Workspace.open(root).summary()["errors"])
    problems = [one["kind"] for one in recover(root)["problems"] if one["path"] == relative.as_posix()]
    if content[4:8] == damaged[4:8]:
        assert problems == ["corrupt"]
    check_sealed_alone(root, {}, {})


def check_sealed_alone(root, rows, finished):
    assert ids(root, partial=True) == sealed_ids(root) == rows
    assert results(root) == finished


def check_damage(root, relative, content, damaged, last):
    """What survives is read and sealed; an intact copy of the journal wins, whole.

    Args:
        root: The workspace.
        relative: The journal in it.
        content: What the journal was.
        damaged: What it is.
        last: Where its last frame begins.
    """
    frames, lost = decode(bytes(damaged))
    head = slice(last, last + 32)
    # Whoever only reads takes it for one that its writer is about to finish.
    is_unfinished = last in lost and damaged[head] == content[head]
    check_reader(root, frames, [place for place in lost if place != last or not is_unfinished])
    report = recover(root)
    problems = [one for one in report["problems"] if one["path"] == relative.as_posix()]
    assert [one["kind"] for one in problems] == ["corrupt"], report
    for place in lost:
        assert f"at byte {place}" in problems[0]["message"]
    assert not (root / relative).exists()
    aside = root / f"{relative}.corrupt"
    assert aside.read_bytes() == damaged
    check_sealed(root, frames)
    for segment in root.glob("predictions/*/*.meta.parquet"):
        sealed = strict(keys(segment)[b"n4a_journal"])
        saved = [range(one["number"], one["frames"]) for one in sealed.get("saved", [])]
        assert sealed["length"] == lost[0]
        assert [*range(sealed["frames"]), *(number for one in saved for number in one)] == frames
    again = recover(root)
    assert (again["problems"], again["sealed"]) == ([], [])
    # The damaged file itself brings nothing new, whoever copies it here; an intact one wins, whole.
    if frames:
        shutil.copyfile(aside, root / relative)
        check_sealed(root, frames)
        assert recover(root)["sealed"] == []
    (root / relative).write_bytes(content)
    check_reader(root, range(5))
    recover(root)
    check_sealed(root, range(5))


def test_damage_in_several_places_costs_the_frames_that_it_hits(original, tmp_path):
    root, relative, content, bounds = original
    magic, length, payload = 1, 17, 40
    for number, (places, hit) in enumerate(
        [
            ([bounds[0] + payload, bounds[2] + payload], {0, 2}),
            ([bounds[0] + magic, bounds[1] + magic], {0, 1}),
            ([bounds[1] + length, bounds[3] + payload], {1, 3}),
            ([bounds[1] + payload, bounds[2] + magic], {1, 2}),
            ([bounds[2] + magic, bounds[3] + magic, bounds[4] + magic], {2, 3, 4}),
            ([bounds[0] + magic, bounds[4] + payload], {0, 4}),
            ([bounds[frame] + magic for frame in range(5)], {0, 1, 2, 3, 4}),
        ]
    ):
        damaged = bytearray(content)
        for place in places:
            damaged[place] ^= 0x20
        frames, lost = decode(bytes(damaged))
        assert frames == [frame for frame in range(5) if frame not in hit]
        assert lost[0] == bounds[min(hit)]
        target = copy(root, tmp_path, f"places{number}", relative, damaged)
        check_damage(target, relative, content, damaged, bounds[4])


def test_blocks_that_a_disk_lost_cost_what_they_held(original, tmp_path):
    """A hole of zeros across two frames, and bytes that are gone or were put in."""
    root, relative, content, bounds = original
    hole = bytearray(content)
    hole[bounds[1] - 50 : bounds[1] + 50] = bytes(100)
    gone = content[: bounds[1]] + content[bounds[2] :]
    more = content[: bounds[1]] + b"N4AF" * 100 + content[bounds[1] :]
    for name, damaged, left in [
        ("hole", hole, [2, 3, 4]),
        ("gone", gone, [0, 2, 3, 4]),
        ("more", more, [0, 1, 2, 3, 4]),
    ]:
        frames, lost = decode(bytes(damaged))
        assert frames == left
        target = copy(root, tmp_path, name, relative, bytes(damaged))
        check_reader(target, frames, lost)
        recover(target)
        check_sealed(target, frames)


def test_every_flipped_bit_of_what_says_how_long_the_header_is(original, tmp_path):
    """A header that seems to go on beyond the file is not one that was being made."""
    root, relative, content, _ = original
    for bit in range(24 * 8, 28 * 8):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        target = copy(root, tmp_path, f"bit{bit}", relative, damaged)
        assert (read(target)[0], len(n4w.Workspace.open(target).summary()["errors"])) == ({}, 1)
        assert [one["kind"] for one in recover(target)["problems"]] == ["corrupt"], bit
        assert (target / f"{relative}.corrupt").read_bytes() == damaged
        shutil.rmtree(target)


def test_every_truncation_is_the_state_before(original, tmp_path):
    """Cut at the end of a frame a journal equals its earlier self; within one, the rest is no frame."""
    root, relative, content, bounds = original
    lengths = {
        *range(0, len(content), 1 if STRIDE == 1 else 149 * STRIDE),
        *bounds,
        bounds[0] - 1,
        bounds[0] + 31,
    }
    for length in sorted(lengths):
        target = copy(root, tmp_path, f"cut{length}", relative, content[:length])
        whole = max(0, sum(bound <= length for bound in bounds) - 1)
        check_reader(target, range(whole))
        report = recover(target)
        assert report["problems"] == []
        if length < bounds[0]:
            assert [note["kind"] for note in report["notes"]] == ["corrupt"] * (length > 0)
        elif length in bounds:
            assert report["notes"] == []
        else:
            assert [note["kind"] for note in report["notes"]] == ["torn"]
            assert f"at byte {bounds[whole]} " in report["notes"][0]["message"]
        check_sealed(target, range(whole))
        shutil.rmtree(target)


def test_frames_of_another_journal_are_not_believed(original, tmp_path):
    root, relative, content, bounds = original
    other = workspace(tmp_path / "other").path
    run(WORKER, other)
    foreign = journals(other)[0].read_bytes()
    begin = bounds[0]
    strange = 28 + struct.unpack("<I", foreign[24:28])[0] + 8
    target = copy(root, tmp_path, "mixed", relative, content[:begin] + foreign[strange:])
    check_reader(target, [], [begin])
    assert recover(target)["problems"][0]["kind"] == "corrupt"
    # A frame twice, and two in the wrong order: numbers only go up.
    for number, (order, left) in enumerate(
        [((0, 1, 1), [0, 1]), ((0, 2, 1), [0, 2]), ((0, 1, 1, 2), [0, 1, 2])]
    ):
        parts = [content[bounds[frame] : bounds[frame + 1]] for frame in order]
        damaged = content[:begin] + b"".join(parts)
        frames, lost = decode(damaged)
        assert frames == left
        target = copy(root, tmp_path, f"order{number}", relative, damaged)
        check_reader(target, frames, lost)
        assert recover(target)["problems"][0]["kind"] == "corrupt"
