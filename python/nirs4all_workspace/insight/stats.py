"""Statistics of a workspace, of which only parts with changed files are counted again.

A part holds the counts of one run's results (`runs/<id>`), the models of one folder of predictions
(`predictions/<folder>`, or "" for files of nirs4all 0.6), or the counts of the registry (`datasets`). A part
is cached with the fingerprint of its files and valid as long as that is the same.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import layout, listing
from nirs4all_workspace.exceptions import UnknownMetricError
from nirs4all_workspace.model import ownership
from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.predictions.summaries import best_of
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import ModelPerformance, Prewarming, Statistics
    from nirs4all_workspace.workspace import Workspace

    Report = Callable[[int, int], object]

_VERSION = 3
STATISTICS, PERFORMANCE, MANIFEST = "workspace_stats.json", "model_performance.json", "cache_manifest.yaml"
# A file this young may change again without its stat identity changing.
_RACY_NS = _native.RACY_NS
_FOLDERS = ("predictions", "arrays", "artifacts", "binaries", "runs", "datasets", "templates")


def stats(workspace: Workspace, rebuild: bool = False) -> Statistics:
    """Return the statistics of a workspace; see `Workspace.stats`."""
    snapshot = _StatSnapshot(workspace)
    parts = _CachedParts(snapshot, {} if rebuild else _load(workspace))
    runs, errors = catalogue.read(workspace.path)
    listing.add_problems(errors, snapshot.errors)
    results = _results(workspace, runs, parts, errors)
    datasets = _datasets(workspace, parts, errors)
    folders = _folders(workspace, snapshot.prediction_folders, parts, errors)
    parts.store(workspace)
    stored = workspace.templates.names(errors)
    templates = {item["id"] for entry in runs for item in entry["templates"]} | set(stored)
    return {
        "generated_at": datetime.now(UTC).isoformat(),
        "workspace": {
            "runs": _runs(workspace, runs, errors),
            "results": _add_up(results, ("done", "failed")),
            "datasets": _add_up([datasets]),
            "templates": {"total": len(templates)},
            "predictions": {
                "total": sum(part["rows"] for part in folders),
                "files": sum(part["files"] for part in folders),
            },
            "files": {"total": sum(snapshot.files.values()), "by_folder": snapshot.files},
            "bytes": {"total": sum(snapshot.bytes.values()), "by_folder": snapshot.bytes},
        },
        "model_performance": _performance(folders),
        "recomputed": sorted(parts.recomputed),
        "errors": errors,
    }


def prewarm(workspace: Workspace, progress: Report | None = None) -> Prewarming:
    """Fill the caches; see `Workspace.prewarm`."""
    work: dict[str, Callable[[], list[Problem]]] = {
        "summary": lambda: workspace.summary()["errors"],
        "files": workspace.datasets.index_files,
        "stats": lambda: stats(workspace)["errors"],
    }
    seconds: dict[str, float] = {}
    errors: list[Problem] = []
    for done, (name, fill) in enumerate(work.items()):
        if progress is not None:
            progress(done, len(work))
        began = time.monotonic()
        # Problems of folders that are searched for datasets have absolute paths already.
        root = f"{workspace.path.absolute()}/"
        listing.add_problems(
            errors, ({**error, "path": error["path"].removeprefix(root)} for error in fill())
        )
        seconds[name] = time.monotonic() - began
    if progress is not None:
        progress(len(work), len(work))
    return {"seconds": seconds, "errors": errors}


class _StatSnapshot:
    """The fingerprints of parts, and files and bytes by folder, from the stat of every file."""

    def __init__(self, workspace: Workspace) -> None:
        self.files = dict.fromkeys(_FOLDERS, 0)
        self.bytes = dict.fromkeys(_FOLDERS, 0)
        self.prediction_folders: list[str] = []
        self._fingerprints: dict[str, list[str]] = {}
        self._changed_at: dict[str, int] = {}
        self._began = time.time_ns()
        self.errors: list[Problem] = []
        # Deleted runs whose files are not removed yet are not counted.
        trash = set(listing.list_names(workspace.path, layout.TRASH, self.errors))
        deleted = {name for name in trash if not os.path.lexists(workspace.path / "runs" / name)}
        items, unlisted = _native.survey(workspace.path)
        listing.add_problems(self.errors, unlisted)
        for path, fingerprint, count, size, changed_at in items:
            top, _, rest = path.partition("/")
            is_old = not rest or top not in _FOLDERS
            if is_old:
                # Of nirs4all 0.6, which has files in the folder itself, or deeper.
                rest = ""
            folder = (
                "arrays" if is_old and path.endswith(".arrays.parquet") else "predictions" if is_old else top
            )
            self.files[folder] += count
            self.bytes[folder] += size
            run_id = _native.run_of(path.rpartition("/")[2]) if folder == "predictions" else None
            if run_id in deleted:
                continue
            for part in _parts_of(path, folder, rest, run_id):
                self._fingerprints.setdefault(part, []).append(f"{fingerprint:x}")
                self._changed_at[part] = max(changed_at, self._changed_at.get(part, 0))
        self.prediction_folders = [
            part for part in self._fingerprints if part == "" or part[:12] == "predictions/"
        ]

    def fingerprint(self, part: str) -> str | None:
        """Return the fingerprint of a part; None where its files are racily clean."""
        if self._changed_at.get(part, 0) >= self._began - _RACY_NS:
            return None
        return _native.blake3_hex(" ".join(self._fingerprints.get(part, [])).encode(), 16)


def _parts_of(path: str, folder: str, rest: str, run_id: str | None) -> Iterable[str]:
    if folder == "predictions":
        yield "/".join(path.split("/")[:2]) if rest else ""
        # Journals hold results too.
        if run_id is not None:
            yield f"runs/{run_id}"
    elif folder == "runs":
        yield path
    elif folder == "datasets":
        yield folder


class _CachedParts:
    """The cached parts whose files are unchanged, and the parts that were counted again."""

    def __init__(self, snapshot: _StatSnapshot, known: Mapping[str, tuple[str, Any]]) -> None:
        self._snapshot = snapshot
        self._known = known
        self._retained: dict[str, tuple[str, Any]] = {}
        self.recomputed: list[str] = []

    def get(self, part: str) -> Any:  # noqa: ANN401 - whatever was put
        fingerprint, content = self._known.get(part, (None, None))
        if fingerprint is None or fingerprint != self._snapshot.fingerprint(part):
            return None
        self._retained[part] = (fingerprint, content)
        return content

    def put(self, part: str, content: Any, *, keep: bool) -> Any:  # noqa: ANN401
        self.recomputed.append(part)
        self._retained.pop(part, None)
        if keep and (fingerprint := self._snapshot.fingerprint(part)) is not None:
            self._retained[part] = (fingerprint, content)
        return content

    def store(self, workspace: Workspace) -> None:
        """Write the parts to the cache, where anything changed."""
        if self._retained == self._known:
            return
        of_models = {part: content for part, (_, content) in self._retained.items() if is_of_models(part)}
        others = {part: content for part, (_, content) in self._retained.items() if not is_of_models(part)}
        written = {}
        for name, content in ((STATISTICS, others), (PERFORMANCE, of_models)):
            text = strict_json.dumps({"version": _VERSION, "parts": content}).encode()
            _native.write_cache(workspace.path, name, text)
            written[name] = _native.blake3_hex(text, 16)
        fingerprints = {part: fingerprint for part, (fingerprint, _) in self._retained.items()}
        # JSON is valid YAML, and parsed ten times as fast.
        manifest = strict_json.dumps({"version": _VERSION, "files": written, "parts": fingerprints}, indent=1)
        _native.write_cache(workspace.path, MANIFEST, manifest.encode())


def is_of_models(part: str) -> bool:
    """Return whether a part holds the performance of models."""
    return part == "" or part.startswith("predictions/")


def _load(workspace: Workspace) -> dict[str, tuple[str, Any]]:
    """Return the cached parts; empty where a file is missing, damaged or of another version or write."""
    try:
        manifest = json.loads(_native.read_cache(workspace.path, MANIFEST) or b"")
        if manifest["version"] != _VERSION:
            return {}
        contents: dict[str, Any] = {}
        for name in (STATISTICS, PERFORMANCE):
            text = _native.read_cache(workspace.path, name) or b""
            if manifest["files"][name] != _native.blake3_hex(text, 16):
                return {}
            contents |= json.loads(text)["parts"]
        return {str(part): (fingerprint, contents[part]) for part, fingerprint in manifest["parts"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _results(
    workspace: Workspace,
    runs: Sequence[Mapping[str, Any]],
    parts: _CachedParts,
    errors: list[Problem],
) -> list[dict[str, int]]:
    """Return how many results of each run are done and how many failed."""
    found = {run["id"]: parts.get(f"runs/{run['id']}") for run in runs}
    stale = [run_id for run_id, counted in found.items() if counted is None]
    # Sessions and files of nirs4all 0.6 are parts under other names, which `_native.count_results` caches.
    native = {run["id"] for run in runs if run["kind"] == "run"}
    for run_id, (done, failed), problems in _native.count_results(workspace.path, stale):
        listing.add_problems(errors, problems)
        if run_id:
            found[run_id] = {"done": done, "failed": failed}
        if run_id in native:
            parts.put(f"runs/{run_id}", found[run_id], keep=not problems)
    # A run that was deleted meanwhile has no counts.
    return [counted for counted in found.values() if counted is not None]


def _datasets(workspace: Workspace, parts: _CachedParts, errors: list[Problem]) -> dict[str, int]:
    counted: dict[str, int] | None = parts.get("datasets")
    if counted is None:
        listed = workspace.datasets.list()
        root = workspace.path
        listing.add_problems(
            errors, ({**it, "path": it["path"].removeprefix(f"{root}/")} for it in listed.errors)
        )
        # The registry of a folder of nirs4all 0.6 is derived from prediction files, which this part excludes.
        keep = not listed.errors and workspace.format_version > 1
        counted = parts.put("datasets", dict(Counter(record.status for record in listed)), keep=keep)
    return counted


def _folders(
    workspace: Workspace, folders: Sequence[str], parts: _CachedParts, errors: list[Problem]
) -> list[dict[str, Any]]:
    """Return the performance of models in each folder of predictions."""
    found = {folder: parts.get(folder) for folder in folders}
    stale = [folder for folder, part in found.items() if part is None or not _agrees(part)]
    for folder, answer in zip(stale, _native.performance(workspace.path, stale), strict=True):
        part = {"rows": answer["rows"], "files": answer["files"], "models": answer["models"]}
        found[folder] = parts.put(folder, part, keep=answer["is_for_all"] and not answer["errors"])
        listing.add_problems(errors, answer["errors"])
    return list(found.values())


def _agrees(part: Mapping[str, Any]) -> bool:
    """Return whether the table of metrics still ranks every metric as it did when this was counted."""
    return all(
        _direction(metric) in (direction, None)
        for metric, direction in {(model["metric"], model["direction"]) for model in part["models"]}
    )


def _direction(metric: str) -> str | None:
    try:
        return _native.metric_info(metric).direction
    except UnknownMetricError:
        return None


def _runs(workspace: Workspace, runs: Sequence[Mapping[str, Any]], errors: list[Problem]) -> dict[str, Any]:
    native = [run for run in runs if run["kind"] == "run"]
    states = Counter(run["status"] for run in runs if run["status"] is not None)
    running = [run["id"] for run in native if run["status"] == RunStatus.RUNNING]
    return {
        "total": len(runs),
        "by_status": {status.value: states.get(status.value, 0) for status in RunStatus},
        "interrupted": sum(not ownership.may_be_owned(workspace.path, run_id, errors) for run_id in running),
        "by_kind": dict(sorted(Counter(run["kind"] for run in runs).items())),
    }


def _add_up(counts: Iterable[Mapping[str, int]], names: Sequence[str] = ()) -> dict[str, Any]:
    by_status = Counter(dict.fromkeys(names, 0))
    for count in counts:
        by_status.update(count)
    return {"total": by_status.total(), "by_status": dict(sorted(by_status.items()))}


def _performance(folders: Iterable[Mapping[str, Any]]) -> list[ModelPerformance]:
    """Add up the performance of each model, dataset and metric over folders."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for folder in folders:
        for part in folder["models"]:
            is_other = part.get("is_other", False)
            key = (part["dataset"], part["metric"], is_other, part["model"] is None, part["model"])
            found.setdefault(key, []).append(part)
    answer: list[ModelPerformance] = []
    for (dataset, metric, is_other, _, model), parts in sorted(
        found.items(), key=lambda item: tuple("" if it is None else it for it in item[0])
    ):
        directions = {part["direction"] for part in parts}
        direction = directions.pop() if len(directions) == 1 else "unknown"
        scores = sum(part["scores"] for part in parts)
        # The sum of scores is None where one is too large for a mean.
        sums = [part["sum"] for part in parts if part["sum"] is not None]
        best = [part["best"] for part in parts if part["best"] is not None]
        entry: ModelPerformance = {
            "dataset": dataset,
            "metric": metric,
            "direction": direction,
            "model": model,
            "count": sum(part["count"] for part in parts),
            "mean": math.fsum(sums) / scores if scores and len(sums) == len(parts) else None,
            "best": best_of(best, direction),
        }
        if len(sums) < len(parts):
            entry["overflow"] = True
        if is_other:
            entry["is_other"] = True
        answer.append(entry)
    return answer
