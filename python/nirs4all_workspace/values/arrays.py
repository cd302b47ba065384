"""Arrays of predictions, converted from any library to 64-bit floats in row-major order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.values.scalars import EXACT, check_unit, named, number_shown, scalar

if TYPE_CHECKING:
    import numpy as np


def array(value: Any, key: str) -> tuple[np.ndarray, tuple[int, ...]] | None:  # noqa: ANN401
    """Return an array as 64-bit floats in row-major order, and its shape; None where all of it is masked.

    Null and masked elements are NaN.

    Raises:
        TypeError: The value is not an array of real numbers; the message gives its type.
        ValueError: Its rows have different lengths, or a number is not exact as a 64-bit float.
    """
    import numpy as np

    with named(key, value):
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
        # A frame: columns of different types, for which no common type may hold all values.
        columns = [_array(np, value[name], key) for name in value.columns]
        return np.column_stack(columns) if columns else np.empty(value.shape)
    if hasattr(value, "to_pylist") and hasattr(value, "column_names"):
        # A table of Arrow: columns of different types too.
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
        return _of_items(np, list(value), key)  # pandas would make floats of integers beside nulls
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
    """Return an array of NumPy as 64-bit floats in native byte order."""
    check_unit(np, value, key)
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
        looked_at = np.abs(numbers) >= EXACT
        is_exact = _are_exact(plain, numbers, looked_at if mask is None else looked_at & ~mask)
    elif kind == "f" and plain.dtype.itemsize > 8:
        far = (numbers != plain) & (plain == plain)
        far = far & (~np.isfinite(numbers) | (numbers == 0) | (np.abs(numbers) >= EXACT))
        is_exact = not (far if mask is None else far & ~mask).any()
    else:
        is_exact = True
    if not is_exact:
        raise ValueError(f"{key} has numbers of type {plain.dtype} that are not exact as 64-bit floats")
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
            raise ValueError(
                f"{key} has the integer {number_shown(found)}, which is not exact as a 64-bit float"
            )
        return number
    if isinstance(found, float):
        return float(found)
    raise TypeError(
        f"{key} must be an array or a list of numbers, or None; it has an element of type {type(item)}"
    )
