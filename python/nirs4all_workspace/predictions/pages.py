"""Pages of predictions: some rows of a long list, and a cursor that leads on from them."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.display import shown
from nirs4all_workspace.predictions import sessions
from nirs4all_workspace.values import stored
from nirs4all_workspace.values.json_columns import parse_records
from nirs4all_workspace.values.strict_json import strict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.exceptions import Problem


# Said where a list goes by such a column.
NOT_HELD_OUT = (
    "{name}: rows of the folds avg, w_avg and final have no value of it unless {metric} is their own metric: "
    "what is stored there was not computed on held-out samples"
)


@dataclass(frozen=True)
class Page:
    """A page of a list of predictions.

    Attributes:
        records: The rows as dicts, in the order of the list; JSON columns (`scores`, `best_params`,
            `metadata`) are parsed, texts that are not valid JSON stay texts.
        total: Number of rows of the whole list.
        limit: Number of rows that were asked for.
        offset: Number of rows before the page.
        has_more: Whether rows follow.
        next_cursor: The cursor of the next page; None at the end.
        errors: Files that could not be read, as dicts of path, kind and message.
        notes: What must be known to read the list rightly, as sentences.
    """

    records: list[dict[str, Any]]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None
    errors: list[Problem]
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the page for strict JSON, the shape of `n4w predictions --json`.

        Times are ISO-8601 texts, and floats without a JSON number are "NaN", "Infinity" and "-Infinity".
        """
        return {
            "records": strict(self.records),
            "total": self.total,
            "limit": self.limit,
            "offset": self.offset,
            "has_more": self.has_more,
            "next_cursor": self.next_cursor,
            "errors": self.errors,
            "notes": self.notes,
        }


def page(root: Path, asked: dict[str, Any]) -> Page:
    """Return the page that `Predictions.page` describes."""
    columns = checked(asked)["columns"]
    answer = _native.page_predictions(root, asked | {"columns": sessions.with_keys(columns)})
    if answer["batch"] is None:
        records = answer["records"]
        for record in records:
            if record.get("created_at") is not None:
                record["created_at"] = datetime.fromisoformat(record["created_at"])
    else:
        records = frame(answer["batch"]).to_dicts()
    sessions.add_runs(root, records)
    if columns is not None:
        records = [{name: record[name] for name in columns} for record in records]
    return Page(
        parse_records(records),
        answer["total"],
        asked["limit"],
        answer["offset"],
        answer["has_more"],
        answer["next_cursor"],
        answer["errors"],
        _notes(asked),
    )


def _notes(asked: dict[str, Any]) -> list[str]:
    """Return what a list that goes by validation scores in `scores` says of rows of no single fold."""
    filters: dict[str, Any] = asked["filters"]
    names = [f"scores.{name.removeprefix('scores.')}" for name in filters.get("min_scores") or ()]
    names += [f"scores.{name.removeprefix('scores.')}" for name in filters.get("max_scores") or ()]
    names = list(
        dict.fromkeys(
            name
            for name in (asked["sort_by"], *(asked["columns"] or ()), *names)
            if name.startswith("scores.val.")
        )
    )
    return [NOT_HELD_OUT.format(name=name, metric=name.removeprefix("scores.val.")) for name in names]


def frame(batch: _native.Rows) -> pl.DataFrame:
    """Return native rows as a frame of Polars."""
    import polars as pl

    return pl.DataFrame(batch)


def check_count(name: str, count: int) -> None:
    """Check that an argument is a count.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is negative, or needs more than 63 bits.
    """
    if not 0 <= operator.index(count) < 2**63:
        raise ValueError(f"{name}: expected an integer from 0 to 2**63 - 1, got {count}")


def with_scores(
    filters: Mapping[str, Any],
    min_scores: Mapping[str, float] | None,
    max_scores: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Return filters with bounds of numbers in `scores`, by names such as "val.r2".

    Raises:
        TypeError: Bounds are not a mapping of names to numbers.
        UnicodeError: A name has a lone surrogate; a ValueError.
    """
    wanted = dict(filters)
    for name, bounds in (("min_scores", min_scores), ("max_scores", max_scores)):
        if bounds is None:
            continue
        if not isinstance(bounds, Mapping):
            raise TypeError(f"{name}: expected a mapping such as {{'val.r2': 0.9}}, got {bounds!r}")
        for key, bound in bounds.items():
            if not isinstance(key, str):
                raise TypeError(f"{name}: expected names such as 'val.r2', got {key!r}")
            stored.check_text(key, name)
            if isinstance(bound, bool) or not isinstance(bound, numbers.Real | None):
                raise TypeError(f"{name}[{key!r}]: expected a number, got {bound!r}")
        if bounds:
            wanted[name] = {key: None if bound is None else float(bound) for key, bound in bounds.items()}
    return wanted


def check_texts(**arguments: object) -> None:
    """Check that the arguments that are texts are Unicode: no column and no row has others.

    Raises:
        UnicodeError: An argument has a lone surrogate, as one from a command line that is not UTF-8; a
            ValueError.
    """
    for name, value in arguments.items():
        if isinstance(value, str):
            stored.check_text(value, name)


def checked(asked: dict[str, Any]) -> dict[str, Any]:
    """Check the arguments of a list, and return them.

    Raises:
        TypeError: A count is not an integer.
        ValueError: A count is negative or needs more than 63 bits, a text is not valid Unicode, or `columns`
            is a text or repeats a name.
    """
    for name in ("offset", "limit"):
        check_count(name, asked[name])
    columns: Sequence[str] | None = asked["columns"]
    if columns is not None:
        if isinstance(columns, str):
            raise ValueError(f"columns: expected a list of names, got {columns!r}")
        if len(set(columns)) < len(columns):
            raise ValueError(f"columns: a name is repeated in {', '.join(map(shown, columns))}")
    check_texts(sort_by=asked["sort_by"], cursor=asked["cursor"])
    for number, name in enumerate(columns or ()):
        check_texts(**{f"columns[{number}]": name})
    return asked
