"""Finding the content of a dataset, cheapest test first.

1. `path`: its current path, then its original one.
2. `name`: the same name in `data/` and `datasets/` inside and beside the workspace, and in search roots.
3. `size`, `quick_hash`, `full_hash`: any file or folder of its size in the index of all files there.

Nothing is written but the cache. A result is proven by a full hash, or reported as unproven.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io.paths import on_disk
from nirs4all_workspace.exceptions import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nirs4all_workspace.datasets.dataset_record import DatasetRecord
    from nirs4all_workspace.exceptions import Problem

    Report = Callable[[int, int], object]

_FOLDERS = ("data", "datasets")
_HASH = re.compile("(blake3|sha256):[0-9a-f]{64}")
# In-place edits do not show in a folder's stat; after this many seconds every file is looked at again
# before content is reported missing.
_STALE_S = 60.0


@dataclass(frozen=True)
class Stage:
    """One stage of a search.

    Attributes:
        stage: `path`, `name`, `size`, `quick_hash` or `full_hash`.
        candidates: Number of files and folders that were looked at.
        bytes_read: Bytes of content that were read.
        seconds: Time.
    """

    stage: str
    candidates: int
    bytes_read: int
    seconds: float


@dataclass(frozen=True)
class Resolution:
    """The place of a dataset's content, how it was found, and whether it is proven.

    Attributes:
        path: The absolute path of its content; None where it was not found, or where its path holds other
            content.
        status: One of `STATUSES`.
        stage: The stage that settled it; None where no stage did.
        reason: The resolution in a sentence.
        candidate: The path of its content elsewhere, while its path holds other content or cannot be read.
        proven: Whether a full hash of the content proves it.
        basis: `content` where the content was read now, else the time that shows it unchanged since it was
            read: `ctime`, or `mtime` on file systems without a trustworthy change time.
        slow: Whether every file had to be hashed, because the size of the content is not known.
        stages: The stages, in order.
        errors: What could not be read, as dicts of path, kind and message.
        seconds: Time in all.
    """

    path: Path | None
    status: str
    stage: str | None
    reason: str
    candidate: Path | None = None
    proven: bool = False
    basis: str | None = None
    slow: bool = False
    stages: tuple[Stage, ...] = ()
    errors: tuple[Problem, ...] = ()
    seconds: float = 0.0

    @property
    def candidates(self) -> int:
        """Number of files and folders that all stages looked at."""
        return sum(stage.candidates for stage in self.stages)

    @property
    def bytes_read(self) -> int:
        """Bytes of content that all stages read."""
        return sum(stage.bytes_read for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Return the resolution as plain data."""
        paths = {
            key: None if (path := getattr(self, key)) is None else str(path) for key in ("path", "candidate")
        }
        totals = {"candidates": self.candidates, "bytes_read": self.bytes_read}
        return {**asdict(self), **paths, **totals, "stages": [asdict(stage) for stage in self.stages]}


@dataclass
class _Answer:
    """The content at one path, compared with a record."""

    verdict: str  # same, different, missing, unreadable, unstable, untold
    bytes_read: int = 0
    proven: bool = False
    message: str = ""


@dataclass
class _Search:
    """The state of one call of `Resolver.resolve`."""

    record: DatasetRecord
    began: float
    others: list[tuple[Path, _Answer]] = field(default_factory=list)  # what is at its paths instead
    stages: list[Stage] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)

    def add(self, stage: str, candidates: int, bytes_read: int, began: float) -> None:
        self.stages.append(Stage(stage, candidates, bytes_read, time.perf_counter() - began))

    def note(self, path: Path, answer: _Answer) -> None:
        if answer.verdict in ("unreadable", "unstable"):
            self.tell([{"path": str(path), "kind": answer.verdict, "message": answer.message}])

    def tell(self, errors: Iterable[Problem]) -> None:
        """Add errors of paths that have none yet: folders are searched again in fresh indexes."""
        known = {error["path"] for error in self.errors}
        for error in errors:
            if error["path"] not in known:
                known.add(error["path"])
                self.errors.append(error)

    def answer(
        self,
        path: Path | None,
        status: str,
        stage: str | None,
        reason: str,
        **more: Any,  # noqa: ANN401 -- fields of Resolution
    ) -> Resolution:
        return Resolution(
            path,
            status,
            stage,
            reason,
            slow=self.record.file_size is None and any(it.stage == "full_hash" for it in self.stages),
            stages=tuple(self.stages),
            errors=tuple(self.errors),
            seconds=time.perf_counter() - self.began,
            **more,
        )


