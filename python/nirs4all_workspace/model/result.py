"""A result: one configuration on one dataset, the unit of work, of checkpoint and of resume."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nirs4all_workspace.exceptions import Problem


@dataclass(slots=True)
class Result:
    """One configuration on one dataset: planned, and finished once it is checkpointed.

    Attributes:
        id: `res_` and 16 hex of the BLAKE3 of run, template, configuration and dataset.
        run_id: The id of the run.
        template_id: The id of the template that the configuration comes from.
        config_id: The id of the configuration.
        config_name: The name of the configuration.
        generator_choices: The choices of the template's generators in this configuration.
        dataset_id: The dataset's id, or its name where it is not registered.
        dataset_name: The dataset's name in its rows.
        status: "done" or "failed"; None until it is checkpointed.
        error: The message of the error that made it fail.
        score: The score of its best model, which ranks it among results of its dataset and metric: what the
            held-out predictions of single folds come to, each fold once (docs/format.md has the formulas);
            NaN where a fold has none.
        score_mean: The plain mean of the folds' scores.
        score_std: Their standard deviation (ddof 1); None of fewer than two folds.
        n_folds: The number of folds.
        score_avg: What the source calls its average over folds.
        score_basis: What `score` rests on: "folds", "avg", "single" (one validation row) or "test".
        score_test: The test_score of the model's `final` row, else of its `avg` test row.
        model_name: The model that `score` is of.
        models: Of several models each, the best first: a dict of model_name, config_name, step_idx,
            branch_id, branch_name, score, n_folds, score_basis and score_test; else None.
        best_score: Best val_score of a row in the metric's direction, of the luckiest fold; test_score where
            there is no val_score.
        best_model: The model with that row.
        metric: The metric of most of its rows.
        score_kind: "val_score" or "test_score", the column of `best_score`.
        n_rows: Number of its prediction rows.
        n_samples: Number of samples of the dataset.
        n_features: Number of features of the dataset.
        task_type: "regression", "classification" or the like.
        duration_s: Its duration in seconds.
        artifacts: Hashes of its files in `ws.artifacts`.
        completed_at: When it was checkpointed, ISO-8601.
        writer: The id of the writer that checkpointed it; None until then.
        extra: Fields that another version stored.
    """

    id: str
    run_id: str | None = None
    template_id: str | None = None
    config_id: str | None = None
    config_name: str | None = None
    generator_choices: Any = None
    dataset_id: str | None = None
    dataset_name: str | None = None
    status: str | None = None
    error: str | None = None
    score: float | None = None
    score_mean: float | None = None
    score_std: float | None = None
    n_folds: int | None = None
    score_avg: float | None = None
    score_basis: str | None = None
    score_test: float | None = None
    model_name: str | None = None
    models: list[dict[str, Any]] | None = None
    best_score: float | None = None
    best_model: str | None = None
    metric: str | None = None
    score_kind: str | None = None
    n_rows: int | None = None
    n_samples: int | None = None
    n_features: int | None = None
    task_type: str | None = None
    duration_s: float | None = None
    artifacts: list[str] = field(default_factory=list)
    completed_at: str | None = None
    writer: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return its fields in their order, then the fields of another version; without its writer."""
        own = {name: getattr(self, name) for name in NAMES if name != "writer"}
        return own | {"artifacts": list(self.artifacts)} | self.extra

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], writer: str | None = None) -> Result:
        """Return the result in a mapping made by `to_dict`, or read from a file.

        Args:
            mapping: Fields by name; unknown keys go to `extra`. A field of a wrong type, as earlier versions
                stored it, becomes None and is listed in `extra["unreadable"]`.
            writer: The id of the writer that checkpointed it.

        Raises:
            ValueError: The mapping has no id.
        """
        if not isinstance(mapping.get("id"), str):
            raise ValueError(f"id of a result: expected a text, got {mapping.get('id')!r}")
        known = {name: mapping[name] for name in NAMES if name in mapping}
        wrong = [name for name in known if name != "writer" and _problem(name, known[name]) is not None]
        known |= dict.fromkeys(wrong)
        known["artifacts"] = list(known.get("artifacts") or [])
        # Strict JSON has NaN and infinities as texts.
        _read_numbers(known)
        for model in known.get("models") or []:
            _read_numbers(model)
        extra = {key: value for key, value in mapping.items() if key not in NAMES}
        if wrong:
            named = extra.get("unreadable")
            extra["unreadable"] = [*(named if isinstance(named, list) else []), *wrong]
        return cls(**known | {"writer": writer}, extra=extra)


