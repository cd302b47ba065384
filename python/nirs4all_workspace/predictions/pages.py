"""Pages of predictions: some rows of a long list, and a cursor that leads on from them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.display import shown
from nirs4all_workspace.values.strict_json import strict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True)
class Page:
    """Rows of a list.

    Attributes:
        records: The rows as dicts, in the order of the list.
        total: Rows of the whole list.
        limit: Rows that were asked for.
        offset: Rows before the page.
        has_more: Whether rows follow.
        next_cursor: What leads to the next page; None at the end.
        errors: Files that could not be used, as dicts of path, kind and message.
    """

    records: list[dict[str, Any]]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None
    errors: list[dict[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for strict JSON, the shape of `n4w predictions --json`.

        Times are ISO-8601 texts, and floats that JSON lacks are "NaN", "Infinity" and "-Infinity".
        """
        return {
            "records": strict(self.records),
            "total": self.total,
            "limit": self.limit,
            "offset": self.offset,
            "has_more": self.has_more,
            "next_cursor": self.next_cursor,
            "errors": self.errors,
        }


def page(root: Path, asked: dict[str, Any]) -> Page:
    """Return the page that `Predictions.page` describes."""
    answer = _native.page_predictions(root, checked(asked))
    if answer["batch"] is None:
        records = answer["records"]
        for record in records:
            if record.get("created_at") is not None:
                record["created_at"] = datetime.fromisoformat(record["created_at"])
    else:
        records = frame(answer["batch"]).to_dicts()
    return Page(
        records,
        answer["total"],
        asked["limit"],
        answer["offset"],
        answer["has_more"],
        answer["next_cursor"],
        answer["errors"],
    )


def frame(batch: _native.Rows) -> pl.DataFrame:
    """Return rows that came from the native side."""
    import polars as pl

    return pl.DataFrame(batch)


def check_count(name: str, count: int) -> None:
    """Refuse a count that cannot be one.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is negative, or needs more than 63 bits.
    """
    if not 0 <= operator.index(count) < 2**63:
        raise ValueError(f"{name} is {count}; it must lie between 0 and 2**63 - 1")


def checked(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked for.

    Raises:
        TypeError: A number is no whole number.
        ValueError: A number is negative or needs more than 63 bits, or columns are a text or name one twice.
    """
    for name in ("offset", "limit"):
        check_count(name, asked[name])
    columns: Sequence[str] | None = asked["columns"]
    if columns is not None:
        if isinstance(columns, str):
            raise ValueError(f"columns is {columns!r}; it must be a list of names")
        if len(set(columns)) < len(columns):
            raise ValueError(f"columns names one twice: {', '.join(map(shown, columns))}")
    return asked
