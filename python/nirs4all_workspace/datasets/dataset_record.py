"""The record of one dataset: its fields, their types, and reading its file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, yaml_records
from nirs4all_workspace.exceptions import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

STATUSES = (
    "unknown",
    "valid",
    "relocated",
    "found_by_hash",
    "missing",
    "hash_mismatch",
    "unreadable",
    "unstable",
)
_ID = re.compile("ds_[a-z0-9_]{1,40}_[0-9a-f]{8,64}")
_TEXT, _COUNT, _LIST, _MAPPING = (str,), (int,), (list,), (dict,)
_TYPES: dict[str, tuple[type, ...]] = {
    "id": _TEXT,
    "name": _TEXT,
    "original_path": _TEXT,
    "current_path": _TEXT,
    "hash": _TEXT,
    "file_size": _COUNT,
    "quick_hash": _TEXT,
    "status": _TEXT,
    "task_type": _TEXT,
    "n_samples": _COUNT,
    "n_features": _COUNT,
    "y_columns": _LIST,
    "y_stats": _MAPPING,
    "wavelength_range": _LIST,
    "wavelength_unit": _TEXT,
    "metadata": _MAPPING,
    "notes": _LIST,
    "versions": _LIST,
}
DESCRIPTIVE = (
    "task_type",
    "n_samples",
    "n_features",
    "y_columns",
    "y_stats",
    "wavelength_range",
    "wavelength_unit",
)


@dataclass(frozen=True)
class Usage:
    """The use of a dataset by runs, derived from the runs.

    Attributes:
        run_count: Number of runs that refer to it.
        first_used: Creation time of the first of them, ISO-8601; None without runs.
        last_used: Creation time of the last of them, ISO-8601; None without runs.
    """

    run_count: int = 0
    first_used: str | None = None
    last_used: str | None = None


@dataclass(frozen=True)
class DatasetRecord:
    """The record of a dataset in the registry; a field is None where its value is not known.

    Attributes:
        id: `ds_<slug>_<8 hex of its first content hash>`.
        name: The name of the dataset.
        original_path: The path where it was registered; relative to the workspace where it lies inside.
        current_path: The path where it was found last; relative likewise.
        hash: `blake3:<hex>` or `sha256:<hex>` of its current content; other forms prove nothing.
        file_size: Bytes of the file, or of all files of the folder.
        quick_hash: `quick1:<hex>` of the file, or of the folder's largest file.
        status: The status that `Datasets.link` found last; one of `STATUSES`.
        task_type: "regression", "classification", or another text of the user.
        n_samples: Number of spectra.
        n_features: Number of wavelengths.
        y_columns: Names of the targets.
        y_stats: min, max, mean and std (ddof = 1) of each numeric target.
        wavelength_range: Smallest and largest wavelength, in `wavelength_unit`.
        wavelength_unit: nm, cm-1 or um.
        metadata: A mapping of the user.
        notes: What was inferred from its files, and what could not be determined.
        versions: A dict of version, hash, created_at and n_samples for each accepted content.
        extra: Keys unknown to this version of the package.
    """

    id: str
    name: str
    original_path: str | None = None
    current_path: str | None = None
    hash: str | None = None
    file_size: int | None = None
    quick_hash: str | None = None
    status: str = "unknown"
    task_type: str | None = None
    n_samples: int | None = None
    n_features: int | None = None
    y_columns: list[str] = field(default_factory=list)
    y_stats: dict[str, Any] = field(default_factory=dict)
    wavelength_range: list[float] | None = None
    wavelength_unit: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    _usage_of: Callable[[DatasetRecord], Usage] = field(default=lambda _: Usage(), repr=False, compare=False)

    @property
    def usage(self) -> Usage:
        """The use of the dataset by runs, now."""
        return self._usage_of(self)

    @property
    def hashes(self) -> set[str]:
        """The hashes of all versions."""
        known = {version["hash"] for version in self.versions if version.get("hash")}
        return known | {self.hash} if self.hash else known

    def stored(self) -> dict[str, Any]:
        """Return the mapping that the record's file holds."""
        return {key: getattr(self, key) for key in _TYPES} | self.extra

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data, with `run_count`, `first_used` and `last_used`."""
        return self.stored() | vars(self.usage)


def read(path: Path) -> DatasetRecord:
    """Read and check a record.

    Raises:
        NotFoundError: The file does not exist.
        CorruptFileError: The file is not YAML, repeats a key, has a value of a wrong type, or an id other
            than the file's name; the message names line and key.
    """
    mapping = yaml_records.read(path)
    check(mapping, path)
    known = {key: mapping[key] for key in _TYPES if mapping.get(key) is not None}
    extra = {key: value for key, value in mapping.items() if key not in _TYPES and key != "schema_version"}
    return DatasetRecord(**known, extra=extra)


def check(mapping: Mapping[str, Any], path: Path) -> None:
    """Check the mapping in a record's file.

    Raises:
        CorruptFileError: A key is missing or has a value of a wrong type; the message names line and key.
    """
    _refuse_repeated_keys(path)
    for key, what in _faults(mapping, path.stem):
        if key in ("id", "name") and mapping.get(key) is None:
            raise CorruptFileError(f"key '{key}' is missing", str(path))
        raise _wrong(path, key, what)


def refuse(mapping: Mapping[str, Any], id_: str) -> None:
    """Check a mapping before it is written into the record `id_`.

    Raises:
        TypeError: A value has a wrong type; the message names its key.
    """
    for key, what in _faults(mapping, id_):
        raise TypeError(f"key '{key}' of dataset {id_}{what}")


def _faults(mapping: Mapping[str, Any], id_: str) -> Iterator[tuple[str, str]]:
    """Yield each key of a record whose value is not allowed, with what is wrong with the value."""
    for key, types in _TYPES.items():
        value = mapping.get(key)
        if value is None:
            if key in ("id", "name"):
                yield key, " is missing"
        elif not isinstance(value, types) or isinstance(value, bool):
            wanted = {str: "a text", int: "an integer", list: "a list", dict: "a mapping"}[types[0]]
            yield key, f": expected {wanted}, got {value!r}"
    if mapping["id"] != id_:
        yield "id", f": expected {id_!r}, after which the file is named, got {mapping['id']!r}"
    if mapping.get("status", "unknown") not in STATUSES:
        yield "status", f": expected one of {', '.join(STATUSES)}, got {mapping['status']!r}"
    if any(not isinstance(version, dict) for version in mapping.get("versions") or ()):
        yield "versions", ": expected a list of mappings"
    range_ = mapping.get("wavelength_range")
    if range_ is not None and (len(range_) != 2 or not all(isinstance(x, int | float) for x in range_)):
        yield "wavelength_range", f": expected two numbers, got {range_!r}"


def _refuse_repeated_keys(path: Path) -> None:
    lines: dict[str, int] = {}
    for number, line in enumerate(files.read_bytes(path).decode("utf-8").splitlines(), 1):
        if match := re.match(r"(\w+)\s*:", line):
            key = match[1]
            if key in lines:
                raise CorruptFileError(
                    f"key '{key}' is repeated, in lines {lines[key]} and {number}", str(path)
                )
            lines[key] = number


def _wrong(path: Path, key: str, what: str) -> CorruptFileError:
    return CorruptFileError(f"key '{key}'{_native.in_line(files.read_bytes(path), key)}{what}", str(path))


def is_id(text: str) -> bool:
    """Return whether a text has the form of a dataset's id, which is also a file name."""
    return bool(_ID.fullmatch(text))


def make_id(name: str, digits: str) -> str:
    """Return the id of a dataset: a lowercase slug of its name, and hexadecimal digits."""
    return f"ds_{_native.slug(name) or 'dataset'}_{digits}"


def version(number: int, hash_: str, n_samples: int | None) -> dict[str, Any]:
    """Return a new entry of `versions`, dated now."""
    now = datetime.now(UTC).isoformat()
    return {"version": number, "hash": hash_, "created_at": now, "n_samples": n_samples}
