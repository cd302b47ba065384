"""Source files of spectra and targets, text or Parquet, behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import files, parquet, rows, spectra
from nirs4all_workspace.datasets.inspect.header import Header
from nirs4all_workspace.datasets.inspect.table_profile import profile_table
from nirs4all_workspace.datasets.inspect.text import Undecided

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.datasets.inspect.rows import Rows
    from nirs4all_workspace.datasets.inspect.spectra import Spectra
    from nirs4all_workspace.datasets.inspect.targets import Target


@dataclass
class Source:
    """A source file that was read once.

    Attributes:
        path: The file.
        rows: Its rows, as far as they are settled.
        is_parquet: Whether its columns have names and types.
        is_repeated: Whether another file has the same first line.
    """

    path: Path
    rows: Rows
    is_parquet: bool = False
    is_repeated: bool = False

    @property
    def decimal(self) -> str | None:
        """The decimal mark of its numbers; None where two readings fit."""
        return "." if self.is_parquet else self.rows.table.decimal

    @property
    def sure_decimal(self) -> str | None:
        """The decimal mark that its numbers show for certain."""
        sure = {mark for mark, either in self.rows.table.marks if not either}
        return self.decimal if sure and not self.is_parquet else None

    def find(self, *, is_matched: bool) -> Spectra:
        """Return which of its columns are spectra."""
        if self.is_parquet:
            return parquet.find(self.rows)
        return spectra.find(self.rows, is_matched=is_matched)

    def read_targets(self) -> list[Target]:
        """Return all columns of a Parquet file as targets."""
        return parquet.read_targets(self.path, list(parquet.schema(self.path)))


def open_source(path: Path, notes: list[str], *, are_spectra: bool, hint: str | None = None) -> Source | None:
    """Read a file once; a file that cannot be read gives None and a note.

    Args:
        path: The file.
        notes: Receives why it cannot be read.
        are_spectra: Whether it holds spectra, else targets.
        hint: The decimal mark of the files beside it, where it is known.
    """
    try:
        if files.is_parquet(path):
            return Source(path, parquet.open_rows(path, are_spectra=are_spectra), is_parquet=True)
        if files.is_text(path):
            return Source(path, rows.of(profile_table(path, hint), are_spectra=are_spectra))
        notes.append(f"{path.name} was not read: neither a CSV nor a Parquet file")
    except Undecided as error:
        notes.append(f"{path.name} was not read: {error}")
    except Exception as error:  # noqa: BLE001 -- Polars has no common error, and a bad file is one note
        notes.append(f"{path.name} could not be read: {str(error).partition(chr(10))[0]}")
    return None


def settle_part(x: list[Source | None], y: Source | None, notes: list[str]) -> list[Spectra | None]:
    """Count the rows of one partition, its sources and its targets, and find its spectra.

    Args:
        x: The sources of spectra; None for one that could not be read.
        y: The targets beside them.
        notes: Receives what was inferred, and what could not be determined.

    Returns:
        The spectra of each source.
    """
    known = [source for source in x if source]
    for source in known:
        if source.is_repeated and source.rows.header.is_header is None:
            source.rows.header = Header(True, is_sure=False)
    _settle_together([source.rows for source in known], y.rows if y else None)
    for source in [*known, *([y] if y else [])]:
        if source.rows.has_header is False:
            source.rows.table.take_first()
    is_matched = bool(y and y.rows.count is not None)
    found: list[Spectra | None] = []
    for one in x:
        if one is None:
            found.append(None)
            continue
        fits = is_matched and y is not None and one.rows.count == y.rows.count
        spectra_found = one.find(is_matched=fits)
        notes += spectra_found.notes
        found.append(spectra_found)
    if y:
        notes += [*([] if y.is_parquet else y.rows.table.text.notes), *y.rows.notes]
    return found


def _settle_together(x: list[Rows], y: Rows | None) -> None:
    """Settle each source with the targets, most informative source first."""
    if not x:
        rows.settle(None, y)
        return
    order = sorted(x, key=lambda one: (one.header.is_header is None, not one.header.is_sure))
    rows.settle(order[0], y)
    for one in order[1:]:
        other = y if y and y.count is not None else None
        rows.settle_beside(one, other or (order[0] if order[0].count is not None else None))
