"""Whose a summary's rows are: rows of nirs4all 0.6 name a configuration, not the call that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue, looking
from nirs4all_workspace.paths import nfc
from nirs4all_workspace.summaries import best_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Run = dict[str, Any]


def name_runs(root: Path, summary: dict[str, Any], configurations: dict[str, dict[str, list[Run]]]) -> None:
    """Put runs by their names, and sessions for configurations, into a summary of `ws.summary`.

    Args:
        root: The workspace.
        summary: Of a dataset or of all; its lists of runs are replaced, and what says no name is added to its
            errors.
        configurations: What rows without a run are counted under, by dataset (in NFC) and metric.
    """
    names: dict[str, str] = {}
    sessions: dict[tuple[str, str], tuple[str, str]] = {}
    heads, errors = catalogue.heads(root)
    # A damaged record is no fault of rows; what cannot be opened may be anything.
    looking.add(summary["errors"], (error for error in errors if error["kind"] == "io"))
    for head in heads:
        names[head.id] = head.name
        if head.kind == "session":
            for manifest in head.entry()["manifests"]:
                sessions[nfc(manifest["dataset"]), manifest["pipeline_id"]] = head.id, head.name

    def of_sessions(dataset: str, metric: str) -> Iterable[Run]:
        for config in configurations.get(dataset, {}).get(metric, ()):
            if (dataset, config["id"]) in sessions:
                id_, name = sessions[dataset, config["id"]]
                yield {**config, "id": id_, "name": name}

    def fill(part: dict[str, Any], datasets: Iterable[str]) -> None:
        found: set[str] = set()
        for metric, group in part["by_metric"].items():
            named = [{**run, "name": names.get(run["id"], run["name"])} for run in group["runs"]]
            of_old = [run for dataset in datasets for run in of_sessions(dataset, metric)]
            found |= {run["id"] for run in of_old}
            group["runs"] = _merged([*named, *of_old], group["direction"])
        groups = {metric: group["runs"] for metric, group in part["by_metric"].items()}
        main = groups.pop(part["metric"] or "", [])
        others = [{**run, "best_val_score": None} for runs in groups.values() for run in runs]
        part["runs"] = _merged([*main, *others], part["direction"])
        if "facets" in part:
            part["facets"]["n_runs"] += len(found)

    for dataset in summary.get("datasets", ()):
        fill(dataset, [dataset["dataset_name"]])
    fill(summary, list(configurations) if "datasets" in summary else [summary["dataset_name"]])


def _merged(runs: Iterable[Run], direction: str) -> list[Run]:
    """The same with one entry for each id, by id; what is counted together comes last."""
    merged: dict[tuple[bool, str], Run] = {}
    for run in runs:
        key = bool(run.get("is_other")), run["id"] or ""
        if key not in merged:
            merged[key] = dict(run)
            continue
        known = merged[key]
        known["n_predictions"] += run["n_predictions"]
        scores = [score for score in (known["best_val_score"], run["best_val_score"]) if score is not None]
        known["best_val_score"] = best_of(scores, direction)
    return [merged[key] for key in sorted(merged)]
