"""kill -9 while summaries are rebuilt: every file is the old one or the new one, and a rerun finishes."""

import fcntl
import os
import random
import signal
import time

import nirs4all_workspace as n4w
import pyarrow.parquet as pq
import pytest
import spawning
from samples import SKETCH, keys, table, write

ROUNDS = int(os.environ.get("N4W_STRESS_ROUNDS", "20"))
FILES = 24

WORKER = """
import sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
ws.predictions.rebuild_summaries()
print("done", flush=True)
"""


def start(folder):
    worker = spawning.Process(WORKER, folder)
    assert worker.stdout.readline() == "ready\n"
    return worker


def go(worker):
    worker.stdin.write("go\n")
    worker.stdin.flush()


def check_files(folder, originals):
    """Old or new, never a half: all rows, and the key only where the pages are the old ones."""
    for name, (content, rows) in originals.items():
        path = folder / name
        now = path.read_bytes()
        assert pq.read_table(path).equals(rows), name
        if now != content:
            assert SKETCH in keys(path), name
            assert n4w.read_summary(path)["scanned"] is None, name


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The content and rows of the files, and how long a rebuild takes when left alone."""
    folder = tmp_path_factory.mktemp("prepared")
    originals = {}
    for number in range(FILES):
        path = write(
            folder / f"d{number:02d}.meta.parquet", table(500, seed=number, dataset=f"d{number:02d}")
        )
        originals[path.name] = path.read_bytes(), pq.read_table(path)
    worker = start(folder)
    began = time.monotonic()
    go(worker)
    assert worker.stdout.readline() == "done\n"
    worker.communicate()
    return originals, time.monotonic() - began


def test_killed_at_random_moments(prepared, tmp_path):
    originals, duration = prepared
    rng = random.Random()
    killed_amid = 0
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, (content, _) in originals.items():
            (folder / name).write_bytes(content)
        worker = start(folder)
        go(worker)
        time.sleep(rng.uniform(0, duration))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        check_files(folder, originals)
        changed = sum((folder / name).read_bytes() != content for name, (content, _) in originals.items())
        killed_amid += 0 < changed < FILES
        report = n4w.Workspace.open(folder).predictions.rebuild_summaries()
        assert report["errors"] == []
        assert (report["kept"], len(report["written"])) == (changed, FILES - changed)
        check_files(folder, originals)
        assert n4w.Workspace.open(folder).verify(full=True)["problems"] == []
        again = n4w.Workspace.open(folder).predictions.rebuild_summaries()
        assert (again["kept"], again["written"]) == (FILES, [])
    print(f"{killed_amid} of {ROUNDS} rounds died with some files written")


def test_leftovers_of_the_dead_are_noted_and_swept(prepared, tmp_path):
    """A file of a dead writer that is old enough to tell; one of a living writer stays."""
    originals, _ = prepared
    name, (content, _) = next(iter(originals.items()))
    (tmp_path / name).write_bytes(content)
    dead, alive, young = (tmp_path / f".n4w-{kind}.tmp" for kind in ("dead", "alive", "young"))
    for path in (dead, alive, young):
        path.write_bytes(content[:1_000])
    os.utime(dead, (1, 1))
    os.utime(alive, (1, 1))
    ws = n4w.Workspace.open(tmp_path)
    with alive.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        notes = [note["path"] for note in ws.verify()["notes"] if note["kind"] == "leftover"]
        assert notes == [dead.name]
        assert ws.summary()["files"] == 1
        ws.predictions.rebuild_summaries()
        assert not dead.exists()
        assert alive.exists()
        assert young.exists()
