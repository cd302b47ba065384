"""Targets and predictions of rows, pooled by dataset and partition as scores of results are.

Each model of a result is looked at for itself. Of validation and training the rows of single folds count;
averages over folds only where there is no single one. Of a test set the final model's row counts, else that
of the fold avg, else those of single folds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import problem
from nirs4all_workspace.predictions import arrays, filtered, pages, rows_by_id
from nirs4all_workspace.predictions.conditions import NO_SINGLE_FOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.chart_answers import PairChart, PairGroup, PairPoints
    from nirs4all_workspace.workspace import Workspace

# More rows are not looked at, and no further arrays are read once there are so many pairs.
MOST_ROWS = 2_000
MOST_PAIRS = 2_000_000
MOST_GROUPS = 50
MOST_POINTS = 50_000
# Rows whose arrays are read together.
_ROWS_AT_ONCE = 200
_ARRAYS = ("y_true_id", "y_pred_id", "sample_indices_id")
# What tells the models of results apart.
_MODEL = (
    "run_id",
    "result_id",
    "dataset_name",
    "config_name",
    "model_name",
    "step_idx",
    "branch_id",
    "partition",
)
_COLUMNS = ("id", *_MODEL, "fold_id", "task_type", *_ARRAYS)
_AVERAGED = (
    "there are no predictions of single folds: averages over folds are shown, of which models may have been "
    "trained on the samples"
)


@dataclass
class Pairs:
    """The pairs of one dataset, partition and target.

    Attributes:
        dataset_name: The dataset.
        partition: The partition.
        target: The column of the arrays.
        rows: The number of predictions.
        invalid: The number of pairs with NaN or an infinity, which are left out.
    """

    dataset_name: str | None
    partition: str | None
    target: int
    rows: int = 0
    invalid: int = 0
    _parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, Mapping[str, Any]]] = field(default_factory=list)

    def add(
        self, row: Mapping[str, Any], true: np.ndarray, predicted: np.ndarray, samples: np.ndarray
    ) -> None:
        """Add the pairs of one row."""
        is_valid = np.isfinite(true) & np.isfinite(predicted)
        self.rows += 1
        self.invalid += int((~is_valid).sum())
        self._parts.append((true[is_valid], predicted[is_valid], samples[is_valid], row))

    @property
    def true(self) -> np.ndarray:
        """The targets."""
        return np.concatenate([part[0] for part in self._parts])

    @property
    def predicted(self) -> np.ndarray:
        """The predictions."""
        return np.concatenate([part[1] for part in self._parts])

    def figures(self) -> PairGroup:
        """Return what is computed from all pairs."""
        true, predicted = self.true, self.predicted
        r2 = rmse = bias = None
        if len(true):
            with np.errstate(over="ignore", invalid="ignore"):
                errors = predicted - true
                squares = float(np.sum(np.square(errors)))
                spread = float(np.sum(np.square(true - np.mean(true))))
                rmse = _finite(math.sqrt(squares / len(true)))
                bias = _finite(float(np.mean(errors)))
                r2 = _finite(1 - squares / spread) if spread > 0 else None
        return {
            "dataset_name": self.dataset_name,
            "partition": self.partition,
            "target": self.target,
            "rows": self.rows,
            "n": len(true),
            "invalid": self.invalid,
            "r2": r2,
            "rmse": rmse,
            "bias": bias,
        }

    def points(self, chosen: np.ndarray) -> PairPoints:
        """Return the pairs at some places."""
        samples = np.concatenate([part[2] for part in self._parts])[chosen]
        row_of = np.repeat(np.arange(len(self._parts)), [len(part[0]) for part in self._parts])[chosen]
        rows = [self._parts[at][3] for at in row_of]
        return {
            "y_true": self.true[chosen].tolist(),
            "y_pred": self.predicted[chosen].tolist(),
            "fold_id": [row["fold_id"] for row in rows],
            "sample": [None if math.isnan(sample) else int(sample) for sample in samples.tolist()],
            "id": [row["id"] for row in rows],
        }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def places_of(groups: Sequence[Pairs], most: int) -> list[np.ndarray]:
    """Return which pairs of each group are points: all, or a share of each that is the same each time."""
    sizes = [len(group.true) for group in groups]
    total = sum(sizes)
    chosen = []
    for size in sizes:
        count = size if total <= most else max(1, size * most // total) if size else 0
        picked = (
            np.random.default_rng(0).choice(size, count, replace=False) if count < size else np.arange(size)
        )
        chosen.append(np.sort(picked))
    return chosen


class PooledRows:
    """The pairs of the rows that fit, by dataset, partition and target.

    Attributes:
        groups: The groups, in the order of dataset, partition and target.
    """

    def __init__(
        self, workspace: Workspace, ids: str | Sequence[str] | None, filters: Mapping[str, Any]
    ) -> None:
        """Read the rows and their arrays.

        Raises:
            ValueError: A filter is invalid, other filters than `run` are given with ids, or several runs have
                a row with an id.
            NotFoundError: There is no such row or run.
            OSError: The workspace cannot be listed.
        """
        self._root = workspace.path
        self._errors: list[Problem] = []
        self._found: dict[tuple[Any, ...], Pairs] = {}
        self._without = self._averaged = self._used = self._pairs = 0
        self._notes: list[str] = []
        self._is_complete = True
        rows = self._filtered(workspace, filters) if ids is None else self._named(workspace, ids, filters)
        if ids is None and filters.get("fold") is None:
            rows = self._pooled(rows)
        self.task_types = sorted({row["task_type"] for row in rows if row["task_type"]})
        self._read(rows)
        keys = sorted(self._found, key=lambda key: tuple((it is None, it) for it in key))
        if len(keys) > MOST_GROUPS:
            self._notes.append(f"{len(keys) - MOST_GROUPS} more datasets and partitions are left out")
        self.groups = [self._found[key] for key in keys[:MOST_GROUPS]]

    def chart(self) -> PairChart:
        """Return what every chart of these rows says."""
        return {
            "rows": self._rows,
            "rows_used": self._used,
            "rows_averaged": self._averaged,
            "rows_without_arrays": self._without,
            "is_complete": self._is_complete,
            "notes": self._notes,
            "errors": self._errors,
        }

    def _filtered(self, workspace: Workspace, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        bounds = {name: filters.get(name) for name in ("min_scores", "max_scores")}
        given = pages.with_scores({key: it for key, it in filters.items() if key not in bounds}, **bounds)
        rows = filtered.FilteredRows(self._root, workspace.predictions.native_filters(given))
        found = rows.first(_COLUMNS, MOST_ROWS)
        self._rows = rows.count()
        self._is_complete = self._rows <= len(found)
        listing.add_problems(self._errors, rows.errors)
        return found.to_dicts()

    def _named(
        self, workspace: Workspace, ids: str | Sequence[str], filters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        others = [name for name, value in filters.items() if value is not None and name != "run"]
        if others:
            raise ValueError(
                f"id, {', '.join(others)}: an id names a row; pass run= beside it, and nothing else"
            )
        wanted = [ids] if isinstance(ids, str) else list(ids)
        if not 1 <= len(wanted) <= MOST_ROWS:
            raise ValueError(f"id: expected from 1 to {MOST_ROWS:,} ids, got {len(wanted)}")
        run = filters.get("run")
        asked = workspace.predictions.native_filters({"run": run})
        rows = []
        for id_ in dict.fromkeys(wanted):
            errors: list[Problem] = []
            row = rows_by_id.find(self._root, id_, asked, errors)
            rows.append(row)
            listing.add_problems(self._errors, errors)
        self._rows = len(rows)
        return rows

    def _pooled(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that count of each model of a result."""
        models: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in rows:
            models.setdefault(tuple(row[name] for name in _MODEL), []).append(row)
        counting: list[dict[str, Any]] = []
        for of_model in models.values():
            folds = {row["fold_id"] for row in of_model}
            single = folds - {*NO_SINGLE_FOLD}
            is_test = of_model[0]["partition"] == "test"
            ranked: list[set[Any]] = [{"final"}, {"avg"}, single] if is_test else [single, {"avg"}, {"final"}]
            wanted = next((some for some in ranked if some & folds), folds)
            if of_model[0]["partition"] == "val" and not single and _AVERAGED not in self._notes:
                self._notes.append(_AVERAGED)
            counting += [row for row in of_model if row["fold_id"] in wanted]
        self._averaged = len(rows) - len(counting)
        return counting

    def _read(self, rows: list[dict[str, Any]]) -> None:
        for some in _together(rows):
            if self._pairs >= MOST_PAIRS:
                self._is_complete = False
                return
            wanted = {row[name] for row in some for name in _ARRAYS} - {None}
            found, unread = arrays.read_arrays(self._root, some[0]["run_id"], some[0]["dataset_name"], wanted)
            for error in unread:
                named = str(getattr(error, "path", None) or getattr(error, "filename", None) or "arrays")
                listing.add_problems(self._errors, [problem(named.removeprefix(f"{self._root}/"), error)])
            for row in some:
                self._add(row, *(found.get(row[name]) for name in _ARRAYS))

    def _add(
        self,
        row: dict[str, Any],
        true: np.ndarray | None,
        predicted: np.ndarray | None,
        samples: np.ndarray | None,
    ) -> None:
        if true is None or predicted is None or true.size != predicted.size:
            self._without += 1
            return
        self._used += 1
        self._pairs += true.size
        targets = true.shape[1] if true.ndim == 2 and true.shape == predicted.shape else 1
        true, predicted = true.reshape(-1, targets), predicted.reshape(-1, targets)
        indices = np.full(len(true), np.nan)
        if samples is not None and samples.size == len(true):
            indices = samples.ravel()
        indices = np.where(np.isfinite(indices), indices, np.nan)
        for target in range(targets):
            key = (row["dataset_name"], row["partition"], target)
            pairs = self._found.setdefault(key, Pairs(*key))
            pairs.add(row, true[:, target], predicted[:, target], indices)


def _together(rows: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Yield rows whose arrays lie together, some at a time, in an order of their names."""
    places: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    for row in rows:
        places.setdefault((row["run_id"], row["dataset_name"]), []).append(row)
    for place in sorted(places, key=lambda place: tuple((it is None, it) for it in place)):
        of_place = sorted(places[place], key=lambda row: (row["fold_id"] or "", row["id"] or ""))
        for at in range(0, len(of_place), _ROWS_AT_ONCE):
            yield of_place[at : at + _ROWS_AT_ONCE]
