"""What is measured of this package: the counterparts of peers.py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nirs4all_workspace as n4w
import yaml  # noqa: F401 -- what opening a workspace imports is not counted either

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def summary(folder: str) -> dict[str, Any]:
    answer: dict[str, Any] = n4w.Workspace.open(folder).summary()
    return answer


def top(folder: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = n4w.Workspace.open(folder).predictions.top(k=10, metric="mse")
    return answer


def by_model(folder: str) -> list[tuple[str, int, float]]:
    models = n4w.Workspace.open(folder).summary()["models"]
    return [(model["name"], model["count"], model["avg_val_score"]) for model in models]


def add_batch(batch: Any) -> dict[str, Any]:
    """Of a whole Arrow table or Polars frame."""
    accumulator = n4w.SummaryAccumulator()
    accumulator.add_batch(batch)
    answer: dict[str, Any] = accumulator.summary()
    return answer


def add_rows(rows: Iterable[Mapping[str, Any]], accumulator: Any = None) -> Any:
    """Into our accumulator, unless another with the same methods is given."""
    accumulator = accumulator or n4w.SummaryAccumulator()
    add = accumulator.add
    for row in rows:
        add(row)
    return accumulator


def rebuild(folder: str) -> None:
    n4w.Workspace.open(folder).predictions.rebuild_summaries()


def forget(folder: str | Path, user_cache: str | Path) -> None:
    """Removes what is cached in a workspace and in the user's cache folder (a folder made for measuring)."""
    shutil.rmtree(Path(folder) / ".cache", ignore_errors=True)
    shutil.rmtree(user_cache, ignore_errors=True)
