"""The values of a parameter: in the best parameters of rows, else in their configurations.

A configuration may have several models: of a row counts what is said of its own one, or of no model.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from nirs4all_workspace._io import listing
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.exceptions import NotFoundError, WorkspaceError, problem
from nirs4all_workspace.runs.recorded import RecordedRun
from nirs4all_workspace.values.json_columns import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.runs.run import Run
    from nirs4all_workspace.workspace import Workspace

# The columns that tell the value of a row.
READ = (
    "best_params",
    "run_id",
    "result_id",
    "dataset_name",
    "config_name",
    "model_classname",
    "model_name",
)
VALUE = "n4w:value"
_MODEL = "model"


@dataclass
class _Configuration:
    """What a configuration says of a parameter, as JSON texts.

    Attributes:
        common: What it says outside of its models.
        models: Class, name and value of each of its models.
    """

    common: str | None
    models: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def value(self, classname: str | None, name: str | None) -> str | None:
        """Return the value for a model."""
        own = self.models if len(self.models) == 1 else [it for it in self.models if it[0] == classname]
        own = [it for it in own if it[1] == name] or own
        return next((value for *_, value in own if value is not None), self.common)


class Choices:
    """The values of one parameter, as JSON texts.

    Attributes:
        names: The names of parameters that were seen.
        errors: Runs that could not be read, as dicts of path, kind and message.
    """

    def __init__(self, workspace: Workspace, parameter: str) -> None:
        """Read nothing yet."""
        self._workspace = workspace
        self._parameter = parameter
        self._of_params: dict[str | None, str | None] = {None: None}
        self._of_runs: dict[str | None, dict[Any, _Configuration]] = {}
        self.names: set[str] = set()
        self.errors: list[Problem] = []

    def with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows, which have the columns of `READ`, with the value of each as `VALUE`."""
        keys = frame.select(READ).unique()
        values = [self._value(key) for key in keys.iter_rows(named=True)]
        found = keys.with_columns(pl.Series(VALUE, values, pl.String))
        return frame.join(found, on=list(READ), how="left", nulls_equal=True, maintain_order="left")

    def _value(self, row: Mapping[str, str | None]) -> str | None:
        params, run_id = row["best_params"], row["run_id"]
        if params not in self._of_params:
            self._of_params[params] = self._in_params(params)
        value = self._of_params[params]
        if value is not None:
            return value
        if run_id not in self._of_runs:
            self._of_runs[run_id] = dict(self._in_runs(run_id))
        key = _key(row["dataset_name"], row["config_name"]) if run_id is None else row["result_id"]
        config = self._of_runs[run_id].get(key)
        return None if config is None else config.value(row["model_classname"], row["model_name"])

    def _in_params(self, text: str | None) -> str | None:
        params = parsed(text)
        if not isinstance(params, dict):
            return None
        self.names |= params.keys()
        return text_of(params.get(self._parameter))

    def _in_runs(self, run_id: str | None) -> Iterator[tuple[Any, _Configuration]]:
        """Yield the configuration of each result of a run; without one of all sessions, by their rows."""
        for run in self._runs(run_id):
            try:
                configs = {it["config_id"]: self._in_config(it) for it in run.configs()}
                made: Iterable[tuple[Any, str | None]]
                if isinstance(run, RecordedRun):
                    made = ((_key(it["dataset"], it["pipeline_id"]), it["config_id"]) for it in run.manifests)
                else:
                    made = ((result.id, result.config_id) for result in run.results())
                yield from ((key, configs[config]) for key, config in made if config in configs)
            except (WorkspaceError, OSError) as error:
                listing.add_problems(self.errors, [problem(f"runs/{run.id}", error)])

    def _runs(self, run_id: str | None) -> Iterator[Run | RecordedRun]:
        if run_id is None:
            yield from (run for run in self._workspace.runs.list() if run.kind == "session")
            return
        try:
            yield self._workspace.runs.get(run_id)
        except NotFoundError:
            return  # rows of a run that has no record
        except (WorkspaceError, OSError) as error:
            listing.add_problems(self.errors, [problem(f"runs/{run_id}", error)])

    def _in_config(self, config: Mapping[str, Any]) -> _Configuration:
        chosen, _ = self._in_tree(config.get("generator_choices"))
        if chosen is not None:
            return _Configuration(chosen)
        common, models = self._in_tree(config.get("steps"), are_models_apart=True)
        of_models = [(_class_of(it), it.get("name"), self._in_tree(it)[0]) for it in models]
        return _Configuration(common, of_models)

    def _in_tree(
        self,
        tree: Any,  # noqa: ANN401 - plain data
        *,
        are_models_apart: bool = False,
    ) -> tuple[str | None, list[dict[str, Any]]]:
        """Return the first value of a key with the parameter's name, outer ones first; and the models."""
        value, models, level = None, [], [tree]
        while level:
            inner: list[Any] = []
            for item in level:
                if isinstance(item, list):
                    inner += item
                elif isinstance(item, dict):
                    self.names |= item.keys()
                    if are_models_apart and _MODEL in item and self._parameter != _MODEL:
                        models.append(item)
                        continue
                    value = value if value is not None else text_of(item.get(self._parameter))
                    inner += item.values()
            level = inner
        return value, models


def _key(dataset: str | None, config: str | None) -> tuple[str, str | None]:
    return nfc(dataset or ""), config


def _class_of(step: Mapping[str, Any]) -> str:
    """Return the name of the class of a model's step."""
    model = step[_MODEL]
    named = model.get("class") if isinstance(model, dict) else model
    return str(named).rpartition(".")[2]


def text_of(value: Any) -> str | None:  # noqa: ANN401 - plain data
    """Return a value as JSON, equal numbers alike; None for none, NaN and infinities."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def value_of(text: str) -> float | int | str:
    """Return what a text of `text_of` says: a number or a text; of all else its JSON."""
    value = json.loads(text)
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if is_plain else text
