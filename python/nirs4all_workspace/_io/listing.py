"""Listing a workspace: a path that cannot be listed or read becomes a problem beside the answer.

A problem is a dict of path (relative to the workspace, as `os.fsdecode` gives it where it is not UTF-8),
kind and message.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from nirs4all_workspace._io import files
from nirs4all_workspace.exceptions import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem

    Errors = list[Problem]

_NOT_UTF8 = "has a name that is not UTF-8, and was left out; rename it"


def add_problems(errors: Errors, more: Iterable[Problem]) -> None:
    """Add the problems that are not in the list yet.

    Of one path, problems of kind `io` count once, and others once for each kind and message; a path that is
    not UTF-8 has one problem, its name.
    """
    known = {(error["path"], error["kind"]) for error in errors}
    said = {(error["path"], error["kind"], error["message"]) for error in errors}
    for error in more:
        key = error["path"], error["kind"]
        is_one = error["kind"] == "io" or not files.is_utf8(error["path"])
        if (key not in known) if is_one else ((*key, error["message"]) not in said):
            errors.append(error)
            known.add(key)
            said.add((*key, error["message"]))


def list_names(
    root: Path, below: str, errors: Errors, is_ours: Callable[[str], bool] = lambda _: True
) -> list[str]:
    """Return the names in a folder of a workspace that `is_ours` accepts, sorted.

    A missing folder gives an empty list. A folder that cannot be listed, and each accepted name that is not
    UTF-8, is added to `errors`.
    """
    folder = root / below
    try:
        found = files.list_names(folder)
    except OSError as error:
        add_problems(errors, [problem(relative_path(root, error, below), error)])
        return []
    accepted = []
    for name in found:
        if not is_ours(name):
            continue
        if files.is_utf8(name):
            accepted.append(name)
        else:
            add_problems(errors, [{"path": f"{below}/{name}", "kind": "corrupt", "message": _NOT_UTF8}])
    return accepted


def is_regular_file(root: Path, below: str, errors: Errors, unknown: bool) -> bool:
    """Return whether a regular file exists; where that cannot be told, add a problem and return `unknown`."""
    try:
        mode = os.stat(root / below).st_mode  # noqa: PTH116 -- `Path.stat` adds nothing
        if not stat.S_ISREG(mode):
            raise files.not_a_file(root / below, mode)
    except OSError as error:
        if files.is_gone(root / below, error):
            return False
        found = files.precise_error(root / below, error)
        add_problems(errors, [problem(relative_path(root, found, below), found)])
        return unknown
    return True


def relative_path(root: Path, error: OSError, otherwise: str) -> str:
    """Return the path of an error relative to the workspace, or `otherwise` where it lies outside."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return path.removeprefix(f"{root}/") if path.startswith(f"{root}/") else otherwise


def raise_if_unreadable(root: Path, errors: Sequence[Problem], *needed: str) -> None:
    """Raise the first problem of kind `io` that concerns a needed path, a folder above it or a path below it.

    Raises:
        OSError: The path cannot be read, with `errno` and `filename`.
    """
    for error in errors:
        if error["kind"] == "io" and any(_concerns(error["path"], path) for path in needed):
            path = root / error["path"]
            files.check_readable(path)
            # It is readable by now, but what was missed before may be there.
            raise OSError(errno.EAGAIN, "could not be read a moment ago; try again", str(path))


def _concerns(path: str, needed: str) -> bool:
    return path == needed or needed.startswith(f"{path}/") or path.startswith(f"{needed}/")
