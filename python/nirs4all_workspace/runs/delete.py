"""Deletion of a run: a rename into the trash, then removal of everything that no other run uses.

The order makes it repeatable: files first, then the folder that lists them.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import files, layout, listing
from nirs4all_workspace.exceptions import ConflictError, NotFoundError, WorkspaceError, problem
from nirs4all_workspace.model import ownership, run_record

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Deletion
    from nirs4all_workspace.workspace import Workspace

# Content stored again within this many seconds, while other runs are active, may belong to a result of
# theirs that is not checkpointed yet.
_RECENT = 3600.0


def delete(workspace: Workspace, run_id: str) -> Deletion:
    """Delete a run; see `Runs.delete`."""
    workspace.check_writable()
    root = workspace.path
    try:
        layout.check_run_id(run_id)
    except ValueError as error:
        raise NotFoundError(f"there is no run {run_id!r}; `n4w runs` lists all", str(root)) from error
    ownership.check_not_forked(root, run_id)
    run, trash = root / "runs" / run_id, root / layout.TRASH / run_id
    left = [place for place in (trash, _set_aside_path(root, run_id)) if os.path.lexists(place)]
    if not (_is_folder_or_link(run) or left):
        raise NotFoundError(f"there is no run {run_id!r}; `n4w runs` lists all", str(root))
    ownership.take(root, run_id)
    try:
        with run_record.locked(root, run_id):
            if _is_folder_or_link(run):
                _move_to_trash(root, run_id, run, trash)
            return finish(workspace, run_id)
    finally:
        ownership.release(root, run_id)


def _is_folder_or_link(path: Path) -> bool:
    return path.is_symlink() or path.is_dir()


def _set_aside_path(root: Path, run_id: str) -> Path:
    """Return where the folder of a deleted run is renamed to if the trash is on another file system."""
    return root / "runs" / f"{layout.DELETED}{run_id}"


def _move_to_trash(root: Path, run_id: str, run: Path, trash: Path) -> None:
    alive = _native.live_journals(root, run_id)
    if alive:
        raise ConflictError(
            f"process {alive[0]['pid']} on {alive[0]['host']} writes to it; end it, then delete",
            str(run),
        )
    if run.is_dir():
        # Sealing writes the results, with the artifacts that they name, to the run's folder.
        _native.recover(root, run_id)
    files.make_folder(trash.parent)
    # Leftovers of an earlier deletion of a run that was copied back since.
    with suppress(OSError):
        remove(trash)
    try:
        _move(run, trash)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    # `runs`, or the trash, is a link to another drive. An empty folder in the trash hides the run's segments.
    aside = _set_aside_path(root, run_id)
    if os.path.lexists(aside):
        remove(aside)
    files.make_folder(trash)
    try:
        _move(run, aside)
    except BaseException:
        # A mount point cannot be moved.
        if not os.path.lexists(aside):
            trash.rmdir()
        raise


def _move(run: Path, to: Path) -> None:
    if not run.is_symlink():
        _native.move_folder(run, to)
        return
    # The link itself is moved: its target may be anywhere, or missing.
    run.rename(to)
    _native.sync_folder(to.parent)
    if to.parent != run.parent:
        _native.sync_folder(run.parent)


def remove(path: Path) -> Path | None:
    """Remove a file, a link or a folder with its content; do nothing where it is missing.

    Returns:
        The target of a link, which is not removed; None otherwise.

    Raises:
        OSError: A part of it could not be removed.
    """
    while os.path.lexists(path):
        # Another process may be removing it too.
        with suppress(FileNotFoundError):
            if path.is_symlink():
                target = path.parent / path.readlink()
                path.unlink()
                return target
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    return None


def finish(workspace: Workspace, run_id: str) -> Deletion:
    """Remove everything of a run in the trash; the caller holds its locks.

    Rows that may lie in a folder that cannot be listed stay hidden: the trash retains the mark of the run.

    Raises:
        OSError: A part could not be removed; it is still hidden, and a repeated call continues.
    """
    root = workspace.path
    places = [
        place
        for place in (_set_aside_path(root, run_id), root / layout.TRASH / run_id)
        if os.path.lexists(place)
    ]
    done: Deletion = {"run_id": run_id, "removed": [], "kept": [], "errors": []}
    if not os.path.lexists(root / "runs" / run_id):
        owned, done["errors"] = _native.run_files(root, run_id)
        for path in owned:
            with suppress(FileNotFoundError):
                (root / path).unlink()
                done["removed"].append(str(path))
        for folder in {(root / path).parent for path in owned}:
            if folder.is_dir():
                _native.sync_folder(folder)
        if done["errors"]:
            return done
        _remove_artifacts(workspace, set[str]().union(*map(named_in, places)), done)
    for place in places:
        target = remove(place)
        if target is not None and target.exists():
            done["kept"].append(str(target))
        _native.sync_folder(place.parent)
    return done


def _remove_artifacts(workspace: Workspace, named: set[str], done: Deletion) -> None:
    if not named:
        return
    # Results that cannot be read may refer to any of them.
    elsewhere = referenced(workspace, [])
    runs = workspace.runs.list().writable()
    others_run = any(ownership.may_be_owned(workspace.path, run.id, []) for run in runs)
    oldest = time.time() - _RECENT if others_run else math.inf
    for artifact in sorted(named):
        path = workspace.artifacts.find(artifact)
        if path is None:
            continue
        name = str(path.relative_to(workspace.path))
        if elsewhere is None or artifact in elsewhere:
            done["kept"].append(name)
        elif workspace.artifacts.remove(path, oldest):
            done["removed"].append(name)
        else:
            done["kept"].append(name)


def referenced(workspace: Workspace, errors: list[Problem]) -> set[str] | None:
    """Return the hashes of the artifacts of all results; None where the results of a run cannot be read.

    Paths that cannot be read are added to the errors.
    """
    found: set[str] = set()
    try:
        folders = list(workspace.runs.folders())
    except OSError as error:
        listing.add_problems(errors, [problem("runs", error)])
        return None
    is_whole = True
    for folder in folders:
        try:
            results = catalogue.results_of_run(workspace.path, folder.name)
        except (WorkspaceError, OSError):
            is_whole = False
            continue
        listing.add_problems(errors, (error for error in results.errors if error["kind"] == "io"))
        is_whole = is_whole and not results.errors
        found.update(name for result in [*results, *results.repeated] for name in result.artifacts)
    return found if is_whole else None


def trashed(root: Path, errors: list[Problem]) -> list[Path]:
    """Return the leftovers of deleted runs, by name, one path a run; problems are added to `errors`."""
    found: dict[str, Path] = {}
    for folder, prefix in ((layout.TRASH, ""), ("runs", layout.DELETED)):
        try:
            names = files.list_names(root / folder)
        except OSError as error:
            listing.add_problems(errors, [problem(folder, error)])
            continue
        for name in names:
            if name.startswith(prefix):
                found.setdefault(name.removeprefix(prefix), root / folder / name)
    return [path for _, path in sorted(found.items())]


def named_in(folder: Path) -> set[str]:
    """Return the artifacts in the lists of results in a folder; damaged lines are skipped.

    Raises:
        OSError: The folder, or a list of results, cannot be read.
    """
    found: set[str] = set()
    try:
        names = files.list_names(folder)
    except OSError:
        if folder.is_symlink() and not folder.is_dir():
            return found  # the folder has no records
        raise
    for name in names:
        if not (name.startswith("results.") and name.endswith(".jsonl")):
            continue
        for line in files.read_bytes(folder / name).splitlines():
            with suppress(ValueError, AttributeError, TypeError):
                found.update(json.loads(line).get("artifacts") or [])
    return found
