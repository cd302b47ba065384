"""Predictions of a workspace in nirs4all's own form, on which its rankings, plots and reports work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import display
from nirs4all_workspace.integrations.nirs4all import stored_rows
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    import os

    from nirs4all_workspace.runs.recorded import RecordedRun
    from nirs4all_workspace.runs.run import Run


def to_predictions(
    workspace: Workspace | str | os.PathLike[str],
    run: Run | RecordedRun | str | None = None,
    **filters: Any,  # noqa: ANN401 - of PredictionFilters, all but `run`
) -> Any:  # noqa: ANN401 - nirs4all's Predictions, which is imported on use
    """Return predictions as nirs4all's `Predictions`, in memory, with arrays.

    Args:
        workspace: A workspace, or the path of one; also a folder of nirs4all 0.6.
        run: The run, its id or its name; None for the rows of all runs.
        filters: The filters of `ws.predictions.page`: dataset, model, partition, result, fold, task_type,
            metric; min_val_score, max_val_score and so on.

    Returns:
        A `nirs4all.data.Predictions`, oldest rows first. Each row has what nirs4all's own store would give
        back: ids, names, scores, `y_true`, `y_pred` and `y_proba` as float64 arrays of their stored shapes,
        weights, sample indices, metadata; besides `run_id`. `pipeline_id` and `chain_id` tell configurations
        and models apart. Of rows of several runs with one id each has the run's id before its own. Files that
        cannot be read are warned of.

    Raises:
        ImportError: nirs4all is not installed.
        ValueError, TypeError: A filter is invalid.
        NotFoundError: There is no such run.
        CorruptFileError, OSError: Arrays may lie in a file that cannot be read.
    """
    found = nirs4all("nirs4all.data").Predictions()
    ws = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    named = run if run is None or isinstance(run, str) else run.id
    parts, errors = stored_rows.read(ws, filters if named is None else {**filters, "run": named})
    for error in errors:
        display.warn(f"left out: {error['path']}: {error['kind']}: {error['message']}")
    for part in unique(parts):
        given = stored_rows.with_arrays(ws, part)
        found.merge_predictions(stored_rows.predictions(part, given, stored_rows.places(part)))
    return found


def unique(parts: list[stored_rows.Rows]) -> list[stored_rows.Rows]:
    """Give ids that several runs have the run's id before them, so that all are unique; return the rows."""
    counts = Counter(row["id"] for part in parts for row in part.rows)
    for part in parts:
        for row in part.rows:
            if counts[row["id"]] > 1:
                row["id"] = f"{part.run_id}/{row['id']}"
    return parts
