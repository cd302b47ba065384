"""Reading a run: its files are read at each access."""

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

    from nirs4all_workspace._native import RunHeader
    from nirs4all_workspace.model.answers import RunSummary
    from nirs4all_workspace.model.result import ResultList
    from nirs4all_workspace.workspace import Workspace


class RunView:
    """The reading half of a `Run`.

    Attributes:
        kind: "run".
        id: The id of the run, the name of its folder.
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

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        """Be pickled and copied by workspace and id: the run is got again, and not owned for that."""
        return self._workspace.runs.get, (self.id,)

    @property
    def workspace(self) -> Workspace:
        """The workspace of the run."""
        return self._workspace

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self._root / "runs" / self.id

    def _as_listed(self) -> RunHeader | None:
        """Return the header in the catalogue, if the `run.yaml` is unchanged since."""
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
        """The content of `run.yaml`, missing keys with their defaults.

        Raises:
            NotFoundError: The run was deleted.
            CorruptFileError: The file is damaged; the message names line and key.
            OSError: The file cannot be read.
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
        """The name of the run; it does not change."""
        return self._header.name if self._header else str(self.record["name"])

    @property
    def description(self) -> str | None:
        """The description of the run."""
        description: str | None = self.record["description"]
        return description

    @property
    def tags(self) -> list[str]:
        """The tags of the run."""
        return run_record.tags_in(self.record)

    @property
    def notes(self) -> str | None:
        """The notes on the run."""
        notes: str | None = self.record["notes"]
        return notes

    @property
    def created_at(self) -> str:
        """The creation time of the run, ISO-8601."""
        return self._header.created_at if self._header else str(self.record["created_at"])

    @property
    def status(self) -> RunStatus:
        """The status of the run. A run whose owner died is "running" until its recovery: `is_interrupted`."""
        header = self._as_listed()
        return RunStatus(str(header.status if header else self.record["status"]))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its transitions, oldest first: time, from, to, reason, who (user, host, pid), maybe traceback."""
        return list(self.record["history"])

    @property
    def requested(self) -> RunStatus | None:
        """The open request: to its owner to pause or cancel, or to any worker to resume it."""
        requested = self.record["requested"]
        return RunStatus(requested["status"]) if requested else None

    @property
    def should_stop(self) -> bool:
        """Whether processes that work on the run should stop: on request, or because it is not running."""
        record = self.record
        return record["status"] != RunStatus.RUNNING or record["requested"] is not None

    @property
    def is_owned(self) -> bool:
        """Whether a living process owns the run."""
        return ownership.is_owned(self._root, self.id)

    @property
    def is_interrupted(self) -> bool:
        """Whether the status is "running" but no process owns the run."""
        return self.status is RunStatus.RUNNING and not self.is_owned

    @property
    def is_partial(self) -> bool:
        """Whether some, but not all, of the planned results are checkpointed."""
        counts = self.counts
        return 0 < counts["results"] < counts["planned"]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of configs, planned results, checkpointed results, done ones, failed ones, and rows."""
        return dict(self.summary()["counts"])

    @property
    def n_failed(self) -> int:
        """The number of failed results; a completed run may have some."""
        return self.counts["failed"]

    @property
    def templates(self) -> list[dict[str, Any]]:
        """Its references to templates: id, name, description, expansion_count."""
        return run_record.references(self.path / "templates.yaml", "templates")

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Its references to datasets, as they were: id, name, hash, file_size, quick_hash, path."""
        return run_record.references(self.path / "datasets.yaml", "datasets")

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of its execution: cv_folds, random_state and the like, as given to `create`."""
        config = yaml_records.read(self.path / "config.yaml")
        return {key: value for key, value in config.items() if key != "schema_version"}

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, the shape of `n4w show --json`.

        It has record, flags, references, configuration and summary. Parts that cannot be read are empty, and
        listed in the summary's errors.

        Raises:
            NotFoundError: The run was deleted.
            CorruptFileError: Its `run.yaml` is damaged.
            OSError: The `run.yaml` cannot be read.
        """
        summary = self.summary()

        def look(read: Callable[[], Any], otherwise: object) -> Any:  # noqa: ANN401 - plain data
            try:
                return read()
            except (WorkspaceError, OSError) as problem:
                error: dict[str, str | None] = {"error": stored.error_text(str(problem))}
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
            "n_failed": summary["counts"]["failed"],
            "summary": summary,
        }

    def summary(self, completed_at: str | None = None, error: str | None = None) -> RunSummary:
        """Return start and end, counts, errors and the best result per metric, as they are now.

        Args:
            completed_at: The end of the run; None for the time in the history.
            error: The message of the error that made it fail, added to the errors.

        Returns:
            A dict of started_at, completed_at, counts (configs, planned, results, done, failed, rows),
            errors (dicts of result, dataset, config and error) and best (by metric: dataset, template,
            config, result, score, metric).
        """
        return run_summary.summarise(self, completed_at, error)

    def count_rows(self, *, live: bool = True) -> int:
        """Return the number of rows of the run, of any result or of none; only its own files are read."""
        rows = self._workspace.predictions
        return rows.page(0, 0, "created_at", columns=["id"], live=live, run=self.id).total

    def configs(self) -> list[dict[str, Any]]:
        """Return the planned configurations."""
        return plan.read(self.path / plan.FILE)

    def results(self) -> ResultList:
        """Return the checkpointed results, sealed or not, oldest first.

        Raises:
            OSError: The results cannot be read.
            CorruptFileError: A journal cannot be read.
        """
        return catalogue.results_of_run(self._root, self.id)
