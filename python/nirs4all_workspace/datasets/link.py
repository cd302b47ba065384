"""Linking: bringing the registry up to date with the references of runs and the place of files."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import listing
from nirs4all_workspace.datasets import dataset_record, usage
from nirs4all_workspace.datasets.dataset_record import DatasetRecord
from nirs4all_workspace.datasets.inspect import describe
from nirs4all_workspace.datasets.registry import DatasetList, digits_of
from nirs4all_workspace.datasets.usage import Reference
from nirs4all_workspace.exceptions import WorkspaceError, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nirs4all_workspace.datasets.registry import Registry
    from nirs4all_workspace.datasets.resolve import Resolution, Resolver
    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.workspace import Workspace

    Report = Callable[[int, int], object]


@dataclass
class LinkReport:
    """The outcome of `Datasets.link`.

    Attributes:
        runs_read: Number of runs whose references were read.
        runs_unchanged: Number of runs whose references were cached.
        created: Ids of the records that were created.
        updated: Ids of the records whose status or path changed.
        statuses: Number of records by status.
        resolutions: The resolution of each record, by id.
        files_indexed: Number of files in the folders that are searched.
        not_indexed: Folders that cannot be listed, broken links and loops of links there, as dicts of path,
            kind and message.
        seconds: Time in all.
        errors: Records, runs and prediction files that cannot be read, as dicts of path, kind and message.
    """

    runs_read: int = 0
    runs_unchanged: int = 0
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    resolutions: dict[str, Resolution] = field(default_factory=dict)
    files_indexed: int = 0
    not_indexed: list[Problem] = field(default_factory=list)
    seconds: float = 0.0
    errors: list[Problem] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return vars(self) | {"resolutions": {id_: it.to_dict() for id_, it in self.resolutions.items()}}


class Linker:
    """Links the registry, the runs and the files of one workspace."""

    def __init__(self, registry: Registry, resolver: Resolver) -> None:
        """Bind to a registry and a resolver."""
        self._registry = registry
        self._resolver = resolver

    def link(self, search_roots: Sequence[Path], progress: Report | None) -> LinkReport:
        """Create records for references of runs, and store the place of each record; see `Datasets.link`."""
        began = time.perf_counter()
        report = LinkReport()
        self._add_missing(report)
        known = self._registry.read_all()
        listing.add_problems(report.errors, known.errors)
        self.find(known, search_roots, progress, report)
        for record in known:
            self._store(record, report)
        report.seconds = time.perf_counter() - began
        return report

    def find(
        self, known: DatasetList, search_roots: Sequence[Path], progress: Report | None, report: LinkReport
    ) -> None:
        """Resolve records, after indexing the files that may hold their content."""
        for root in self._resolver.roots(known, search_roots):
            try:
                index = self._resolver.index(root, fresh=True)
            except OSError as error:
                report.not_indexed.append(problem(str(root), error))
                continue
            report.files_indexed += len(index)
            report.not_indexed += [{**error, "path": str(root / error["path"])} for error in index.errors]
        for number, record in enumerate(known, 1):
            report.resolutions[record.id] = self._resolver.resolve(record, search_roots)
            if progress:
                progress(number, len(known))
        report.statuses = dict(Counter(found.status for found in report.resolutions.values()))

    def _add_missing(self, report: LinkReport) -> None:
        found = usage.read(self._registry.root)
        report.runs_read, report.runs_unchanged = found.runs_read, found.runs_unchanged
        listing.add_problems(report.errors, found.errors)
        wanted: dict[tuple[str | None, ...], Reference] = {}
        for it in found.all:
            wanted.setdefault((it.hash,) if it.hash else (it.id, it.name, it.path), it)
        known = self._registry.read_all()
        if any(error["path"] == str(self._registry.folder) for error in known.errors):
            return  # an unreadable record may be the missing one
        ids = {record.id for record in known} | {Path(error["path"]).stem for error in known.errors}
        hashes = set[str]().union(*(record.hashes for record in known))
        places = {place for record in known for place in (record.original_path, record.name)}
        for it in wanted.values():
            if it.id in ids or it.hash in hashes or (it.hash is None and (it.path or it.name) in places):
                continue
            try:
                record, is_new = self._registry.create(self._mapping_of(it))
            except (WorkspaceError, OSError, TypeError, ValueError) as error:
                place = getattr(error, "path", None) or self._registry.folder
                report.errors.append(problem(str(place), error))
                continue
            ids.add(record.id)
            hashes |= record.hashes
            report.created += [record.id] if is_new else []

    def _mapping_of(self, reference: Reference) -> dict[str, Any]:
        """Return the record of a dataset that was never registered, from a reference and its files."""
        record = record_of(reference)
        mapping = {key: value for key, value in record.stored().items() if key != "id" or reference.id}
        place = self._resolver.absolute(reference.path) if reference.path else None
        if place is not None and place.exists():
            content = self._resolver.content(place)
            algorithm = (reference.hash or "").partition(":")[0]
            if reference.hash is None:
                mapping |= {**content, **describe.describe(place).to_dict()}
                mapping["notes"].append("its hash is of the content when it was linked, not when it was used")
            elif (
                algorithm in ("blake3", "sha256")
                and reference.hash == (self._resolver.hashes.fingerprint(place, algorithm)[0])
            ):
                mapping |= {**content, **describe.describe(place).to_dict(), "hash": reference.hash}
        hash_, samples = mapping["hash"], mapping["n_samples"]
        mapping["versions"] = [dataset_record.version(1, hash_, samples)] if hash_ else []
        return mapping

    def _store(self, record: DatasetRecord, report: LinkReport) -> None:
        """Store status and path where they differ from the record's."""
        found = report.resolutions[record.id]
        path = self._resolver.stored(found.path) if found.path else record.current_path
        if (found.status, path) == (record.status, record.current_path):
            return

        def change(old: dict[str, Any]) -> None:
            # Another process may have accepted a new version meanwhile: this resolution is of the old one.
            if (old.get("hash"), old.get("current_path")) == (record.hash, record.current_path):
                old.update(status=found.status, current_path=path)

        try:
            self._registry.edit(record.id, change)
        except (WorkspaceError, OSError, TypeError, ValueError) as error:
            place = getattr(error, "path", None) or self._registry.path(record.id)
            report.errors.append(problem(str(place), error))
        else:
            report.updated.append(record.id)


