"""Templates with generators become configurations, as nirs4all itself expands them.

What is stored of a template, and what is expanded, is one thing: `serialised(template)`. It is nirs4all's
`original_template`, which holds estimators as class paths with parameters, made plain. Serialising it again
gives it again, so that a template as the caller gives it, one read back from a workspace and one in a file
have equal configurations, with equal names and ids.

Where templates of equal content differ in the order of their keys, a workspace keeps the one that was stored
first, and `count` samples by that order: expand what `ws.templates.get` returns, in the first run too.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nirs4all_workspace._io import files
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.values.canonical import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# As `plain` stores them.
_NO_JSON = ("NaN", "Infinity", "-Infinity")
# A key of a generator, as `_or_`, and the same key where nirs4all does not see it.
_MARK = "kept:"
_FILES = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class Configuration:
    """One pipeline without generators; `Run.plan` takes it with the template's id beside it.

    Attributes:
        name: The name that nirs4all gives it in its rows.
        steps: Its steps, plain.
        generator_choices: What each generator of the template chose.
    """

    name: str
    steps: list[Any]
    generator_choices: list[Any]


@dataclass(frozen=True)
class Expansion:
    """A template and its configurations.

    Attributes:
        original_template: The template as it is stored, plain; expanding it gives the same.
        configurations: Its configurations, in nirs4all's order.
        random_state: The seed of sampled generators: the one given, else the one that the template states.
    """

    original_template: list[Any]
    configurations: list[Configuration]
    random_state: int | None


def run_name(name: str, index: int, n_calls: int) -> str:
    """Return the name that the template at an index runs under.

    One `nirs4all.run` names pipelines by their place where it has several calls to make; a single one keeps
    the name.

    Args:
        name: The name of the whole run.
        index: The place of the template, from 0.
        n_calls: The number of templates times the number of datasets.
    """
    return f"{name}_p{index}" if n_calls > 1 else name


def read(template: object) -> object:
    """Return what a template's file or text holds, as plain data; any other template as it is.

    Nothing is imported that it names, as nirs4all does from here on: ask here whether that is allowed.

    Args:
        template: A path of a pipeline file, YAML or JSON text, or steps.

    Raises:
        ValueError: A file or text is no YAML or JSON, or holds neither a list nor a mapping.
        OSError: The file cannot be read.
    """
    if not isinstance(template, str | os.PathLike):
        return list(template) if isinstance(template, tuple) else template
    text = os.fspath(template)
    is_file = isinstance(template, os.PathLike) or text.lower().endswith(_FILES)
    content = files.read_bytes(Path(text)).decode("utf-8") if is_file else text
    try:
        found = json.loads(content) if text.lower().endswith(".json") else yaml.safe_load(content)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"template {text if is_file else ''}: {error}") from error
    if not isinstance(found, list | dict):
        where = f"the file {text}" if is_file else repr(text)
        raise ValueError(f"template: expected a list of steps, or a mapping with them, in {where}")
    return found


def serialised(template: object, random_state: int | None = None) -> list[Any]:
    """Return a template in the form in which it is stored and expanded.

    Args:
        template: Steps, a mapping with them, a path of a pipeline file, or YAML or JSON text.
        random_state: The seed of sampled generators.

    Raises:
        ImportError: nirs4all is not installed.
        TypeError: It is no template, or it holds what cannot be stored; the message says where.
        ValueError: nirs4all refuses it.
        OSError: A file cannot be read.
    """
    return _parse(template, "", random_state)[0]


def expand(template: object, name: str, random_state: int | None = None) -> Expansion:
    """Expand a template.

    A generator beside a model that `PipelineConfigs` refuses is left to `nirs4all.run`: such a template is
    one configuration of these.

    Args:
        template: As for `serialised`, or what that returned.
        name: The name that it runs under (`run_name`).
        random_state: The seed of sampled generators.

    Raises:
        ImportError: nirs4all is not installed.
        TypeError: It is no template, or it holds what cannot be stored; the message says where.
        ValueError: nirs4all refuses it, as for more than 10,000 configurations.
        OSError: A file cannot be read.
    """
    original, stated = _parse(template, name, random_state)
    seed = random_state if random_state is not None else stated
    # What is expanded is what is stored, never what was given.
    configs, unmark = _configs(with_numbers(original), name, seed)
    found = [
        Configuration(config_name, plain(unmark(steps), "steps"), plain(unmark(choices), "generator_choices"))
        for config_name, steps, choices in zip(
            configs.names, configs.steps, configs.generator_choices, strict=True
        )
    ]
    return Expansion(original, found, seed)


def with_numbers(steps: Any) -> Any:  # noqa: ANN401 - a tree of anything
    """Return stored steps with numbers in place of the texts that JSON has for NaN and infinities.

    They are parameters, as `missing_values` of an imputer, which no text fits.
    """
    if isinstance(steps, dict):
        return {key: with_numbers(value) for key, value in steps.items()}
    if isinstance(steps, list):
        return [with_numbers(item) for item in steps]
    return float(steps) if isinstance(steps, str) and steps in _NO_JSON else steps


def _parse(template: object, name: str, random_state: int | None) -> tuple[list[Any], int | None]:
    configs, unmark = _configs(template, name, random_state)
    return plain(unmark(configs.original_template), "template"), configs.random_state


def _configs(template: object, name: str, random_state: int | None) -> tuple[Any, Callable[[Any], Any]]:
    """Return a template's `PipelineConfigs`, and what takes marks off what they hold."""
    make = nirs4all("nirs4all.pipeline").PipelineConfigs
    # nirs4all adds the place of a pipeline among those of one call, which is always the first here.
    label = f"{name}_p0" if name else ""
    given = read(template)
    try:
        return make(given, name=label, random_state=random_state), _same
    except ValueError:
        marked = _marked(given, in_model=False)
        if marked == given:
            raise
        return make(marked, name=label, random_state=random_state), _unmarked


def _same(value: Any) -> Any:  # noqa: ANN401 - a tree of anything
    return value


def _marked(value: Any, *, in_model: bool) -> Any:  # noqa: ANN401 - a tree of anything
    """Return a template in which generators beside and below a model are no generators to nirs4all."""
    if isinstance(value, dict):
        inside = in_model or "model" in value
        return {
            _MARK + key if inside and _is_generator(key) else key: _marked(item, in_model=inside)
            for key, item in value.items()
        }
    return [_marked(item, in_model=in_model) for item in value] if isinstance(value, list) else value


def _unmarked(value: Any) -> Any:  # noqa: ANN401 - a tree of anything
    if isinstance(value, dict):
        return {
            key.removeprefix(_MARK) if isinstance(key, str) else key: _unmarked(item)
            for key, item in value.items()
        }
    return [_unmarked(item) for item in value] if isinstance(value, list) else value


def _is_generator(key: object) -> bool:
    return isinstance(key, str) and len(key) > 2 and key[0] == key[-1] == "_"


def plannable(expansion: Expansion, template_id: str) -> Sequence[dict[str, Any]]:
    """Return the configurations of a template as `Run.plan` takes them."""
    return [{"template_id": template_id, **vars(config)} for config in expansion.configurations]
