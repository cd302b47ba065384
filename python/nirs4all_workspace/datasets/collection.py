"""The datasets of a workspace: registered once, found again wherever their content went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    from nirs4all_workspace.workspace import Workspace

    Report = Callable[[int, int], object]
    Paths = Iterable[str | os.PathLike[str]]

_SETTABLE = (*DESCRIPTIVE, "metadata")


class Datasets:
    """What `Workspace.datasets` hands out."""

    def __init__(self, workspace: Workspace) -> None:
        """Belong to a workspace."""
        self._workspace = workspace
        self._registry = Registry(workspace.path)
        self._resolver = Resolver(workspace.path)

    def register(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        progress: Report | None = None,
        **fields: Any,  # noqa: ANN401 -- each field has its own type
    ) -> DatasetRecord:
        """Add a dataset, durably, or return the record that has its content already.

        Its content is hashed; samples, features, targets and wavelengths are read where its files tell.

        Args:
            path: A file, or a folder of files.
            name: What to call it; by default the file's name without suffixes.
            progress: Called now and then with the bytes hashed and those there are.
            fields: What the user knows better: task_type, n_samples, n_features, y_columns, y_stats,
                wavelength_range, wavelength_unit, metadata. They replace what a known record says.

        Returns:
            The record. Where its content was found elsewhere before and is there no more, it has the
            new path.

        Raises:
            TypeError: There is no such field, or it cannot have such a value.
            ValueError: A text is no Unicode, the path among them, or the path is empty; nothing was written.
            SchemaError: The workspace's format has no registry that could be written.
            ConflictError: The content changed while it was read.
            CorruptFileError: A record that may be of the same dataset cannot be read.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        for key in fields:
            if key not in _SETTABLE:
                raise TypeError(f"a dataset has no field {key!r} to set; there are {', '.join(_SETTABLE)}")
        place = paths.on_disk(paths.absolute(path))
        stored = self._stored(place)
        content = self._resolver.content(place, progress)
        forms = [content["hash"], *self._resolver.hashes.other_forms(place)]
        known = next(filter(None, map(self._registry.with_hash, forms)), None)
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

    def get(self, dataset: str) -> DatasetRecord:
        """Return the record with this id, or else with this name, in any normal form of Unicode.

        Raises:
            NotFoundError: There is none, or several have the name; the message gives their ids.
            CorruptFileError: Its file cannot be read; the message names line and key.
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
            raise NotFoundError(f"several datasets are called {dataset!r}: {ids}; give an id", folder)
        for error in found.errors:
            if error["kind"] == "io" and error["path"] in (folder, str(self._registry.path(dataset))):
                files.check_readable(Path(error["path"]))
        unread = f" ({len(found.errors)} records cannot be read)" if found.errors else ""
        raise NotFoundError(f"there is no dataset {dataset!r}{unread}; `n4w datasets list` shows all", folder)

    def index_files(self) -> list[dict[str, str]]:
        """Index the folders where datasets are sought, down to every file; return those that cannot be."""
        errors = []
        for root in self._resolver.roots(self.list()):
            try:
                self._resolver.index(root, fresh=True)
            except OSError as error:
                errors.append(problem(str(root), error))
        return errors

    def list(self) -> DatasetList:
        """Return all records with the status that `link` found last, and how runs use them.

        In a folder of nirs4all 0.6, which has no registry, they are made of its prediction files.
        """
        if self._workspace.format_version > 1:
            return self._registry.read_all()
        references, errors = old_references(self._workspace)
        found = {record.id: record for record in map(record_of, references)}
        return DatasetList(found.values(), errors)

    def resolve(self, dataset: str, search_roots: Paths = (), progress: Report | None = None) -> Resolution:
        """Find a dataset's content. Writes nothing but cache.

        Args:
            dataset: Its id or name.
            search_roots: More folders to search.
            progress: Called now and then with the candidates hashed and those there are.

        Returns:
            Where it is, how that was found, and how sure it is.

        Raises:
            NotFoundError: There is no such record.
            CorruptFileError: Its record cannot be read.
        """
        roots = paths.absolute_all(search_roots, "search_roots")
        return self._resolver.resolve(self.get(dataset), roots, progress)

    def relocate(self, dataset: str, path: str | os.PathLike[str]) -> DatasetRecord:
        """Say where a dataset is now; its content must be the recorded one.

        Raises:
            ValueError: The path is an empty text, or no UTF-8.
            ConflictError: Other content is there. `accept_version` takes it for a new version.
            NotFoundError: There is no such record.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        place = paths.on_disk(paths.absolute(path))
        stored = self._stored(place)
        record = self.get(dataset)
        found = self._resolver.same_hash(record, place)
        if found is None:
            message = f"{record.id} has no hash that could prove its content; accept what is there instead"
            raise ConflictError(message, str(self._registry.path(record.id)))
        if found != record.hash:
            message = f"has other content than {record.id}: {found}, not {record.hash}"
            raise ConflictError(f"{message}; if it is a new version, accept it", str(place))
        return self._registry.edit(record.id, lambda old: old.update(current_path=stored, status="valid"))

    def accept_version(self, dataset: str, path: str | os.PathLike[str] | None = None) -> DatasetRecord:
        """Take what is at a dataset's path now for its new version.

        What its files tell is read anew; metadata and name stay. Content that is the recorded one adds
        no version.

        Args:
            dataset: Its id or name.
            path: Where the new version is; by default where the dataset was last.

        Raises:
            ValueError: The path is an empty text, or no UTF-8.
            NotFoundError: There is no such record, or it has no path.
            ConflictError: The content changed while it was read, or the record meanwhile.
            OSError: The content cannot be read, or the record cannot be written.
        """
        self._workspace.check_writable()
        record = self.get(dataset)
        place = self.path_of(record) if path is None else paths.absolute(path)
        if place is None:
            message = f"{record.id} has no path; say where its new version is"
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
                text = f"not told by this version, and kept as they were: {', '.join(kept)}"
                old["notes"] = [*described["notes"], text]

        return self._registry.edit(record.id, add)

    def link(self, search_roots: Paths = (), progress: Report | None = None) -> LinkReport:
        """Bring the registry up to date with runs and files.

        Reads the references of runs that changed, makes records for datasets that have none (the same
        content is the same dataset), finds where each is now, stores status and path, and warms the
        caches of footers and files. What the user wrote is kept. In a folder of nirs4all 0.6 nothing is
        stored.

        Args:
            search_roots: More folders to search.
            progress: Called with the records resolved and those there are.

        Returns:
            What it did.

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
        # Records and runs are named by their full paths already.
        known = {error["path"] for error in report.errors}
        root = self._workspace.path
        report.errors += [error for error in warmed if str(root / error["path"]) not in known]
        return report

    def _stored(self, place: Path) -> str:
        """A path as records store it; refused before anything is hashed where none can."""
        path = self._resolver.stored(place)
        if not files.is_utf8(path):
            raise ValueError(f"the path {path!r} is no UTF-8, and no record can hold it; rename it")
        return path

    def path_of(self, record: DatasetRecord) -> Path | None:
        """Return where a record says that its dataset is, absolute."""
        path = record.current_path or record.original_path
        return self._resolver.absolute(path) if path else None


def _plain_name(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".csv", ".tsv", ".txt", ".parquet"):
        name = name.removesuffix(suffix)
    return name or path.name
