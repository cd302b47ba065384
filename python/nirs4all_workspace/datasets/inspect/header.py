"""Detecting whether the first row of a table names its columns, from the table alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import tokens

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.inspect.table_profile import TableProfile

_FEWEST = 5
_LOWEST_NM = 150


@dataclass(frozen=True)
class Header:
    """What a table says about its first row.

    Attributes:
        is_header: Whether the row names the columns; None where that is undecided.
        is_sure: Whether no other file can decide otherwise.
        why: The reason in words, where it is not obvious.
    """

    is_header: bool | None
    is_sure: bool
    why: str = ""


def detect(table: TableProfile, *, are_spectra: bool) -> Header:
    """Decide from a table alone whether its first row is a header."""
    if table.rows == 1:
        return _of_single_row(table, are_spectra=are_spectra)
    over_numbers = [token for i, token in enumerate(table.first) if table.has_numbers(i)]
    numbers = [value for token in over_numbers if (value := tokens.any_number(token)) is not None]
    texts = [token for token in over_numbers if tokens.any_number(token) is None]
    texts = [token for token in texts if not tokens.is_missing(token)]
    where = f"line {table.first_line} of {table.path.name}"
    if (
        not over_numbers
        and are_spectra
        and any(tokens.any_number(token) is not None for token in table.first)
    ):
        return Header(None, is_sure=False, why=f"{where} holds numbers, and no line below it does")
    if not over_numbers:
        return _of_texts(table)
    if not numbers and any(map(tokens.is_name, texts)):
        return Header(True, is_sure=True)
    if texts and any(tokens.wavelength(text) is not None for text in texts):
        return Header(True, is_sure=True)
    if texts:
        if any(tokens.is_name(text) and len(text) > 2 for text in texts):
            return Header(True, is_sure=are_spectra and _is_scale(table, numbers))
        # Names such as N or pH are as short as marks of missing values, but not in a row of wavelengths.
        if are_spectra and len(numbers) > 1 and _of_numbers(table, numbers, where).is_header:
            return Header(True, is_sure=True)
        if are_spectra and all(map(tokens.is_name, texts)) and _is_wavelengths(table, numbers):
            return Header(True, is_sure=True)
        return Header(None, is_sure=False, why=f"{where} has texts and numbers: {texts[0]!r}")
    if not numbers or not are_spectra:
        is_index = [str(i) for i in range(len(table.first))] == table.first
        may_be_names = is_index or _may_name_targets(table, numbers)
        return Header(None if may_be_names else False, is_sure=False, why=f"{where} holds numbers")
    return _of_numbers(table, numbers, where)


def _may_name_targets(table: TableProfile, numbers: list[float]) -> bool:
    """Return whether integers, such as years, differ in magnitude from all values below them."""
    if not numbers or not all(token.isdigit() for token in table.first if token):
        return False
    if min(numbers) > 10 * max(abs(table.low), abs(table.high)):
        return True
    return len(table.first) == len(table.second) and all(map(tokens.decimals, table.second))


def _of_single_row(table: TableProfile, *, are_spectra: bool) -> Header:
    numbers = [tokens.any_number(token) for token in table.first]
    known = [value for value in numbers if value is not None]
    if any(tokens.is_name(token) for token in table.first) and not known:
        is_header = True if are_spectra and len(numbers) > 1 else None
        return Header(is_header, is_sure=False, why="it has one line only")
    may_be = are_spectra and (len(known) < 2 or tokens.is_ordered(known))
    return Header(None if may_be else False, is_sure=False, why="it has one line only")


def _of_texts(table: TableProfile) -> Header:
    """Decide on texts above texts: a value that occurs again is data; the number of rows may decide more."""
    if any(tokens.any_number(token) is not None for token in table.first):
        return Header(False, is_sure=False)
    if _comes_again(table):
        return Header(False, is_sure=True)
    why = f"line {table.first_line} of {table.path.name} may be names or values"
    return Header(None, is_sure=False, why=why)


def _comes_again(table: TableProfile) -> bool:
    for _, row in table.data(1):
        if any(token and token == first for token, first in zip(row, table.first, strict=False)):
            return True
    return False


def _of_numbers(table: TableProfile, numbers: list[float], where: str) -> Header:
    if tokens.is_counting(numbers) and len(numbers) >= _FEWEST:
        below = [tokens.any_number(token) for token in table.second]
        if not _counts_on(below) and any(map(tokens.decimals, table.second)):
            return Header(True, is_sure=False, why=f"{where} counts")
        return Header(None, is_sure=False, why=f"{where} counts, and may be names or a sample")
    if len(numbers) == 1:
        return Header(None, is_sure=False, why=f"{where} may be a wavelength or a sample")
    is_ordered = len(numbers) > 1 and tokens.is_ordered(numbers)
    is_far = _is_far(table, numbers)
    if is_ordered and is_far:
        return Header(True, is_sure=False)
    if min(numbers) < 0:
        return Header(False, is_sure=False)
    of_first, of_second = (max(map(tokens.decimals, row)) for row in (table.first, table.second))
    if is_ordered and of_first > 2 and not tokens.are_even(numbers):
        return Header(False, is_sure=False)
    # Wavelengths in nm or cm-1 have other decimals than spectra; wavelengths in um may be a sample.
    if (
        is_ordered
        and min(numbers) >= _LOWEST_NM
        and of_first != of_second
        and not table.has_ordered
        and _is_even_scale(numbers)
    ):
        return Header(True, is_sure=False)
    if is_ordered:
        why = f"{where} only rises or only falls, and may be wavelengths or a sample"
        return Header(None, is_sure=False, why=why)
    if is_far:
        why = f"{where} holds numbers far from those below it, and may be wavelengths or a sample"
        return Header(None, is_sure=False, why=why)
    return Header(False, is_sure=False)


def _counts_on(numbers: list[float | None]) -> bool:
    known = [value for value in numbers if value is not None]
    return len(known) > 1 and all(b - a == 1 for a, b in itertools.pairwise(known))


def _is_even_scale(numbers: list[float]) -> bool:
    return len(numbers) >= _FEWEST and tokens.are_even(numbers)


def _is_wavelengths(table: TableProfile, numbers: list[float]) -> bool:
    is_ordered = len(numbers) > 1 and tokens.is_ordered(numbers)
    return is_ordered and (_is_far(table, numbers) or _is_even_scale(numbers))


def _is_scale(table: TableProfile, numbers: list[float]) -> bool:
    return (len(numbers) > 1 and tokens.is_ordered(numbers)) or _is_far(table, numbers)


def _is_far(table: TableProfile, numbers: list[float]) -> bool:
    return table.decimal is not None and is_far(numbers, table.low, table.high)


def is_far(numbers: list[float], low: float, high: float) -> bool:
    """Return whether all numbers are of another magnitude than the range from `low` to `high`."""
    if low > high:
        return False
    factor = 2 if len(numbers) >= _FEWEST else 10
    if min(numbers) > factor * max(abs(low), abs(high)):
        return True
    return min(numbers) > 0 and max(numbers) * factor < low
