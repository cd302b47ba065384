"""Finding the columns of a table that are spectra, and their wavelengths."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import tokens

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.inspect.rows import Rows

_FEWEST_ROWS = 5
_SCALE = re.compile(
    r"wave\s?-?(length|number)s?\b.*|(wl|nm|cm-1|lambda|longueur.*onde|nombre.*onde)\b.*", re.I
)


@dataclass
class Spectra:
    """The spectra in a table.

    Attributes:
        count: Number of samples; None where undetermined.
        n_features: Number of wavelengths; None where undetermined.
        names: Names of the columns that are certainly wavelengths; empty without a header.
        notes: What was inferred, and what could not be determined.
    """

    count: int | None = None
    n_features: int | None = None
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(rows: Rows, *, is_matched: bool) -> Spectra:
    """Return which columns of a table of spectra are wavelengths.

    Args:
        rows: The settled rows of the table.
        is_matched: Whether the targets beside it have as many rows.
    """
    table = rows.table
    found = Spectra(count=rows.count, notes=[*table.text.notes, *rows.notes])
    names = header_names(rows)
    if not is_matched and (why := may_stand_upright(rows, names)):
        return Spectra(notes=[*found.notes, why])
    features, doubtful = _features(rows, names, found.notes)
    if table.repeated is not None and rows.has_header is not False:
        found.notes.append(
            f"line {table.repeated} of {rows.name} repeats its first line: samples are not counted"
        )
        found.count = None
    if table.text_row is not None:
        found.notes.append(f"line {table.text_row} of {rows.name} holds texts: a sample, or something else")
        found.count = None
    if not features:
        found.notes.append(f"{rows.name} has 0 columns of numbers")
        found.count = None
    elif not doubtful and not table.is_trimmed:
        found.n_features = len(features)
    found.names = [names[i] for i in features] if names else []
    say_faults(rows, features, names, found.notes)
    return found


def header_names(rows: Rows) -> list[str]:
    """Return the names of the columns; empty where there is no header, or where that is undecided."""
    if not rows.has_header or (rows.count is None and rows.skipped == 0 and rows.has_scale_below()):
        return []
    return rows.table.second if rows.skipped > 1 else rows.table.first


def may_stand_upright(rows: Rows, names: list[str]) -> str | None:
    """Return why each spectrum may be a column, with wavelengths in the first; None where it is not."""
    table = rows.table
    if len(table.columns) < 2 or table.rows < _FEWEST_ROWS or not (table.rises or table.falls):
        return None
    if sum(tokens.wavelength(name) is not None for name in names) * 2 >= len(table.columns):
        return None
    if names and table.counts and names[0] and tokens.is_label(names[0]):
        return None
    first, last = table.head
    is_named = bool(names) and bool(_SCALE.fullmatch(names[0]))
    is_far = min(abs(first), abs(last)) > 2 * table.beside and not table.counts
    if len(table.columns) > 2 and not is_named and not is_far:
        return None
    way = "rises" if table.rises else "falls"
    return (
        f"{rows.name} may hold spectra in its columns: the first only {way}, from {first:g} to {last:g}, "
        "as wavelengths do; samples and wavelengths are undetermined"
    )


def _features(rows: Rows, names: list[str], notes: list[str]) -> tuple[list[int], bool]:
    """Return the columns that are wavelengths, and whether others may be."""
    table = rows.table
    every = range(len(table.columns))
    named = set(tokens.waves(names))
    by_name = 2 * len(named) >= len(table.columns)
    features: list[int] = []
    doubtful: list[str] = []
    for i in every:
        column, where = table.columns[i], place(rows, i, names)
        token = table.first[i] if rows.has_header is False else ""
        has_text = column.texts or (not tokens.is_missing(token) and tokens.any_number(token) is None)
        if i == 0 and table.has_row_names:
            continue
        if by_name and i in named:
            features.append(i)
        elif table.has_numbers(i) and not has_text:
            if by_name or (i == 0 and table.counts and table.rows > 3 and len(table.columns) > 1):
                doubtful.append(f"{where} may be a wavelength, or a number of samples")
            else:
                features.append(i)
        elif table.has_numbers(i):
            line, text = column.text or (table.first_line, token)
            is_name = i == 0 and tokens.is_name(text)
            if not by_name and not is_name and column.numbers + table.full_rows > column.texts:
                features.append(i)
            else:
                doubtful.append(f"{where} has numbers, and {text!r} in line {line}")
        elif has_text and not tokens.is_name((column.text or (0, token))[1]):
            doubtful.append(f"{where} holds {(column.text or (0, token))[1]!r}")
        elif has_text:
            notes.append(f"{where} holds texts and is not a wavelength")
        elif (table.rows == 1 and tokens.any_number(table.first[i]) is not None) or _is_marked(rows, i):
            features.append(i)
        else:
            doubtful.append(f"{where} is empty")
    notes += [f"{text}: features are not counted" for text in doubtful]
    return features, bool(doubtful)


def _is_marked(rows: Rows, index: int) -> bool:
    """Return whether an empty column has marks of missing values."""
    gap = rows.table.columns[index].missing
    return bool(gap and gap[1]) or (rows.has_header is False and bool(rows.table.first[index]))


def place(rows: Rows, index: int, names: list[str]) -> str:
    """Return a text that names a column and its file."""
    name = f" {names[index]!r}" if names and names[index] else ""
    return f"column {index + 1}{name} of {rows.name}"


def say_faults(rows: Rows, features: list[int], names: list[str], notes: list[str]) -> None:
    """Add notes on values of spectra that are missing or not numeric."""
    table = rows.table
    gaps = [(at, i) for i in features if (at := table.columns[i].missing) is not None]
    texts = [(at, i) for i in features if (at := table.columns[i].text) is not None]
    for i in features if rows.has_header is False else ():
        token = table.first[i]
        if tokens.is_missing(token):
            gaps.append(((table.first_line, token), i))
        elif tokens.any_number(token) is None:
            texts.append(((table.first_line, token), i))
    for faults, what in ((gaps, "are missing"), (texts, "are not numeric")):
        if faults:
            (line, token), i = min(faults)
            where = f"the first is {token!r} in line {line}, {place(rows, i, names)}"
            notes.append(f"some values of spectra {what}: {where}")


def odd_wave(numbers: list[float]) -> int | None:
    """Return which number at an end is far from the others, which are evenly spaced; None for no such."""
    if len(numbers) <= _FEWEST_ROWS:
        return None
    for index, inner in ((-1, numbers[:-1]), (0, numbers[1:])):
        if tokens.is_ordered(inner) and tokens.are_even(inner):
            widest = max(abs(b - a) for a, b in itertools.pairwise(inner))
            if abs(numbers[index] - inner[index]) > 5 * widest or not tokens.is_ordered(numbers):
                return index % len(numbers)
    return None


@dataclass
class Scale:
    """The wavelengths of spectra.

    Attributes:
        range: Smallest and largest wavelength, in `unit`.
        unit: nm, cm-1 or um.
        notes: What was inferred, and what could not be determined.
    """

    range: list[float] | None = None
    unit: str | None = None
    notes: list[str] = field(default_factory=list)


def scale(names: list[str], file: str, decimal: str | None) -> Scale:
    """Return the wavelengths in the names of columns.

    Args:
        names: Names of the columns of spectra.
        file: The name of their file.
        decimal: The decimal mark of the table.
    """
    found = Scale()
    if not names:
        found.notes.append(f"the columns of {file} may have no names: wavelengths are undetermined")
        return found
    numbers = [number for name in names if (number := tokens.wavelength(name)) is not None]
    is_scale = bool(numbers) and len(numbers) == len(names)
    if is_scale and tokens.is_counting(numbers) and not any(map(tokens.unit, names)):
        found.notes.append(f"the columns of {file} are numbered, not named after wavelengths")
        return found
    if not is_scale or not (len(numbers) == 1 or tokens.is_ordered(numbers)):
        found.notes.append(f"the columns of {file} are not named after wavelengths")
        return found
    if _may_be_thousands(names, decimal):
        found.notes.append(f"the wavelengths of {file} have decimals or thousands, such as {names[0]!r}")
        return found
    found.range = [min(numbers), max(numbers)]
    if len(set(numbers)) < len(numbers):
        found.notes.append(f"some wavelengths of {file} are repeated")
    falls = numbers[0] > numbers[-1]
    if all(tokens.any_number(name) is not None for name in names):
        text = f"the first line of {file} is taken for wavelengths: numbers that only "
        found.notes.append(text + ("fall" if falls else "rise"))
    units = {tokens.unit(name) for name in names}
    found.unit = units.pop() if len(units) == 1 else None
    if found.unit is None:
        found.unit = _likely_unit(*found.range, falls=falls)
        low, high = found.range
        what = f"the unit of wavelengths is {found.unit or 'unknown'}"
        found.notes.append(f"{what}, inferred from their range {low:g} to {high:g}")
    return found


def _may_be_thousands(names: list[str], decimal: str | None) -> bool:
    marks = {tokens.decimal_mark(re.sub(r"[^\d.,]", "", name)) for name in names}
    if (",", True) in marks and (",", False) not in marks:
        return decimal != ","
    return (".", True) in marks and (".", False) not in marks and decimal == ","


def _likely_unit(low: float, high: float, *, falls: bool) -> str | None:
    if low >= 150 and high <= 3300:
        # Numbers that fall, begin below 350 or end above 2600 may be cm-1, and so may 600 to 1800: the middle
        # infrared and Raman. From 350 or 400 to 1100 or 2500 is visible light and beyond.
        is_fingerprint = low < 700 and 1150 < high < 2300
        return "nm" if low >= 350 and high <= 2600 and not falls and not is_fingerprint else None
    if low >= 3300 and high <= 50_000:
        return "cm-1"
    return "um" if low >= 0.15 and high <= 30 else None
