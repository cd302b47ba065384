"""Counting rows of spectra and targets: where one file leaves two counts, two files together leave one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import header, tokens
from nirs4all_workspace.datasets.inspect.dialect import Dialect
from nirs4all_workspace.datasets.inspect.header import Header
from nirs4all_workspace.datasets.inspect.table_profile import TableProfile
from nirs4all_workspace.datasets.inspect.text import Text

if TYPE_CHECKING:
    from pathlib import Path

_MANY_BLANKS = 1000


@dataclass
class Rows:
    """The rows of a table, as far as they are settled.

    Attributes:
        table: The profile of the file.
        header: What the table says about its first row.
        has_header: Whether the first row names the columns; None where undecided.
        count: Number of rows; None where undecided.
        skipped: Number of rows above the first sample.
        notes: What was inferred, and what could not be determined.
        is_contradicted: Whether the other file contradicts what the table says about its header.
        is_spectra: Whether the table holds spectra.
    """

    table: TableProfile
    header: Header
    has_header: bool | None = None
    count: int | None = None
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    is_contradicted: bool = False
    is_spectra: bool = False

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.table.path.name

    def with_end(self) -> list[tuple[bool, int, int]]:
        """The readings in which lines of separators at the end are samples without values."""
        table, found = self.table, []
        for has_header, count, skipped in self.options():
            found += [(has_header, count + extra + 1, skipped) for extra in range(table.end_separators)]
        return found

    def options(self) -> list[tuple[bool, int, int]]:
        """The readings that fit the table alone: is there a header, rows, rows above the first sample."""
        table, found = self.table, []
        known = self.header.is_header
        for has_header in (True, False) if known is None else (known,):
            count = table.rows - has_header
            blanks = table.inner_separators
            if len(table.columns) == 1:
                blanks = table.inner_blanks + table.end_blanks
                blanks += 0 if has_header else table.lead_blanks
            extras = range(blanks + 1) if blanks < _MANY_BLANKS else (0, blanks)
            found += [(has_header, count + extra, int(has_header)) for extra in extras]
            if has_header and self.has_scale_below():
                found.append((True, count - 1, 2))
        return found

    def has_scale_below(self) -> bool:
        """Return whether the second row looks like wavelengths below a line about something else."""
        numbers = [tokens.any_number(token) for token in self.table.second]
        known = [value for value in numbers if value is not None]
        if not self.is_spectra or len(known) < len(numbers) or len(known) < 2 or not tokens.is_ordered(known):
            return False
        if any(tokens.wavelength(token) is not None for token in self.table.first):
            return False
        return header.is_far(known, self.table.low_below, self.table.high_below)


def of(table: TableProfile, *, are_spectra: bool) -> Rows:
    """Return what a table alone determines; `settle` counts its rows."""
    return Rows(table, header.detect(table, are_spectra=are_spectra), is_spectra=are_spectra)


def fixed(path: Path, count: int, *, are_spectra: bool) -> Rows:
    """Return the rows of a file that states their number."""
    table = TableProfile(Text(path), Dialect("", 1), rows=count + 1)
    return Rows(table, Header(True, is_sure=True), is_spectra=are_spectra)


def settle(x: Rows | None, y: Rows | None) -> None:
    """Settle headers and counts of spectra and the targets beside them, where both exist."""
    if x and y:
        _together(x, y)
    elif one := x or y:
        _alone(one)


def settle_beside(x: Rows, known: Rows | None) -> None:
    """Settle spectra beside spectra or targets whose rows are counted."""
    options = [option for option in x.options() if known and option[1] == known.count]
    plain = [option for option in options if _is_plain(x, option)] or options
    if len(plain) == 1:
        x.has_header, x.count, x.skipped = plain[0]
        _say(x)
    else:
        _alone(x)


def _together(x: Rows, y: Rows) -> None:
    pairs = [(of_x, of_y) for of_x in x.options() for of_y in y.options() if of_x[1] == of_y[1]]
    pairs += [(of_x, of_y) for of_x in x.with_end() for of_y in y.options() if of_x[1] == of_y[1]]
    pairs += [(of_x, of_y) for of_x in x.options() for of_y in y.with_end() if of_x[1] == of_y[1]]
    plain = [pair for pair in pairs if _is_plain(x, pair[0]) and _is_plain(y, pair[1])]
    is_alone = y.table.rows == 1 and y.header.is_header is None  # a name above a blank, or a class
    if plain and x.header.is_header is not None and not is_alone:
        pairs = plain
    if not pairs:
        _mismatch(x, y)
        return
    for rows, options in ((x, [pair[0] for pair in pairs]), (y, [pair[1] for pair in pairs])):
        if len(set(options)) == 1:
            rows.has_header, rows.count, rows.skipped = options[0]
            _say(rows)
        elif rows is y and len({option[0] for option in options}) == 1 and options[0][2] < 2:
            # Blank lines may be missing values or nothing; statistics are equal in both cases.
            rows.has_header, _, rows.skipped = options[0]
            rows.count = rows.table.rows - rows.skipped
        else:
            if len({option[1] for option in options}) == 1:
                rows.count = options[0][1]
            rows.notes.append(f"{rows.name}: {rows.header.why or 'its number of rows is undetermined'}")


def _is_plain(rows: Rows, option: tuple[bool, int, int]) -> bool:
    has_header, count, skipped = option
    return count == rows.table.rows - has_header and skipped == has_header


def _say(rows: Rows) -> None:
    """Add notes on what other files or blank lines have settled."""
    table = rows.table
    if rows.has_header and rows.header.is_header is None:
        rows.notes.append(
            f"the first line of {rows.name} names its columns: it is one too many beside the other file"
        )
    extra = (rows.count or 0) - (table.rows - rows.skipped)
    if extra > 0:
        rows.notes.append(f"{extra} blank lines of {rows.name} are samples without values")
    if rows.skipped > 1:
        rows.notes.append(f"line {table.first_line} of {rows.name} stands above its header")


def _alone(rows: Rows) -> None:
    table = rows.table
    rows.has_header = rows.header.is_header
    if rows.has_header is None:
        rows.notes.append(f"{rows.name}: {rows.header.why}")
        return
    if rows.has_header and rows.has_scale_below():
        where = f"line {table.second_line} of {rows.name}"
        rows.notes.append(f"{where} may be wavelengths below line {table.first_line}, or a sample")
        return
    if table.inner_separators:
        rows.notes.append(f"{table.inner_separators} lines of separators in {rows.name} may be samples")
        return
    if rows.is_spectra and table.inner_blanks and len(table.columns) == 1:
        rows.notes.append(f"{table.inner_blanks} blank lines in {rows.name} may be samples without values")
        return
    rows.skipped = int(rows.has_header)
    rows.count = table.rows - rows.skipped


def _mismatch(x: Rows, y: Rows) -> None:
    """Handle counts that do not match: what a file determines for certain stays, the rest is undetermined."""
    if _stands(x, {option[1] for option in y.options()}):
        _alone(x)
    else:
        x.notes.append(f"{x.name}: its rows do not match those of {y.name}, {_why_not(x, y)}")
    counts = {x.count} if x.count is not None else {option[1] for option in x.options()}
    if y.header.is_header is not None:
        y.has_header, y.skipped = y.header.is_header, int(y.header.is_header)
        y.count = y.table.rows - y.skipped
    y.is_contradicted = not _stands(y, counts) and not _names(y)
    told = y.count if y.count is not None else f"{y.table.rows - 1} or {y.table.rows}"
    beside = x.count if x.count is not None else f"{x.table.rows - 1} or {x.table.rows}"
    y.notes.append(f"{y.name} has {told} rows beside {beside} spectra")


def _why_not(x: Rows, y: Rows) -> str:
    """Return whether the rows would match if a first line were not what it looks like."""
    every = [{rows.table.rows, rows.table.rows - 1} for rows in (x, y)]
    if every[0] & every[1]:
        return "unless a first line is a sample that looks like names, or the other way round"
    return "whether its first line is a sample or not"


def _stands(rows: Rows, counts: set[int]) -> bool:
    """Return whether a header is what its own table says, whatever the other table counts."""
    if rows.header.is_header is None:
        return False
    other = rows.table.rows - (not rows.header.is_header)
    return (rows.header.is_sure and rows.header.is_header is True and rows.is_spectra) or other not in counts


def _names(y: Rows) -> bool:
    """Return whether the first row certainly holds names, or numbers used as names."""
    if y.header.is_header:
        return all(len(token) > 2 and token.replace("_", "a").isidentifier() for token in y.table.first)
    return False
