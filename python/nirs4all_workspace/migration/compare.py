"""Comparing the source of a migration with its target: equal values on both sides, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.migration import tables
from nirs4all_workspace.migration.rows import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.migration.transfer import Transfer


def compare(transfer: Transfer, step: Callable[[int], object]) -> dict[str, int]:
    """Read a file and the segments made of it, and compare rows and arrays.

    Args:
        transfer: The transfer of the file, after it was moved.
        step: Called with the number of rows compared.

    Returns:
        A dict of rows, arrays (on both sides, distinct by content within a run) and differences: 0 where
        source and target are equal.
    """
    rows, digest = _digest_of_source(transfer, step)
    written, other = _digest_of_segments(transfer)
    arrays, stored, wrong = _compare_arrays(transfer)
    return {
        "source_rows": rows,
        "rows": written,
        "source_arrays": arrays,
        "arrays": stored,
        "differences": int(rows != written or digest != other) + wrong,
    }


def _digest_of_source(transfer: Transfer, step: Callable[[int], object]) -> tuple[int, int]:
    import polars as pl

    rows, digest = 0, 0
    for _, frame in transfer.file.whole(0, transfer.file.rows):
        renamed = transfer.renamed(frame.filter(pl.col(GROUP).is_not_null()))
        rows += renamed.height
        step(frame.height)
        digest += _digest(renamed, _columns(transfer))
    return rows, digest % 2**64


def _digest_of_segments(transfer: Transfer) -> tuple[int, int]:
    import polars as pl

    rows, digest = 0, 0
    for path in transfer.done.segments:
        schema, height = tables.outline(path)
        for _, frame in tables.batches(path, schema.names(), 0, height):
            if "source_id" in schema:
                frame = frame.with_columns(pl.coalesce("source_id", "id").alias("id"))
            rows += frame.height
            digest += _digest(frame, _columns(transfer))
    return rows, digest % 2**64


def _columns(transfer: Transfer) -> list[str]:
    """Return the columns of the source by their names in a segment."""
    return [*transfer.file.schema, *(f"source_{name}" for name in sorted(transfer.file.unfit))]


def _digest(frame: pl.DataFrame, columns: list[str]) -> int:
    """Return the sum over rows of a hash of all their values, so that order does not matter."""
    import polars as pl

    def plain(name: str) -> pl.Expr:
        if name not in frame.columns:
            return pl.lit(None, pl.String).alias(name)
        kind = frame.schema[name]
        if name == "id":
            return pl.col(name).fill_null("")
        if kind == pl.Null or kind == pl.Categorical or isinstance(kind, pl.Enum):
            return tables.column_of(name).cast(pl.String)
        if kind.is_nested():
            return pl.struct(tables.column_of(name)).struct.json_encode().alias(name)
        return tables.column_of(name)

    hashes = frame.select(plain(name) for name in columns).hash_rows(seed=11)
    return int(hashes.to_numpy().sum(dtype="uint64"))


def _compare_arrays(transfer: Transfer) -> tuple[int, int, int]:
    """Return the arrays that rows of the source name, the arrays stored, and how many differ."""
    ask = transfer.database.execute
    wrong = _compare_contents(transfer)
    ask("CREATE TABLE stored (new TEXT, segment INTEGER, PRIMARY KEY (new, segment)) WITHOUT ROWID")
    for number, path in enumerate(_array_files(transfer)):
        _, height = tables.outline(path)
        columns = ("array_id", "array_data", "array_shape", "array_type")
        for _, frame in tables.batches(path, columns, 0, height, size=4_096):
            contents_now = _native.array_ids(frame)
            wrong += sum(one != other for one, other in zip(frame["array_id"], contents_now, strict=True))
            rows = ((one, number) for one in contents_now)
            transfer.database.executemany("INSERT INTO stored VALUES (?, ?)", rows)
    ask("CREATE VIEW moved AS SELECT DISTINCT new, unit FROM named WHERE new IS NOT NULL")
    arrays = ask("SELECT count(*) FROM moved").fetchone()[0]
    stored = ask("SELECT count(*) FROM stored").fetchone()[0]
    lacking = ask("SELECT count(*) FROM moved WHERE new NOT IN (SELECT new FROM stored)").fetchone()[0]
    return arrays, stored, wrong + lacking + int(arrays != stored)


def _compare_contents(transfer: Transfer) -> int:
    """Return how many arrays have an id that is not their content's; also counts arrays not moved."""
    done, others = transfer.done, set()
    for path, frame in transfer.array_batches():
        olds = frame["array_id"].to_list()
        new = transfer.new_names(olds)
        contents: dict[str, set[str]] = {}
        for old, content in zip(olds, _native.array_ids(frame), strict=True):
            contents.setdefault(old, set()).add(content)
        differing = {old for old, name in new.items() if contents[old] != {name}}
        others |= differing
        if path == transfer.arrays:
            done.unnamed += len(contents) - len(new)
            done.repeated += len(differing)
    if not others:
        return 0
    # Where an id occurs several times, one matching content is enough.
    for _, frame in transfer.array_batches():
        part = frame.filter(frame["array_id"].is_in(list(others)))
        new = transfer.new_names(part["array_id"].to_list())
        pairs = zip(part["array_id"], _native.array_ids(part), strict=True)
        others -= {old for old, content in pairs if new[old] == content}
    return len(others)


def _array_files(transfer: Transfer) -> Iterator[Path]:
    for path in transfer.done.segments:
        root = path.parents[2]
        arrays = root / "arrays" / path.parent.name / path.name.replace(".meta.parquet", ".arrays.parquet")
        if arrays.is_file():
            yield arrays
