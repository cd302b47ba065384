"""A workspace: a folder that holds predictions and what made them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, records
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, NotFoundError, SchemaError
from nirs4all_workspace.predictions import Predictions

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

FORMAT_VERSION = 2
_MANIFEST = "workspace.yaml"
_FOLDERS = ("templates", "datasets", "runs", "predictions", "arrays", "artifacts")


class Workspace:
    """A folder of prediction files, made by `create` or by nirs4all 0.6, opened by `open`.

    Attributes:
        path: The folder.
        predictions: Its prediction rows.
        manifest: What `workspace.yaml` says; empty for a folder of nirs4all 0.6, which has none.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Use `open` or `create` instead."""
        self.path = path
        self.manifest = manifest
        self.predictions = Predictions(self)

    def __repr__(self) -> str:
        """Return the path and the format."""
        return f"Workspace({str(self.path)!r}, format {self.format_version})"

    @property
    def format_version(self) -> int:
        """The format of the folder: 1 as nirs4all 0.6 wrote it, 2 as `create` makes it."""
        return int(self.manifest.get("format_version", 1))

    @property
    def is_writable(self) -> bool:
        """Whether this version of the package knows the format well enough to write it."""
        return self.format_version <= FORMAT_VERSION

    def check_writable(self) -> None:
        """Refuse to write what this version does not write.

        Raises:
            SchemaError: A newer version made the workspace, or nirs4all 0.6 did.
        """
        self.check_not_newer()
        if self.format_version < FORMAT_VERSION:
            message = (
                "is a folder of nirs4all 0.6, to which nothing is added; make a workspace with `n4w init`"
            )
            raise SchemaError(message, str(self.path))

    def check_not_newer(self) -> None:
        """Refuse to write what a newer version made.

        Raises:
            SchemaError: A newer version made the workspace.
        """
        if not self.is_writable:
            message = (
                f"has format {self.format_version}, newer than this version can write; update the package"
            )
            raise SchemaError(message, str(self.path))

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Workspace:
        """Make a new workspace, durably.

        Args:
            path: A folder; it is made if it is missing. What lies in it stays.

        Returns:
            The workspace.

        Raises:
            ConflictError: The folder is a workspace already, or holds files of nirs4all 0.6.
            OSError: The folder cannot be written.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / _MANIFEST).exists():
            raise ConflictError("is a workspace already; open it", str(folder))
        if any(name.count("/") == 0 for name in _native.list_files(folder)):
            raise ConflictError(
                "holds prediction files of nirs4all 0.6, which open as they are; "
                "choose another folder for a new workspace",
                str(folder),
            )
        for name in _FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        from nirs4all_workspace import __version__

        manifest = {
            "format_version": FORMAT_VERSION,
            "workspace_id": str(uuid.uuid4()),
            "created_at": datetime.now(UTC).isoformat(),
            "created_by": f"nirs4all-workspace {__version__}",
        }
        _native.create_file(folder / _MANIFEST, records.dump(manifest))
        return cls(folder, manifest)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Workspace:
        """Open a workspace, or a folder of nirs4all 0.6 as it is. Nothing is written or repaired.

        Args:
            path: The folder.

        Returns:
            The workspace. One of a newer format can be read as far as this version understands it,
            and is refused for writing.

        Raises:
            NotFoundError: There is no such folder.
            CorruptFileError: `workspace.yaml` is damaged.
            OSError: The folder cannot be read.
        """
        folder = Path(path)
        if not folder.exists():
            raise NotFoundError("there is no such folder; `n4w init` makes a workspace", str(folder))
        if not folder.is_dir():
            raise NotFoundError("is a file; a workspace is a folder", str(folder))
        file = folder / _MANIFEST
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return cls(folder, {})
        return cls(folder, _parse_manifest(content, file))

    def summary(self, dataset: str | None = None, *, live: bool = True) -> dict[str, Any]:
        """Summarise the workspace, or one dataset of it.

        Footers alone are read, and in a later process only those that changed; files whose footer
        has no summary to be trusted are scanned, once, and listed under `scanned`.

        Args:
            dataset: The name of a dataset, as the rows give it; None for all.
            live: Whether open segments count.

        Returns:
            For one dataset its summary (see `read_summary`). For all: total_predictions,
            total_datasets, datasets (the summary of each, in name order), by_metric, models, runs,
            top_predictions, task_types, date_range, generated_at. In either case also files,
            scanned (dicts of path and reason) and errors (dicts of path, kind and message), which
            concern the whole workspace.

        Raises:
            NotFoundError: There is no such dataset.
            OSError: The workspace cannot be listed.
        """
        summary = _native.summarise(self.path, dataset, live=live)
        if summary is None:
            raise NotFoundError(f"no prediction names a dataset {dataset!r}", str(self.path))
        return summary

    def verify(
        self, full: bool = False, progress: Callable[[int, int], object] | None = None
    ) -> dict[str, Any]:
        """Check the prediction files.

        Args:
            full: Read all rows too, and compare them with the summaries.
            progress: Called now and then with the files done and the files in all.

        Returns:
            A dict of `problems` and `notes`, each a list of dicts of path, kind and message.

        Raises:
            OSError: The workspace cannot be listed.
        """
        found = _native.verify_files(self.path, full, progress)
        if not self.is_writable:
            message = f"format {self.format_version} is newer than this version can write"
            found["notes"].append({"path": _MANIFEST, "kind": "newer_format", "message": message})
        return found


def _parse_manifest(content: bytes, file: Path) -> dict[str, Any]:
    manifest = records.parse(content, file)
    version = manifest.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise CorruptFileError(f"key 'format_version' is {version!r}, not a number from 1", str(file))
    return manifest
