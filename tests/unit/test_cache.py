"""The cache is never data: whatever happens to it, and to the files behind it, answers are right."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import nirs4all_workspace as n4w
import pytest
from agreement import check_workspace, timeless
from samples import frame_of, strict, table, write
from settling import settle


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Copies of one workspace, enough for all tests here, which grow old together."""
    top = tmp_path_factory.mktemp("cache")
    root = make(top)
    return iter([root, *(shutil.copytree(root, top / f"ws{number}") for number in range(40))])


@pytest.fixture
def folder(folders):
    return next(folders)


def make(tmp_path):
    root = tmp_path / "ws"
    for number in range(6):
        write(root / f"d{number}.meta.parquet", table(40, seed=number, dataset=f"d{number}"))
    # Some with a summary in the footer and some to be scanned.
    for number in (0, 3):
        part = tmp_path / "part"
        part.mkdir()
        shutil.move(root / f"d{number}.meta.parquet", part)
        n4w.Workspace.open(part).predictions.rebuild_summaries()
        shutil.move(part / f"d{number}.meta.parquet", root)
        shutil.rmtree(part)
    return root


def check(folder):
    frames = {}
    for path in folder.glob("*.meta.parquet"):
        frames[path.name.split(".")[0]] = frame_of(path)
    summary = n4w.Workspace.open(folder).summary()
    assert summary["errors"] == []
    check_workspace(summary, frames)
    return timeless(summary)


def settled(folder):
    """A cache that counts: written when the files were old enough."""
    settle(folder)
    answer = check(folder)
    assert check(folder) == answer
    return answer


def cache_of(folder):
    return max((folder / ".cache").iterdir(), key=lambda path: path.stat().st_size)


def test_deleting_the_cache_changes_no_answer(folder):
    answer = settled(folder)
    shutil.rmtree(folder / ".cache")
    assert check(folder) == answer


def test_damage_changes_no_answer(folder):
    answer = settled(folder)
    cache, rng = cache_of(folder), random.Random(1)
    content = cache.read_bytes()
    damaged = [b"", b"garbage", os.urandom(len(content)), content + b"x", content * 2, b"\0" * len(content)]
    damaged += [content[: rng.randrange(len(content))] for _ in range(20)]
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for bytes_ in damaged:
        cache.write_bytes(bytes_)
        assert timeless(n4w.Workspace.open(folder).summary()) == answer
    check(folder)


@pytest.mark.parametrize("kind", ["file", "dangling", "folder inside", "loop", "pipe inside", "elsewhere"])
def test_something_else_in_the_place_of_the_cache(folder, tmp_path, kind):
    answer = settled(folder)
    name = cache_of(folder).name
    cache = folder / ".cache"
    shutil.rmtree(cache)
    if kind == "file":
        cache.write_text("not a folder")
    elif kind == "dangling":
        cache.symlink_to(tmp_path / "nowhere" / "deep")
    elif kind == "loop":
        cache.symlink_to(cache)
    elif kind == "elsewhere":
        cache.symlink_to(tmp_path)
    else:
        cache.mkdir()
        os.mkfifo(cache / name) if kind == "pipe inside" else (cache / name).mkdir()
    code = (
        "import sys, json, nirs4all_workspace as n; "
        "print(json.dumps(n.Workspace.open(sys.argv[1]).summary()))"
    )
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, timeout=10, check=True
        )
        assert timeless(strict(run.stdout)) == answer


def test_a_cache_of_another_workspace_changes_no_answer(folder, tmp_path):
    settled(folder)
    other = tmp_path / "other"
    for number in range(6):
        write(other / f"d{number}.meta.parquet", table(40, seed=number + 50, dataset=f"d{number}"))
    settle(other)
    check(other)
    for file in (folder / ".cache").iterdir():
        shutil.copy2(file, other / ".cache" / file.name)
    check(other)


def test_an_edit_that_forges_size_and_mtime_is_noticed(folder):
    path = folder / "d1.meta.parquet"
    settled(folder)
    before = path.stat()
    content = path.read_bytes()
    # The same rows with two values exchanged: a file of the same size.
    for seed in range(1, 2_000):
        write(path, table(40, seed=seed + 1_000, dataset="d1"), compression="none")
        if path.stat().st_size == before.st_size and path.read_bytes() != content:
            break
        values = [0.25 + row / 1_000 + seed / 1e7 for row in range(40)]
        write(path, table(40, seed=1, dataset="d1", val_score=values))
        if path.stat().st_size == before.st_size:
            break
    else:
        pytest.skip("no other table of the same size was found")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    check(folder)


@pytest.mark.parametrize("name", ["d0", "d1"])
def test_an_edit_in_place_within_one_tick_is_noticed(folder, name):
    """A young file is read again, however quickly the next edit came."""
    path = folder / f"{name}.meta.parquet"
    sizes = {}
    for seed in range(300):
        content = write(path, table(40, seed=seed % 90 + 10, dataset=name)).read_bytes()
        sizes.setdefault(len(content), {})[seed] = content
    alike = next(list(group.values())[:6] for group in sizes.values() if len(group) >= 2)
    for content in alike * 4:
        with path.open("r+b") as file:
            file.write(content)
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, 10**18))
        check(folder)


