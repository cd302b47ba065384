"""Fields of text tables: numbers, missing values, names of wavelengths, and texts."""

from __future__ import annotations

import itertools
import math
import re

# The texts that pandas reads as missing, as nirs4all does; case-sensitive, so NAN is not one of them.
MISSING = frozenset(
    [
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
        "na",
        "",
    ]
)
UNITS = {"cm⁻¹": "cm-1", "cm^-1": "cm-1", "1/cm": "cm-1", "µm": "um", "μm": "um"}
_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_COMMA_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", re.ASCII)
_POINT_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?", re.ASCII)
_WAVELENGTH = re.compile(
    r"[xX]?\s*(\d+(?:[.,]\d+)?)\s*(?:[\s_]*[(\[]?\s*(nm|cm-1|cm\^-1|1/cm|cm⁻¹|um|µm|μm)\s*[)\]]?)?", re.ASCII
)
_ALMOST = re.compile(
    r"[\W_]*\d[\d.,'\s_]*([eEdD][+-]?\d+)?([\W_]*|[\W_]*\s+\S{1,8}|%.*)|[\W_]*\d*[.,]\d+\s*[^\W\d_]{1,8}.*"
)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}.*)?", re.ASCII)
_NO_VALUE = re.compile(
    r"[\W_]*|<?lo[dq]|bdl|bql|n\.?\s?[adqv]\.?|missing|none|blank|tr|trace|x|nil|empty", re.I
)
_WORD = "samples?|spectr(?:um|a)|scans?|plots?|plants?|rep(?:licate|lica|etition)?s?|blocks?|batch|folds?"
_WORD += "|sets?|split|years?|months?|days?|dates?|time|index|idx|rows?|line|code|instrument|operator"
_WORD += "|position|file|unnamed"
_NUMBERED = re.compile(
    rf"(?:{_WORD})?[\s_.:-]*(?:id|ids|no|nr|num|number|n°|#|name|code|{_WORD})[\s_.:-]*\d*|\w*[_. ]?id|", re.I
)


def is_missing(token: str) -> bool:
    """Return whether a field is a missing value, as pandas decides it; a field of blanks is one too."""
    return token in MISSING


def number(token: str, decimal: str = ".") -> float | None:
    """Return the number in a field, with this decimal mark and the other one as thousands separator."""
    if (_POINT if decimal == "." else _COMMA).fullmatch(token):
        return float(token.replace(",", "."))
    if (_COMMA_GROUPS if decimal == "." else _POINT_GROUPS).fullmatch(token):
        return float(token.replace("," if decimal == "." else ".", "").replace(",", "."))
    return float(token) if _INFINITE.fullmatch(token) else None


def any_number(token: str) -> float | None:
    """Return the number in a field, read with a decimal point or else with a decimal comma."""
    if token.isascii() and "_" not in token:
        try:
            plain = float(token)
        except ValueError:
            pass
        else:
            # Not every NaN that Python parses is one to pandas.
            if math.isfinite(plain):
                return plain
    found = number(token, ".") if _POINT.fullmatch(token) else number(token, ",")
    return number(token, ".") if found is None else found


def decimal_mark(token: str) -> tuple[str | None, bool]:
    """Return the decimal mark of a number, and whether it could as well separate thousands.

    The mark is None for an integer without marks, and for a text that is not a number.
    """
    points, commas = token.count("."), token.count(",")
    if not points and not commas:
        return None, False
    if points and commas:
        if _COMMA_GROUPS.fullmatch(token):
            return ".", False
        return (",", False) if _POINT_GROUPS.fullmatch(token) else (None, False)
    if points > 1 or commas > 1:
        if _COMMA_GROUPS.fullmatch(token):
            return ".", False
        return (",", False) if _POINT_GROUPS.fullmatch(token) else (None, False)
    if points:
        return (".", bool(_POINT_GROUPS.fullmatch(token))) if _POINT.fullmatch(token) else (None, False)
    return (",", bool(_COMMA_GROUPS.fullmatch(token))) if _COMMA.fullmatch(token) else (None, False)


def has_mark(token: str) -> bool:
    """Return whether a field contains a point or a comma."""
    return "." in token or "," in token


def is_grouped(token: str) -> bool:
    """Return whether a number certainly has thousands separators."""
    marks = token.count(".") + token.count(",")
    return marks > 1 and bool(_COMMA_GROUPS.fullmatch(token) or _POINT_GROUPS.fullmatch(token))


def is_almost_number(token: str) -> bool:
    """Return whether a text is a number with an addition, such as <1.0, 12 % or 1 234,5, or a date."""
    return bool(_ALMOST.fullmatch(token) or _DATE.fullmatch(token))


def is_name(token: str) -> bool:
    """Return whether a text can name a column: it has letters, and is not a number with an addition."""
    return any(map(str.isalpha, token)) and not _NO_VALUE.fullmatch(token) and not is_almost_number(token)


def stands_for_none(token: str) -> bool:
    """Return whether people write a text where a value is missing, such as a dash or n.d."""
    return bool(_NO_VALUE.fullmatch(token))


def wavelength(name: str) -> float | None:
    """Return the number in a column name such as 1100, X1100.5 or "4000 cm-1"."""
    match = _WAVELENGTH.fullmatch(name.strip())
    return float(match[1].replace(",", ".")) if match else None


def waves(names: list[str]) -> list[int]:
    """Return which names are wavelengths: with the prefix x or without, as most of them.

    A name such as x1 beside 1100 and 1102 is not a wavelength.
    """
    found = [i for i, name in enumerate(names) if wavelength(name) is not None]
    marked = [i for i in found if names[i].strip()[:1] in "xX"]
    if 2 * len(marked) == len(found):
        return found
    if 2 * len(marked) > len(found):
        return marked
    return [i for i in found if names[i].strip()[:1] not in "xX"]


def unit(name: str) -> str | None:
    """Return the unit in a column name, if any: nm, cm-1 or um."""
    match = _WAVELENGTH.fullmatch(name.strip())
    return UNITS.get(match[2], match[2]) if match and match[2] else None


def is_ordered(numbers: list[float]) -> bool:
    """Return whether numbers never fall or never rise, and are not all equal; rounding may repeat some."""
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    ordered = all(step >= 0 for step in steps) or all(step <= 0 for step in steps)
    return ordered and 2 * sum(step != 0 for step in steps) > len(steps)


def are_even(numbers: list[float]) -> bool:
    """Return whether ordered numbers have even steps, as wavelengths do.

    A few steps may differ from the one before: where detectors meet, or where a step is rounded.
    """
    steps = [abs(b - a) for a, b in itertools.pairwise(numbers)]
    pairs = list(itertools.pairwise(steps))
    alike = sum(a <= 2.01 * b and b <= 2.01 * a and a > 0 for a, b in pairs)
    return alike >= 0.8 * len(pairs)


def decimals(token: str) -> int:
    """Return the number of digits behind the decimal mark."""
    _, _, digits = token.replace(",", ".").partition(".")
    return len(digits)


def is_counting(numbers: list[float]) -> bool:
    """Return whether numbers count from 0 or 1."""
    return bool(numbers) and numbers[0] in (0, 1) and all(b - a == 1 for a, b in itertools.pairwise(numbers))


def is_label(name: str) -> bool:
    """Return whether a column name is typical of columns that number or name samples."""
    return bool(_NUMBERED.fullmatch(name.strip()))
