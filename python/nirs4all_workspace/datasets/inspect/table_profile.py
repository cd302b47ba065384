"""The profile of a text table, made in one pass: rows, missing values, texts, and how numbers are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import dialect, tokens
from nirs4all_workspace.datasets.inspect.dialect import Dialect
from nirs4all_workspace.datasets.inspect.text import Undecided, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nirs4all_workspace.datasets.inspect.text import Text

_MOST_SEPARATORS = 100

Place = tuple[int, str]  # a line number and a field in that line


@dataclass
class Column:
    """The profile of a column below the first row.

    Attributes:
        numbers: How many numbers, not counting rows that are all numbers.
        missing: Place of the first missing value.
        text: Place of the first text that is not numeric.
        texts: How many texts that are not numeric.
        is_filled: Whether any field is not empty, including the first row.
    """

    numbers: int = 0
    missing: Place | None = None
    text: Place | None = None
    texts: int = 0
    is_filled: bool = False


@dataclass
class TableProfile:
    """The profile of a text table.

    Attributes:
        text: The file.
        dialect: The dialect of its lines.
        first: The fields of the first row, and its line number.
        second: The fields of the second row, and its line number.
        rows: Number of rows, including the first; blank lines are not counted.
        columns: The profile of each column below the first row.
        full_rows: Rows below the first that hold numbers only.
        rows_with_missing: Rows below the first with a missing value.
        low: The smallest number below the first row.
        high: The largest number below the first row.
        low_below: The smallest number below the second row.
        high_below: The largest number below the second row.
        inner_blanks: Blank lines above the last row, including lines of separators.
        inner_separators: Lines of separators only, above the last row.
        end_blanks: Blank lines below the last row.
        end_separators: Lines of separators only, below the last row.
        lead_blanks: Blank lines above the first row.
        first_blank: The first blank line below the first row.
        repeated: The line of a row equal to the first one.
        text_row: The first line that holds texts where the others have numbers.
        text_rows: How many lines hold texts where the others have numbers.
        marks: The place of each decimal mark's first use: certain ones, and those between 1 and 3 digits.
        is_grouped: Whether thousands are certainly grouped.
        head: First and last number of the first column below the first row, as long as it is a scale.
        rises: Whether the first column strictly rises below the first row.
        falls: Whether the first column strictly falls below the first row.
        counts: Whether the first column rises by 1.
        has_ordered: Whether any row below the first strictly rises or falls.
        is_trimmed: Whether the only row ends with separators, which may be missing values.
        beside: The largest magnitude beside the first column, as long as that is a scale.
        has_row_names: Whether the first row has no field above the first column.
        hint: The decimal mark of the files beside it, where it is known.
    """

    text: Text
    dialect: Dialect
    first: list[str] = field(default_factory=list)
    first_line: int = 0
    second: list[str] = field(default_factory=list)
    second_line: int = 0
    rows: int = 0
    columns: list[Column] = field(default_factory=list)
    full_rows: int = 0
    rows_with_missing: int = 0
    low: float = math.inf
    high: float = -math.inf
    low_below: float = math.inf
    high_below: float = -math.inf
    inner_blanks: int = 0
    inner_separators: int = 0
    end_blanks: int = 0
    end_separators: int = 0
    lead_blanks: int = 0
    first_blank: int | None = None
    repeated: int | None = None
    text_row: int | None = None
    text_rows: int = 0
    marks: dict[tuple[str, bool], Place] = field(default_factory=dict)
    is_grouped: bool = False
    head: list[float] = field(default_factory=list)
    rises: bool = True
    falls: bool = True
    counts: bool = True
    beside: float = 0.0
    has_ordered: bool = False
    is_trimmed: bool = False
    has_row_names: bool = False
    hint: str | None = None

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.text.path

    @property
    def decimal(self) -> str | None:
        """The decimal mark: a point where no number has a mark; None where two readings fit."""
        sure = {mark for mark, either in self.marks if not either}
        doubtful = {mark for mark, either in self.marks if either}
        if len(sure) == 2:
            return None
        if sure:
            (mark,) = sure
            return mark if doubtful <= {mark} or self.is_grouped else None
        if len(doubtful) == 2:
            return None
        if doubtful == {","}:
            return self.hint if self.hint == "," else None
        return None if doubtful and self.hint == "," else "."

    @property
    def why_no_decimal(self) -> str:
        """The fields that leave `decimal` undecided, in words."""
        where = [f"{token!r} in line {line}" for (line, token) in self.marks.values()]
        return f"decimal mark or thousands: {' and '.join(where)} of {self.path.name}"

    def is_numeric(self, index: int) -> bool:
        """Return whether a column holds numbers below the first row, and no text."""
        return not self.columns[index].texts and self.has_numbers(index)

    def has_numbers(self, index: int) -> bool:
        """Return whether a column holds any number below the first row."""
        return bool(self.full_rows or self.columns[index].numbers)

    def take_first(self) -> None:
        """Take the first row as data: its numbers show their decimal mark too."""
        for token in self.first:
            if tokens.any_number(token) is not None:
                _add_mark(self, self.first_line, token)

    def data(self, skip: int) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows below the first `skip` ones, each with its line number."""
        for number, (line, row) in enumerate(_rows(self.text, self.dialect)):
            if number >= skip:
                yield line, row


