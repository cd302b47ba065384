"""Recognising files of spectra and targets by name, as nirs4all does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SETS = "cal|train|val|test"
# nirs4all 1.4 requires separators around the pattern, so that Xcal_MIR is not metadata (cal_M); 0.6 does not.
_EDGE = r"[._\- ]"
_TEXT = (".csv", ".csv.gz", ".csv.zip", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".gz", ".zip")
_PARQUET = (".parquet",)
_ARCHIVES = (".tar.gz", ".tgz", ".npy.gz", ".mat.gz", ".xlsx.gz", ".parquet.gz")
_DATA: tuple[str, ...] = (
    ".npy",
    ".npz",
    ".mat",
    ".xlsx",
    ".xls",
    ".spc",
    ".jdx",
    ".dx",
    ".bz2",
    ".xz",
    ".tar",
    ".tgz",
    ".h5",
)
_DATA += (".tar.gz", ".feather", ".arrow", ".pkl", ".json", ".dat", ".asd", ".zst", ".7z", ".rar", ".ods")


def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?:^|{_EDGE})(?:{kind}[_-]?(?P<set>{_SETS})|(?P<set2>{_SETS})[_-]?{kind})(?={_EDGE}|$)", re.I
    )


_STRICT = {kind: _pattern(kind) for kind in "xy"}
_LOOSE = {kind: re.compile(rf"{kind}_?({_SETS})|({_SETS})_?{kind}", re.I) for kind in "xy"}


@dataclass
class Part:
    """The files of one partition.

    Attributes:
        x: Files of spectra, one a source.
        y: Files of targets.
    """

    x: list[Path] = field(default_factory=list)
    y: list[Path] = field(default_factory=list)


def is_text(path: Path) -> bool:
    """Return whether a file is a text table, by its name."""
    name = path.name.lower()
    return name.endswith(_TEXT) and not name.endswith(_ARCHIVES)


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet file, by its name."""
    return path.name.lower().endswith(_PARQUET)


def find(folder: Path, notes: list[str]) -> tuple[dict[str, Part], bool]:
    """Return the files of each partition, and whether they include all files that nirs4all may take.

    Args:
        folder: The folder of the files.
        notes: Receives the files that were not read, and why.
    """
    parts: dict[str, Part] = {}
    is_whole = True
    unread = []
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for path in sorted(files, key=_preference):
        roles = [(kind, match) for kind, pattern in _STRICT.items() if (match := pattern.search(path.name))]
        if path.name.startswith("."):
            continue
        readable = is_text(path) or is_parquet(path)
        if not roles:
            if readable and any(pattern.search(path.name) for pattern in _LOOSE.values()):
                is_whole = False
                notes.append(f"{path.name} was not read: nirs4all 0.6 takes it as a part, 1.x does not")
        elif not readable:
            if path.name.lower().endswith(_DATA):
                unread.append(path)
        elif len(roles) > 1:
            is_whole = False
            notes.append(f"{path.name} was not read: its name is one of spectra and of targets")
        else:
            ((kind, match),) = roles
            called = match[0].strip("._- ")
            if "-" in called:
                notes.append(f"{path.name} was read; nirs4all takes no name with a dash, such as {called!r}")
            part = parts.setdefault((match["set"] or match["set2"]).lower(), Part())
            _add(part.x if kind == "x" else part.y, path, notes)
    if not any(parts[name].x for name in ("cal", "train") if name in parts):
        _add_plain(files, parts, notes)
    notes += [f"{path.name} was not read: neither a CSV nor a Parquet file" for path in unread]
    return parts, is_whole


def _preference(path: Path) -> tuple[str, int]:
    endings = [ending for ending in (*_TEXT, *_PARQUET) if path.name.lower().endswith(ending)]
    rank = min(((*_TEXT, *_PARQUET).index(ending) for ending in endings), default=99)
    return _stem(path), rank


def _stem(path: Path) -> str:
    endings = sorted((*_TEXT, *_PARQUET), key=len, reverse=True)
    name = path.name.lower()
    return next((name.removesuffix(ending) for ending in endings if name.endswith(ending)), name)


def _add(known: list[Path], path: Path, notes: list[str]) -> None:
    """Add a source, unless it is another format of a known one."""
    for other in known:
        if _stem(other) == _stem(path):
            notes.append(f"{other.name} was read, and not {path.name} beside it")
            return
    known.append(path)


def _add_plain(files: list[Path], parts: dict[str, Part], notes: list[str]) -> None:
    """Add files called X and Y, which nirs4all 1.x takes as training data where there are no others."""
    named = [path for path in sorted(files, key=_preference) if is_text(path) or is_parquet(path)]
    if not any(_stem(path) == "x" for path in named):
        return
    part = parts.setdefault("train", Part())
    for path in named:
        if _stem(path) == "x":
            _add(part.x, path, notes)
        elif _stem(path) == "y" and (not part.y or _stem(part.y[0]) == "y"):
            _add(part.y, path, notes)
