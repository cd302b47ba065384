"""Paths that callers give: absolute from the call on, and found whatever normal form their names have."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def absolute(path: str | os.PathLike[str], what: str = "path") -> Path:
    """Return a path as it is meant now, whatever the working directory is later; links stay as they are.

    Args:
        path: What the caller gave.
        what: The argument, for the message.

    Raises:
        ValueError: It is empty, which would mean the working directory.
        TypeError: It is no path.
    """
    text = os.fspath(path)
    if not text:
        raise ValueError(f"{what} is an empty text; give '.' for the working directory")
    full = (path if isinstance(path, Path) else Path(path)).absolute()
    if ".." not in text or ".." not in full.parts:
        return full
    place = Path(full.anchor)
    for part in full.parts[1:]:
        if part != "..":
            place /= part
        else:
            # What lies above a link to a folder is above that folder, not above the link.
            place = (Path(os.path.realpath(place)) if place.is_symlink() else place).parent
    return place


def absolute_all(paths: Iterable[str | os.PathLike[str]], what: str) -> list[Path]:
    """Return several paths as `absolute` does.

    Raises:
        TypeError: It is one path instead of a list.
        ValueError: One is empty.
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"{what} is a list of paths, not one: {os.fspath(paths)!r}")
    return [absolute(path, what) for path in paths]


def nfc(text: str) -> str:
    """Return a name in the normal form by which names are compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def forms_of(name: str) -> set[str]:
    """Return a name as it is, in NFC and in NFD."""
    if name.isascii():
        return {name}
    return {name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}


def same_name(one: str | None, other: str | None) -> bool:
    """Return whether two names are one: equal once both are in NFC. None is no name but equals itself."""
    return one == other or (one is not None and other is not None and nfc(one) == nfc(other))


def on_disk(path: Path) -> Path:
    """Return a path as the file system spells it: a Mac writes names in NFD, others as they were typed.

    Where the path leads to something, or nothing of another normal form is there, it is returned as it is.
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
    """The entry of a folder that has this name in some normal form."""
    wanted = nfc(name)
    try:
        return min((entry.name for entry in folder.iterdir() if nfc(entry.name) == wanted), default=None)
    except OSError:
        return None
