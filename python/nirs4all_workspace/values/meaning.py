"""What values mean: those of NumPy, pandas and others, by their dtype, mask, byte order and unit.

A masked value is null. What has no place in a column or an array is refused by the name of the column.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    import numpy as np

# Columns of 64-bit floats, which hold the float next to a decimal or fraction.
_FLOATS = frozenset({"val_score", "test_score", "train_score", "exclusion_rate"})
_NUMBERS = _FLOATS | {"step_idx", "op_counter", "n_samples", "n_features", "branch_id", "exclusion_count"}
# Its times are cut to microseconds, as those of batches are.
_CUT = "created_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Units of NumPy's times with a fixed length, in attoseconds.
_UNITS = {
    unit: seconds * 10**18
    for unit, seconds in {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60, "s": 1}.items()
} | {"ms": 10**15, "us": 10**12, "ns": 10**9, "ps": 10**6, "fs": 10**3, "as": 1}
_PER_MICROSECOND = 10**12
# From here on not every whole number is a float.
_EXACT = 2**53


def cell(value: object, column: str) -> object:
    """Return a value of a column as what its meaning is.

    Returns:
        None, a bool, int, float or text; of a time `("time", µs since 1970 UTC)`, of a duration
        `("duration", µs)`; lists, mappings and arrays as the text of strict JSON.

    Raises:
        TypeError: No column can hold it; the message names the column and its type.
        ValueError: A column could hold it only in part.
    """
    where = f"column {column!r}"
    with _named(where, value):
        return _cell(value, column, where)


def _cell(value: object, column: str, where: str) -> object:
    found = scalar(value, where, is_float=column in _FLOATS)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(found, numpy.ndarray):
        if found.size == 1 and column in _NUMBERS:
            return cell(found.reshape(())[()], column)
        return stored.cell_text(found.tolist() if found.dtype == object else list(found), column)
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
            raise ValueError(f"{where} has a duration beyond 999,999,999 days, or of more than 63 bits of µs")
        return "duration", micros
    return found


def nested(value: object, where: str) -> object:
    """Return a value within a list or mapping as plain data: there times have no type of their own.

    Raises:
        TypeError: It has no place in JSON; the message says where it is.
        ValueError: It could be there only in part.
    """
    with _named(where, value):
        return _nested(value, where)


def _nested(value: Any, where: str) -> object:  # noqa: ANN401
    numpy = sys.modules.get("numpy")
    if type(value).__module__.startswith("pyarrow") and hasattr(value, "as_py"):
        value = _of_arrow(value, where)
    if isinstance(value, datetime) and value.tzinfo is not None and hasattr(value, "to_datetime64"):
        return value.isoformat()  # of pandas, whose time of NumPy has no offset
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
    """Return what a value is when nothing of its meaning is lost.

    Args:
        value: Anything.
        where: Its place, for errors.
        is_float: Whether a float next to it will do, as for scores.

    Returns:
        None, a bool, int, float, text, time, duration, list, mapping, or an array of NumPy with dimensions.

    Raises:
        TypeError: It is of a type that no column holds.
        ValueError: It is a number that no float is.
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
    # Those of pandas have nanoseconds.
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
    elif hasattr(value, "unit") or hasattr(value, "units"):
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
    """Return what a scalar of pyarrow holds: of lists and structs its scalars, which know their units."""
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
    """Return what an array of any library holds; None for what pandas says is missing."""
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
    """Return what an array or scalar of NumPy is, as `scalar` does."""
    is_one = isinstance(value, numpy.ma.MaskedArray) and value.ndim == 0 and value.dtype.names is None
    if is_one and numpy.ma.getmaskarray(value).all():
        return None
    _check_unit(numpy, value, where)
    if isinstance(value, numpy.matrix):
        value = numpy.asarray(value)  # whose rows are none of two dimensions
    if value.dtype.names is not None and value.ndim == 0:
        return {name: scalar(value[name], where) for name in value.dtype.names}
    if isinstance(value, numpy.ndarray):
        return value if value.ndim else scalar(value[()], where)
    # Durations of NumPy are whole numbers to Python.
    if isinstance(value, numpy.datetime64 | numpy.timedelta64):
        return None if numpy.isnat(value) else value
    if isinstance(value, numpy.bool_ | numpy.integer):
        return value.item()
    if isinstance(value, numpy.floating):
        number = float(value)
        is_same = number == value or math.isnan(number)
        if not is_same and not (is_float and _is_near(value, number)):
            raise ValueError(f"{where} is {value!r}, which no 64-bit float is")
        return number
    raise TypeError(f"{where} has a value of type {type(value).__qualname__}, which cannot be stored")


