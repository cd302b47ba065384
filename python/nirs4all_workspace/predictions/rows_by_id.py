"""One row by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, display
from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.predictions import pages
from nirs4all_workspace.values import stored
from nirs4all_workspace.values.json_columns import parse_records

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem


def find(root: Path, id_: str, filters: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return the row with an id that fits some filters, with the run of its file.

    Args:
        root: The workspace folder.
        id_: The id.
        filters: The filters, as the native side takes them.
        problems: The files that are left out are added to these, also where the row is not found.

    Raises:
        NotFoundError: There is no such row.
        ValueError: Several runs have such a row.
        OSError: It may lie in a file that cannot be read.
    """
    if not stored.is_unicode(id_):
        raise NotFoundError(f"there is no prediction {id_!r}", str(root))
    batches, errors = _native.find_predictions(root, id_, filters)
    problems += errors
    found = parse_records([row for batch in batches for row in pages.frame(batch).to_dicts()])
    if not found:
        listing.raise_if_unreadable(root, errors, "predictions/.")
        message = f"there is no prediction {id_!r}; `n4w predictions` lists all"
        raise NotFoundError(message, str(root))
    if len(found) > 1:
        where = sorted({str(row["run_id"] or row["config_name"] or row["dataset_name"]) for row in found})
        message = f"several predictions have the id {id_!r}, in {' and '.join(where)}"
        raise ValueError(display.shown(f"{message}; pass run_id=, which `n4w runs` lists"))
    return found[0]
