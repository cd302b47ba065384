"""What the steps of a configuration say of a model: its class, and what comes before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_META = "MetaModel_"
# Keys of steps that change spectra; their values are operators, or lists of them.
_TRANSFORMS = ("preprocessing", "feature_augmentation", "concat_transform")


@dataclass(frozen=True)
class Model:
    """A model in the steps of a configuration.

    Attributes:
        name: The name of its rows; None where nirs4all makes it up.
        classname: The name of its class, without its module.
        branch: The name of its branch; "" outside branches.
        preprocessings: The names of the operators before it, joined by `+`, those side by side as `[A|B]`;
            None where branches come together
            before it, so that there is no one sequence.
    """

    name: str
    classname: str
    branch: str
    preprocessings: str | None


def models_of(steps: object) -> list[Model]:
    """Return the models of a configuration, in order."""
    return list(_walk(steps, "", [])) if isinstance(steps, list) else []


def model_of_row(models: list[Model], row: Mapping[str, Any], place: int | None) -> Model | None:
    """Return the model that a row is of; None where that is not certain.

    Args:
        models: The models of the configuration.
        row: A row of nirs4all.
        place: The place of the row's result among several of one pipeline, each of one model; else None.
    """
    if place is not None:
        return models[place] if place < len(models) else None
    name = str(row.get("model_name") or "").removeprefix(_META)
    # nirs4all's legacy engine names no branch in rows of the model fitted again.
    branch = row.get("branch_name") or ""
    fitting = [model for model in models if model.name == name and model.branch == branch]
    if not fitting and not branch:
        fitting = [model for model in models if model.name == name]
    return fitting[0] if len(fitting) == 1 else models[0] if len(models) == 1 else None


def is_tuned(steps: object) -> bool:
    """Return whether nirs4all searches parameters of a model."""
    if isinstance(steps, Mapping):
        return "finetune_params" in steps or any(map(is_tuned, steps.values()))
    return isinstance(steps, list) and any(map(is_tuned, steps))


def _walk(steps: list[Any], branch: str, before: list[str | None]) -> Iterator[Model]:
    """Yield the models of steps; `before` gets the operators, None where it is not known which."""
    for index, step in enumerate(steps):
        is_last = index == len(steps) - 1
        if isinstance(step, Mapping) and "branch" in step:
            for inner, inside in _branches(step["branch"]):
                yield from _walk(inside, inner, list(before))
            before.append(None)
        elif isinstance(step, Mapping) and "model" in step:
            yield _model(step["model"], step.get("name"), branch, before)
        elif isinstance(step, Mapping) and "class" not in step:
            before += [_side_by_side(step[key]) for key in _TRANSFORMS if key in step]
        elif (name := _class(step)) is not None and not _is_splitter(step):
            if is_last and not branch and not _is_transform(step):
                yield _model(step, None, branch, before)
            else:
                before.append(name)


def _branches(given: object) -> list[tuple[str, list[Any]]]:
    """Return the branches of a step by name; none where a column of the dataset divides samples."""
    if isinstance(given, list):
        found = enumerate(given)
        return [(f"branch_{index}", _listed(inside)) for index, inside in found]
    if isinstance(given, Mapping) and not any(str(key).startswith("by_") for key in given):
        return [(str(name), _listed(inside)) for name, inside in given.items()]
    return []


def _side_by_side(given: object) -> str | None:
    """Return operators of one step, whose spectra stand side by side, as `[A|B]`; None of other forms."""
    names = [_class(item) for item in _listed(given)]
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        return None
    return known[0] if len(known) == 1 else f"[{'|'.join(known)}]"


def _listed(steps: object) -> list[Any]:
    return steps if isinstance(steps, list) else [steps]


def _model(given: object, name: object, branch: str, before: list[str | None]) -> Model:
    classname = _class(given) or ""
    known = [operator for operator in before if operator is not None]
    text = "+".join(known) if len(known) == len(before) else None
    return Model(str(name or classname), classname, branch, text)


def _path(step: object) -> str | None:
    """Return the import path of an operator; None of what is none."""
    found = step.get("class", step.get("function")) if isinstance(step, Mapping) else step
    return found if isinstance(found, str) else None


def _class(step: object) -> str | None:
    path = _path(step)
    return None if path is None else path.rpartition(".")[2]


def _is_splitter(step: object) -> bool:
    path = _path(step) or ""
    return "model_selection" in path or "splitters" in path


def _is_transform(step: object) -> bool:
    path = _path(step) or ""
    return any(part in path for part in ("preprocessing", "transforms", "decomposition._pca", "filters"))
