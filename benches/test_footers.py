"""Whole workspaces, answered for by their footers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ours
import peers
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("work", [ours.summary, ours.top, ours.by_model])
def test_without_cache(benchmark: Any, workspace: str, user_cache: Path, sizes: Any, work: Any) -> None:
    def forget() -> None:
        ours.forget(workspace, user_cache)

    answer = benchmark.pedantic(work, (workspace,), setup=forget, rounds=sizes.rounds)
    assert answer


@pytest.mark.parametrize("work", [ours.summary, ours.top, ours.by_model])
def test_again(benchmark: Any, workspace: str, sizes: Any, work: Any) -> None:
    answer = benchmark.pedantic(work, (workspace,), rounds=sizes.rounds, warmup_rounds=1)
    assert answer


@pytest.mark.parametrize(
    "peer",
    [
        peers.footers_pyarrow_8_threads,
        peers.footers_pyarrow_loop,
        peers.footers_duckdb,
        peers.footers_polars,
        peers.footers_polars_2_threads,
    ],
)
def test_peers(benchmark: Any, workspace: str, sizes: Any, peer: Any) -> None:
    footers = benchmark.pedantic(peer, (workspace,), rounds=sizes.rounds)
    assert len(footers) == sizes.files
    assert (
        sum(footer["total_predictions"] for footer in footers) == ours.summary(workspace)["total_predictions"]
    )


def test_peer_that_scans_all_rows(benchmark: Any, workspace: str, sizes: Any) -> None:
    models = benchmark.pedantic(peers.scan_polars, (workspace,), rounds=sizes.rounds)[1].sort("model_name")
    expected = sorted(ours.by_model(workspace))
    assert models["model_name"].to_list() == [name for name, _, _ in expected]
    assert models["len"].to_list() == [count for _, count, _ in expected]
    assert models["mean"].to_list() == pytest.approx([mean for _, _, mean in expected])
