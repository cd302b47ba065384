"""Ids of samples that nirs4all 1.x stores in every row, though dataset and index say the same."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    import polars as pl

KEY = "physical_sample_id"
_FIRST = rf'^\{{"{KEY}": \["([0-9a-f]+)\.s\d+'
_ID = re.compile(r"([0-9a-f]+)\.s(\d+)")


def without(frame: pl.DataFrame, column: str) -> tuple[pl.DataFrame, pl.Series]:
    """Return rows without the ids of samples that follow from `sample_indices`, as column `metadata`.

    Such an id is `<hash of the dataset>.s<index>`; what else there is of the samples stays, as JSON text.

    Args:
        frame: Rows with the text of the column, and `sample_indices` as lists.
        column: The column with the metadata of samples.

    Returns:
        The rows, and of each the hash of the dataset in the ids that were left out, or null.
    """
    import polars as pl

    none = pl.Series("hash", [None], pl.String).new_from_index(0, frame.height)
    if column not in frame.columns:
        return frame, none
    texts = frame[column]
    if texts.null_count() == frame.height:
        return frame.drop(column), none
    if "sample_indices" not in frame.columns:
        return frame.rename({column: "metadata"}), none
    # Most rows are of one dataset, and have nothing but these ids: their text is made again and compared.
    first = texts.str.extract(_FIRST)
    rest = texts
    for digest in first.unique().drop_nulls():
        ids = pl.element().cast(pl.Int64).cast(pl.String)
        listed = pl.col("sample_indices").list.eval(f'"{digest}.s' + ids + '"').list.join(", ")
        made = frame.select((pl.lit(f'{{"{KEY}": [') + listed + "]}").alias(column)).to_series()
        is_made = (texts == made).fill_null(value=False)
        rest = frame.select(pl.when(~is_made).then(rest).alias(column)).to_series()
    left = rest.is_not_null().arg_true().to_list()
    if left:
        found, hashes = rest.to_list(), first.to_list()
        for row in left:
            found[row], hashes[row] = _without_ids(found[row], frame["sample_indices"][row])
        rest, first = pl.Series(column, found, pl.String), pl.Series("hash", hashes, pl.String)
    return frame.with_columns(rest.alias("metadata")).drop(column), first.alias("hash")


def _without_ids(text: str, indices: Any) -> tuple[str | None, str | None]:  # noqa: ANN401 - a Series or None
    """Return the text without such ids, and the hash in them; the text as it is where there are none."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        return text, None
    listed = metadata.get(KEY) if isinstance(metadata, dict) else None
    if indices is None or not isinstance(listed, list) or len(listed) != len(indices) or not listed:
        return text, None
    matches = [_ID.fullmatch(one) if isinstance(one, str) else None for one in listed]
    hashes = {match[1] for match in matches if match is not None}
    if len(hashes) != 1 or any(
        match is None or match[2] != str(index) for match, index in zip(matches, indices, strict=True)
    ):
        return text, None
    rest = {key: value for key, value in metadata.items() if key != KEY}
    return strict_json.dumps(rest) if rest else None, hashes.pop()
