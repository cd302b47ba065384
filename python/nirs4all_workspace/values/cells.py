"""Values of columns in the form that the native side takes: plain values, times, durations, and JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nirs4all_workspace.values import stored
from nirs4all_workspace.values.scalars import named, scalar

# Columns of 64-bit floats, which hold the float nearest to a decimal or fraction.
_FLOATS = frozenset({"val_score", "test_score", "train_score", "exclusion_rate"})
_NUMBERS = _FLOATS | {"step_idx", "op_counter", "n_samples", "n_features", "branch_id", "exclusion_count"}
# The time column, in which times are truncated to microseconds, as those of batches are.
_CUT = "created_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Units of NumPy's times with a fixed length, in attoseconds.
_UNITS = {
    unit: seconds * 10**18
    for unit, seconds in {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60, "s": 1}.items()
} | {"ms": 10**15, "us": 10**12, "ns": 10**9, "ps": 10**6, "fs": 10**3, "as": 1}
_LONGEST = "a duration beyond 106,751,991 days, which 63 bits of µs hold; give it as a number of days"
_PER_MICROSECOND = 10**12


def cell(value: object, column: str) -> object:
    """Return the value of a column, converted by its meaning.

    Returns:
        None, a bool, int, float or text; for a time `("time", µs since 1970 UTC)`, for a duration
        `("duration", µs)`; for lists, mappings and arrays the text of strict JSON.

    Raises:
        TypeError: A column cannot hold the value; the message names the column and its type.
        ValueError: A column could hold only a part of the value.
    """
    where = f"column {column!r}"
    with named(where, value):
        return _cell(value, column, where)


def _cell(value: object, column: str, where: str) -> object:
    found = scalar(value, where, is_float=column in _FLOATS)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(found, numpy.ndarray):
        if column in _NUMBERS:
            raise TypeError(f"{where} must be a number or null, not an array of shape {found.shape}")
        return stored.cell_text(found.tolist() if found.dtype == object else list(found), column)
    if isinstance(found, list | tuple) and column in _NUMBERS:
        raise TypeError(f"{where} must be a number or null, not {_listed(value)}")
    if isinstance(found, Mapping | list | tuple):
        return stored.cell_text(found, column)
    if numpy is not None and isinstance(found, numpy.datetime64 | numpy.timedelta64):
        return _micros_of(found, where, may_cut=column == _CUT)
    if isinstance(found, datetime):
        aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return "time", (aware - _EPOCH) // _MICROSECOND
    if isinstance(found, date):
        return "time", (found - _EPOCH.date()) // _MICROSECOND
    if isinstance(found, timedelta):
        micros = found // _MICROSECOND
        if not -(2**63) <= micros < 2**63:
            raise ValueError(f"{where} has {_LONGEST}")
        return "duration", micros
    return found


def _listed(value: object) -> str:
    is_list = isinstance(value, list | tuple)
    return f"a {type(value).__name__}" if is_list else f"an array of type {type(value).__qualname__}"


def _micros_of(value: Any, where: str, *, may_cut: bool) -> tuple[str, int]:  # noqa: ANN401
    """Return a time or duration of NumPy in microseconds."""
    import numpy as np

    is_time = isinstance(value, np.datetime64)
    unit, step = np.datetime_data(value.dtype)
    count = int(value.astype(np.int64)) * step
    if unit in _UNITS:
        micros, rest = divmod(count * _UNITS[unit], _PER_MICROSECOND)
        if rest and not may_cut:
            raise ValueError(f"{where} has parts of a microsecond; round it, or write it in a table of Arrow")
    elif is_time and unit in ("Y", "M"):
        year, month = divmod(count * (12 if unit == "Y" else 1), 12)
        is_known = 1 <= 1970 + year <= 9999
        micros = (date(1970 + year, month + 1, 1) - _EPOCH.date()) // _MICROSECOND if is_known else 2**63
    else:
        raise TypeError(
            f"{where} has a duration of unit {unit!r}, which has no length; give it in days or less"
        )
    if not -(2**63) <= micros < 2**63:
        known = "a time outside of the years 1 to 9999" if is_time else _LONGEST
        raise ValueError(f"{where} has {known}")
    return ("time" if is_time else "duration"), micros
