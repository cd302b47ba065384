"""Columns of rows that hold JSON as text, and their values in records."""

from __future__ import annotations

import json
from typing import Any

# The known columns that nirs4all writes as JSON.
JSON_COLUMNS = ("scores", "best_params", "metadata")


def parsed(text: object) -> object:
    """Return the mapping or list of a JSON text; anything else as it is.

    NaN and infinities count as Python writes them. A text that is not valid JSON, or nests too deep, stays.
    """
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():
            # An escaped half of a character is no text that could be written again.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value


def parse_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the JSON texts in records by what they say, and return the records."""
    for name in JSON_COLUMNS:
        if any(name in record for record in records):
            for record in records:
                if name in record:
                    record[name] = parsed(record[name])
    return records
