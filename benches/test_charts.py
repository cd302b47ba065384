"""Charts of scores, and what Polars needs for the same."""

from __future__ import annotations

from typing import Any

import charts
import pytest


def test_histogram(benchmark: Any, workspace: str, sizes: Any) -> None:
    answer = benchmark.pedantic(charts.histogram, (workspace,), rounds=sizes.rounds)
    assert sum(answer["bin_counts"]) == sum(charts.histogram_polars(workspace))


def test_heat_map(benchmark: Any, workspace: str, sizes: Any) -> None:
    answer = benchmark.pedantic(charts.heat_map, (workspace,), rounds=sizes.rounds)
    wanted = charts.heat_map_polars(workspace)
    for row, label in enumerate(answer["rows"]["labels"]):
        for column, other in enumerate(answer["columns"]["labels"]):
            found = answer["count"][row][column], answer["best"][row][column]
            assert found == wanted.get((label, other), (0, None))


def test_boxes(benchmark: Any, workspace: str, sizes: Any) -> None:
    answer = benchmark.pedantic(charts.boxes, (workspace,), rounds=sizes.rounds)
    assert not answer["is_sampled"]
    for label, (count, first, middle, third) in charts.boxes_polars(workspace).items():
        (box,) = [box for box in answer["boxes"] if box["label"] == label]
        found = box["count"], box["q1"], box["median"], box["q3"]
        assert found == pytest.approx((count, first, middle, third))


@pytest.mark.parametrize("peer", [charts.histogram_polars, charts.heat_map_polars, charts.boxes_polars])
def test_peers(benchmark: Any, workspace: str, sizes: Any, peer: Any) -> None:
    assert benchmark.pedantic(peer, (workspace,), rounds=sizes.rounds)
