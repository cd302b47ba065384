"""Untrusted text made safe for a terminal: names may hold what it would obey or reorder.

Files keep names as they are and JSON escapes them; this is for tables, lines and messages of errors.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Control characters, surrogates, line separators and format characters (bidi, zero width, tags); and
# letters and marks that have no glyph.
_DOUBTFUL = re.compile(r"[^ -~]")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: object) -> str:
    r"""Return a text on one line with what a terminal would obey escaped: `\x1b`, `\u202e`, `\n`.

    Letters of all scripts, brackets and backslashes are unchanged.
    """
    text = str(text)
    return text if text.isascii() and text.isprintable() else _DOUBTFUL.sub(_escaped, text)


def lines_shown(text: str) -> str:
    """Return a text of several lines, each made safe as `shown` does."""
    return "\n".join(map(shown, text.split("\n")))


def some_of(names: Sequence[str], most: int) -> str:
    """Return the first names as one text, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def warn(message: str, stacklevel: int = 2) -> None:
    """Issue a UserWarning whose message may hold untrusted names."""
    warnings.warn(shown(message), stacklevel=stacklevel + 1)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"  # a byte of a file name that is not UTF-8
    kind = unicodedata.category(character)
    if kind not in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _INVISIBLE:
        return character
    return (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )
