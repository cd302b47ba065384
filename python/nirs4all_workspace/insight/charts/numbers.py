"""Numbers of answers: finite, and None where there is none."""

from __future__ import annotations

import math
import operator

import numpy as np


def finite(number: float | None) -> float | None:
    """Return a number as a float; None for None, NaN and infinities."""
    return None if number is None or not math.isfinite(number) else float(number)


def quartiles_of(scores: np.ndarray) -> list[float]:
    """Return the quartiles of finite numbers, interpolated as NumPy does."""
    # Of halves no difference is too large for a float.
    found: list[float] = (np.quantile(scores / 2, [0.25, 0.5, 0.75]) * 2).tolist()
    return found


def check_count(name: str, count: int, most: int) -> int:
    """Return a count from 1 to the largest there may be.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is less than 1, or too large.
    """
    if not 1 <= operator.index(count) <= most:
        raise ValueError(f"{name}: expected an integer from 1 to {most:,}, got {count}")
    return operator.index(count)


def bins_of(values: np.ndarray, low: float, high: float, bins: int) -> tuple[list[float], list[int]]:
    """Return edges and counts of bins of one width, as `numpy.histogram` has them.

    Where all values are one, the bins reach half a unit, or a thousandth of the value, to both sides. Where
    floats do not tell the edges apart, there is one bin.
    """
    if low == high:
        half = max(0.5, abs(low) / 1_000)
        low, high = low - half, high + half
    # Of widely spread values the range itself may be no number.
    edges = np.linspace(low / 2, high / 2, bins + 1) * 2
    edges[0], edges[-1] = low, high
    if not np.all(np.diff(edges) > 0):
        edges = np.array([low, high])
    return edges.tolist(), np.histogram(values, edges)[0].tolist()
