"""The datasets of a workspace: registered once, found again by content wherever it moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from nirs4all_workspace._io import files, paths
from nirs4all_workspace.datasets import dataset_record
from nirs4all_workspace.datasets.dataset_record import DESCRIPTIVE, DatasetRecord
from nirs4all_workspace.datasets.inspect import describe
from nirs4all_workspace.datasets.link import Linker, LinkReport, old_references, record_of
from nirs4all_workspace.datasets.registry import DatasetList, Registry
from nirs4all_workspace.datasets.resolve import Resolution, Resolver
from nirs4all_workspace.exceptions import ConflictError, NotFoundError, problem

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.arguments import DatasetFields
    from nirs4all_workspace.workspace import Workspace

    Report = Callable[[int, int], object]
    Paths = Iterable[str | os.PathLike[str]]

_SETTABLE = (*DESCRIPTIVE, "metadata")


class Datasets:
    """Access to the registered datasets of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace
        self._registry = Registry(workspace.path)
        self._resolver = Resolver(workspace.path)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "datasets")

    def register(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        progress: Report | None = None,
        **given: Unpack[DatasetFields],
    ) -> DatasetRecord:
        """Add a dataset, durably, or return the record that has its content already.

        The content is hashed; samples, features, targets and wavelengths are read from its files.

        Args:
            path: A file, or a folder of files.
            name: The name of the dataset; by default the file name without suffixes.
            progress: Called now and then with the bytes hashed and the bytes in all.
            given: Fields to set instead of what the files say: task_type, n_samples, n_features, y_columns,
                y_stats, wavelength_range, wavelength_unit, metadata. In a known record they replace the old
                values.

        Returns:
            The record. Where its content was found elsewhere before and is no longer there, it has the new
            path.

        Raises:
            TypeError: A field is unknown, or its value has a wrong type.
            ValueError: The path is empty, or the path, name or another text is not Unicode; nothing was
                written.
            SchemaError: The workspace is read-only: of nirs4all 0.6 (ReadOnlyError) or of a newer version.
            ConflictError: The content changed while it was read.
            CorruptFileError: A record that may be of the same dataset cannot be read.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        fields: dict[str, Any] = {**given}
        for key in fields:
            if key not in _SETTABLE:
                raise TypeError(f"unknown field {key!r} of a dataset; expected one of {', '.join(_SETTABLE)}")
        place = paths.on_disk(paths.absolute(path))
        stored = self._stored(place)
        content, forms, known = self._known(place, progress)
        if known is None:
            mapping = {
                "name": paths.nfc(name or _plain_name(place)),
                "original_path": stored,
                "current_path": stored,
                **content,
                "status": "valid",
                **describe.describe(place).to_dict(),
                "metadata": {},
                **fields,
            }
            mapping["versions"] = [dataset_record.version(1, content["hash"], mapping["n_samples"])]
            known, is_new = self._registry.create(mapping)
            if is_new:
                return known
        at = self.path_of(known)
        if known.hash in forms and (at is None or not at.exists()):
            fields |= {"current_path": stored, "status": "valid"}
        return self._registry.edit(known.id, lambda old: old.update(fields)) if fields else known

    def at(self, place: Path, progress: Report | None = None) -> tuple[DatasetRecord | None, dict[str, Any]]:
        """Return the record that has the content at an absolute path, None where no record has it.

        Nothing is written.

        Returns:
            The record; and the name, hash, size and quick hash that a new record would have.

        Raises:
            OSError: The content cannot be read.
        """
        content, _, known = self._known(place, progress)
        return known, {"name": paths.nfc(_plain_name(place)), "path": str(place), **content}

    def _known(
        self, place: Path, progress: Report | None
    ) -> tuple[dict[str, Any], list[str], DatasetRecord | None]:
        content = self._resolver.content(place, progress)
        forms = [content["hash"], *self._resolver.hashes.other_forms(place)]
        return content, forms, next(filter(None, map(self._registry.with_hash, forms)), None)

    def get(self, dataset: str) -> DatasetRecord:
        """Return the record with this id, or else with this name, in any normal form of Unicode.

        Raises:
            NotFoundError: There is no such record, or several have the name; the message gives their ids.
            CorruptFileError: The file of the record cannot be read; the message names line and key.
        """
        if dataset_record.is_id(dataset):
            try:
                return self._registry.read(dataset)
            except NotFoundError:
                pass
        found = self.list()
        named = [record for record in found if dataset == record.id or paths.same_name(dataset, record.name)]
        if len(named) == 1:
            return named[0]
        folder = str(self._registry.folder)
        if named:
            ids = ", ".join(record.id for record in named)
            raise NotFoundError(f"several datasets are named {dataset!r}: {ids}; give an id", folder)
        for error in found.errors:
            if error["kind"] == "io" and error["path"] in (folder, str(self._registry.path(dataset))):
                files.check_readable(Path(error["path"]))
        unread = f" ({len(found.errors)} records cannot be read)" if found.errors else ""
        raise NotFoundError(f"there is no dataset {dataset!r}{unread}; `n4w datasets list` shows all", folder)

    def index_files(self) -> list[Problem]:
        """Index all files in the folders that are searched for datasets; return the problems."""
        errors = []
        for root in self._resolver.roots(self.list()):
            try:
                self._resolver.index(root, fresh=True)
            except OSError as error:
                errors.append(problem(str(root), error))
        return errors

    def list(self) -> DatasetList:
        """Return all records with the status that `link` found last, and their usage by runs.

        A folder of nirs4all 0.6 has no registry: its records are derived from its prediction files.
        """
        if self._workspace.format_version > 1:
            return self._registry.read_all()
        references, errors = old_references(self._workspace)
        found = {record.id: record for record in map(record_of, references)}
        return DatasetList(found.values(), errors)

    def resolve(self, dataset: str, search_roots: Paths = (), progress: Report | None = None) -> Resolution:
        """Find the content of a dataset. Writes nothing but the cache.

        Args:
            dataset: The id or name of the dataset.
            search_roots: Further folders to search.
            progress: Called now and then with the candidates hashed and the candidates in all.

        Returns:
            The path of the content, how it was found, and whether a full hash proves it.

        Raises:
            NotFoundError: There is no such record.
            CorruptFileError: The record cannot be read.
        """
        roots = paths.absolute_all(search_roots, "search_roots")
        return self._resolver.resolve(self.get(dataset), roots, progress)

    def relocate(self, dataset: str, path: str | os.PathLike[str]) -> DatasetRecord:
        """Set the path of a dataset; the content there must be the recorded one.

        Raises:
            ValueError: The path is empty, or not UTF-8.
            ConflictError: The path holds other content. `accept_version` accepts it as a new version.
            NotFoundError: There is no such record.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        place = paths.on_disk(paths.absolute(path))
        stored = self._stored(place)
        record = self.get(dataset)
        found = self._resolver.same_hash(record, place)
        if found is None:
            message = f"{record.id} has no hash to compare its content with; accept the content there instead"
            raise ConflictError(message, str(self._registry.path(record.id)))
        if found != record.hash:
            message = f"has other content than {record.id}: expected {record.hash}, found {found}"
            raise ConflictError(f"{message}; if it is a new version, accept it", str(place))
        return self._registry.edit(record.id, lambda old: old.update(current_path=stored, status="valid"))

    def accept_version(self, dataset: str, path: str | os.PathLike[str] | None = None) -> DatasetRecord:
        """Accept the content at a dataset's path as its new version.

        Its description is read again from its files; metadata and name stay. Content equal to the recorded
        one adds no version.

        Args:
            dataset: The id or name of the dataset.
            path: The path of the new version; by default the path where the dataset was last.

        Raises:
            ValueError: The path is empty, or not UTF-8.
            NotFoundError: There is no such record, or it has no path.
            ConflictError: The content changed while it was read, or the record changed meanwhile.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        record = self.get(dataset)
        place = self.path_of(record) if path is None else paths.absolute(path)
        if place is None:
            message = f"{record.id} has no path; give the path of its new version"
            raise NotFoundError(message, str(self._registry.path(record.id)))
        place = paths.on_disk(place)
        stored = self._stored(place)
        if self._resolver.same_hash(record, place) == record.hash is not None:
            return self._registry.edit(record.id, lambda old: old.update(current_path=stored, status="valid"))
        content = self._resolver.content(place)
        described = describe.describe(place).to_dict()

        def add(old: dict[str, Any]) -> None:
            versions = old.get("versions") or []
            number = 1 + max((it.get("version") or 0 for it in versions), default=0)
            new = dataset_record.version(number, content["hash"], described["n_samples"])
            old.update(content, current_path=stored, status="valid", versions=[*versions, new])
            kept = [key for key in dataset_record.DESCRIPTIVE if old.get(key) and not described[key]]
            old.update({key: value for key, value in described.items() if value or key == "notes"})
            if kept:
                text = f"not determined by this version, and retained: {', '.join(kept)}"
                old["notes"] = [*described["notes"], text]

        return self._registry.edit(record.id, add)

    def link(self, search_roots: Paths = (), progress: Report | None = None) -> LinkReport:
        """Bring the registry up to date with runs and files.

        Reads the references of runs that changed, creates records for datasets that have none (equal content
        is one dataset), resolves every record, stores status and path, and fills the caches of footers and
        files. What the user wrote is retained. In a folder of nirs4all 0.6 nothing is stored.

        Args:
            search_roots: Further folders to search.
            progress: Called with the records resolved and the records in all.

        Returns:
            A report of what was done.

        Raises:
            UnsupportedVersionError: The workspace's format is newer than this version can write.
        """
        roots = paths.absolute_all(search_roots, "search_roots")
        linker = Linker(self._registry, self._resolver)
        if self._workspace.format_version > 1:
            self._workspace.check_writable()
            report = linker.link(roots, progress)
        else:
            report = LinkReport()
            linker.find(self.list(), roots, progress, report)
        warmed = self._workspace.prewarm()["errors"]
        # Problems of records and runs have absolute paths already.
        known = {error["path"] for error in report.errors}
        root = self._workspace.path
        report.errors += [error for error in warmed if str(root / error["path"]) not in known]
        return report

    def _stored(self, place: Path) -> str:
        """Return a path as records store it; refused, before anything is hashed, where it is not UTF-8."""
        path = self._resolver.stored(place)
        if not files.is_utf8(path):
            raise ValueError(f"the path {path!r} is not UTF-8, and a record cannot hold it; rename it")
        return path

    def path_of(self, record: DatasetRecord) -> Path | None:
        """Return the absolute path of a dataset according to its record, if it has one."""
        path = record.current_path or record.original_path
        return self._resolver.absolute(path) if path else None


def _plain_name(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".csv", ".tsv", ".txt", ".parquet"):
        name = name.removesuffix(suffix)
    return name or path.name
