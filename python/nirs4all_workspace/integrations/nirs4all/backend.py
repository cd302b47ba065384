"""nirs4all reads workspaces by their paths: a backend for the one seam that it has for that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.reading_store import ReadingStore

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


def use_workspaces() -> WorkspacesInUse:
    """Let nirs4all's `Predictions` read workspaces by their paths, as its own stores.

    `Predictions("experiments")` then has all rows of the workspace in that folder, with arrays, and every
    other path goes to the class that was registered before. A folder that is a store of nirs4all as well
    stays one to it. Nothing is written. Importing this package registers nothing. Called again, it can be
    undone as often, in any order.

    Returns:
        What undoes it: `.undo()`, or the end of a `with` block.

    Raises:
        ImportError: nirs4all is not installed.
    """
    # nirs4all registers its own class when this is imported, which must come first.
    own = nirs4all("nirs4all.pipeline.storage").WorkspaceStore
    return WorkspacesInUse(nirs4all("nirs4all.data").Predictions, own)


class WorkspacesInUse:
    """A registration with nirs4all's `Predictions`, until it is undone."""

    def __init__(self, predictions: Any, own: Any) -> None:  # noqa: ANN401 - classes of nirs4all
        """Register; use `use_workspaces` instead."""
        self._predictions = predictions
        self._own = own
        self._is_undone = False
        self._before = self._registered()
        self._backend = _backend(self)
        predictions.register_store_backend(self._backend)

    def undo(self) -> None:
        """Let nirs4all read paths as before; what others registered since stays."""
        self._is_undone = True
        registered = self._registered()
        while (ours := getattr(registered, "registration", None)) is not None and ours._is_undone:
            registered = ours._before
        self._predictions.register_store_backend(registered)

    def __enter__(self) -> Self:
        """Do nothing more: it is registered."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Undo it."""
        self.undo()

    def store_of(self, workspace_path: str | Path, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Open a path as nirs4all asked for it."""
        if not self._is_undone and is_workspace(Path(workspace_path)):
            return ReadingStore(Path(workspace_path))
        return self._before(workspace_path, *arguments, **options)

    def _registered(self) -> Any:  # noqa: ANN401 - a class of nirs4all
        """Return the class that is registered, which nirs4all has no public way to ask for; else its own."""
        return getattr(self._predictions, "_store_backend", None) or self._own


def is_workspace(path: Path) -> bool:
    """Return whether a folder is a workspace, and no store of nirs4all besides."""
    return (path / "workspace.yaml").is_file() and not (path / "store.sqlite").exists()


def _backend(of: WorkspacesInUse) -> type:
    """Return the class that nirs4all is given, of which it makes one object for each path."""

    class Backend:
        registration: ClassVar = of

        def __new__(cls, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - a store of any class
            return of.store_of(*arguments, **options)

    return Backend
