"""Rows of a workspace as nirs4all has them: what `rows` took in, given back."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nirs4all_workspace.integrations.nirs4all.expansion import with_numbers
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.recorded_names import base_of
from nirs4all_workspace.predictions.arrays import ROLES, arrays_by_id
from nirs4all_workspace.values.canonical import content_id
from nirs4all_workspace.values.json_columns import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.workspace import Workspace

_PAGE = 20_000
# Columns that may be null here, and are empty or zero there.
_TEXTS = (
    *("dataset_path", "config_path", "model_name", "model_classname", "model_path", "fold_id", "partition"),
    *("metric", "task_type", "preprocessings", "branch_name", "model_artifact_id", "trace_id"),
    "target_processing",
)
_COUNTS = ("step_idx", "op_counter", "n_samples", "n_features")
_MAPPINGS = ("scores", "best_params", "metadata", "result_metadata")
_AS_THEY_ARE = (
    *("dataset_name", "val_score", "test_score", "train_score", "branch_id"),
    *("exclusion_count", "exclusion_rate", "refit_context"),
)
# Arrays that rows have where a store of nirs4all had them.
_SPECTRA = ("X", "spectra")
_SAMPLE_IDS = "physical_sample_id"


@dataclass(frozen=True)
class Rows:
    """Rows of one run on one dataset, oldest first.

    Attributes:
        run_id: The run; None of rows that are of none.
        dataset: The name of the dataset.
        rows: The rows as `ws.predictions.page` has them, with all columns.
    """

    run_id: str | None
    dataset: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """Where a row stands in a store of nirs4all, in which a pipeline has chains, and a chain has rows.

    Attributes:
        pipeline: An id of the pipeline: of one configuration of one result.
        name: The name of the pipeline, which is that of the configuration.
        chain: An id of the chain: of one model of the pipeline in one branch.
    """

    pipeline: str
    name: str
    chain: str


def read(ws: Workspace, filters: Mapping[str, Any]) -> tuple[list[Rows], list[Problem]]:
    """Return the rows that the filters of `ws.predictions.page` let through, and files that are unreadable.

    Raises:
        ValueError, TypeError, NotFoundError, OSError: As for `ws.predictions.page`.
    """
    columns = ws.predictions.scan().collect_schema().names()
    found: dict[tuple[str | None, str], list[dict[str, Any]]] = defaultdict(list)
    errors: list[Problem] = []
    cursor = None
    while True:
        page = ws.predictions.page(0, _PAGE, "created_at", False, cursor, columns, **filters)
        errors += [error for error in page.errors if error not in errors]
        for row in page.records:
            found[row["run_id"], row["dataset_name"]].append(row)
        cursor = page.next_cursor
        if cursor is None:
            return [Rows(run_id, dataset, rows) for (run_id, dataset), rows in found.items()], errors


def places(part: Rows) -> list[Place]:
    """Return the place of each row.

    Of rows that agree in chain, fold, partition, model and branch a store keeps the last one alone: here each
    gets a chain of its own.
    """
    seen: Counter[str] = Counter()
    found = []
    for row in part.rows:
        name = config_name(row)
        pipeline = content_id("pipeline", [part.run_id, row["result_id"], part.dataset, name])
        model = [row.get(key) for key in ("model_name", "step_idx", "branch_id", "branch_name")]
        model.append(parsed(row.get("branch_path")))
        natural = content_id("row", [pipeline, model, row["fold_id"], row["partition"]])
        found.append(Place(pipeline, name, content_id("chain", [pipeline, model, seen[natural]])))
        seen[natural] += 1
    return found


def config_name(row: Mapping[str, Any]) -> str:
    """Return the name of the configuration under which nirs4all's own store has a row.

    Its default engine stores rows of a model that was fitted again beside those of its folds; its legacy
    engine under a name of their own.
    """
    name = str(row.get("config_name") or "")
    is_default = "dagml_projection" in _mapping(row.get("result_metadata"))
    return base_of(name) if is_default else name


def without_arrays(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the arguments of nirs4all's `add_prediction`, but its arrays and pipeline."""
    found: dict[str, Any] = {name: row.get(name) or "" for name in _TEXTS}
    found |= {name: row.get(name) or 0 for name in _COUNTS}
    found |= {name: _mapping(row.get(name)) for name in _MAPPINGS}
    found |= {name: row.get(name) for name in _AS_THEY_ARE}
    return found | {"branch_path": parsed(row.get("branch_path")), "config_name": config_name(row)}


def with_arrays(ws: Workspace, part: Rows) -> list[dict[str, Any]]:
    """Return each row as the arguments of nirs4all's `add_prediction`, but its pipeline.

    Arrays that several rows share are one object. Ids of samples that were left out because they follow from
    the indices are made again.

    Raises:
        CorruptFileError, OSError: Arrays may lie in a file that cannot be read.
    """
    roles = [*ROLES, *(role for role in _SPECTRA if any(row.get(f"{role}_id") for row in part.rows))]
    wanted = {row[f"{role}_id"] for row in part.rows for role in roles} - {None}
    # In a 0.6 folder `run_id` is the session, which no file is named after.
    arrays = arrays_by_id(ws.path, part.run_id if ws.format_version > 1 else None, part.dataset, wanted)
    indices = {
        id_: arrays[id_].astype(np.int64)
        for id_ in {row["sample_indices_id"] for row in part.rows} & arrays.keys()
    }
    hashes = _hashes(ws, part)
    found = []
    for row in part.rows:
        given = without_arrays(row) | {role: arrays.get(row[f"{role}_id"]) for role in roles}
        given["sample_indices"] = indices.get(row["sample_indices_id"])
        content_hash = hashes.get(row["result_id"])
        if content_hash is not None and given["sample_indices"] is not None:
            ids = [f"{content_hash}.s{index}" for index in given["sample_indices"].tolist()]
            given["metadata"] = {_SAMPLE_IDS: ids} | given["metadata"]
        found.append(given)
    return found


def predictions(part: Rows, given: list[dict[str, Any]], placed: list[Place]) -> Any:  # noqa: ANN401
    """Return rows in nirs4all's `Predictions`, in memory, each with its own id.

    Args:
        part: The rows.
        given: The arguments of `add_prediction` of each row.
        placed: The place of each row.
    """
    found = nirs4all("nirs4all.data").Predictions()
    for arguments, place in zip(given, placed, strict=True):
        found.add_prediction(pipeline_uid=place.pipeline, **arguments)
    for entry, row, place in zip(found.iter_entries(), part.rows, placed, strict=True):
        entry |= {"id": row["id"], "prediction_id": row["id"], "run_id": part.run_id}
        entry |= {"pipeline_id": place.pipeline, "chain_id": place.chain}
        if row["created_at"] is not None:
            entry["created_at"] = row["created_at"].isoformat()
    return found


def _hashes(ws: Workspace, part: Rows) -> dict[str | None, str]:
    """Return the hash from which ids of samples follow, by result."""
    if part.run_id is None or not ws.runs.has(part.run_id):
        return {}
    results = ws.runs.get(part.run_id).results()
    return {it.id: it.extra["sample_ids_hash"] for it in results if it.extra.get("sample_ids_hash")}


def _mapping(value: object) -> dict[str, Any]:
    """Return what a column of JSON says, with numbers in place of the texts that JSON has for NaN."""
    found = with_numbers(parsed(value))
    return found if isinstance(found, dict) else {}
