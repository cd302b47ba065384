"""Which configuration a row of an ordinary call is of: nirs4all says its name, at most."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.expansion import expand, run_name
from nirs4all_workspace.model.plan import normalise
from nirs4all_workspace.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterable

# `<name>_p0_<8 hex of its steps>`; of several pipelines `_p<i>_p0_` in the default engine, `_p<i>_` in the
# legacy one; and of a model fitted again `_refit` with what it was chosen by.
_BASE = re.compile(r"(.*_[0-9a-f]{8})_refit\w*")
_PLACE = re.compile(r".*?_p(\d+)(?:_p\d+)*_[0-9a-f]{8}")
_NAMED = re.compile(r".*_[0-9a-f]{8}")
_META = "_meta"
_CALL = re.compile(r"(.*?)(?:_p\d+)+_[0-9a-f]{8}")


def base_of(config_name: str | None) -> str:
    """Return the name of a configuration without what says that its model was fitted again."""
    match = _BASE.fullmatch(config_name or "")
    return match[1] if match is not None else config_name or ""


@dataclass(frozen=True)
class Called:
    """A row, and what it is of.

    Attributes:
        row: The row as nirs4all has it.
        dataset: The name of the dataset that the call was given.
        config_name: The name of the configuration.
    """

    row: dict[str, Any]
    dataset: str
    config_name: str


def as_called(rows: list[dict[str, Any]]) -> list[Called]:
    """Return the rows of one result with what each is of.

    The legacy engine calls rows of a stack `pipeline_stacking_refit_...`, and their dataset `<name>_meta`.
    """
    datasets = {row["dataset_name"] for row in rows}
    named = {base for row in rows if _NAMED.fullmatch(base := base_of(row["config_name"]))}
    found = []
    for row in rows:
        dataset, config_name = row["dataset_name"], row["config_name"] or ""
        whole = dataset.removesuffix(_META)
        if config_name and len(named) == 1 and base_of(config_name) not in named:
            config_name = next(iter(named))
        found.append(Called(row, whole if whole in datasets else dataset, config_name))
    return found


@dataclass
class _Pipeline:
    """A pipeline that was given.

    Attributes:
        template: The pipeline as it is stored.
        expanded: Its configurations, normalised.
        configs: The same by the hashes that their names may end in.
    """

    template: Template
    expanded: list[dict[str, Any]]
    configs: dict[str, dict[str, Any]]


@dataclass
class Pipelines:
    """The pipelines of a call, by which rows find their configurations; none where none was given.

    Attributes:
        found: The configurations that rows were found of, normalised.
    """

    given: list[_Pipeline] = field(default_factory=list)
    found: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, pipeline: object, names: Iterable[str], name: str) -> Pipelines:
        """Return a pipeline, or a tuple of several.

        Args:
            pipeline: As nirs4all was given it; None for none.
            names: The names of configurations in rows.
            name: What configurations are named after where rows have no names.

        Raises:
            TypeError, ValueError: nirs4all refuses a pipeline, or it cannot be stored.
        """
        call = next((match[1] for named in names if (match := _CALL.fullmatch(base_of(named)))), name)
        several = pipeline if isinstance(pipeline, tuple) else () if pipeline is None else (pipeline,)
        named = [(one, run_name(call, place, len(several))) for place, one in enumerate(several)]
        return cls([_pipeline(one, its_name) for one, its_name in named])

    @property
    def templates(self) -> list[Template]:
        """The templates of the run; each once."""
        return list({one.template.id: one.template for one in self.given}.values())

    def config_of(self, config_name: str | None) -> dict[str, Any] | None:
        """Return the configuration of a row; None where no pipeline was given.

        Raises:
            ValueError: It is not clear which of several pipelines the row is of.
        """
        if not self.given:
            return None
        base = base_of(config_name)
        pipeline = self.given[self._place_of(base)]
        if base[-8:] in pipeline.configs:
            config = {**pipeline.configs[base[-8:]], "name": base}
        elif len(pipeline.expanded) == 1:
            # Of several models in one pipeline each has a name of its own; a search may have none.
            config = pipeline.expanded[0]
        else:
            # What nirs4all sampled itself is known by its name alone.
            unknown = {"template_id": pipeline.template.id, "name": base or None}
            config = normalise(unknown, [pipeline.template.id])
        return self.found.setdefault((config["template_id"], config["config_id"]), config)

    def _place_of(self, base: str) -> int:
        if len(self.given) == 1:
            return 0
        match = _PLACE.fullmatch(base)
        if match is None or int(match[1]) >= len(self.given):
            raise ValueError(
                f"pipeline: which of {len(self.given)} pipelines a row of configuration {base!r} is of "
                "cannot be told; record the call of each for itself"
            )
        return int(match[1])


def _pipeline(given: object, call: str) -> _Pipeline:
    expansion = expand(given, call)
    template = Template(expansion.original_template, expansion_count=len(expansion.configurations))
    expanded = [
        normalise({"template_id": template.id, **vars(config)}, [template.id])
        for config in expansion.configurations
    ]
    configs = {}
    for config, normal in zip(expansion.configurations, expanded, strict=True):
        short = _short(config.steps)
        if short != config.steps:
            # The default engine names it as if `{"class": X}` were X; the legacy engine does not.
            configs[expand(short, call).configurations[0].name[-8:]] = normal
        configs[config.name[-8:]] = normal
    return _Pipeline(template, expanded, configs)


def _short(steps: Any) -> Any:  # noqa: ANN401 - a tree of anything
    """Return steps in which a class without parameters is its name alone."""
    if isinstance(steps, dict):
        return steps["class"] if list(steps) == ["class"] else {key: _short(it) for key, it in steps.items()}
    return [_short(item) for item in steps] if isinstance(steps, list) else steps
