"""All rows with their `scores` as a struct, in place of the JSON text."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace.predictions import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

_COLUMN = "scores"
# The fields of the struct.
_PARTS = ("train", "val", "test")


def scan_with_scores(root: Path, *, live: bool, partial: bool) -> pl.LazyFrame:
    """Return all rows; which fields the struct has is looked up once, at the first look at the schema."""
    from polars.io.plugins import register_io_source

    scanned = _ScanWithScores(root, live=live, partial=partial)
    return register_io_source(scanned.read, schema=scanned.schema)


class _ScanWithScores:
    """The source of one frame: a scan whose column `scores` is parsed."""

    def __init__(self, root: Path, *, live: bool, partial: bool) -> None:
        self._root = root
        self._live = live
        self._partial = partial
        self._scanned = scan.Scan(root, live=live, partial=partial, with_file=False)
        self._lock = threading.Lock()
        self._names: list[str] | None = None

    def _score_names(self) -> list[str]:
        with self._lock:
            if self._names is None:
                names = set(_native.score_names(self._root, live=self._live))
                if self._partial:
                    for frame in self._scanned.read([_COLUMN], None, None, None):
                        names.update(_native.score_names_in(frame))
                self._names = sorted(names)
            return self._names

    def schema(self) -> pl.Schema:
        """Return the columns of a scan, `scores` as a struct of structs of numbers."""
        import polars as pl

        fields: dict[str, dict[str, pl.DataType]] = {part: {} for part in _PARTS}
        for name in self._score_names():
            _, part, metric = name.split(".", 2)
            fields[part][metric] = pl.Float64()
        # A struct without fields is none in Arrow.
        parts = {part: pl.Struct(kinds) if kinds else pl.Null() for part, kinds in fields.items()}
        return pl.Schema({**self._scanned.schema(), _COLUMN: pl.Struct(parts)})

    def read(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows; `n_rows` limits them before the predicate."""
        import polars as pl

        shown = list(self.schema()) if columns is None else columns
        names = scan.names_in(predicate)
        is_late = _COLUMN in names
        asked = [*shown, *(name for name in names if name not in shown)] if is_late else shown
        early = None if is_late else predicate
        for frame in self._scanned.read(asked, early, n_rows, batch_size):
            made = frame
            if _COLUMN in asked:
                rows = _native.score_structs(frame.select(_COLUMN), self._score_names())
                parts = [pl.DataFrame(batch) for batch in rows] or [
                    pl.DataFrame(schema={_COLUMN: self.schema()[_COLUMN]})
                ]
                made = frame.with_columns(pl.concat(parts)[_COLUMN])
            if is_late and predicate is not None:
                made = made.filter(predicate)
            yield made.select(shown)
