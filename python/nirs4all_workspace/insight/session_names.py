"""Names of runs and sessions in summaries: rows of nirs4all 0.6 name a configuration, not their session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.predictions.summaries import best_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Run = dict[str, Any]


def name_runs(root: Path, summary: dict[str, Any]) -> None:
    """Put the names of runs, and the sessions with their counts, into a summary of `ws.summary`.

    Args:
        root: The workspace folder.
        summary: The summary of a dataset or of all; its lists of runs are replaced, and records that cannot
            be read are added to its errors.
    """
    names, counted, errors = _native.session_rows(root)
    # A damaged record does not concern the rows; a path that cannot be opened may hold rows.
    listing.add_problems(summary["errors"], (error for error in errors if error["kind"] == "io"))
    sessions: dict[tuple[str, str], list[Run]] = {}
    for id_, dataset, metric, rows, best in counted:
        run = {"id": id_, "name": names[id_], "n_predictions": rows, "best_val_score": best}
        sessions.setdefault((nfc(dataset), metric), []).append(run)

    def fill(part: dict[str, Any], datasets: Iterable[str]) -> None:
        found: set[str] = set()
        for metric, group in part["by_metric"].items():
            named = [{**run, "name": names.get(run["id"], run["name"])} for run in group["runs"]]
            of_old = [run for dataset in datasets for run in sessions.get((dataset, metric), ())]
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
    whole = {dataset for dataset, _ in sessions} if "datasets" in summary else [summary["dataset_name"]]
    fill(summary, whole)


def _merged(runs: Iterable[Run], direction: str) -> list[Run]:
    """Return one entry for each id, most rows first, then by id; the aggregated entry comes last."""
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
    ordered = sorted(merged.items(), key=lambda item: (item[0][0], -item[1]["n_predictions"], item[0][1]))
    return [run for _, run in ordered]
