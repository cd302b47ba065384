"""From a folder of nirs4all 0.6 to a workspace: everything is carried over, compared, and published at once."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue, locks, run_summary, strict_json
from nirs4all_workspace.canonical import content_id
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, NotFoundError, SchemaError
from nirs4all_workspace.migration import files, notes, tables
from nirs4all_workspace.migration.compare import compare
from nirs4all_workspace.migration.report import Report, shown
from nirs4all_workspace.migration.rows import PredictionFile, Target
from nirs4all_workspace.migration.sessions import Sessions, new_run
from nirs4all_workspace.migration.transfer import Ids, Transfer
from nirs4all_workspace.names import slug
from nirs4all_workspace.results import Result
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

_STAGING = ".n4w-migrating-"


def migrate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Make a workspace of a folder of nirs4all 0.6. The folder is not written to.

    Sessions become runs with the same ids; their rows, arrays, artifacts and execution traces are carried
    over, all other files are copied to `source/` of their run or of the workspace. What was written is
    read again and compared. The workspace is built beside `target` and appears as a whole, durably, at the
    end; after an interruption, doing it again begins anew and comes to the same.

    Args:
        source: The folder.
        target: The workspace: a new or empty folder.
        progress: Called now and then with the rows done and the rows in all, each counted twice: moved
            and compared.

    Returns:
        A dict of source, target, status ("migrated", or "unchanged" where `target` was made of this
        source before), migrated_at, seconds, bytes_before, bytes_after, counts (dicts `source` and
        `target` of numbers of files, sessions or runs, rows, arrays, artifacts, traces and the like), runs
        (dicts of id, name, kind, rows and results), notes (what the source lacked) and errors (what is
        damaged there and was copied as it is, or differs); dicts of path, kind and message.

    Raises:
        NotFoundError: There is no source.
        SchemaError: The source is a workspace already, a store of nirs4all 1.x, or nothing of nirs4all.
        ConflictError: The target holds something else, or the source changed meanwhile.
        LockTimeoutError: Another process migrates to this target.
        OSError: It could not be read or written; the target is as it was.
    """
    origin, place = _checked(Path(source), Path(target))
    before = files.fingerprint(origin)
    if _is_made(place, before[0]):
        return json.loads((place / notes.OF_WORKSPACE).read_bytes()) | {"status": "unchanged"}
    staging = place.with_name(f"{_STAGING}{place.name}")
    _native.make_folder(staging)
    lock = locks.take(staging / ".locks" / "migrate.lock", timeout=0)
    try:
        _clear(staging)
        report = _build(origin, staging, place, before, progress)
        if files.fingerprint(origin)[0] != before[0]:
            raise ConflictError("changed while it was read; nothing was made, try again", str(origin))
        _publish(staging, place)
    except BaseException as error:
        # Still under the lock: nobody else has begun here.
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, sqlite3.Error):
            message = f"a temporary file cannot be written: {error}"
            raise OSError(errno.ENOSPC, message, str(staging)) from error
        raise
    finally:
        del lock
    return report


def _checked(source: Path, target: Path) -> tuple[Path, Path]:
    if not source.is_dir():
        raise NotFoundError("there is no such folder", str(source))
    origin, place = source.resolve(), target.absolute()
    if place.resolve().is_relative_to(origin) or origin.is_relative_to(place.resolve()):
        raise ConflictError("lies within the other; choose a folder beside it", str(target))
    if (origin / "workspace.yaml").exists():
        raise SchemaError("is a workspace of format 2 already", str(source))
    is_old = any(origin.glob("*.meta.parquet")) or any(origin.glob("runs/*/*/manifest.yaml"))
    if not is_old:
        what = "holds neither *.meta.parquet nor runs/*/*/manifest.yaml of nirs4all 0.6"
        if (origin / "store.sqlite").exists():
            what = "is a store of nirs4all 1.x; `n4w import` takes those"
        raise SchemaError(what, str(source))
    return origin, place


