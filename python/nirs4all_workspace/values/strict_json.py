"""Strict JSON, in which NaN and infinities are texts, because JSON has no numbers for them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def strict(value: Any) -> Any:  # noqa: ANN401 - a tree of anything
    """Return a tree with "NaN", "Infinity" and "-Infinity" for floats that JSON lacks.

    Tuples become lists, scalars and arrays of NumPy the result of their `tolist`.

    Raises:
        TypeError: A value has a type that JSON lacks.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "tolist"):
        return strict(value.tolist())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"JSON has no type for a {type(value).__name__}")


def shown(value: Any) -> Any:  # noqa: ANN401 - a tree of anything
    """Return a tree whose texts have bytes of paths that are not UTF-8 written out as escapes.

    Such a byte is a lone surrogate in Python, which is not Unicode, and strict parsers refuse it.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list | tuple) else value


def dumps(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - a tree of anything
    """Return a tree as strict JSON text.

    Raises:
        TypeError: A value has a type that JSON lacks.
    """
    return json.dumps(strict(value), allow_nan=False, indent=indent)
