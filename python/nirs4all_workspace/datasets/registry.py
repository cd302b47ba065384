"""The files of the registry: `datasets/<id>.yaml`, one record a file, each with its lock."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, listing, locks, yaml_records
from nirs4all_workspace.datasets import dataset_record
from nirs4all_workspace.datasets.usage import Usages
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    NotFoundError,
    WorkspaceError,
    problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nirs4all_workspace.datasets.dataset_record import DatasetRecord
    from nirs4all_workspace.exceptions import Problem

_log = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 60.0
# A file this young may change again without its stat identity changing.
_RACY_NS = _native.RACY_NS


class DatasetList(list["DatasetRecord"]):
    """Records in the order of their ids.

    Attributes:
        errors: Records that cannot be read, as dicts of path, kind and message.
    """

    def __init__(self, found: Iterable[DatasetRecord] = (), errors: Iterable[Problem] = ()) -> None:
        """Store records and errors."""
        super().__init__(found)
        self.errors = list(errors)

    def to_dict(self) -> dict[str, Any]:
        """Return the list as one dict, the shape of `n4w datasets list --json`."""
        return {"datasets": [record.to_dict() for record in self], "errors": self.errors}


class Registry:
    """The records of one workspace; each state of a file is parsed once a process."""

    def __init__(self, root: Path) -> None:
        """Bind to the workspace in `root`."""
        self.root = root
        self.folder = root / "datasets"
        self._locks = root / ".locks"
        self._parsed: dict[str, tuple[tuple[int, ...], DatasetRecord]] = {}

    def path(self, id_: str) -> Path:
        """Return the path of a record's file."""
        return self.folder / f"{id_}.yaml"

    def read(self, id_: str) -> DatasetRecord:
        """Return one record.

        Raises:
            NotFoundError: There is no such record.
            CorruptFileError: The file of the record cannot be read; the message names line and key.
        """
        return replace(self._parse(id_), _usage_of=Usages(self.root).of)

    def read_all(self) -> DatasetList:
        """Return all records; files that cannot be read are in its `errors`."""
        found = DatasetList()
        usage_of = Usages(self.root).of
        errors: list[Problem] = []
        ids = self._ids(errors)
        # Problems of records have absolute paths.
        found.errors += [{**error, "path": str(self.root / error["path"])} for error in errors]
        for id_ in ids:
            try:
                found.append(replace(self._parse(id_), _usage_of=usage_of))
            except NotFoundError:
                continue
            except (WorkspaceError, OSError) as error:
                found.errors.append(problem(str(self.path(id_)), error))
        return found

    def with_hash(self, hash_: str) -> DatasetRecord | None:
        """Return the record whose current content, or else whose earlier content, has this hash.

        Raises:
            CorruptFileError: A record whose first content had this hash cannot be read.
            OSError: The records cannot be listed.
        """
        found = self.read_all()
        files.list_names(self.folder)
        for error in found.errors:
            if error["path"].endswith(f"_{digits_of(hash_)[:8]}.yaml"):
                raise CorruptFileError(error["message"], error["path"])
        known = [record for record in found if hash_ in record.hashes]
        return min(known, key=lambda record: (record.hash != hash_, record.id), default=None)

    def create(self, mapping: dict[str, Any]) -> tuple[DatasetRecord, bool]:
        """Create a record, durably, unless its content has one; return the record, and whether it is new.

        The id is made from name and hash where `mapping` has none.

        Raises:
            TypeError: A value has a type that a record cannot hold; nothing was written.
            ValueError: A value cannot be read back; nothing was written.
        """
        with locks.take(self._locks / "datasets.lock", _LOCK_TIMEOUT_S):
            files.make_folder(self.folder)
            known = self.with_hash(mapping["hash"]) if mapping["hash"] else None
            if known is not None:
                return known, False
            digits = digits_of(mapping["hash"] or f"{mapping['name']}\n{mapping['original_path']}")
            for length in (8, 16, 64):
                id_ = mapping.get("id") or dataset_record.make_id(mapping["name"], digits[:length])
                dataset_record.refuse({"id": id_, **mapping}, id_)
                try:
                    yaml_records.create(self.path(id_), {"id": id_, **mapping})
                except ConflictError:
                    taken = self.read(id_)
                    if mapping["hash"] is None or mapping.get("id"):
                        return taken, False
                    continue  # a record of other content whose hash begins with the same digits
                _log.info("dataset %s registered", id_)
                return self.read(id_), True
        raise ConflictError("is taken by another dataset", str(self.path(id_)))

    def edit(self, id_: str, change: Callable[[dict[str, Any]], object]) -> DatasetRecord:
        """Change a record under its lock; nothing is written where it stays the same.

        Raises:
            ConflictError: The file was edited meanwhile.
            CorruptFileError: The record cannot be read; it is unchanged.
            UnsupportedVersionError: A newer version of this package wrote it.
            TypeError: A value has a type that a record cannot hold; the record is unchanged.
            ValueError: A value cannot be read back; the record is unchanged.
        """
        path = self.path(id_)
        lock = self._locks / "datasets" / f"{id_}.lock"
        # Edits are rare, and datasets many: no lock file is left for the next edit.
        with yaml_records.edit(path, lock, _LOCK_TIMEOUT_S, is_over=lambda _: True) as mapping:
            dataset_record.check(mapping, path)
            change(mapping)
            dataset_record.refuse(mapping, id_)
        _log.info("dataset %s changed", id_)
        return self.read(id_)

    def _ids(self, errors: list[Problem]) -> list[str]:
        names = listing.list_names(self.root, "datasets", errors, _is_record)
        return [name.removesuffix(".yaml") for name in names]

    def _parse(self, id_: str) -> DatasetRecord:
        path = self.path(id_)
        try:
            stat = os.stat(path)  # noqa: PTH116 -- twice as fast
        except FileNotFoundError as error:
            if os.path.lexists(path):
                files.read_bytes(path)  # raises the reason
            raise NotFoundError("there is no such record", str(path)) from error
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        known = self._parsed.get(id_)
        if known is None or known[0] != stamp:
            known = (stamp, dataset_record.read(path))
            if max(stamp[1:3]) < time.time_ns() - _RACY_NS:
                self._parsed[id_] = known
        return known[1]


def _is_record(name: str) -> bool:
    return name.endswith(".yaml") and not name.startswith(".")


def digits_of(text: str) -> str:
    """Return the digits of a hash, or of another text that identifies a dataset."""
    kind, _, digits = text.partition(":")
    return digits if kind in ("blake3", "sha256") else _native.blake3_hex(text.encode(), 64)
