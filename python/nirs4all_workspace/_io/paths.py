"""Paths given by callers: made absolute at once, and matched in any normal form of Unicode."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def absolute(path: str | os.PathLike[str], what: str = "path") -> Path:
    """Return a path as absolute, independent of later changes of the working directory; links stay links.

    Args:
        path: The path that the caller gave.
        what: The name of the argument, for messages.

    Raises:
        ValueError: The path is empty, which would mean the working directory.
        TypeError: The value is not a path.
    """
    text = os.fspath(path)
    if not text:
        raise ValueError(f"{what} is empty; give '.' for the working directory")
    full = (path if isinstance(path, Path) else Path(path)).absolute()
    if ".." not in text or ".." not in full.parts:
        return full
    place = Path(full.anchor)
    for part in full.parts[1:]:
        if part != "..":
            place /= part
        else:
            # `..` after a link to a folder is the parent of the folder it leads to, not of the link.
            place = (Path(os.path.realpath(place)) if place.is_symlink() else place).parent
    return place


def absolute_all(paths: Iterable[str | os.PathLike[str]], what: str) -> list[Path]:
    """Return several paths as absolute paths.

    Raises:
        TypeError: A single path was given instead of a list.
        ValueError: A path is empty.
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"{what}: expected a list of paths, got {os.fspath(paths)!r}")
    return [absolute(path, what) for path in paths]


def nfc(text: str) -> str:
    """Return a name in NFC, the normal form in which names are compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def forms_of(name: str) -> set[str]:
    """Return a name as given, in NFC and in NFD."""
    if name.isascii():
        return {name}
    return {name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}


def same_name(one: str | None, other: str | None) -> bool:
    """Return whether two names are equal in NFC; None equals only None."""
    return one == other or (one is not None and other is not None and nfc(one) == nfc(other))


def on_disk(path: Path) -> Path:
    """Return a path as the file system spells it: macOS stores names in NFD, others as they were written.

    A path that exists, or for which no other normal form exists, is returned unchanged.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:]:
        there = found / part
        if not os.path.lexists(there):
            if part.isascii():
                return path
            other = _spelt(found, part)
            if other is None:
                return path
            there = found / other
        found = there
    return found


def _spelt(folder: Path, name: str) -> str | None:
    """Return the entry of a folder whose name equals this one in NFC, if any."""
    wanted = nfc(name)
    try:
        return min((entry.name for entry in folder.iterdir() if nfc(entry.name) == wanted), default=None)
    except OSError:
        return None
