"""The best results of many runs, with and without what is kept of them."""

from __future__ import annotations

from typing import Any

import listing
import ours
import pytest


@pytest.fixture(scope="module")
def runs(sizes: Any, tmp_path_factory: Any) -> str:
    folder = tmp_path_factory.mktemp("bench") / "results"
    listing.make_results(folder, sizes.files)
    return str(folder)


def test_best_results(benchmark: Any, runs: str, sizes: Any) -> None:
    assert benchmark.pedantic(listing.best_results, (runs,), rounds=sizes.rounds) == listing.BEST


def test_best_results_without_cache(benchmark: Any, runs: str, sizes: Any, tmp_path: Any) -> None:
    def forget() -> None:
        ours.forget(runs, tmp_path)

    found = benchmark.pedantic(listing.best_results, (runs,), setup=forget, rounds=sizes.rounds)
    assert found == listing.BEST
