"""The meaning of values of NumPy, pandas and others, by dtype, mask, byte order and unit.

Masked values are null. A value without a place in JSON or a column is refused, with its place.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any
from uuid import UUID

# From here on not every integer is a float.
EXACT = 2**53


def nested(value: object, where: str) -> object:
    """Return a value within a list or mapping as plain data; times become texts there.

    Raises:
        TypeError: JSON has no type for it; the message names its place.
        ValueError: JSON could hold only a part of the value.
    """
    with named(where, value):
        return _nested(value, where)


def _nested(value: Any, where: str) -> object:  # noqa: ANN401
    numpy = sys.modules.get("numpy")
    if type(value).__module__.startswith("pyarrow") and hasattr(value, "as_py"):
        value = _of_arrow(value, where)
    if isinstance(value, datetime) and value.tzinfo is not None and hasattr(value, "to_datetime64"):
        return value.isoformat()  # of pandas, whose NumPy value has lost the offset
    found = scalar(value, where)
    if numpy is not None and isinstance(found, numpy.ndarray):
        is_plain = (found.dtype.kind in "biufUO" and found.dtype.itemsize <= 8) or found.dtype.kind in "UO"
        return found.tolist() if is_plain else list(found)
    if numpy is not None and isinstance(found, numpy.datetime64):
        plain = found.item()
        return plain.isoformat() if isinstance(plain, date) else str(numpy.datetime_as_string(found))
    if (numpy is not None and isinstance(found, numpy.timedelta64)) or isinstance(found, timedelta):
        what = "is a duration, which cannot be stored within other values"
        raise TypeError(f"{where} {what}; give a number, or a text with its unit")
    return found.isoformat() if isinstance(found, date) else found


def scalar(value: Any, where: str, *, is_float: bool = False) -> Any:  # noqa: ANN401
    """Return the plain value of an object whose meaning can be retained in full.

    Args:
        value: Any object.
        where: Its place, for messages.
        is_float: Whether the nearest float is accepted, as for scores.

    Returns:
        None, a bool, int, float, text, time, duration, list, mapping, or an array of NumPy with dimensions.

    Raises:
        TypeError: A column has no type for it.
        ValueError: It is a number that is not exact as a float.
    """
    if value is None or isinstance(value, Enum):
        return None if value is None else scalar(value.value, where, is_float=is_float)
    kind = type(value)
    if kind.__module__.startswith("pyarrow") and hasattr(value, "as_py"):
        return scalar(_of_arrow(value, where), where, is_float=is_float)
    if isinstance(value, str | bool | int | float | Mapping | list | tuple):
        return value
    if kind.__name__ in ("NAType", "NaTType") and kind.__module__.startswith("pandas"):
        return None
    if kind in (datetime, date, timedelta):
        return value
    # Times of pandas have nanoseconds.
    for exact in ("to_datetime64", "to_timedelta64"):
        if isinstance(value, datetime | timedelta) and hasattr(value, exact):
            return getattr(value, exact)()
    if isinstance(value, Decimal | Fraction):
        return _float_of(value, where, is_float=is_float)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        return _of_numpy(numpy, value, where, is_float=is_float)
    if isinstance(value, memoryview):
        raise TypeError(f"{where} has a value of type {kind.__qualname__}, which cannot be stored")
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str):
            return path
    elif isinstance(value, UUID):
        return str(value)
    elif (hasattr(value, "unit") or hasattr(value, "units")) and not kind.__module__.startswith("pandas"):
        raise TypeError(
            f"{where} is of type {kind.__qualname__}, whose unit no column holds; give a plain number"
        )
    elif isinstance(value, timedelta):
        return value
    elif hasattr(value, "isoformat"):
        text: str = value.isoformat()
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return text
    elif hasattr(value, "tolist") or hasattr(value, "item"):
        if not hasattr(value, "tolist") and getattr(value, "shape", ()) != ():
            raise TypeError(
                f"{where} has a value of type {kind.__qualname__}, which cannot be stored; give a list"
            )
        try:
            plain = _list_of(value) if hasattr(value, "tolist") else value.item()
        except Exception as error:
            raise TypeError(
                f"{where} is of type {kind.__qualname__}, which cannot be read: {error}"
            ) from error
        if type(plain) is not kind:
            return scalar(plain, where, is_float=is_float)
    raise TypeError(f"{where} has a value of type {kind.__qualname__}, which cannot be stored")


def _of_arrow(value: Any, where: str) -> Any:  # noqa: ANN401
    """Return the value of a scalar of pyarrow; lists and structs give scalars, which know their units."""
    kind = str(value.type)
    is_map = value.is_valid and kind.startswith("map<")
    if kind == "time64[ns]" and value.is_valid and value.value % 1000:
        raise ValueError(f"{where} has parts of a microsecond; round it, or write it in a table of Arrow")
    if (
        value.is_valid
        and hasattr(value, "values")
        and kind.startswith(("list", "large_list", "fixed_size_list"))
    ):
        return list(value.values)
    if value.is_valid and kind.startswith("struct") and len(set(value)) == len(value):
        return {name: value[name] for name in value}
    try:
        return dict(value.as_py(maps_as_pydicts="strict")) if is_map else value.as_py()
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{where}: {error}") from error


def _list_of(value: Any) -> Any:  # noqa: ANN401
    """Return the value of an array of any library; None for what pandas considers missing."""
    module = type(value).__module__.split(".")[0]
    if module == "pyarrow" and hasattr(value, "to_pylist"):
        return list(value)
    plain = value.tolist()
    if module == "pandas" and hasattr(value, "isna") and getattr(value.dtype, "kind", "") not in "fc":
        is_object = str(value.dtype) == "object"
        missing = [False] * len(plain) if is_object else value.isna()
        return [None if out else item for item, out in zip(plain, missing, strict=True)]
    return plain


def _of_numpy(numpy: Any, value: Any, where: str, *, is_float: bool = False) -> Any:  # noqa: ANN401
    """Return the plain value of an array or scalar of NumPy, under the rules of `scalar`."""
    is_one = isinstance(value, numpy.ma.MaskedArray) and value.ndim == 0 and value.dtype.names is None
    if is_one and numpy.ma.getmaskarray(value).all():
        return None
    check_unit(numpy, value, where)
    if isinstance(value, numpy.matrix):
        value = numpy.asarray(value)  # of numpy.matrix, whose rows have two dimensions
    if value.dtype.names is not None and value.ndim == 0:
        return {name: scalar(value[name], where) for name in value.dtype.names}
    if isinstance(value, numpy.ndarray):
        return value if value.ndim else scalar(value[()], where)
    # Durations of NumPy are ints to Python.
    if isinstance(value, numpy.datetime64 | numpy.timedelta64):
        return None if numpy.isnat(value) else value
    if isinstance(value, numpy.bool_ | numpy.integer):
        return value.item()
    if isinstance(value, numpy.floating):
        number = float(value)
        is_same = number == value or math.isnan(number)
        if not is_same and not (is_float and _is_near(value, number)):
            raise ValueError(f"{where} is {value!r}, which is not exact as a 64-bit float")
        return number
    raise TypeError(f"{where} has a value of type {type(value).__qualname__}, which cannot be stored")


def check_unit(numpy: Any, value: Any, where: str) -> None:  # noqa: ANN401
    """Check that an array is not of a class that adds a unit to NumPy's arrays."""
    own = type(value).__module__.split(".")[0] == "numpy"
    if not own and isinstance(value, numpy.ndarray) and (hasattr(value, "unit") or hasattr(value, "units")):
        kind = type(value).__qualname__
        raise TypeError(
            f"{where} is of type {kind}, whose unit is not stored; give plain numbers in a known unit"
        )


