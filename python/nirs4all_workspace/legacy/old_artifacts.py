"""The artifacts listed in manifests of nirs4all 0.6, and their paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names of these keys before 0.6.
_LATER_NAMES = {"hash": "content_hash", "name": "custom_name", "step": "step_index", "size": "size_bytes"}


def items_of(content: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - what a file says
    """Return the list of artifacts in a manifest, with the keys of 0.6."""
    found = content.get("artifacts") if isinstance(content, dict) else None
    items = found.get("items") if isinstance(found, dict) else found
    return [
        {later: item[name] for name, later in _LATER_NAMES.items() if name in item} | item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    ]


def places_of(manifest: Mapping[str, Any]) -> list[Path]:
    """Return the folders where nirs4all 0.6, earlier versions and some steps of it store artifacts."""
    return [Path("binaries", manifest["dataset"]), Path(manifest["path"]).with_name("_binaries")]


def find(root: Path, manifest: Mapping[str, Any], name: Any) -> Path | None:  # noqa: ANN401 - what a file says
    """Return the path of an artifact; None where the file is missing.

    Args:
        root: The folder of nirs4all 0.6.
        manifest: The manifest in the catalogue.
        name: The file name in the manifest.
    """
    for path in candidates(manifest, name):
        if os.path.isfile(root / path):  # noqa: PTH113 - False where not told
            return root / path
    return None


def candidates(manifest: Mapping[str, Any], name: Any) -> list[Path]:  # noqa: ANN401 - what a file says
    """Return the paths where an artifact may lie, relative to the folder of nirs4all 0.6."""
    if not isinstance(name, str) or not name:
        return []
    places = places_of(manifest)
    found = [
        (Path(os.path.normpath(place / name)), bound)
        for place, bound in zip(places, (Path("binaries"), places[1]), strict=True)
    ]
    # A manifest may name any path; a file outside of these folders is not its artifact.
    return [path for path, bound in found if path.is_relative_to(bound)]


def is_place(path: Path) -> bool:
    """Return whether a path of a folder of nirs4all 0.6 is a folder of artifacts, or lies in one."""
    return path.parts[0] == "binaries" or "_binaries" in path.parts
