"""All rows that fit the filters of a page, some columns of them, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.predictions import pages
from nirs4all_workspace.predictions.conditions import predicate
from nirs4all_workspace.predictions.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.exceptions import Problem

# As many rows come as one frame, read like a page: what a query of pages holds in memory at most.
AT_ONCE = 262_144
# More rows are scanned: each page costs a pass over the rows that fit, and a scan one over all.
MOST_IN_PAGES = 4 * AT_ONCE
# Rows of a scan that come as one frame, about.
_EACH = 65_536
# Filters that pages alone answer: the numbers are cached there.
_NUMBERS = ("min_scores", "max_scores")


class State(Protocol):
    """What grows by frames of rows."""

    def add(self, frame: pl.DataFrame, /) -> object:
        """Add the rows of a frame."""


S = TypeVar("S", bound=State)


class FilteredRows:
    """The rows that fit some filters.

    Attributes:
        errors: Files that could not be read, as dicts of path, kind and message.
    """

    def __init__(self, root: Path, filters: Mapping[str, Any]) -> None:
        """Look at nothing yet.

        Args:
            root: The workspace.
            filters: Filters that `Predictions.native_filters` resolved.
        """
        self._root = root
        self._filters = dict(filters)
        self.errors: list[Problem] = []

    def count(self, **more: str) -> int:
        """Return the number of rows that fit these filters too; footers are asked first.

        Raises:
            ValueError: A filter is unknown.
            OSError: The workspace cannot be listed.
        """
        total: int = self._page({**self._filters, **more}, ["id"], 0)["total"]
        return total

    def first(self, columns: Sequence[str], limit: int) -> pl.DataFrame:
        """Return some columns of the first rows by id."""
        return pages.frame(self._page(self._filters, columns, limit, "id")["batch"])

    def collect(self, columns: Sequence[str], make: Callable[[], S]) -> S:
        """Return a state that all rows were added to, in frames with some columns.

        Where a file turns out to be bad, or goes, after some of its rows were added, another state begins.

        Args:
            columns: Names of columns; where bounds of numbers in `scores` filter, also such numbers.
            make: Makes an empty state.

        Raises:
            OSError: The workspace cannot be listed, or its files change all the time.
        """
        total = self.count()
        has_numbers = any(self._filters.get(name) for name in _NUMBERS)
        if total > MOST_IN_PAGES and not has_numbers:
            return self._collect_scan(columns, make)
        state, first = make(), len(self.errors)
        for number, frame in enumerate(
            self.pages(columns, "val_score" if total <= AT_ONCE else "created_at")
        ):
            first = first if number else len(self.errors)
            state.add(frame)
        if len(self.errors) > first and total > AT_ONCE and not has_numbers:
            # Rows of a file that turned out to be bad are among those that were added.
            return self._collect_scan(columns, make)
        return state

    def pages(self, columns: Sequence[str], sort_by: str = "created_at") -> Iterator[pl.DataFrame]:
        """Yield all rows in some columns, page by page, none of a file from where on it is bad."""
        cursor = None
        while True:
            answer = self._page(self._filters, columns, AT_ONCE, sort_by, cursor)
            frame = pages.frame(answer["batch"])
            if frame.height:
                yield frame.select(columns)
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    def _page(
        self,
        filters: Mapping[str, Any],
        columns: Sequence[str],
        limit: int,
        sort_by: str = "created_at",
        cursor: str | None = None,
    ) -> dict[str, Any]:
        asked = {"offset": 0, "limit": limit, "sort_by": sort_by, "descending": False, "cursor": cursor}
        asked |= {"columns": list(columns), "live": True, "named": "", "filters": dict(filters)}
        answer = _native.page_predictions(self._root, asked, as_batch=True)
        listing.add_problems(self.errors, answer["errors"])
        return answer

    def _collect_scan(self, columns: Sequence[str], make: Callable[[], S]) -> S:
        bad: dict[str, Problem] = {}
        for attempt in range(_native.RESTARTS + 1):
            state = make()
            try:
                for frame in self._scan(columns, bad):
                    state.add(frame)
            except FileNotFoundError:
                if attempt == _native.RESTARTS:
                    raise
                continue
            except CorruptFileError as error:
                path = (error.path or "").removeprefix(f"{self._root}/")
                if path in bad or attempt == _native.RESTARTS:
                    raise
                bad[path] = {"path": path, "kind": "corrupt", "message": error.message}
                continue
            break
        return state

    def _scan(self, columns: Sequence[str], bad: Mapping[str, Problem]) -> Iterator[pl.DataFrame]:
        def tell(problems: Sequence[Problem]) -> None:
            listing.add_problems(self.errors, problems)

        scanned = Scan(self._root, live=True, partial=False, with_file=True, tell=tell)
        scanned.schema()
        return _larger(scanned.read(list(columns), predicate(self._filters), None, None, bad))


def _larger(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the rows of small frames in larger ones: each costs some time of its own."""
    import polars as pl

    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(one.height for one in waiting) >= _EACH:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
