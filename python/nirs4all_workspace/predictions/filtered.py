"""All rows that fit the filters of a page, some columns of them, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.predictions import pages
from nirs4all_workspace.predictions.conditions import MADE_OF, numbers_of_scores, predicate, with_numbers
from nirs4all_workspace.predictions.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.exceptions import Problem

# As many rows come as one frame, read like a page: what a query of pages holds in memory at most.
AT_ONCE = 262_144
_PREFIX = "scores."


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
            columns: Names of columns, also such as "scores.val.r2".
            make: Makes an empty state.

        Raises:
            OSError: The workspace cannot be listed, or its files change all the time.
        """
        total = self.count()
        if total <= AT_ONCE:
            state = make()
            answer = self._page(self._filters, columns, max(total, 1), "val_score")
            if answer["next_cursor"] is None:
                state.add(pages.frame(answer["batch"]).select(columns))
                return state
        return self._collect_scan(columns, make)

    def _page(
        self, filters: Mapping[str, Any], columns: Sequence[str], limit: int, sort_by: str = "created_at"
    ) -> dict[str, Any]:
        asked = {"offset": 0, "limit": limit, "sort_by": sort_by, "descending": False, "cursor": None}
        asked |= {"columns": list(columns), "live": True, "named": "", "filters": dict(filters)}
        answer = _native.page_predictions(self._root, asked, as_batch=True)
        listing.add_problems(self.errors, answer["errors"])
        return answer

    def _collect_scan(self, columns: Sequence[str], make: Callable[[], S]) -> S:
        bad: dict[str, Problem] = {}
        for _ in range(_native.RESTARTS):
            state = make()
            try:
                for frame in self._scan(columns, bad):
                    state.add(frame)
            except FileNotFoundError:
                continue
            except CorruptFileError as error:
                path = (error.path or "").removeprefix(f"{self._root}/")
                if path in bad:
                    raise
                bad[path] = {"path": path, "kind": "corrupt", "message": error.message}
                continue
            return state
        state = make()
        for frame in self._scan(columns, bad):
            state.add(frame)
        return state

    def _scan(self, columns: Sequence[str], bad: Mapping[str, Problem]) -> Iterator[pl.DataFrame]:
        made = [name for name in columns if name.startswith(_PREFIX)]
        stored = [name for name in columns if name not in made]
        has_numbers = made or self._filters.get("min_scores") or self._filters.get("max_scores")
        asked = list(dict.fromkeys([*stored, *(MADE_OF if has_numbers else ())]))

        def tell(problems: Sequence[Problem]) -> None:
            listing.add_problems(self.errors, problems)

        scanned = Scan(self._root, live=True, partial=False, with_file=True, tell=tell)
        scanned.schema()
        for frame in scanned.read(asked, predicate(self._filters), None, None, bad):
            kept = with_numbers(frame, self._filters)
            if kept.height:
                more = [numbers_of_scores(kept, name) for name in made]
                yield kept.with_columns(more).select(columns)
