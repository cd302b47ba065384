"""Summaries of single files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io.paths import absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nirs4all_workspace.exceptions import WorkspaceError


@dataclass(frozen=True)
class FileSummary:
    """The summary of one file, or why it could not be read.

    Attributes:
        path: The absolute path of the file.
        summary: Its summary (see `read_summary`), or None.
        scanned: Why its rows were read: its footer has no trusted summary. None where the footer
            sufficed.
        error: The error, or None. Raise it, or show it.
    """

    path: Path
    summary: dict[str, Any] | None
    scanned: str | None
    error: WorkspaceError | OSError | None


def read_summary(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Summarise one prediction file, from its footer where that is trusted.

    Args:
        path: A Parquet file of predictions.

    Returns:
        The summary: total_predictions, the main metric with its stats and top_predictions, by_metric, facets,
        runs and so on. Scores are in the unit of their metric, times are ISO-8601 in UTC. `scanned` says why
        the rows were read, None where the footer sufficed. docs/format.md describes every key.

    Raises:
        CorruptFileError: The file is not Parquet, is cut off or contradicts itself.
        SchemaError: The file lacks the columns of predictions, or a column has an unsuitable type.
        UnknownMetricError: The file ranks a metric in another direction than the table of metrics.
        OSError: The file cannot be opened or read.
    """
    [result] = read_summaries([path])
    if result.summary is None:
        raise result.error or AssertionError("a file has a summary or an error")
    return result.summary


def read_summaries(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[FileSummary]:
    """Summarise many prediction files in parallel; an unreadable file is one flagged result.

    Args:
        paths: Files, or one folder, which stands for its prediction files: `*.meta.parquet` in it and in its
            `predictions/*/`.

    Returns:
        One `FileSummary` for each file, in the order given (a folder's in name order).

    Raises:
        OSError: The folder cannot be listed.
    """
    if isinstance(paths, (str, os.PathLike)):
        folder = absolute(paths)
        paths = [folder / name for name in _native.list_files(folder)]
    files = [absolute(path) for path in paths]
    results = []
    for path, (summary, scanned, error) in zip(files, _native.read_summaries(files), strict=True):
        if summary is not None:
            summary["scanned"] = scanned
        results.append(FileSummary(path, summary, scanned, error))
    return results


def best_of(scores: Iterable[float], direction: str) -> float | None:
    """Return the best of some scores, which are not NaN; None without scores, or without a direction.

    Of two equally good scores it is the larger one, as within one file.
    """
    goodness = _GOODNESS.get(direction)
    return None if goodness is None else max(scores, key=goodness, default=None)


_GOODNESS: dict[str, Callable[[float], Any]] = {
    "maximize": lambda score: score,
    "minimize": lambda score: -score,
    "zero": lambda score: (-abs(score), score),
}
