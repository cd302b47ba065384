"""Hashing, indexing and resolving against their peers and floors: families of table.py."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import blake3
import nirs4all_workspace as n4w
from report import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from table import Bench

FILES_A_FOLDER = 100
SETTLED_S = 2.2  # the cache does not trust files younger than that


def make_file(path: Path, megabytes: int) -> Path:
    """Make a file of random bytes; what is there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with path.open("wb") as opened:
            for _ in range(megabytes):
                opened.write(os.urandom(1 << 20))
    return path


def make_tree(root: Path, files: int) -> Path:
    """Make small files of many sizes, so many a folder, three levels deep."""
    if not root.exists():
        for number in range(0, files, FILES_A_FOLDER):
            folder = root / f"{number // FILES_A_FOLDER // 100:03}" / f"{number // FILES_A_FOLDER:06}"
            folder.mkdir(parents=True)
            for i in range(min(FILES_A_FOLDER, files - number)):
                (folder / f"{i:03}.csv").write_bytes(b"%09d" % (number + i) + bytes((number + i) % 4001))
    return root


def blake3_mmap(path: Path, threads: int) -> str:
    """The blake3 package."""
    return str(blake3.blake3(max_threads=threads).update_mmap(path).hexdigest())


def hashlib_whole(path: Path) -> str:
    """hashlib in its own loop."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def hashlib_by_8_kib(path: Path) -> str:
    """The loop that nirs4all 0.6 would have."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while piece := opened.read(8192):
            digest.update(piece)
    return digest.hexdigest()


def rglob_and_stat(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*"))


def walk_and_stat(folder: str) -> int:
    join, stat = os.path.join, os.stat
    return sum(stat(join(path, name)).st_size for path, _, names in os.walk(folder) for name in names)


def hash_every_file(folder: str) -> int:
    return len({hashlib_by_8_kib(Path(path, name)) for path, _, names in os.walk(folder) for name in names})


def index(folder: str) -> int:
    """Ours."""
    return len(n4w.FileIndex(folder))


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def hashing(bench: Bench) -> None:
    """One file, warm."""
    for megabytes in (1, 10) if bench.quick else (1, 10, 100, 1024):
        path = make_file(bench.data / f"random-{megabytes}", megabytes)
        size = path.stat().st_size
        work: dict[str, Callable[[], object]] = {
            "ours": lambda path=path: n4w.hash_file(path),
            "ours, one thread": lambda path=path: n4w.hash_file(path, threads=1),
            "blake3 package, all cores": lambda path=path: blake3_mmap(path, blake3.blake3.AUTO),
            "blake3 package, one thread": lambda path=path: blake3_mmap(path, 1),
        }
        expected = blake3_mmap(path, 1)
        if n4w.hash_file(path) != f"blake3:{expected}":
            raise RuntimeError(f"{path}: the hash is wrong")
        cases = {name: functools.partial(seconds_of, case) for name, case in work.items()}
        cases["floor"] = lambda path=path: bench.kernel("read", path)
        is_judged = size >= 1 << 30
        bar = {"blake3 package, all cores": 0.8} if is_judged else {}
        name = f"Full hash of {megabytes:,} MiB, BLAKE3"
        bench.add(Row(name, "blake3", size, bench.in_turns(cases), bar, floor="floor"))
        work = {
            "ours": lambda path=path: n4w.hash_file(path, "sha256"),
            "ours, one thread": lambda path=path: n4w.hash_file(path, "sha256", threads=1),
            "hashlib": lambda path=path: hashlib_whole(path),
            "hashlib, 8 KiB at once": lambda path=path: hashlib_by_8_kib(path),
        }
        cases = {name: functools.partial(seconds_of, case) for name, case in work.items()}
        bar = {"hashlib": 1.0} if is_judged else {}
        bench.add(Row(f"Full hash of {megabytes:,} MiB, SHA-256", "sha256", size, bench.in_turns(cases), bar))


def indexing(bench: Bench) -> None:
    """A tree by size, in fresh processes."""
    for files in (1_000, 5_000) if bench.quick else (1_000, 10_000, 100_000):
        root = make_tree(bench.data / f"tree-{files}", files)
        cases = {
            "ours": lambda root=root: bench.uncached("datasets:index", root),
            "rglob + stat": lambda root=root: bench.once("datasets:rglob_and_stat", root),
            "os.walk + stat": lambda root=root: bench.once("datasets:walk_and_stat", root),
            "floor": lambda root=root: bench.kernel("tree", root),
            "again": lambda root=root: bench.once("datasets:index", root),
        }
        times = bench.in_turns(cases)
        again = {"ours": times.pop("again"), "floor": times["floor"]}
        bar = {"rglob + stat": 3.0} if files >= 100_000 else {}
        bench.add(Row(f"Index a tree of {files:,} files by size", "index", files, times, bar, floor="floor"))
        bench.add(Row("the same again, from its cache", "index again", files, again, floor="floor"))


def resolving(bench: Bench) -> None:
    """One dataset of 50 MB among many files; index and record in memory."""
    files, megabytes = (2_000, 5) if bench.quick else (100_000, 50)
    root = make_tree(bench.data / f"tree-{files}", files)
    lost = make_file(root / "000" / "000000" / "spectra.csv", megabytes)
    folder = bench.data / f"resolving-{time.time_ns()}"
    ws = n4w.Workspace.create(folder)
    time.sleep(SETTLED_S)
    record = ws.datasets.register(lost)
    time.sleep(SETTLED_S)

    def resolve(status: str) -> float:
        began = time.perf_counter()
        found = ws.datasets.resolve(record.id, search_roots=[root])
        seconds = time.perf_counter() - began
        if found.status != status:
            raise RuntimeError(f"{found.status} instead of {status}: {found.reason}")
        return seconds

    resolve("valid")
    cases = {"ours": lambda: resolve("valid"), "floor": lambda: bench.kernel("one", lost)}
    bench.add(
        Row("Resolve: valid path, cached", "valid", files, bench.in_turns(cases), limit=0.0002, floor="floor")
    )

    names = [lost.with_name("renamed.csv"), root / "001" / "000100" / "moved.csv", lost]
    if files < 100_000:
        names[1] = lost.with_name("renamed again.csv")
    at = lost

    def renamed() -> float:
        nonlocal at
        target = names[(names.index(at) + 1) % 3]
        at = at.rename(target)
        if at == lost:  # at its own path it is not lost
            at = at.rename(names[0])
        n4w.hash_file(at)  # as warm as for the floor
        return resolve("found_by_hash")

    def hashed() -> float:
        n4w.hash_file(at)
        return seconds_of(lambda: n4w.hash_file(at))

    renamed()
    cases = {
        "ours": renamed,
        "floor": hashed,
        "hashing every file": lambda: bench.once("datasets:hash_every_file", root),
    }
    name = f"Resolve: renamed {megabytes} MiB among {files:,}, index warm"
    times = bench.in_turns(cases)
    bench.add(Row(name, "renamed", files, times, floor="floor", floors=1.0, plus=0.005))

    away = at.rename(bench.data / "away")
    time.sleep(SETTLED_S)
    resolve("missing")
    times = bench.in_turns({"ours": lambda: resolve("missing")})
    bench.add(Row(f"Resolve: missing among {files:,}, index warm", "missing", files, times, limit=0.005))
    away.rename(lost)
