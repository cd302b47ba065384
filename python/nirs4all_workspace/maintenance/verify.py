"""Checks of runs, datasets, templates, results and artifacts, for `Workspace.verify`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, layout, listing, yaml_records
from nirs4all_workspace.artifacts import hash_of
from nirs4all_workspace.exceptions import CorruptFileError, SchemaError, WorkspaceError, problem
from nirs4all_workspace.model import migration_notes
from nirs4all_workspace.model.states import VALID_TRANSITIONS, RunStatus
from nirs4all_workspace.runs import delete
from nirs4all_workspace.runs.lineage import ancestors_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Verification
    from nirs4all_workspace.runs.collection import RunList
    from nirs4all_workspace.runs.run import Run
    from nirs4all_workspace.workspace import Workspace

# Whether it is a problem (else a note), its path, kind and message.
_Finding = tuple[bool, str, str, str]


def check(workspace: Workspace, full: bool, found: Verification) -> None:
    """Check runs, datasets, templates, results and artifacts, and add problems and notes to `found`."""
    runs = workspace.runs.list()
    problems = found["problems"]
    listing.add_problems(problems, runs.errors)
    if workspace.format_version > 1:
        listing.add_problems(problems, workspace.datasets.list().errors)
    else:
        listing.add_problems(problems, _torn_arrays(workspace.path, problems))
    listed = {(error["path"], error["kind"]) for error in found["problems"]}
    for is_problem, path, kind, message in _findings(workspace, runs, full):
        if (path, kind) in listed:
            continue
        finding: Problem = {"path": path, "kind": kind, "message": message}
        found["problems" if is_problem else "notes"].append(finding)


def _torn_arrays(root: Path, problems: list[Problem]) -> Iterator[Problem]:
    """Yield a problem for each file of arrays of nirs4all 0.6 that is not a Parquet file."""
    names, errors = _native.old_files(root, ".arrays.parquet")
    listing.add_problems(problems, errors)
    for name, footer in zip(names, _native.read_footers([root / name for name in names]), strict=True):
        if isinstance(footer, WorkspaceError | OSError):
            yield problem(name, footer)


def _findings(workspace: Workspace, runs: RunList, full: bool) -> Iterator[_Finding]:
    unlisted: list[Problem] = []
    shared = _ReferencedContent(workspace, unlisted)
    for run in runs.writable():
        for check in _CHECKS:
            try:
                yield from check(shared, run)
            except (WorkspaceError, OSError) as error:
                yield _finding_of(workspace.path, error, f"runs/{run.id}")
    parents = {header.id: header.entry()["parent_run"] for header in runs.headers}
    for run_id in list(parents):
        try:
            line = ancestors_of(run_id, parents.get)
        except CorruptFileError as error:
            line = []
            yield True, f"runs/{run_id}/run.yaml", "lineage", error.message
        parents |= dict.fromkeys([run_id, *line])  # looked at
    for template_id in shared.templates:
        try:
            workspace.templates.get(template_id)
        except (WorkspaceError, OSError) as error:
            item = problem(f"templates/{template_id}.yaml", error)
            yield True, item["path"], item["kind"], item["message"]
    for path in shared.artifacts.values():
        try:
            if full and _native.hash_file(path) != f"blake3:{hash_of(path)}":
                name = str(path.relative_to(workspace.path))
                yield True, name, "corrupt", "its content does not match the hash in its name"
        except (WorkspaceError, OSError) as error:
            yield _finding_of(workspace.path, error, "artifacts")
    try:
        yield from _lacking(migration_notes.of_workspace(workspace.path), migration_notes.OF_WORKSPACE)
    except (WorkspaceError, OSError) as error:
        yield _finding_of(workspace.path, error, migration_notes.OF_WORKSPACE)
    for folder in delete.trashed(workspace.path, unlisted):
        name = str(folder.relative_to(workspace.path))
        yield False, name, "trash", "was not deleted completely; `n4w gc --yes` completes it"
    for name in listing.list_names(workspace.path, "runs", [], lambda name: name.startswith(layout.STAGING)):
        yield False, f"runs/{name}", "staging", "is being created, or the process that created it died"
    for place in (".locks/runs", ".locks/datasets"):
        for name in listing.list_names(workspace.path, place, unlisted, lambda name: name.endswith(".lock")):
            listing.is_regular_file(workspace.path, f"{place}/{name}", unlisted, unknown=False)
    for item in unlisted:
        yield True, item["path"], item["kind"], item["message"]
    cache: list[Problem] = []
    listing.list_names(workspace.path, ".cache", cache, lambda _: False)
    for item in cache:
        yield False, item["path"], item["kind"], item["message"]


def _finding_of(root: Path, error: WorkspaceError | OSError, otherwise: str) -> _Finding:
    if isinstance(error, OSError):
        item = problem(listing.relative_path(root, error, otherwise), error)
    else:
        item = problem(str(error.path or otherwise).removeprefix(f"{root}/"), error)
    return True, item["path"], item["kind"], item["message"]


class _ReferencedContent:
    """The content that runs refer to, listed once; an unlistable folder is one problem, and lacks nothing."""

    def __init__(self, workspace: Workspace, unlisted: list[Problem]) -> None:
        root = workspace.path
        of_templates: list[Problem] = []
        self.templates = workspace.templates.names(of_templates)
        unreadable = {error["path"] for error in of_templates}
        # Of a name that is not UTF-8 cannot be told which template it was.
        self.has_templates = all(path != "templates" and files.is_utf8(path) for path in unreadable)
        # What cannot be read is one problem, and is not missing too.
        self.stored = {*self.templates, *(Path(path).stem for path in unreadable)}
        listing.add_problems(unlisted, of_templates)
        of_datasets: list[Problem] = []  # the registry tells
        names = listing.list_names(root, "datasets", of_datasets, lambda name: name.endswith(".yaml"))
        self.datasets, self.has_datasets = {name.removesuffix(".yaml") for name in names}, not of_datasets
        of_artifacts: list[Problem] = []
        self.artifacts = {hash_of(path): path for path in workspace.artifacts.files(of_artifacts)}
        listing.add_problems(unlisted, of_artifacts)
        self._unlisted = [error["path"] for error in of_artifacts]

    def lacks(self, artifact: object) -> bool:
        """Return whether an artifact is missing; False where it may lie in a folder that cannot be listed."""
        if artifact in self.artifacts:
            return False
        path = f"artifacts/{str(artifact)[:2]}/{artifact}"
        return not any(path.startswith(unlisted.partition(".")[0]) for unlisted in self._unlisted)


def _check_record(_: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    path = f"runs/{run.id}/run.yaml"
    record = run.record
    try:
        yaml_records.check_writable(record, run.path / "run.yaml")
    except SchemaError as error:
        yield False, path, "newer_format", error.message
    if record["id"] != run.id:
        yield True, path, "contradiction", f"key 'id': expected {run.id!r}, got {record['id']!r}"
    yield from ((True, path, "contradiction", message) for message in _check_history(record))


def _check_owner(_: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    if run.is_interrupted:
        yield False, f"runs/{run.id}/run.yaml", "interrupted", "its owner died; `n4w recover` records it"


def _check_templates(shared: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    for template in run.templates:
        if shared.has_templates and str(template.get("id")) not in shared.stored:
            yield True, f"runs/{run.id}/templates.yaml", "dangling", f"{template.get('id')} is missing"


def _check_datasets(shared: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    for dataset in run.datasets:
        dataset_id = dataset.get("id")
        if dataset_id and shared.has_datasets and dataset_id not in shared.datasets:
            yield True, f"runs/{run.id}/datasets.yaml", "dangling", f"{dataset_id} is not registered"


def _check_notes(_: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    yield from _lacking(migration_notes.of_run(run.path), f"runs/{run.id}/{migration_notes.OF_RUN}")


def _check_config(_: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    run.config  # noqa: B018 - reading it is the check
    yield from ()


def _check_configs(_: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    run.configs()
    yield from ()


def _check_results(shared: _ReferencedContent, run: Run) -> Iterator[_Finding]:
    results = run.results()
    for item in results.errors:
        yield True, item["path"], item["kind"], item["message"]
    for result in results.repeated:
        message = f"{result.id} was checkpointed again at {result.completed_at}; another checkpoint is live"
        yield False, f"runs/{run.id}/results.{result.writer}.jsonl", "repeated", message
    for result in results:
        # A result with its own value under this name has the list under a longer name.
        lists = [value for key, value in result.extra.items() if key.rstrip("_") == "unreadable"]
        for unreadable in (value for value in lists if isinstance(value, list)):
            what = f"cannot be read of {result.id}: an earlier version stored it unchecked"
            named = ", ".join(map(str, unreadable))
            yield False, f"runs/{run.id}/results.{result.writer}.jsonl", "unreadable", f"{named} {what}"
        for artifact in result.artifacts:
            if shared.lacks(artifact):
                message = f"{result.id} names artifact {artifact}, which is missing"
                yield True, f"runs/{run.id}/results.{result.writer}.jsonl", "dangling", message


# A check that cannot read its file does not stop the others.
_CHECKS = (
    _check_record,
    _check_owner,
    _check_templates,
    _check_datasets,
    _check_notes,
    _check_config,
    _check_configs,
    _check_results,
)


def _lacking(source_notes: list[Problem], path: str) -> Iterator[_Finding]:
    """Yield a note for each defect of the source of a migrated workspace or run."""
    for note in source_notes:
        yield False, path, note["kind"], f"in its source, {note['path']}: {note['message']}"


def _check_history(record: dict[str, Any]) -> Iterator[str]:
    history = record["history"]
    if not history:
        return
    for earlier, later in pairwise(history):
        before, to = later.get("from"), later.get("to")
        if before != earlier.get("to"):
            yield f"its history continues from {before!r} after it came to {earlier.get('to')!r}"
        elif before not in list(RunStatus) or to not in VALID_TRANSITIONS[RunStatus(before)]:
            yield f"its history goes from {before!r} to {to!r}, which is not allowed"
    if history[-1].get("to") != record["status"]:
        yield f"its status is {record['status']}, but its history ends with {history[-1].get('to')}"
