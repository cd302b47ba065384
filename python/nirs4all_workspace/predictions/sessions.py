"""The sessions that rows of nirs4all 0.6 are of: such rows name a dataset and a configuration, and no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import files
from nirs4all_workspace._io.paths import nfc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import polars as pl

# What tells the session of a row.
KEYS = ("dataset_name", "config_name")
_NAMED = "n4w:run_id"
AVERAGES = ("avg", "w_avg")
NOTE = (
    "nirs4all 0.6 averages in the arrays of such a row, and in its scores of val but that of its metric, "
    "the models of all folds, also those that were trained on the sample: they are no validation; "
    "the rows of single folds are"
)


def with_keys(columns: Sequence[str] | None) -> Sequence[str] | None:
    """Return columns, and where the run is among them those that tell the session of a row."""
    if columns is None or "run_id" not in columns:
        return columns
    return [*columns, *(key for key in KEYS if key not in columns)]


def add_runs(root: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Put the session of each row that names no run into its `run_id`, where one session alone can be it."""
    nameless = [row for row in rows if "run_id" in row and row["run_id"] is None]
    if nameless:
        try:
            known = _sessions(root)
        except OSError:
            return  # what cannot be listed names no session; rows are there all the same
        for row in nameless:
            row["run_id"] = known.get(_key(row))


def with_runs(root: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose rows have the `run_id` that `add_runs` gives them."""
    import polars as pl

    if "run_id" not in frame.columns or not frame["run_id"].null_count():
        return frame
    known = frame.select("run_id", *KEYS).unique()
    rows = known.to_dicts()
    add_runs(root, rows)
    runs = pl.Series(_NAMED, [row["run_id"] for row in rows], pl.String).cast(frame.schema["run_id"])
    named = frame.join(
        known.with_columns(runs),
        on=["run_id", *KEYS],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return named.with_columns(pl.col(_NAMED).alias("run_id")).drop(_NAMED)


def count(root: Path, **filters: Any) -> int:  # noqa: ANN401 - of native rows
    """Return the number of rows of partition val that fit, open segments aside."""
    asked = {"offset": 0, "limit": 0, "sort_by": "id", "descending": None, "cursor": None}
    asked |= {"columns": ["id"], "live": False, "named": "", "filters": {"partition": "val", **filters}}
    total: int = _native.page_predictions(root, asked)["total"]
    return total


def _key(row: Mapping[str, Any]) -> tuple[str, str | None]:
    return nfc(row["dataset_name"] or ""), row["config_name"]


def _sessions(root: Path) -> dict[tuple[str, str | None], str | None]:
    """Return the session of each dataset and configuration; None where another, or a copy, has it too."""
    names = files.list_names(root)
    if "runs" not in names or not any(name.endswith(catalogue.SUFFIX) for name in names):
        return {}  # no rows of nirs4all 0.6, or no sessions: the catalogue need not be read
    entries = {entry["id"]: entry for entry in catalogue.read(root)[0] if entry["kind"] != "run"}
    found: dict[tuple[str, str | None], set[str]] = {}
    for id_, entry in entries.items():
        for _, dataset, config in catalogue.members_of(root, entry):
            found.setdefault((nfc(dataset), config), set()).add(id_)
    of_files = [id_ for id_, entry in entries.items() if entry["kind"] == "files"]
    made = catalogue.results(root, of_files) if found and of_files else ()
    for result in made:
        key = nfc(result.dataset_name or ""), result.config_name
        if key in found and result.run_id is not None:
            found[key].add(result.run_id)
    return {key: ids.pop() if len(ids) == 1 else None for key, ids in found.items()}
