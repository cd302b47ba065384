"""Checks of runs, datasets, templates, results and artifacts, for `Workspace.verify`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, deletion, records
from nirs4all_workspace.artifacts import hash_of
from nirs4all_workspace.exceptions import CorruptFileError, SchemaError, WorkspaceError
from nirs4all_workspace.lineage import ancestors_of
from nirs4all_workspace.migration import notes
from nirs4all_workspace.run_record import problem
from nirs4all_workspace.runs import STAGING
from nirs4all_workspace.states import VALID_TRANSITIONS, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nirs4all_workspace.run import Run
    from nirs4all_workspace.runs import RunList
    from nirs4all_workspace.workspace import Workspace

# Whether it is a problem (else a note), its path, kind and message.
_Finding = tuple[bool, str, str, str]


def check(workspace: Workspace, full: bool, found: dict[str, Any]) -> None:
    """Add what is wrong with runs, datasets, templates, results and artifacts to the findings."""
    runs = workspace.runs.list()
    found["problems"] += runs.errors
    if workspace.format_version > 1:
        found["problems"] += workspace.datasets.list().errors
    else:
        found["problems"] += _torn_arrays(workspace.path)
    listed = {(error["path"], error["kind"]) for error in found["problems"]}
    for is_problem, path, kind, message in _findings(workspace, runs, full):
        if (path, kind) in listed:
            continue
        finding = {"path": path, "kind": kind, "message": message}
        found["problems" if is_problem else "notes"].append(finding)


def _torn_arrays(root: Path) -> Iterator[dict[str, str]]:
    """Yield the files of arrays of nirs4all 0.6 that are none."""
    names = _native.old_files(root, ".arrays.parquet")
    for name, footer in zip(names, _native.read_footers([root / name for name in names]), strict=True):
        if isinstance(footer, WorkspaceError | OSError):
            yield problem(name, footer)


def _findings(workspace: Workspace, runs: RunList, full: bool) -> Iterator[_Finding]:
    for run in runs.writable():
        try:
            yield from _check_run(workspace, run)
        except (WorkspaceError, OSError) as error:
            path = getattr(error, "path", None) or f"runs/{run.id}"
            item = problem(str(path).removeprefix(f"{workspace.path}/"), error)
            yield True, item["path"], item["kind"], item["message"]
    parents = {head.id: head.entry()["parent_run"] for head in runs.heads}
    for run_id in list(parents):
        try:
            line = ancestors_of(run_id, parents.get)
        except CorruptFileError as error:
            line = []
            yield True, f"runs/{run_id}/run.yaml", "lineage", error.message
        parents |= dict.fromkeys([run_id, *line])  # looked at
    for template_id in workspace.templates.list():
        try:
            workspace.templates.get(template_id)
        except (WorkspaceError, OSError) as error:
            item = problem(f"templates/{template_id}.yaml", error)
            yield True, item["path"], item["kind"], item["message"]
    if full:
        for path in workspace.artifacts.files():
            if _native.hash_file(path) != f"blake3:{hash_of(path)}":
                name = str(path.relative_to(workspace.path))
                yield True, name, "corrupt", "its content is not what it is named after"
    yield from _lacking(notes.of_workspace(workspace.path), notes.OF_WORKSPACE)
    for folder in deletion.trashed(workspace.path):
        yield False, f".trash/{folder.name}", "trash", "was not deleted to the end; `n4w gc --yes` does"
    for folder in sorted(workspace.runs.folder.glob(f"{STAGING}*")):
        yield False, f"runs/{folder.name}", "staging", "is being made, or its maker died"


def _check_run(workspace: Workspace, run: Run) -> Iterator[_Finding]:
    path = f"runs/{run.id}/run.yaml"
    record = run.record
    try:
        records.check_writable(record, run.path / "run.yaml")
    except SchemaError as error:
        yield False, path, "newer_format", error.message
    if record["id"] != run.id:
        yield True, path, "contradiction", f"says that it is run {record['id']!r}"
    yield from ((True, path, "contradiction", message) for message in _check_history(record))
    if run.is_interrupted:
        yield False, path, "interrupted", "its owner died; `n4w recover` records it"
    for template in run.templates:
        if not workspace.templates.path(str(template.get("id"))).is_file():
            yield True, f"runs/{run.id}/templates.yaml", "dangling", f"{template.get('id')} is not there"
    for dataset in run.datasets:
        dataset_id = dataset.get("id")
        if dataset_id and not (workspace.path / "datasets" / f"{dataset_id}.yaml").is_file():
            yield True, f"runs/{run.id}/datasets.yaml", "dangling", f"{dataset_id} is not registered"
    yield from _lacking(notes.of_run(run.path), f"runs/{run.id}/{notes.OF_RUN}")
    run.config  # noqa: B018 - reading it is the check
    run.configs()
    results = run.results()
    for item in results.errors:
        yield True, item["path"], item["kind"], item["message"]
    for result in results.repeated:
        message = f"{result.id} was checkpointed again at {result.completed_at}; another checkpoint of it won"
        yield False, f"runs/{run.id}/results.{result.writer}.jsonl", "repeated", message
    for result in results:
        # A result that has a value of its own under this name has the list under a longer one.
        lists = [value for key, value in result.extra.items() if key.rstrip("_") == "unreadable"]
        for unreadable in (value for value in lists if isinstance(value, list)):
            what = f"cannot be read of {result.id}: an earlier version stored it without looking"
            named = ", ".join(map(str, unreadable))
            yield False, f"runs/{run.id}/results.{result.writer}.jsonl", "unreadable", f"{named} {what}"
        for artifact in result.artifacts:
            if workspace.artifacts.find(artifact) is None:
                message = f"{result.id} names artifact {artifact}, which is missing"
                yield True, f"runs/{run.id}/results.{result.writer}.jsonl", "dangling", message


def _lacking(source_notes: list[dict[str, str]], path: str) -> Iterator[_Finding]:
    """What a migrated workspace or run says that its source lacked."""
    for note in source_notes:
        yield False, path, note["kind"], f"in its source, {note['path']}: {note['message']}"


def _check_history(record: dict[str, Any]) -> Iterator[str]:
    history = record["history"]
    if not history:
        return
    for earlier, later in pairwise(history):
        before, to = later.get("from"), later.get("to")
        if before != earlier.get("to"):
            yield f"its history goes on from {before!r} after it came to {earlier.get('to')!r}"
        elif before not in list(RunStatus) or to not in VALID_TRANSITIONS[RunStatus(before)]:
            yield f"its history goes from {before!r} to {to!r}, which is not allowed"
    if history[-1].get("to") != record["status"]:
        yield f"its status is {record['status']}, but its history ends with {history[-1].get('to')}"
