"""Reading old Parquet files in batches, and as far as they can be read where they are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

ROWS = 65_536
# Rows of one page: of what cannot be read no smaller piece is tried.
_PAGE = 1_024

Lost = list[tuple[int, int]]


def errors() -> tuple[type[BaseException], ...]:
    """Return what Polars raises where a file is damaged."""
    import polars as pl

    return (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def lazy(path: Path) -> pl.LazyFrame:
    """Return a file as a LazyFrame, whatever its name looks like."""
    import polars as pl

    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def outline(path: Path) -> tuple[pl.Schema, int]:
    """Return the schema of a file and its number of rows.

    Raises:
        CorruptFileError: It is no Parquet file, or its end is missing.
        OSError: It cannot be read.
    """
    import polars as pl

    from nirs4all_workspace.exceptions import CorruptFileError

    footer = _native.read_footers([path])[0]
    if isinstance(footer, Exception):
        raise footer
    try:
        return lazy(path).collect_schema(), int(lazy(path).select(pl.len()).collect().item())
    except errors() as error:
        raise CorruptFileError(f"cannot be read: {error}", str(path)) from error


def batches(
    path: Path,
    columns: Sequence[str],
    start: int,
    stop: int,
    lost: Lost | None = None,
    size: int = ROWS,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield rows in order, each batch with the number of its first row.

    Args:
        path: The file.
        columns: Which columns.
        start: The first row.
        stop: The row after the last.
        lost: Where rows that cannot be read are noted, as first row and number.
        size: Rows of one batch.
    """
    at = start
    frame = lazy(path).select(columns)
    try:
        for batch in frame.slice(start, stop - start).collect_batches(chunk_size=size, maintain_order=True):
            if batch.height:
                yield at, batch
                at += batch.height
    except errors():
        # A file that is read for the second time loses the same rows.
        yield from _salvage(frame, at, stop, [] if lost is None else lost)


def _salvage(frame: pl.LazyFrame, start: int, stop: int, lost: Lost) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield what can be read, in ever smaller pieces."""
    pieces = [(at, min(ROWS, stop - at)) for at in range(start, stop, ROWS)]
    while pieces:
        at, length = pieces.pop(0)
        batch = _piece(frame, at, length)
        if batch is not None:
            yield at, batch
        elif length > _PAGE:
            half = length // 2
            pieces[:0] = [(at, half), (at + half, length - half)]
        else:
            # Of a piece that lies across the edge of what is damaged, its beginning or its end.
            head = _longest(lambda rows: _piece(frame, at, rows), length)  # noqa: B023 - called at once
            if head is not None:
                yield at, head
            rest = at + (0 if head is None else head.height)
            end = at + length
            tail = _longest(lambda rows: _piece(frame, end - rows, rows), end - rest)  # noqa: B023
            bad = end - rest - (0 if tail is None else tail.height)
            if bad:
                lost.append((rest, bad))
            if tail is not None:
                yield rest + bad, tail


def _piece(frame: pl.LazyFrame, at: int, length: int) -> pl.DataFrame | None:
    try:
        return frame.slice(at, length).collect()
    except errors():
        return None


def _longest(piece_of: Callable[[int], pl.DataFrame | None], length: int) -> pl.DataFrame | None:
    """The longest piece that can be read, where every shorter one can be too."""
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
    """Return how many rows were lost."""
    return sum(length for _, length in lost)


def as_text(column: pl.Expr, kind: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    """Return a column of names as text, a whole number without a point, as rows have it everywhere."""
    import polars as pl

    if kind == pl.String:
        return column
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        text = pl.when(column == whole).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
        return pl.when(column.is_nan()).then(None).otherwise(text)
    if kind.is_nested():
        return column.map_elements(_json, return_dtype=pl.String)
    if kind == pl.Binary:
        return column.bin.encode("base64")
    return column.cast(pl.String, strict=False)


def _json(value: Any) -> str:  # noqa: ANN401 - what a cell holds
    return strict_json.dumps(value.to_list() if hasattr(value, "to_list") else value)


def is_storable(kind: Any) -> bool:  # noqa: ANN401 - a data type of Polars
    """Return whether segments can hold a column of a type as it is."""
    import polars as pl

    if isinstance(kind, pl.Struct):
        return all(is_storable(field.dtype) and field.dtype != pl.String for field in kind.fields)
    if kind.is_nested():
        return is_storable(kind.inner) and kind.inner != pl.String
    return not isinstance(kind, pl.Categorical | pl.Enum | pl.Object) and kind not in (pl.Binary, pl.Null)
