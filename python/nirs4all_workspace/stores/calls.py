"""The calls of nirs4all that left the `runs` of a store: several rows of one call become one run.

Who wrote a row says what it stands for:

- nirs4all 0.7: one pipeline on one dataset, named `<name>`, or `<name>_p<i>` where a call has several
  pipelines.
- The legacy engine since 0.8: one call. Its name is that of the call, or `<name>_p0` where the call has one
  pipeline and one dataset.
- The engines dag-ml and native of 1.x: one pipeline, dataset and model, named `<name>_p<i>` or
  `<name>_p<i>_p<j>`, or `<name>` where there is one of each.

Rows of one call follow each other, pipeline by pipeline, dataset by dataset.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What is added to the name of a call, and to one without a name.
_END = r"_p(?P<pipeline>\d+)(?:_p(?P<model>\d+))?"
_NAMELESS = r"pipeline_(?P<pipeline>\d+)(?:_p(?P<model>\d+))?"
_FIRST = (re.compile(r"(.+)_p0_p0", re.DOTALL), re.compile(r"(.+)_p0", re.DOTALL))
_FIRST_NAMELESS = re.compile(r"pipeline_0(?:_p0)?")
_ENDS = re.compile(r".*_p\d+", re.DOTALL)
# Engines that write a row for each pipeline, dataset and model.
_BY_MODEL = frozenset({"dag-ml", "native"})
# Seconds after which nirs4all 0.7 begins no further dataset of a call.
_LONGEST_GAP = 10.0


@dataclass
class Call:
    """One call of `nirs4all.run`.

    Attributes:
        name: The name that the call was given; empty where it was given none.
        rows: Its rows of the table `runs`, in the order in which they were written.
        notes: What could not be told of it.
    """

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The ids of its rows."""
        return [row["run_id"] for row in self.rows]


@dataclass(frozen=True)
class _Place:
    """Where a row stands in its call: pipeline, dataset and model."""

    pipeline: int
    dataset: str
    model: int | None


def calls_of(
    rows: Iterable[dict[str, Any]], pipelines: Mapping[str, Sequence[str]], *, is_first_version: bool
) -> list[Call]:
    """Return the calls that left the rows of a table `runs`.

    Args:
        rows: The rows in the order of their writing.
        pipelines: The names of the pipelines of each row, by its id.
        is_first_version: Whether nirs4all 0.7 wrote them.
    """
    calls: list[Call] = []
    places: list[_Place] = []
    for row in rows:
        name = row["name"] or ""
        if not is_first_version and _engine_of(row) not in _BY_MODEL:
            calls.append(Call(_name_of_single(name, pipelines.get(row["run_id"], ())), [row]))
            places = []
            continue
        place = _place_of(row, calls[-1].name, is_first_version=is_first_version) if places else None
        is_soon = not is_first_version or not calls or _gap(calls[-1].rows[-1], row) < _LONGEST_GAP
        if place is not None and is_soon and _follows(places, place):
            calls[-1].rows.append(row)
            places.append(place)
            continue
        # A call begins with its first pipeline and model; an end that says otherwise is part of its name.
        match = next((found for pattern in _FIRST if (found := pattern.fullmatch(name))), None)
        begun = "" if _FIRST_NAMELESS.fullmatch(name) else name if match is None else match[1]
        calls.append(Call(begun, [row]))
        first = _place_of(row, begun, is_first_version=is_first_version)
        places = [] if first is None else [first]
    for call in calls:
        _note_ends(call)
    return calls


def _note_ends(call: Call) -> None:
    if _ENDS.fullmatch(call.name):
        message = "its name ends as nirs4all ends those of several pipelines; it was taken as given"
        call.notes.append(message)
    elif len(call.rows) == 1 and _engine_of(call.rows[0]) in _BY_MODEL and call.rows[0]["name"] != call.name:
        message = (
            f"it has one row, named {call.rows[0]['name']!r}: others were never written, or that is its name"
        )
        call.notes.append(message)


def _name_of_single(name: str, pipelines: Sequence[str]) -> str:
    """Return the name of a call of the legacy engine, which its row has, or has with `_p0` at its end."""
    match = _FIRST[1].fullmatch(name)
    if match is None:
        return name
    # Names of pipelines begin with that of the call and `_p<i>`: once, whatever the name of the row.
    own = [pipeline for pipeline in pipelines if pipeline.startswith(f"{name}_")]
    is_given = own and all(re.match(r"p\d+_", pipeline[len(name) + 1 :]) for pipeline in own)
    return name if is_given else match[1]


def _follows(places: list[_Place], place: _Place) -> bool:
    """Return whether a row is the next one of a call: after all others, in the order of its loops."""
    last = places[-1]
    if place in places or place.pipeline < last.pipeline:
        return False
    order = list(dict.fromkeys(known.dataset for known in places))
    if place.pipeline > last.pipeline:
        return place.dataset in order
    if (place.model is None) is not (last.model is None):
        return False
    if place.dataset == last.dataset:
        return place.model is not None and last.model is not None and place.model > last.model
    if place.dataset in order:
        return order.index(place.dataset) > order.index(last.dataset)
    # A dataset that is new comes with the first pipeline.
    is_first = all(known.pipeline == place.pipeline for known in places)
    return is_first and place.model in (None, 0)


def _gap(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Return the seconds from the end of a row to the beginning of the next; 0 where that is not known."""
    ended, began = before.get("completed_at") or before.get("created_at"), after.get("created_at")
    try:
        times = [
            time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
            for time in (ended, began)
        ]
        return (times[1] - times[0]).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _engine_of(row: Mapping[str, Any]) -> str | None:
    """Return the engine that a row names in its configuration or summary."""
    for column, key in (("config", "engine"), ("summary", "execution_engine")):
        place = loaded(row.get(column))
        if isinstance(place, dict) and isinstance(place.get(key), str):
            return str(place[key])
    return None


def _place_of(row: Mapping[str, Any], call: str, *, is_first_version: bool) -> _Place | None:
    """Return the place of a row in a call; None where it is no part of one with several rows."""
    name, dataset = row["name"] or "", "\n".join(datasets_of(row))
    if is_first_version and name == call:
        return _Place(0, dataset, None)
    match = re.fullmatch(re.escape(call) + _END if call else _NAMELESS, name)
    if match is None:
        return None
    return _Place(int(match["pipeline"]), dataset, None if match["model"] is None else int(match["model"]))


def datasets_of(row: Mapping[str, Any]) -> list[str]:
    """Return the names of the datasets that a row of `runs` names."""
    found = loaded(row.get("datasets"))
    names = []
    for item in found if isinstance(found, list) else []:
        name = item.get("name") if isinstance(item, dict) else item
        if isinstance(name, str):
            names.append(name)
    return names


def loaded(text: object) -> Any:  # noqa: ANN401 - what JSON holds
    """Return what a column of JSON text holds; None where it is no JSON."""
    if not isinstance(text, str | bytes):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
