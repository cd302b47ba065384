"""What is driven: a run is made of templates and datasets, or found, and its results become tasks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from nirs4all_workspace import display
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.exceptions import ConflictError, NotFoundError
from nirs4all_workspace.integrations.nirs4all import expansion, inputs, permissions
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.settings import Settings, check_same, complete, of_run
from nirs4all_workspace.integrations.nirs4all.tasks import Input, Task
from nirs4all_workspace.model.plan import key_of
from nirs4all_workspace.runs.dataset_references import named
from nirs4all_workspace.runs.run import Run
from nirs4all_workspace.templates import Template
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nirs4all_workspace.integrations.nirs4all.settings import How
    from nirs4all_workspace.integrations.nirs4all.tasks import Options
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.runs.plan_progress import Plan

Place: TypeAlias = Workspace | str | os.PathLike[str] | None
_FOLDER = "n4w-workspace"
_NAME = "config"


def make(
    place: Place,
    templates: object,
    datasets: object,
    name: str | None,
    options: Options,
    how: How,
    allowed: tuple[str, ...],
    *,
    may_be_in_memory: bool = True,
) -> tuple[Run, dict[str, Input]]:
    """Return a new, queued run, and the datasets that are in memory by their names.

    Raises:
        ImportError: nirs4all is not installed.
        ValueError: There is no template or dataset, data is in memory and may not be, or a template names a
            class that is not allowed.
        TypeError: A template, dataset or option has a type that cannot be stored.
    """
    version = str(nirs4all().__version__)
    given = _templates(templates, allowed)
    if options.random_state is None:
        seeds = (expansion.expand(it.steps, _NAME).random_state for it in given)
        options = replace(options, random_state=next((seed for seed in seeds if seed is not None), None))
    found = inputs.inputs_of(datasets)
    in_memory = {it.name: it for it in found if it.path is None}
    if in_memory and not may_be_in_memory:
        raise ValueError(f"datasets in memory, which no worker has: {', '.join(in_memory)}; give paths")
    options = complete(options)
    hashes = {it.name: str(it.hash) for it in in_memory.values()}
    settings = Settings(name or _NAME, options, how, hashes, version)
    config = settings.to_config()
    stored = [_stored(template, options.random_state) for template in given]
    workspace = _workspace(place, may_create=True)
    references = [
        {"name": it.name, "hash": it.hash} if it.path is None else _registered(workspace, it) for it in found
    ]
    return workspace.runs.create(settings.name, stored, references, config=config), in_memory


def find(
    resume: Run | str,
    place: Place,
    templates: object,
    datasets: object,
    options: Options,
    name: str | None,
    allowed: tuple[str, ...],
) -> tuple[Run, dict[str, Input]]:
    """Return the run to resume, and the datasets in memory, which must be given again.

    Raises:
        ConflictError: Other templates, datasets or options are given than the run has, or a dataset in memory
            is missing or has other content.
        ValueError: A template that is given names a class that is not allowed.
    """
    run = resume if isinstance(resume, Run) else _workspace(place).runs.get_writable(resume)
    check_same(run, options, name)
    settings = of_run(run)
    if templates is not None:
        now = {_stored(it, settings.options.random_state).id for it in _templates(templates, allowed)}
        if now != {it["id"] for it in run.templates}:
            raise ConflictError("has other templates; they are stored, give none", str(run.path))
    given = {} if datasets is None else {it.name: it for it in inputs.inputs_of(datasets)}
    for it in given.values():
        if it.path is not None and not _is_of_run(run, it.path):
            raise ConflictError(
                f"{it.path} is not one of its datasets; paths are stored, give none", str(run.path)
            )
    for dataset, content in settings.inputs.items():
        if dataset not in given:
            raise ConflictError(f"dataset {dataset!r} was in memory, and must be given again", str(run.path))
        if given[dataset].hash != content:
            raise ConflictError(f"dataset {dataset!r} has other content than it had", str(run.path))
    in_memory = {it.name: it for it in given.values() if it.path is None}
    if unknown := in_memory.keys() - settings.inputs.keys():
        raise ConflictError(f"has no dataset in memory called {', '.join(sorted(unknown))}", str(run.path))
    return run, in_memory


def plan(run: Run) -> Plan:
    """Return the results to do: of the stored configurations, which are expanded once."""
    return cast("Plan", run.plan(run.configs() or _expanded(run), progress=True))


def check_permissions(run: Run, allowed: tuple[str, ...]) -> None:
    """Check that the stored templates and configurations of a run name allowed classes alone.

    Raises:
        ValueError: One names another; the message says where.
    """
    for reference in run.templates:
        steps = run.workspace.templates.get(str(reference["id"])).steps
        permissions.check(steps, allowed, where=f"template {reference['id']}")
    for config in run.configs():
        permissions.check(config["steps"], allowed, where=f"configuration {config['name']}")


def tasks(run: Run, results: Iterable[Result], given: Mapping[str, Input]) -> Iterator[Task]:
    """Yield what is to be computed for each result.

    Raises:
        NotFoundError: A dataset is nowhere to be found.
    """
    settings = of_run(run)
    names = _run_names(run, settings)
    configs = {key_of(it): it for it in run.configs()}
    known = dict(given)
    for result in results:
        dataset, config = str(result.dataset_name), configs[result.template_id, str(result.config_id)]
        if dataset not in known:
            known[dataset] = _located(run, dataset)
        yield Task(
            result_id=result.id,
            run_name=names[str(result.template_id)],
            config_name=str(result.config_name),
            steps=expansion.with_numbers(config["steps"]),
            generator_choices=result.generator_choices,
            input=known[dataset],
            options=settings.options,
        )


def _expanded(run: Run) -> list[dict[str, Any]]:
    settings, found = of_run(run), list[dict[str, Any]]()
    for template_id, name in _run_names(run, settings).items():
        steps = run.workspace.templates.get(template_id).steps
        found += expansion.plannable(
            expansion.expand(steps, name, settings.options.random_state), template_id
        )
    return found


def _run_names(run: Run, settings: Settings) -> dict[str, str]:
    """Return the name that each template runs under, by its id."""
    ids = [str(reference["id"]) for reference in run.templates]
    n_calls = len(ids) * len(run.datasets)
    return {id_: expansion.run_name(settings.name, place, n_calls) for place, id_ in enumerate(ids)}


def _workspace(place: Place, *, may_create: bool = False) -> Workspace:
    if isinstance(place, Workspace):
        return place
    folder = _FOLDER if place is None else place
    try:
        found = Workspace.open(folder)
    except NotFoundError:
        if not may_create:
            raise
    else:
        if found.format_version > 1 or not may_create:
            return found
    return Workspace.create(folder)


def _templates(templates: object, allowed: tuple[str, ...]) -> list[Template]:
    if not isinstance(templates, list | tuple) or not templates:
        raise ValueError(f"templates: expected a list of at least one template, got {templates!r:.200}")
    found = [it if isinstance(it, Template) else Template(it) for it in templates]
    for number, template in enumerate(found):
        if not isinstance(template.steps, list | tuple | dict | str | os.PathLike):
            kind = type(template.steps).__name__
            raise TypeError(
                f"templates[{number}]: expected steps, found a {kind}: give a list of templates, each "
                "a list of steps; a single one is [[...]]"
            )
    found = [replace(it, steps=expansion.read(it.steps)) for it in found]
    for number, template in enumerate(found):
        # Serialising and expanding import what a template names.
        permissions.check(template.steps, allowed, where=f"templates[{number}]")
    return found


def _stored(template: Template, random_state: int | None) -> Template:
    return replace(template, steps=expansion.serialised(template.steps, random_state))


def _registered(workspace: Workspace, given: Input) -> str:
    """Register a dataset, described as nirs4all loads it, and return its id."""
    path = str(given.path)
    record = workspace.datasets.register(path, given.name)
    if record.name != given.name:
        display.warn(
            f"the content of {path} is registered as dataset {record.name!r}: rows are called so, not "
            f"{given.name!r}",
            stacklevel=5,
        )
    # By its hash it is loaded once, for this and for what is computed here.
    loaded = inputs.load(replace(given, hash=record.hash))
    return workspace.datasets.register(path, given.name, **loaded.description).id


def _located(run: Run, dataset: str) -> Input:
    reference = next(it for it in run.datasets if nfc(str(it["name"])) == nfc(dataset))
    resolution = run.workspace.datasets.resolve(str(reference["id"]))
    if resolution.path is None:
        raise NotFoundError(
            f"dataset {dataset!r}: {resolution.reason}; `n4w datasets relocate` says where it is",
            str(run.path),
        )
    return Input(dataset, path=str(resolution.path), hash=reference.get("hash"))


def _is_of_run(run: Run, path: str) -> bool:
    now = named(run.workspace, Path(path))
    return any(
        (now["id"] is not None and now["id"] == it.get("id"))
        or (now["hash"] and now["hash"] == it.get("hash"))
        for it in run.datasets
    )
