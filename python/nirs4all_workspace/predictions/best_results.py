"""Rankings of results: the best of each dataset by one metric, or their best models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.model.result import Result
from nirs4all_workspace.predictions import pages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCORES = ("val_score", "test_score")
# Filters by a field of a result that is equal to a text.
_EQUAL = {"result": "id", "task_type": "task_type"}
_OTHERS = ("run", "dataset", "model")
_BOUNDS = tuple(f"{end}_{score}" for score in _SCORES for end in ("min", "max"))


def rank(root: Path, asked: dict[str, Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of `Predictions.top(per=...)`, in the form of its other answers.

    Args:
        root: The workspace folder.
        asked: per, k, metric, score, direction and live.
        filters: What results must have, by name.
    """
    score = asked["score"] or _SCORES[0]
    if score not in _SCORES:
        raise ValueError(f"score is {score!r}; results have val_score and test_score")
    given = {name: value for name, value in filters.items() if value is not None}
    for name in given:
        if name not in (*_EQUAL, *_OTHERS, *_BOUNDS):
            known = ", ".join((*_OTHERS, *_EQUAL, *_BOUNDS))
            raise ValueError(f"{name}: results have no such filter; with per= there are {known}")
    for name, value in given.items():
        wanted: Any = (int, float) if name in _BOUNDS else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            kind = "a number" if name in _BOUNDS else "a text"
            raise TypeError(f"{name}: expected {kind}, got {value!r}")
    pages.check_texts(per=asked["per"], **{name: given.get(name) for name in (*_EQUAL, *_OTHERS)})
    run = given.get("run")
    if run is not None:
        headers, errors = catalogue.run_headers(root)
        given["run"] = catalogue.find_run(root, run, [(it.id, it.name) for it in headers], errors)
    bounds = [given.get(name) for name in _BOUNDS]
    found = _native.top_results(
        root,
        {name: asked[name] for name in ("per", "k", "metric", "direction", "live")}
        | {name: given.get(name) for name in _OTHERS}
        | {"by_test": score == "test_score", "bounds": [bounds[:2], bounds[2:]]}
        | {"equal": {field: given[name] for name, field in _EQUAL.items() if name in given}},
    )
    return {
        "metric": found["metric"],
        "direction": found["direction"],
        "ranked_by": "score" if score == _SCORES[0] else "score_test",
        "records": [Result.from_dict(item, item["writer"]).to_dict() for item in found["results"]],
        "files_read": 0,
        "errors": found["errors"],
    }
