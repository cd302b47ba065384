"""The configurations of a store's pipelines: templates stored once, choices found by expanding them again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import yaml_records
from nirs4all_workspace.integrations.nirs4all import expansion, permissions
from nirs4all_workspace.integrations.nirs4all.recorded_names import base_of
from nirs4all_workspace.model.result import Result
from nirs4all_workspace.stores.calls import loaded
from nirs4all_workspace.stores.rows import time_of
from nirs4all_workspace.values import strict_json
from nirs4all_workspace.values.canonical import content_id, plain

if TYPE_CHECKING:
    from nirs4all_workspace.stores.plan import PlannedRun
    from nirs4all_workspace.stores.source import Source
    from nirs4all_workspace.workspace import Workspace

# A key that expands, as `_or_`.
_GENERATOR = re.compile(r'"_[a-z_]+_"\s*:')
# What nirs4all itself puts in place of a splitter: it holds indices, and makes nothing else.
_ALLOWED = ("nirs4all.pipeline.dagml.steps",)
_REFIT = "pipeline_refit"
# Of the hash of its steps at the end of the name of a configuration; and a name, which they do not need.
_DIGITS = 8
_NAME = "run"
_STATUSES = {"completed": "done", "done": "done"}


class Configurations:
    """Reads the configurations of pipelines, and stores their templates."""

    def __init__(self, source: Source, workspace: Workspace) -> None:
        """Bind to a store, and to the workspace that gets the templates."""
        self._source, self._workspace = source, workspace
        self._templates: dict[str, str | None] = {}
        self._expanded: dict[str, dict[str, expansion.Configuration] | str] = {}
        self._lines: dict[str, dict[str, dict[str, Any]]] = {}
        self._used: dict[str, dict[str, str]] = {}
        self._trees: dict[str, Any] = {}
        self._whole: tuple[str, dict[str, dict[str, Any]]] = ("", {})

    def result(
        self, run: PlannedRun, pipeline: dict[str, Any], dataset: str, keys: set[tuple[str, str]]
    ) -> Result:
        """Return the result of a pipeline on a dataset, and note its configuration for the run.

        Args:
            run: The run.
            pipeline: A row of `pipelines`, without its configuration.
            dataset: The name of the dataset.
            keys: The configurations and datasets that the run has so far.
        """
        row = self._row(run, pipeline)
        run_name = self._run_name(run, pipeline)
        text = row.get("original_template") or row.get("expanded_config")
        template_id = self._template(text, run)
        choices, steps = self._choices(row, text, run)
        config_id = content_id("cfg", [template_id, pipeline["name"]])
        if (config_id, dataset) in keys:
            config_id = content_id("cfg", [template_id, pipeline["name"], pipeline["pipeline_id"]])
        keys.add((config_id, dataset))
        if template_id is not None:
            self._used.setdefault(run.id, {}).setdefault(template_id, run_name)
        self._lines.setdefault(run.id, {}).setdefault(
            config_id,
            {
                "schema_version": yaml_records.SCHEMA_VERSION,
                "config_id": config_id,
                "template_id": template_id,
                "name": pipeline["name"] or None,
                "generator_choices": choices,
                "steps": steps,
            },
        )
        status, error = _outcome(row, run)
        ended = time_of(row.get("completed_at")) or time_of(row.get("created_at"))
        duration = row.get("duration_ms")
        return Result(
            content_id("res", [run.id, template_id, config_id, dataset]),
            run_id=run.id,
            template_id=template_id,
            config_id=config_id,
            config_name=pipeline["name"] or None,
            generator_choices=choices,
            dataset_id=dataset,
            dataset_name=dataset,
            status=status,
            error=error,
            duration_s=duration / 1000 if isinstance(duration, int | float) else None,
            completed_at=run.ended_at if ended is None else ended.isoformat(),
        )

    def chosen_by(self, run: PlannedRun, pipeline: dict[str, Any]) -> dict[str, Any] | None:
        """Return the pipeline whose model a pipeline fitted again; None where there is none.

        The legacy engine names it `<name>_refit`, and nirs4all 0.7 always `pipeline_refit`.
        """
        name = pipeline["name"]
        if name == _REFIT:
            here = self._row(run, pipeline)
            others = [
                other
                for other in run.pipelines
                if other["run_id"] == pipeline["run_id"]
                and other["dataset_name"] == pipeline["dataset_name"]
                and other["name"] != _REFIT
                and _is_again(here, self._row(run, other))
            ]
            return others[0] if len(others) == 1 else None
        base = base_of(name)
        if base == name:
            return None
        same = [
            it for it in run.pipelines if (it["name"], it["dataset_name"]) == (base, pipeline["dataset_name"])
        ]
        return same[0] if len(same) == 1 else None

    def templates(self, run: PlannedRun) -> list[dict[str, Any]]:
        """Return the references of a run to its templates."""
        used = self._used.get(run.id, {})
        number = dict.fromkeys(used, 0)
        for config in self._lines.get(run.id, {}).values():
            if config["template_id"] in number:
                number[config["template_id"]] += 1
        return [
            {"id": template, "name": name, "description": None, "expansion_count": number[template]}
            for template, name in used.items()
        ]

    def lines(self, run: PlannedRun) -> list[str]:
        """Return the lines of a run's `configs.jsonl`."""
        return [strict_json.dumps(config) for config in self._lines.get(run.id, {}).values()]

    def forget(self, run: PlannedRun) -> None:
        """Drop the configurations of a run whose records were written."""
        self._lines.pop(run.id, None)

    def _row(self, run: PlannedRun, pipeline: dict[str, Any]) -> dict[str, Any]:
        """Return the whole row of a pipeline; those of one run are read at once."""
        if self._whole[0] != run.id:
            self._trees.clear()
            self._whole = (
                run.id,
                {row["pipeline_id"]: row for row in self._source.of_runs("pipelines", run.call.ids)},
            )
        return self._whole[1].get(pipeline["pipeline_id"], pipeline)

    @staticmethod
    def _run_name(run: PlannedRun, pipeline: dict[str, Any]) -> str:
        return (
            next((row["name"] for row in run.call.rows if row["run_id"] == pipeline["run_id"]), run.name)
            or ""
        )

    def _template(self, text: object, run: PlannedRun) -> str | None:
        """Store a template unless it is stored, and return its id; None where there is none."""
        if not isinstance(text, str) or not text:
            return None
        key = _native.blake3_hex(text.encode("utf-8", "backslashreplace"), 32)
        if key not in self._templates:
            steps = loaded(text)
            try:
                found = None if steps is None else self._workspace.templates.add(plain(steps, "steps"))
            except (TypeError, ValueError) as error:
                found = None
                run.notes.append(("template", f"a template cannot be stored: {error}"))
            self._templates[key] = found
        return self._templates[key]

    def _choices(self, row: dict[str, Any], text: object, run: PlannedRun) -> tuple[Any, Any]:
        """Return the choices of a configuration and its steps; null choices where they cannot be told."""
        steps = self._tree(row.get("expanded_config"))
        stated = self._tree(row.get("generator_choices"))
        if stated or not isinstance(text, str) or not _GENERATOR.search(text):
            return stated, steps
        found = self._expansion(text)
        if isinstance(found, str):
            _note_once(run, "choices", found)
            return None, steps
        config = found.get(base_of(row["name"])[-_DIGITS:])
        if config is None:
            message = "choices of some results are null: no configuration of their template has their name"
            _note_once(run, "choices", message)
            return None, steps
        return config.generator_choices, config.steps

    def _tree(self, text: object) -> Any:  # noqa: ANN401 - plain data
        """Return what a column of JSON says; equal texts, of which a run has many, are read once."""
        if not isinstance(text, str):
            return _plain(loaded(text))
        if text not in self._trees:
            self._trees[text] = _plain(loaded(text))
        return self._trees[text]

    def _expansion(self, text: str) -> dict[str, expansion.Configuration] | str:
        """Return the configurations of a template by the end of their names; a text says why not.

        The end follows from the steps alone, whatever the call was named.
        """
        key = _native.blake3_hex(text.encode("utf-8", "backslashreplace"), 32)
        if key not in self._expanded:
            self._expanded[key] = _expand(loaded(text))
        return self._expanded[key]


