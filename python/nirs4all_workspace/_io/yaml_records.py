"""Records: one mapping in one YAML file, readable by any YAML reader and replaced as a whole.

Unknown keys are retained. A record of a newer major version is read as far as this version understands
it, and never written.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, locks
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    NotFoundError,
    UnsupportedVersionError,
)
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SCHEMA_VERSION = "1.0"
_MAJOR = 1
# Line breaks in YAML 1.1 but not in 1.2: written as escapes, they mean the same to every reader.
_YAML_1_1_BREAKS = "\x85\u2028\u2029"


def read(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        NotFoundError: The file does not exist.
        CorruptFileError: The file is not UTF-8, not YAML or not a mapping; the message names the line.
        OSError: The file cannot be read.
    """
    try:
        content = files.read_bytes(path)
    except FileNotFoundError as error:
        raise NotFoundError("there is no such record", str(path)) from error
    return _native.parse_yaml(content, path)


def dump(mapping: Mapping[str, Any]) -> bytes:
    """Return a mapping as YAML bytes, keys in their order."""
    import yaml

    options: dict[str, Any] = {"Dumper": getattr(yaml, "CSafeDumper", yaml.SafeDumper), "sort_keys": False}
    text: str = yaml.dump(dict(mapping), allow_unicode=True, width=110, **options)
    if any(character in text for character in _YAML_1_1_BREAKS):
        text = yaml.dump(dict(mapping), allow_unicode=False, width=110, **options)
    return text.encode("utf-8")


def encode(mapping: Mapping[str, Any], path: Path) -> bytes:
    """Return a mapping as YAML bytes that every reader of the file `path` accepts.

    Raises:
        TypeError: A value has a type that a record cannot hold; the message names its key.
        ValueError: A value cannot be read back, or the record exceeds the size limit; the message names its
            key.
    """
    import yaml

    try:
        content = dump(mapping)
        if len(content) <= stored.LARGEST:
            _native.check_record(path.name, content)
    except (yaml.YAMLError, ValueError, RecursionError, CorruptFileError) as error:
        stored.check_record(dict(mapping), path.name)
        what = error.message if isinstance(error, CorruptFileError) else str(error)
        raise ValueError(f"{path.name} would not be readable: {what}") from error
    stored.check_size(len(content), dict(mapping), path.name)
    return content


def create(path: Path, mapping: Mapping[str, Any]) -> None:
    """Create a record, durably, with `schema_version` as its first key.

    Raises:
        TypeError: A value has a type that a record cannot hold; nothing was written.
        ValueError: A value cannot be read back; nothing was written.
        ConflictError: The file exists already.
        OSError: The file cannot be written; nothing was written.
    """
    _native.create_file(path, encode({"schema_version": SCHEMA_VERSION, **mapping}, path))


@contextmanager
def edit(
    path: Path,
    lock: Path,
    timeout: float = 10.0,
    is_over: Callable[[dict[str, Any]], bool] = lambda _: False,
    parse: Callable[[bytes, Path], dict[str, Any]] = _native.parse_yaml,
) -> Iterator[dict[str, Any]]:
    """Read a record under its lock, yield it for changes, and replace it durably if it changed.

    Nothing is written where the block raises, or where the file was edited between reading and writing
    by a process that ignores the lock.

    Args:
        path: The path of the record.
        lock: The path of its lock file; created, with its folder, where it is missing.
        timeout: Seconds to wait for the lock.
        is_over: Whether the lock file is removed together with the lock, given the final record; it is
            removed in any case where there is no record.
        parse: Returns the mapping in the bytes of the file.

    Raises:
        LockTimeoutError: Another process holds the lock.
        NotFoundError: The record does not exist.
        CorruptFileError: The record cannot be read.
        UnsupportedVersionError: A newer version of this package wrote it.
        ConflictError: The file was edited meanwhile.
        TypeError: A value has a type that a record cannot hold; the record is unchanged.
        ValueError: A value cannot be read back; the record is unchanged.
        OSError: The record cannot be read or written; it is unchanged.
    """
    with locks.take(lock, timeout) as held:
        try:
            content = files.read_bytes(path)
        except FileNotFoundError as error:
            held.remove_on_release()
            raise NotFoundError("there is no such record", str(path)) from error
        mapping = parse(content, path)
        is_last = is_over(mapping)
        try:
            check_writable(mapping, path)
            before = dump(mapping)
            yield mapping
            after = encode(mapping, path)
            if after == before:
                return
            if files.read_bytes(path) != content:
                raise ConflictError(
                    "was edited by another process meanwhile; nothing was written, try again", str(path)
                )
            _native.replace_file(path, after)
            is_last = is_over(mapping)
        finally:
            if is_last:
                held.remove_on_release()


def check_writable(mapping: Mapping[str, Any], path: Path) -> None:
    """Check that a record is not of a newer major version.

    Raises:
        UnsupportedVersionError: The record is newer than this version of the package.
        CorruptFileError: Its `schema_version` is not a version.
    """
    version = str(mapping.get("schema_version", SCHEMA_VERSION))
    major = version.split(".", 1)[0]
    if not major.isdecimal():
        raise CorruptFileError(
            f"key 'schema_version': expected a version such as '1.0', got {version!r}", str(path)
        )
    if int(major) > _MAJOR:
        raise UnsupportedVersionError(
            f"has schema version {version}, newer than this version can write; update nirs4all-workspace",
            str(path),
        )
