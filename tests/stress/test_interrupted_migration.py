"""Killed, or without space on the disk, a migration leaves nothing or everything; again, and all is there."""

import os
import random
import re
import shutil
import signal
import subprocess
import time

import nirs4all_workspace as n4w
import pytest
import spawning
from migrations import Old, files_of, results_of, rows_of_source, rows_of_target
from samples import strict
from tracing import calls_made, need_strace, traced

ROUNDS = int(os.environ.get("N4W_STRESS_ROUNDS", "8"))
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "60"))

WORKER = """
import json, os, sys
import nirs4all_workspace as n4w
import polars, sqlite3, yaml
import nirs4all_workspace.migration.transfer
report = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT)
print(os.getpid(), flush=True)
os.read(0, 1)
try:
    answer = {"done": n4w.migrate(sys.argv[1], sys.argv[2])["counts"]}
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
    """Three sessions on two datasets, with arrays and an artifact."""
    old = Old(tmp_path_factory.mktemp("source") / "old")
    item = {
        "artifact_id": "a:all",
        "path": "model.joblib",
        "class_name": "PLS",
        "fold_id": None,
        "size_bytes": 5,
    }
    for minute, name in enumerate(("One", "Two", "Three")):
        for dataset in ("wheat", "corn"):
            artifacts = {"schema_version": "2.0", "items": [item]}
            config = old.config(dataset, name, choices=[{"_or_": "SNV"}], minute=minute, artifacts=artifacts)
            for _ in range(5):
                old.row(dataset, config)
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "binaries" / "wheat" / "model.joblib").write_bytes(b"model")
    return old.write()


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """What an undisturbed migration comes to."""
    target = tmp_path_factory.mktemp("expected") / "new"
    n4w.migrate(source, target)
    return rows_of_target(target), results_of(target)


def check(source, target, expected):
    """Nothing or everything is there; again, and it is everything, and nothing lies beside it."""
    before = files_of(source)
    is_there = target.exists() and any(target.iterdir())
    if is_there:
        assert n4w.Workspace.open(target).verify(full=True)["problems"] == []
    report = n4w.migrate(source, target)
    assert report["status"] == ("unchanged" if is_there else "migrated")
    assert report["errors"] == []
    assert (rows_of_target(target), results_of(target)) == expected
    assert rows_of_target(target) == rows_of_source(source)
    assert n4w.Workspace.open(target).verify(full=True)["problems"] == []
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []
    assert files_of(source) == before


def test_killed_at_random_moments(source, expected, tmp_path):
    rng = random.Random()
    seconds = 1.5
    for number in range(ROUNDS):
        target = tmp_path / str(number) / "new"
        target.parent.mkdir()
        worker = spawning.Process(WORKER, source, target, tmp_path / "report.json", text=False)
        worker.stdout.readline()
        worker.stdin.write(b"g")
        worker.stdin.flush()
        time.sleep(rng.uniform(0, seconds))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        check(source, target, expected)


# Where a migration is when it dies: a function of the package, and whether that has begun or has returned.
STAGES = [
    ("migration.sessions", "Sessions.add", "after"),
    ("artifacts", "Artifacts.put", "after"),
    ("migration.transfer", "Transfer._move_found", "after"),
    ("predictions.writer", "Writer.write_batch", "after"),
    ("predictions.writer", "Writer.checkpoint", "after"),
    ("migration.transfer", "Transfer._close", "after"),
    ("migration.builder", "compare", "before"),
    ("migration.builder", "_Builder._copy_rest", "after"),
    ("migration.builder", "_Builder._finish_runs", "after"),
    ("migration.migrate", "_publish", "before"),
    ("migration.migrate", "_publish", "after"),
]
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


def kill_at(stage, source, target, report):
    worker = spawning.Process(DYING + WORKER, source, target, report, *stage)
    worker.communicate("g")
    code = worker.returncode
    assert code == -signal.SIGKILL, "the stage was reached"
    staging = target.with_name(f".n4w-migrating-{target.name}")
    is_published = stage == ("migration.migrate", "_publish", "after")
    assert (staging.exists(), target.exists()) == (not is_published, is_published)


@pytest.mark.parametrize("stage", STAGES, ids=" ".join)
def test_killed_at_a_stage(source, expected, tmp_path, stage):
    target = tmp_path / "new"
    for _ in range(2):
        if not target.exists():
            kill_at(stage, source, target, tmp_path / "report.json")
    check(source, target, expected)


def test_a_source_that_changes_between_two_attempts(source, expected, tmp_path):
    """What the first attempt left is not taken for the source that there is now."""
    other, target = tmp_path / "old", tmp_path / "new"
    shutil.copytree(source, other)
    corn = other / "corn.meta.parquet"
    shutil.move(corn, tmp_path / corn.name)
    kill_at(("migration.builder", "_Builder._copy_rest", "after"), other, target, tmp_path / "report.json")
    shutil.move(tmp_path / corn.name, corn)
    check(other, target, expected)
    (other / "wheat.meta.parquet").unlink()
    with pytest.raises(n4w.ConflictError, match="changed since"):
        n4w.migrate(other, target)


def moments(source, tmp_path, kind):
    """Each call of this kind that a migration makes: its name and which of its like it is."""
    code, lines = traced(WORKER, [source, tmp_path / "count" / "new", tmp_path / "count.json"], CALLS[kind])
    assert code == 0
    assert "done" in strict((tmp_path / "count.json").read_text())
    found = calls_made(lines, CALLS[kind])
    shutil.rmtree(tmp_path / "count")
    assert found
    start = random.Random().randrange(STRIDE)
    return found[start % len(found) :: STRIDE]


@pytest.mark.parametrize("kind", ["sync", "name"])
def test_calls_failing(source, expected, tmp_path, kind):
    """Not writes: Polars wakes its threads by some, which no disk lets fail."""
    need_strace()
    for name, nth in moments(source, tmp_path, kind):
        target, file = tmp_path / f"{name}{nth}" / "new", tmp_path / f"{name}{nth}.json"
        target.parent.mkdir()
        code, lines = traced(WORKER, [source, target, file], f"{name}:error=ENOSPC:when={nth}")
        assert code == 0, (name, nth, lines[-5:])
        answer = strict(file.read_text())
        if any("INJECTED" in line for line in lines) and "raised" in answer:
            assert (answer["raised"], answer["errno"]) == ("OSError", 28), (name, nth)
            assert not target.exists(), (name, nth)
            assert list(target.parent.iterdir()) == [], "what was begun is cleared away"
        check(source, target, expected)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of which a test says how large it is."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")

    def resize(kilobytes):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", place], check=True)
        return place

    yield resize
    subprocess.run(["umount", place], check=True)


def test_a_full_disk(source, expected, tmp_path, small_disk):
    messages = []
    for kilobytes in (4, 24, 60, 100, 150, 200, 240):
        disk = small_disk(kilobytes)
        worker = spawning.Process(WORKER, source, disk / "new", tmp_path / "full.json")
        worker.communicate("g")
        code = worker.returncode
        answer = strict((tmp_path / "full.json").read_text())
        (tmp_path / "full.json").unlink()
        assert code == 0
        assert (answer.get("raised"), answer.get("errno")) == ("OSError", 28), kilobytes
        assert list(disk.iterdir()) == []
        messages.append(answer["message"])
    size = sum(map(len, files_of(source).values()))
    refused = [message for message in messages if f"the source has {size} bytes" in message]
    assert refused == messages[: len(refused)]
    assert 0 < len(refused) < len(messages) - 3, "some sizes suffice to begin"
    assert all(re.search(r"\b\d+ are free: .*new", message) for message in refused)
    check(source, small_disk(64 * 1024) / "new", expected)
    with pytest.raises(n4w.ConflictError, match="disk is mounted"):
        n4w.migrate(source, disk)


@pytest.mark.parametrize("kind", CALLS)
def test_calls_being_the_last(source, expected, tmp_path, kind):
    need_strace()
    for name, nth in moments(source, tmp_path, kind):
        target = tmp_path / f"{name}{nth}" / "new"
        target.parent.mkdir()
        code, _ = traced(WORKER, [source, target, tmp_path / "last.json"], f"{name}:signal=KILL:when={nth}")
        assert code in (0, -signal.SIGKILL), (name, nth)
        check(source, target, expected)


def test_two_at_once(source, expected, tmp_path):
    """One of them makes it; the other says so, or finds it made."""
    target = tmp_path / "new"
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
    check(source, target, expected)