def _read_numbers(mapping: dict[str, Any]) -> None:
    """Turn the texts that strict JSON has for NaN and infinities into numbers."""
    mapping |= {name: float(mapping[name]) for name in _SCORES if isinstance(mapping.get(name), str)}


NAMES = tuple(item.name for item in fields(Result) if item.name != "extra")
STATUSES = ("done", "failed")
_COUNTS = ("n_rows", "n_samples", "n_features", "n_folds")
_SCORES = ("score", "score_mean", "score_std", "score_avg", "score_test", "best_score")
_NUMBERS = (*_SCORES, "duration_s")
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")  # in strict JSON


def check(stored: Mapping[str, Any]) -> None:
    """Check that the fields of a result, in strict JSON, have the types of `Result`.

    Raises:
        TypeError: A field has another type; the message names it.
        ValueError: Its status is neither done nor failed.
    """
    for name in NAMES:
        problem = _problem(name, stored.get(name))
        if problem is not None:
            raise TypeError(f"result[{name!r}]: {problem}")
    if stored["status"] not in STATUSES:
        raise ValueError(f"result['status']: expected 'done' or 'failed', got {stored['status']!r}")


def _problem(name: str, value: object) -> str | None:
    if value is None or name == "generator_choices":
        return None
    if name == "artifacts":
        is_right = isinstance(value, list) and all(isinstance(item, str) for item in value)
        wanted = "a list of texts"
    elif name == "models":
        is_right = isinstance(value, list) and all(isinstance(item, dict) for item in value)
        wanted = "a list of dicts"
    elif name in _COUNTS:
        is_right, wanted = isinstance(value, int) and not isinstance(value, bool), "an integer"
    elif name in _NUMBERS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_right, wanted = is_number or value in _NO_NUMBERS, "a number"
    else:
        is_right, wanted = isinstance(value, str), "a text"
    if is_right:
        return None
    shown = ascii(value)
    return f"expected {wanted} or None, got {shown if len(shown) < 100 else shown[:100] + '...'}"


class ResultList(list[Result]):
    """Finished results: those of one run, oldest first, or a page of `ws.results.list`.

    Attributes:
        offset: Number of results before the list.
        limit: Largest number of results in the list; None for no limit.
        repeated: Further checkpoints of results in the list, from merged copies of a run that diverged. Of
            several, a done one comes before a failed one, then the smaller (completed_at, writer); only the
            rows of the first are live.
        errors: What cannot be read, as dicts of path, kind and message.
    """

    def __init__(
        self,
        results: Iterable[Result] = (),
        total: int | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> None:
        """Store results, and their place among all that were found; by default all."""
        super().__init__(results)
        self._total = total
        self.offset = offset
        self.limit = limit
        self.repeated: list[Result] = []
        self.errors: list[Problem] = []

    @property
    def total(self) -> int:
        """Number of results that were found, in the list or not."""
        return len(self) if self._total is None else self._total

    @property
    def has_more(self) -> bool:
        """Whether more results follow the list."""
        return self.offset + len(self) < self.total

    def to_dict(self) -> dict[str, Any]:
        """Return the list as plain data, the shape of `n4w results --json`."""
        return {
            "results": [result.to_dict() for result in self],
            "total": self.total,
            "offset": self.offset,
            "limit": self.limit,
            "has_more": self.has_more,
            "errors": self.errors,
        }
