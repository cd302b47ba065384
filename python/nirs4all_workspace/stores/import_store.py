"""From a store of nirs4all 0.7 to 1.4 to a workspace: what is new is built, compared and published."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING

from nirs4all_workspace._io import files as io_files
from nirs4all_workspace._io import locks, paths
from nirs4all_workspace.exceptions import ConflictError, NotFoundError, SchemaError
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from nirs4all_workspace.model.answers import Import

_log = logging.getLogger(__name__)

_STAGING = ".n4w-importing"


def import_store(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int, int], object] | None = None,
) -> Import:
    """Add what a store of nirs4all 0.7 to 1.4 holds to a workspace. The store is only read.

    Each call of `nirs4all.run` becomes a run, with rows, arrays, templates, configurations, artifacts and
    results; other tables are stored with the run as JSON lines. What was written is read again and compared.
    Runs are durable when this returns. A repeated call adds what is new, and writes anew what changed; after
    an interruption it goes on with what is missing.

    Args:
        source: The folder of the store, with `store.sqlite` or `store.duckdb`.
        target: The workspace; it is made where it is missing.
        progress: Called now and then with the predictions done and the predictions in all.

    Returns:
        A dict of source, target, status ("imported", or "unchanged" where nothing was new), imported_at,
        seconds, bytes_before (of the store), bytes_after (of what it became), counts (dicts `source` and
        `target` of numbers of runs, pipelines, predictions, arrays, artifacts and the rows of other tables),
        runs (dicts of id, name, status, is_new, rows, results and source_runs), notes (what the store lacks,
        or says in another way) and errors (what is damaged there, or differs); notes and errors are dicts of
        path, kind and message.

    Raises:
        ValueError: A path is empty.
        NotFoundError: The source does not exist, or holds no store.
        SchemaError: Another version wrote the store, or the target is read-only or no workspace.
        ConflictError: The store changed meanwhile, or one of the folders lies within the other.
        CorruptFileError: The database cannot be read.
        LockTimeoutError: Another process imports into this workspace.
        ImportError: The store needs DuckDB, which is not installed.
        OSError: A file cannot be read or written; runs are whole or missing, and it can be called again.
    """
    from nirs4all_workspace.stores import publish
    from nirs4all_workspace.stores.importer import Importer
    from nirs4all_workspace.stores.source import Source

    began = time.monotonic()
    origin, place = paths.absolute(source, "source"), paths.absolute(target, "target")
    _check_apart(origin, place)
    with closing(Source(origin)) as store:
        is_new = not place.exists() or not io_files.list_names(place)
        workspace = Workspace.create(place) if is_new else Workspace.open(place)
        workspace.check_writable()
        staging = workspace.path / _STAGING
        lock = locks.take(workspace.path / ".locks" / "import.lock", timeout=0)
        try:
            publish.clear(staging)
            importer = Importer(store, workspace, Workspace.create(staging))
            importer.build(progress)
            store.check_unchanged()
            importer.publish()
        finally:
            publish.clear(staging)
            lock.release()
        report = importer.outcome(time.monotonic() - began)
    _log.info("%r imported into %r: %d runs", str(origin), str(place), len(report["runs"]))
    return report


def _check_apart(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise NotFoundError("there is no such folder; give the one that holds store.sqlite", str(source))
    leads_nowhere = target.is_symlink() and not target.exists()
    if culprit := io_files.unusable_folder(target if leads_nowhere else target.parent):
        raise culprit
    one, other = source.resolve(), target.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConflictError("lies within the other; choose a folder beside it", str(target))
    if (source / "workspace.yaml").exists():
        raise SchemaError("is a workspace already, not a store of nirs4all", str(source))
