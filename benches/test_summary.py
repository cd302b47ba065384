"""Summaries of rows: whole batches, and one row at a time."""

from __future__ import annotations

from typing import Any

import make_workspace
import ours
import peers
import pytest


def test_arrow_table(benchmark: Any, frame: Any, sizes: Any) -> None:
    table = make_workspace.arrow_batches(frame)
    summary = benchmark.pedantic(ours.add_batch, (table,), rounds=sizes.rounds)
    assert summary["total_predictions"] == sizes.rows


def test_polars_frame(benchmark: Any, frame: Any, sizes: Any) -> None:
    summary = benchmark.pedantic(ours.add_batch, (frame,), rounds=sizes.rounds)
    assert summary["total_predictions"] == sizes.rows


def test_peer_polars(benchmark: Any, frame: Any, sizes: Any) -> None:
    *_, top = benchmark.pedantic(peers.three_passes, (frame, peers.FACETS), rounds=sizes.rounds)
    expected = ours.add_batch(frame)["top_predictions"]
    assert top["val_score"].to_list() == pytest.approx([row["val_score"] for row in expected])


def test_mappings(benchmark: Any, mappings: list[dict[str, Any]]) -> None:
    accumulator = benchmark(ours.add_rows, mappings)
    assert accumulator.summary()["total_predictions"] == len(mappings)


def test_peer_plain_python(benchmark: Any, mappings: list[dict[str, Any]]) -> None:
    accumulator = benchmark(lambda: ours.add_rows(mappings, peers.PlainAccumulator()))
    assert accumulator.summary()["total_predictions"] == len(mappings)
