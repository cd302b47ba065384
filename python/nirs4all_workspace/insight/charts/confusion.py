"""How often a class was predicted as each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nirs4all_workspace.insight.charts.pairs import Pairs, PooledRows
    from nirs4all_workspace.model.chart_answers import ConfusionGroup, ConfusionMatrix

MOST_LABELS = 50
_CLASSIFICATION = "classification"


def confusion_matrix(rows: PooledRows) -> ConfusionMatrix:
    """Return the matrices that `Charts.confusion_matrix` describes."""
    others = [name for name in rows.task_types if not name.endswith(_CLASSIFICATION)]
    if others:
        message = (
            f"a confusion matrix is of rows of a classification; among these are rows of {', '.join(others)}"
        )
        raise ValueError(f"{message}; pass task_type=, dataset= or run=")
    return {**rows.chart(), "groups": [_matrix_of(pairs) for pairs in rows.groups]}


def _matrix_of(pairs: Pairs) -> ConfusionGroup:
    true, predicted = pairs.true, pairs.predicted
    found, counts = np.unique(np.concatenate([true, predicted]), return_counts=True)
    # The most frequent; of equally frequent ones the smaller.
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:MOST_LABELS]])
    is_kept = np.isin(true, kept) & np.isin(predicted, kept)
    matrix = np.zeros((len(kept), len(kept)), np.int64)
    places = np.searchsorted(kept, true[is_kept]), np.searchsorted(kept, predicted[is_kept])
    np.add.at(matrix, places, 1)
    return {
        "dataset_name": pairs.dataset_name,
        "partition": pairs.partition,
        "target": pairs.target,
        "rows": pairs.rows,
        "n": len(true),
        "invalid": pairs.invalid,
        "labels": [int(label) if label.is_integer() else label for label in kept.tolist()],
        "matrix": matrix.tolist(),
        "others": int((~is_kept).sum()),
        "accuracy": float(np.mean(true == predicted)) if len(true) else None,
    }
