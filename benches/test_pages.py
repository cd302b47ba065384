"""Pages and scans of predictions, and what others need for the same."""

from __future__ import annotations

from typing import Any

import paging
import peers
import pytest
import scanning


@pytest.fixture
def offset(sizes: Any) -> str:
    return str(paging.offset_of(sizes.files * 100))


def test_page(benchmark: Any, workspace: str, sizes: Any, offset: str) -> None:
    page = benchmark.pedantic(paging.first, (workspace, offset), rounds=sizes.rounds)
    assert [row["id"] for row in page.records] == [row[0] for row in peers.page_polars(workspace, offset)]


def test_next_page(benchmark: Any, workspace: str, sizes: Any, offset: str) -> None:
    assert benchmark.pedantic(paging.following, (workspace, offset), rounds=sizes.rounds) > 0


@pytest.mark.parametrize("column", ["model_name", "fold_id", "dataset_name"])
def test_page_by_text(benchmark: Any, workspace: str, sizes: Any, offset: str, column: str) -> None:
    arguments = (workspace, column, offset)
    page = benchmark.pedantic(paging.first_by_text, arguments, rounds=sizes.rounds)
    wanted = [row[0] for row in peers.page_by_text_polars(*arguments)]
    assert [row["id"] for row in page.records] == wanted


def test_next_page_by_text(benchmark: Any, workspace: str, sizes: Any, offset: str) -> None:
    arguments = (workspace, "model_name", offset)
    assert benchmark.pedantic(paging.following_by_text, arguments, rounds=sizes.rounds) > 0


@pytest.mark.parametrize("peer", [peers.page_polars, peers.page_duckdb])
def test_peers(benchmark: Any, workspace: str, sizes: Any, offset: str, peer: Any) -> None:
    assert len(benchmark.pedantic(peer, (workspace, offset), rounds=sizes.rounds)) == 100


@pytest.mark.parametrize("query", scanning.QUERIES)
def test_scan(benchmark: Any, workspace: str, sizes: Any, query: str) -> None:
    mine, theirs, _ = benchmark.pedantic(scanning.in_turns, (workspace, query), rounds=sizes.rounds)
    assert len(mine) == len(theirs) == 5
