"""Killed, or without space on the disk, an import leaves runs whole or missing; again, and all is there."""

import os
import random
import shutil
import signal
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
import spawning
from samples import strict
from tracing import calls_made, need_strace, traced

ROUNDS = int(os.environ.get("N4W_STRESS_ROUNDS", "3"))
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "250"))
STORE = Path(__file__).parents[1] / "compat" / "samples" / "stores" / "0.8.11.zip"

WORKER = """
import json, os, sys
import nirs4all_workspace as n4w
import polars, sqlite3, yaml
import nirs4all_workspace.stores.importer
report = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT)
print(os.getpid(), flush=True)
os.read(0, 1)
try:
    found = n4w.import_store(sys.argv[1], sys.argv[2])
    answer = {"done": found["counts"], "errors": found["errors"]}
except OSError as error:
    answer = {"raised": type(error).__name__, "errno": error.errno, "message": str(error)}
os.writev(report, [json.dumps(answer).encode()])  # a call that no test lets fail
os._exit(0)
"""
CALLS = {
    "write": "write,pwrite64,copy_file_range,sendfile",
    "sync": "fsync,fdatasync",
    "name": "rename,renameat,renameat2,linkat,mkdir,mkdirat",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    store = tmp_path_factory.mktemp("source") / "store"
    zipfile.ZipFile(STORE).extractall(store)
    return store


@pytest.fixture(scope="module")
def former(source, tmp_path_factory):
    """The store as it was before rows of its first call changed, and its last call was made."""
    store = tmp_path_factory.mktemp("former") / "store"
    shutil.copytree(source, store)
    with closing(sqlite3.connect(store / "store.sqlite")) as base, base:
        base.execute("UPDATE predictions SET val_score = 77.0 WHERE rowid < 4")
        last = base.execute("SELECT run_id FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
        own = "(SELECT pipeline_id FROM pipelines WHERE run_id = ?)"
        for table in ("predictions", "chains"):
            base.execute(f"DELETE FROM {table} WHERE pipeline_id IN {own}", last)
        for table in ("pipelines", "runs"):
            base.execute(f"DELETE FROM {table} WHERE run_id = ?", last)
    return store


def rows_of(store):
    with closing(sqlite3.connect(f"file:{store}/store.sqlite?immutable=1", uri=True)) as base:
        return sorted(base.execute("SELECT prediction_id, val_score FROM predictions"))


def rows_in(target):
    frame = n4w.Workspace.open(target).predictions.scan().select("id", "val_score").collect()
    return sorted(frame.iter_rows())


def names_in(target):
    return {path.relative_to(target) for path in target.rglob("*") if ".locks" not in path.parts}


def make_former(former, target):
    n4w.import_store(former, target)


def check(source, former, target):
    """What is there are rows of the store, former or new; again, and they are the new ones, once."""
    if (target / "workspace.yaml").exists():
        known = {*rows_of(source), *(rows_of(former) if former else ())}
        found = rows_in(target)
        assert set(found) <= known
        assert len({row[0] for row in found}) == len(found)
    report = n4w.import_store(source, target)
    assert report["errors"] == []
    assert rows_in(target) == rows_of(source)
    assert n4w.Workspace.open(target).verify(full=True)["problems"] == []
    assert not (target / ".n4w-importing").exists()
    references = (
        pl.scan_parquet(target / "predictions" / "*" / "*.meta.parquet").select("y_pred_id").collect()
    )
    arrays = pl.scan_parquet(target / "arrays" / "*" / "*.parquet").select("array_id").collect()
    assert set(references["y_pred_id"].drop_nulls()) <= set(arrays["array_id"])
    assert n4w.import_store(source, target)["status"] == "unchanged"


@pytest.mark.parametrize("is_mirror", [False, True], ids=["new", "mirror"])
def test_killed_at_random_moments(source, former, tmp_path, is_mirror):
    rng = random.Random()
    for number in range(ROUNDS):
        target = tmp_path / str(number)
        if is_mirror:
            make_former(former, target)
        worker = spawning.Process(WORKER, source, target, tmp_path / "report.json", text=False)
        worker.stdout.readline()
        worker.stdin.write(b"g")
        worker.stdin.flush()
        time.sleep(rng.uniform(0, 4))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        check(source, former if is_mirror else None, target)


# Where an import is when it dies: a function of the package, and whether that has begun or has returned.
STAGES = [
    ("stores.importer", "Importer.__init__", "after"),
    ("stores.run_files", "RunFiles.write", "after"),
    ("predictions.writer", "Writer.write_batch", "after"),
    ("predictions.writer", "Writer.checkpoint_all", "after"),
    ("stores.transfer", "Transfer.write", "after"),
    ("stores.publish", "rename", "after"),
    ("stores.importer", "Importer.build", "after"),
    ("stores.publish", "shared", "after"),
    ("stores.publish", "run", "before"),
    ("stores.publish", "run", "after"),
    ("stores.importer", "Importer.publish", "after"),
]
OF_MIRRORS = [("stores.publish", "supersede", "after"), ("stores.publish", "_keep_edits", "after")]
DYING = """
import importlib, os, signal, sys
module, path, when = sys.argv[4:7]
owner = importlib.import_module(f"nirs4all_workspace.{module}")
*inner, name = path.split(".")
for part in inner:
    owner = getattr(owner, part)
function = getattr(owner, name)

def dying(*args, **more):
    if when == "after":
        function(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
"""


@pytest.mark.parametrize("is_mirror", [False, True], ids=["new", "mirror"])
@pytest.mark.parametrize("stage", [*STAGES, *OF_MIRRORS], ids=" ".join)
def test_killed_at_a_stage(source, former, tmp_path, stage, is_mirror):
    if stage in OF_MIRRORS and not is_mirror:
        pytest.skip("nothing is superseded")
    target = tmp_path / "w"
    if is_mirror:
        make_former(former, target)
    worker = spawning.Process(DYING + WORKER, source, target, tmp_path / "report.json", *stage)
    worker.communicate("g")
    assert worker.returncode == -signal.SIGKILL, "the stage was reached"
    check(source, former if is_mirror else None, target)


def moments(source, former, tmp_path, kind):
    """Some calls of this kind that an import makes: their names and which of their like they are."""
    target = tmp_path / "count"
    make_former(former, target)
    code, lines = traced(WORKER, [source, target, tmp_path / "count.json"], CALLS[kind])
    assert code == 0
    assert "done" in strict((tmp_path / "count.json").read_text())
    found = calls_made(lines, CALLS[kind])
    shutil.rmtree(target)
    assert found
    start = random.Random().randrange(STRIDE)
    return found[start % len(found) :: STRIDE]


@pytest.mark.parametrize("kind", ["sync", "name"])
def test_calls_failing(source, former, tmp_path, kind):
    """Not writes: Polars wakes its threads by some, which no disk lets fail."""
    need_strace()
    for name, nth in moments(source, former, tmp_path, kind):
        target, file = tmp_path / f"{name}{nth}", tmp_path / f"{name}{nth}.json"
        make_former(former, target)
        code, lines = traced(WORKER, [source, target, file], f"{name}:error=ENOSPC:when={nth}")
        assert code == 0, (name, nth, lines[-5:])
        answer = strict(file.read_text())
        if any("INJECTED" in line for line in lines) and "raised" in answer:
            assert (answer["raised"], answer["errno"]) == ("OSError", 28), (name, nth)
        check(source, former, target)


@pytest.mark.parametrize("kind", CALLS)
def test_calls_being_the_last(source, former, tmp_path, kind):
    need_strace()
    for name, nth in moments(source, former, tmp_path, kind):
        target = tmp_path / f"{name}{nth}"
        make_former(former, target)
        code, _ = traced(WORKER, [source, target, tmp_path / "last.json"], f"{name}:signal=KILL:when={nth}")
        assert code in (0, -signal.SIGKILL), (name, nth)
        check(source, former, target)


def test_two_at_once(source, tmp_path):
    """One of them imports; the others say so, or find it done."""
    target = tmp_path / "w"
    workers = [
        spawning.Process(WORKER, source, target, tmp_path / f"{number}.json", stderr=spawning.PIPE)
        for number in range(3)
    ]
    for worker in workers:
        worker.stdout.readline()
    said = [worker.communicate("g")[1] for worker in workers]
    made = [number for number in range(3) if "done" in (tmp_path / f"{number}.json").read_text()]
    assert made
    for number in set(range(3)) - set(made):
        assert "LockTimeoutError" in said[number] or "ConflictError" in said[number], said[number]
    check(source, None, target)


def test_a_full_disk_at_the_end(source, tmp_path):
    """Files beyond a size cannot be written: an import raises, leaves no run half, and goes on later."""
    target = tmp_path / "w"
    program = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    program += "resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))\n" + WORKER
    worker = spawning.Process(program, source, target, tmp_path / "report.json")
    worker.communicate("g")
    answer = strict((tmp_path / "report.json").read_text())
    assert answer.get("raised") == "OSError"
    check(source, None, target)
