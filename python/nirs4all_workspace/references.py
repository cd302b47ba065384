"""What runs say of the datasets that they use, read again only where a run's file changed."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, records
from nirs4all_workspace.dataset_records import Usage
from nirs4all_workspace.exceptions import CorruptFileError, NotFoundError
from nirs4all_workspace.run_record import problem

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.dataset_records import DatasetRecord

_FILE = "datasets.yaml"
_CACHE = "references.json"
_VERSION = 1
_KEYS = ("id", "name", "hash", "file_size", "quick_hash", "path")
# A file this young may change again without its stat telling.
_RACY_NS = 2_000_000_000


@dataclass(frozen=True)
class Reference:
    """One dataset of one run; None where the run did not say.

    Attributes:
        run_id: The run; None where prediction files of nirs4all 0.6 name the dataset.
        created_at: When the run was created, ISO-8601.
        id: Of the dataset's record.
        name: What the run calls it.
        hash: Of its content at that time.
        file_size: Bytes.
        quick_hash: Of its content at that time.
        path: Where it was, as records store paths.
    """

    run_id: str | None
    created_at: str | None
    id: str | None
    name: str
    hash: str | None
    file_size: int | None
    quick_hash: str | None
    path: str | None


@dataclass
class References:
    """The references of all runs.

    Attributes:
        all: In the order of runs.
        runs_read: Runs whose files were read now.
        runs_unchanged: Runs that were known.
        errors: Runs that cannot be read, as dicts of path, kind and message.
    """

    all: list[Reference]
    runs_read: int
    runs_unchanged: int
    errors: list[dict[str, str]]


class ReferenceReader:
    """Reads the references of one workspace; remembers runs by the stat of their file."""

    def __init__(self, root: Path) -> None:
        """Belong to the workspace in `root`."""
        self._root = root
        self._known: dict[str, tuple[list[int], list[Reference]]] | None = None

    def read(self) -> References:
        """Return what all runs say now."""
        known = self._load() if self._known is None else self._known
        found = References([], 0, 0, [])
        fresh: dict[str, tuple[list[int], list[Reference]]] = {}
        read_at = time.time_ns()
        for run, stamp in self._runs():
            if known.get(run, (None,))[0] == stamp:
                fresh[run] = known[run]
                found.runs_unchanged += 1
            else:
                try:
                    references = self._read_run(run)
                except NotFoundError:
                    continue  # deleted meanwhile; a run without run.yaml is for `verify` to report
                except (CorruptFileError, OSError) as error:
                    found.errors.append(problem(str(getattr(error, "path", None) or f"runs/{run}"), error))
                    continue
                found.runs_read += 1
                fresh[run] = (stamp if max(stamp[1:3]) < read_at - _RACY_NS else [], references)
            found.all += fresh[run][1]
        if fresh != known:
            self._store(fresh)
        self._known = fresh
        return found

    def _runs(self) -> list[tuple[str, list[int]]]:
        runs = []
        try:
            with os.scandir(self._root / "runs") as entries:
                # A name that begins with a dot is of a run that is being made.
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name in names:
            try:
                stat = os.stat(self._root / "runs" / name / _FILE)  # noqa: PTH116 -- twice as fast
            except (FileNotFoundError, NotADirectoryError):
                continue
            runs.append((name, [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]))
        return runs

    def _read_run(self, run: str) -> list[Reference]:
        folder = self._root / "runs" / run
        entries = records.read(folder / _FILE).get("datasets") or []
        created_at = records.read(folder / "run.yaml").get("created_at")
        references = []
        for number, entry in enumerate(entries if isinstance(entries, list) else [None], 1):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                message = f"entry {number} of key 'datasets' is no mapping with a name"
                raise CorruptFileError(message, str(folder / _FILE))
            for key, kind in (
                ("id", str),
                ("hash", str),
                ("file_size", int),
                ("quick_hash", str),
                ("path", str),
            ):
                if not isinstance(entry.get(key), kind | None):
                    message = f"key '{key}' of entry {number} of 'datasets' is {entry[key]!r}"
                    raise CorruptFileError(message, str(folder / _FILE))
            known: dict[str, Any] = {key: entry.get(key) for key in _KEYS}
            references.append(Reference(run_id=run, created_at=created_at and str(created_at), **known))
        return references

    def _load(self) -> dict[str, tuple[list[int], list[Reference]]]:
        content = _native.read_cache(self._root, _CACHE)
        try:
            cached: dict[str, Any] = json.loads(content or b"{}")
            if cached["version"] != _VERSION:
                return {}
            return {
                run: (stamp, [Reference(**entry) for entry in entries])
                for run, (stamp, entries) in cached["runs"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _store(self, known: dict[str, tuple[list[int], list[Reference]]]) -> None:
        runs = {run: (stamp, [asdict(entry) for entry in entries]) for run, (stamp, entries) in known.items()}
        content = json.dumps({"version": _VERSION, "runs": runs})
        _native.write_cache(self._root, _CACHE, content.encode())


class Usages:
    """How runs use datasets, as they say when it is first asked."""

    def __init__(self, reader: ReferenceReader) -> None:
        """Belong to the runs of one workspace."""
        self._reader = reader
        self._runs: dict[tuple[str, str | None], dict[str, str | None]] | None = None

    def of(self, record: DatasetRecord) -> Usage:
        """Return how runs use a dataset: those that name its id, or its content, or at least its place."""
        if self._runs is None:
            self._runs = {}
            for it in self._reader.read().all:
                for key in (("id", it.id), ("hash", it.hash) if it.hash else ("place", it.path or it.name)):
                    self._runs.setdefault(key, {})[str(it.run_id)] = it.created_at
        keys = [("id", record.id), ("place", record.original_path or record.name)]
        keys += [("hash", hash_) for hash_ in record.hashes]
        used: dict[str, str | None] = {}
        for key in keys:
            used |= self._runs.get(key, {})
        times = sorted(time_ for time_ in used.values() if time_)
        return Usage(len(used), times[0] if times else None, times[-1] if times else None)