def _is_made(target: Path, fingerprint: str) -> bool:
    """Whether a target was made of this source before; False where it can be made."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    made: Any = None
    with contextlib.suppress(OSError, ValueError):
        made = json.loads((target / notes.OF_WORKSPACE).read_bytes())
    if not isinstance(made, dict) or "fingerprint" not in made:
        raise ConflictError("is not empty; choose a new folder", str(target))
    if made["fingerprint"] != fingerprint:
        raise ConflictError(
            "was migrated from another folder, or from one that changed since; choose a new folder", str(target)
        )
    return True


def _clear(staging: Path) -> None:
    """Remove what an interrupted migration left."""
    for path in staging.iterdir():
        if path.name == ".locks":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _publish(staging: Path, target: Path) -> None:
    if hasattr(os, "sync"):
        # Records and segments wait for the disk by themselves; copies of files do not.
        os.sync()
    with contextlib.suppress(FileNotFoundError):
        target.rmdir()
    _native.move_folder(staging, target)


def _build(
    source: Path,
    staging: Path,
    target: Path,
    before: tuple[str, int, int],
    progress: Callable[[int, int], object] | None,
) -> dict[str, Any]:
    began, migrated_at = time.monotonic(), datetime.now(UTC).isoformat()
    work = _Migration(source, Workspace.create(staging))
    work.run(progress)
    report = work.report
    report.count(report.source, files=before[1])
    sizes = [path.stat().st_size for path in files.walk(staging)]
    report.count(report.target, files=len(sizes) + 1, runs=len(report.runs))
    made = {
        "source": shown(str(source)),
        "target": shown(str(target)),
        "fingerprint": before[0],
        "status": "migrated",
        "migrated_at": migrated_at,
        "seconds": round(time.monotonic() - began, 3),
        "bytes_before": before[2],
        "bytes_after": sum(sizes),
        "counts": {"source": report.source, "target": report.target},
        "runs": list(report.runs.values()),
        "notes": report.notes,
        "errors": report.errors,
    }
    _native.create_file(staging / notes.OF_WORKSPACE, strict_json.dumps(made, indent=2).encode("utf-8"))
    return made


class _Migration:
    """One migration, from its first record to its last check."""

    def __init__(self, source: Path, workspace: Workspace) -> None:
        self.source = source
        self.workspace = workspace
        self.report = Report()
        self.sessions = Sessions(workspace, source, self.report)
        self.loose: dict[str, str] = {}

    def run(self, progress: Callable[[int, int], object] | None) -> None:
        entries, errors = catalogue.read(self.source, keep=False)
        for item in errors:
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
        found = self.workspace.verify()
        self.report.errors += found["problems"]

    def _add_run(self, entry: dict[str, Any], kind: str) -> None:
        about = {"id": entry["id"], "name": entry["name"], "kind": kind, "rows": 0, "results": 0}
        self.report.runs[entry["id"]] = about

    # Rows and arrays

    def _move_files(self, progress: Callable[[int, int], object] | None) -> None:
        listed = []
        for path in sorted(self.source.glob("*.meta.parquet")):
            if path.name.startswith(".") or path.name.endswith(".partial.meta.parquet") or not path.is_file():
                continue
            try:
                file = PredictionFile(path)
                file.find_groups(lambda dataset, config, file=file: self._target(file, dataset, config))
            except (CorruptFileError, OSError) as error:
                message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
                self.report.error(path.name, "corrupt", f"{message}; it was copied as it is")
                continue
            listed.append(file)
        total, done = 2 * sum(file.rows for file in listed), 0

        def step(rows: int) -> None:
            nonlocal done
            done += rows
            if progress is not None:
                progress(done, total)

        ids = Ids(listed)
        for file in listed:
            self._move_file(Transfer(self.workspace, file, ids), step)

    def _move_file(self, transfer: Transfer, step: Callable[[int], object]) -> None:
        file, report, done = transfer.file, self.report, transfer.done
        name = file.path.name
        transfer.run(step)
        found = compare(transfer, step)
        report.count(report.source, rows=found["source_rows"], arrays=found["source_arrays"])
        report.count(report.target, rows=found["rows"], arrays=found["arrays"])
        for group in file.groups:
            about = report.runs[group.target.run_id]
            about["rows"] += group.rows
            about["results"] += 1
            self.sessions.waiting.discard((group.dataset, group.config))
        if found["differences"]:
            report.error(name, "differs", f"{found['differences']} differences between source and target")
        lost = tables.count(done.lost)
        if lost:
            report.error(name, "corrupt", f"{lost} of {file.rows} rows cannot be read; it was copied as it is")
        else:
            self.sessions.carried.add(file.path)
        if done.renamed:
            runs = sorted({unit.run_id for unit in file.units})
            message = f"{done.renamed} rows had no id or one of another row of their run; they got one"
            report.note(name, "new_ids", message, runs[0] if len(runs) == 1 else None)
        for column in sorted(file.unfit):
            report.note(name, "type", f"column {column} has values of another type, kept in source_{column}")
        for column in file.as_text:
            report.note(name, "type", f"column {column} has a type that segments cannot hold, and is kept as text")
        self._note_arrays(transfer)

    def _note_arrays(self, transfer: Transfer) -> None:
        missing = transfer.missing()
        name = transfer.arrays.name
        for run_id, count in missing.items():
            what = "is not there" if not transfer.arrays.is_file() else "lacks them"
            message = f"rows name arrays {count} times, but {name} {what}"
            self.report.note(transfer.file.path.name, "missing_arrays", message, run_id)
        if transfer.done.arrays_error:
            message = f"{transfer.done.arrays_error}; it was copied as it is"
            self.report.error(name, "corrupt", message)
        elif transfer.unnamed():
            message = f"no row names {transfer.unnamed()} of its arrays; it was copied as it is"
            self.report.note(name, "unnamed_arrays", message)
        elif transfer.arrays.is_file():
            self.sessions.carried.add(transfer.arrays)

    def _target(self, file: PredictionFile, dataset: str, config: str | None) -> Target:
        """Where rows of a configuration go: to its session, or to a run of what no manifest claims."""
        claimed = self.sessions.targets.get((dataset, config))
        if claimed is not None:
            return claimed
        name = file.path.name
        run_id = self.loose.get(name)
        if run_id is None:
            digest = _native.blake3_hex(os.fsencode(name), 12)
            run_id = self.loose[name] = f"files_{slug(file.name)}_{digest}"
        made = datetime.fromtimestamp(file.path.stat().st_mtime, UTC).isoformat(timespec="microseconds")
        if run_id not in self.report.runs:
            reference = dict.fromkeys(("id", "hash", "file_size", "quick_hash", "path")) | {"name": dataset}
            entry = {"id": run_id, "name": file.name, "created_at": made, "datasets": [reference]}
            self._add_run(entry, "files")
            new_run(self.workspace, self.source, entry, [], {})
            self.report.note(name, "no_manifest", f"no manifest claims some of its rows: run {run_id}", run_id)
        result = Result(
            content_id("res", [run_id, None, config, dataset]),
            run_id=run_id,
            config_name=config,
            dataset_id=dataset,
            dataset_name=dataset,
            completed_at=made,
        )
        return Target(run_id, made, result)

    def _checkpoint_rowless(self) -> None:
        """Commit the results of configurations that left no rows, one writer a run and dataset."""
        waiting: dict[tuple[str, str], list[tuple[str, Target]]] = {}
        for dataset, config in sorted(self.sessions.waiting, key=str):
            target = self.sessions.targets[dataset, config]
            waiting.setdefault((target.run_id, dataset), []).append((str(config), target))
        for (run_id, dataset), targets in waiting.items():
            with self.workspace.predictions.writer(run_id, dataset) as writer:
                path = writer.path
                for config, target in targets:
                    result = replace(target.result, status="failed", error="no prediction names it")
                    writer.checkpoint(result)
                    self.report.runs[run_id]["results"] += 1
                    message = f"no row names configuration {config}"
                    self.report.note(f"runs/{dataset}/{config}", "no_rows", message, run_id)
            if path is not None:
                path.unlink(missing_ok=True)

    # The rest

    def _copy_rest(self) -> None:
        for path in files.walk(self.source):
            if path in self.sessions.carried:
                continue
            name = str(path.relative_to(self.source))
            if not path.is_file():
                self.report.note(name, "left", "is no file, or a link to nothing; it was left")
                continue
            files.copy(path, self.workspace.path / files.SOURCE / path.relative_to(self.source))
            self.report.count(self.report.target, copied_files=1)
            known = {item["path"] for item in (*self.report.notes, *self.report.errors)}
            if shown(name) not in known:
                self.report.note(name, "copied", f"was copied to {files.SOURCE}/")

    def _finish_runs(self) -> None:
        for run_id, about in self.report.runs.items():
            run = self.workspace.runs.get(run_id)
            run_summary.write(run.path / run_summary.FILE, run.summary())
            own = [
                {key: value for key, value in note.items() if key != "run"}
                for note in self.report.notes
                if note["run"] == run_id
            ]
            notes.write(run.path, shown(str(self.source)), own)
            self.sessions.account(run.path)
            about["status"] = str(run.status)
            self.report.count(self.report.target, results=about["results"])
