"""Hashing, indexing and resolving, one function at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import blake3
import datasets
import nirs4all_workspace as n4w
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def large(sizes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.make_file(tmp_path_factory.mktemp("hash") / "large", sizes.rows // 5_000)


@pytest.fixture(scope="module")
def tree(sizes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.make_tree(tmp_path_factory.mktemp("index") / "tree", sizes.files * 10)


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("algorithm", ["blake3", "sha256"])
def test_hash(benchmark: Any, large: Path, sizes: Any, algorithm: str, threads: int) -> None:
    found = benchmark.pedantic(n4w.hash_file, (large, algorithm), {"threads": threads}, rounds=sizes.rounds)
    whole = datasets.blake3_mmap(large, 1) if algorithm == "blake3" else datasets.hashlib_whole(large)
    assert found == f"{algorithm}:{whole}"


@pytest.mark.parametrize("threads", [blake3.blake3.AUTO, 1])
def test_hash_peer(benchmark: Any, large: Path, sizes: Any, threads: int) -> None:
    assert benchmark.pedantic(datasets.blake3_mmap, (large, threads), rounds=sizes.rounds)


@pytest.mark.parametrize("work", [datasets.index, datasets.rglob_and_stat, datasets.walk_and_stat])
def test_index(benchmark: Any, tree: Path, sizes: Any, work: Any) -> None:
    assert benchmark.pedantic(work, (str(tree),), rounds=sizes.rounds)


def test_resolve_a_missing_dataset(benchmark: Any, tree: Path, sizes: Any, tmp_path: Path) -> None:
    ws = n4w.Workspace.create(tmp_path / "ws")
    lost = datasets.make_file(tmp_path / "lost" / "spectra.csv", 1)
    record = ws.datasets.register(lost)
    lost.unlink()
    roots = {"search_roots": [tree]}
    found = benchmark.pedantic(ws.datasets.resolve, (record.id,), roots, rounds=sizes.rounds, warmup_rounds=1)
    assert found.status == "missing"