def _is_near(value: Any, number: float) -> bool:  # noqa: ANN401
    """Return whether the float nearest to a longer one is equal in meaning: not another integer, inf or 0."""
    if number == value or math.isnan(number):
        return True
    return math.isfinite(number) and number != 0 and abs(number) < EXACT


def _float_of(value: Decimal | Fraction, where: str, *, is_float: bool) -> float | int:
    """Return the float of a decimal or fraction; an inexact one only with `is_float`."""
    if isinstance(value, Decimal) and not value.is_finite():
        return math.nan if value.is_nan() else float(value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isfinite(number):
        is_exact = Decimal(repr(number)) == value if isinstance(value, Decimal) else Fraction(number) == value
        if is_exact or (is_float and (number != 0 or value == 0)):
            return number
        if abs(number) < 2.0**63 and value == int(value):
            return int(value)
    raise ValueError(
        f"{where} is {number_shown(value)}, which is not exact as a 64-bit float; give it as a text, or as "
        "float(...)"
    )


def number_shown(value: object) -> str:
    """Return a number as text for messages; Python refuses to write very long ones."""
    try:
        return repr(value)
    except ValueError:
        return f"with very many digits ({type(value).__qualname__})"


@contextlib.contextmanager
def named(where: str, value: object) -> Iterator[None]:
    """Add the name of a column or array to errors of other libraries."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, TypeError | ValueError) and where in str(error):
            raise
        reason = "it is nested too deep, or contains itself" if isinstance(error, RecursionError) else error
        message = f"{where} has a value of type {type(value).__qualname__}, which cannot be read: {reason}"
        raise TypeError(message) from error
