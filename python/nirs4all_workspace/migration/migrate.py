"""From a folder of nirs4all 0.6 to a workspace: everything is transferred, compared and published at once."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import files as io_files
from nirs4all_workspace._io import locks, paths
from nirs4all_workspace.exceptions import ConflictError, NotFoundError, SchemaError
from nirs4all_workspace.legacy import later_stores
from nirs4all_workspace.migration import files
from nirs4all_workspace.migration.report import shown
from nirs4all_workspace.model import migration_notes
from nirs4all_workspace.values import strict_json
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from nirs4all_workspace.model.answers import Migration

_log = logging.getLogger(__name__)

_STAGING = ".n4w-migrating-"


def migrate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int, int], object] | None = None,
) -> Migration:
    """Make a workspace from a folder of nirs4all 0.6, which is only read.

    Sessions become runs with the same ids; their rows, arrays, artifacts and execution traces are
    transferred, all other files are copied to `source/` of their run or of the workspace. The result is read
    again and compared. The workspace is built beside `target` and appears as a whole, durably, at the end;
    after an interruption, a repeated call starts over with the same result.

    Args:
        source: The folder of nirs4all 0.6.
        target: The workspace: a new or empty folder.
        progress: Called now and then with the rows done and the rows in all, each counted twice: moved and
            compared.

    Returns:
        A dict of source, target, status ("migrated", or "unchanged" where `target` was made of this source
        before), migrated_at, seconds, bytes_before, bytes_after, counts (dicts `source` and `target` of
        numbers of files, sessions or runs, rows, arrays, artifacts, traces and the like), runs (dicts of id,
        name, kind, rows and results), notes (what the source lacked) and errors (what is damaged in the
        source and was copied unchanged, or differs); notes and errors are dicts of path, kind and message.

    Raises:
        ValueError: A path is empty.
        NotFoundError: The source does not exist.
        SchemaError: The source is a workspace already, a store of nirs4all 0.7 or later, or not a folder of
            nirs4all 0.6.
        ConflictError: The target is not empty, or the source changed meanwhile.
        LockTimeoutError: Another process migrates to this target.
        OSError: A file could not be read or written, the target lies at or below a dangling link, or the
            disk has less space (ENOSPC) than the source takes; the target is unchanged.
    """
    import sqlite3

    origin, place = _checked(paths.absolute(source, "source"), paths.absolute(target, "target"))
    before = files.fingerprint(origin)
    if _is_made(place, before[0]):
        made: Migration = json.loads((place / migration_notes.OF_WORKSPACE).read_bytes())
        return {**made, "status": "unchanged"}
    # A target's name may be as long as names can be: its beginning is used.
    staging = place.with_name(_STAGING + os.fsencode(place.name)[:200].decode("utf-8", "ignore"))
    _native.make_folder(staging)
    file = Path(".locks") / "migrate.lock"
    lock = locks.take(staging / file, timeout=0)
    try:
        _clear(staging)
        _check_space(staging, place, before[2])
        report = _build(origin, staging, place, before, progress)
        if files.fingerprint(origin)[0] != before[0]:
            raise ConflictError("changed while it was read; nothing was made, try again", str(origin))
        _publish(staging, place)
        # The lock file was published with the workspace, where no other process will ask for it.
        for name in (file, file.with_suffix(".holder")):
            with contextlib.suppress(OSError):
                (place / name).unlink()
    except BaseException as error:
        # Still under the lock: no other process has started here.
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, sqlite3.Error):
            message = f"a temporary file cannot be written: {error}"
            raise OSError(errno.ENOSPC, message, str(staging)) from error
        raise
    finally:
        lock.release()
    _log.info("%r migrated to %r: %d runs", str(origin), str(place), len(report["runs"]))
    return report


def _checked(source: Path, target: Path) -> tuple[Path, Path]:
    if not source.is_dir():
        raise NotFoundError("there is no such folder", str(source))
    leads_nowhere = target.is_symlink() and not target.exists()
    if culprit := io_files.unusable_folder(target if leads_nowhere else target.parent):
        # Resolved, it would be made where the link leads.
        raise culprit
    origin, place = source.resolve(), target.resolve()
    if place.is_relative_to(origin) or origin.is_relative_to(place):
        raise ConflictError("lies within the other; choose a folder beside it", str(target))
    if place.is_mount():
        raise ConflictError(
            "is where a disk is mounted, and cannot be replaced; choose a folder on it", str(target)
        )
    if (origin / "workspace.yaml").exists():
        raise SchemaError("is a workspace of format 2 already", str(source))
    is_old = catalogue.old_files(origin, catalogue.SUFFIX) or any(origin.glob("runs/**/manifest.yaml"))
    if not is_old:
        what = "holds neither *.meta.parquet nor runs/*/*/manifest.yaml of nirs4all 0.6"
        if store := later_stores.find(origin):
            what = f"{store}; only folders of nirs4all 0.6 can be migrated"
        raise SchemaError(what, str(source))
    return origin, place


def _is_made(target: Path, fingerprint: str) -> bool:
    """Return whether a target was made of this source before; False where it can be made now."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    made: Any = None
    with contextlib.suppress(OSError, ValueError):
        made = json.loads((target / migration_notes.OF_WORKSPACE).read_bytes())
    if not isinstance(made, dict) or "fingerprint" not in made:
        raise ConflictError("is not empty; choose a new folder", str(target))
    if made["fingerprint"] != fingerprint:
        raise ConflictError(
            "was migrated from another folder, or from one that changed since; choose a new folder",
            str(target),
        )
    return True


def _clear(staging: Path) -> None:
    """Remove the leftovers of an interrupted migration."""
    for path in staging.iterdir():
        if path.name == ".locks":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_space(staging: Path, target: Path, size: int) -> None:
    """Check that there is enough disk space: a workspace is about as large as its source."""
    free = shutil.disk_usage(staging).free
    if free < size:
        message = f"the source has {size} bytes, and the copy needs as many, but only {free} are free"
        raise OSError(errno.ENOSPC, message, str(target))


def _publish(staging: Path, target: Path) -> None:
    if files.IS_SYNCED_AT_ONCE:
        # Segments were synced one by one; records and copies of files were not.
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
) -> Migration:
    from nirs4all_workspace.migration.builder import build

    began, migrated_at = time.monotonic(), datetime.now(UTC).isoformat()
    report = build(source, Workspace.create(staging), progress)
    report.count(report.source, files=before[1])
    sizes = [path.stat().st_size for path in files.walk(staging)]
    report.count(report.target, files=len(sizes) + 1, runs=len(report.runs))
    made: Migration = {
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
    _native.create_file(
        staging / migration_notes.OF_WORKSPACE, strict_json.dumps(made, indent=2).encode("utf-8")
    )
    return made
