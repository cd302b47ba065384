"""Moving what an import built into the workspace, run by run: it can be interrupted, and done again."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import yaml_records
from nirs4all_workspace.migration import files
from nirs4all_workspace.model import migration_notes, run_record, run_summary
from nirs4all_workspace.stores.transfer import files_of

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.stores.plan import Part, PlannedRun
    from nirs4all_workspace.workspace import Workspace

# Keys of a run that a user edits.
_OF_USER = ("description", "tags", "notes", "requested")


def rename(root: Path, part: Part) -> None:
    """Give the files of a part the name that follows from their content.

    Two imports of one source so write files of equal names, which merge into one.
    """
    before = part.writer_id
    if before is None:
        return
    digits = _native.blake3_hex(f"{part.run_id}\n{part.content}".encode(), 12)
    results = root / "runs" / part.run_id / f"results.{before}.jsonl"
    for path in (*files_of(root, part), results):
        if path.exists():
            path.rename(path.with_name(path.name.replace(before, digits)))
    part.writer_id = digits


def supersede(root: Path, part: Part) -> None:
    """Let a part that was written anew take the place of its former rows, wherever copies of the run meet."""
    if part.writer_id is None:
        return
    folder = _native.dataset_folder(part.dataset)
    made = _native.supersede(root, part.run_id, folder, part.writer_id, part.replaces)
    part.compaction = made.removesuffix(".meta.parquet").rpartition(".")[2]


def shared(staging: Path, target: Path) -> None:
    """Move templates, artifacts and loose rows, which are named by content."""
    for folder in ("templates", "artifacts", files.SOURCE):
        place = staging / folder
        for path in list(files.walk(place)) if place.is_dir() else ():
            there = target / path.relative_to(staging)
            there.parent.mkdir(parents=True, exist_ok=True)
            if there.exists():
                os.utime(there)  # it is used again: no garbage for now
            else:
                path.rename(there)


def run(staging: Path, workspace: Workspace, planned: PlannedRun, written: list[Part]) -> None:
    """Move one run: arrays and rows first, and its folder or its records last.

    Args:
        staging: The workspace that was built.
        workspace: The workspace that is made or grows.
        planned: The run.
        written: Its parts that were written anew.
    """
    target = workspace.path
    for part in written:
        for path in files_of(staging, part):
            there = target / path.relative_to(staging)
            there.parent.mkdir(parents=True, exist_ok=True)
            path.replace(there)
    built, place = staging / "runs" / planned.id, target / "runs" / planned.id
    if place.exists():
        origin = built / migration_notes.OF_RUN
        with run_record.locked(target, planned.id):
            _keep_edits(built, place)
            for path in list(files.walk(built)):
                if path != origin:
                    there = place / path.relative_to(built)
                    there.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(there)
        # What the next import compares with comes last.
        path = place / run_summary.FILE
        summary = workspace.runs.get_writable(planned.id).summary()
        record = {"schema_version": yaml_records.SCHEMA_VERSION, **summary}
        _native.replace_file(path, yaml_records.encode(record, path))
        origin.replace(place / origin.name)
    else:
        built.rename(place)


def _keep_edits(built: Path, place: Path) -> None:
    """Give the new record of a run what users edited in the former one."""
    former: dict[str, Any] = yaml_records.read(place / run_record.FILE)
    record = yaml_records.read(built / run_record.FILE)
    record |= {key: former[key] for key in _OF_USER if former.get(key)}
    record["revision"] = int(former.get("revision") or 0) + 1
    path = built / run_record.FILE
    record = {"schema_version": yaml_records.SCHEMA_VERSION, **record}
    _native.replace_file(path, yaml_records.encode(record, path))


def clear(staging: Path) -> None:
    """Remove what an interrupted import left, and what one built."""
    with suppress(FileNotFoundError):
        shutil.rmtree(staging)
