"""A result: one configuration on one dataset, the unit of work, of checkpoint and of resume."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Result:
    """One configuration on one dataset: planned, and finished once it was checkpointed.

    Attributes:
        id: `res_` and 16 hex of the BLAKE3 of run, template, configuration and dataset.
        run_id: The run.
        template_id: The template that the configuration comes from.
        config_id: The configuration.
        config_name: Its name.
        generator_choices: What the template's generators chose for it.
        dataset_id: The dataset's id, or its name where it is not registered.
        dataset_name: The dataset's name, as its rows give it.
        status: "done" or "failed"; None until it is checkpointed.
        error: Why it failed.
        best_score: Best val_score of its rows in the metric's direction; test_score where there is none.
        best_model: The model that has it.
        metric: The metric of most of its rows.
        score_kind: "val_score" or "test_score".
        n_rows: Its prediction rows.
        n_samples: Samples of the dataset.
        n_features: Features of the dataset.
        task_type: "regression", "classification" or the like.
        duration_s: Seconds that it took.
        artifacts: Hashes of the files that `ws.artifacts` keeps for it.
        completed_at: When it was checkpointed, ISO-8601.
        writer: The writer that checkpointed it; None until then.
        extra: What another version stored beside these.
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
        """Return its fields in their order, then what another version stored; not its writer."""
        own = {name: getattr(self, name) for name in NAMES if name != "writer"}
        return own | {"artifacts": list(self.artifacts)} | self.extra

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], writer: str | None = None) -> Result:
        """Return the result that `to_dict` made, or that a file holds.

        Args:
            mapping: Its fields by name; unknown keys are kept in `extra`. A field of a wrong type, as earlier
                versions stored it, is None and named there in a list `unreadable`.
            writer: The writer that checkpointed it.

        Raises:
            ValueError: It has no id.
        """
        if not isinstance(mapping.get("id"), str):
            raise ValueError(f"a result needs an id, not {mapping.get('id')!r}")
        known = {name: mapping[name] for name in NAMES if name in mapping}
        wrong = [name for name in known if name != "writer" and _problem(name, known[name]) is not None]
        known |= dict.fromkeys(wrong)
        known["artifacts"] = list(known.get("artifacts") or [])
        if isinstance(known.get("best_score"), str):
            known["best_score"] = float(known["best_score"])  # as strict JSON has NaN and infinities
        extra = {key: value for key, value in mapping.items() if key not in NAMES}
        if wrong:
            named = extra.get("unreadable")
            extra["unreadable"] = [*(named if isinstance(named, list) else []), *wrong]
        return cls(**known | {"writer": writer}, extra=extra)


NAMES = tuple(item.name for item in fields(Result) if item.name != "extra")
_COUNTS = ("n_rows", "n_samples", "n_features")
_NUMBERS = ("best_score", "duration_s")
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")  # as strict JSON has them


def check(stored: Mapping[str, Any]) -> None:
    """Check that the fields of a result, as strict JSON has them, have the types that `Result` says.

    Raises:
        TypeError: One has another type; the message names it.
    """
    for name in NAMES:
        problem = _problem(name, stored.get(name))
        if problem is not None:
            raise TypeError(f"result[{name!r}] is {problem}")


def _problem(name: str, value: object) -> str | None:
    if value is None or name == "generator_choices":
        return None
    if name == "artifacts":
        is_right = isinstance(value, list) and all(isinstance(item, str) for item in value)
        wanted = "a list of texts"
    elif name in _COUNTS:
        is_right, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif name in _NUMBERS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_right, wanted = is_number or value in _NO_NUMBERS, "a number"
    else:
        is_right, wanted = isinstance(value, str), "a text"
    if is_right:
        return None
    shown = ascii(value)
    return f"{shown if len(shown) < 100 else shown[:100] + '...'}, not {wanted} or None"


class ResultList(list[Result]):
    """Finished results: those of one run, oldest first, or a page of what `ws.results.list` found.

    Attributes:
        offset: How many come before the list.
        limit: How many it may hold; None for all.
        repeated: Further checkpoints of results that are in the list: diverged copies of the run were
            merged. Of several, one that is done comes before a failed one, then the smaller (completed_at,
            writer) wins; only its rows are live.
        errors: What cannot be read, as dicts of path, kind and message.
    """

    def __init__(
        self,
        results: Iterable[Result] = (),
        total: int | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> None:
        """Take results, and which page of how many they are; by default all."""
        super().__init__(results)
        self._total = total
        self.offset = offset
        self.limit = limit
        self.repeated: list[Result] = []
        self.errors: list[dict[str, str]] = []

    @property
    def total(self) -> int:
        """How many were found, in the list or not."""
        return len(self) if self._total is None else self._total

    @property
    def has_more(self) -> bool:
        """Whether others come after the list."""
        return self.offset + len(self) < self.total

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, the shape of `n4w results --json`."""
        return {
            "results": [result.to_dict() for result in self],
            "total": self.total,
            "offset": self.offset,
            "limit": self.limit,
            "has_more": self.has_more,
            "errors": self.errors,
        }
