"""The catalogue: all runs of a workspace, whatever wrote them, as one kind of entry.

An entry is a dict with all keys of a run's `run.yaml`, and `kind`: "run"; "session", what one call of
nirs4all 0.6 made; or "files", prediction files that no run and no manifest claims. docs/format.md
describes the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.canonical import content_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


def read(
    root: Path, progress: Callable[[int, int], object] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the entries of the workspace in `root`, oldest first, and what cannot be read.

    Of a session, the templates' ids are not made yet: see `with_ids`.

    Args:
        root: The workspace.
        progress: Called now and then with the folders looked at and the folders in all.

    Returns:
        The entries, and for each file that cannot be used a dict of path, kind and message.

    Raises:
        OSError: A folder cannot be listed.
    """
    found = _native.list_runs(root, progress)
    return found["runs"], found["errors"]


def with_ids(templates: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an entry's templates with their ids, and without their steps."""
    return [
        {key: value for key, value in template.items() if key != "steps"}
        | ({"id": content_id("tpl", template["steps"])} if "steps" in template else {})
        for template in templates
    ]


def complete(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as answers show it: its templates with their ids."""
    return {**entry, "templates": with_ids(entry["templates"])}


def is_on(entry: Mapping[str, Any], dataset: str) -> bool:
    """Return whether a run uses a dataset, by id or name."""
    return any(dataset in (item.get("id"), item.get("name")) for item in entry["datasets"])


def is_of(entry: Mapping[str, Any], template: str) -> bool:
    """Return whether a run uses a template, by id or name."""
    return any(template in (item["id"], item.get("name")) for item in with_ids(entry["templates"]))
