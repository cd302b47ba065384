"""All rows of a workspace as one Polars LazyFrame, over all kinds of files."""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING

from nirs4all_workspace import _native, display
from nirs4all_workspace.exceptions import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.exceptions import Problem

# How often a listing is repeated because a listed file was replaced meanwhile.
_RESTARTS = _native.RESTARTS

# A column with the dataset in the name of a row's file; of no use for segments.
FILE = "n4w:file"


def scan(root: Path, *, live: bool, partial: bool, with_file: bool = False) -> pl.LazyFrame:
    """Return all rows, with the column `FILE` if asked; files are listed when the frame is collected."""
    from polars.io.plugins import register_io_source

    scanned = Scan(root, live=live, partial=partial, with_file=with_file)
    return register_io_source(scanned.read, schema=scanned.schema)


def warn_of(problems: Sequence[Problem]) -> None:
    """Warn once of each file that was left out or lost rows."""
    for error in problems:
        display.warn(f"{error['path']}: {error['kind']}: {error['message']}")


class Scan:
    """The source of one frame: its schema is fixed at the first look, its files at each collect."""

    def __init__(
        self,
        root: Path,
        *,
        live: bool,
        partial: bool,
        with_file: bool,
        tell: Callable[[Sequence[Problem]], object] = warn_of,
    ) -> None:
        """Look at nothing yet; `tell` is called with the problems after the last row of a reading."""
        self._root = root
        self._live = live
        self._partial = partial
        self._with_file = with_file
        self._tell = tell
        self._lock = threading.Lock()
        self._answer: _native.ScanPlan | None = None
        self._schema: pl.Schema | None = None

    def schema(self) -> pl.Schema:
        """Return the schema, the same for every thread that collects the frame."""
        import polars as pl

        with self._lock:
            if self._schema is None:
                self._answer = self._plan(is_last=False)
                kinds = dict(pl.read_ipc_stream(self._answer.schema()).schema)
                self._schema = pl.Schema(kinds | ({FILE: pl.String()} if self._with_file else {}))
            return self._schema

    def _plan(self, is_last: bool) -> _native.ScanPlan:
        for _ in range(_RESTARTS):
            try:
                return _native.ScanPlan(self._root, live=self._live, partial=self._partial, is_last=is_last)
            except FileNotFoundError:
                # An empty journal is removed when its writer closes.
                continue
        return _native.ScanPlan(self._root, live=self._live, partial=self._partial, is_last=True)

    def read(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
        known_bad: Mapping[str, Problem] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows; `n_rows` limits them before the predicate.

        Files that are known to be bad are left out.

        Raises:
            CorruptFileError: A file turned out to be bad after some of its rows; its path is relative.
        """
        shown = list(self.schema()) if columns is None else columns
        asked = [*shown, *(name for name in names_in(predicate) if name not in shown)]
        bad: dict[str, Problem] = {**(known_bad or {})}
        attempts = 0
        while True:
            has_yielded = False
            try:
                part = _Part(self, asked, bad, is_last=attempts >= _RESTARTS)
                for frame in part.frames(predicate, n_rows, batch_size):
                    has_yielded = True
                    yield frame[shown]
            except _BadFileError as error:
                if has_yielded:
                    raise CorruptFileError(error.entry["message"], error.entry["path"]) from error
                bad[error.entry["path"]] = error.entry
                continue
            except FileNotFoundError:
                if has_yielded or attempts > _RESTARTS:
                    raise
                attempts += 1
                continue
            self._tell(part.errors)
            return


class _BadFileError(Exception):
    """A file turned out to be unreadable while rows were read."""

    def __init__(self, entry: Problem) -> None:
        super().__init__(entry["message"])
        self.entry = entry


class _Part:
    """One reading of all files: files of equal types by plans of Polars, the others converted."""

    def __init__(self, scanned: Scan, asked: list[str], bad: dict[str, Problem], *, is_last: bool) -> None:
        self._scanned = scanned
        self._asked = asked
        self._bad = bad
        # After the first rows, a file that vanishes is reported and left out: the reading goes on.
        self._is_last = is_last
        self.errors: list[Problem] = list(bad.values())
        answer = scanned._answer
        assert answer is not None  # noqa: S101 - the schema was asked for before
        self._answer = answer
        self._columns = [name for name in asked if name != FILE]
        self._plan = scanned._plan(is_last)
        self.errors += [error for error in self._plan.errors() if error["path"] not in bad]

    def frames(
        self, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        groups, converted, unread = self._plan.groups(self._columns, self._answer)
        self.errors += [error for error in unread if error["path"] not in self._bad]
        for files, columns, rows in groups:
            if left == 0:
                return
            good = [(place, path) for place, path in files if self._plan.name(place) not in self._bad]
            if len(good) < len(files):
                # Their rows cannot be counted separately: the remaining files are read by the native reader.
                converted += [place for place, _ in good]
                continue
            expected = rows if left is None else min(rows, left)
            came = 0
            try:
                frame = self._of_files([path for _, path in good], columns)
                frame = frame if left is None else frame.head(left)
                frame = frame if predicate is None else frame.filter(predicate)
                for batch in _batches(frame, batch_size):
                    came += batch.height
                    self._is_last = True
                    yield batch
            except FileNotFoundError:
                if came or not self._is_last:
                    raise
                converted += [place for place, _ in good]
                continue
            except BaseException as error:
                is_panic = type(error).__name__ == "PanicException"
                if not isinstance(error, Exception) and not is_panic:
                    raise
                if came == 0 and self._is_last:
                    converted += [place for place, _ in good]
                    continue
                if (culprit := self._culprit(files)) is not None:
                    raise culprit from error
                if came == 0:
                    # Polars cannot read what the native reader can.
                    converted += [place for place, _ in good]
                    continue
                raise (
                    RuntimeError(f"Polars cannot read the rows: {error}") if is_panic else error
                ) from error
            left = None if left is None else left - expected
            if predicate is None and came != expected:
                raise self._culprit(files) or CorruptFileError(
                    f"the footers announce {expected} rows, but {came} were read", str(files[0][1])
                )
        for place in converted:
            name = self._plan.name(place)
            if left == 0 or name in self._bad:
                continue
            stream = self._plan.stream(place, self._columns, self._answer)
            for rows_of in self._converted(stream, place):
                batch = rows_of if left is None else rows_of.head(left)
                left = None if left is None else left - batch.height
                yield batch if predicate is None else batch.filter(predicate)
            self.errors += stream.errors()

    def _converted(self, stream: _native.RowStream, place: int) -> Iterator[pl.DataFrame]:
        import polars as pl

        name = self._plan.name(place)
        has_come = False
        while True:
            try:
                rows = stream.next()
            except Exception as error:
                if self._is_last and not has_come:
                    return
                if isinstance(error, FileNotFoundError):
                    raise
                raise _BadFileError(stream.errors()[0]) from error
            if rows is None:
                return
            has_come = self._is_last = True
            frame = pl.DataFrame(rows)
            if FILE in self._asked:
                stem = name.rsplit("/", 1)[-1].removesuffix(".meta.parquet")
                frame = frame.with_columns(pl.lit(stem, pl.String()).alias(FILE))
            yield frame[self._asked]

    def _of_files(self, paths: list[Path], columns: list[str]) -> pl.LazyFrame:
        """Return the rows of files of equal columns; missing columns are null, categories are text."""
        import polars as pl
        from polars import selectors

        file = FILE if FILE in self._asked else None
        frame = pl.scan_parquet(paths, glob=False, hive_partitioning=False, include_file_paths=file)
        kinds, found = self._scanned.schema(), frame.collect_schema()
        shown = []
        for name in self._asked:
            if name == FILE:
                # Except on Windows, a backslash is a character of a name.
                part = r"[^/\\]*" if os.name == "nt" else "[^/]*"
                shown.append(pl.col(FILE).str.extract(rf"({part})\.meta\.parquet$"))
            elif name not in columns:
                shown.append(pl.lit(None, kinds[name]).alias(name))
            else:
                # Not `pl.col`, to which some names are patterns.
                column = selectors.by_name(name)
                shown.append(column if found[name] == kinds[name] else column.cast(kinds[name]))
        return frame.select(shown)

    def _culprit(self, files: list[tuple[int, Path]]) -> _BadFileError | None:
        """Return the error of the first file that the native reader cannot read either."""
        for place, _ in files:
            stream = self._plan.stream(place, self._columns, self._answer)
            try:
                while stream.next() is not None:
                    pass
            except FileNotFoundError:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, it concerns this file
                return _BadFileError(stream.errors()[0])
        return None


def names_in(predicate: pl.Expr | None) -> list[str]:
    """Return the columns that a predicate asks for, each once."""
    return [] if predicate is None else list(dict.fromkeys(predicate.meta.root_names()))


def _batches(frame: pl.LazyFrame, batch_size: int | None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a plan as they come.

    Polars' own iterator ends silently where one of its threads panics; a sink raises.
    """
    came: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(4)
    stopped = threading.Event()

    def give(item: pl.DataFrame | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                came.put(item, timeout=0.1)
            except queue.Full:
                continue
            return False
        return True

    def work() -> None:
        try:
            frame.sink_batches(give, chunk_size=batch_size)
        except BaseException as error:  # noqa: BLE001 - raised by the reader of the rows
            give(error)
        else:
            give(None)

    thread = threading.Thread(target=work, name="n4w-scan", daemon=True)
    thread.start()
    try:
        while (item := came.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
