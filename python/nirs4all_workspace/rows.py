"""All rows of a workspace as one Polars LazyFrame, whatever files they lie in."""

from __future__ import annotations

import contextlib
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

# So often a listing is repeated because a listed file was replaced meanwhile.
_RESTARTS = 20


# A column that says after which dataset a row's file is named; of segments it says nothing of use.
FILE = "n4w:file"
# The place of a row in its file.
_ROW = "n4w:row"
# Of a hidden part that goes on to the end of its file.
_END = 2**64 - 1


def scan(root: Path, *, live: bool, partial: bool, with_file: bool = False) -> pl.LazyFrame:
    """Return all rows, with `FILE` if asked; files are listed when the frame is collected, not before."""
    import polars as pl
    from polars.io.plugins import register_io_source

    planned: dict[str, Any] = {}

    def schema() -> pl.Schema:
        planned.clear()
        planned.update(_whole(root, live, partial, with_file).collect_schema())
        return pl.Schema(planned)

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for attempt in range(_RESTARTS + 1):
            has_yielded = False
            try:
                frame = _with_columns(_whole(root, live, partial, with_file), planned)
                frame = frame if predicate is None else frame.filter(predicate)
                frame = frame if columns is None else frame.select(columns)
                frame = frame if n_rows is None else frame.head(n_rows)
                for batch in frame.collect_batches(chunk_size=batch_size):
                    has_yielded = True
                    yield batch
            except FileNotFoundError:
                if has_yielded or attempt == _RESTARTS:
                    raise
            else:
                return

    return register_io_source(
        source, schema=schema, explain_name="nirs4all-workspace", explain_detail=str(root)
    )


def _whole(root: Path, live: bool, partial: bool, with_file: bool) -> pl.LazyFrame:
    for _ in range(_RESTARTS):
        # An empty journal goes when its writer closes.
        with contextlib.suppress(FileNotFoundError):
            return _listed(root, live, partial, with_file)
    return _listed(root, live, partial, with_file, is_last=True)


def _listed(root: Path, live: bool, partial: bool, with_file: bool, is_last: bool = False) -> pl.LazyFrame:
    import polars as pl

    names, hidden = _native.list_live(root, live=live)
    journals = [name for name in names if name.endswith(".journal")]
    sealed = [root / name for name in names if not name.endswith(".journal") and name not in hidden]
    partly = [name for name in names if not name.endswith(".journal") and name in hidden]
    of_file = {FILE: pl.String()} if with_file else {}
    frames = [pl.LazyFrame(schema=_schema(_native.row_schema()) | of_file)]
    frames += [_of_files(paths, with_file) for paths in _by_schema(sealed, is_last)]
    for name in partly:
        for paths in _by_schema([root / name], is_last):
            frames.append(_live(_of_files(paths, with_file, with_row=True), hidden[name]).drop(_ROW))
    for name, finished in _native.list_partial(root, live=live) if partial else ():
        for paths in _by_schema([root / name], is_last):
            frames.append(_live(_of_files(paths, with_file), [(0, _END, finished)] if finished else []))
    for name in journals:
        frame = _of_journal(root / name)
        frames.append(_live(frame, hidden[name]) if name in hidden else frame)
    return pl.concat(frames, how="diagonal_relaxed")


def _by_schema(paths: list[Path], is_last: bool) -> list[list[Path]]:
    """Group files of equal columns; a file that cannot be used is left out with a warning.

    Raises:
        FileNotFoundError: A file vanished since it was listed, and it is not the last time to look.
    """
    import polars as pl

    groups: dict[str, dict[str | None, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path, footer in zip(paths, _native.read_footers(paths), strict=True):
        if isinstance(footer, FileNotFoundError) and not is_last:
            raise footer
        if isinstance(footer, Exception):
            warnings.warn(f"left out: {footer}", stacklevel=2)
        else:
            written = footer["key_values"].get("ARROW:schema")
            groups[footer["schema_fingerprint"]][written].append(path)
    found: dict[object, list[Path]] = defaultdict(list)
    for fingerprint, alike in groups.items():
        for same in alike.values():
            # Polars reads what its writer meant, which may be categories where others have text.
            kinds = tuple(pl.read_parquet_schema(same[0]).items()) if len(alike) > 1 else ()
            found[fingerprint, kinds] += same
    return list(found.values())


def _live(frame: pl.LazyFrame, hidden: list[tuple[int, int, list[str] | None]]) -> pl.LazyFrame:
    """The rows of one file that are live, by what is hidden of it; of a journal only results are hidden."""
    import polars as pl

    columns = frame.collect_schema().names()
    for start, stop, results in hidden:
        is_hidden = pl.lit(True)
        if _ROW in columns and (start, stop) != (0, _END):
            is_hidden = (pl.col(_ROW) >= start) & (pl.col(_ROW) < stop)
        if results is not None:
            if "result_id" not in columns:
                continue
            is_hidden &= pl.col("result_id").is_in(results).fill_null(False)
        frame = frame.filter(~is_hidden)
    return frame


def _of_files(paths: list[Path], with_file: bool, with_row: bool = False) -> pl.LazyFrame:
    """The rows of files of equal columns, categories as text."""
    import polars as pl

    file = FILE if with_file else None
    row = _ROW if with_row else None
    frame = pl.scan_parquet(
        paths, glob=False, hive_partitioning=False, include_file_paths=file, row_index_name=row
    )
    if with_file:
        frame = frame.with_columns(pl.col(FILE).str.extract(r"([^/\\]*)\.meta\.parquet$"))
    kinds = frame.collect_schema().items()
    texts = [name for name, kind in kinds if isinstance(kind, pl.Categorical | pl.Enum)]
    return frame.with_columns(pl.col(texts).cast(pl.String)) if texts else frame


def _of_journal(path: Path) -> pl.LazyFrame:
    import polars as pl

    frames = [pl.read_ipc_stream(payload) for payload in frames_of(path, "rows")]
    return pl.concat(frames, how="diagonal_relaxed").lazy() if frames else pl.LazyFrame()


def frames_of(path: Path, kind: str) -> Iterator[bytes]:
    """Give the Arrow IPC streams of a journal, of its "rows" or "arrays"; damage is a warning."""
    place = None
    while True:
        payloads, place, damage = _native.read_frames(path, kind, place)
        yield from payloads
        if damage is not None:
            warnings.warn(f"{path}: {damage}", stacklevel=2)
        if place is None:
            return


def _with_columns(frame: pl.LazyFrame, planned: dict[str, Any]) -> pl.LazyFrame:
    """The columns that were planned, though files came or went since."""
    import polars as pl

    now = frame.collect_schema()
    columns = [
        (pl.col(name) if name in now else pl.lit(None)).cast(kind).alias(name)
        for name, kind in planned.items()
    ]
    return frame.select(columns)


def _schema(columns: list[tuple[str, str]]) -> dict[str, Any]:
    import polars as pl

    kinds = {"text": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "time": pl.Datetime("us", "UTC")}
    return {name: kinds[kind] for name, kind in columns}