def test_changed_added_removed_and_renamed_files_are_noticed(folder):
    settled(folder)
    write(folder / "d2.meta.parquet", table(70, seed=77, dataset="d2"))
    check(folder)
    write(folder / "d9.meta.parquet", table(10, seed=9, dataset="d9"))
    check(folder)
    (folder / "d3.meta.parquet").unlink()
    check(folder)
    frames = frame_of(folder / "d4.meta.parquet")
    (folder / "d4.meta.parquet").rename(folder / "a-first.meta.parquet")
    summary = n4w.Workspace.open(folder).summary("d4")
    assert summary["total_predictions"] == len(frames)
    for path in folder.glob("*.meta.parquet"):
        path.unlink()
    assert n4w.Workspace.open(folder).summary()["total_predictions"] == 0


def test_files_exchanged_by_rename_are_noticed(folder):
    settled(folder)
    a, b, c = (folder / name for name in ("d0.meta.parquet", "d1.meta.parquet", "third"))
    ids = [row["id"] for row in n4w.read_summary(a)["top_predictions"]]
    a.rename(c), b.rename(a), c.rename(b)
    assert n4w.Workspace.open(folder).summary("d0")["total_predictions"] == 40
    assert [row["id"] for row in n4w.read_summary(b)["top_predictions"]] == ids


def test_a_bad_file_that_was_mended_is_noticed(folder):
    path = folder / "d5.meta.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    settle(path)
    for _ in range(2):
        assert [error["path"] for error in n4w.Workspace.open(folder).summary()["errors"]] == [path.name]
    path.write_bytes(content)
    check(folder)


def test_a_copied_workspace_is_not_answered_for_by_the_original(folder, tmp_path):
    settled(folder)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    write(copy / "d1.meta.parquet", table(55, seed=99, dataset="d1"))
    check(copy)
    check(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_a_read_only_folder_is_cached_in_the_users_folder(folder, own_cache_folder):
    folder.chmod(0o555)
    try:
        answer = settled(folder)
        assert not (folder / ".cache").exists()
        assert list(own_cache_folder.rglob("*.bin"))
        assert check(folder) == answer
    finally:
        folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_cached_in_the_users_folder(folder, tmp_path):
    code = """
import json, os, sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(".")
os.environ["XDG_CACHE_HOME"] = sys.argv[1]
os.setgid(65534); os.setuid(65534)
print(json.dumps([ws.summary(), ws.summary()]))
"""
    user = tmp_path / "user"
    user.mkdir()
    os.chown(user, 65534, 65534)
    # Only where a stranger may come this far at all.
    run = subprocess.run(
        [sys.executable, "-c", code, user], cwd=folder, capture_output=True, timeout=60, check=False
    )
    if run.returncode != 0:
        pytest.skip(f"privileges cannot be dropped here: {run.stderr.decode()[-300:]}")
    first, second = strict(run.stdout)
    assert timeless(first) == timeless(second)
    check_workspace(
        first, {path.name.split(".")[0]: frame_of(path) for path in folder.glob("*.meta.parquet")}
    )
    assert not (folder / ".cache").exists()


def test_without_any_place_for_a_cache(folder, monkeypatch):
    (folder / ".cache").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    monkeypatch.setenv("HOME", "/dev/null/nowhere")
    check(folder)


RACER = """
import json, sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
answers = set()
for _ in range(40):
    summary = ws.summary()
    for part in (summary, *summary["datasets"]):
        del part["generated_at"]
    answers.add(json.dumps(summary))
open(sys.argv[2], "w").write(json.dumps(sorted(answers)))
"""


def test_processes_that_race_give_one_answer(folder, tmp_path):
    settle(folder)
    answer = check(folder)
    shutil.rmtree(folder / ".cache")
    files = [tmp_path / f"{number}.json" for number in range(3)]
    racers = [subprocess.Popen([sys.executable, "-c", RACER, folder, file]) for file in files]
    deadline = time.monotonic() + 60
    while any(racer.poll() is None for racer in racers):
        assert time.monotonic() < deadline
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        time.sleep(0.02)
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    for file in files:
        [seen] = strict(file.read_text())
        assert json.loads(seen) == answer
    assert [path.name for path in folder.iterdir() if path.name.startswith(".n4w")] == []


def test_a_folder_that_is_no_workspace_is_left_as_it_is(tmp_path, own_cache_folder):
    foreign = tmp_path / "foreign"
    for folder in ("runs/detect", ".cache", "predictions/images"):
        (foreign / folder).mkdir(parents=True)
    (foreign / "predictions" / "images" / "a.png").touch()
    before = sorted(foreign.rglob("*"))
    ws = n4w.Workspace.open(foreign)
    assert ws.summary()["total_predictions"] == 0
    assert ws.stats()["workspace"]["predictions"]["total"] == 0
    ws.runs.list(), ws.results.list(), ws.prewarm(), ws.verify()
    assert sorted(foreign.rglob("*")) == before
    assert list(own_cache_folder.iterdir()) == []
