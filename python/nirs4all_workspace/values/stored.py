"""Rules for stored values: what a writer accepts can be read back by every reader.

Texts are Unicode, integers have a bounded number of digits, nesting has a bounded depth. Other values are
refused, with their place. Texts of errors are cut instead: an error must not hide the one before it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any

# Bytes of UTF-8, with the mark.
LONGEST_ERROR = 64 * 1024
# Levels of lists and mappings in a result, including itself, and in a record.
DEEPEST_RESULT = 127
DEEPEST_RECORD = 200
# The choices of a configuration become a value of its results.
DEEPEST_CHOICES = DEEPEST_RESULT - 1
# Bytes of a result or a record.
LARGEST = 64 * 1024 * 1024
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
# Python reads integers of this many digits, by default.
_LONGEST_INTEGER = 10 ** (sys.int_info.default_max_str_digits - 1)
_ERRORS = ("error", "traceback")

# A place in a tree: the place of the parent, and the key there.
_Place = tuple["_Place | None", object]


def error_text(text: str) -> str:
    """Return the text of an error in its stored form: lone surrogates escaped, at most 64 KiB of UTF-8.

    A longer text ends with a mark that gives its length.
    """
    content = text[: LONGEST_ERROR + 1].encode("utf-8", "backslashreplace")
    if len(content) > LONGEST_ERROR:
        mark = f"\n[cut here: {len(text)} characters in all]".encode()
        content = content[: LONGEST_ERROR - len(mark)].decode("utf-8", "ignore").encode() + mark
    return content.decode()


def with_error_texts(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with the texts of its errors in their stored form.

    Raises:
        ValueError: A text is not Unicode, and the result did not fail. The texts of a failed result are never
            refused: that would hide why it failed.
    """
    found = dict(result)
    for key in _ERRORS:
        text = found.get(key)
        if isinstance(text, str):
            has_failed = found.get("status") == "failed"
            found[key] = error_text(text if has_failed else check_text(text, f"result[{key!r}]"))
    return found


