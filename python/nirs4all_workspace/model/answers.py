"""Answers of a workspace as typed dicts, and the kinds of what is wrong in them.

Kinds are append-only: a program that decides by them goes on working with later versions.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypedDict


class ErrorKind(StrEnum):
    """The kind of a problem with one file, folder or argument, as `errors` of every answer have it."""

    IO = "io"
    NOT_PARQUET = "not_parquet"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    SCHEMA = "schema"
    METRIC = "metric"
    CONFLICT = "conflict"
    LOCK_TIMEOUT = "lock_timeout"
    NOT_FOUND = "not_found"
    TYPE = "type"
    ARGUMENT = "argument"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class Problem(TypedDict):
    """One thing that is wrong, or worth a note, while the rest of an answer goes on without it."""

    path: str
    """Relative to the workspace; absolute where it lies elsewhere."""
    kind: str
    """An `ErrorKind`, or of `verify`, `recover`, `gc` and `migrate` a `FindingKind`."""
    message: str
    """What was found and what to do, in one line."""


class Verification(TypedDict):
    """What `Workspace.verify` found."""

    problems: list[Problem]
    notes: list[Problem]


class RecoveredRun(TypedDict):
    """A run that lost its owner, and its state now."""

    run_id: str
    status: str


class Recovery(TypedDict):
    """What `Workspace.recover` did."""

    sealed: list[str]
    """Journals that became segments."""
    removed: list[str]
    """Files that nothing needs any more."""
    alive: list[str]
    """Journals whose writers live."""
    runs: list[RecoveredRun]
    problems: list[Problem]
    notes: list[Problem]


class GarbageItem(TypedDict):
    """Something that nothing refers to."""

    path: str
    kind: str
    """"template", "artifact", "lock", "trash", "staging" or "leftover"."""
    bytes: int | None
    """None where it was removed before it was measured."""


class Garbage(TypedDict):
    """What `Workspace.gc` found, and whether it was removed."""

    removed: bool
    items: list[GarbageItem]
    notes: list[Problem]
    errors: list[Problem]


class CompactedSegment(TypedDict):
    """A segment that replaces others."""

    output: str
    inputs: list[str]
    rows: int


class Compaction(TypedDict):
    """What `Predictions.compact` did."""

    compacted: list[CompactedSegment]
    skipped: list[dict[str, str]]
    """Dicts of run_id and reason; of a segment also its path, and the column that keeps it apart."""
    errors: list[Problem]


class RebuiltFile(TypedDict):
    """A file whose footer has a new summary."""

    path: str
    reason: str


class Rebuild(TypedDict):
    """What `Predictions.rebuild_summaries` did."""

    kept: int
    """Files that had a trusted summary."""
    written: list[RebuiltFile]
    errors: list[Problem]


class Deletion(TypedDict):
    """What `Runs.delete` did; paths are relative to the workspace."""

    removed: list[str]
    kept: list[str]
    errors: list[Problem]


class ModelPerformance(TypedDict):
    """How one model performs on one dataset by one metric."""

    dataset: str | None
    metric: str | None
    direction: str
    model: str | None
    count: int
    """Rows."""
    mean: float | None
    """Of the finite val_scores, in the unit of the metric."""
    best: float | None


class Statistics(TypedDict):
    """What `Workspace.stats` counted."""

    workspace: dict[str, Any]
    """Runs, datasets and results by state; templates, predictions; files and bytes by folder."""
    model_performance: list[ModelPerformance]
    recomputed: list[str]
    """The parts that were counted now; all others were cached."""
    generated_at: str
    """ISO-8601 in UTC."""
    errors: list[Problem]


class Prewarming(TypedDict):
    """What `Workspace.prewarm` filled."""

    seconds: dict[str, float]
    """By cache: summary, files, stats."""
    errors: list[Problem]


class TemplateUsage(TypedDict):
    """Which runs use a template."""

    id: str
    names: list[str]
    n_runs: int
    runs: list[str]
    """Ids, oldest first."""
    is_stored: bool


class TemplateComparison(TypedDict):
    """Which templates several runs share."""

    shared: list[str]
    union: list[str]
    only: dict[str, list[str]]


class BestResult(TypedDict):
    """The best result of a run by one metric."""

    dataset: str
    template: str | None
    config: str | None
    result: str
    score: float
    metric: str


class RunSummary(TypedDict):
    """What a run has done so far."""

    started_at: str | None
    completed_at: str | None
    counts: dict[str, int]
    """Of configs, planned, results, done, failed, rows."""
    errors: list[dict[str, str | None]]
    best: dict[str, BestResult]


class Migration(TypedDict):
    """What `migrate` did."""

    source: str
    target: str
    status: str
    """"migrated", or "unchanged" where the target was made of this source before."""
    migrated_at: str
    seconds: float
    bytes_before: int
    bytes_after: int
    counts: dict[str, dict[str, int]]
    runs: list[dict[str, Any]]
    notes: list[dict[str, str | None]]
    errors: list[Problem]


class Change(TypedDict):
    """One change that `Workspace.watch` noticed."""

    kind: str
    """"segment", "run", "dataset" or "template"."""
    action: str
    """"added", "modified" or "deleted"."""
    id: str
    path: str
