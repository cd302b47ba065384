"""A journal that is damaged, decoded by docs/format.md alone, and what must be left of it."""

import shutil
import struct
import warnings

import nirs4all_workspace as n4w
import xxhash
from writing import ids, journals, results, run, sealed_ids, workspace

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


def make_original(tmp_path_factory):
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


def expected(frames) -> tuple[set, set]:
    """What counts where these frames are there: a result whose rows are not was not checkpointed."""
    names = {name for frame in frames for name in FRAMES[frame]}
    return names - {"r1"}, names & {"r1"} if "b" in names else set()


def read(root):
    """The ids that a reader sees, and whether it was warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ids(root)
    return found, [str(one.message) for one in caught]


def check_sealed(root, frames):
    """Recovered: whole frames, and of `b` only what its checkpoint made count."""
    rows, finished = expected(frames)
    counting = rows if finished else rows - {"b"}
    assert ids(root, partial=True) == dict.fromkeys(rows, 1)
    assert ids(root) == sealed_ids(root) == dict.fromkeys(counting, 1)
    assert results(root) == dict.fromkeys(finished, 1)
    assert n4w.Workspace.open(root).summary()["errors"] == []


def copy(root, tmp_path, name, relative, content):
    target = tmp_path / name
    shutil.copytree(root, target)
    (target / relative).write_bytes(content)
    return target
