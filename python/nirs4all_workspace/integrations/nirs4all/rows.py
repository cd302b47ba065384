"""Rows of nirs4all as a workspace stores them: all that it says, and what it leaves out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nirs4all_workspace.integrations.nirs4all.steps import Model, model_of_row, models_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_ARRAYS = ("y_true", "y_pred", "y_proba", "weights")
_SAMPLE_IDS = "physical_sample_id"
# The writer's, or nirs4all's in local time without a zone.
_NOT_KEPT = ("dataset_name", "created_at")
# What nirs4all's default engine leaves at zero, or empty, though it is not so.
_COUNTS = ("n_features",)
_REFIT = "_refit"
_NO_FOLD = (None, "", "final")


def results_of(result: Any) -> list[Any]:  # noqa: ANN401 - a RunResult, which is imported on use
    """Return a result's own results, one for each call that it stands for; itself where it is one."""
    children = getattr(result, "runs", None)
    if not isinstance(children, list | tuple) or not children:
        return [result]
    return [leaf for child in children for leaf in results_of(child)]


def rows_of(
    result: Any,  # noqa: ANN401 - as above
    *,
    steps: object = None,
    config_name: str | None = None,
    description: Mapping[str, Any] | None = None,
    tuned: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the rows of a result for `Writer.write`.

    A text, mapping or list that is empty says nothing and is left out; a null stays one. Columns that a
    workspace does not have keep nirs4all's names.

    Args:
        result: What `nirs4all.run` returned for one configuration and dataset.
        steps: The steps of the configuration, from which model_classname and preprocessings are filled.
        config_name: Its name, where rows have none.
        description: What is known of the dataset (`inputs.Loaded`).
        tuned: The manifest of each model file (`models.exported`), in which nirs4all keeps the parameters
            that a search selected.
    """
    models = models_of(steps)
    leaves = results_of(result)
    found = []
    for place, leaf in enumerate(leaves):
        is_one = len(leaves) == 1
        known = Known(
            models=models,
            place=None if is_one else place,
            config_name=config_name if is_one or config_name is None else f"{config_name}_p{place}",
            description=description or {},
            selected=selected_params(tuned[place]) if place < len(tuned) else {},
        )
        found += [row_of(given, known) for given in leaf.predictions.filter_predictions(load_arrays=True)]
    return found


@dataclass(frozen=True)
class Known:
    """What is known of a row beside what it says.

    Attributes:
        models: The models of its configuration.
        place: The place of its result among several of one pipeline; None of a single one.
        config_name: The name of its configuration, where rows have none.
        description: What is known of the dataset.
        selected: The parameters that a search selected (`selected_params`).
    """

    models: list[Model] = field(default_factory=list)
    place: int | None = None
    config_name: str | None = None
    description: Mapping[str, Any] = field(default_factory=dict)
    selected: Mapping[str | None, Any] = field(default_factory=dict)


def row_of(given: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Return one row of nirs4all for `Writer.write`, as `rows_of` does."""
    row = _kept(given)
    fold = row.get("fold_id")
    is_refit = fold == "final" and row.get("refit_context") == "standalone"
    for key in _COUNTS:
        if not row.get(key):
            row[key] = known.description.get(key)
    if known.config_name is not None:
        row.setdefault("config_name", known.config_name + _REFIT if is_refit else known.config_name)
    model = model_of_row(known.models, given, known.place)
    if model is not None:
        row.setdefault("model_classname", model.classname or None)
        row.setdefault("preprocessings", model.preprocessings or None)
    row.setdefault("best_params", known.selected.get(None if fold == "final" else f"fold{fold}"))
    return row


def selected_params(manifest: Mapping[str, Any]) -> dict[str | None, Any]:
    """Return the parameters that a search selected in each fold (`fold0`), and for the refit (None)."""
    searches = (manifest.get("host_hpo") or {}).get("searches") or []
    return {(search.get("scope") or {}).get("fold_id"): search.get("selected_params") for search in searches}


def sample_ids_hash(rows: Iterable[dict[str, Any]]) -> str | None:
    """Take out of rows the ids of samples that follow from their indices: `<hash of the dataset>.s<index>`.

    Returns:
        That hash, from which the ids can be made again; None where none was taken out.
    """
    found: str | None = None
    for row in rows:
        ids = (row.get("metadata") or {}).get(_SAMPLE_IDS)
        indices = row.get("sample_indices")
        if not ids or indices is None:
            continue
        prefix = str(ids[0]).rpartition(".s")[0]
        if prefix != (found or prefix) or list(ids) != [f"{prefix}.s{index}" for index in indices.tolist()]:
            continue
        found = prefix
        others = {key: value for key, value in row["metadata"].items() if key != _SAMPLE_IDS}
        row["metadata"] = others or None
    return found


def fields_of(
    result: Any,  # noqa: ANN401 - as above
    rows: Sequence[Mapping[str, Any]],
    description: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    engine: str | None = None,
) -> dict[str, Any]:
    """Return further fields of the Result, those that are known.

    Args:
        result: What `nirs4all.run` returned.
        rows: Its rows.
        description: What is known of the dataset.
        facts: What else is known of it.
        engine: The engine that was asked for: nirs4all's legacy engine does not say its name.
    """
    known = description or {}
    has_folds = any(row.get("partition") == "val" and row.get("fold_id") not in _NO_FOLD for row in rows)
    found = {
        # Without folds it would be a copy of the test score.
        "score_avg": _number(result.cv_best_score) if has_folds else None,
        "refit_score": _number(result.final_score),
        "engine": result.execution_engine or engine or "legacy",
        "lane": result.execution_lane,
        "task_type": next((row["task_type"] for row in rows if row.get("task_type")), known.get("task_type")),
        "n_samples": known.get("n_samples"),
        "n_features": known.get("n_features"),
        "classes": (facts or {}).get("classes"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row of nirs4all says."""
    row: dict[str, Any] = {}
    for key, value in given.items():
        if key in _NOT_KEPT:
            continue
        if key in _ARRAYS:
            row[key] = _array(value)
        elif key == "sample_indices":
            row[key] = None if value is None or len(value) == 0 else np.asarray(value, dtype=np.int64)
        elif isinstance(value, np.ndarray):
            # Spectra and the like: no column for arrays, and empty where nirs4all was not asked for them.
            row[key] = value.tolist() if value.size else None
        elif isinstance(value, str | dict | list | tuple) and not value:
            row[key] = None
        else:
            row[key] = value
    return {key: value for key, value in row.items() if value is not None}


def _array(value: object) -> Any:  # noqa: ANN401 - an array, of which NumPy has no exact type
    array = None if value is None else np.asarray(value)
    return array if array is not None and array.size else None


def _number(value: object) -> float | None:
    """Return a score; None where nirs4all has none, for which it says NaN."""
    number = float(value) if isinstance(value, int | float | np.number) else math.nan
    return None if math.isnan(number) else number
