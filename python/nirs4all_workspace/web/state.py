"""The state of a workspace as a weak entity tag: equal while no file of its data changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nirs4all_workspace import _native

if TYPE_CHECKING:
    from pathlib import Path

# A file that changed so lately may change again within one tick of its clock.
_RACY_NS = 2_000_000_000


def etag(root: Path, question: str) -> str | None:
    """Return the tag of the answer to a question; None while files change too quickly to tell."""
    began = time.time_ns()
    items, unlisted = _native.survey(root)
    if unlisted or any(changed_at >= began - _RACY_NS for *_, changed_at in items):
        return None
    listed = [f"{path}\0{fingerprint:x}" for path, fingerprint, *_ in items]
    text = "\n".join([question, *listed])
    return f'W/"{_native.blake3_hex(text.encode("utf-8", "surrogateescape"), 32)}"'
