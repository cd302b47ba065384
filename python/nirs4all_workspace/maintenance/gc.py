"""Garbage collection: what no run refers to any more. Without `yes` nothing is removed."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, layout, listing, locks, yaml_records
from nirs4all_workspace.artifacts import hash_of
from nirs4all_workspace.exceptions import LockTimeoutError, WorkspaceError, problem
from nirs4all_workspace.model import ownership, run_record
from nirs4all_workspace.runs import delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Garbage
    from nirs4all_workspace.workspace import Workspace

# Content stored, or stored again, within this time may belong to a run or result that is not written yet.
_GRACE = 24 * 3600.0


def collect(workspace: Workspace, yes: bool) -> Garbage:
    """List garbage, and remove it with `yes`; see `Workspace.gc`."""
    if yes:
        workspace.check_writable()
    root = workspace.path
    answer: Garbage = {"removed": yes, "items": [], "notes": [], "errors": []}
    oldest = time.time() - _GRACE
    for kind, path, remove in _garbage(workspace, oldest, answer):
        name = str(path.relative_to(root))
        try:
            size = files.size_of(path)
            if not yes or remove():
                answer["items"].append({"path": name, "kind": kind, "bytes": size})
        except FileNotFoundError:
            continue
        except (WorkspaceError, OSError) as error:
            listing.add_problems(answer["errors"], [problem(name, error)])
    if yes:
        removed, unlisted = _native.sweep(root)
        answer["items"] += [{"path": path, "kind": "leftover", "bytes": None} for path in removed]
        listing.add_problems(answer["errors"], unlisted)
    return answer


def _garbage(
    workspace: Workspace, oldest: float, answer: Garbage
) -> Iterator[tuple[str, Path, Callable[[], bool]]]:
    root, errors = workspace.path, answer["errors"]
    for folder in delete.trashed(root, errors):
        yield "trash", folder, partial(_finish, workspace, folder, errors)
    for name in listing.list_names(root, "runs", errors, lambda name: name.startswith(layout.STAGING)):
        folder = workspace.runs.folder / name
        if _is_older(root, folder, oldest, errors):
            yield "staging", folder, partial(_remove_folder, folder)
    for path in _locks_without_a_run(root, errors):
        yield "lock", path, partial(_remove_lock, path)
    used = _templates_in_use(workspace, errors)
    named = delete.referenced(workspace, errors)
    if used is None or named is None:
        message = "templates and artifacts were not examined: runs that cannot be read may refer to them"
        answer["notes"].append({"path": "runs", "kind": "unreadable", "message": message})
        return
    for template_id in workspace.templates.names(errors):
        path = workspace.templates.path(template_id)
        if template_id not in used and _is_older(root, path, oldest, errors):
            yield "template", path, partial(_remove_template, workspace, path, oldest)
    for path in workspace.artifacts.files(errors):
        if hash_of(path) not in named and _is_older(root, path, oldest, errors):
            yield "artifact", path, partial(workspace.artifacts.remove, path, oldest)


def _locks_without_a_run(root: Path, errors: list[Problem]) -> Iterator[Path]:
    """Yield lock files of ended and deleted runs, left by older versions and killed processes."""
    in_trash = {folder.name.removeprefix(layout.DELETED) for folder in delete.trashed(root, errors)}
    for name in listing.list_names(root, ".locks/runs", errors, lambda name: name.endswith(".lock")):
        run_id = name.removesuffix(".lock").removesuffix(".owner")
        below = f".locks/runs/{name}"
        is_over = run_id not in in_trash and run_record.is_gone_or(run_record.ENDED, root, run_id)
        if is_over and listing.is_regular_file(root, below, errors, unknown=False):
            yield root / below


def _remove_lock(path: Path) -> bool:
    try:
        lock = locks.take(path, timeout=0)
    except LockTimeoutError:
        return False
    lock.remove_on_release()
    lock.release()
    return True


def _templates_in_use(workspace: Workspace, errors: list[Problem]) -> set[str] | None:
    """Return the templates that runs refer to; None where a run cannot be read by this version."""
    listed = workspace.runs.list()
    listing.add_problems(errors, listed.errors)
    # Other things that cannot be read refer to no templates.
    if any(error["path"].startswith("runs") for error in listed.errors):
        return None
    try:
        runs = listed.writable()
        for run in runs:
            yaml_records.check_writable(run.record, run.path)
        return {str(item.get("id")) for run in runs for item in run.templates}
    except (WorkspaceError, OSError):
        return None


def _finish(workspace: Workspace, folder: Path, errors: list[Problem]) -> bool:
    root, run_id = workspace.path, folder.name.removeprefix(layout.DELETED)
    if not files.is_utf8(run_id):
        # The folder does not belong to a run.
        return _remove_folder(folder)
    ownership.take(root, run_id)
    try:
        with run_record.locked(root, run_id):
            left = delete.finish(workspace, run_id)["errors"]
    finally:
        ownership.release(root, run_id)
    listing.add_problems(errors, left)
    return not left


def _remove_folder(folder: Path) -> bool:
    delete.remove(folder)
    return True


def _remove_template(workspace: Workspace, path: Path, oldest: float) -> bool:
    with locks.take(layout.gc_lock(workspace.path)):
        if path.stat().st_mtime > oldest:
            return False
        path.unlink()
    return True


def _is_older(root: Path, path: Path, oldest: float, errors: list[Problem]) -> bool:
    """Return whether the last change was before `oldest` (s since 1970).

    False where the file is gone, and for a link that leads nowhere, which is added to `errors`.
    """
    try:
        return path.stat().st_mtime < oldest
    except OSError as error:
        if not files.is_gone(path, error):
            name = path.relative_to(root).as_posix()
            found = files.unusable_folder(path) or error
            listing.add_problems(errors, [problem(listing.relative_path(root, found, name), found)])
        return False
