"""The records of an imported run: all that a store says of a call, beside its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import yaml_records
from nirs4all_workspace._version import __version__
from nirs4all_workspace.migration import files
from nirs4all_workspace.migration.report import shown
from nirs4all_workspace.model import migration_notes, plan, run_record, run_summary
from nirs4all_workspace.stores.calls import loaded
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nirs4all_workspace.migration.report import Report
    from nirs4all_workspace.stores.configurations import Configurations
    from nirs4all_workspace.stores.plan import Plan, PlannedRun
    from nirs4all_workspace.stores.source import Source
    from nirs4all_workspace.workspace import Workspace

ARTIFACTS = "artifacts.jsonl"
# Tables whose rows are stored with their run, and by which column they name it.
_OF_PIPELINES = ("chains", "logs")
RESULTS = ("conformal_results", "tuning_results", "robustness_results")
_KEYS = ("run_id", "pipeline_id", "chain_id", "prediction_id", "conformal_id")
# Columns that the run's templates and configurations hold.
_LARGE = ("expanded_config", "original_template", "generator_choices")
_NATIVE = "native_results"


class RunFiles:
    """Writes the folders of runs, without their rows.

    Attributes:
        carried: Files of the store that need no mention, relative to it.
    """

    def __init__(
        self, source: Source, workspace: Workspace, plan: Plan, configurations: Configurations, report: Report
    ) -> None:
        """Read the tables that rows of runs refer to."""
        self._source, self._workspace, self._plan = source, workspace, plan
        self._configurations, self._report = configurations, report
        self.carried: set[Path] = set()
        self._stored: dict[str, str | None] = {}
        self._artifacts = {row["artifact_id"]: row for row in source.rows("artifacts")}
        self._users: dict[str, set[str]] = {}
        self._projects = {row["project_id"]: row for row in source.rows("projects")}
        self._run_of_pipeline = {
            pipeline["pipeline_id"]: run.id for run in plan.runs for pipeline in run.pipelines
        }
        self._run_of_call = {run_id: run.id for run in plan.runs for run_id in run.call.ids}
        self._run_of_chain = {
            chain_id: self._run_of_pipeline[pipeline_id]
            for batch in self._columns("chains", "chain_id", "pipeline_id")
            for chain_id, pipeline_id in batch
            if pipeline_id in self._run_of_pipeline
        }
        self._loose: dict[str, list[dict[str, Any]]] = {}
        self._results = self._results_by_run()

    def _columns(self, table: str, *columns: str) -> Iterator[list[tuple[Any, ...]]]:
        if set(columns) <= set(self._source.tables.get(table, ())):
            yield from self._source.column_batches(table, columns)

    def write(self, run: PlannedRun) -> Path:
        """Write everything of a run but its rows, results and summary; its results get their artifacts.

        Returns:
            The folder of the run.
        """
        folder: Path = self._workspace.runs.folder / run.id
        folder.mkdir()
        chains = list(self._of_pipelines("chains", run))
        lines = self._artifacts_of(run, chains)
        tables = {
            "runs": run.call.rows,
            "pipelines": self._pipelines_of(run),
            "chains": chains,
            "logs": list(self._of_pipelines("logs", run)),
            "projects": self._projects_of(run),
            **{table: self._results[table].get(run.id, []) for table in RESULTS},
        }
        for table, rows in tables.items():
            self._write_lines(folder / files.SOURCE / f"{table}.jsonl", rows)
            if table not in ("projects", "runs"):
                self._report.count(self._report.target, **{table: len(rows)})
        lines += self._native_results(run, folder)
        self._write_lines(folder / ARTIFACTS, lines)
        configs = self._configurations.lines(run)
        if configs:
            files.write(folder / plan.FILE, "".join(f"{line}\n" for line in configs).encode("utf-8"))
        self._write_records(run, folder)
        self._configurations.forget(run)
        return folder

    def content(self, run: PlannedRun) -> str:
        """Return a digest of what was written of a run, by which the next import sees what changed."""
        folder: Path = self._workspace.runs.folder / run.id
        lines = [f"{run.name}\n{run.status}\n{run.error}\n{run.created_at}\n{run.ended_at}"]
        lines += [
            f"{path.relative_to(folder).as_posix()}\n{_native.hash_file(path)}"
            for path in files.walk(folder)
            if path.name != run_record.FILE
        ]
        return _native.blake3_hex("\n".join(lines).encode("utf-8", "backslashreplace"), 16)

    def _pipelines_of(self, run: PlannedRun) -> list[dict[str, Any]]:
        """Return the rows of `pipelines`, without what templates and configurations of the run say."""
        found = []
        for row in self._source.of_runs("pipelines", run.call.ids):
            is_again = self._configurations.chosen_by(run, row) is not None
            found.append({key: value for key, value in row.items() if is_again or key not in _LARGE})
        return found

    def summarise(self, run: PlannedRun) -> None:
        """Write the summary of a run all of whose rows were written."""
        summary = self._workspace.runs.get_writable(run.id).summary()
        files.write_record(self._workspace.runs.folder / run.id / run_summary.FILE, summary)

    def finish(self, run: PlannedRun, content: str) -> None:
        """Write where a run comes from, and the digests of its parts and of what `content` returned."""
        folder: Path = self._workspace.runs.folder / run.id
        schema = "of DuckDB" if self._source.version is None else self._source.version
        origin: dict[str, Any] = {
            "source": shown(str(self._source.path)),
            "source_format": f"nirs4all store {self._source.file}, schema {schema}",
            "migrated_by": f"nirs4all-workspace {__version__}",
            "source_runs": run.call.ids,
            "parts": [part_record(part) for part in run.parts],
            "notes": [
                {"path": self._source.file, "kind": kind, "message": shown(message)}
                for kind, message in run.notes
            ],
        }
        origin["records"] = content
        files.write_record(folder / migration_notes.OF_RUN, origin)

    def write_loose(self) -> None:
        """Write the rows of tables of results that name no run, one file each, by their ids."""
        for table, rows in self._loose.items():
            for row in rows:
                name = _native.blake3_hex(repr(next(iter(row.values()))).encode(), 16)
                path = self._workspace.path / files.SOURCE / table / f"{name}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                files.write(path, strict_json.dumps(_whole(row)).encode("utf-8"))
            self._report.count(self._report.target, **{table: len(rows)})
            message = f"{len(rows)} rows name no run of the store; they are in {files.SOURCE}/{table}/"
            self._report.note(f"{self._source.file}: {table}", "no_run", message)

    def copy_loose_results(self) -> None:
        """Copy the folders of `native_results` that no run names."""
        place = self._source.path / _NATIVE
        names = set()
        for path in files.walk(place) if place.is_dir() else ():
            relative = path.relative_to(self._source.path)
            if files.is_file(path) and relative not in self.carried:
                files.copy(path, self._workspace.path / files.SOURCE / relative)
                self.carried.add(relative)
                names.add("/".join(relative.parts[:2]))
                self._report.count(self._report.target, copied_files=1)
        for name in sorted(names):
            self._report.note(name, "no_run", f"no run names it; it was copied to {files.SOURCE}/{name}")

    def unnamed_artifacts(self) -> list[dict[str, Any]]:
        """Return the rows of `artifacts` that no chain names."""
        return [row for artifact_id, row in self._artifacts.items() if artifact_id not in self._users]

    # --- tables

    def _of_pipelines(self, table: str, run: PlannedRun) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table that name a pipeline of a run."""
        yield from self._source.of_pipelines(table, [pipeline["pipeline_id"] for pipeline in run.pipelines])

    def _projects_of(self, run: PlannedRun) -> list[dict[str, Any]]:
        named = dict.fromkeys(row.get("project_id") for row in run.call.rows)
        return [self._projects[one] for one in named if one in self._projects]

    def _results_by_run(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Return the rows of tables of results by run; those that name none are loose."""
        found: dict[str, dict[str, list[dict[str, Any]]]] = {table: {} for table in RESULTS}
        run_of_result: dict[Any, str] = {}
        for table in RESULTS:
            for row in self._source.rows(table):
                run_id = self._run_of(row, run_of_result)
                if run_id is None:
                    self._loose.setdefault(table, []).append(row)
                    continue
                if table == "conformal_results":
                    run_of_result[row["conformal_id"]] = run_id
                found[table].setdefault(run_id, []).append(row)
        return found

    def _run_of(self, row: dict[str, Any], run_of_result: dict[Any, str]) -> str | None:
        """Return the run that a row of results names, by any of its ids."""
        run_id = self._run_of_call.get(str(row.get("run_id")))
        run_id = run_id or self._run_of_pipeline.get(str(row.get("pipeline_id")))
        run_id = run_id or self._run_of_chain.get(str(row.get("chain_id")))
        run_id = run_id or run_of_result.get(row.get("conformal_id"))
        if run_id is None and isinstance(row.get("prediction_id"), str):
            found = self._source.predictions(["pipeline_id"], [row["prediction_id"]])
            run_id = self._run_of_pipeline.get(found[0][0]) if found else None
        return run_id

    # --- artifacts

    def _artifacts_of(self, run: PlannedRun, chains: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Store the artifacts that chains name; return a line for each chain and artifact."""
        lines, missing = [], 0
        of_pipeline: dict[str, dict[str, None]] = {}
        users = self._users
        for chain in chains:
            for role in ("fold_artifacts", "shared_artifacts"):
                for key, artifact_id in _flat(loaded(chain.get(role))):
                    row = self._artifacts.get(artifact_id)
                    users.setdefault(artifact_id, set()).add(chain["pipeline_id"])
                    digest = None if row is None else self._put(row)
                    missing += digest is None
                    if digest is not None:
                        of_pipeline.setdefault(chain["pipeline_id"], {})[digest] = None
                    about = {} if row is None else row
                    lines.append(
                        {
                            "artifact_id": artifact_id,
                            "artifact_type": about.get("artifact_type"),
                            "class_name": about.get("operator_class"),
                            "fold_id": key if role == "fold_artifacts" else None,
                            "role": role,
                            "size_bytes": about.get("size_bytes"),
                            "content_hash": about.get("content_hash"),
                            "chain_id": chain["chain_id"],
                            "pipeline_id": chain["pipeline_id"],
                            "file": about.get("artifact_path"),
                            "hash": digest,
                            "status": "missing" if digest is None else "present",
                        }
                    )
        for part in run.parts:
            for pipeline_id, result in part.results_of_pipelines.items():
                hashes = of_pipeline.get(pipeline_id, {})
                result.artifacts += [digest for digest in hashes if digest not in result.artifacts]
        shared = {line["artifact_id"] for line in lines if len(users[line["artifact_id"]]) > 1}
        if shared:
            message = (
                f"chains of several datasets or calls name {len(shared)} artifacts: nirs4all stored the last "
                "one under the id of all"
            )
            run.notes.append(("shared_artifacts", message))
        if missing:
            run.notes.append(
                ("missing_artifacts", f"{missing} of {len(lines)} artifacts that its chains name are missing")
            )
        self._report.count(self._report.source, artifacts=len(lines), artifacts_missing=missing)
        self._report.count(self._report.target, artifacts=len(lines) - missing)
        return lines

    def _put(self, row: dict[str, Any]) -> str | None:
        """Store the file of an artifact; None where it is missing."""
        artifact_id = row["artifact_id"]
        if artifact_id not in self._stored:
            self._stored[artifact_id] = self._stored_now(row)
        return self._stored[artifact_id]

    def _stored_now(self, row: dict[str, Any]) -> str | None:
        given = row.get("artifact_path")
        if not isinstance(given, str) or not given:
            return None
        for name in (Path("artifacts", given), Path(given)):
            path = self._source.path / name
            # A path that leads out of the store names nothing of it.
            if path.resolve().is_relative_to(self._source.path.resolve()) and files.is_file(path):
                break
        else:
            return None
        relative = path.relative_to(self._source.path)
        if refusal := files.refusal(path):
            self._report.error(str(relative), *refusal)
            return None
        self.carried.add(relative)
        stated = str(row.get("content_hash")).removeprefix("sha256:")
        if len(stated) == 64:
            found = _native.hash_file(path, "sha256").removeprefix("sha256:")
            if found != stated:
                message = f"its SHA-256 is {found}, and the store says {stated}; it was stored as it is"
                self._report.error(str(relative), "differs", message)
        return self._workspace.artifacts.put(path)

    def _native_results(self, run: PlannedRun, folder: Path) -> list[dict[str, Any]]:
        """Copy what `native_results/<id>/` has of a run; models in it become artifacts."""
        lines: list[dict[str, Any]] = []
        for row in run.call.rows:
            for name in _native_folders(row):
                place = self._source.path / _NATIVE / name
                if not place.is_dir():
                    continue
                for path in files.walk(place):
                    relative = path.relative_to(self._source.path)
                    if not files.is_file(path) or relative in self.carried:
                        continue
                    self.carried.add(relative)
                    if path.name == "predictions.parquet":
                        # The rows of the database again.
                        self._report.count(self._report.source, native_predictions=1)
                    elif path.suffix in (".json", ".yaml", ".yml", ".txt"):
                        files.copy(path, folder / files.SOURCE / relative)
                        self._report.count(self._report.target, copied_files=1)
                    else:
                        digest = self._workspace.artifacts.put(path)
                        lines.append(
                            {
                                "file": relative.as_posix(),
                                "hash": digest,
                                "status": "present",
                                "run_id": row["run_id"],
                            }
                        )
                        self._report.count(self._report.target, native_artifacts=1)
        return lines

    # --- records

    def _write_records(self, run: PlannedRun, folder: Path) -> None:
        first = run.call.rows[0]
        config, summary = loaded(first.get("config")), loaded(first.get("summary"))
        config = config if isinstance(config, dict) else {}
        summary = summary if isinstance(summary, dict) else {}
        about = {
            "imported": True,
            "engine": config.get("engine") or summary.get("execution_engine"),
            "lane": summary.get("execution_lane"),
            "data": {name: digest for name, digest in run.datasets.items() if digest},
            "store_config": {
                key: value for key, value in config.items() if key not in ("pipeline", "engine")
            },
        }
        record = run_record.new_record(run.id, run.name, run.created_at)
        who = run_record.who()
        reason = f"imported from {shown(str(self._source.path))} by nirs4all-workspace {__version__}"
        steps = [
            (None, "queued", run.created_at, reason),
            ("queued", "running", run.created_at, reason),
            ("running", run.status, run.ended_at, shown(run.error)[:4_096] if run.error else reason),
        ]
        projects = [str(project.get("name")) for project in self._projects_of(run) if project.get("name")]
        tags = [name for name in (*projects, *_texts(run.exported.get("tags"))) if name.strip()]
        record.update(
            status=run.status,
            description=_text(run.exported.get("description")),
            notes=_text(run.exported.get("notes")),
            tags=run_record.tags(map(shown, tags)),
            revision=2,
            history=[
                {"time": time, "from": before, "to": to, "reason": why, "who": who}
                for before, to, time, why in steps
            ],
        )
        blank = dict.fromkeys(("id", "name", "hash", "file_size", "quick_hash", "path"))
        content: dict[str, dict[str, Any]] = {
            "templates.yaml": {"templates": self._configurations.templates(run)},
            "datasets.yaml": {"datasets": [blank | {"name": name} for name in run.datasets]},
            "config.yaml": {key: value for key, value in about.items() if value not in (None, {}, [])},
            run_record.FILE: record,
        }
        for name, mapping in content.items():
            files.write_record(folder / name, mapping)

    @staticmethod
    def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
        listed = [_line({"schema_version": yaml_records.SCHEMA_VERSION, **_whole(row)}) for row in rows]
        if listed:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, "".join(f"{line}\n" for line in listed).encode("utf-8"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _line(record: dict[str, Any]) -> str:
    """Return a record as strict JSON; most have nothing that JSON lacks."""
    try:
        return json.dumps(record, allow_nan=False)
    except (TypeError, ValueError):
        return strict_json.dumps(record)


def part_record(part: Any) -> dict[str, Any]:  # noqa: ANN401 - a Part
    """Return what a run says of its rows on one dataset, by which the next import sees what changed."""
    found = {"dataset": part.dataset, "writer": part.writer_id, "rows": part.rows, "content": part.content}
    lists = {"replaces": part.replaces, "sample_ids": sorted(part.sample_ids)}
    return found | {key: value for key, value in lists.items() if value}


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON holds it: columns of JSON text as what they say, bytes as text."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, bytes):
            found[key] = value.hex()
        elif isinstance(value, str) and value[:1] in ("{", "["):
            tree = loaded(value)
            found[key] = value if tree is None else tree
        else:
            found[key] = value
    return found


def _flat(tree: Any) -> Iterator[tuple[str | None, str]]:  # noqa: ANN401 - what JSON holds
    """Yield the ids of artifacts in a mapping of folds or steps, each with its key."""
    if isinstance(tree, str):
        yield None, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            for _, artifact in _flat(value):
                yield str(key), artifact
    elif isinstance(tree, list):
        for value in tree:
            yield from _flat(value)


def _native_folders(row: dict[str, Any]) -> list[str]:
    """Return the names of the folders in `native_results` that a row of `runs` may have."""
    summary = loaded(row.get("summary"))
    given = summary.get("native_results_dir") if isinstance(summary, dict) else None
    found = [str(row["run_id"])]
    if isinstance(given, str) and given:
        found.insert(0, given.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return [name for name in dict.fromkeys(found) if name not in ("", ".", "..") and "/" not in name]
