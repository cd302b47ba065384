"""Building a workspace from all files of a folder of nirs4all 0.6."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._version import __version__
from nirs4all_workspace.exceptions import CorruptFileError
from nirs4all_workspace.legacy import old_artifacts
from nirs4all_workspace.migration import files
from nirs4all_workspace.migration.compare import compare
from nirs4all_workspace.migration.report import Report, shown
from nirs4all_workspace.migration.rows import PredictionFile, Target
from nirs4all_workspace.migration.sessions import Sessions, new_run
from nirs4all_workspace.migration.transfer import Ids, Transfer, writer_ids
from nirs4all_workspace.model import migration_notes, run_summary
from nirs4all_workspace.model.result import Result
from nirs4all_workspace.values.canonical import content_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nirs4all_workspace.workspace import Workspace


# Folders in which nirs4all 0.6 itself stores copies of configurations.
_COPIES = ("exports", "library")


def build(source: Path, workspace: Workspace, progress: Callable[[int, int], object] | None) -> Report:
    """Fill a new workspace, invisible to other processes, from a folder of nirs4all 0.6, and compare both."""
    builder = _Builder(source, workspace)
    builder.run(progress)
    return builder.report


class _Builder:
    """The state of one migration, from the first record to the last check."""

    def __init__(self, source: Path, workspace: Workspace) -> None:
        self.source = source
        self.workspace = workspace
        self.report = Report()
        self.sessions = Sessions(workspace, source, self.report)
        self.loose: dict[str, str] = {}
        self.of_files: dict[str, tuple[PredictionFile, str, dict[str, None]]] = {}

    def run(self, progress: Callable[[int, int], object] | None) -> None:
        entries, errors = catalogue.read(self.source, keep=False)
        # Problems of rows are reported when the rows are moved.
        rows = set(catalogue.old_files(self.source, catalogue.SUFFIX))
        for item in errors:
            if item["path"] not in rows:
                self.report.error(item["path"], item["kind"], item["message"])
        for entry in entries:
            if entry["kind"] == "session":
                self._add_run(entry, "session")
                self.sessions.add(entry)
            elif entry["kind"] == "files":
                self.loose.update(dict.fromkeys(entry["files"], entry["id"]))
        self._move_files(progress)
        self._checkpoint_rowless()
        self._copy_rest()
        self._finish_runs()
        found = self.workspace.verify(full=True)
        self.report.errors += found["problems"]

    def _add_run(self, entry: dict[str, Any], kind: str) -> None:
        about = {"id": entry["id"], "name": entry["name"], "kind": kind, "rows": 0, "results": 0}
        self.report.runs[entry["id"]] = about

    # Rows and arrays

    def _move_files(self, progress: Callable[[int, int], object] | None) -> None:
        listed: list[PredictionFile] = []
        for name in catalogue.old_files(self.source, catalogue.SUFFIX):
            if name.endswith(".partial.meta.parquet"):
                continue
            if refusal := files.refusal(self.source / name):
                self.report.lost(name, *refusal)
                continue
            with self._reporting(name):
                listed.append(PredictionFile(self.source, name))
        for file in list(listed):
            listed.remove(file)
            with self._reporting(file.file):
                file.find_groups(partial(self._target, file))
                listed.append(file)
        self._add_files()
        total, done = 2 * sum(file.rows for file in listed), 0

        def step(rows: int) -> None:
            nonlocal done
            done += rows
            if progress is not None:
                progress(done, total)

        ids = Ids(listed)
        for file in listed:
            with closing(Transfer(self.workspace, file, ids)) as transfer:
                self._move_file(transfer, step)

    @contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        """Report a file that cannot be read."""
        try:
            yield
        except (CorruptFileError, OSError) as error:
            message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
            self.report.error(name, "corrupt", f"{message}; it was copied unchanged")

    def _move_file(self, transfer: Transfer, step: Callable[[int], object]) -> None:
        file, report, done = transfer.file, self.report, transfer.done
        name = file.file
        transfer.run(step)
        found = compare(transfer, step)
        report.count(report.source, rows=file.rows, arrays=found["source_arrays"])
        report.count(report.target, rows=found["rows"], arrays=found["arrays"])
        for group in file.groups:
            about = report.runs[group.target.run_id]
            about["rows"] += group.rows
            about["results"] += 1
            self.sessions.waiting.pop(group.target.result.id, None)
        if found["differences"]:
            report.error(name, "differs", f"{found['differences']} differences between source and target")
        lost = file.rows - done.rows
        if lost:
            report.error(
                name, "corrupt", f"{lost} of {file.rows} rows cannot be read; it was copied unchanged"
            )
        else:
            self.sessions.carried.add(file.path)
        if done.renamed:
            runs = sorted({unit.run_id for unit in file.units})
            message = (
                f"{done.renamed} rows had no id, or the id of another row of their run; they got new ids"
            )
            report.note(name, "new_ids", message, runs[0] if len(runs) == 1 else None)
        if file.nameless:
            message = f"{file.nameless} rows name no dataset; they got {file.name}, as the file is named"
            report.note(name, "no_dataset", message)
        for ours, theirs in sorted(file.moved_names.items()):
            report.note(name, "renamed", f"column {ours} has another meaning here; it is column {theirs} now")
        for column, number in sorted(done.beside.items()):
            what = "are not times" if column == "created_at" else "are of another type"
            message = f"{number} values of column {column} {what}; they are in column source_{column}"
            report.note(name, "type", message)
        for column in file.as_text:
            report.note(
                name, "type", f"column {column} has a type that segments cannot hold, and is stored as text"
            )
        self._note_arrays(transfer)

    def _note_arrays(self, transfer: Transfer) -> None:
        missing = transfer.missing()
        name = transfer.arrays.relative_to(self.source).as_posix()
        for run_id, count in missing.items():
            what = "lacks them" if files.is_file(transfer.arrays) else "is missing"
            what = "cannot be read" if transfer.refusal else what
            message = f"rows name arrays {count} times, but {name} {what}"
            self.report.note(transfer.file.file, "missing_arrays", message, run_id)
        if transfer.refusal:
            self.report.lost(name, *transfer.refusal)
            return
        if transfer.done.arrays_error:
            message = f"{transfer.done.arrays_error}; it was copied unchanged"
            self.report.error(name, "corrupt", message)
            return
        if transfer.done.unnamed:
            message = f"no row names {transfer.done.unnamed} of its arrays; it was copied unchanged"
            self.report.note(name, "unnamed_arrays", message)
        if transfer.done.repeated:
            message = (
                f"{transfer.done.repeated} array ids are repeated with other values; rows got the first; "
                "it was copied unchanged"
            )
            self.report.note(name, "repeated", message)
        if files.is_file(transfer.arrays) and not (transfer.done.unnamed or transfer.done.repeated):
            self.sessions.carried.add(transfer.arrays)

    def _target(self, file: PredictionFile, dataset: str, config: str | None) -> Target:
        """Return where the rows of a configuration go: to their session, or to a run of unclaimed files."""
        name = file.file
        claimed = self.sessions.targets.get((catalogue.stem_of(name), dataset, config))
        if claimed is not None:
            return claimed
        run_id = self.loose.get(name)
        if run_id is None:
            digest = _native.blake3_hex(os.fsencode(name), 12)
            run_id = self.loose[name] = f"files_{_native.slug(file.name)}_{digest}"
        made = files.written_at(file.path)
        self.of_files.setdefault(run_id, (file, made, {}))[2][dataset] = None
        result = Result(
            content_id("res", [run_id, None, config, dataset]),
            run_id=run_id,
            config_name=config,
            dataset_id=dataset,
            dataset_name=dataset,
            completed_at=made,
        )
        return Target(run_id, made, result)

    def _add_files(self) -> None:
        """Write the runs of rows that no manifest claims."""
        for run_id, (file, made, datasets) in self.of_files.items():
            blank = dict.fromkeys(("id", "name", "hash", "file_size", "quick_hash", "path"))
            listed = [blank | {"name": dataset} for dataset in datasets]
            entry = {"id": run_id, "name": file.name, "created_at": made, "datasets": listed}
            self._add_run(entry, "files")
            new_run(self.workspace, self.source, entry, [], {})
            message = (
                f"no manifest claims some of its rows; they are run {run_id}, and their created_at is when "
                f"the file was last written, {made}"
            )
            self.report.note(file.file, "no_manifest", message, run_id)

    def _checkpoint_rowless(self) -> None:
        """Commit the results of configurations without rows, with one writer a run and dataset."""
        waiting: dict[tuple[str, str], list[tuple[str, Target]]] = {}
        for dataset, config, target in self.sessions.waiting.values():
            waiting.setdefault((target.run_id, dataset), []).append((config, target))
        for (run_id, dataset), targets in waiting.items():
            ids = writer_ids(run_id, dataset, *(config for config, _ in targets))
            with self.workspace.predictions.open_writer(run_id, dataset, ids=ids) as writer:
                path = writer.path
                for config, target in targets:
                    result = replace(target.result, status="failed", error="no prediction names it")
                    writer.checkpoint(result)
                    self.report.runs[run_id]["results"] += 1
                    message = f"no row names configuration {config}"
                    self.report.note(f"runs/{dataset}/{config}", "no_rows", message, run_id)
            if path is not None:
                self._leave_no_dataset(path)

    @staticmethod
    def _leave_no_dataset(journal: Path) -> None:
        """Remove a journal and its segment without rows: its result is stored in the run's folder."""
        journal.unlink(missing_ok=True)
        journal.with_name(f"{journal.stem}{catalogue.SUFFIX}").unlink(missing_ok=True)
        with suppress(OSError):  # it holds other files
            journal.parent.rmdir()

    # Other files

    def _copy_rest(self) -> None:
        known = {item["path"] for item in (*self.report.notes, *self.report.errors)}
        for path in files.walk_source(self.source):
            if path in self.sessions.carried:
                continue
            name = str(path.relative_to(self.source))
            if not files.is_file(path) and not _is_lost(path, Path(name)):
                if shown(name) in known:
                    continue
                message = "is not a file, or is a link to nothing or out of the folder; it was not copied"
                self.report.note(name, "left", message)
                continue
            if refusal := files.refusal(path):
                self.report.lost(name, *refusal)
                continue
            files.copy(path, self.workspace.path / files.SOURCE / path.relative_to(self.source))
            self.report.count(self.report.target, copied_files=1)
            place = _place_of(Path(name))
            if shown(name) not in known and place is not None:
                message = (
                    "is not where nirs4all 0.6 stores it and did not become a run; it was copied to "
                    f"{files.SOURCE}/. To make it a run, move it to {place} in a copy of the folder and "
                    "migrate that"
                )
                self.report.error(name, "misplaced", message)
            elif shown(name) not in known:
                self.report.note(name, "copied", f"was copied to {files.SOURCE}/")

    def _finish_runs(self) -> None:
        own: dict[str, list[dict[str, str]]] = {}
        for note in self.report.notes:
            own.setdefault(note["run"], []).append({key: note[key] for key in ("path", "kind", "message")})
        for run_id, about in self.report.runs.items():
            run = self.workspace.runs.get_writable(run_id)
            files.write_record(run.path / run_summary.FILE, run.summary())
            origin = {
                "source": shown(str(self.source)),
                "source_format": "nirs4all 0.6",
                "migrated_by": f"nirs4all-workspace {__version__}",
                "notes": own.get(run_id, []),
            }
            files.write_record(run.path / migration_notes.OF_RUN, origin)
            self.sessions.account(run.path)
            about["status"] = str(run.status)
            self.report.count(self.report.target, results=about["results"])


def _is_lost(path: Path, name: Path) -> bool:
    """Return whether a path where nirs4all 0.6 has a file holds something else, or cannot be looked at."""
    try:
        path.stat()
        is_searched = not path.is_dir() or path.is_symlink()
    except FileNotFoundError:
        is_searched = True
    except OSError:
        is_searched = False
    is_of_a_name = path.name.endswith((catalogue.SUFFIX, ".arrays.parquet", "manifest.yaml", "pipeline.json"))
    return not is_searched or is_of_a_name or old_artifacts.is_place(name)


def _place_of(path: Path) -> str | None:
    """Return the proper path of a misplaced file of rows or a configuration; None where it is in place."""
    if path.parts[0] in _COPIES:
        return None
    if path.name.endswith(catalogue.SUFFIX) and len(path.parts) > 1:
        return f"{path.name}, and its arrays beside it,"
    if path.name == "manifest.yaml" and (len(path.parts) < 4 or path.parts[0] != "runs"):
        return f"runs/<dataset>/{path.parent.name or '<configuration>'}/{path.name}"
    return None
