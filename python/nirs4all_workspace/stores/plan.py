"""What an import makes of a store: its calls as runs, its pipelines as results, by dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.migration.report import shown
from nirs4all_workspace.stores.calls import Call, calls_of, datasets_of, loaded
from nirs4all_workspace.stores.rows import time_of
from nirs4all_workspace.values.canonical import content_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nirs4all_workspace.migration.report import Report
    from nirs4all_workspace.migration.rows import Group
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.predictions.writer import Writer
    from nirs4all_workspace.stores.configurations import Configurations
    from nirs4all_workspace.stores.source import Source

_DONE, _RUNNING, _FAILED = "completed", "running", "failed"
_INDEX = ("pipeline_id", "run_id", "name", "dataset_name", "status", "created_at")
_NO_NAME = "unnamed"
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass
class Part:
    """The rows of one run on one dataset, which one writer writes.

    Attributes:
        number: Its number among all parts.
        run_id: The run.
        dataset: The name of the dataset, in Unicode NFC.
        source_dataset: The name as rows of the store have it.
        made: When the run was created: the time of rows that have none.
        results: Its results.
        results_of_pipelines: The result of each row of `pipelines`, by its id.
        expected: The number of its rows in the store.
        rows: The number of its rows that were read.
        digest: The digest of these rows, with the ids of their arrays.
        groups: What its rows say of the dataset, by the id of the result.
        n_arrays: The number of arrays that rows name.
        writer: What writes it, while it is written.
        writer_id: The id of the writer once it was written.
        replaces: The ids of the writers of its former content, which it takes the place of.
        compaction: The writer in the name of the segment, where that supersedes former ones.
        sample_ids: The hashes of datasets in the ids of samples that its rows do not repeat.
    """

    number: int
    run_id: str
    dataset: str
    source_dataset: str
    made: datetime
    results: list[Result] = field(default_factory=list)
    results_of_pipelines: dict[str, Result] = field(default_factory=dict)
    expected: int = 0
    rows: int = 0
    digest: int = 0
    groups: dict[str, Group] = field(default_factory=dict)
    n_arrays: int = 0
    writer: Writer | None = None
    writer_id: str | None = None
    replaces: list[str] = field(default_factory=list)
    compaction: str | None = None
    sample_ids: set[str] = field(default_factory=set)

    def fields_of(self, result: Result) -> dict[str, Any]:
        """Return the fields of a result, with what its rows say of the dataset."""
        group = self.groups.get(result.id)
        return result.to_dict() | ({} if group is None else group.about())

    @property
    def content(self) -> str:
        """A digest of all that is imported of it: rows, arrays and results."""
        results = [self.fields_of(result) for result in self.results]
        return content_id("part", [self.run_id, self.dataset, self.rows, f"{self.digest:032x}", results])[5:]


@dataclass
class PlannedRun:
    """A call of nirs4all, as a run.

    Attributes:
        id: The id of the run, which follows from that of the call's first row.
        call: The call.
        name: The name of the run.
        status: "completed" or "failed".
        created_at: When its first row was written, ISO-8601 in UTC.
        ended_at: When its last row was completed, or written.
        error: Why it failed.
        pipelines: The rows of `pipelines` of the call, without their configurations, in order.
        parts: Its rows and results, by dataset.
        notes: What could not be told of it, as pairs of a kind and a message.
    """

    id: str
    call: Call
    name: str
    status: str
    created_at: str
    ended_at: str
    error: str | None
    pipelines: list[dict[str, Any]]
    parts: list[Part] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def exported(self) -> dict[str, Any]:
        """What `export_store` said of the run in a workspace that it came from; empty for other calls."""
        config = loaded(self.call.rows[0].get("config"))
        found = config.get("workspace_run") if isinstance(config, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def datasets(self) -> dict[str, str | None]:
        """The names of its datasets, each with the hash that the store has of it."""
        found: dict[str, str | None] = {}
        for row in self.call.rows:
            listed = loaded(row.get("datasets"))
            for item in listed if isinstance(listed, list) else []:
                if isinstance(item, dict) and isinstance(item.get("name"), str):
                    found.setdefault(nfc(item["name"]), item.get("hash"))
            for name in datasets_of(row):
                found.setdefault(nfc(name), None)
        for part in self.parts:
            found.setdefault(part.dataset, None)
        return found


class Plan:
    """The runs that an import makes.

    Attributes:
        runs: The runs, in the order of their calls.
        parts: The parts of all runs, by number.
        pipelines: The rows of `pipelines` by id, without their configurations.
    """

    def __init__(self, source: Source, configurations: Configurations, report: Report) -> None:
        """Read runs, pipelines and the numbers of their predictions; no prediction is read."""
        self._source, self._configurations, self._report = source, configurations, report
        self.pipelines = self._read_pipelines()
        rows = list(source.rows("runs"))
        rows += self._missing_runs(rows)
        by_run: dict[str, list[dict[str, Any]]] = {}
        for pipeline in self.pipelines.values():
            by_run.setdefault(pipeline["run_id"], []).append(pipeline)
        self._counts = self._counted()
        self.parts: list[Part] = []
        names = {run_id: [row["name"] for row in listed] for run_id, listed in by_run.items()}
        is_first = "prediction_arrays" in source.tables
        self.runs = [self._run(call, by_run) for call in calls_of(rows, names, is_first_version=is_first)]

    def _read_pipelines(self) -> dict[str, dict[str, Any]]:
        columns = [name for name in _INDEX if name in self._source.tables["pipelines"]]
        found: dict[str, dict[str, Any]] = {}
        for batch in self._source.column_batches("pipelines", columns):
            for cells in batch:
                row: dict[str, Any] = {**dict.fromkeys(_INDEX), **dict(zip(columns, cells, strict=True))}
                row["name"], row["dataset_name"] = row["name"] or "", row["dataset_name"] or ""
                found[row["pipeline_id"]] = row
        return found

    def _counted(self) -> dict[str, dict[str, int]]:
        """Return the number of predictions of each pipeline, by dataset; lost pipelines get a row."""
        query = (
            "SELECT pipeline_id, dataset_name, count(*) FROM predictions GROUP BY pipeline_id, dataset_name"
        )
        found: dict[str, dict[str, int]] = {}
        for batch in self._source.select(query):
            for pipeline_id, dataset, number in batch:
                found.setdefault(pipeline_id, {})[dataset] = number
        return found

    def _missing_runs(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows of `runs` for pipelines, and pipelines for predictions, that have lost theirs."""
        query = (
            "SELECT pipeline_id, min(dataset_name), min(created_at), count(*) FROM predictions "
            "WHERE pipeline_id NOT IN (SELECT pipeline_id FROM pipelines) OR pipeline_id IS NULL "
            "GROUP BY pipeline_id"
        )
        for batch in self._source.select(query):
            for pipeline_id, dataset, created_at, number in batch:
                blank: dict[str, Any] = dict.fromkeys(_INDEX)
                lost = {
                    "pipeline_id": pipeline_id,
                    "name": "",
                    "dataset_name": dataset,
                    "created_at": created_at,
                }
                self.pipelines[pipeline_id] = blank | lost | {"status": _DONE}
                message = f"{number} predictions name pipeline {pipeline_id!r}, which the store lacks"
                self._report.error(self._source.file, "dangling", message)
        known = {row["run_id"] for row in rows}
        missing: dict[str, dict[str, Any]] = {}
        for pipeline in self.pipelines.values():
            run_id = pipeline["run_id"]
            if run_id not in known and run_id not in missing:
                times = {"created_at": pipeline["created_at"], "completed_at": None}
                about = {
                    "run_id": run_id,
                    "name": _NO_NAME,
                    "status": _FAILED,
                    "config": None,
                    "datasets": None,
                }
                error = "its row is missing from the table runs"
                missing[run_id] = {**about, **times, "summary": None, "error": error, "project_id": None}
                message = f"pipelines name run {run_id!r}, which the store lacks; they are a run of their own"
                self._report.error(self._source.file, "dangling", message)
        return list(missing.values())

    def _run(self, call: Call, by_run: dict[str, list[dict[str, Any]]]) -> PlannedRun:
        first = call.rows[0]
        times = [time for row in call.rows for time in _times(row)]
        made, ended = (min(times), max(times)) if times else (_EPOCH, _EPOCH)
        pipelines = [pipeline for run_id in call.ids for pipeline in by_run.get(run_id, [])]
        name = call.name or next((it["name"] for it in pipelines if it["name"]), "") or _NO_NAME
        statuses = {row["status"] for row in call.rows}
        errors = [str(row["error"]) for row in call.rows if row.get("error")]
        is_whole = statuses == {_DONE}
        if not is_whole and not errors:
            errors.append(f"its status in the store is {', '.join(sorted(map(str, statuses - {_DONE})))}")
        run = PlannedRun(
            id=_id_of(name, made, first["run_id"]),
            call=call,
            name=shown(name),
            status=_DONE if is_whole else _FAILED,
            created_at=made.isoformat(),
            ended_at=ended.isoformat(),
            error=None if is_whole else "; ".join(errors),
            pipelines=pipelines,
            notes=[("name", message) for message in call.notes],
        )
        if not call.name:
            run.notes.append(("name", f"it has no name in the store; it was named {run.name!r}"))
        if _RUNNING in statuses:
            run.notes.append(
                ("interrupted", "it did not finish: in the store it is running, and failed here")
            )
        self._add_parts(run, made)
        return run

    def _add_parts(self, run: PlannedRun, made: datetime) -> None:
        parts: dict[str, Part] = {}
        keys: set[tuple[str, str]] = set()
        for pipeline in run.pipelines:
            counted = self._counts.get(pipeline["pipeline_id"], {})
            # A model that was fitted again is part of the result that it was chosen by.
            owner = self._configurations.chosen_by(run, pipeline) or pipeline
            for dataset in dict.fromkeys([pipeline["dataset_name"], *counted]):
                rows = counted.get(dataset, 0)
                is_own = dataset == pipeline["dataset_name"]
                if not rows and not is_own:
                    continue
                part = parts.get(dataset)
                if part is None:
                    part = Part(len(self.parts), run.id, nfc(dataset or "unnamed"), dataset, made)
                    parts[dataset] = part
                    self.parts.append(part)
                    run.parts.append(part)
                part.expected += rows
                result = part.results_of_pipelines.get(owner["pipeline_id"])
                if result is None:
                    result = self._configurations.result(run, owner, part.dataset, keys)
                    part.results.append(result)
                    part.results_of_pipelines[owner["pipeline_id"]] = result
                part.results_of_pipelines[pipeline["pipeline_id"]] = result


def _times(row: dict[str, Any]) -> Iterable[datetime]:
    return [time for name in ("created_at", "completed_at") if (time := time_of(row.get(name))) is not None]


def _id_of(name: str, made: datetime, source_id: object) -> str:
    """Return the id of a run: equal for every import of a call."""
    short = _native.slug(name).replace("_", "-") or "run"
    digest = _native.blake3_hex(str(source_id).encode("utf-8", "backslashreplace"), 12)
    return f"{made.isoformat()[:10]}_{short[0].upper()}{short[1:]}_{digest}"
