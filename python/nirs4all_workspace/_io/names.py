"""Names of files and folders that are made from names of things."""

from __future__ import annotations

import re
import unicodedata

from nirs4all_workspace import _native
from nirs4all_workspace.values import stored

_LONGEST = 40


def slug(name: str) -> str:
    """Return a short name in ASCII letters, digits and `_`, lowercase, that people recognise; maybe empty."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")[:_LONGEST].rstrip("_")


def dataset_folder(name: str) -> str:
    """Return the folder of a dataset below `predictions` and `arrays`: its slug and 8 hex of BLAKE3.

    Names that look alike in every normal form of Unicode are the same dataset.

    Raises:
        ValueError: The name is no Unicode.
    """
    stored.check_text(name, "the name of the dataset")
    digest = _native.blake3_hex(unicodedata.normalize("NFC", name).encode("utf-8"), 8)
    short = slug(name)[: _LONGEST - 9]
    return f"{short}_{digest}" if short else digest
