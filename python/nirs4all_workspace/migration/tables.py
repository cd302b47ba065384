"""Reading old Parquet files in batches, and damaged ones as far as possible."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

ROWS = 32_768
# Rows of one page: unreadable rows are narrowed down from both ends to pieces of this size.
_PAGE = 1_024

Lost = list[tuple[int, int]]


def outline(path: Path) -> tuple[pl.Schema, int]:
    """Return the schema and the number of rows of a file.

    Raises:
        CorruptFileError: The file is not Parquet, its end is missing, or its columns are ambiguous.
        OSError: The file cannot be read.
    """
    import polars as pl

    footer = _native.read_footers([path])[0]
    if isinstance(footer, Exception):
        raise footer
    reader = _native.RowReader(path, None, 0, 0, ROWS)
    try:
        schema = pl.read_ipc_stream(reader.schema()).schema
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        message = "has a column twice, or a column of a type unknown to Polars"
        raise CorruptFileError(message, str(path)) from error
    if any("\0" in name for name in schema):
        raise CorruptFileError(
            "has a column name with a zero byte, which other programs cannot read", str(path)
        )
    return schema, int(footer["num_rows"])


def batches(
    path: Path,
    columns: Sequence[str],
    start: int,
    stop: int,
    lost: Lost | None = None,
    size: int = ROWS,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows in order, each batch with the number of its first row.

    Args:
        path: The path of the file.
        columns: The columns to read.
        start: The first row.
        stop: The row after the last.
        lost: Receives the rows that cannot be read, as first row and number.
        size: Number of rows of a batch.
    """
    import polars as pl

    at = start
    try:
        reader = _native.RowReader(path, list(columns), start, stop - start, size)
        while (rows := reader.next()) is not None:
            frame = pl.DataFrame(rows)
            yield at, frame
            at += frame.height
    except CorruptFileError:
        # A file that is read a second time loses the same rows.
        piece_of = partial(_piece, path, list(columns))
        yield from _salvage(piece_of, at, stop, [] if lost is None else lost)


def _salvage(
    piece_of: Callable[[int, int], pl.DataFrame | None], start: int, stop: int, lost: Lost
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield what can be read, in ever smaller pieces."""
    pieces = [(at, min(ROWS, stop - at)) for at in range(start, stop, ROWS)]
    while pieces:
        at, length = pieces.pop(0)
        batch = piece_of(at, length)
        if batch is not None:
            yield at, batch
        elif length > _PAGE:
            half = length // 2
            pieces[:0] = [(at, half), (at + half, length - half)]
        else:
            # A piece across the edge of the damage is readable at its beginning or at its end.
            end = at + length
            head = _longest(partial(piece_of, at), length)
            if head is not None:
                yield at, head
                at += head.height
            tail = _longest(partial(_ending_at, piece_of, end), end - at)
            bad = end - at - (0 if tail is None else tail.height)
            if bad:
                lost.append((at, bad))
            if tail is not None:
                yield at + bad, tail


def _ending_at(
    piece_of: Callable[[int, int], pl.DataFrame | None], end: int, length: int
) -> pl.DataFrame | None:
    return piece_of(end - length, length)


def _piece(path: Path, columns: list[str], at: int, length: int) -> pl.DataFrame | None:
    import polars as pl

    try:
        rows = _native.RowReader(path, columns, at, length, length).next()
        frame = None if rows is None else pl.DataFrame(rows)
    except CorruptFileError:
        return None
    return frame if frame is not None and frame.height == length else None


def _longest(piece_of: Callable[[int], pl.DataFrame | None], length: int) -> pl.DataFrame | None:
    """Return the longest readable piece, given that every shorter one is readable."""
    found, low, high = None, 0, length
    while low < high:
        middle = 1 if found is None else (low + high + 1) // 2
        piece = piece_of(middle)
        if piece is None:
            high = middle - 1
        else:
            found, low = piece, middle
    return found


def count(lost: Lost) -> int:
    """Return the number of lost rows."""
    return sum(length for _, length in lost)


def column_of(name: str) -> pl.Expr:
    """Return a column by its name, which Polars would take for a pattern if it looked like one."""
    from polars import selectors

    return selectors.by_name(name).as_expr()


def as_text(column: pl.Expr, kind: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    """Return a column of names as text, integers without a decimal point, as rows have them."""
    import polars as pl

    if kind == pl.String:
        return column
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        text = pl.when(column == whole).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
        return pl.when(column.is_nan()).then(None).otherwise(text)
    if isinstance(kind, pl.Array):
        column = column.arr.to_list()
    if kind.is_nested():
        return column.map_elements(_json, return_dtype=pl.String)
    if kind == pl.Binary:
        return column.bin.encode("base64")
    if kind == pl.Duration:
        return column.dt.to_string()
    return column.cast(pl.String, strict=False)


def _json(value: Any) -> str:  # noqa: ANN401 - what a cell holds
    return strict_json.dumps(_plain(value))


def _plain(value: Any) -> Any:  # noqa: ANN401 - what a cell holds
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return [_plain(item) for item in value] if hasattr(value, "__iter__") else str(value)


def is_storable(kind: Any) -> bool:  # noqa: ANN401 - a data type of Polars
    """Return whether segments can hold a column of a type unchanged."""
    import polars as pl

    if isinstance(kind, pl.Struct):
        return all(is_storable(field.dtype) and field.dtype != pl.String for field in kind.fields)
    if kind.is_nested():
        return isinstance(kind, pl.List | pl.Array) and is_storable(kind.inner) and kind.inner != pl.String
    return not isinstance(kind, pl.Categorical | pl.Enum | pl.Object) and kind not in (pl.Binary, pl.Null)
