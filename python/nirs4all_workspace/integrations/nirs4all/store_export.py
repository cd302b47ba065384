"""A run of a workspace as a store of nirs4all, which all of its tools open."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files
from nirs4all_workspace._io.paths import absolute
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, SchemaError
from nirs4all_workspace.integrations.nirs4all import stored_rows
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.store_writer import ORIGIN, StoreWriter
from nirs4all_workspace.runs.run import Run
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    import os

    from nirs4all_workspace.integrations.nirs4all.stored_rows import Rows

_DATABASE = "store.sqlite"
_ALL = 1 << 62


def export_store(
    workspace: Workspace | str | os.PathLike[str], run: Run | str, path: str | os.PathLike[str]
) -> str:
    """Write a run into a store of nirs4all 1.4, which its `Predictions`, its command and its Studio open.

    The store is written by nirs4all's own `WorkspaceStore`. A new one appears under its name when it is
    whole; into an existing one the run is written in one transaction: all of it is there, or nothing.
    What is on disk after a power loss is up to nirs4all, which syncs its database alone. The arrays of one
    run are held in memory.

    Args:
        workspace: A workspace, or the path of one.
        run: The run, its id or its name; what of it is checkpointed is written.
        path: The folder of the store: one that is missing, that is empty, or that has `store.sqlite`.

    Returns:
        The id of the run in the store. Its configuration has there, as `workspace_run`, the workspace_id, id,
        name, created_at, status, description, tags and notes that it has here.

    Raises:
        ImportError: nirs4all is not installed.
        NotFoundError: There is no such run.
        ConflictError: The store has this run, or rows of it, already.
        FileExistsError: The path is something else than a store.
        SchemaError: The run is of nirs4all 0.6.
        CorruptFileError, OSError: The run cannot be read, or the store not written.
    """
    store_class = nirs4all("nirs4all.pipeline.storage").WorkspaceStore
    ws = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    found = run if isinstance(run, Run) else ws.runs.get(run)
    if not isinstance(found, Run):
        raise SchemaError(f"{run!r} is of nirs4all 0.6; migrate the folder, then export it", str(ws.path))
    parts, errors = stored_rows.read(ws, {"run": found.id})
    if errors:
        raise CorruptFileError(f"{errors[0]['kind']}: {errors[0]['message']}", errors[0]["path"])
    target = absolute(path, "path")
    if (target / _DATABASE).is_file():
        with store_class(target) as store:
            _check_lacks(store, found, parts)
            return _add(store, found, parts)
    if target.exists() and not (target.is_dir() and not files.list_names(target)):
        raise FileExistsError(
            errno.EEXIST, "expected a store of nirs4all, or nothing; found something else", str(target)
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}"
    try:
        with store_class(draft) as store:
            run_id = _add(store, found, parts)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _native.sync_folder(target.parent)
    return run_id


def _check_lacks(store: Any, run: Run, parts: list[Rows]) -> None:  # noqa: ANN401 - nirs4all's WorkspaceStore
    """Refuse a store that has the run: nirs4all replaces rows of equal ids without a word."""
    where = str(store.workspace_path)
    runs = store.list_runs(limit=_ALL)
    for config in runs["config"] if len(runs) else ():
        origin = (json.loads(config or "{}") or {}).get(ORIGIN)
        if isinstance(origin, dict) and origin.get("id") == run.id:
            raise ConflictError(f"has run {run.id} already; export it to another folder", where)
    for part in parts:
        for row in part.rows:
            if store.get_prediction(row["id"]) is not None:
                raise ConflictError(
                    f"has prediction {row['id']!r} of run {run.id} already; export it to another folder",
                    where,
                )


def _add(store: Any, run: Run, parts: list[Rows]) -> str:  # noqa: ANN401 - nirs4all's WorkspaceStore
    """Write the run in one transaction; where that fails, take away what stands beside the database."""
    writer = StoreWriter(store, run)
    try:
        with store.transaction():
            return writer.write(parts)
    except BaseException:
        for file in writer.copied:
            Path(file).unlink(missing_ok=True)
        with contextlib.suppress(Exception):
            # Arrays without rows, which nirs4all never reads.
            store.array_store.delete_batch({row["id"] for part in parts for row in part.rows})
            store.compact_arrays()
        raise