def _check_unit(numpy: Any, value: Any, where: str) -> None:  # noqa: ANN401
    """Refuse arrays of classes that add a unit to the ones of NumPy."""
    own = type(value).__module__.split(".")[0] == "numpy"
    if not own and isinstance(value, numpy.ndarray) and (hasattr(value, "unit") or hasattr(value, "units")):
        kind = type(value).__qualname__
        raise TypeError(
            f"{where} is of type {kind}, whose unit is not stored; give plain numbers in a known unit"
        )


def _is_near(value: Any, number: float) -> bool:  # noqa: ANN401
    """Whether the float next to a longer one says the same: no other whole number, infinity or zero."""
    if number == value or math.isnan(number):
        return True
    return math.isfinite(number) and number != 0 and abs(number) < _EXACT


def _float_of(value: Decimal | Fraction, where: str, *, is_float: bool) -> float | int:
    """Return the float of a decimal or fraction; of one that no float is only where `is_float`."""
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
        f"{where} is {_shown(value)}, which no 64-bit float is; give it as a text, or as float(...)"
    )


def _shown(value: object) -> str:
    """Return a number for an error; Python writes out none of very many digits."""
    try:
        return repr(value)
    except ValueError:
        return f"with very many digits ({type(value).__qualname__})"


@contextlib.contextmanager
def _named(where: str, value: object) -> Iterator[None]:
    """Say of which column or array an error of another library is."""
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
        known = "a time outside of the years 1 to 9999" if is_time else "a duration beyond 999,999,999 days"
        raise ValueError(f"{where} has {known}")
    return ("time" if is_time else "duration"), micros


def array(value: Any, key: str) -> tuple[np.ndarray, tuple[int, ...]] | None:  # noqa: ANN401
    """Return the numbers of an array row by row as 64-bit floats, and its shape; None where it is all masked.

    What is null or masked in it is NaN.

    Raises:
        TypeError: It is no array of real numbers; the message says what it is.
        ValueError: Its rows have different lengths, or a number in it is none that a 64-bit float is.
    """
    import numpy as np

    with _named(key, value):
        found = _array(np, value, key)
    return None if found is None else (np.ascontiguousarray(found).reshape(-1), found.shape)


def _array(np: Any, value: Any, key: str) -> Any:  # noqa: ANN401
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, np.ndarray | np.generic):
        return _of_array(np, value, key)
    if isinstance(value, str | bytes | Mapping):
        raise _no_array(key, value)
    if hasattr(value, "to_numpy") and hasattr(value, "columns"):
        # A frame: columns of different types, of which no common one may hold all values.
        columns = [_array(np, value[name], key) for name in value.columns]
        return np.column_stack(columns) if columns else np.empty(value.shape)
    if hasattr(value, "to_pylist") and hasattr(value, "column_names"):
        # A table of Arrow, likewise.
        columns = [_array(np, column, key) for column in value.columns]
        return np.column_stack(columns) if columns else np.empty((value.num_rows, 0))
    if hasattr(value, "to_pylist") and value.null_count:
        return _of_items(np, value.to_pylist(), key)
    if (
        hasattr(value, "to_list")
        and hasattr(value, "null_count")
        and (value.null_count() or value.dtype.is_nested())
    ):
        return _of_items(np, value.to_list(), key)
    if hasattr(value, "isna") and hasattr(value.dtype, "na_value") and value.isna().any():
        return _of_items(np, list(value), key)  # pandas would make floats of whole numbers beside nulls
    if hasattr(value, "to_numpy"):
        try:
            plain = value.to_numpy(zero_copy_only=False) if hasattr(value, "to_pylist") else value.to_numpy()
        except Exception:  # noqa: BLE001 - Polars has errors of its own
            plain = value.to_pylist() if hasattr(value, "to_pylist") else list(value)
        return _array(np, plain, key)
    if isinstance(value, Sequence) and not isinstance(value, bytearray | memoryview):
        return _of_items(np, list(value), key)
    if hasattr(value, "unit") or hasattr(value, "units"):
        raise TypeError(
            f"{key} is of type {type(value).__qualname__}, whose unit is not stored; give plain numbers"
        )
    if (
        hasattr(value, "__array__")
        or isinstance(value, bytearray | memoryview)
        or hasattr(value, "__buffer__")
    ):
        try:
            plain = np.asarray(value)
        except Exception as error:
            raise TypeError(
                f"{key} is of type {type(value).__qualname__}, which cannot be read: {error}"
            ) from error
        return _of_array(np, plain, key)
    if isinstance(value, Iterable) and hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return _of_items(np, list(value), key)
    raise _no_array(key, value)


