"""What rows and results hold that looks like a mistake: it is stored as it is, and the writer warns of it."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.exceptions import UnknownMetricError
from nirs4all_workspace.model.arguments import PredictionRow
from nirs4all_workspace.model.result import NAMES as RESULT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_COLUMNS = tuple(PredictionRow.__annotations__)
_ARRAYS = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")
_PARTITIONS = ("train", "val", "test")
# Like a column by chance: of later nirs4all, or words of their own.
_NOT_MEANT = frozenset({"pipeline_id", "step_id", "template_index", "weight"})
# The names that filters and people have for columns.
_COLUMNS_BY_NAME = {
    "config": "config_name",
    "dataset": "dataset_name",
    "fold": "fold_id",
    "model": "model_name",
    "result": "result_id",
    "run": "run_id",
    "score": "val_score",
    "template": "template_id",
    "validation_score": "val_score",
}
_PARTITIONS_BY_NAME = {"calibration": "train", "cv": "val", "dev": "val", "holdout": "test", "oof": "val"}
# How alike a column is: names of one letter more, less or other; letters in another order.
_ALIKE, _ALIKE_OF_SAME_LETTERS = 0.88, 0.75

# Characters of a name or value in a message.
_LONGEST = 80


def warning(kind: str, text: str) -> str | None:
    """Return what a writer says of something that its rows have for the first time; None if nothing.

    Args:
        kind: "column" for an extra column, "partition", "metric", "scores" for a text that is no JSON, or
            "lengths" for two arrays of a row.
        text: The name, value or lengths.
    """
    if kind == "column":
        return _column(text)
    if kind == "partition":
        return _partition(text)
    if kind == "metric":
        return _metric(text)
    if kind == "scores":
        return (
            f"scores {_quoted(text)}: expected a mapping, or a JSON object, such as "
            '{"val": {"r2": 0.9}}; it is stored, and no metric finds it'
        )
    return (
        f"y_true and y_pred of a row have different lengths, {text}; both are stored. Expected a prediction "
        "for each sample"
    )


def _column(name: str) -> str | None:
    if name in _ARRAYS:
        return (
            f"the extra column {name!r} of a batch is stored as it is, and `get(arrays=True)` does not find "
            f"it; pass the arrays to `write_arrays`, and their ids as {name}_id"
        )
    meant = column_meant(name)
    if meant is None:
        return None
    return f"{_quoted(name)} is stored as an extra column{_did_you_mean(meant)}"


def column_meant(name: str) -> str | None:
    """Return the known column that the name of an extra one resembles, if there is one."""
    plain = _plain(name)
    if plain in _COLUMNS_BY_NAME:
        return _COLUMNS_BY_NAME[plain]
    if (
        name in RESULT_FIELDS
        or name in _NOT_MEANT
        or (plain[-1:].isdigit() and plain.rstrip("0123456789_") in _COLUMNS)
    ):
        # Fields that a result has too, and a column numbered on purpose.
        return None
    return _alike(plain, _COLUMNS)


def field_meant(name: str) -> str | None:
    """Return the field of a result that the name of another one resembles, if there is one."""
    return None if name in RESULT_FIELDS or name in _COLUMNS else _alike(_plain(name), RESULT_FIELDS)


def result_warnings(
    result: Mapping[str, Any], tally: Mapping[str, Any], unnamed: int
) -> Iterator[tuple[str, str]]:
    """Yield what looks wrong in a result that is checkpointed, as pairs of a kind and a message.

    Args:
        result: The result with all of its fields.
        tally: What its rows say.
        unnamed: The number of rows before it that name no result, and may have been meant as its rows.
    """
    for name in result:
        meant = field_meant(name)
        if meant is not None:
            yield f"field {name}", f"result {result['id']} has a field {name!r}; did you mean {meant!r}?"
    if result["status"] != "done":
        return
    what = f"result {result['id']} is done"
    if unnamed and not tally["n_rows"]:
        rows = "the row before it names" if unnamed == 1 else f"the {unnamed} rows before it name"
        yield (
            "unnamed",
            f"{what} without rows, and {rows} no result: give a row the id of its result as result_id",
        )
    if 0 < tally["without_metric"] < tally["n_rows"]:
        lacking = f"{tally['without_metric']} of its {tally['n_rows']} rows have no metric"
        yield "metric", f"{what}, and {lacking}, so that they count in no score"
    if tally["repeated_fold"] is not None:
        fold = f"fold {tally['repeated_fold']!r}"
        yield (
            "fold",
            f"{what}, and several rows of one model have validation scores of {fold}: each counts as a fold. "
            "Give repeats fold ids of their own, and write a fold once",
        )


def _alike(plain: str, names: Sequence[str]) -> str | None:
    """Return the name that one in snake case is like: but for a letter, or with letters in another order."""
    letters = plain.replace("_", "")
    for name in names:
        if name.replace("_", "") == letters:
            return name
    for name in difflib.get_close_matches(plain, names, n=3, cutoff=_ALIKE_OF_SAME_LETTERS):
        is_alike = difflib.SequenceMatcher(None, plain, name).ratio() >= _ALIKE
        if is_alike or sorted(letters) == sorted(name.replace("_", "")):
            return name
    return None


def _partition(value: str) -> str | None:
    if value in (*_PARTITIONS, ""):
        return None
    plain = _plain(value)
    of_its_beginning = (
        one for one in _PARTITIONS if plain.startswith(one) or (plain and one.startswith(plain))
    )
    meant = (
        next(of_its_beginning, None) or _PARTITIONS_BY_NAME.get(plain) or _closest(plain, _PARTITIONS, 0.6)
    )
    expected = "expected 'train', 'val' or 'test', and it is stored"
    return f"partition {_quoted(value)}: {expected}{_did_you_mean(meant)}"


def _metric(name: str) -> str | None:
    if not name:
        return None
    try:
        _native.metric_info(name)
    except UnknownMetricError:
        pass
    else:
        return None
    meant = _did_you_mean(_closest(_plain(name), _native.metric_names(), 0.75))
    what = "its rows are stored, and not ranked unless a direction is given"
    return f"metric {_quoted(name)} is unknown: {what}{meant} (`register_metric` adds a metric)"


def _closest(name: str, names: Iterable[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)), None)


def _did_you_mean(name: str | None) -> str:
    return "" if name is None else f"; did you mean {name!r}?"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _plain(name: str) -> str:
    """Return a name in snake case: `ValScore`, `val-score` and `VAL SCORE ` are `val_score`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", apart).lower().strip("_")
