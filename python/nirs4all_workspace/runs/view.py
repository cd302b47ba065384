"""What a run says of itself: its files, read whenever they are asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue
from nirs4all_workspace._io import files, yaml_records
from nirs4all_workspace.exceptions import WorkspaceError
from nirs4all_workspace.model import ownership, plan, run_record, run_summary
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nirs4all_workspace._native import Head as RunHeader
    from nirs4all_workspace.model.result import ResultList
    from nirs4all_workspace.workspace import Workspace


class RunView:
    """The reading half of a `Run`.

    Attributes:
        kind: "run".
        id: Its id, the name of its folder.
    """

    kind = "run"

    def __init__(self, workspace: Workspace, run: str | RunHeader) -> None:
        """Use `ws.runs` instead."""
        self._workspace = workspace
        self._root: Path = workspace.path
        self._seen: tuple[bytes | None, dict[str, Any]] = (None, {})
        self._header: RunHeader | None = None if isinstance(run, str) else run
        self.id: str = run if isinstance(run, str) else run.id

    def __repr__(self) -> str:
        """Return the id."""
        return f"Run({self.id!r})"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._root / "runs" / self.id

    def _as_listed(self) -> RunHeader | None:
        """What the catalogue said of it, if its `run.yaml` is still that file."""
        header = self._header
        if header is None or header.stamp is None:
            return None
        try:
            stat = os.stat(f"{self._root}/runs/{self.id}/{run_record.FILE}")  # noqa: PTH116 -- twice as fast
        except OSError:
            return None
        is_same = header.stamp == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        return header if is_same else None

    @property
    def record(self) -> dict[str, Any]:
        """What `run.yaml` says, missing keys with their defaults.

        Raises:
            NotFoundError: The run was deleted.
            CorruptFileError: The file is damaged; the message names line and key.
            OSError: It cannot be read.
        """
        path = self.path / run_record.FILE
        content, known = self._seen
        try:
            is_known = files.read_bytes(path) == content
        except OSError:
            is_known = False
        if not is_known:
            content, known = run_record.read(self.path)
            self._seen = content, known
        return dict(known)

    @property
    def name(self) -> str:
        """The name that it was given; it does not change."""
        return self._header.name if self._header else str(self.record["name"])

    @property
    def description(self) -> str | None:
        """What it was described as."""
        description: str | None = self.record["description"]
        return description

    @property
    def created_at(self) -> str:
        """When it was created, ISO-8601."""
        return self._header.created_at if self._header else str(self.record["created_at"])

    @property
    def status(self) -> RunStatus:
        """Its state. A run whose owner died says "running" until somebody recovers it: `is_interrupted`."""
        header = self._as_listed()
        return RunStatus(str(header.status if header else self.record["status"]))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its transitions, oldest first: time, from, to, reason, who (user, host, pid), maybe traceback."""
        return list(self.record["history"])

    @property
    def requested(self) -> RunStatus | None:
        """What somebody asked for: its owner to pause or cancel, or anybody to resume it."""
        requested = self.record["requested"]
        return RunStatus(requested["status"]) if requested else None

    @property
    def should_stop(self) -> bool:
        """Whether whoever works on it should stop: on request, or because it is not running any more."""
        record = self.record
        return record["status"] != RunStatus.RUNNING or record["requested"] is not None

    @property
    def is_owned(self) -> bool:
        """Whether a living process runs it."""
        return ownership.is_owned(self._root, self.id)

    @property
    def is_interrupted(self) -> bool:
        """Whether it says "running" but nobody runs it."""
        return self.status is RunStatus.RUNNING and not self.is_owned

    @property
    def is_partial(self) -> bool:
        """Whether some of the planned results are there and some are not."""
        counts = self.counts
        return 0 < counts["results"] < counts["planned"]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of configs, planned results, checkpointed results, of these done and failed, and rows."""
        return dict(self.summary()["counts"])

    @property
    def templates(self) -> list[dict[str, Any]]:
        """Its templates: id, name, description, expansion_count."""
        return run_record.references(self.path / "templates.yaml", "templates")

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Its datasets as they were: id, name, hash, file_size, quick_hash, path."""
        return run_record.references(self.path / "datasets.yaml", "datasets")

    @property
    def config(self) -> dict[str, Any]:
        """How it is executed: cv_folds, random_state and whatever else `create` was given."""
        config = yaml_records.read(self.path / "config.yaml")
        return {key: value for key, value in config.items() if key != "schema_version"}

    def to_dict(self) -> dict[str, Any]:
        """Return what `n4w show --json` prints: its record, flags, references, configuration and summary.

        What of it cannot be read is empty, and one of the summary's errors.

        Raises:
            NotFoundError: The run was deleted.
            CorruptFileError: Its `run.yaml` is damaged.
            OSError: Its `run.yaml` cannot be read.
        """
        summary = self.summary()

        def look(read: Callable[[], Any], otherwise: object) -> Any:  # noqa: ANN401 - plain data
            try:
                return read()
            except (WorkspaceError, OSError) as problem:
                error = {"error": stored.error_text(str(problem))}
                summary["errors"] += [] if error in summary["errors"] else [error]
                return otherwise

        return {
            "kind": "run",
            **{key: value for key, value in self.record.items() if key != "schema_version"},
            "is_interrupted": self.is_interrupted,
            "templates": look(lambda: self.templates, []),
            "datasets": look(lambda: self.datasets, []),
            "config": look(lambda: self.config, {}),
            "n_configs": summary["counts"]["configs"],
            "summary": summary,
        }

    def summary(self, completed_at: str | None = None, error: str | None = None) -> dict[str, Any]:
        """Return what was started when, counts, errors and the best result per metric, as they are now.

        Args:
            completed_at: When it ended; None for what the history says.
            error: Why it failed, to be listed among the errors.

        Returns:
            A dict of started_at, completed_at, counts (configs, planned, results, done, failed, rows),
            errors (dicts of result, dataset, config and error) and best (by metric: dataset, template,
            config, result, score, metric).
        """
        return run_summary.summarise(self, completed_at, error)

    def count_rows(self, *, live: bool = True) -> int:
        """Return how many rows name it, of a result or of none; only its own files are opened."""
        rows = self._workspace.predictions
        return rows.page(0, 0, "created_at", columns=["id"], live=live, run=self.id).total

    def configs(self) -> list[dict[str, Any]]:
        """Return the configurations that were planned."""
        return plan.read(self.path / plan.FILE)

    def results(self) -> ResultList:
        """Return the checkpointed results, sealed or not, oldest first.

        Raises:
            OSError: They cannot be read.
            CorruptFileError: A journal cannot be read.
        """
        return catalogue.results_of_run(self._root, self.id)
