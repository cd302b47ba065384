"""The dialect of a text table: its separator and number of fields, detected from its first lines.

Where two readings fit, `Undecided` is raised with both.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import tokens
from nirs4all_workspace.datasets.inspect.text import LONGEST_LINE, Undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SAMPLE_LINES = 100
_SAMPLE_CHARS = 128 << 10
_FEWEST_LINES = 10
_MOST_COMMENTS = 100_000
_SEPARATORS = ";\t,| "
# No text contains it, so that a line is one field.
_NO_SEPARATOR = "\x1f"
# Programs that save such a file again fill up the fields of the line.
_MARK = re.compile(r"sep=(.)\1*\s*|\"sep=(.)\"[;\t,|]*\s*", re.I)
_FRACTION = re.compile(r"\d+([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Dialect:
    """The dialect of a text table.

    Attributes:
        separator: Between fields; empty for a single column; a blank for any number of blanks.
        width: Fields of a row.
        skipped: Comment lines above the table.
    """

    separator: str
    width: int
    skipped: int = 0


def split(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield rows of stripped fields, each with the number of its last line.

    Raises:
        Undecided: A quote is not closed, or a field is longer than any number.
    """
    mark = separator or _NO_SEPARATOR
    reader = csv.reader(lines, delimiter=mark, strict=True, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, [field.strip() for field in row]
    except csv.Error as error:
        raise Undecided(f"line {reader.line_num}: {error}") from error


class Line(str):
    """A line with its number."""

    number = 0


def sample(lines: Iterable[str], above: int = 0, known: list[str] | None = None) -> list[str]:
    """Return the first lines that are not blank, each with its number.

    Args:
        lines: The lines.
        above: Number of lines above these.
        known: Lines already read, which come first.
    """
    found: list[str] = known or []
    left = LONGEST_LINE
    enough = _SAMPLE_CHARS
    for number, line in enumerate(lines, above + 1):
        if line.strip():
            numbered = Line(line)
            numbered.number = number
            found.append(numbered)
            left -= len(line)
            enough -= len(line)
        if len(found) >= _SAMPLE_LINES or left <= 0 or (enough <= 0 and len(found) >= _FEWEST_LINES):
            break
    return found


def is_comment(line: str) -> bool:
    """Return whether a line above a table may be a comment."""
    return line.startswith("#") or line[:4].lower() == "sep=" or separator_mark(line) is not None


def separator_mark(line: str) -> str | None:
    """Return the separator that a line tells Excel, as `sep=;` does; None for other lines."""
    found = _MARK.fullmatch(line.rstrip("\r\n"))
    return found[2] or found[1] if found else None


def below_comments(lines: Iterable[str]) -> tuple[list[str], int]:
    """Return the first non-blank lines below the comments, and the number of comments.

    Raises:
        Undecided: There are too many comment lines.
    """
    comments = 0
    rest = iter(lines)
    for number, line in enumerate(rest, 1):
        if not line.strip():
            continue
        if not is_comment(line):
            first = Line(line)
            first.number = number
            return sample(rest, number, [first]), comments
        comments += 1
        if comments > _MOST_COMMENTS:
            raise Undecided(f"its first {_MOST_COMMENTS} lines begin with '#', and more do")
    return [], comments


def detect(lines: list[str], decimal: str | None = None) -> Dialect:
    """Return the dialect of a table.

    Args:
        lines: Its first lines, without blank ones.
        decimal: The decimal mark of the files beside it, where it is known.

    Raises:
        Undecided: There are no lines, or two readings fit.
    """
    if not lines:
        raise Undecided("it is empty")
    comments, told = 0, None
    while True:
        above = is_comment(lines[comments]) and comments + 1 < len(lines)
        mark = separator_mark(lines[comments])
        if above and mark:
            # Never a row, however well its fields fit those of a table.
            told = mark
            comments += 1
            continue
        try:
            found = _detect(lines[comments:], decimal)
        except Undecided:
            if not above:
                raise
        else:
            # In one column any line is a row: a line above numbers may be its name, and others are comments.
            if found.separator or not above or not _has_more_comments(lines[comments:]):
                if told and found.separator.strip() and told != found.separator:
                    raise Undecided(f"its line sep={told} names another separator than {found.separator!r}")
                return Dialect(found.separator, found.width, comments)
        comments += 1


def _has_more_comments(lines: list[str]) -> bool:
    """Return whether the first line is certainly a comment, given the lines below."""
    after = lines[1]
    return (
        lines[0].lower().startswith("sep=") or is_comment(after) or tokens.any_number(after.strip()) is None
    )


def _detect(lines: list[str], decimal: str | None) -> Dialect:
    fitting = {mark: rows for mark in _SEPARATORS if (rows := _fit(lines, mark)) is not None}
    shares = {mark: _share(rows) for mark, rows in fitting.items()}
    fitting = {mark: rows for mark, rows in fitting.items() if shares[mark] == max(shares.values())}
    if len(fitting) > 1:
        fitting.pop(" ", None)
    if len(fitting) > 1:
        raise Undecided(f"its lines divide evenly at each of {' '.join(map(repr, fitting))}")
    if not fitting:
        return _single_column(lines)
    ((separator, rows),) = fitting.items()
    if separator == "," and _may_be_decimal_commas(lines, rows) and (decimal != "." or _has_decimals(rows)):
        if len(rows[-1]) == 2 and (decimal == "," or (decimal is None and _has_decimals(rows))):
            return _single_column(lines)
        what = "one with decimal commas" if len(rows[-1]) == 2 else "half as many with decimal commas"
        raise Undecided(f"its lines are {_words(len(rows[-1]))} columns, or {what}")
    fields = (field for row in rows[1:] or rows for field in row if not field.isalnum())
    if field := next((field for field in fields if _is_divided(field, separator)), None):
        raise Undecided(f"its lines divide at {separator!r}, and {_short(field)} divides again")
    return Dialect(separator, max(len(row) for row in rows[1:] or rows))


def _is_divided(field: str, separator: str) -> bool:
    """Return whether a field contains numbers between other separators."""
    if separator == "," and _has_numbers_between_blanks(field):
        return True
    marks = [mark for mark in ";\t|" if mark in field and mark != separator]
    return any(tokens.any_number(part.strip()) is not None for mark in marks for part in field.split(mark))


def _words(count: int) -> str:
    return "two" if count == 2 else str(count)


def _fit(lines: list[str], separator: str) -> list[list[str]] | None:
    """Return the rows that a separator gives, or None where they are not a table."""
    try:
        every = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        rows = [[field.strip() for field in row] for row in every if any(map(str.strip, row))]
    except csv.Error:  # such as a field of 128 KiB: a line that this separator does not divide
        return None
    if not rows:
        return None
    first, body = rows[0], rows[1:] or rows
    width = max(map(len, body))
    if any(len(row) < width for row in body) and not all(row[width - 1 :] in ([], [""]) for row in body):
        return None
    if width < 2 or any(len(row) < width - 1 for row in body):
        return None
    names = len(first)
    is_short = names == width - 1 > 1 and (separator != "," or not _all_whole(body))
    if names != width and not is_short and not (names == width + 1 and not first[-1]):
        return None
    if separator == " " and (any(map(_has_separator, lines)) or not _are_numbers_between_blanks(body)):
        return None
    return rows


def _has_separator(line: str) -> bool:
    return any(mark in line for mark in ";\t|")


def _all_whole(rows: list[list[str]]) -> bool:
    return all(field.lstrip("+-").isdigit() for row in rows for field in row if field)


def _numeric(rows: list[list[str]]) -> list[bool]:
    """Return for each column whether it holds numbers below the first row."""
    columns = zip(*(row for row in rows[1:] or rows), strict=False)
    return [
        any(tokens.any_number(field) is not None for field in column)
        and all(tokens.any_number(field) is not None or tokens.is_missing(field) for field in column)
        for column in columns
    ]


def _share(rows: list[list[str]]) -> float:
    """Return the share of columns that hold numbers below the first row."""
    numeric = _numeric(rows)
    return sum(numeric) / len(numeric)


def has_numbers(lines: list[str], separator: str) -> bool:
    """Return whether a column holds numbers below the first row, and there are rows below it."""
    rows = _fit(lines, separator) if separator else None
    return rows is not None and any(_numeric(rows))


def _are_numbers_between_blanks(body: list[list[str]]) -> bool:
    """Return whether blanks separate numbers, not words or thousands; the first field may be a name."""
    width = len(body[0])
    fields = [field for row in body for field in (row[1:] if width > 2 else row)]
    numbers = sum(tokens.any_number(field) is not None for field in fields)
    known = numbers + sum(map(tokens.is_missing, fields))
    if not numbers or known < (0.8 if width > 2 else 1) * len(fields):
        return False
    return not (width == 2 and all(row[1][:3].isdigit() and row[1][3:4] in ("", ",", ".") for row in body))


def _may_be_decimal_commas(lines: list[str], rows: list[list[str]]) -> bool:
    """Return whether whole numbers between commas may be half as many numbers with decimal commas.

    True for two fields, and where every other field is short and the next one is not an integer as
    people write it, or is much longer.
    """
    width = len(rows[-1])
    if (
        width % 2
        or any('",' in line or ',"' in line for line in lines)
        or any(len(row) != width for row in rows)
    ):
        return False
    if width == 2:
        return all(tokens.number(line.strip(), ",") is not None for line in lines)
    heads = [field.lstrip("+-") for row in rows for field in row[::2]]
    tails = [field for row in rows for field in row[1::2]]
    if not all(map(str.isdigit, heads)) or not all(map(_FRACTION.fullmatch, tails)):
        return False
    if any(not field.isdigit() or (field.startswith("0") and len(field) > 1) for field in tails):
        return True
    return all(len(field) == 1 for field in heads) and sum(map(len, tails)) >= 2 * len(tails)


def _has_decimals(rows: list[list[str]]) -> bool:
    """Return whether pairs of digits are certainly decimals, as in 6,05: integers are not written 05."""
    heads = [row[0].lstrip("+-") for row in rows]
    tails = [row[1] for row in rows]
    if len(rows[-1]) != 2 or any(head.startswith("0") and len(head) > 1 for head in heads):
        return False
    return any(tail.startswith("0") and len(tail) > 1 for tail in tails)


def _single_column(lines: list[str]) -> Dialect:
    rows = [row[0].strip() for row in csv.reader(lines, delimiter=_NO_SEPARATOR) if row]
    texts = [field for field in rows[1:] if "," in field and tokens.any_number(field) is None]
    numbers = sum(tokens.any_number(field) is not None for field in rows[1:])
    if any(map(_has_separator, rows)) or len(texts) > numbers:
        field = next(field for field in rows if _has_separator(field) or field in texts)
        raise Undecided(_ragged(lines) or f"its lines have commas beside texts: {_short(field)}")
    for field in filter(_has_numbers_between_blanks, rows):
        raise Undecided(f"its lines have blanks beside numbers: {_short(field)}")
    return Dialect("", 1)


def _has_numbers_between_blanks(field: str) -> bool:
    parts = field.split()
    if len(parts) < 2:
        return False
    numbers = [part for part in parts if tokens.any_number(part) is not None]
    known = len(numbers) + sum(tokens.is_missing(part) or not any(map(str.isalnum, part)) for part in parts)
    return bool(numbers) and (2 * known > len(parts) or any(map(tokens.has_mark, numbers)))


def has_fields(line: str) -> bool:
    """Return whether a line of one column contains numbers between separators."""
    if _has_numbers_between_blanks(line):
        return True
    parts = next((line.split(mark) for mark in ";\t|," if mark in line), [])
    return sum(tokens.any_number(part.strip()) is not None for part in parts) > 1


def _ragged(lines: list[str]) -> str | None:
    """Return a message about the first line whose number of fields differs from most, if any."""
    mark = max(";\t|,", key=lambda mark: sum(mark in line for line in lines))
    counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
    most = max(counts, key=counts.count)
    for line, count in zip(lines, counts, strict=False):
        if count != most:
            where = f"line {line.number}" if isinstance(line, Line) else _short(line)
            return f"its lines have different numbers of fields: {where} has {count}, most have {most}"
    return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
