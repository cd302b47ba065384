"""One import: what is new in a store is built beside the workspace, compared, and moved into it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace._io import yaml_records
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.migration import files
from nirs4all_workspace.migration.report import Report, shown
from nirs4all_workspace.model import migration_notes
from nirs4all_workspace.stores import publish
from nirs4all_workspace.stores.configurations import Configurations
from nirs4all_workspace.stores.plan import Plan
from nirs4all_workspace.stores.rows import Rows
from nirs4all_workspace.stores.run_files import RunFiles
from nirs4all_workspace.stores.source import DUCKDB
from nirs4all_workspace.stores.transfer import Transfer, files_of, read_again, stored_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nirs4all_workspace.model.answers import Import
    from nirs4all_workspace.stores.plan import Part, PlannedRun
    from nirs4all_workspace.stores.source import Source
    from nirs4all_workspace.workspace import Workspace

# Tables that become rows, results and records; of the others the number of rows is reported.
_KNOWN = (
    *("runs", "pipelines", "chains", "predictions", "artifacts", "logs", "projects", "prediction_arrays"),
    *("conformal_results", "tuning_results", "robustness_results"),
)


@dataclass
class _Work:
    """What is to be done for a run.

    Attributes:
        run: The run.
        former: What the run says of the import that made it; None where it is not in the workspace.
        parts: Its parts that are written anew.
        content: A digest of its records.
    """

    run: PlannedRun
    former: dict[str, Any] | None
    content: str
    parts: list[Part] = field(default_factory=list)

    @property
    def is_needed(self) -> bool:
        """Whether it is new, or differs from what is in the workspace."""
        return self.former is None or bool(self.parts) or self.former.get("records") != self.content


class Importer:
    """The state of one import, from the first table to the report."""

    def __init__(self, source: Source, workspace: Workspace, staging: Workspace) -> None:
        """Plan what a store becomes; no row is read.

        Args:
            source: The store.
            workspace: The workspace that is made or grows.
            staging: A new workspace within it, which no other process sees.
        """
        self.source, self.workspace, self.staging = source, workspace, staging
        self.report = report = Report(source={}, target={})
        self.configurations = Configurations(source, staging)
        self.plan = Plan(source, self.configurations, report)
        self.rows = Rows(source, self.plan.parts, self.plan.pipelines)
        self.files = RunFiles(source, staging, self.plan, self.configurations, report)
        self.transfer = Transfer(source, self.plan, self.rows, self._array_files(), report)
        self.work: list[_Work] = []

    def _array_files(self) -> list[Path]:
        paths = self.source.array_files()
        if "prediction_arrays" in self.source.tables:
            path = self.staging.path / "prediction_arrays.parquet"
            self.source.write_arrays(path)
            paths = [path]
        return paths

    def build(self, progress: Callable[[int, int], object] | None) -> None:
        """Build all that is new or changed in the staging workspace, and compare it with the store."""
        total, done = sum(part.expected for part in self.plan.parts), 0

        def step(rows: int) -> None:
            nonlocal done
            done += rows
            if progress is not None:
                progress(min(done, total), total)

        for run in self.plan.runs:
            if self._is_here_already(run):
                continue
            self.files.write(run)
            self.work.append(_Work(run, self._former(run), self.files.content(run)))
        known = [it for it in self.work if it.former is not None]
        self.transfer.read([part for it in known for part in it.run.parts], step)
        for it in self.work:
            it.parts = it.run.parts if it.former is None else self._changed(it.run, it.former)
        written = [part for it in self.work for part in it.parts]
        self.transfer.write(self.staging, written, step)
        self._verify(written)
        for part in written:
            publish.rename(self.staging.path, part)
            if part.replaces:
                publish.supersede(self.staging.path, part)
        self.files.write_loose()
        self.files.copy_loose_results()
        for it in self.work:
            if it.former is None:
                self.files.summarise(it.run)
            if it.is_needed:
                self.files.finish(it.run, it.content)
        self._account()

    def _is_here_already(self, run: PlannedRun) -> bool:
        """Return whether the workspace has a run, and not by this import; note that it is left as it is."""
        exported = str(run.exported.get("id"))
        found = None
        if run.exported and "/" not in exported and (self.workspace.path / "runs" / exported).is_dir():
            found = exported
        elif (former := self._former(run)) is not None and "parts" not in former:
            found = run.id
        if found is not None:
            message = f"it is run {found} of the workspace, and was not imported"
            self.report.note(self.source.file, "known", message, found)
        return found is not None

    def _former(self, run: PlannedRun) -> dict[str, Any] | None:
        """Return what a run says of the import that made it; None where the workspace lacks the run."""
        folder = self.workspace.path / "runs" / run.id
        if not folder.exists():
            return None
        try:
            return yaml_records.read(folder / migration_notes.OF_RUN)
        except NotFoundError:
            return {}

    @staticmethod
    def _changed(run: PlannedRun, former: dict[str, Any]) -> list[Part]:
        """Return the parts of a run whose rows, arrays or results changed since they were imported."""
        known = {part["dataset"]: part for part in former.get("parts", [])}
        changed = []
        for part in run.parts:
            before = known.get(part.dataset)
            if before is not None and before["content"] == part.content:
                part.writer_id = before["writer"]
                continue
            changed.append(part)
            if before is not None:
                part.replaces = [*before.get("replaces", []), before["writer"]]
        return changed

    def _verify(self, parts: list[Part]) -> None:
        """Read again what was written, and compare it with what was read from the store."""
        root = self.staging.path
        for part, (rows, digest, wrong) in zip(parts, read_again(root, parts), strict=True):
            lost = part.expected - part.rows
            place = f"runs/{part.run_id}: {part.dataset}"
            if rows != part.rows or digest != part.digest or lost:
                message = f"of {part.expected} rows {rows} are here, or values differ"
                self.report.error(place, "differs", message)
            if wrong:
                self.report.error(place, "differs", f"{wrong} arrays differ or are missing")
            stored = stored_results(root, part)
            for result in part.results:
                if stored.get(result.id) != (result.status, result.error):
                    message = f"result {result.id} differs or is missing"
                    self.report.error(f"runs/{part.run_id}", "differs", message)
        self.report.errors += self.staging.verify(full=True)["problems"]

    def publish(self) -> None:
        """Move what was built to the workspace, durably."""
        if files.IS_SYNCED_AT_ONCE:
            os.sync()
        staging, target = self.staging.path, self.workspace.path
        publish.shared(staging, target)
        for it in self.work:
            if it.is_needed:
                publish.run(staging, self.workspace, it.run, it.parts)
        if files.IS_SYNCED_AT_ONCE:
            os.sync()

    def _account(self) -> None:
        """Count what was read and written, and note what the store lacks or holds beside."""
        source, report, count = self.source, self.report, self.report.count
        for table in source.tables:
            if table in _KNOWN and table != "artifacts":
                count(report.source, **{table: source.count(table)})
            elif table not in _KNOWN and (number := source.count(table)):
                report.note(
                    f"{source.file}: {table}", "left", f"the table has {number} rows, which were not imported"
                )
        parts = [part for it in self.work for part in it.run.parts]
        count(
            report.target,
            predictions=sum(part.rows for part in parts),
            arrays=sum(part.n_arrays for part in parts),
        )
        count(report.target, results=sum(len(part.results) for part in parts))
        for path, number in self.transfer.arrays.orphans.items():
            if number:
                message = f"{number} of its rows are of no prediction, or repeated; they were left"
                report.note(self.transfer.arrays.name(path), "unnamed_arrays", message)
        for path, number in self.transfer.arrays.unreadable().items():
            report.error(self.transfer.arrays.name(path), "corrupt", f"{number} of its rows cannot be read")
        for column, number in sorted(self.rows.beside.items()):
            message = (
                f"{number} values of column {column} are of another type; they are in column source_{column}"
            )
            report.note(source.file, "type", message)
        if source.file == DUCKDB:
            report.note(source.file, "time", "its times have no zone, and were taken as UTC")
        is_whole = len(self.work) == len(self.plan.runs)
        if is_whole and (unnamed := self.files.unnamed_artifacts()):
            report.note("artifacts", "unnamed", f"no chain names {len(unnamed)} artifacts; they were left")
        for name in source.others:
            report.note(name, "left", f"was left: {source.file} is what nirs4all reads")
        for run in (it.run for it in self.work):
            for kind, message in run.notes:
                report.note(source.file, kind, message, run.id)
        if is_whole:
            self._note_other_files()

    def _note_other_files(self) -> None:
        """Note the files of the store's folder that are no part of the store, by folder."""
        carried = self.files.carried
        own = {self.source.file, *self.source.others, *self.source.state()}
        left: dict[str, int] = {}
        for path in files.walk(self.source.path):
            relative = path.relative_to(self.source.path)
            name = relative.as_posix()
            if name in own or relative in carried or path.name.startswith(self.source.file):
                continue
            top = relative.parts[0] if len(relative.parts) > 1 else name
            if not (top == "arrays" and (path.name.startswith((".", "_")) or path.suffix == ".parquet")):
                left[top] = left.get(top, 0) + 1
        for name, number in sorted(left.items()):
            self.report.note(name, "left", f"{number} files, which the store does not name, were left")

    def outcome(self, seconds: float) -> Import:
        """Return the report."""
        fresh = {it.run.id for it in self.work if it.is_needed}
        runs = [it.run for it in self.work]
        about = [
            {
                "id": run.id,
                "name": run.name,
                "status": run.status,
                "is_new": run.id in fresh,
                "rows": sum(part.rows for part in run.parts),
                "results": sum(len(part.results) for part in run.parts),
                "source_runs": run.call.ids,
            }
            for run in runs
        ]
        self.report.count(self.report.target, runs=len(about))
        return {
            "source": shown(str(self.source.path)),
            "target": shown(str(self.workspace.path)),
            "status": "imported" if fresh else "unchanged",
            "imported_at": datetime.now(UTC).isoformat(),
            "seconds": round(seconds, 3),
            "bytes_before": self._bytes_before(),
            "bytes_after": self._bytes_after(),
            "counts": {"source": self.report.source, "target": self.report.target},
            "runs": about,
            "notes": self.report.notes,
            "errors": self.report.errors,
        }

    def _bytes_before(self) -> int:
        listed = {*self.source.state(), *(path.as_posix() for path in self.files.carried)}
        return sum(
            (self.source.path / name).stat().st_size for name in listed if (self.source.path / name).exists()
        )

    def _bytes_after(self) -> int:
        """Return the bytes of all that the store became: runs, rows, arrays, templates and artifacts."""
        root = self.workspace.path
        listed: set[Path] = set()
        for run in (it.run for it in self.work):
            listed.update(files.walk(root / "runs" / run.id))
            listed |= {root / "templates" / f"{it['id']}.yaml" for it in self.configurations.templates(run)}
            for part in run.parts:
                listed.update(files_of(root, part))
                for result in part.results:
                    listed |= {path for it in result.artifacts if (path := self.workspace.artifacts.find(it))}
        return sum(path.stat().st_size for path in listed if path.is_file())
