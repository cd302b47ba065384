"""Copies of a workspace that go on apart and are merged."""

import shutil

import nirs4all_workspace as n4w


def copied(ws, folder):
    """Copy a workspace, without its locks, and open the copy."""
    shutil.copytree(ws.path, folder, ignore=shutil.ignore_patterns(".locks"))
    return n4w.Workspace.open(folder)


def lay_over(copy, ws):
    """Copy what has no file of its name in the other workspace, as `cp -rn` does."""
    for folder in ("runs", "predictions", "arrays"):
        for path in (copy.path / folder).rglob("*"):
            target = ws.path / path.relative_to(copy.path)
            if path.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
