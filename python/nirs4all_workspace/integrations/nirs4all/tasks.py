"""What is computed for one result, and what comes of it: plain values that go to other processes and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


# Of `nirs4all.run`, and set by what computes: nothing may be written.
RESERVED = (
    "pipeline",
    "dataset",
    "name",
    "project",
    "session",
    "engine",
    "log_file",
    "refit",
    "random_state",
    "save_artifacts",
    "save_charts",
    "should_stop",
    "verbose",
    "workspace_path",
    "results_path",
)


@dataclass(frozen=True)
class Options:
    """How nirs4all computes; plain data, which the run's config keeps.

    Attributes:
        engine: The engine of nirs4all; None for its default.
        refit: Whether, or how, the model is fitted again to all samples.
        artifacts: Which models are stored as `.n4a`: "refit", "all" or "none".
        random_state: The seed.
        run_options: Further options of `nirs4all.run`.
    """

    engine: str | None = None
    refit: Any = True
    artifacts: str = "refit"
    random_state: int | None = None
    run_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """A dataset as nirs4all is given it.

    Attributes:
        name: Its name in the run.
        path: Its path; None for data in memory.
        data: What was given in memory: (X, y), a mapping or a SpectroDataset; else None.
        hash: The hash of its content, which tells a process whether it has loaded it already.
    """

    name: str
    path: str | None = None
    data: Any = None
    hash: str | None = None


@dataclass(frozen=True)
class Task:
    """One configuration on one dataset.

    Attributes:
        result_id: The id of the planned result.
        run_name: The name that nirs4all runs it under, which its configuration names begin with.
        config_name: The name of the configuration.
        steps: Its steps, without generators.
        generator_choices: The choices of the template's generators.
        input: The dataset.
        options: How nirs4all computes.
    """

    result_id: str
    run_name: str
    config_name: str
    steps: Any
    generator_choices: Any
    input: Input
    options: Options


@dataclass
class Outcome:
    """What one task gave.

    Attributes:
        rows: Rows for `Writer.write`, with arrays, without `result_id`.
        models: Names and contents of `.n4a` files, in memory.
        fields: Further fields of the Result: score_avg, refit_score, engine, lane, task_type, n_samples,
            n_features.
        duration_s: How long it took, in seconds.
        was_stopped: Whether it was asked to stop in the middle; rows are not all there then.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    models: list[tuple[str, bytes]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0
    was_stopped: bool = False
