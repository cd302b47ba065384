"""Columns of targets: numbers with statistics, classes, or undetermined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import tokens
from nirs4all_workspace.datasets.inspect.spectra import place

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.inspect.rows import Rows
    from nirs4all_workspace.datasets.inspect.table_profile import Place

_BATCH = 1 << 16
_MOST_CLASSES = 1000
_FEW_TEXTS = 5
# As in the core: from this magnitude on there is no mean, since a sum may depend on its order.
_OVERFLOW = 2.0**960
# Beyond these magnitudes squares are computed in scaled units.
_PLAIN = 400


@dataclass
class Target:
    """A column of targets, or of what may be targets.

    Attributes:
        name: The name of the column.
        rows: Number of fields.
        numbers: Number of finite and infinite numbers.
        texts: Number of texts that are not numeric.
        missing: Number of missing values.
        text: Place of the first text.
        gap: Place of the first missing value.
        doubt: Why its texts may not be classes, or its numbers cannot be read.
        has_decimals: Whether any number is not an integer.
        classes: Distinct values, as long as they are few.
        is_distinct: Whether no text repeats.
        infinite: Place of the first number that is infinite, or too large for a float.
    """

    name: str
    rows: int = 0
    numbers: int = 0
    texts: int = 0
    missing: int = 0
    text: Place | None = None
    gap: Place | None = None
    doubt: str | None = None
    has_decimals: bool = False
    classes: set[str | float] = field(default_factory=set)
    is_distinct: bool = True
    finite: int = 0
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    unit: int = 0
    infinite: Place | None = None
    pending: list[float] = field(default_factory=list)

    @property
    def kind(self) -> str | None:
        """The kind of the column: numbers, texts, or None where undetermined."""
        if self.doubt or bool(self.numbers) == bool(self.texts):
            return None
        return "numbers" if self.numbers else "texts"

    @property
    def may_name_samples(self) -> bool:
        """Whether all values are texts that never repeat, and more than a few."""
        return self.kind == "texts" and self.is_distinct and self.texts > _FEW_TEXTS

    def add_number(self, value: float, line: int, token: str) -> None:
        """Add a number."""
        self.rows += 1
        self.numbers += 1
        if not math.isfinite(value):
            self.infinite = self.infinite or (line, token)
            return
        self.has_decimals = self.has_decimals or value != math.floor(value)
        self._add_class(value)
        self.pending.append(value)
        if len(self.pending) == _BATCH:
            self._take_in()

    def add_text(self, line: int, token: str) -> None:
        """Add a text."""
        self.rows += 1
        self.texts += 1
        self.text = self.text or (line, token)
        self._add_class(token)

    def add_missing(self, line: int, token: str) -> None:
        """Add a missing value."""
        self.rows += 1
        self.missing += 1
        if self.gap is None or (line < self.gap[0] and self.gap[0]):
            self.gap = (line, token)

    def _add_class(self, value: str | float) -> None:
        if value in self.classes:
            self.is_distinct = False
        elif len(self.classes) < _MOST_CLASSES:
            self.classes.add(value)

    def _take_in(self) -> None:
        """Add the waiting numbers to the statistics, a batch at a time (Chan, Golub and LeVeque 1979)."""
        if not self.pending:
            return
        low, high = min(self.pending), max(self.pending)
        count, unit = len(self.pending), _unit(max(-low, high))
        values = [math.ldexp(value, -unit) for value in self.pending] if unit else self.pending
        mean = math.fsum(values) / count
        squares = math.fsum((value - mean) ** 2 for value in values)
        self._merge(count, mean, squares, unit, low, high)
        self.pending = []

    def _merge(self, count: int, mean: float, squares: float, unit: int, low: float, high: float) -> None:
        """Add statistics in units of 2^`unit`, the unit of the mean; `squares` are in its square."""
        if not self.finite:
            self.unit = unit
        common = max(self.unit, unit)
        mean, squares = math.ldexp(mean, unit - common), math.ldexp(squares, 2 * (unit - common))
        self.mean = math.ldexp(self.mean, self.unit - common)
        self.squares = math.ldexp(self.squares, 2 * (self.unit - common))
        self.unit = common
        together = self.finite + count
        step = mean - self.mean
        self.squares += squares + step * step * self.finite * count / together
        self.mean += step * count / together
        self.finite = together
        self.low, self.high = min(self.low, low), max(self.high, high)

    def merge(self, other: Target) -> None:
        """Add the same column of another partition."""
        self._take_in()
        other._take_in()
        if other.finite:
            self._merge(other.finite, other.mean, other.squares, other.unit, other.low, other.high)
        self.rows += other.rows
        self.numbers += other.numbers
        self.texts += other.texts
        self.missing += other.missing
        self.text, self.gap = self.text or other.text, self.gap or other.gap
        self.infinite = self.infinite or other.infinite
        self.doubt = self.doubt or other.doubt
        self.has_decimals = self.has_decimals or other.has_decimals
        self.is_distinct = self.is_distinct and other.is_distinct and not self.classes & other.classes
        self.classes |= other.classes

    def stats(self) -> dict[str, float | None]:
        """Return min, max, mean and std (ddof = 1) of the finite numbers; the mean is None on overflow."""
        self._take_in()
        if not self.finite:
            return {"min": None, "max": None, "mean": None, "std": None}
        mean = std = None
        if max(-self.low, self.high) < _OVERFLOW:
            mean = math.ldexp(self.mean, self.unit)
            std = math.sqrt(self.squares / (self.finite - 1)) if self.finite > 1 else None
            std = None if std is None else math.ldexp(std, self.unit)
        return {"min": self.low, "max": self.high, "mean": mean, "std": std}

    def say_faults(self, notes: list[str]) -> None:
        """Add notes on values that the statistics exclude."""
        if self.infinite and self.kind == "numbers":
            line, token = self.infinite
            shown = repr(token if len(token) <= 40 else token[:37] + "...")
            many = self.numbers - self.finite
            notes.append(
                f"{many} values of {self.name!r} are infinite or too large, and in no statistics: "
                f"the first is {shown} in line {line}"
            )
        if self.finite and max(-self.low, self.high) >= _OVERFLOW:
            notes.append(f"values of {self.name!r} exceed 2^960: mean and std are undetermined")


def _unit(magnitude: float) -> int:
    """Return the power of two by which numbers are divided, so that their squares do not overflow."""
    exponent = math.frexp(magnitude)[1]
    return exponent if magnitude and abs(exponent) > _PLAIN else 0


def read(rows: Rows, names: list[str], columns: list[int], notes: list[str]) -> list[Target]:
    """Read columns of targets.

    Args:
        rows: The settled rows of their table.
        names: Names of all columns of the table.
        columns: Indexes of the columns to read.
        notes: Receives what was inferred, and what could not be determined.
    """
    table = rows.table
    found = [(i, Target(names[i])) for i in columns]
    decimal = table.decimal
    blanks = (rows.count or 0) - (table.rows - rows.skipped)
    # Which blank lines are samples is known where all of them are.
    above = 0 if rows.skipped else table.lead_blanks
    line = (
        table.first_blank if blanks == table.inner_blanks + table.end_blanks + above and not above else None
    )
    for _, target in found:
        for _ in range(blanks):
            target.add_missing(line or 0, "")
    for line, row in table.data(rows.skipped):
        for i, target in found:
            _add(target, line, row[i], decimal)
    for i, target in found:
        _add_notes(target, place(rows, i, names), table.why_no_decimal, notes)
    return [target for _, target in found]


def _add(target: Target, line: int, token: str, decimal: str | None) -> None:
    if tokens.is_missing(token):
        target.add_missing(line, token)
        return
    value = tokens.number(token, decimal or ".")
    if decimal is None and tokens.decimal_mark(token)[0] is not None:
        target.doubt = "decimal"
        value = tokens.any_number(token)
    if value is None:
        target.add_text(line, token)
        if not target.doubt and (tokens.is_almost_number(token) or tokens.stands_for_none(token)):
            target.doubt = f"{token!r} in line {line}"
    else:
        target.add_number(value, line, token)


def _add_notes(target: Target, where: str, no_decimal: str, notes: list[str]) -> None:
    if target.doubt == "decimal":
        notes.append(f"{where} is undetermined, {no_decimal}")
    elif target.numbers and target.texts and target.text:
        line, token = target.text
        target.doubt = f"{token!r} in line {line}"
        notes.append(
            f"{where} has {target.numbers} numbers, and {token!r} in line {line}: "
            "a class, or a value that is missing"
        )
    elif target.doubt:
        notes.append(f"{where} has {target.doubt}: classes, or numbers with an addition")
    if target.gap:
        line, token = target.gap
        first = f"the first is {token!r} in line {line}" if line else "blank lines among them"
        notes.append(f"{where} has {target.missing} missing values, {first}")


def task_type(targets: list[Target], notes: list[str]) -> str | None:
    """Return "regression" or "classification", or None with notes where the targets do not determine it."""
    kinds = {target.kind for target in targets}
    if not targets:
        return None
    if None in kinds:
        doubtful = ", ".join(repr(target.name) for target in targets if target.kind is None)
        notes.append(f"the task type is undetermined: numbers or classes in {doubtful}")
        return None
    if len(kinds) > 1:
        notes.append("numbers and texts as targets: the task type is undetermined")
        return None
    if kinds == {"texts"}:
        if names := [target.name for target in targets if target.may_name_samples]:
            told = ", ".join(map(repr, names))
            notes.append(f"no text of {told} repeats: names of samples or classes; the task is undetermined")
            return None
        return "classification"
    if any(target.has_decimals for target in targets):
        if _are_shares(targets):
            notes.append(
                "few values from 0 to 1 as targets: classes to nirs4all; the task type is undetermined"
            )
            return None
        return "regression"
    notes.append("integers as targets: classes or values; the task type is undetermined")
    return None


def _are_shares(targets: list[Target]) -> bool:
    """Return whether there are few distinct values from 0 to 1, which nirs4all takes for classes."""
    known = [target for target in targets if target.stats()["min"] is not None]
    classes = set().union(*(target.classes for target in known))
    is_within = all(target.low >= 0 and target.high <= 1 for target in known)
    return is_within and len(classes) <= 0.05 * sum(target.numbers for target in known)
