"""The catalogue: all runs of a workspace as entries of one form, whichever version wrote them.

An entry is a dict with all keys of a run's `run.yaml`, and `kind`: "run"; "session", made by one call of
nirs4all 0.6; or "files", prediction files that belong to no run and no manifest. docs/format.md lists the
other keys.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, listing
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace._io.paths import same_name
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.model import ownership
from nirs4all_workspace.model.result import Result, ResultList
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nirs4all_workspace._native import RunHeader
    from nirs4all_workspace.exceptions import Problem

SUFFIX = ".meta.parquet"
# Means the newest run, where no run has this id or name.
LATEST = "latest"
# Runs listed in a message at most.
_SHOWN = 10


def read(root: Path, *, keep: bool = True) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the entries of the workspace in `root`, oldest first, and the problems.

    Args:
        root: The workspace folder.
        keep: Whether the cache of the workspace may be written.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_runs(root, keep=keep)
    return found["runs"], found["errors"]


def run_headers(root: Path) -> tuple[list[RunHeader], list[Problem]]:
    """Return the header of each entry (the columns of a table of runs), oldest first, and the problems.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_run_headers(root)
    return found["runs"], found["errors"]


def run_not_found(root: Path, run: str, errors: Sequence[Problem]) -> NotFoundError:
    """Return the error that no run has this id or name; it mentions runs that cannot be read.

    Args:
        root: The workspace folder.
        run: The id or name that was asked for.
        errors: The problems that `run_headers` or `read` returned.

    Raises:
        OSError: The run, or the folder of all runs, cannot be read: the run may exist.
    """
    listing.raise_if_unreadable(root, errors, f"runs/{run}")
    unread = [error["path"] for error in errors if error["path"].startswith("runs/")]
    message = f"there is no run {run!r}; `n4w runs` lists all"
    if unread:
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        message = f"there is no run {run!r} among those that can be read; {unread[0]}{more} cannot be read"
    return NotFoundError(message, str(root))


def matching_runs(given: str, known: Iterable[tuple[str, str]], errors: Sequence[Problem]) -> list[str]:
    """Return the ids that a text means: as an id, else a name, else `latest`, else the beginning of an id.

    Args:
        given: The text.
        known: The id and the name of each run, oldest first.
        errors: The problems that `run_headers` or `read` returned; a run that cannot be read has an id.
    """
    known = list(known)
    parts = [error["path"].split("/") for error in errors]
    ids = [id_ for id_, _ in known] + [part[1] for part in parts if part[0] == "runs" and len(part) > 1]
    if given in ids:
        return [given]
    named = [id_ for id_, name in known if same_name(given, name)]
    if named:
        return named
    if given == LATEST:
        return [id_ for id_, _ in known[-1:]]
    return list(dict.fromkeys(id_ for id_ in ids if given and id_.startswith(given)))


def find_run(
    root: Path,
    given: str,
    known: Iterable[tuple[str, str]],
    errors: Sequence[Problem],
    *,
    may_be_unreadable: bool = False,
) -> str:
    """Return the one id that `matching_runs` finds.

    Raises:
        NotFoundError: There is none, or several; the message lists them.
        OSError: The run, or the folder of all runs, cannot be read: the run may exist.
    """
    known = list(known)
    found = matching_runs(given, known, errors)
    if not found:
        raise run_not_found(root, given, errors)
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN} older ones" if len(found) > _SHOWN else ""
        newest = ", ".join(found[::-1][:_SHOWN])
        raise NotFoundError(
            f"several runs are named {given!r} or begin so: {newest}{more}; give an id", str(root)
        )
    if not may_be_unreadable and not any(id_ == found[0] for id_, _ in known):
        raise run_not_found(root, found[0], errors)
    return found[0]


def results(root: Path, run_ids: Sequence[str] | None = None) -> ResultList:
    """Return the results of the given runs, sessions and files, or of all, run by run, oldest first.

    Raises:
        OSError: The results cannot be listed.
        CorruptFileError: A journal cannot be read.
    """
    return _result_list(_native.list_results(root, run_ids))


def results_of_run(root: Path, run_id: str) -> ResultList:
    """Return the checkpointed results of one run, sealed or not, oldest first; other runs are not read.

    Raises:
        OSError: A list of results cannot be read.
        CorruptFileError: A journal cannot be read.
    """
    return _result_list(_native.run_results(root, run_id))


def _result_list(found: Mapping[str, Any]) -> ResultList:
    listed = ResultList()
    listed.errors = found["errors"]
    listed.extend(Result.from_dict(item, item["writer"]) for item in found["results"])
    listed.repeated.extend(Result.from_dict(item, item["writer"]) for item in found["repeated"])
    return listed


def refers_to(references: Iterable[Mapping[str, Any]], wanted: str) -> bool:
    """Return whether one of a run's references to datasets or templates has this id or name."""
    return any(wanted == item.get("id") or same_name(wanted, item.get("name")) for item in references)


def runs_with_rows(root: Path, dataset: str) -> set[str]:
    """Return the ids of the runs that have prediction files of a dataset, referenced by them or not."""
    folder = root / "predictions" / dataset_folder(dataset)
    try:
        found = files.list_names(folder)
    except OSError:
        found = []  # the catalogue reports it
    # The catalogue reports names that are not UTF-8; no run has them.
    return {run_id for name in found if files.is_utf8(name) and (run_id := _native.run_of(name))}


def members_of(
    root: Path, entry: Mapping[str, Any], result: Result | None = None
) -> Iterator[tuple[str, str, str | None]]:
    """Yield the keys of the rows of an entry of nirs4all 0.6, or of one of its results.

    Rows of files without a manifest are known only by result.

    Returns:
        The stem of their file, and the dataset and configuration that the rows name.
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
    """Return the key of a manifest's rows; rows in another file, such as a copy, do not belong to it."""
    folder = folder_of(manifest)
    is_there = os.path.isfile(root / f"{folder}{SUFFIX}")  # noqa: PTH113 -- never raises
    file = folder if is_there else manifest["dataset"]
    return stem_of(file), manifest["dataset"], manifest["pipeline_id"]


def folder_of(manifest: Mapping[str, Any]) -> str:
    """Return the folder of a manifest's dataset below `runs`; both names may contain slashes."""
    below: str = manifest["path"].removeprefix("runs/")
    before = below.removesuffix(f"/{manifest['pipeline_id']}")
    return before if before != below else below.rpartition("/")[0]


def old_files(root: Path, suffix: str) -> list[str]:
    """Return the files of nirs4all 0.6 with a suffix, including those whose names are not UTF-8."""
    named = {name for name in files.list_names(root) if name.endswith(suffix) and not name.startswith(".")}
    return sorted(named.union(_native.old_files(root, suffix)[0]))


def stem_of(file: str) -> str:
    """Return the name of a file of nirs4all 0.6 without folders and suffix, which identifies its rows."""
    return file.rpartition("/")[2].removesuffix(SUFFIX)


def is_interrupted(root: Path, header: RunHeader, errors: list[Problem]) -> bool:
    """Return whether a run has status "running" but no process owns it; other runs' locks are not read."""
    return header.status == RunStatus.RUNNING and not ownership.may_be_owned(root, header.id, errors)
