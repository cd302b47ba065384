"""Runs that this package did not create: they can be read and not changed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.exceptions import ReadOnlyError
from nirs4all_workspace.model import run_summary
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.values.canonical import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nirs4all_workspace.model.answers import RunSummary
    from nirs4all_workspace.model.result import ResultList
    from nirs4all_workspace.workspace import Workspace


class RecordedRun:
    """A session of nirs4all 0.6, or prediction files without a run.

    It has the reading half of a `Run`; calls that would change it raise `ReadOnlyError`. `n4w migrate` makes
    runs of sessions.

    Attributes:
        id: The id, which the run keeps that `n4w migrate` makes of it.
        kind: "session" or "files".
        name: The name of the session or file.
        description: None.
        tags: Empty.
        notes: None.
        created_at: Creation time of its first configuration, ISO-8601 in UTC; empty where it is not recorded.
        history: Empty.
        requested: None.
        is_owned: False.
        is_interrupted: False.
        is_partial: False.
        should_stop: True.
        config: Empty.
    """

    description = None
    notes = None
    requested = None
    is_owned = False
    is_interrupted = False
    is_partial = False
    should_stop = True

    def __init__(self, workspace: Workspace, header: _native.RunHeader) -> None:
        """Use `ws.runs` instead."""
        self._workspace = workspace
        self._header = header
        self.id, self.kind, self.name, self.created_at = (
            header.id,
            header.kind,
            header.name,
            header.created_at,
        )
        self.tags: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[RecordedRun], tuple[Workspace, _native.RunHeader]]:
        """Be pickled and copied by workspace and header."""
        return type(self), (self._workspace, self._header)

    @cached_property
    def _entry(self) -> dict[str, Any]:
        return self._header.entry()

    @property
    def templates(self) -> list[dict[str, Any]]:
        """The templates of a session: id, name, description, expansion_count.

        A session has one; with a list of pipelines one a pipeline.
        """
        return list(self._entry["templates"])

    @property
    def steps(self) -> Any:  # noqa: ANN401 - plain data
        """The steps of a session's template, `_or_` where its configurations differ; None for files.

        With a list of pipelines, `_or_` of their steps.
        """
        return self._entry.get("steps")

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Dicts of id, name, hash, file_size, quick_hash and path; all but the name are None."""
        return list(self._entry["datasets"])

    @property
    def manifests(self) -> list[dict[str, Any]]:
        """The configurations of a session on its datasets, in the order of their creation.

        Dicts of config_id, template_id, path, dataset, pipeline_id, uid, name, config_hash, created_at and
        generator_choices.
        """
        return list(self._entry.get("manifests", ()))

    @property
    def files(self) -> list[str]:
        """The files of kind "files", as paths relative to the workspace."""
        return list(self._entry.get("files", ()))

    def __repr__(self) -> str:
        """Return the id."""
        return f"RecordedRun({self.id!r})"

    @property
    def status(self) -> RunStatus | None:
        """For a session "completed", or "failed" where its call did not finish; None for files."""
        return RunStatus(self._header.status) if self._header.status else None

    @property
    def record(self) -> dict[str, Any]:
        """The record in the form of a `run.yaml`."""
        others: tuple[str, ...] = ("kind", "templates", "datasets", "summary", "n_configs", "n_failed")
        others += ("manifests", "steps", "files")
        return {key: value for key, value in self._entry.items() if key not in others}

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of configs, planned results, results, done results, failed results, and rows."""
        return dict(self.summary()["counts"])

    @property
    def n_failed(self) -> int:
        """The number of failed results."""
        return self.counts["failed"]

    def configs(self) -> list[dict[str, Any]]:
        """Return the configurations of a session, in the form of a run's `configs.jsonl`.

        Raises:
            CorruptFileError: A manifest is damaged.
            OSError: A manifest cannot be read.
        """
        first = {_name_of(manifest): manifest for manifest in reversed(self.manifests)}
        return [
            {
                "config_id": manifest["config_id"],
                "template_id": manifest["template_id"],
                "name": _name_of(manifest),
                "generator_choices": manifest["generator_choices"],
                "steps": self._steps_of(manifest),
            }
            for manifest in self.manifests
            if first[_name_of(manifest)] is manifest
        ]

    def _steps_of(self, manifest: Mapping[str, Any]) -> Any:  # noqa: ANN401 - plain data
        path = self._workspace.path / manifest["path"] / "manifest.yaml"
        pipeline = _native.read_yaml(path).get("pipeline")
        return plain(pipeline.get("steps", pipeline) if isinstance(pipeline, dict) else pipeline, "steps")

    def results(self) -> ResultList:
        """Return the results: of a session one for each manifest, of files those in their rows.

        Raises:
            OSError: The results cannot be read.
        """
        return catalogue.results(self._workspace.path, [self.id])

    def summary(self) -> RunSummary:
        """Return the summary, in the form of `Run.summary`."""
        configs = self._entry["n_configs"] or 0
        found = run_summary.of_results(self.results(), configs, len(self.datasets))
        return {**found, "started_at": self.created_at or None}

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data, the shape of `n4w show --json`."""
        return {
            **self._entry,
            "is_interrupted": False,
            "config": self.config,
            "n_failed": (summary := self.summary())["counts"]["failed"],
            "summary": summary,
        }

    def transition(self, *_: object, **__: object) -> NoReturn:
        """Raise: a recorded run cannot be changed.

        Raises:
            ReadOnlyError: Always.
        """
        raise ReadOnlyError(
            f"{self.id} is read-only: made by nirs4all 0.6, or without a record; `n4w migrate` makes it a run"
        )

    request = resume = retry = edit = plan = writer = __enter__ = transition

    def __exit__(self, *_: object) -> None:
        """Do nothing: `__enter__` raises."""


def _name_of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['name']}_{manifest['config_hash']}"
