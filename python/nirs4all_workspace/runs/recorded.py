"""A run that this package did not make: it is read, and changes no more."""

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

    from nirs4all_workspace.model.result import ResultList
    from nirs4all_workspace.workspace import Workspace


class RecordedRun:
    """What one call of nirs4all 0.6 made, or prediction files that no run claims.

    It has the reading half of a `Run`; what would change it raises `ReadOnlyError`: `n4w migrate` makes
    runs of sessions.

    Attributes:
        id: Its id: the one that the run has which `n4w migrate` makes of it.
        kind: "session" or "files".
        name: What it was called.
        description: None.
        created_at: When its first configuration was made, ISO-8601 in UTC; empty where nobody says.
        history: Empty.
        requested: None.
        is_owned: False.
        is_interrupted: False.
        is_partial: False.
        should_stop: True: nothing can be added to it.
        config: Empty.
    """

    description = None
    requested = None
    is_owned = False
    is_interrupted = False
    is_partial = False
    should_stop = True

    def __init__(self, workspace: Workspace, header: _native.Head) -> None:
        """Use `ws.runs` instead."""
        self._workspace = workspace
        self._header = header
        self.id, self.kind, self.name, self.created_at = (
            header.id,
            header.kind,
            header.name,
            header.created_at,
        )
        self.history: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {}

    @cached_property
    def _entry(self) -> dict[str, Any]:
        return self._header.entry()

    @property
    def templates(self) -> list[dict[str, Any]]:
        """Of a session those that its configurations came from: id, name, description, expansion_count.

        One; of a call with a list of pipelines one each.
        """
        return list(self._entry["templates"])

    @property
    def steps(self) -> Any:  # noqa: ANN401 - plain data
        """The steps of its template, `_or_` where its configurations differ; None of files.

        Of a list of pipelines `_or_` of their steps.
        """
        return self._entry.get("steps")

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Dicts of id, name, hash, file_size, quick_hash and path; all but the name are None."""
        return list(self._entry["datasets"])

    @property
    def manifests(self) -> list[dict[str, Any]]:
        """Of a session, its configurations on its datasets, in the order that they were made.

        Dicts of config_id, template_id, path, dataset, pipeline_id, uid, name, config_hash, created_at and
        generator_choices.
        """
        return list(self._entry.get("manifests", ()))

    @property
    def files(self) -> list[str]:
        """Of files, their paths relative to the workspace."""
        return list(self._entry.get("files", ()))

    def __repr__(self) -> str:
        """Return the id."""
        return f"RecordedRun({self.id!r})"

    @property
    def status(self) -> RunStatus | None:
        """Of a session "completed", or "failed" where its call did not come to its end; None of files."""
        return RunStatus(self._header.status) if self._header.status else None

    @property
    def record(self) -> dict[str, Any]:
        """What a `run.yaml` would say."""
        others = ("kind", "templates", "datasets", "summary", "n_configs", "manifests", "steps", "files")
        return {key: value for key, value in self._entry.items() if key not in others}

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of configs, planned results, results, of these done and failed, and rows."""
        return dict(self.summary()["counts"])

    def configs(self) -> list[dict[str, Any]]:
        """Return the configurations of a session, as `configs.jsonl` has those of a run.

        Raises:
            CorruptFileError: A manifest was damaged meanwhile.
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
        """Return what it came to: of a session one result for each manifest, of files what their rows say.

        Raises:
            OSError: They cannot be read.
        """
        return catalogue.results(self._workspace.path, [self.id])

    def summary(self) -> dict[str, Any]:
        """Return what `Run.summary` returns."""
        configs = self._entry["n_configs"] or 0
        found = run_summary.of_results(self.results(), configs, len(self.datasets))
        return {"started_at": self.created_at or None, "completed_at": None} | found

    def to_dict(self) -> dict[str, Any]:
        """Return what `n4w show --json` prints."""
        return {
            **self._entry,
            "is_interrupted": False,
            "config": self.config,
            "summary": self.summary(),
        }

    def transition(self, *_: object, **__: object) -> NoReturn:
        """Refuse to change it.

        Raises:
            ReadOnlyError: Always.
        """
        raise ReadOnlyError(
            f"{self.id} was made by nirs4all 0.6 or has no run; `n4w migrate` makes a run of it"
        )

    request = resume = plan = writer = __enter__ = transition

    def __exit__(self, *_: object) -> None:
        """Never reached."""


def _name_of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['name']}_{manifest['config_hash']}"