def _is_again(again: dict[str, Any], row: dict[str, Any]) -> bool:
    """Return whether a configuration is another one with a splitter that keeps all samples together."""
    if loaded(again.get("generator_choices")) != loaded(row.get("generator_choices")):
        return False
    one, other = loaded(again.get("expanded_config")), loaded(row.get("expanded_config"))
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return False
    return all(mine == theirs or _is_object(mine) for mine, theirs in zip(one, other, strict=True))


def _is_object(step: object) -> bool:
    """Return whether a step is the text of a Python object, as nirs4all stores its own splitter."""
    return isinstance(step, str) and step.startswith("<")


def _expand(template: Any) -> dict[str, expansion.Configuration] | str:  # noqa: ANN401 - plain data
    try:
        permissions.check(template, _ALLOWED)
        found = expansion.expand(template, _NAME).configurations
    except ImportError:
        return "choices of generators are null: nirs4all, which can find them again, is not installed"
    except Exception as error:  # noqa: BLE001 - nirs4all makes what the template names, which may raise anything
        return f"choices of generators are null: {type(error).__name__}: {error}"
    return {config.name[-_DIGITS:]: config for config in found}


def _outcome(row: dict[str, Any], run: PlannedRun) -> tuple[str, str | None]:
    """Return the status of a result, and why it failed."""
    status = _STATUSES.get(str(row.get("status")), "failed")
    error = row.get("error")
    if status == "done":
        return status, None
    if not error:
        error = run.error or f"its status in the store is {row.get('status')}"
    return status, str(error)


def _plain(value: Any) -> Any:  # noqa: ANN401 - plain data
    try:
        return plain(value, "steps")
    except (TypeError, ValueError):
        return None


def _note_once(run: PlannedRun, kind: str, message: str) -> None:
    if (kind, message) not in run.notes:
        run.notes.append((kind, message))
