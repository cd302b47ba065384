"""How a text table is laid out: separator, decimal mark, header. Detected from its first lines.

What two readings would fit is not decided: `Undecided` says between what.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SAMPLE_LINES = 20
_SAMPLE_CHARS = 16 << 20
_SEPARATORS = ";\t,| "
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|na|inf|-inf|", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_WAVELENGTH = re.compile(r"[xX]?\s*(\d+(?:[.,]\d+)?)\s*(nm|cm-1|cm⁻¹|um|µm|μm)?")
_UNITS = {"cm⁻¹": "cm-1", "µm": "um", "μm": "um"}
_FEWEST_WAVELENGTHS = 5


class Undecided(ValueError):  # noqa: N818 -- not an error: a question that only the user can answer
    """The first lines fit two readings."""


@dataclass(frozen=True)
class Layout:
    """How to read a table.

    Attributes:
        separator: Between fields; "," for a single column.
        decimal_comma: Whether numbers are written as 1,5.
        header: The fields of the first line where they are names; None where it is data.
        has_header: None where the first line may be either: all of its fields are texts, as below.
        columns: How many fields a line has.
        first: The first line's fields.
        numeric: Which columns hold numbers.
    """

    separator: str
    decimal_comma: bool
    has_header: bool | None
    columns: int
    first: tuple[str, ...]
    numeric: tuple[bool, ...]

    @property
    def header(self) -> tuple[str, ...] | None:
        """The fields of the first line where they are names."""
        return self.first if self.has_header else None


def sample(path: Path) -> list[str]:
    """Return the first lines of a text file, gzipped or not, without empty ones at the end.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is no text.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    lines: list[str] = []
    with opener(path, "rt", encoding="utf-8-sig", newline="") as opened:
        left = _SAMPLE_CHARS
        while len(lines) < _SAMPLE_LINES and left > 0 and (line := opened.readline(left)):
            left -= len(line)
            lines.append(line.rstrip("\r\n"))
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def detect(lines: list[str]) -> Layout:
    """Return how a table is laid out.

    Args:
        lines: Its first lines.

    Raises:
        Undecided: There are none, or two readings fit.
    """
    if not lines:
        raise Undecided("it is empty")
    fitting = {mark: rows for mark in _SEPARATORS if (rows := _split(lines, mark)) is not None}
    if len(fitting) > 1:
        fitting.pop(" ", None)
    if "," in fitting and len(fitting) > 1:
        rest = {mark: rows for mark, rows in fitting.items() if mark != ","}
        if not all(_comma_is_decimal(rows) for rows in rest.values()):
            raise Undecided(f"its lines divide evenly at each of {' '.join(map(repr, fitting))}")
        fitting = rest
    if len(fitting) > 1:
        raise Undecided(f"its lines divide evenly at each of {' '.join(map(repr, fitting))}")
    if not fitting:
        return _single_column(lines)
    ((separator, rows),) = fitting.items()
    if separator == "," and len(rows[0]) == 2 and all(_DECIMAL_COMMA.fullmatch(line) for line in lines):
        raise Undecided("its lines are two columns, or one with decimal commas")
    return _layout(rows, separator)


def _split(lines: list[str], separator: str) -> list[list[str]] | None:
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:  # such as a field of 128 KiB, which a line is that this separator does not divide
        return None
    width = len(rows[0])
    return rows if width > 1 and all(len(row) == width for row in rows) else None


def _comma_is_decimal(rows: list[list[str]]) -> bool:
    with_comma = [field for row in rows for field in row if "," in field]
    return all(_DECIMAL_COMMA.fullmatch(field.strip()) for field in with_comma)


def _single_column(lines: list[str]) -> Layout:
    rows = [[line.strip().strip('"')] for line in lines]
    if any(mark in row[0] for row in rows for mark in ";\t|"):
        raise Undecided("its lines have different numbers of fields")
    if any("," in row[0] and not _DECIMAL_COMMA.fullmatch(row[0]) for row in rows[1:]):
        raise Undecided("its lines have different numbers of fields")
    return _layout(rows, ";" if any("," in row[0] for row in rows[1:]) else ",")


def _layout(rows: list[list[str]], separator: str) -> Layout:
    fields = [field.strip() for row in rows[1:] for field in row]
    decimal_comma = separator != "," and any(_DECIMAL_COMMA.fullmatch(field) for field in fields)

    def is_number(field: str) -> bool:
        field = field.strip()
        return bool(_NUMBER.fullmatch(field) or (decimal_comma and _DECIMAL_COMMA.fullmatch(field)))

    first, body = rows[0], rows[1:]
    numeric = tuple(all(is_number(row[i]) for row in body or [first]) for i in range(len(first)))
    has_header: bool | None
    if any(is_column and not is_number(field) for is_column, field in zip(numeric, first, strict=True)):
        has_header = bool(body)
    elif any(not is_number(field) for field in first):
        # Texts above texts: a value that comes again is data.
        comes_again = any(field in (row[i] for row in body) for i, field in enumerate(first) if field)
        has_header = False if comes_again else (True if any(numeric) else None)
    else:
        has_header = bool(body) and _is_scale(first) and not any(_is_scale(row) for row in body)
    return Layout(separator, decimal_comma, has_header, len(first), tuple(first), numeric)


def _is_scale(fields: list[str]) -> bool:
    """Whether these numbers only rise or only fall, as wavelengths do and spectra do not."""
    numbers = [wavelength(field) for field in fields]
    known = [number for number in numbers if number is not None]
    return len(known) == len(fields) >= _FEWEST_WAVELENGTHS and is_monotonic(known)


def is_monotonic(numbers: list[float]) -> bool:
    """Whether numbers only rise or only fall."""
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)


def wavelength(name: str) -> float | None:
    """Return the number in the name of a column such as 1100, X1100.5 or "4000 cm-1"."""
    match = _WAVELENGTH.fullmatch(name.strip())
    return float(match[1].replace(",", ".")) if match else None


def unit(name: str) -> str | None:
    """Return the unit in the name of a column, if it has one: nm, cm-1 or um."""
    match = _WAVELENGTH.fullmatch(name.strip())
    return _UNITS.get(match[2], match[2]) if match and match[2] else None
