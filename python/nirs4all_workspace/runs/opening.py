"""Opening a run by its name: the newest one goes on, and is made where there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, display
from nirs4all_workspace._io import layout, listing, locks
from nirs4all_workspace._io.paths import same_name
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.runs.dataset_references import Report, named
from nirs4all_workspace.templates import ids_of
from nirs4all_workspace.values.canonical import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nirs4all_workspace.runs.run import Run
    from nirs4all_workspace.workspace import Workspace


def open_run(
    workspace: Workspace,
    name: str,
    templates: Iterable[object] | None,
    datasets: Iterable[object] | None,
    config: Mapping[str, Any] | None,
    progress: Report | None,
    create: Callable[[], Run],
) -> Run:
    """Return the newest run of a name that is not cancelled, ready to go on; make it where there is none.

    Args:
        workspace: The workspace.
        name: The name of the run.
        templates: What the run must have, by content; None for any.
        datasets: What the run must have; None for any.
        config: What the run should have; None for any.
        progress: Called with the bytes hashed of a dataset given by path, and the bytes in all.
        create: Makes a run.

    Raises:
        ConflictError: A process owns the run, or it has other templates or datasets.
        CorruptFileError: A run that may have the name cannot be read.
    """
    # Of several processes that open it at once, one makes it.
    with locks.take(layout.opening_lock(workspace.path), timeout=60.0):
        run = _newest(workspace, name)
        if run is None:
            return create()
    _check_same(workspace, run, templates, datasets, progress)
    if config is not None:
        _compare_config(run, plain(config, "config"))
    if run.status is RunStatus.COMPLETED:
        run.leave_alone()
    elif run.status is not RunStatus.QUEUED:
        run.resume("opened again")
    return run


def _newest(workspace: Workspace, name: str) -> Run | None:
    listed = workspace.runs.list()
    found = [
        run for run in listed.writable() if same_name(name, run.name) and run.status != RunStatus.CANCELLED
    ]
    day = found[-1].id[:10] if found else ""
    slug = _native.slug(name).replace("_", "-") or "run"
    for error in listed.errors:
        top, _, rest = error["path"].partition("/")
        run_id = rest.partition("/")[0]
        parts = run_id.split("_")
        if top == "runs" and not rest:
            listing.raise_if_unreadable(workspace.path, [error], "runs")
        # A run that is listed, of which another file is damaged, is none that may be overlooked.
        if top != "runs" or len(parts) != 3 or run_id in {run.id for run in listed}:
            continue
        if parts[1].lower() == slug.lower() and parts[0] >= day:
            path = str(workspace.path / error["path"])
            message = f"may be run {name!r} and cannot be read: {error['message']}"
            raise CorruptFileError(f"{message}; mend or delete it, or make another run with new=True", path)
    return found[-1] if found else None


def _check_same(
    workspace: Workspace,
    run: Run,
    templates: Iterable[object] | None,
    datasets: Iterable[object] | None,
    progress: Report | None,
) -> None:
    differences = []
    if templates is not None:
        before = {str(it.get("id")): it.get("name") for it in run.templates}
        now = ids_of(workspace, templates)
        differences += [
            f"template {_named(it, before[it])} was there and is not given" for it in before if it not in now
        ]
        differences += [
            f"template {_named(it, now[it])} is given and was not there" for it in now if it not in before
        ]
    if datasets is not None:
        differences += _of_datasets(
            run.datasets, [named(workspace, it, progress) for it in _listed(datasets)]
        )
    if differences:
        raise ConflictError(
            f"run {run.name!r} has other content: {'; '.join(differences)}. Give what it had, or "
            "make another run with new=True",
            str(run.path),
        )


def _of_datasets(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    left, differences = list(before), []
    for given in now:
        same = next((it for it in left if _is_same(it, given)), None)
        if same is None:
            differences.append(f"dataset {_named(given['id'], given['name'])} is given and was not there")
            continue
        left.remove(same)
        if given["hash"] and same.get("hash") and given["hash"] != same["hash"]:
            what = f"has other content: {same['hash']} then, {given['hash']} now"
            differences.append(f"dataset {_named(same.get('id'), same['name'])} {what}")
    return differences + [
        f"dataset {_named(it.get('id'), it['name'])} was there and is not given" for it in left
    ]


def _is_same(before: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    if before.get("id") and given["id"]:
        return bool(before["id"] == given["id"])
    # One of them was, or is, not registered.
    return same_name(str(before["name"]), given["name"])


def _named(id_: object, name: object) -> str:
    return f"{name} ({id_})" if id_ and name else str(id_ or name)


def _compare_config(run: Run, config: object) -> None:
    before = run.config
    if not isinstance(config, dict):
        raise TypeError("config: expected a mapping of settings")
    differing = [key for key in {**before, **config} if before.get(key) != config.get(key)]
    if differing:
        said = ", ".join(f"{key} {before.get(key)!r} then, {config.get(key)!r} now" for key in differing)
        display.warn(
            f"run {run.name!r} goes on with the config that it was made with, and another one is given: "
            f"{said}; new=True makes another run",
            stacklevel=4,
        )


def _listed(datasets: Iterable[object]) -> list[object]:
    if isinstance(datasets, str | os.PathLike | dict):
        raise TypeError("datasets: expected a list of datasets, got a single one")
    return list(datasets)
