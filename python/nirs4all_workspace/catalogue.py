"""The catalogue: all runs of a workspace, whatever wrote them, as one kind of entry.

An entry is a dict with all keys of a run's `run.yaml`, and `kind`: "run"; "session", what one call of
nirs4all 0.6 made; or "files", prediction files that no run and no manifest claims. docs/format.md
describes the others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, looking
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace._io.paths import same_name
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.model import ownership
from nirs4all_workspace.model.result import Result, ResultList
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nirs4all_workspace._native import Head

SUFFIX = ".meta.parquet"


def read(root: Path, *, keep: bool = True) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the entries of the workspace in `root`, oldest first, and what cannot be read.

    Args:
        root: The workspace.
        keep: Whether what was read may be kept in its cache.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_runs(root, keep=keep)
    return found["runs"], found["errors"]


def heads(root: Path) -> tuple[list[Head], list[dict[str, str]]]:
    """Return as much of each entry as a table of runs shows, and what cannot be read.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_heads(root)
    return found["runs"], found["errors"]


def no_run(root: Path, run: str, errors: Sequence[dict[str, str]]) -> NotFoundError:
    """Return the error that no run has this id or name; what of the runs cannot be read is told.

    Args:
        root: The workspace.
        run: What was asked for.
        errors: What cannot be read, as `heads` and `read` return it.

    Raises:
        OSError: The run, or the folder of all, cannot be read: it may be there.
    """
    looking.demand(root, errors, f"runs/{run}")
    unread = [error["path"] for error in errors if error["path"].startswith("runs/")]
    more = f" among those that can be read ({unread[0]} cannot, of {len(unread)})" if unread else ""
    return NotFoundError(f"there is no run {run!r}{more}", str(root))


def results(root: Path, run_ids: Sequence[str] | None = None) -> ResultList:
    """Return the results of these runs, sessions and files, or of all, run by run, oldest first.

    Raises:
        OSError: They cannot be listed.
        CorruptFileError: A journal cannot be read.
    """
    return _listed(_native.list_results(root, run_ids))


def results_of_run(root: Path, run_id: str) -> ResultList:
    """Return the checkpointed results of one run, sealed or not, oldest first; no other run is looked at.

    Raises:
        OSError: A list of results cannot be read.
        CorruptFileError: A journal cannot be read.
    """
    return _listed(_native.run_results(root, run_id))


def _listed(found: Mapping[str, Any]) -> ResultList:
    listed = ResultList()
    listed.errors = found["errors"]
    listed.extend(Result.from_dict(item, item["writer"]) for item in found["results"])
    listed.repeated.extend(Result.from_dict(item, item["writer"]) for item in found["repeated"])
    return listed


def names(references: Iterable[Mapping[str, Any]], wanted: str) -> bool:
    """Return whether one of a run's datasets or templates has this id or name."""
    return any(wanted == item.get("id") or same_name(wanted, item.get("name")) for item in references)


def with_rows(root: Path, dataset: str) -> set[str]:
    """Return the runs that have prediction files of a dataset, by id; they need not name it themselves."""
    folder = root / "predictions" / dataset_folder(dataset)
    try:
        found = files.names_in(folder)
    except OSError:
        found = []  # the catalogue tells
    return {run_id for name in found if (run_id := _native.run_of(name))}


def members_of(
    root: Path, entry: Mapping[str, Any], result: Result | None = None
) -> Iterator[tuple[str, str, str | None]]:
    """Yield whose old rows are a session's, a file's, or one of their results'.

    Of files without a manifest only results say it.

    Returns:
        The dataset that their file is named after, and the dataset and configuration that they name.
    """
    if entry["kind"] == "files":
        if result is not None and result.dataset_name is not None:
            for file in entry["files"]:
                yield stem_of(file), result.dataset_name, result.config_name
        return
    for manifest in entry.get("manifests", ()):
        own = manifest["dataset"], manifest["config_id"]
        if result is None or own == (result.dataset_name, result.config_id):
            yield member_of(root, manifest)


def member_of(root: Path, manifest: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return the same of a manifest: a copy of its file, or a file of another name, is no part of it."""
    folder = folder_of(manifest)
    is_there = os.path.isfile(root / f"{folder}{SUFFIX}")  # noqa: PTH113 -- never raises
    file = folder if is_there else manifest["dataset"]
    return stem_of(file), manifest["dataset"], manifest["pipeline_id"]


def folder_of(manifest: Mapping[str, Any]) -> str:
    """Return the folder of a manifest's dataset below `runs`; both names may have slashes."""
    below: str = manifest["path"].removeprefix("runs/")
    before = below.removesuffix(f"/{manifest['pipeline_id']}")
    return before if before != below else below.rpartition("/")[0]


def old_files(root: Path, suffix: str) -> list[str]:
    """Return the files of nirs4all 0.6 whose names end so; those too whose names are no Unicode."""
    named = {name for name in files.names_in(root) if name.endswith(suffix) and not name.startswith(".")}
    return sorted(named.union(_native.old_files(root, suffix)[0]))


def stem_of(file: str) -> str:
    """Return what rows of a file of nirs4all 0.6 are told apart by: its name, without folders and suffix."""
    return file.rpartition("/")[2].removesuffix(SUFFIX)


def is_interrupted(root: Path, head: Head, errors: list[dict[str, str]]) -> bool:
    """Return whether a run says "running" but nobody runs it; only then a lock is looked at."""
    return head.status == RunStatus.RUNNING and not ownership.seems_owned(root, head.id, errors)
