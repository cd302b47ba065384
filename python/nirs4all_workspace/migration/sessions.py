"""Sessions of nirs4all 0.6, written as runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue
from nirs4all_workspace._io import listing, yaml_records
from nirs4all_workspace._version import __version__
from nirs4all_workspace.legacy import old_artifacts
from nirs4all_workspace.migration import files
from nirs4all_workspace.migration.report import shown
from nirs4all_workspace.migration.rows import Target
from nirs4all_workspace.model import plan, run_record
from nirs4all_workspace.templates import Template
from nirs4all_workspace.values import strict_json
from nirs4all_workspace.values.canonical import content_id, plain

if TYPE_CHECKING:
    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.migration.report import Report
    from nirs4all_workspace.workspace import Workspace

ARTIFACTS = "artifacts.jsonl"
TRACES = "traces.jsonl"
_ARTIFACT_KEYS = ("artifact_id", "artifact_type", "class_name", "custom_name", "fold_id", "chain_path")


class Sessions:
    """Writes sessions as runs, without their rows.

    Attributes:
        targets: Where rows go, by the dataset in the name of their file, and the dataset and configuration
            that they name.
        waiting: Results without a row so far, by id: dataset, configuration, and where their rows would go.
        carried: Files of the source that need no further copy.
    """

    def __init__(self, workspace: Workspace, source: Path, report: Report) -> None:
        """Bind to a new workspace that other processes cannot see."""
        self._workspace = workspace
        self._source = source
        self._report = report
        self._hashes: dict[Path, str] = {}
        self._written: dict[str, tuple[list[str], list[str]]] = {}
        self.targets: dict[tuple[str, str, str | None], Target] = {}
        self.waiting: dict[str, tuple[str, str, Target]] = {}
        self.carried: set[Path] = set()

    def add(self, entry: dict[str, Any]) -> None:
        """Write everything of a session but its rows, which follow later."""
        run_id = entry["id"]
        templates = [Template(_plain(steps)) for steps in _steps_of_templates(entry)]
        ids = [self._workspace.templates.add(template) for template in templates]
        keys = ("name", "description", "expansion_count")
        references = [
            {"id": template_id} | {key: given.get(key) for key in keys}
            for given, template_id in zip(entry["templates"], ids, strict=True)
        ]
        id_of = {given["id"]: id_ for given, id_ in zip(entry["templates"], ids, strict=True)}
        folder = new_run(self._workspace, self._source, entry, references, _config_of(templates[0].steps))
        configs: dict[str, str] = {}
        seen: set[tuple[str, str]] = set()
        artifacts: list[str] = []
        traces: list[str] = []
        for manifest in entry["manifests"]:
            content = yaml_records.read(self._source / manifest["path"] / "manifest.yaml")
            steps = _steps_of(content)
            config_id, template_id = manifest["config_id"], id_of[manifest["template_id"]]
            if (config_id, manifest["dataset"]) in seen:
                # The same steps under another hash: results must differ.
                config_id = content_id("cfg", [config_id, manifest["pipeline_id"]])
            seen.add((config_id, manifest["dataset"]))
            config = {
                "schema_version": yaml_records.SCHEMA_VERSION,
                "config_id": config_id,
                "template_id": template_id,
                "name": f"{manifest['name']}_{manifest['config_hash']}",
                "generator_choices": _plain(manifest["generator_choices"]),
                "steps": steps,
            }
            configs.setdefault(config_id, strict_json.dumps(config))
            hashes, lines = self._artifacts_of(run_id, manifest, content)
            artifacts += lines
            traces += _traces_of(manifest, content)
            self._expect(run_id, config, manifest, hashes)
            self._copy_rest(folder, manifest)
        for name, lines in (
            ("configs.jsonl", list(configs.values())),
            (ARTIFACTS, artifacts),
            (TRACES, traces),
        ):
            if lines:
                text = "".join(f"{line}\n" for line in lines)
                files.write(folder / name, text.encode("utf-8"))
        count, report = self._report.count, self._report
        count(report.source, sessions=1, manifests=len(entry["manifests"]), traces=len(traces))
        self._written[run_id] = artifacts, traces

    def account(self, folder: Path) -> None:
        """Read back the manifests, artifacts and traces of a run, and count what is there."""
        artifacts, traces = self._written.pop(folder.name, ([], []))
        report, target = self._report, self._report.target
        for name, lines in ((ARTIFACTS, artifacts), (TRACES, traces)):
            read = (folder / name).read_text("utf-8").splitlines() if lines else []
            if read != lines:
                report.error(f"runs/{folder.name}/{name}", "differs", "differs from what was written")
        named = [json.loads(line) for line in artifacts]
        present = [item["hash"] for item in named if item["status"] == "present"]
        lost = [digest for digest in set(present) if self._workspace.artifacts.find(digest) is None]
        if lost:
            report.error(f"runs/{folder.name}/{ARTIFACTS}", "differs", f"{len(lost)} artifacts are missing")
        manifests = sum(1 for _ in (folder / files.SOURCE).glob("**/manifest.yaml"))
        report.count(target, manifests=manifests, traces=len(traces), artifacts=len(present))

    def _expect(
        self, run_id: str, config: dict[str, Any], manifest: dict[str, Any], artifacts: list[str]
    ) -> None:
        dataset = manifest["dataset"]
        planned = plan.planned_result(run_id, config, {"name": dataset})
        created_at = manifest["created_at"] or self._time_of(manifest, run_id)
        result = replace(planned, artifacts=artifacts, completed_at=created_at)
        config_name = manifest["pipeline_id"]
        target = Target(run_id, created_at, result)
        member = catalogue.member_of(self._source, manifest)
        if self.targets.setdefault(member, target) is not target:
            message = f"several manifests are of {config_name} on {dataset}; its rows go to the first"
            self._report.note(manifest["path"], "repeated", message, run_id)
        self.waiting[result.id] = (dataset, config_name, target)

    def _time_of(self, manifest: dict[str, Any], run_id: str) -> str:
        """Return when a manifest without a time was last written."""
        time = files.written_at(self._source / manifest["path"] / "manifest.yaml")
        message = f"its manifest has no time; {time}, when it was last written, is used instead"
        self._report.note(manifest["path"], "no_time", message, run_id)
        return time

    def _artifacts_of(
        self, run_id: str, manifest: dict[str, Any], content: dict[str, Any]
    ) -> tuple[list[str], list[str]]:
        hashes: list[str] = []
        lines: list[str] = []
        missing = 0
        for item in old_artifacts.items_of(content):
            path = old_artifacts.find(self._source, manifest, item.get("path"))
            if path is None:
                self._report_lost(*old_artifacts.candidates(manifest, item.get("path")))
            digest = None if path is None or files.refusal(path) else self._put(path)
            missing += digest is None
            if digest is not None and digest not in hashes:
                hashes.append(digest)
            about = {key: item.get(key) for key in _ARTIFACT_KEYS}
            lines.append(
                strict_json.dumps(
                    {
                        "schema_version": yaml_records.SCHEMA_VERSION,
                        **about,
                        "step_index": item.get("step_index"),
                        "size_bytes": item.get("size_bytes"),
                        "content_hash": item.get("content_hash"),
                        "dataset": manifest["dataset"],
                        "config": manifest["pipeline_id"],
                        "file": item.get("path"),
                        "hash": digest,
                        "status": "missing" if digest is None else "present",
                    }
                )
            )
        if missing:
            places = " or ".join(place.as_posix() for place in old_artifacts.places_of(manifest))
            message = f"{missing} of its {len(lines)} artifacts are missing from {places}"
            self._report.note(manifest["path"], "missing_artifacts", message, run_id)
        self._report.count(self._report.source, artifacts=len(lines) - missing, artifacts_missing=missing)
        return hashes, lines

    def _report_lost(self, *paths: Path) -> None:
        """Report what lies where nirs4all 0.6 has a file and cannot be read as one, or a folder above it."""
        for path in paths:
            found: list[Problem] = []
            listing.is_regular_file(self._source, path.as_posix(), found, unknown=False)
            for item in found:
                self._report.lost(item["path"], item["kind"], item["message"])

    def _put(self, path: Path) -> str:
        known = self._hashes.get(path)
        if known is None:
            known = self._hashes[path] = self._workspace.artifacts.put(path)
            self.carried.add(path)
            self._report.count(self._report.target, artifact_files=1)
        return known

    def _copy_rest(self, folder: Path, manifest: dict[str, Any]) -> None:
        """Copy the files of a configuration, and its file in the folder of its dataset, if any."""
        origin = self._source / manifest["path"]
        self._report_lost(Path(manifest["path"], "pipeline.json"))
        for path in (*files.walk(origin), origin.with_name(f"best_{origin.name}.csv")):
            # A folder that cannot be read is one error.
            if path not in self.carried and files.is_file(path) and not files.refusal(path):
                files.copy(path, folder / files.SOURCE / path.relative_to(self._source / "runs"))
                self.carried.add(path)
                self._report.count(self._report.target, copied_files=1)


def new_run(
    workspace: Workspace,
    source: Path,
    entry: dict[str, Any],
    templates: list[dict[str, Any]],
    config: dict[str, Any],
) -> Path:
    """Write a run that has ended, without results.

    Args:
        workspace: The new workspace, which other processes cannot see yet.
        source: The source folder, named in the run's history.
        entry: The entry of the catalogue.
        templates: References to its templates.
        config: The configuration of its execution.

    Returns:
        The folder of the run.
    """
    folder: Path = workspace.runs.folder / entry["id"]
    folder.mkdir()
    created_at = entry["created_at"] or run_record.now()
    times = [manifest["created_at"] for manifest in entry.get("manifests", ()) if manifest["created_at"]]
    reason = f"migrated from {shown(str(source))} by nirs4all-workspace {__version__}"
    record = run_record.new_record(entry["id"], entry["name"], entry["created_at"] or "")
    who = run_record.who()
    status = entry.get("status") or "completed"
    steps = [(None, "queued", created_at), ("queued", "running", created_at)]
    steps.append(("running", status, max([created_at, *times])))
    record.update(
        status=status,
        description=entry.get("description"),
        revision=2,
        history=[
            {"time": time, "from": before, "to": to, "reason": reason, "who": who}
            for before, to, time in steps
        ],
    )
    datasets = [
        {key: item.get(key) for key in ("id", "name", "hash", "file_size", "quick_hash", "path")}
        for item in entry["datasets"]
    ]
    content = {
        "templates.yaml": {"templates": templates},
        "datasets.yaml": {"datasets": datasets},
        "config.yaml": config,
        run_record.FILE: record,
    }
    for name, mapping in content.items():
        files.write_record(folder / name, mapping)
    return folder


def _steps_of_templates(entry: dict[str, Any]) -> list[Any]:
    """Return the steps of each template of a session, as the catalogue has them."""
    steps = entry["steps"]
    return [steps] if len(entry["templates"]) == 1 else list(steps["_or_"])


def _steps_of(manifest: dict[str, Any]) -> Any:  # noqa: ANN401 - plain data
    pipeline = manifest.get("pipeline")
    return _plain(pipeline.get("steps", pipeline) if isinstance(pipeline, dict) else pipeline)


def _plain(value: Any) -> Any:  # noqa: ANN401 - plain data
    """Return a value from YAML as plain data; keys that are not texts become texts."""
    try:
        return plain(value, "steps")
    except TypeError:
        return json.loads(strict_json.dumps(value))


def _traces_of(manifest: dict[str, Any], content: dict[str, Any]) -> list[str]:
    traces = content.get("execution_traces") or {}
    if not isinstance(traces, dict | list):
        traces = [traces]
    listed = traces.items() if isinstance(traces, dict) else ((None, trace) for trace in traces)
    about = {"dataset": manifest["dataset"], "config": manifest["pipeline_id"]}
    return [
        strict_json.dumps(
            {"schema_version": yaml_records.SCHEMA_VERSION, "trace_id": key, **about, "trace": trace}
        )
        for key, trace in listed
    ]


def _config_of(steps: Any) -> dict[str, Any]:  # noqa: ANN401 - plain data
    """Return how a pipeline splits the samples, where one of its steps is a splitter."""
    for step in steps if isinstance(steps, list) else []:
        path = step.get("class") if isinstance(step, dict) else step
        if isinstance(path, str) and ".model_selection." in path:
            params = step.get("params") if isinstance(step, dict) else None
            known = params if isinstance(params, dict) else {}
            found = {
                "cv_strategy": path.rpartition(".")[2],
                "cv_folds": known.get("n_splits"),
                "random_state": known.get("random_state"),
            }
            return {key: value for key, value in found.items() if value is not None}
    return {}
