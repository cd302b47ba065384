"""Answers of a workspace as typed dicts, and the kinds of what is wrong in them.

Kinds are append-only: a program that decides by them works with later versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from nirs4all_workspace.exceptions import Problem


class Verification(TypedDict):
    """The problems and notes of `Workspace.verify`."""

    problems: list[Problem]
    notes: list[Problem]


class RecoveredRun(TypedDict):
    """A run that lost its owner, and its status now."""

    run_id: str
    status: str


class Recovery(TypedDict):
    """The outcome of `Workspace.recover`."""

    sealed: list[str]
    """Journals that became segments."""
    removed: list[str]
    """Files that were removed because nothing needs them."""
    alive: list[str]
    """Journals whose writers live."""
    runs: list[RecoveredRun]
    problems: list[Problem]
    notes: list[Problem]


class GarbageItem(TypedDict):
    """Something that no run refers to."""

    path: str
    kind: str
    """"template", "artifact", "lock", "trash", "staging" or "leftover"."""
    bytes: int | None
    """None where it was removed before it was measured."""


class Garbage(TypedDict):
    """The garbage that `Workspace.gc` listed, and whether it was removed."""

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
    """The outcome of `Predictions.compact`."""

    compacted: list[CompactedSegment]
    skipped: list[dict[str, str]]
    """Dicts of run_id and reason; of a segment also its path, and the column that keeps it apart."""
    errors: list[Problem]


class RebuiltFile(TypedDict):
    """A file whose footer has a new summary."""

    path: str
    reason: str


class Rebuild(TypedDict):
    """The outcome of `Predictions.rebuild_summaries`."""

    kept: int
    """Files that had a trusted summary."""
    written: list[RebuiltFile]
    errors: list[Problem]


class Deletion(TypedDict):
    """The outcome of `Runs.delete`; paths are relative to the workspace."""

    run_id: str
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
    """The best score that it reached in a result; None where no result has it."""
    overflow: NotRequired[bool]
    """True where a score is too large for a mean."""
    is_other: NotRequired[bool]
    """True of models that were counted together."""


class Statistics(TypedDict):
    """The statistics of `Workspace.stats`."""

    workspace: dict[str, Any]
    """Runs, datasets and results by status; templates, predictions; files and bytes by folder."""
    model_performance: list[ModelPerformance]
    recomputed: list[str]
    """The parts that were counted now; all others were cached."""
    generated_at: str
    """ISO-8601 in UTC."""
    errors: list[Problem]


class Prewarming(TypedDict):
    """The outcome of `Workspace.prewarm`."""

    seconds: dict[str, float]
    """By cache: summary, files, stats."""
    errors: list[Problem]


class TemplateUsage(TypedDict):
    """A template and the runs that refer to it."""

    id: str
    names: list[str]
    n_runs: int
    runs: list[str]
    """Ids, oldest first."""
    is_stored: bool


class TemplateComparison(TypedDict):
    """A comparison of runs by their templates."""

    shared: list[str]
    union: list[str]
    only: dict[str, list[str]]


class ResultReference(TypedDict):
    """What names a result."""

    dataset: str | None
    template: str | None
    config: str | None
    result: str


class BestResult(ResultReference):
    """The result with the best row of one metric, which a lucky fold may be."""

    score: float | None
    metric: str


class BestOfDataset(ResultReference):
    """The best result on one dataset by one metric."""

    metric: str | None
    score: float | None
    """Of its best model, over all held-out folds."""
    score_basis: str | None
    score_test: float | None
    model_name: str | None


class RunSummary(TypedDict):
    """The summary of a run, as it is now."""

    started_at: str | None
    completed_at: str | None
    counts: dict[str, int]
    """Of configs, planned, results, done, failed, rows."""
    errors: list[dict[str, str | None]]
    best_by_dataset: list[BestOfDataset]
    """The best result on each dataset by each metric."""
    best: dict[str, BestResult]
    """By metric the result with the best row, which a lucky fold may be."""


class Migration(TypedDict):
    """The outcome of `migrate`."""

    source: str
    target: str
    fingerprint: str
    """Of all files of the source."""
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


class Import(TypedDict):
    """The outcome of `import_store`."""

    source: str
    target: str
    status: str
    """"imported", or "unchanged" where nothing was new."""
    imported_at: str
    seconds: float
    bytes_before: int
    """Of the database, the arrays and the artifacts that were imported."""
    bytes_after: int
    """Of all files that these became."""
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
