"""The runs of a workspace: creating, listing, claiming and deleting."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import files, layout, yaml_records
from nirs4all_workspace.exceptions import NotFoundError, WorkspaceError
from nirs4all_workspace.model import run_record
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.runs.dataset_references import references
from nirs4all_workspace.runs.delete import delete
from nirs4all_workspace.runs.lineage import check_parent
from nirs4all_workspace.runs.opening import open_run
from nirs4all_workspace.runs.recorded import RecordedRun
from nirs4all_workspace.runs.run import Run
from nirs4all_workspace.templates import references as template_references
from nirs4all_workspace.values.canonical import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Deletion
    from nirs4all_workspace.workspace import Workspace

_log = logging.getLogger(__name__)


class RunList(list["Run | RecordedRun"]):
    """Runs, oldest first: `Run` for kind "run", `RecordedRun` for the others.

    Attributes:
        headers: The header of each run in the catalogue.
        errors: Files that cannot be read, as dicts of path, kind and message.
    """

    def __init__(self, root: Path) -> None:
        """Start an empty list of runs of the workspace in `root`."""
        super().__init__()
        self._root = root
        self.headers: list[_native.RunHeader] = []
        self.errors: list[Problem] = []

    def writable(self) -> list[Run]:
        """Return the runs whose status can be changed."""
        return [run for run in self if isinstance(run, Run)]

    def is_interrupted(self, header: _native.RunHeader) -> bool:
        """Return whether a run of the list has status "running" but no owner.

        A lock that cannot be read is added to the errors.
        """
        return catalogue.is_interrupted(self._root, header, self.errors)

    def to_dict(self) -> dict[str, Any]:
        """Return the list as plain data, the shape of `n4w runs --json`: what `to_dict` of all kinds shares.

        It has all of `run.yaml`, kind, templates, datasets, summary (None until it is written), n_configs and
        n_failed (of the summary) and is_interrupted.
        """
        only_of_some = ("manifests", "steps", "files")
        runs = [
            {key: value for key, value in header.entry().items() if key not in only_of_some}
            | {"is_interrupted": self.is_interrupted(header)}
            for header in self.headers
        ]
        return {"runs": runs, "errors": self.errors}


class Runs:
    """Access to the runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace
        self.folder: Path = workspace.path / "runs"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "runs")

    def create(
        self,
        name: str,
        templates: Iterable[object] = (),
        datasets: Iterable[object] = (),
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
        parent_run: str | None = None,
        derived_from_result: str | None = None,
        modifications: Iterable[Mapping[str, Any]] = (),
        *,
        tags: Iterable[str] = (),
        notes: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Run:
        """Create a queued run, durably: it appears as a whole or not at all.

        Args:
            name: The name of the run.
            templates: A list whose elements are templates: a `Template`, the id of a stored one, or steps.
                Nothing is inferred from nesting.
            datasets: Ids, names, paths or records of datasets. A `Path`, a text with a separator that exists
                as a path, and the name of a file are paths: their content is hashed and registered. Any other
                text is a name, of a registered dataset or not, whatever folders are called.
            description: A description of the run.
            config: The configuration of its execution: cv_folds, cv_strategy, random_state and the like.
            parent_run: The id of the run that it is derived from, which need not exist.
            derived_from_result: The id of the result that it is derived from.
            modifications: The differences from its parent, as mappings with a key `type`.
            tags: Tags of the run, by which `list` finds it.
            notes: Notes on the run.
            progress: Called now and then with the bytes hashed of a dataset given by path, and the bytes in
                all.

        Returns:
            The run.

        Raises:
            TypeError: An argument has a wrong type, or holds a value that cannot be stored.
            ValueError: The name is empty, a template or dataset is given twice, or the run would be its own
                ancestor.
            CorruptFileError: The parent is its own ancestor: its `run.yaml` was edited.
            NotFoundError: A template or dataset id is unknown.
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: A file cannot be read or written; no run was created.
        """
        self._workspace.check_writable()
        check_name(name)
        created_at = run_record.now()
        run_id = run_record.new_id(name, created_at)
        check_parent(self._workspace, run_id, run_record.text(parent_run, "parent_run"))
        record = run_record.new_record(
            run_id,
            name,
            created_at,
            description=run_record.text(description, "description"),
            tags=run_record.tags(tags),
            notes=run_record.text(notes, "notes"),
            parent_run=run_record.text(parent_run, "parent_run"),
            derived_from_result=run_record.text(derived_from_result, "derived_from_result"),
            modifications=_modifications(modifications),
        )
        settings = plain({} if config is None else config, "config")
        if not isinstance(settings, dict) or "schema_version" in settings:
            raise TypeError("config: expected a mapping of settings without a key 'schema_version'")
        content = {
            "templates.yaml": {"templates": template_references(self._workspace, templates)},
            "datasets.yaml": {"datasets": references(self._workspace, datasets, progress)},
            "config.yaml": settings,
            run_record.FILE: record,
        }
        self._publish(run_id, content)
        _log.info("run %s created", run_id)
        return Run(self._workspace, run_id)

    def open(
        self,
        name: str,
        templates: Iterable[object] | None = None,
        datasets: Iterable[object] | None = None,
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
        parent_run: str | None = None,
        derived_from_result: str | None = None,
        modifications: Iterable[Mapping[str, Any]] = (),
        *,
        tags: Iterable[str] = (),
        notes: str | None = None,
        new: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Run:
        """Return the newest run with a name that is not cancelled, so that a script started again goes on.

        Where there is none it is created. `with ws.runs.open(...) as run:` serves in every case: a queued or
        new run is queued; a paused, failed or interrupted one is resumed, and owned by this process from then
        on; a completed one stays as it is, in a `with` block too, and its plan is empty.

        Args:
            name: The name of the run.
            templates: As for `create`. A run that is there must have the same, by content; None for any.
            datasets: As for `create`. A run that is there must have the same, with the same content; None for
                any.
            description: As for `create`, for a new run.
            config: As for `create`. A run that is there keeps its own; another one than that is a warning.
            parent_run: As for `create`, for a new run.
            derived_from_result: As for `create`, for a new run.
            modifications: As for `create`, for a new run.
            tags: As for `create`, for a new run.
            notes: As for `create`, for a new run.
            new: Whether to make a run in any case.
            progress: As for `create`.

        Returns:
            The run.

        Raises:
            ConflictError: A process owns the run, or a writer of it is alive; or it has other templates or
                datasets, which the message lists.
            CorruptFileError: A run that may have the name cannot be read.
            TypeError, ValueError, NotFoundError, SchemaError, OSError: As for `create` and `Run.resume`.
        """

        def create() -> Run:
            return self.create(
                name,
                () if templates is None else templates,
                () if datasets is None else datasets,
                description,
                config,
                parent_run,
                derived_from_result,
                modifications,
                tags=tags,
                notes=notes,
                progress=progress,
            )

        self._workspace.check_writable()
        check_name(name)
        if new:
            return create()
        return open_run(self._workspace, name, templates, datasets, config, progress, create)

    def _publish(self, run_id: str, content: Mapping[str, Mapping[str, Any]]) -> None:
        files.make_folder(self.folder)
        draft = self.folder / f"{layout.STAGING}{run_id}"
        draft.mkdir()
        try:
            for file, mapping in content.items():
                yaml_records.create(draft / file, mapping)
            _native.move_folder(draft, self.folder / run_id)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def get(self, run: str) -> Run | RecordedRun:
        """Return a run; sessions and files of nirs4all 0.6 are read-only.

        Args:
            run: The id of the run; else its name; else `latest`, for the newest one; else the beginning of
                its id. Of several runs with a name, or ids that begin so, none is meant.

        Raises:
            NotFoundError: There is no such run, or there are several; the message lists them.
            CorruptFileError: The `run.yaml` of the run is damaged; the message names line and key.
            OSError: The run cannot be read.
        """
        try:
            layout.check_run_id(run)
            run_record.read(self.folder / run)
        except (ValueError, NotFoundError):
            headers, errors = catalogue.run_headers(self._workspace.path)
            known = [(header.id, header.name) for header in headers]
            run = catalogue.find_run(self._workspace.path, run, known, errors, may_be_unreadable=True)
            for header in headers:
                if header.id == run and header.kind != "run":
                    return RecordedRun(self._workspace, header)
            run_record.read(self.folder / run)
        return Run(self._workspace, run)

    def id_of(self, run: str) -> str:
        """Return the id of the run that `get` finds, readable or not; a text that means no run as it is."""
        if self.has(run):
            return run
        headers, errors = catalogue.run_headers(self._workspace.path)
        known = [(header.id, header.name) for header in headers]
        if not catalogue.matching_runs(run, known, errors):
            return run
        return catalogue.find_run(self._workspace.path, run, known, errors, may_be_unreadable=True)

    def has(self, run_id: str) -> bool:
        """Return whether a run of format 2 has this id; its record is not read."""
        try:
            layout.check_run_id(run_id)
        except ValueError:
            return False
        return (self.folder / run_id / run_record.FILE).exists()

    def get_writable(self, run_id: str) -> Run:
        """Return a run whose status can be changed, named as for `get`.

        Raises:
            ReadOnlyError: The run is a session or files of nirs4all 0.6.
            NotFoundError: There is no such run.
            CorruptFileError: The `run.yaml` of the run is damaged.
            OSError: The run cannot be read.
        """
        run = self.get(run_id)
        return run if isinstance(run, Run) else run.transition()

    def list(
        self,
        status: RunStatus | str | None = None,
        dataset: str | None = None,
        template: str | None = None,
        tag: str | Iterable[str] | None = None,
    ) -> RunList:
        """Return all runs of any kind, oldest first; runs that cannot be read are in its `errors`.

        Args:
            status: Only runs with this status.
            dataset: Only runs that refer to this dataset, by id or name, or have rows of it, by name.
            template: Only runs that refer to this template, by id or name.
            tag: Only runs with this tag, or with all of several.

        Raises:
            ValueError: The status is unknown, or a tag is empty.
            TypeError: A tag is not a text.
            OSError: The folder cannot be listed.
        """
        status = None if status is None else RunStatus(status)
        wanted = set(run_record.tags(() if tag is None else [tag] if isinstance(tag, str) else tag))
        headers, errors = catalogue.run_headers(self._workspace.path)
        with_rows = set() if dataset is None else catalogue.runs_with_rows(self._workspace.path, dataset)
        listed = RunList(self._workspace.path)
        listed.errors = errors
        for header in headers:
            if status is not None and header.status != status:
                continue
            if dataset is not None or template is not None or wanted:
                entry = header.entry()
                if not wanted.issubset(run_record.tags_in(entry)):
                    continue
                if (
                    dataset is not None
                    and header.id not in with_rows
                    and not catalogue.refers_to(entry["datasets"], dataset)
                ):
                    continue
                if template is not None and not catalogue.refers_to(entry["templates"], template):
                    continue
            listed.headers.append(header)
            made = Run if header.kind == "run" else RecordedRun
            listed.append(made(self._workspace, header))
        return listed

    def claim_next(self, accepts: Callable[[Run], bool] | None = None) -> Run | None:
        """Take the oldest waiting run: queued, or paused with a request to resume.

        Of any number of processes that try at once, exactly one gets it, and owns it from then on. Runs that
        cannot be claimed (damaged, of a newer version, with a living writer) are skipped.

        Args:
            accepts: Whether to take a run that waits, such as by its config; all others are left waiting.

        Returns:
            The run, running and owned by this process; None where no run waits.

        Raises:
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: The lock, record or config of a run that waits cannot be written, and no other run waits.
        """
        self._workspace.check_writable()
        failed: OSError | None = None
        for run in self.list().writable():
            try:
                if not run_record.is_claimable(run.record) or (accepts and not accepts(run)):
                    continue
                if run.claim():
                    return run
            except WorkspaceError:
                continue
            except OSError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return None

    def delete(self, run_id: str) -> Deletion:
        """Delete a run with its rows and arrays, and the artifacts that no other run refers to.

        It is gone for every reader once its folder is in the trash; if the process dies after that, deleting
        it again, or `gc`, completes the deletion.

        Returns:
            A dict of `removed` and `kept`, lists of paths relative to the workspace (the target of a link in
            `runs` is kept, and named by its own path), and of `errors`, dicts of path, kind and message:
            folders that cannot be listed and may hold more of the run. Their rows stay hidden, and `gc`
            continues once the folders can be listed.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: A process owns the run or writes to it.
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: The run could not be deleted completely.
        """
        done = delete(self._workspace, run_id)
        _log.info("run %s deleted: %d files removed", run_id, len(done["removed"]))
        return done

    def folders(self) -> Iterable[Path]:
        """Yield the folders of all runs, by name; none in a folder of nirs4all 0.6.

        Raises:
            OSError: The folders cannot be listed.
        """
        if self._workspace.format_version < 2:
            return
        for name in files.list_names(self.folder):
            folder = self.folder / name
            if not name.startswith(".") and files.is_utf8(name) and folder.is_dir():
                yield folder


def check_name(name: object) -> None:
    """Check that a value can be the name of a run.

    Raises:
        ValueError: It is empty, or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"name of a run: expected a text, got {name!r}")


def _modifications(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = plain(list(given), "modifications")
    if not all(isinstance(item, dict) and isinstance(item.get("type"), str) for item in found):
        raise ValueError("modifications: expected mappings with a key 'type', such as 'dataset_added'")
    return list(found)
