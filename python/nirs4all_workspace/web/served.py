"""The workspaces that a server shows, by the keys that URLs have."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import paths
from nirs4all_workspace.exceptions import NotFoundError, SchemaError
from nirs4all_workspace.legacy import later_stores
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# Of the hash of its path, in the key of a folder without an id of its own.
_DIGITS = 8


@dataclass(frozen=True)
class Served:
    """A folder that is served.

    Attributes:
        key: Its key in URLs.
        path: Its absolute path.
    """

    key: str
    path: Path


class Folders:
    """Workspaces in folders, each opened anew for every question: nothing of them is held."""

    def __init__(self, given: Iterable[str | os.PathLike[str]]) -> None:
        """Look up the id of each.

        Raises:
            ValueError: No folder is given, or one is given twice.
            NotFoundError: A folder does not exist.
            SchemaError: A folder is a store of nirs4all 0.7 to 1.4.
        """
        found = [paths.absolute(path, "path") for path in given]
        if not found:
            raise ValueError("no workspace is given; name at least one folder")
        ids = [_id_of(path) for path in found]
        self.all: list[Served] = []
        for path, id_ in zip(found, ids, strict=True):
            own = id_ if id_ is not None and ids.count(id_) == 1 else _key_of(path)
            if any(own == other.key for other in self.all):
                raise ValueError(f"{path} is given twice; name each folder once")
            self.all.append(Served(own, path))

    def __call__(self, key: str) -> Workspace:
        """Return the workspace with a key.

        Raises:
            NotFoundError: No folder has this key, or the folder is gone.
        """
        for served in self.all:
            if served.key == key:
                return Workspace.open(served.path)
        raise NotFoundError(f"no workspace with the key {key!r} is served; GET /workspaces lists all")


def _id_of(path: Path) -> str | None:
    """Return the id that a workspace stores, if it can be a part of a URL."""
    workspace = Workspace.open(path)
    if store := later_stores.find(path):
        raise SchemaError(store, str(path))
    id_ = workspace.manifest.get("workspace_id")
    return id_ if isinstance(id_, str) and _ID.fullmatch(id_) else None


def _key_of(path: Path) -> str:
    digest = _native.blake3_hex(os.fsencode(path), _DIGITS)
    return f"{_native.slug(path.name) or 'workspace'}-{digest}"