def profile_table(path: Path, hint: str | None = None) -> TableProfile:
    """Read a text table once and return its profile.

    Args:
        path: The file.
        hint: The decimal mark of the files beside it, where it is known.

    Raises:
        Undecided: The file is not text or not a table, or two readings fit.
        OSError: The file cannot be read.
    """
    text = open_text(path)
    layout = _layout(text, hint)
    found = TableProfile(text, layout, hint=hint)
    if layout.skipped:
        text.notes.append(f"the first {layout.skipped} lines of {path.name} were taken for a comment")
        if (number := _marked_line(text, layout.skipped)) is not None:
            what = "tells Excel the separator, and nirs4all takes it for a row; remove it"
            text.notes.append(f"line {number} of {path.name} {what}")
    blanks = separators = 0
    for line, row in _all_rows(text, layout):
        if not any(row):
            blanks += 1
            if found.rows:
                found.first_blank = found.first_blank or line
            separators += len(row) > 1
            continue
        if found.rows:
            found.inner_blanks += blanks
            found.inner_separators += separators
        else:
            found.lead_blanks = blanks
        blanks = separators = 0
        _add(found, line, row)
    found.end_blanks = blanks
    found.end_separators = min(separators, _MOST_SEPARATORS)
    if 2 * found.text_rows >= found.rows - 1:
        found.text_row = None
    _drop_trailing(found)
    return found


def _marked_line(text: Text, skipped: int) -> int | None:
    """Return the number of the line above the table that tells Excel the separator; None without one."""
    for number, line in enumerate(text.lines(), 1):
        if dialect.separator_mark(line) is not None:
            return number
        skipped -= bool(line.strip())
        if skipped <= 0:
            break
    return None


def _layout(text: Text, hint: str | None) -> Dialect:
    first = dialect.sample(text.lines())
    if not all(map(dialect.is_comment, first)):
        return dialect.detect(first, hint)
    below, comments = dialect.below_comments(text.lines())
    try:
        layout = dialect.detect(first, hint)
    except Undecided:
        layout = None
    if layout and dialect.has_numbers(first, layout.separator):  # names of samples begin with #
        return layout
    if not below:
        raise Undecided("all of its lines are comments")
    found = dialect.detect(below, hint)
    return Dialect(found.separator, found.width, found.skipped + comments)


