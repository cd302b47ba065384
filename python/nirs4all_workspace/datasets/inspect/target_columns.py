"""Finding the columns of a file that hold targets, and their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import targets, tokens
from nirs4all_workspace.datasets.inspect.spectra import header_names, place

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.inspect.rows import Rows
    from nirs4all_workspace.datasets.inspect.targets import Target


def unique(names: list[str], file: str, notes: list[str]) -> list[str]:
    """Return column names as pandas makes them unique, and names for columns without one."""
    found: list[str] = []
    known: set[str] = set()
    counts: dict[str, int] = {}
    for i, name in enumerate(names):
        plain = " ".join(name.split()) or f"Unnamed: {i}"
        other, number = plain, counts.get(plain, 0)
        while other in known:
            number += 1
            other = f"{plain}.{number}"
        counts[plain] = number
        known.add(other)
        if other != name:
            as_pandas = "" if name.split() != [name] and name else ", as pandas does"
            notes.append(f"column {i + 1} of {file} is called {other!r}{as_pandas}")
        found.append(other)
    return found


def read(rows: Rows, notes: list[str]) -> list[Target] | None:
    """Read a file of targets; None where its target columns are undetermined.

    Args:
        rows: The settled rows of the file.
        notes: Receives what was inferred, and what could not be determined.
    """
    table = rows.table
    if rows.is_contradicted or rows.has_header is None or rows.count is None:
        return None
    if table.is_trimmed:
        notes.append(f"the only line of {rows.name} ends with separators: targets are undetermined")
        return None
    names = header_names(rows)
    columns = list(range(1 if table.has_row_names else 0, len(table.columns)))
    if not names and len(columns) > 1 and columns[0] == 0 and _counts_from_first(rows):
        notes.append(
            f"{place(rows, 0, names)} counts: it numbers samples, or is a target; targets are undetermined"
        )
        return None
    if not names:
        names = ["y"] if len(columns) == 1 else [f"y{i + 1}" for i in columns]
        notes.append(f"the columns of {rows.name} have no names and are called {', '.join(names)}")
    elif (
        len(columns) > 1 and columns[0] == 0 and table.counts and table.rows > 3 and tokens.is_label(names[0])
    ):
        notes.append(
            f"{place(rows, 0, names)} counts: it numbers samples, or is a target; targets are undetermined"
        )
        return None
    if table.text_row is not None:
        notes.append(f"line {table.text_row} of {rows.name} holds texts: a sample, or something else")
    names = unique(names, rows.name, notes)
    found = targets.read(rows, names, columns, notes)
    if any(target.rows == target.missing for target in found if target.name.startswith("Unnamed:")):
        notes.append(f"a column of {rows.name} has no name and is empty; targets are undetermined")
        return None
    if _has_names_of_samples(found):
        text = ", ".join(repr(target.name) for target in found if target.kind == "texts")
        notes.append(f"{text} of {rows.name} names samples, or is a target; targets are undetermined")
        return None
    return found


def _counts_from_first(rows: Rows) -> bool:
    """Return whether the first column counts by 1, from the first row on."""
    table = rows.table
    if not table.counts or table.rows <= 3:
        return False
    first, second = (tokens.any_number(row[0]) for row in (table.first, table.second))
    return first is not None and second is not None and second == first + 1


def _has_names_of_samples(found: list[Target]) -> bool:
    """Return whether a column may name samples: texts that never repeat, beside numbers."""
    others = any(target.kind != "texts" for target in found)
    return others and any(
        target.kind == "texts" and (target.is_distinct or tokens.is_label(target.name)) for target in found
    )


def are_classes(rows: Rows) -> bool:
    """Return whether all columns hold classes, whether or not the first row is one of them."""
    table = rows.table
    if table.rows < 2 or any(table.has_numbers(i) for i in range(len(table.columns))):
        return False
    rows.skipped, rows.count = 1, table.rows - 1
    found = targets.read(rows, [""] * len(table.columns), list(range(len(table.columns))), [])
    rows.count = None
    first = [token for token in table.first if token]
    if any(target.may_name_samples for target in found):
        return False
    return all(target.kind == "texts" for target in found) and all(map(tokens.is_name, first))
