"""Pages of predictions: some rows of a long list, and a cursor that leads on from them."""

from __future__ import annotations

import operator
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.strict_json import strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

# Rows that are written at a time where a whole list is exported.
EXPORT_ROWS = 131_072


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
    answer = _native.page_predictions(root, _checked(asked))
    if answer["batch"] is None:
        records = answer["records"]
        for record in records:
            if record.get("created_at") is not None:
                record["created_at"] = datetime.fromisoformat(record["created_at"])
    else:
        records = _frame(answer["batch"]).to_dicts()
    return Page(
        records,
        answer["total"],
        asked["limit"],
        answer["offset"],
        answer["has_more"],
        answer["next_cursor"],
        answer["errors"],
    )


def export(root: Path, asked: dict[str, Any], target: Path, kind: str) -> list[dict[str, str]]:
    """Write what `Predictions.export` describes."""
    errors: list[dict[str, str]] = []
    frames = _frames(root, _checked(asked), errors)
    if kind == "csv" and target == Path("-"):
        _write_csv(frames, sys.stdout.buffer)
    elif kind in ("csv", "parquet"):
        folder = target.absolute().parent
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".n4w-", delete=False) as temp:
            try:
                _write_csv(frames, temp) if kind == "csv" else _write_parquet(frames, temp)
                temp.flush()
                os.fsync(temp.fileno())
                Path(temp.name).chmod(0o666 & ~_umask())
                Path(temp.name).replace(target)
            except BaseException:
                Path(temp.name).unlink()
                raise
        _native.sync_folder(folder)
    else:
        raise ValueError(f"kind is {kind!r}; it must be 'csv' or 'parquet'")
    return errors


def _frames(root: Path, asked: dict[str, Any], errors: list[dict[str, str]]) -> Iterator[pl.DataFrame]:
    """Give all rows of a list in its order; what cannot be read is added to `errors`."""
    asked = asked | {"limit": EXPORT_ROWS}
    while True:
        answer = _native.page_predictions(root, asked, as_batch=True)
        errors += [error for error in answer["errors"] if error not in errors]
        yield _frame(answer["batch"])
        if answer["next_cursor"] is None:
            return
        asked |= {"cursor": answer["next_cursor"], "offset": 0}


def _write_csv(frames: Iterator[pl.DataFrame], out: IO[bytes]) -> None:
    for number, frame in enumerate(frames):
        frame.write_csv(out, include_header=number == 0)


def _write_parquet(frames: Iterator[pl.DataFrame], out: IO[bytes]) -> None:
    from polars.io.plugins import register_io_source

    first = next(frames)

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield first
        yield from frames

    register_io_source(source, schema=first.schema).sink_parquet(out.name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _frame(batch: bytes) -> pl.DataFrame:
    import polars as pl

    return pl.read_ipc_stream(batch)


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    for name in ("offset", "limit"):
        if operator.index(asked[name]) < 0:
            raise ValueError(f"{name} is {asked[name]}; it cannot be negative")
    columns: Sequence[str] | None = asked["columns"]
    if columns is not None:
        if isinstance(columns, str):
            raise ValueError(f"columns is {columns!r}; it must be a list of names")
        if len(set(columns)) < len(columns):
            raise ValueError(f"columns names one twice: {', '.join(columns)}")
    return asked
