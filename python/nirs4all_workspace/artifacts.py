"""Artifacts: opaque files, such as fitted models, stored once by content and shared by runs."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, layout, listing, locks, paths
from nirs4all_workspace.exceptions import NotFoundError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.workspace import Workspace

_log = logging.getLogger(__name__)

_HASH = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"[0-9a-f]{2}")
_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,20}")


class Artifacts:
    """Access to the artifacts of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace
        self.folder: Path = workspace.path / "artifacts"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "artifacts")

    def put(self, content: bytes | str | os.PathLike[str], extension: str | None = None) -> str:
        """Store bytes, or a copy of a file, durably, unless the same content is stored already.

        A result lists its artifacts in `Result.artifacts`; an artifact that no result lists is garbage after
        24 hours.

        Args:
            content: Bytes, or the path of a file, which is read in blocks.
            extension: The extension of the stored file; None for that of the path, or "bin".

        Returns:
            The hash of the content: 64 hexadecimal digits of BLAKE3.

        Raises:
            ValueError: The extension is invalid, or the path is empty.
            SchemaError: The workspace is read-only: of nirs4all 0.6 (ReadOnlyError) or of a newer version.
            OSError: The content cannot be read or stored; nothing was stored.
        """
        self._workspace.check_writable()
        content = bytes(content) if isinstance(content, bytearray | memoryview) else content
        source = content if isinstance(content, bytes) else paths.absolute(content)
        if extension is None:
            suffix = "" if isinstance(source, bytes) else source.suffix.lstrip(".")
            extension = suffix if _EXTENSION.fullmatch(suffix) else "bin"
        if not _EXTENSION.fullmatch(extension):
            raise ValueError(f"extension: expected 1 to 20 letters, digits, '_' or '-', got {extension!r}")
        files.make_folder(self.folder)
        while True:
            artifact = self._put(source, extension)
            # Garbage collection may have looked at its age just before.
            with locks.take(layout.gc_lock(self._workspace.path)):
                if self.find(artifact) is not None:
                    _log.info("artifact %s stored", artifact)
                    return artifact

    def _put(self, source: bytes | Path, extension: str) -> str:
        try:
            return _native.put_artifact(self._workspace.path, source, extension)
        except OSError as error:
            if error.filename != str(self.folder / "artifact"):
                raise
            # The name of a draft that could not be created.
            raise OSError(error.errno, error.strerror, str(self.folder)) from error

    def get(self, artifact: str) -> Path:
        """Return the path of an artifact. Treat the file as read-only: runs share it.

        Raises:
            NotFoundError: There is no artifact with this hash.
            OSError: The folder of artifacts cannot be listed.
        """
        found = self.find(artifact)
        if found is None:
            raise NotFoundError(f"there is no artifact {artifact!r}", str(self.folder))
        return found

    def find(self, artifact: str) -> Path | None:
        """Return the path of an artifact; None where it is missing.

        Raises:
            OSError: The folder of artifacts cannot be listed.
        """
        if not isinstance(artifact, str) or not _HASH.fullmatch(artifact):
            return None
        folder = self.folder / artifact[:2]
        name = next((name for name in files.list_names(folder) if name.startswith(artifact)), None)
        return None if name is None else folder / name

    def files(self, errors: list[Problem] | None = None) -> Iterator[Path]:
        """Yield every stored artifact, by name; paths that cannot be listed are added to `errors`."""
        root, errors = self._workspace.path, [] if errors is None else errors
        for folder in listing.list_names(
            root, "artifacts", errors, lambda name: _FOLDER.fullmatch(name) is not None
        ):
            below = f"artifacts/{folder}"
            for name in listing.list_names(root, below, errors, lambda name: _HASH.match(name) is not None):
                is_ours = _HASH.fullmatch(name.partition(".")[0]) is not None
                if is_ours and listing.is_regular_file(root, f"{below}/{name}", errors, unknown=False):
                    yield self.folder / folder / name

    def remove(self, path: Path, older_than: float) -> bool:
        """Remove an artifact unless it was stored, or stored again, after `older_than` (s since 1970)."""
        with locks.take(layout.gc_lock(self._workspace.path)):
            try:
                if path.stat().st_mtime > older_than:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True


def hash_of(path: Path) -> str:
    """Return the hash in the name of a stored artifact."""
    return path.name.partition(".")[0]
