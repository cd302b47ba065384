"""The results to do, and a line that says how far they are while they are done."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import UnknownMetricError
from nirs4all_workspace.model.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from rich.console import Console
    from rich.progress import Progress, TaskID

# What is shown now, by workspace and run: writers tell it of their checkpoints.
_SHOWN: dict[tuple[str, str], _Shown] = {}


class Plan(list[Result]):
    """The results to do; iterating shows the progress where that was asked for.

    The line on stderr begins with the first result and ends with the iteration. It counts the results that
    writers of this process checkpointed, and names the best score of the dataset and metric of the last one.
    """

    def __init__(self, results: Iterable[Result], root: Path, run_id: str, already: int) -> None:
        """Store the results to do, and how many were done before."""
        super().__init__(results)
        self._key = _key(root, run_id)
        self._already = already

    def __iter__(self) -> Iterator[Result]:
        """Yield the results, and show the progress on a terminal or in a notebook."""
        if not self or self._key in _SHOWN or _console() is None:
            return super().__iter__()
        return self._with_progress()

    def __reduce__(self) -> tuple[type[list[Result]], tuple[list[Result]]]:
        """Be pickled and copied as a plain list: the display belongs to this process."""
        return list, (self[:],)

    def _with_progress(self) -> Iterator[Result]:
        with self.progress():
            yield from super().__iter__()

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show the progress in a block, where results come in another order than they are planned in."""
        console = _console()
        if console is None or not len(self):
            yield
            return
        _SHOWN[self._key] = line = _Shown(console, self._already, {result.id for result in self[:]})
        try:
            with line.bar:
                yield
        finally:
            if _SHOWN.get(self._key) is line:
                del _SHOWN[self._key]


def end(root: Path, run_id: str) -> None:
    """End the line of a run that is left, also where its iteration was not ended: by an exception, say."""
    line = _SHOWN.pop(_key(root, run_id), None)
    if line is not None:
        line.bar.stop()


def checkpointed(root: Path, run_id: str, result: Mapping[str, Any]) -> None:
    """Count a result that was checkpointed, where the progress of its run is shown."""
    line = _SHOWN.get(_key(root, run_id))
    if line is not None:
        with suppress(Exception):  # the result is committed, whatever becomes of its line
            line.add(result)


class _Shown:
    """A progress bar of rich, and the best scores so far."""

    def __init__(self, console: Console, already: int, waiting: set[str]) -> None:
        self._waiting = waiting
        self._best: dict[tuple[str, str], float] = {}
        self.bar, self._task = _bar(console, already, already + len(waiting))

    def add(self, result: Mapping[str, Any]) -> None:
        if result["id"] not in self._waiting:
            return
        self._waiting.discard(result["id"])
        self.bar.update(self._task, advance=1, best=self._best_of(result), refresh=True)

    def _best_of(self, result: Mapping[str, Any]) -> str:
        score, metric = result.get("score"), result.get("metric")
        dataset = result.get("dataset_name") or result.get("dataset_id") or ""
        if isinstance(score, int | float) and not math.isnan(score) and metric:
            key = str(dataset), str(metric)
            try:
                if key not in self._best or _native.is_better(score, self._best[key], metric):
                    self._best[key] = score
            except UnknownMetricError:
                pass
        best = self._best.get((str(dataset), str(metric)))
        return "" if best is None else shown(f"best {metric} {best:.4g} ({dataset})")


def _key(root: Path, run_id: str) -> tuple[str, str]:
    return os.path.realpath(root), run_id


def _console() -> Console | None:
    """Return the console on stderr; None unless it is a terminal or a notebook."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        # A line on stderr, which notebooks show and carriage returns replace; widgets need a package more.
        return Console(stderr=True, force_jupyter=False, force_terminal=True, width=100)
    return console if console.is_terminal else None


def _bar(console: Console, done: int, total: int) -> tuple[Progress, TaskID]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    best = TextColumn("{task.fields[best]}", markup=False)
    columns = (TextColumn("results"), BarColumn(), MofNCompleteColumn(), best, TimeRemainingColumn())
    bar = Progress(*columns, console=console)
    return bar, bar.add_task("results", total=total, completed=done, best="")