def record_of(reference: Reference) -> DatasetRecord:
    """Return a record made from a reference alone."""
    id_ = reference.id
    if id_ is None or not dataset_record.is_id(id_):
        digits = digits_of(reference.hash or f"{reference.name}\n{reference.path}")
        id_ = dataset_record.make_id(reference.name, digits[:8])
    return DatasetRecord(
        id=id_,
        name=reference.name,
        original_path=reference.path,
        current_path=reference.path,
        hash=reference.hash,
        file_size=reference.file_size,
        quick_hash=reference.quick_hash,
    )


def _paths_in(file: Path) -> dict[str, str | None]:
    """Return the datasets that the rows of a file name, each with its path in the rows."""
    import polars as pl

    columns = ["dataset_name", "dataset_path"]
    # Polars itself panics where another process writes to the file meanwhile.
    reader = _native.RowReader(file, columns, 0, sys.maxsize, 65_536)
    found: dict[str, str | None] = {}
    while (rows := reader.next()) is not None:
        name = pl.col("dataset_name").fill_null(file.name.removesuffix(catalogue.SUFFIX))
        found |= dict(pl.DataFrame(rows).select(name, "dataset_path").unique().iter_rows())
    return found


def old_references(workspace: Workspace) -> tuple[list[Reference], list[Problem]]:
    """Return the references in prediction files of nirs4all 0.6, by name, and the unreadable files."""
    import polars as pl

    summary = workspace.summary()
    names: dict[str, str | None] = {dataset["dataset_name"]: None for dataset in summary["datasets"]}
    for file in _native.list_files(workspace.path):
        # The summary reports unreadable files; other files lack these columns.
        with suppress(OSError, WorkspaceError, pl.exceptions.PolarsError):
            names |= _paths_in(workspace.path / file)
    nothing = dict.fromkeys(("run_id", "created_at", "id", "hash", "file_size", "quick_hash"))
    return [Reference(name=name, path=names[name], **nothing) for name in sorted(names)], summary["errors"]