def result_text(result: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a result in its stored form, and its strict JSON.

    Raises:
        TypeError: A value has a type that JSON lacks; the message names its place.
        ValueError: A value cannot be read back; the message names its place and a remedy.
    """
    tree = _Strict("result", DEEPEST_RESULT, keeps_numbers=True).of(result, None, 1)
    text = json.dumps(tree, allow_nan=False)
    check_size(len(text), tree, "result")
    return tree, text


def cell_text(value: object, column: str) -> str:
    """Return a mapping or list in a column of predictions as strict JSON.

    Raises:
        TypeError: A value in it has a type that JSON lacks; the message names its place.
        ValueError: A value in it cannot be read back from JSON; the message names its place.
    """
    tree = _Strict(f"column {column!r}", DEEPEST_RESULT, keeps_numbers=False).of(value, None, 1)
    return json.dumps(tree, allow_nan=False)


def check_text(text: str, where: str) -> str:
    """Return a text after checking that it is Unicode.

    Raises:
        UnicodeError: The text has a lone surrogate; a ValueError.
    """
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UnicodeError(f"{where} {_no_unicode(text, error)}") from None
    return text


def is_unicode(value: object) -> bool:
    """Return whether a text is Unicode; only such texts name anything. True for values of other types."""
    try:
        check_text(value if isinstance(value, str) else "", "the text")
    except UnicodeError:
        return False
    return True


def check_integer(number: int, where: str) -> int:
    """Return an integer after checking that it can be read back.

    Raises:
        ValueError: It has too many digits.
    """
    if not -_LONGEST_INTEGER < number < _LONGEST_INTEGER:
        digits = len(str(_LONGEST_INTEGER))
        raise ValueError(f"{where} is an integer of more than {digits - 1} digits; give it as a text")
    return number


def check_record(tree: object, where: str, deepest: int = DEEPEST_RECORD) -> None:
    """Check that a record can hold a tree of plain data.

    Raises:
        TypeError: A value has a type that a record cannot hold; the message names its place.
        ValueError: A value cannot be read back; the message names its place.
    """
    # Without recursion: the tree may be of any depth.
    waiting: list[tuple[object, _Place | None, int]] = [(tree, None, 1)]
    while waiting:
        value, place, depth = waiting.pop()
        kind = type(value)
        if isinstance(value, dict | list | tuple) and kind in (dict, list, tuple):
            if depth > deepest:
                raise ValueError(f"{_name(where, place)} {_too_deep(deepest)}")
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                waiting.append((item, (place, key), depth + 1))
                waiting.append((key, (place, key), depth + 1))
        elif isinstance(value, str) and kind is str:
            if not value.isascii():
                check_text(value, _name(where, place))
        elif isinstance(value, int) and kind is int:
            if value.bit_length() > 64:
                check_integer(value, _name(where, place))
        elif value is not None and kind not in (bool, float, bytes) and not isinstance(value, date):
            what = f"is of type {kind.__qualname__}, which a record cannot hold; give plain data"
            raise TypeError(f"{_name(where, place)} {what}")


def check_size(size: int, tree: object, where: str) -> None:
    """Check that a record does not exceed the size limit.

    Raises:
        ValueError: It exceeds the limit; the message names its longest text.
    """
    if size > LARGEST:
        raise ValueError(f"{longest(tree, where)} {_too_large(size)}")


def longest(tree: object, where: str) -> str:
    """Return the place of the longest text in a tree of plain data, for messages about its size."""
    found, length = where, 0
    waiting: list[tuple[object, _Place | None]] = [(tree, None)]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, str) and len(value) > length:
            found, length = _name(where, place), len(value)
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend((item, (place, key)) for key, item in items)
    return found


class _Strict:
    """Converts a tree to strict JSON: NaN and infinities become texts, tuples and arrays lists."""

    def __init__(self, where: str, deepest: int, *, keeps_numbers: bool) -> None:
        self.where = where
        self.deepest = deepest
        self.keeps_numbers = keeps_numbers

    def of(self, value: Any, place: _Place | None, depth: int) -> Any:  # noqa: ANN401 - a tree of anything
        if isinstance(value, str):
            return value if value.isascii() else check_text(value, _name(self.where, place))
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if not _SMALLEST <= value <= _LARGEST:
                self.check_integer(value, place)
            return value
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if isinstance(value, Mapping | list | tuple):
            if depth > self.deepest:
                raise ValueError(f"{_name(self.where, place)} {_too_deep(self.deepest)}")
            if isinstance(value, Mapping) and not type(value).__module__.startswith("pyarrow"):
                return self.of_mapping(value, place, depth)
            if type(value).__name__ == "MonthDayNano":  # a tuple to Python
                raise TypeError(f"{_name(self.where, place)} is an interval, which cannot be stored")
            if not isinstance(value, Mapping):
                return [self.of(item, (place, index), depth + 1) for index, item in enumerate(value)]
        from nirs4all_workspace.values import scalars  # not needed for plain trees

        return self.of(scalars.nested(value, _name(self.where, place)), place, depth)

    def of_mapping(self, mapping: Mapping[Any, Any], place: _Place | None, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in mapping.items():
            at = (place, key)
            name = check_text(str(key), f"the key {_name(self.where, at)}")
            if name in found:
                raise ValueError(f"{_name(self.where, at)}: two keys have the same text {name!r}")
            found[name] = self.of(item, at, depth + 1)
        return found

    def check_integer(self, value: int, place: _Place | None) -> None:
        where = _name(self.where, place)
        check_integer(value, where)
        if self.keeps_numbers:
            raise ValueError(
                f"{where} is an integer beyond 64 bits, of which readers lose digits; give it as a text"
            )


def _name(where: str, place: _Place | None) -> str:
    keys = []
    while place is not None:
        place, key = place
        shown = repr(key)
        keys.append(f"[{shown if len(shown) < 100 else shown[:100] + '...'}]")
    if len(keys) > 8:
        keys[4:-4] = ["..."]
    return where + "".join(reversed(keys))


def _too_deep(deepest: int) -> str:
    what = f"is nested deeper than {deepest} levels, or contains itself"
    return f"{what}; store it as a file with ws.artifacts.put"


def _too_large(size: int) -> str:
    what = f"makes it {size >> 20} MiB long, and readers take {LARGEST >> 20} at most"
    return f"{what}; store large content with ws.artifacts.put and name its hash"


def _no_unicode(text: str, error: UnicodeEncodeError) -> str:
    shown = ascii(text[error.start])
    return (
        f"is not valid Unicode: it has the lone surrogate {shown} at position {error.start}, as file "
        "names have that are not UTF-8; replace it, for example by "
        "text.encode(errors='backslashreplace').decode()"
    )
