"""Watching a workspace: the changes since the last look, by the stat of its files.

Events of the operating system (through `watchfiles`) or a timer say when to look; what changed comes from
comparing two stat snapshots. So both modes report the same.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nirs4all_workspace import _native, display
from nirs4all_workspace.exceptions import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from nirs4all_workspace.model.answers import Change
    from nirs4all_workspace.workspace import Workspace

_RECORDS = {"datasets": "dataset", "templates": "template"}
_SEGMENTS = (".meta.parquet", ".journal")


class Watch:
    """An iterator over lists of changes, each a dict of kind, action, id and path (relative).

    It ends after `stop()`, from any thread, and on KeyboardInterrupt. Every change since its construction is
    reported, however late the iterator is asked.
    """

    def __init__(
        self,
        workspace: Workspace,
        on_change: Callable[[list[Change]], object] | None = None,
        interval: float = 1.0,
        poll: bool | None = None,
    ) -> None:
        """Use `Workspace.watch` instead."""
        if not interval > 0:
            raise ValueError(f"interval: expected more than 0 seconds, got {interval}")
        self._workspace = workspace
        self._on_change = on_change
        self._interval = interval
        self._stopped = threading.Event()
        self._seen = _stat_snapshot(workspace.path)
        self._changes = self._watch(_is_polled(workspace.path) if poll is None else poll)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a Watch cannot be pickled or copied: it waits in this process; pass the workspace")

    def __iter__(self) -> Watch:
        """Return the watch itself."""
        return self

    def __next__(self) -> list[Change]:
        """Wait for changes and return them."""
        return next(self._changes)

    def run(self) -> None:
        """Watch until it is stopped, calling `on_change` with each list of changes."""
        for _ in self:
            pass

    def stop(self) -> None:
        """End the iteration within the interval; safe from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and release the watches of the operating system; no more changes are yielded."""
        self.stop()
        with suppress(ValueError):  # another thread waits in the iterator, and ends it
            self._changes.close()

    def __enter__(self) -> Watch:
        """Return the watch itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the watch."""
        self.close()

    def _watch(self, poll: bool) -> Generator[list[Change]]:
        try:
            for _ in self._wait_for_clock() if poll else self._wait_for_system():
                now = _stat_snapshot(self._workspace.path)
                changes = _changes(self._seen, now)
                self._seen = now
                if changes:
                    self._refresh()
                    if self._on_change is not None:
                        self._on_change(changes)
                    yield changes
        except KeyboardInterrupt:
            return

    def _wait_for_clock(self) -> Generator[None]:
        while not self._stopped.wait(self._interval):
            yield

    def _wait_for_system(self) -> Generator[None]:
        import watchfiles

        root, milliseconds = self._workspace.path, max(1, round(self._interval * 1000))
        events = watchfiles.watch(
            root,
            watch_filter=lambda _, path: not _is_hidden(root, path),
            debounce=milliseconds,
            step=min(50, milliseconds),
            stop_event=self._stopped,
            rust_timeout=milliseconds,
            yield_on_timeout=True,
            raise_interrupt=True,
        )
        is_first = True
        try:
            for paths in events:
                # Changes before the system began to watch are found by one look afterwards.
                if paths or is_first:
                    yield
                is_first = False
        except (OSError, RuntimeError) as error:
            if not is_first:
                raise
            display.warn(f"polling every {self._interval} s instead of waiting for events: {error}")
            yield from self._wait_for_clock()

    def _refresh(self) -> None:
        """Refresh the caches, so that the next answer is quick."""
        with suppress(WorkspaceError, OSError):
            self._workspace.summary()
            self._workspace.stats()


def _is_polled(root: Path) -> bool:
    """Return whether the file system sends no events, or none for changes by other hosts."""
    return find_spec("watchfiles") is None or _native.is_network_drive(root)


def _is_hidden(root: Path, path: str) -> bool:
    """Return whether an event concerns a hidden path; its path may spell the root otherwise."""
    for folder in (root, root.resolve()):
        if (place := Path(path)).is_relative_to(folder):
            return any(part.startswith(".") for part in place.relative_to(folder).parts)
    return False


def _stat_snapshot(root: Path) -> dict[str, int]:
    """Return the fingerprint of everything that is watched, by path."""
    return {
        path: fingerprint for path, fingerprint, *_ in _native.survey(root)[0] if _about(path) is not None
    }


def _about(path: str) -> tuple[str, str] | None:
    """Return the kind and id of a path; None where it is not watched."""
    top, _, rest = path.partition("/")
    if top == "runs":
        return "run", rest
    if top in _RECORDS and rest.endswith(".yaml") and "/" not in rest:
        return _RECORDS[top], rest.removesuffix(".yaml")
    folder, _, name = path.rpartition("/")
    if rest and top not in ("predictions", "arrays", "artifacts", "binaries"):
        # Of nirs4all 0.6, whose dataset names may contain slashes.
        folder, name = "", path
    if top == "predictions" or not folder:
        for suffix in _SEGMENTS:
            if name.endswith(suffix) and folder.count("/") <= 1:
                return "segment", name.removesuffix(suffix)
    return None


def _changes(before: dict[str, int], now: dict[str, int]) -> list[Change]:
    changes: list[Change] = []
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) == now.get(path):
            continue
        kind, id_ = _about(path) or ("", "")
        action = "added" if path not in before else "modified" if path in now else "deleted"
        changes.append({"kind": kind, "action": action, "id": id_, "path": path})
    return changes
