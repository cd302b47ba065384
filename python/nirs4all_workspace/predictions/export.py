"""Exporting lists of predictions to one file, CSV or Parquet."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from nirs4all_workspace import _native
from nirs4all_workspace.display import shown
from nirs4all_workspace.predictions import pages
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import polars as pl

    from nirs4all_workspace.exceptions import Problem

STDOUT = Path("-")
# Extensions of formats that are not supported.
_OTHER_KINDS = frozenset(
    (
        ".arrow",
        ".feather",
        ".gz",
        ".ipc",
        ".json",
        ".jsonl",
        ".ndjson",
        ".tsv",
        ".txt",
        ".xls",
        ".xlsx",
        ".zip",
    )
)
# Number of rows that are read and written at a time.
EXPORT_ROWS = 131_072


def export(
    root: Path, asked: dict[str, Any], target: Path, kind: str | None, limit: int | None
) -> list[Problem]:
    """Write the export that `Predictions.export` describes; `target` is absolute, or `STDOUT`."""
    if kind is None:
        suffix = target.suffix.lower()
        if suffix in _OTHER_KINDS:
            message = f"{target.name!r}: expected a name for a CSV or Parquet file, got {suffix}"
            raise ValueError(f"{message}; pass kind='csv' or kind='parquet', or rename it")
        kind = "csv" if suffix == ".csv" else "parquet"
    if kind not in ("csv", "parquet"):
        raise ValueError(f"kind: expected 'csv' or 'parquet', got {kind!r}")
    errors: list[Problem] = []
    frames = _frames(root, pages.checked(asked | {"limit": 0 if limit is None else limit}), limit, errors)
    first = next(frames)
    with _named(target), _opened(target) as file:
        out = _OutputStream(file)
        stream = cast("IO[bytes]", out)
        try:
            _write_csv(first, frames, stream) if kind == "csv" else _write_parquet(first, frames, stream)
        except BaseException as error:
            # Polars wraps it, or panics.
            if out.failed is not None and out.failed is not error:
                raise out.failed from error
            raise
    return errors


class _OutputStream:
    """The stream that Polars writes to; it keeps the first error of a write, which Polars would replace."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.failed = self.failed or error
            raise

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self.failed = self.failed or error
            raise

    def close(self) -> None:
        """Do nothing: the stream is closed by the code that opened it."""


@contextlib.contextmanager
def _named(target: Path) -> Iterator[None]:
    """Add the path of the target to an error that the system reported for a descriptor."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None or target == STDOUT:
            raise
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(target)) from error


def _opened(target: Path) -> AbstractContextManager[Any]:
    """Return the stream to write: stdout, a pipe or device as it is, else a file published when complete.

    A link stays: what it names is written.
    """
    if target == STDOUT:
        return _stdout()
    if target.is_symlink():
        real = Path(os.path.realpath(target))
        if real.exists() != target.exists():
            return target.open("wb")  # an open descriptor, which has no path
        target = real
    if target.exists() and not target.is_file() and not target.is_dir():
        return target.open("wb")
    return _native.Draft(target)


@contextlib.contextmanager
def _stdout() -> Iterator[IO[bytes]]:
    """Yield stdout; raise BrokenPipeError where Polars reports a closed pipe only in an error's text."""
    import polars as pl

    try:
        yield sys.stdout.buffer
    except (OSError, pl.exceptions.ComputeError) as error:
        if f"(os error {errno.EPIPE})" in str(error):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        raise


def _frames(
    root: Path, asked: dict[str, Any], limit: int | None, errors: list[Problem]
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a list in its order, at least one frame; problems are added to `errors`."""
    while True:
        count = EXPORT_ROWS if limit is None else min(limit, EXPORT_ROWS)
        answer = _native.page_predictions(root, asked | {"limit": count}, as_batch=True)
        errors += [error for error in answer["errors"] if error not in errors]
        rows = pages.frame(answer["batch"])
        yield rows
        limit = None if limit is None else limit - len(rows)
        if answer["next_cursor"] is None or limit == 0:
            return
        asked = asked | {"cursor": answer["next_cursor"], "offset": 0}


def _write_csv(first: pl.DataFrame, rest: Iterator[pl.DataFrame], out: IO[bytes]) -> None:
    unfit = [name for name, kind in first.schema.items() if not _fits(kind)]
    if unfit:
        columns = ", ".join(map(shown, unfit))
        raise ValueError(f"CSV cannot hold the columns {columns}; leave them out, or write Parquet")
    _flat(first).write_csv(out)
    for frame in rest:
        _flat(frame).write_csv(out, include_header=False)


def _fits(kind: Any, within: bool = False) -> bool:  # noqa: ANN401 - a data type of Polars
    """Return whether CSV can hold values of a type; nested values are JSON, which lacks some more types."""
    import polars as pl

    if isinstance(kind, pl.Struct):
        return all(_fits(field.dtype, within=True) for field in kind.fields)
    if isinstance(kind, pl.List | pl.Array):
        return _fits(kind.inner, within=True)
    if kind.is_nested() and hasattr(kind, "key") and hasattr(kind, "value"):
        return _fits(kind.value, within=True)  # a map, whose keys become texts in JSON
    return kind not in (pl.Binary, pl.Duration, pl.Object) and not (within and isinstance(kind, pl.Decimal))


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with nested columns as strict JSON, which CSV needs."""
    import polars as pl

    nested = [column for column in frame if column.dtype.is_nested()]
    return frame.with_columns(
        pl.Series(
            column.name,
            [None if value is None else strict_json.dumps(value) for value in column.to_list()],
            dtype=pl.String,
        )
        for column in nested
    )


def _write_parquet(first: pl.DataFrame, rest: Iterator[pl.DataFrame], out: IO[bytes]) -> None:
    from polars.io.plugins import register_io_source

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield first
        yield from rest

    register_io_source(source, schema=first.schema).sink_parquet(out)
