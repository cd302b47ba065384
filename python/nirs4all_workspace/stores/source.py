"""A store of nirs4all 0.7 to 1.4, opened without writing to it: its database, arrays and other files."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, NotFoundError, SchemaError
from nirs4all_workspace.migration import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SQLITE, DUCKDB = "store.sqlite", "store.duckdb"
# `PRAGMA user_version` of the stores that nirs4all 0.8.4 to 1.4 write.
VERSIONS = (0, 1, 2, 5)
_NEEDED = ("runs", "pipelines", "predictions")
# A query of the texts of a list.
_EACH = {DUCKDB: "SELECT unnest(?::VARCHAR[])", SQLITE: "SELECT value FROM json_each(?)"}
# What a database keeps beside itself while it is written.
_BESIDE = ("-wal", "-journal", ".wal")
_ATTEMPTS = 3
_BATCH = 10_000


class _Connection(Protocol):
    def execute(self, query: str, parameters: Sequence[Any] = ...) -> Any: ...  # noqa: ANN401 - a cursor
    def close(self) -> None: ...


class Source:
    """A store, which is only read.

    Attributes:
        path: Its folder.
        file: The name of its database.
        version: What the database says of its version; None for DuckDB, which says nothing.
        tables: The columns of each table.
    """

    def __init__(self, path: Path) -> None:
        """Open the database of a store.

        Args:
            path: The folder of the store.

        Raises:
            NotFoundError: There is no such folder, or it holds no store.
            SchemaError: Another version than 0.7 to 1.4 wrote the store.
            CorruptFileError: The database is damaged.
            ImportError: The store needs DuckDB, which is not installed.
            ConflictError: A process wrote to the store while it was opened.
            OSError: A file cannot be read.
        """
        if not path.is_dir():
            raise NotFoundError("there is no such folder; give the one that holds store.sqlite", str(path))
        found = [name for name in (SQLITE, DUCKDB) if (path / name).is_file()]
        if not found:
            raise NotFoundError(f"holds no store of nirs4all: neither {SQLITE} nor {DUCKDB}", str(path))
        self.path, self.file = path, found[0]
        self.others = found[1:]
        self._before = self.state()
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._connection: _Connection | None = None
        try:
            database = self._readable(path / self.file)
            self._connection = self._opened(database)
            self.version = self._version()
            self.tables = self._tables()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database, and drop the copy of it where one was needed."""
        if self._connection is not None:
            self._connection.close()
        if self._copies is not None:
            self._copies.cleanup()

    def state(self) -> dict[str, tuple[int, int]]:
        """Return size and modification time of the database and of all arrays, by name.

        A log without rows, and the index of one, come and go with whoever looks at the database.
        """
        beside = [
            self.file + end for end in _BESIDE if end != "-shm" and _size(self.path / (self.file + end))
        ]
        names = [self.file, *beside]
        names += [f"arrays/{file.name}" for file in self.array_files()]
        state = {}
        for name in names:
            with suppress(FileNotFoundError):
                found = (self.path / name).stat()
                state[name] = found.st_size, found.st_mtime_ns
        return state

    def check_unchanged(self) -> None:
        """Check that nothing was written to the store since it was opened.

        Raises:
            ConflictError: It was written to; what was read may not belong together.
        """
        if self.state() != self._before:
            raise ConflictError(
                "changed while it was read; import it again once nirs4all is done with it", str(self.path)
            )

    def array_files(self) -> list[Path]:
        """Return the files of arrays, sorted by name."""
        return sorted(path for path in (self.path / "arrays").glob("*.parquet") if files.is_file(path))

    @property
    def place(self) -> str:
        """The path of the database, for messages."""
        return str(self.path / self.file)

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table in the order in which they were written; none where it is missing."""
        columns = self.tables.get(table)
        if columns is None:
            return
        order = " ORDER BY rowid"
        for batch in self.select(f"SELECT {_listed(columns)} FROM {_quoted(table)}{order}"):  # noqa: S608
            for row in batch:
                yield dict(zip(columns, row, strict=True))

    def count(self, table: str) -> int:
        """Return the number of rows of a table; 0 where it is missing."""
        if table not in self.tables:
            return 0
        return int(self._fetch(f"SELECT count(*) FROM {_quoted(table)}")[0][0])  # noqa: S608

    def of_runs(self, table: str, run_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table that name one of some runs, in the order of their writing."""
        return self._naming(table, "run_id", run_ids)

    def of_pipelines(self, table: str, pipeline_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table that name one of some pipelines, in the order of their writing."""
        return self._naming(table, "pipeline_id", pipeline_ids)

    def _naming(self, table: str, column: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        columns = self.tables.get(table)
        if columns is None or column not in columns:
            return
        each = _EACH[self.file]
        query = f"SELECT {_listed(columns)} FROM {_quoted(table)} WHERE {column} IN ({each}) ORDER BY rowid"  # noqa: S608
        for batch in self.select(query, [self._as_list(ids)]):
            for row in batch:
                yield dict(zip(columns, row, strict=True))

    def used_columns(self, table: str) -> list[str]:
        """Return the columns of a table that are not null in every row."""
        columns = self.tables[table]
        counts = ", ".join(f"count({_quoted(name)})" for name in columns)
        found = self._fetch(f"SELECT {counts} FROM {_quoted(table)}")[0]  # noqa: S608
        return [name for name, number in zip(columns, found, strict=True) if number]

    def column_batches(self, table: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield some columns of all rows of a table, a batch at a time."""
        yield from self.select(f"SELECT {_listed(columns)} FROM {_quoted(table)} ORDER BY rowid")  # noqa: S608

    def predictions(self, columns: Sequence[str], ids: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return columns of the predictions with the given ids, in any order."""
        query = f"SELECT {_listed(columns)} FROM predictions WHERE prediction_id IN ({_EACH[self.file]})"  # noqa: S608
        return self._fetch(query, [self._as_list(ids)])

    def _as_list(self, values: Sequence[str]) -> object:
        """Return texts as the parameter of a query that asks for each of them."""
        return list(values) if self.file == DUCKDB else json.dumps(list(values))

    def write_arrays(self, target: Path) -> None:
        """Write the arrays that the database of nirs4all 0.7 holds to a Parquet file."""
        self._fetch("COPY prediction_arrays TO ? (FORMAT parquet)", [str(target)])

    def select(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, a batch at a time."""
        with _Reading(self.place):
            done = 0
            cursor = self._cursor(query, parameters)
            while True:
                try:
                    batch = cursor.fetchmany(_BATCH)
                except sqlite3.OperationalError as error:
                    cursor = self._cursor_for_odd_texts(error, query, parameters)
                    for _ in range(done):
                        cursor.fetchone()
                    continue
                if not batch:
                    return
                done += len(batch)
                yield batch

    def _fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return [row for batch in self.select(query, parameters) for row in batch]

    def _cursor_for_odd_texts(
        self, error: sqlite3.OperationalError, query: str, parameters: Sequence[Any]
    ) -> Any:  # noqa: ANN401 - a cursor
        """Run a query again with texts that are not UTF-8 written out; raise any other error."""
        connection = self._connection
        if not isinstance(connection, sqlite3.Connection) or connection.text_factory is _text:
            raise error
        connection.text_factory = _text
        return self._cursor(query, parameters)

    def _cursor(self, query: str, parameters: Sequence[Any]) -> Any:  # noqa: ANN401 - of either database
        connection = self._connection
        if connection is None:
            raise ValueError("the store is closed")
        # A connection of DuckDB has one cursor itself.
        made = connection.cursor() if self.file == DUCKDB else connection  # type: ignore[attr-defined]
        return made.execute(query, parameters) if parameters else made.execute(query)

    def _readable(self, database: Path) -> Path:
        """Return a file that can be opened without a trace: a copy where a log waits beside it."""
        for _ in range(_ATTEMPTS):
            waiting = [end for end in _BESIDE if _size(Path(f"{database}{end}"))]
            before = self.state()
            if not waiting:
                return database
            self._copies = tempfile.TemporaryDirectory(prefix="n4w-store-")
            copy = Path(self._copies.name, database.name)
            for end in ("", *waiting):
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{database}{end}", f"{copy}{end}")
            if self.state() == before:
                self._before = before
                return copy
            self._copies.cleanup()
        raise ConflictError("is being written to; import it once nirs4all is done with it", str(database))

    def _opened(self, database: Path) -> _Connection:
        if self.file == DUCKDB:
            return _duckdb(database, self.place)
        is_copy = database.parent != self.path
        mode = "mode=rw" if is_copy else "mode=ro&immutable=1"
        with _Reading(self.place):
            # One thread at a time reads, not always the same.
            name = f"file:{quote(os.fsencode(database))}?{mode}"
            return sqlite3.connect(name, uri=True, check_same_thread=False)

    def _version(self) -> int | None:
        if self.file == DUCKDB:
            return None
        version = int(self._fetch("PRAGMA user_version")[0][0])
        if version not in VERSIONS:
            raise SchemaError(
                f"its user_version is {version}; expected that of nirs4all 0.8.4 to 1.4, "
                f"one of {', '.join(map(str, VERSIONS))}",
                self.place,
            )
        return version

    def _tables(self) -> dict[str, list[str]]:
        if self.file == DUCKDB:
            listed = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
        else:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = {}
        for (name,) in self._fetch(listed):
            tables[name] = [str(row[1]) for row in self._fetch(f"PRAGMA table_info({_quoted(name)})")]
        missing = [name for name in _NEEDED if name not in tables]
        if missing:
            raise SchemaError(
                f"has no table {', '.join(missing)}, which stores of nirs4all 0.7 to 1.4 have", self.place
            )
        return tables


class _Reading:
    """Errors of a database become errors of this package."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise what the error means."""
        if error is None or not (isinstance(error, sqlite3.Error) or _is_of_duckdb(error)):
            return
        raise CorruptFileError(f"cannot be read: {error}", self._place) from error


def _is_of_duckdb(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb")


def _duckdb(database: Path, place: str) -> _Connection:
    try:
        import duckdb
    except ImportError as error:
        message = (
            f"{place}: stores of nirs4all 0.7 and 0.8 need DuckDB: pip install nirs4all-workspace[duckdb]"
        )
        raise ImportError(message) from error
    with _Reading(place):
        connection: _Connection = duckdb.connect(
            str(database), read_only=True, config={"temp_directory": "", "threads": 2}
        )
    return connection


def _text(content: bytes) -> str:
    """Return a text of SQLite; bytes that are not UTF-8 are written out as escapes."""
    return content.decode("utf-8", "backslashreplace")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _quoted(name: str) -> str:
    """Return a name of a table or column as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(_quoted, columns))