def _all_rows(text: Text, layout: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield all rows below the comments, including blank ones."""
    left = layout.skipped
    above = 0
    lines = text.lines()
    while left:
        left -= bool(next(lines).strip())
        above += 1
    for line, row in dialect.split(lines, layout.separator):
        yield line + above, row


def _rows(text: Text, layout: Dialect) -> Iterator[tuple[int, list[str]]]:
    width = layout.width
    for number, (line, row) in enumerate(row for row in _all_rows(text, layout) if any(row[1])):
        if number and len(row) != width:
            row = _fitted(row, width, line)
        yield line, row


def _fitted(row: list[str], width: int, line: int) -> list[str]:
    if len(row) == width + 1 and not row[-1]:
        return row[:-1]
    if len(row) == width - 1 and width > 1:
        return [*row, ""]
    raise Undecided(f"line {line} has {len(row)} fields, where others have {width}")


def _add(found: TableProfile, line: int, row: list[str]) -> None:
    found.rows += 1
    if found.rows == 1:
        found.first, found.first_line = row, line
        found.columns = [Column() for _ in range(found.dialect.width)]
        return
    width = found.dialect.width
    if len(row) != width:
        row = _fitted(row, width, line)
        if not row[-1] and (found.full_rows or found.columns[-1].is_filled):
            raise Undecided(f"line {line} has {width - 1} fields, where others have {width}")
    if found.rows == 2:
        found.second, found.second_line = row, line
    if row == found.first and found.repeated is None:
        found.repeated = line
    numbers = _fast(found, row)
    if numbers is None:
        numbers = _slow(found, line, row)
        first = tokens.any_number(row[0])
    else:
        found.full_rows += 1
        first = numbers[0]
    if numbers:
        low, high = min(numbers), max(numbers)
        found.low, found.high = min(found.low, low), max(found.high, high)
        if found.rows > 2:
            found.low_below, found.high_below = min(found.low_below, low), max(found.high_below, high)
    if not found.has_ordered and tokens.is_ordered(numbers[:5]):
        found.has_ordered = tokens.is_ordered(numbers)
    if found.rises or found.falls:
        _follow(found, first, numbers)


def _follow(found: TableProfile, first: float | None, numbers: list[float]) -> None:
    """Track the first column, which may be a scale."""
    if first is None or not math.isfinite(first):
        found.rises = found.falls = found.counts = False
        return
    found.beside = max(found.beside, *map(abs, numbers[1:]), 0.0)
    if len(found.head) == 2:
        found.rises &= first > found.head[1]
        found.falls &= first < found.head[1]
        found.counts &= first == found.head[1] + 1
        found.head[1] = first
    else:
        found.head = [first, first]


def _fast(found: TableProfile, row: list[str]) -> list[float] | None:
    """Return the numbers of a row with numbers only, whose decimal marks are certain and equal; else None."""
    joined = " ".join(row)
    if not joined.isascii() or "_" in joined:
        return None
    if "," in joined:
        if "." in joined or joined.count(" ") >= len(row) or (",", False) not in found.marks:
            return None
        row = joined.replace(",", ".").split(" ")
    elif "." in joined and (".", False) not in found.marks:
        return None
    try:
        numbers = list(map(float, row))
    except ValueError:
        return None
    return numbers if math.isfinite(sum(numbers)) else None


def _slow(found: TableProfile, line: int, row: list[str]) -> list[float]:
    numbers = []
    missing = texts = 0
    for column, token in zip(found.columns, row, strict=True):
        if token and not column.is_filled:
            column.is_filled = True
        if tokens.is_missing(token):
            missing += 1
            column.missing = column.missing or (line, token)
        elif (value := tokens.any_number(token)) is None:
            if "\n" in token:
                raise Undecided(f"a field goes over several lines, up to line {line}")
            if not found.dialect.separator and dialect.has_fields(token):
                raise Undecided(f"line {line} has several fields, where the first lines have one")
            texts += 1
            column.texts += 1
            column.text = column.text or (line, token)
        else:
            column.numbers += 1
            _add_mark(found, line, token)
            if math.isfinite(value):
                numbers.append(value)
    found.rows_with_missing += bool(missing)
    if texts > 1 and 2 * texts > len(row) - missing:
        found.text_rows += 1
        found.text_row = found.text_row or line
    return numbers


def _add_mark(found: TableProfile, line: int, token: str) -> None:
    mark, either = tokens.decimal_mark(token)
    if mark and (mark, either) not in found.marks:
        found.marks[mark, either] = (line, token)
    found.is_grouped = found.is_grouped or tokens.is_grouped(token)


def _drop_trailing(found: TableProfile) -> None:
    """Drop the columns made by separators at the ends of lines, and detect row names."""
    width, names = found.dialect.width, len(found.first)
    empty = 0
    if not found.full_rows:
        for column in reversed(found.columns):
            if column.is_filled:
                break
            empty += 1
    if found.rows == 1:
        empty = width
    named = names
    while named and not found.first[named - 1]:
        named -= 1
    keep = max(width - empty, min(named, width), 1)
    if names == width - 1 and not empty:
        # Row names as R writes them and pandas reads them.
        found.has_row_names = True
        found.first = ["", *found.first]
        where = f"line {found.first_line} of {found.path.name} has one field less than the others"
        found.text.notes.append(f"{where}: the first column is taken for row names")
        return
    if keep < width or names > width:
        found.is_trimmed = found.rows == 1
        found.text.notes.append(f"separators end the lines of {found.path.name} without making a column")
    found.columns = found.columns[:keep]
    found.first = (found.first + [""] * keep)[:keep]
    found.second = found.second[:keep]
