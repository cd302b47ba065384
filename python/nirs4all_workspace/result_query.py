"""Results of all runs: which of them, in which order, and a page of these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue, strict_json
from nirs4all_workspace.exceptions import NotFoundError, UnknownMetricError
from nirs4all_workspace.results import NAMES, Result, ResultList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nirs4all_workspace.workspace import Workspace

    # A result as the native side lists it: its fields by name.
    Item = dict[str, Any]
    Errors = list[dict[str, str]]


class Results:
    """What `Workspace.results` hands out."""

    def __init__(self, workspace: Workspace) -> None:
        """Belong to a workspace."""
        self._workspace = workspace

    def of(self, runs: Sequence[Mapping[str, Any]], errors: Errors) -> Sequence[Result]:
        """Return the results of these entries of the catalogue; what cannot be read is added to `errors`."""
        return [Result.from_dict(item, item["writer"]) for item in self._items(runs, errors)]

    def list(
        self,
        run: str | None = None,
        template: str | None = None,
        dataset: str | None = None,
        model: str | None = None,
        metric: str | None = None,
        status: str | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        sort_by: str | None = None,
        descending: bool | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> ResultList:
        """Return finished results of all runs, sealed or not.

        By default the best come first: metric by metric in the order of their names, since scores of
        different metrics do not compare; results without a score come last. Ties go by id.

        Args:
            run: Only those of this run, by id or name.
            template: Only those of this template, by id or by the name that the run gives it.
            dataset: Only those on this dataset, by id or name.
            model: Only those whose best model this is.
            metric: Only those of this metric.
            status: Only those that are "done", or "failed".
            min_score: Only those whose best score is at least this.
            max_score: Only those whose best score is at most this.
            sort_by: A field of `Result`; None for `best_score`.
            descending: Largest first; None for best first, or smallest first of another field. What has
                no value comes last in either case.
            offset: How many to leave out.
            limit: How many to return at most; None for all.

        Raises:
            ValueError: An argument makes no sense.
            OSError: The workspace cannot be listed.
        """
        sort_by = "best_score" if sort_by is None else sort_by
        if sort_by not in NAMES:
            raise ValueError(f"sort_by is {sort_by!r}, none of {', '.join(NAMES)}")
        if status not in (None, "done", "failed"):
            raise ValueError(f"status is {status!r}, neither 'done' nor 'failed'")
        if offset < 0 or (limit is not None and limit < 0):
            raise ValueError(f"offset is {offset} and limit {limit}; they cannot be negative")
        entries, errors = catalogue.read(self._workspace.path)
        runs = [
            entry
            for entry in entries
            if (run is None or run in (entry["id"], entry["name"]))
            and (dataset is None or catalogue.is_on(entry, dataset))
            and (template is None or catalogue.is_of(entry, template))
        ]
        # By run: the same name may be of another dataset or template there.
        datasets = {entry["id"]: _ids(entry["datasets"], dataset) for entry in runs}
        templates = {entry["id"]: _ids(entry["templates"], template) for entry in runs}
        equal = {"best_model": model, "metric": metric, "status": status}
        equal = {key: value for key, value in equal.items() if value is not None}
        found = [
            item
            for item in self._items(runs, errors)
            if all(item[key] == value for key, value in equal.items())
            and (template is None or item["template_id"] in templates[item["run_id"]])
            and (dataset is None or {item["dataset_id"], item["dataset_name"]} & datasets[item["run_id"]])
            and _is_within(score_of(item), min_score, max_score)
        ]
        found.sort(key=lambda item: str(item["id"]))
        is_best = sort_by == "best_score"
        in_order = _best_first(found, descending) if is_best else _by(found, sort_by, descending)
        page = in_order[offset:] if limit is None else in_order[offset : offset + limit]
        results = (Result.from_dict(item, item["writer"]) for item in page)
        listed = ResultList(results, len(found), offset, limit)
        listed.errors = errors
        return listed

    def get(self, id: str) -> Result:  # noqa: A002
        """Return one finished result.

        Raises:
            NotFoundError: There is no such result.
            OSError: The workspace cannot be listed.
        """
        for item in _native.list_results(self._workspace.path)["results"]:
            if item["id"] == id:
                return Result.from_dict(item, item["writer"])
        raise NotFoundError(f"there is no finished result {id!r}", str(self._workspace.path))

    def runs_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the runs that these results are of, by result; those that nobody has are left out."""
        wanted = set(ids)
        items = _native.list_results(self._workspace.path)["results"]
        return {item["id"]: item["run_id"] for item in items if item["id"] in wanted}

    def _items(self, runs: Sequence[Mapping[str, Any]], errors: Errors) -> Sequence[Item]:
        found = _native.list_results(self._workspace.path, [run["id"] for run in runs])
        errors += found["errors"]
        items: Sequence[Item] = found["results"]
        return items


def score_of(item: Mapping[str, Any]) -> float | None:
    """Return a result's best score as a number: None where there is none, or NaN, which ranks nowhere."""
    score = item["best_score"]
    score = _TEXTS.get(score) if isinstance(score, str) else score
    return None if score is None or isinstance(score, bool) or math.isnan(score) else float(score)


# As strict JSON has them.
_TEXTS = {"Infinity": math.inf, "-Infinity": -math.inf}


def _ids(references: Iterable[Mapping[str, Any]], wanted: str | None) -> set[str]:
    """The ids of the references with this id or name; the name of one that nobody registered."""
    return {
        item.get("id") or item["name"]
        for item in references
        if wanted is not None and wanted in (item.get("id"), item.get("name"))
    }


def _is_within(score: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return score is not None and (least is None or least <= score) and (most is None or score <= most)


def _best_first(found: Iterable[Item], descending: bool | None) -> Sequence[Item]:
    """Sort by metric, and in it by score; what has none comes last."""
    ranks: dict[str | None, Callable[[float], float]] = {}

    def key(item: Item) -> tuple[bool, bool, str, float]:
        score, metric = score_of(item), item["metric"]
        if score is None:
            return (True, False, "", 0.0)
        if metric not in ranks:
            ranks[metric] = _RANKS[_direction(metric) if descending is None else _SORTED[descending]]
        return (False, metric is None, str(metric or ""), ranks[metric](score))

    return sorted(found, key=key)


_RANKS: dict[str, Callable[[float], float]] = {
    "maximize": lambda score: -score,
    "minimize": lambda score: score,
    "zero": abs,
    # Nobody can say which is better: by id.
    "unknown": lambda _: 0.0,
}
_SORTED = {True: "maximize", False: "minimize"}


def _direction(metric: str | None) -> str:
    try:
        return _native.metric_info(metric or "").direction
    except UnknownMetricError:
        return "unknown"


def _by(found: Iterable[Item], field: str, descending: bool | None) -> Sequence[Item]:
    """Sort by any field; what has no value comes last."""
    values = [(item[field], item) for item in found]
    there = [(_comparable(value), item) for value, item in values if value is not None]
    there.sort(key=lambda pair: pair[0], reverse=bool(descending))
    return [item for _, item in there] + [item for value, item in values if value is None]


def _comparable(value: object) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return (0, value)
    return (1, value) if isinstance(value, str) else (2, strict_json.dumps(value))
