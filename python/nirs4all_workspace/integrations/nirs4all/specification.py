"""A run described in a file: what `n4w run SPEC.yaml` is given, as arguments of `run`.

    name: protein
    templates:
      - [{class: nirs4all.operators.transforms.SNV}, {model: {class: sklearn.linear_model.Ridge}}]
      - pipelines/pls.yaml
    datasets: [data/wheat, data/barley]
    workers: 4

Paths are relative to the file. Only plain data is loaded. A template is checked where it is run, not here.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace._io import files, paths
from nirs4all_workspace.exceptions import WorkspaceError
from nirs4all_workspace.templates import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import yaml

# What a pipeline file of nirs4all may hold its steps in.
_STEPS = ("pipeline", "steps")
_PIPELINE_FILES = (".yaml", ".yml", ".json")


class SpecificationError(WorkspaceError, ValueError):
    """A file that describes a run is not what it should be; the message names key and line."""


@dataclass(frozen=True)
class _Option:
    """What a key may hold: as a text for errors, and as a test."""

    expected: str
    is_fit: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _are_paths(value: object) -> bool:
    if isinstance(value, dict):
        return _are_texts(list(value)) and _are_texts(list(value.values())) and bool(value)
    return _are_texts(value) and bool(value)


def _one_of(*choices: str) -> _Option:
    return _Option(f"one of {', '.join(choices)}", lambda value: value in choices)


_TEXT = _Option("a text", lambda value: isinstance(value, str) and bool(value.strip()))
_FLAG = _Option("true or false", lambda value: isinstance(value, bool))
_LIST = _Option("a list", lambda value: isinstance(value, list) and bool(value))

# Every parameter of `run` that is plain data; `executor` is none, and data in memory neither.
OPTIONS = {
    "name": _TEXT,
    "templates": _Option("a list of templates: steps, or paths of pipeline files", _LIST.is_fit),
    "datasets": _Option("a list of paths, or a mapping of names to paths", _are_paths),
    "workspace": _TEXT,
    "resume": _Option("the id or name of a run, or latest", _TEXT.is_fit),
    "retry_failed": _FLAG,
    "workers": _Option("a number of processes, 0 or more", lambda value: _is_count(value) and value >= 0),
    "on_error": _one_of("record", "raise"),
    "refit": _Option(
        "true, false, a text, or the settings of refits",
        lambda value: isinstance(value, bool | str | dict | list),
    ),
    "artifacts": _one_of("refit", "all", "none"),
    "engine": _TEXT,
    "random_state": _Option("an integer, 0 or more", lambda value: _is_count(value) and value >= 0),
    "timeout": _Option("seconds, more than 0", lambda value: _is_number(value) and value > 0),
    "allow_packages": _Option("a list of names of packages", _are_texts),
    "run_options": _Option("a mapping of options of nirs4all.run", lambda value: isinstance(value, dict)),
}


@dataclass(frozen=True)
class Specification:
    """What a file says.

    Attributes:
        path: The file.
        arguments: Arguments of `run`, by name; what the file does not say is missing.
    """

    path: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path | str) -> Specification:
    """Read a file that describes a run.

    Raises:
        SpecificationError: It is no YAML, has a key twice or an unknown one, lacks one, or a value has a
            wrong type; the message names key and line. Or a pipeline file that it names is wrong, or a
            dataset is not there.
        OSError: The file cannot be read.
    """
    path = paths.absolute(path)
    document = _Document(path)
    given = document.content
    if not isinstance(given, dict):
        raise document.error("expected a mapping with the keys name, templates and datasets")
    for key in given:
        if key not in OPTIONS:
            raise document.error(f"unknown key {key!r}{_hint(key)}", key)
    arguments = {key: value for key, value in given.items() if value is not None}
    for key, value in arguments.items():
        if not OPTIONS[key].is_fit(value):
            raise document.error(f"key {key!r}: expected {OPTIONS[key].expected}, got {_shown(value)}", key)
    for key in ("templates", "datasets"):
        if key not in arguments and "resume" not in arguments:
            raise document.error(f"expected a key {key!r}: {OPTIONS[key].expected}")
    if "templates" in arguments:
        arguments["templates"] = [_template(document, at) for at in range(len(arguments["templates"]))]
    if "datasets" in arguments:
        given = arguments["datasets"]
        if isinstance(given, dict):
            arguments["datasets"] = {name: _dataset(document, name, it) for name, it in given.items()}
        else:
            arguments["datasets"] = [_dataset(document, at, it) for at, it in enumerate(given)]
    if "workspace" in arguments:
        arguments["workspace"] = str(_relative(path, arguments["workspace"]))
    options = arguments.pop("run_options", {})
    for key in options:
        if not isinstance(key, str) or key in OPTIONS or key == "executor":
            raise document.error(f"key {key!r} is no option of nirs4all.run here", "run_options", key)
    _check_plain(document, options, "run_options")
    _check_plain(document, arguments.get("refit"), "refit")
    return Specification(path, {**arguments, **options})


def _hint(key: object) -> str:
    if key == "executor":
        return ": an executor is an object; call `run` from Python to give one"
    meant = difflib.get_close_matches(str(key), list(OPTIONS), n=1)
    return f"; did you mean {meant[0]!r}?" if meant else f"; expected one of {', '.join(OPTIONS)}"


def _template(document: _Document, at: int) -> Template:
    """Return one template: steps, or those of a pipeline file."""
    given = document.content["templates"][at]
    if isinstance(given, list) and given:
        _check_plain(document, given, "templates", at)
        return Template(given)
    if not isinstance(given, str) or not given.lower().endswith(_PIPELINE_FILES):
        raise document.error(
            f"templates[{at}]: expected a list of steps, or the path of a pipeline file (.yaml, .json), "
            f"got {_shown(given)}",
            "templates",
            at,
        )
    file = _relative(document.path, given)
    if not file.is_file():
        raise document.error(f"templates[{at}]: there is no file {file}", "templates", at)
    pipeline = _Document(file)
    content, name = pipeline.content, file.stem
    if isinstance(content, dict):
        key = next((key for key in _STEPS if key in content), None)
        if key is None:
            raise pipeline.error("expected a list of steps, or a mapping with a key pipeline or steps")
        name = content["name"] if isinstance(content.get("name"), str) else name
        content = content[key]
    if not isinstance(content, list) or not content:
        raise pipeline.error(f"expected a list of steps, got {_shown(content)}")
    _check_plain(pipeline, content)
    return Template(content, name=name)


def _dataset(document: _Document, at: int | str, given: str) -> str:
    """Return the path of one dataset."""
    path = _relative(document.path, given)
    if not path.exists():
        raise document.error(f"{_place(('datasets', at))}: there is no file or folder {path}", "datasets", at)
    return str(path)


def _relative(file: Path, given: str) -> Path:
    """Return a path that is given relative to the folder of a file."""
    return paths.absolute(file.parent / Path(given).expanduser())


def _check_plain(document: _Document, value: object, *where: str | int) -> None:
    """Refuse what YAML makes beside plain data, such as dates and bytes."""
    found: list[tuple[object, tuple[str | int, ...]]] = [(value, where)]
    seen: set[int] = set()
    while found:
        thing, place = found.pop()
        if isinstance(thing, dict | list):
            if id(thing) not in seen:
                seen.add(id(thing))
                items = thing.items() if isinstance(thing, dict) else enumerate(thing)
                found += [(it, (*place, key)) for key, it in items]
        elif not (thing is None or isinstance(thing, bool | int | float | str)):
            raise document.error(
                f"{_place(place)}: expected plain data, got {_shown(thing)}; put texts in quotes", *place
            )


def _place(where: tuple[object, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in where]
    return "".join(parts).lstrip(".") or "the file"


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:80] + '...'}"


class _Document:
    """A YAML or JSON file, loaded as plain data, which knows the lines of what it holds."""

    def __init__(self, path: Path) -> None:
        import yaml

        self.path = path
        self._root: yaml.Node | None = None
        content = files.read_bytes(path)
        try:
            if path.suffix.lower() == ".json":
                self.content: Any = json.loads(content, object_pairs_hook=self._mapping)
                return
            self._root = yaml.compose(content, Loader=yaml.SafeLoader)
            self._check_keys()
            self.content = yaml.safe_load(content)
        except SpecificationError:
            raise
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = "" if mark is None else f"line {mark.line + 1}: "
            what = getattr(error, "problem", None) or str(error)
            raise SpecificationError(f"{line}invalid YAML: {what}", str(path)) from None
        except (RecursionError, ValueError) as error:
            raise SpecificationError(f"cannot be read: {error}", str(path)) from None

    def error(self, message: str, *where: object) -> SpecificationError:
        """Make an error that names the line of a key, or of an element of a list."""
        node, line = self._root, None
        for part in where:
            node, line = _within(node, part, line)
        return SpecificationError(message if line is None else f"line {line}: {message}", str(self.path))

    def _mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make a mapping of JSON; a key that is there twice is an error."""
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise SpecificationError(f"key {key!r} is there twice", str(self.path))
            found[key] = value
        return found

    def _check_keys(self) -> None:
        """Refuse a key that a mapping has twice: the last one would count, unseen."""
        import yaml

        found, seen = [self._root], set()
        while found:
            node = found.pop()
            if node is None or id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                found += node.value
            elif isinstance(node, yaml.MappingNode):
                lines: dict[tuple[str, str], int] = {}
                for key, value in node.value:
                    found.append(value)
                    name, line = (key.tag, str(key.value)), key.start_mark.line + 1
                    if name in lines and isinstance(key, yaml.ScalarNode):
                        message = f"line {line}: key {name[1]!r} is there already, in line {lines[name]}"
                        raise SpecificationError(message, str(self.path))
                    lines[name] = line


def _within(node: yaml.Node | None, part: object, line: int | None) -> tuple[yaml.Node | None, int | None]:
    """Return the node of an element, or below a key, and the line; what is not found keeps the line."""
    import yaml

    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return value, key.start_mark.line + 1
    return None, line
