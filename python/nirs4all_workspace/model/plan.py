"""The plan of a run: its configurations, and the results planned from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, yaml_records
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.model.result import Result
from nirs4all_workspace.values import stored, strict_json
from nirs4all_workspace.values.canonical import content_id, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE = "configs.jsonl"
_KEYS = ("config_id", "template_id", "name", "generator_choices", "steps")


def normalise(config: object, templates: Sequence[str]) -> dict[str, Any]:
    """Return a configuration in the form that `configs.jsonl` holds.

    Args:
        config: A mapping, a dataclass, or an object with attributes: template_id (optional where the run has
            one template), name, generator_choices, steps, config_id.
        templates: The ids of the run's templates.

    Raises:
        ValueError: The run lacks its template, or it has neither steps nor a name nor choices.
        TypeError: A value in it cannot be stored.
    """
    if isinstance(config, Mapping):
        given: Mapping[str, Any] = config
    else:
        names = [field.name for field in fields(config)] if is_dataclass(config) else []
        given = {key: getattr(config, key, None) for key in (*_KEYS, *names)}
    found: dict[str, Any] = plain({**dict.fromkeys(_KEYS), **given}, "config")
    if found["template_id"] is None and len(templates) == 1:
        found["template_id"] = templates[0]
    if found["template_id"] not in templates:
        raise ValueError(
            f"template_id of a configuration: expected one of {', '.join(templates) or '(none)'}, got "
            f"{found['template_id']!r}"
        )
    if found["config_id"] is None:
        content = found["steps"]
        others = {key: value for key, value in found.items() if key not in (*_KEYS, "schema_version")}
        if content is None:
            content = [found["template_id"], found["generator_choices"], found["name"]]
            if content[1:] == [None, None] and not others:
                raise ValueError("a configuration needs steps, generator_choices, a name or a config_id")
        found["config_id"] = content_id("cfg", [content, others] if others else content)
    for key in ("config_id", "name"):
        if not isinstance(found[key], str | None):
            raise TypeError(f"config[{key!r}]: expected a text or None, got {found[key]!r}")
    stored.check_record(found["generator_choices"], "config['generator_choices']", stored.DEEPEST_CHOICES)
    return {"schema_version": yaml_records.SCHEMA_VERSION, **found}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the configurations in a `configs.jsonl`; empty where the file is missing.

    Raises:
        CorruptFileError: A line is not a JSON object with a config_id; the message names the line.
        OSError: The file cannot be read.
    """
    try:
        content = files.read_bytes(path)
    except FileNotFoundError:
        return []
    return parse(content, path)


def parse(content: bytes, path: Path) -> list[dict[str, Any]]:
    """Return the configurations in the content of a `configs.jsonl`; `path` is for messages.

    Raises:
        CorruptFileError: A line is not a JSON object with a config_id; the message names the line.
    """
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            config = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorruptFileError(f"invalid JSON in line {number}", str(path)) from error
        if not isinstance(config, dict) or not isinstance(config.get("config_id"), str):
            raise CorruptFileError(f"line {number}: expected an object with a key 'config_id'", str(path))
        found.append(config)
    return found


def key_of(config: Mapping[str, Any]) -> tuple[Any, str]:
    """Return what tells configurations of a run apart: equal ones of two templates are two."""
    return config.get("template_id"), config["config_id"]


def add(path: Path, configs: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Add configurations to a `configs.jsonl`, durably; known ones stay unchanged.

    Returns:
        Pairs of each configuration and the known one that is planned for it, itself or an earlier one.

    Raises:
        CorruptFileError: The file is damaged.
        UnsupportedVersionError: A newer version wrote the file.
        OSError: The file cannot be written; it is unchanged.
    """
    before = read(path)
    for config in before:
        yaml_records.check_writable(config, path)
    known, given = paired(before, configs)
    if len(known) > len(before):
        content = ("\n".join(strict_json.dumps(config) for config in known.values()) + "\n").encode("utf-8")
        parse(content, path)
        _native.replace_file(path, content)
    return given


def paired(
    before: Iterable[dict[str, Any]], configs: Iterable[dict[str, Any]]
) -> tuple[dict[tuple[Any, str], dict[str, Any]], list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Return known configurations and new ones by what tells them apart, and each new one with what it is."""
    known = {key_of(config): config for config in before}
    return known, [(config, known.setdefault(key_of(config), config)) for config in configs]


def is_same(config: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether configurations have the same content, whatever version wrote them."""
    one, two = (json.loads(strict_json.dumps({**it, "schema_version": None})) for it in (config, other))
    return bool(one == two)


def results_of(
    run_id: str, configs: Sequence[dict[str, Any]], datasets: Sequence[dict[str, Any]]
) -> list[Result]:
    """Return each configuration on each dataset, dataset by dataset; equal work has an equal id."""
    planned = (planned_result(run_id, config, dataset) for dataset in datasets for config in configs)
    first: dict[str, Result] = {}
    for result in planned:
        first.setdefault(result.id, result)
    return list(first.values())


def planned_result(run_id: str, config: Mapping[str, Any], dataset: Mapping[str, Any]) -> Result:
    """Return a configuration on a dataset as a result that is not finished."""
    dataset_id = dataset.get("id") or dataset["name"]
    named = [run_id, config["template_id"], config["config_id"], dataset_id]
    return Result(
        content_id("res", named),
        run_id=run_id,
        template_id=config["template_id"],
        config_id=config["config_id"],
        config_name=config["name"],
        generator_choices=config["generator_choices"],
        dataset_id=dataset_id,
        dataset_name=dataset["name"],
    )