def _no_array(key: str, value: object) -> TypeError:
    return TypeError(f"{key} must be an array or a list of numbers, or None, not {type(value)}")


def _of_array(np: Any, value: Any, key: str) -> Any:  # noqa: ANN401
    """Return an array of NumPy as 64-bit floats of this machine's byte order."""
    _check_unit(np, value, key)
    mask = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
    plain = np.asarray(value.data if mask is not None else value)
    kind = plain.dtype.kind
    if kind == "O":
        masked = np.zeros(plain.shape, bool) if mask is None else mask
        items = [math.nan if out else item for item, out in zip(plain.flat, masked.flat, strict=True)]
        if not items:
            return np.empty(plain.shape)
        # An element may be a row itself.
        found = _of_items(np, items, key)
        return found.reshape(plain.shape + found.shape[1:])
    if kind not in "biuf":
        what = plain.dtype if plain.dtype.names is None else f"records ({', '.join(plain.dtype.names)})"
        raise TypeError(f"{key} must be an array of real numbers, not of {what}")
    with np.errstate(over="ignore", under="ignore"):
        numbers = plain.astype(np.float64)
    if kind in "iu" and plain.dtype.itemsize == 8:
        looked_at = np.abs(numbers) >= _EXACT
        is_exact = _are_exact(plain, numbers, looked_at if mask is None else looked_at & ~mask)
    elif kind == "f" and plain.dtype.itemsize > 8:
        far = (numbers != plain) & (plain == plain)
        far = far & (~np.isfinite(numbers) | (numbers == 0) | (np.abs(numbers) >= _EXACT))
        is_exact = not (far if mask is None else far & ~mask).any()
    else:
        is_exact = True
    if not is_exact:
        raise ValueError(f"{key} has numbers of type {plain.dtype} that no 64-bit float is")
    if mask is not None:
        numbers[mask] = np.nan
    return numbers


def _are_exact(plain: Any, numbers: Any, looked_at: Any) -> bool:  # noqa: ANN401
    pairs = zip(plain[looked_at].tolist(), numbers[looked_at].tolist(), strict=True)
    return all(int(number) == whole for whole, number in pairs)


def _of_items(np: Any, items: list[Any], key: str) -> Any:  # noqa: ANN401
    """Return a list of numbers, or of lists of numbers of one shape, as an array of 64-bit floats."""
    if all(type(item) is float for item in items):
        return np.array(items, dtype=np.float64)
    rows = [_is_row(np, item) for item in items]
    if not any(rows):
        return np.array([_number(item, key) for item in items], dtype=np.float64)
    arrays = [
        _array(np, item, key) if is_row else np.array(0.0) for item, is_row in zip(items, rows, strict=True)
    ]
    if len({found.shape for found in arrays}) > 1:
        raise ValueError(f"the rows of {key} have different lengths")
    return np.stack(arrays)


def _is_row(np: Any, item: object) -> bool:  # noqa: ANN401
    if isinstance(item, str | bytes | int | float) or item is np.ma.masked:
        return False
    return getattr(item, "ndim", 1) > 0 and hasattr(item, "__len__") and hasattr(item, "__getitem__")


def _number(item: object, key: str) -> float:
    """Return one number of an array; NaN for null."""
    found = scalar(item, f"{key} has an element that", is_float=True)
    if found is None:
        return math.nan
    if isinstance(found, int):
        try:
            number = float(found)
        except OverflowError:
            number = math.inf
        if math.isinf(number) or int(number) != found:
            raise ValueError(f"{key} has the whole number {_shown(found)}, which no 64-bit float is")
        return number
    if isinstance(found, float):
        return float(found)
    raise TypeError(
        f"{key} must be an array or a list of numbers, or None; it has an element of type {type(item)}"
    )