class Resolver:
    """Finds datasets of one workspace; caches hashes and indexes in memory between calls."""

    def __init__(self, root: Path) -> None:
        """Bind to the workspace in `root`."""
        self._root = root
        self._hash_cache: tuple[int, _native.HashCache] | None = None
        self._indexes: dict[str, tuple[_native.FileIndex, float]] = {}

    @property
    def hashes(self) -> _native.HashCache:
        """The cache of hashes; loaded once a process."""
        if self._hash_cache is None or self._hash_cache[0] != os.getpid():
            self._hash_cache = (os.getpid(), _native.HashCache(self._root))
        return self._hash_cache[1]

    def absolute(self, path: str) -> Path:
        """Return a stored path as absolute: a relative one starts at the workspace."""
        return Path(os.path.normpath(os.path.join(self._root, path)))  # noqa: PTH118 -- faster

    def stored(self, path: Path) -> str:
        """Return a path as records store it: relative with slashes inside the workspace, else absolute."""
        for root in (self._root, self._root.resolve()):
            for candidate in (path, path.parent.resolve() / path.name):
                if candidate.is_relative_to(root):
                    return candidate.relative_to(root).as_posix()
        return str(path)

    def resolve(
        self, record: DatasetRecord, search_roots: Iterable[Path] = (), progress: Report | None = None
    ) -> Resolution:
        """Find the content of a dataset; see `Datasets.resolve`."""
        search = _Search(record, time.perf_counter())
        found = self._at_its_path(search) or self._elsewhere(search, list(search_roots), progress)
        if found.bytes_read:
            self.hashes.save()
        return found

    def content(self, path: Path, progress: Report | None = None) -> dict[str, Any]:
        """Return hash, file_size and quick_hash of one consistent state of a file or folder.

        Args:
            path: The path of the content.
            progress: Called now and then with the bytes hashed and the bytes in all.

        Raises:
            ConflictError: The content changed while it was read.
            OSError: The content cannot be read.
        """
        for _ in range(2):
            found, size, _, _ = self.hashes.fingerprint(path, "blake3", progress)
            quick, _ = self.hashes.quick(path)
            if self.hashes.fingerprint(path)[0] == found:
                self.hashes.save()
                return {"hash": found, "file_size": size, "quick_hash": quick}
        raise ConflictError("changed while it was read, twice; try again when it is finished", str(path))

    def same_hash(self, record: DatasetRecord, path: Path) -> str | None:
        """Return the hash of the content at a path, by the algorithm of a record; None where it has no hash.

        A folder that has the record's hash in another normal form of its file names gives the record's hash.

        Raises:
            ConflictError: The content changed while it was read.
            OSError: The content cannot be read.
        """
        if not _is_provable(record):
            return None
        algorithm = str(record.hash).partition(":")[0]
        found = self.hashes.fingerprint(path, algorithm)[0]
        self.hashes.save()
        if found != record.hash and record.hash in self.hashes.other_forms(path, algorithm):
            return record.hash
        return found

    def roots(self, records: Sequence[DatasetRecord], search_roots: Iterable[Path] = ()) -> list[Path]:
        """Return the folders whose files are indexed for these datasets, without nested ones."""
        last = [self.absolute(it.current_path).parent for it in records if it.current_path]
        too_large = {Path(self._root.anchor), Path.home(), Path(tempfile.gettempdir()).resolve()}
        # `is_dir` raises where a folder above may not be entered.
        real = {path.resolve() for path in [*self._places(), *last] if os.path.isdir(path)} - too_large  # noqa: PTH112
        real |= {path.resolve() for path in search_roots if os.path.isdir(path)}  # noqa: PTH112
        return sorted(path for path in real if not any(other in real for other in path.parents))

    def index(self, root: Path, fresh: bool = False) -> _native.FileIndex:
        """Return the refreshed index of a folder; `fresh` also looks at every file's stat."""
        index, seen = self._indexes.get(str(root), (None, 0.0))
        if index is None:
            index, fresh = _native.FileIndex(root, self.hashes), True
        else:
            index.refresh(files=fresh)
        self._indexes[str(root)] = (index, time.monotonic() if fresh else seen)
        return index

    def _at_its_path(self, search: _Search) -> Resolution | None:
        """Resolve a dataset whose path holds its content or other content; None where nothing is there."""
        record, began = search.record, time.perf_counter()
        recorded = [path for path in (record.current_path, record.original_path) if path]
        looked_at = bytes_read = 0
        for path in map(on_disk, map(self.absolute, dict.fromkeys(recorded))):
            answer = self._compare(record, path)
            looked_at, bytes_read = looked_at + 1, bytes_read + answer.bytes_read
            search.note(path, answer)
            if answer.verdict == "same":
                search.add("path", looked_at, bytes_read, began)
                return self._valid(search, path, answer)
            if answer.verdict != "missing":
                search.others.append((path, answer))
        search.add("path", looked_at, bytes_read, began)
        return None

    def _valid(self, search: _Search, path: Path, answer: _Answer) -> Resolution:
        basis = "content" if answer.bytes_read else "ctime" if _native.has_trusted_ctime(path) else "mtime"
        how = {
            "content": "its content was hashed now",
            "ctime": "its stat identity is that of the file hashed before",
            "mtime": "size and mtime are those of the file hashed before",
        }[basis]
        if not answer.proven:
            how = f"size and quick hash agree, but {_why_unproven(search.record)}"
        reason = f"it is at {path}: {how}"
        return search.answer(path, "valid", "path", reason, proven=answer.proven, basis=basis)

    def _elsewhere(self, search: _Search, search_roots: list[Path], progress: Report | None) -> Resolution:
        others = search.others
        if others and others[0][1].verdict == "untold":
            path = others[0][0]
            reason = f"{path} exists, but no hash is recorded to compare its content with"
            return search.answer(path, "unknown", "path", reason)
        found = self._by_name(search, search_roots) or self._by_content(search, search_roots, progress)
        if others:
            path, answer = others[0]
            status = "hash_mismatch" if answer.verdict == "different" else answer.verdict
            reason = f"{path} {answer.message}"
            if found:
                reason += f"; its content is at {found[0]}"
            candidate = found[0] if found else None
            return search.answer(None, status, found[1] if found else "path", reason, candidate=candidate)
        record = search.record
        known = record.current_path or record.original_path
        gone = f"nothing is at {self.absolute(known)}" if known else "no path is recorded"
        if found is None:
            if not known and not _is_searchable(record):
                reason = "neither a path nor a hash is recorded by which it could be found"
                return search.answer(None, "unknown", None, reason)
            if not _is_searchable(record):
                reason = f"{gone}, and no hash is recorded by which it could be found elsewhere"
                return search.answer(None, "missing", None, reason)
            looked = ", ".join(str(root) for root in self.roots([record], search_roots)) or "no other folder"
            return search.answer(None, "missing", None, f"{gone}, and its content is not in {looked}")
        path, stage, proven = found
        status = "relocated" if stage == "name" else "found_by_hash"
        how = "its name and content are" if stage == "name" else "its content is"
        reason = f"{gone}; {how} at {path}"
        if not proven:
            what = "its size and quick hash are" if record.quick_hash else "its name is"
            reason = f"{gone}; {what} at {path}, but {_why_unproven(record)}"
        return search.answer(path, status, stage, reason, proven=proven, basis="content")

    def _by_name(self, search: _Search, search_roots: list[Path]) -> tuple[Path, str, bool] | None:
        record, began = search.record, time.perf_counter()
        recorded = [self.absolute(path) for path in (record.current_path, record.original_path) if path]
        paths = [on_disk(path) for path in recorded]
        places = [*self._places(), *search_roots]
        names = dict.fromkeys(path.name for path in recorded)
        candidates = [on_disk(place / name) for name in names for place in places]
        looked_at = bytes_read = 0
        found = None
        for path in dict.fromkeys(candidates):
            if path in paths:
                continue
            answer = self._compare(record, path)
            search.note(path, answer)
            looked_at, bytes_read = looked_at + (answer.verdict != "missing"), bytes_read + answer.bytes_read
            if answer.verdict in ("same", "untold"):
                found = (path, "name", answer.proven)
                break
        search.add("name", looked_at, bytes_read, began)
        return found

    def _by_content(
        self, search: _Search, search_roots: list[Path], progress: Report | None
    ) -> tuple[Path, str, bool] | None:
        record = search.record
        if not _is_searchable(record):
            return None
        wanted: dict[str, Any] = {
            "hash": record.hash if _is_provable(record) else None,
            "size": record.file_size,
            "quick": record.quick_hash if (record.quick_hash or "").startswith("quick1:") else None,
            "name": Path(record.current_path or record.original_path or record.name).name,
            "progress": progress,
        }
        roots = self.roots([record], search_roots)
        for fresh in (False, True):
            for root in roots:
                if fresh and time.monotonic() - self._indexes.get(str(root), (None, math.inf))[1] < _STALE_S:
                    continue
                try:
                    paths, stages, errors = self.index(root, fresh).search(**wanted)
                except OSError as error:
                    search.note(root, _Answer("unreadable", message=str(error.strerror)))
                    continue
                search.stages = _merged(search.stages, [Stage(**stage) for stage in stages])
                listed: list[Problem] = [{**error, "path": str(root / error["path"])} for error in errors]
                search.tell(listed)
                if paths:
                    return Path(paths[0]), stages[-1]["stage"], _is_provable(record)
        return None

    def _compare(self, record: DatasetRecord, path: Path) -> _Answer:
        """Compare the content at a path with a record; it is read only where its stat is not conclusive."""
        try:
            if _is_provable(record):
                return self._compare_hash(record, path, str(record.hash))
            size, _ = _native.content_size(path)
            if record.file_size is None or not record.quick_hash:
                return _Answer("untold")
            if size != record.file_size:
                return _Answer("different", message=_other_size(size, record.file_size))
            quick, bytes_read = self.hashes.quick(path)
            same = quick == record.quick_hash
            return _Answer("same" if same else "different", bytes_read, message="has other content")
        except (FileNotFoundError, NotADirectoryError):
            return _Answer("missing")
        except ConflictError as error:
            return _Answer("unstable", message=error.message)
        except (OSError, ValueError) as error:
            return _Answer(
                "unreadable", message=f"cannot be read: {getattr(error, 'strerror', None) or error}"
            )

    def _compare_hash(self, record: DatasetRecord, path: Path, wanted: str) -> _Answer:
        algorithm = wanted.partition(":")[0]
        known = self.hashes.known(path, algorithm)
        if known is None and record.file_size is not None:
            size, _ = _native.content_size(path)
            if size != record.file_size:
                return _Answer("different", proven=True, message=_other_size(size, record.file_size))
        found, _, _, bytes_read = known or self.hashes.fingerprint(path, algorithm)
        if found == wanted or wanted in self.hashes.other_forms(path, algorithm):
            return _Answer("same", bytes_read, proven=True)
        message = f"has other content: {_short(found)}, not {_short(wanted)}"
        return _Answer("different", bytes_read, proven=True, message=message)

    def _places(self) -> list[Path]:
        return [parent / name for parent in (self._root, self._root.parent) for name in _FOLDERS]


def _is_searchable(record: DatasetRecord) -> bool:
    """Return whether a record has a hash by which its content can be found elsewhere."""
    return _is_provable(record) or (record.file_size is not None and bool(record.quick_hash))


def _is_provable(record: DatasetRecord) -> bool:
    return bool(_HASH.fullmatch(record.hash or ""))


def _why_unproven(record: DatasetRecord) -> str:
    return (
        f"no full hash proves it: {record.hash!r} names no known algorithm"
        if record.hash
        else "no hash is recorded"
    )


def _other_size(size: int, wanted: int) -> str:
    return f"has other content: {size} bytes, not {wanted}"


def _short(hash_: str) -> str:
    return hash_[: hash_.index(":") + 13] + "..."


def _merged(stages: list[Stage], more: list[Stage]) -> list[Stage]:
    """Return one entry a stage, with the sums over several folders."""
    by_name = {stage.stage: stage for stage in stages}
    for stage in more:
        old = by_name.get(stage.stage, Stage(stage.stage, 0, 0, 0.0))
        by_name[stage.stage] = Stage(
            stage.stage,
            old.candidates + stage.candidates,
            old.bytes_read + stage.bytes_read,
            old.seconds + stage.seconds,
        )
    return list(by_name.values())
