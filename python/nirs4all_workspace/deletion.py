"""Deletion of a run: a rename into the trash, then everything that belongs to nobody else.

The order makes it repeatable: files first, then the folder that says which they are.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, files, ownership, plan, run_record
from nirs4all_workspace.exceptions import ConflictError, NotFoundError, WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.workspace import Workspace

# Content stored again this many seconds ago, while others run, may belong to a result of theirs that
# is not checkpointed yet.
_RECENT = 3600.0


def delete(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """Delete a run; see `Runs.delete`."""
    workspace.check_writable()
    root = workspace.path
    try:
        files.check_run_id(run_id)
    except ValueError as error:
        raise NotFoundError(f"there is no run {run_id!r}", str(root)) from error
    ownership.check_not_forked(root, run_id)
    run, trash = root / "runs" / run_id, root / files.TRASH / run_id
    if not run.is_dir() and not trash.is_dir():
        raise NotFoundError(f"there is no run {run_id!r}", str(root))
    ownership.take(root, run_id)
    try:
        with run_record.locked(root, run_id):
            if run.is_dir():
                _move_to_trash(root, run_id, run, trash)
            return finish(workspace, run_id)
    finally:
        ownership.release(root, run_id)


def _move_to_trash(root: Path, run_id: str, run: Path, trash: Path) -> None:
    alive = _native.live_journals(root, run_id)
    if alive:
        raise ConflictError(
            f"process {alive[0]['pid']} on {alive[0]['host']} writes for it; end it, then delete",
            str(run),
        )
    # Sealing lists the results, and with them the artifacts that they name, in the run's folder.
    _native.recover(root, run_id)
    _native.make_folder(trash.parent)
    # What an earlier deletion left of a run that was copied back since.
    shutil.rmtree(trash, ignore_errors=True)
    _native.move_folder(run, trash)


def finish(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """Remove what belongs to a run in the trash; its locks are held."""
    root = workspace.path
    trash = root / files.TRASH / run_id
    done: dict[str, Any] = {"run_id": run_id, "removed": [], "kept": []}
    if not (root / "runs" / run_id).exists():
        owned = _native.run_files(root, run_id)
        for path in owned:
            with suppress(FileNotFoundError):
                (root / path).unlink()
                done["removed"].append(str(path))
        for folder in {(root / path).parent for path in owned}:
            if folder.is_dir():
                _native.sync_folder(folder)
        _remove_artifacts(workspace, named_in(trash), done)
    while trash.exists():
        # Another process may be removing it too.
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(trash)
    _native.sync_folder(trash.parent)
    return done


def _remove_artifacts(workspace: Workspace, named: set[str], done: dict[str, Any]) -> None:
    if not named:
        return
    # Results that cannot be read may name any of them.
    elsewhere = referenced(workspace)
    others_run = any(run.is_owned for run in workspace.runs.list().writable())
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


def referenced(workspace: Workspace) -> set[str] | None:
    """Return the hashes that results of all runs name; None where a run's results cannot be read."""
    found: set[str] = set()
    for folder in workspace.runs.folders():
        try:
            results = plan.finished(workspace.path, folder.name)
        except (WorkspaceError, OSError):
            return None
        if results.errors:
            return None
        found.update(name for result in [*results, *results.repeated] for name in result.artifacts)
    return found


def trashed(root: Path) -> list[Path]:
    """Return what lies in the trash, by name."""
    trash = root / files.TRASH
    return sorted(trash.iterdir()) if trash.is_dir() else []


def named_in(folder: Path) -> set[str]:
    """Return the artifacts that the lists of results in a folder name; damaged lines name none."""
    found: set[str] = set()
    for path in sorted(folder.glob("results.*.jsonl")):
        for line in path.read_bytes().splitlines():
            with suppress(ValueError, AttributeError, TypeError):
                found.update(json.loads(line).get("artifacts") or [])
    return found
