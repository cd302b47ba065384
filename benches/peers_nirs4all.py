"""The store of nirs4all 1.4 through its own package, run by a Python that has it (`table.py --nirs4all`)."""

from __future__ import annotations

from typing import Any

from nirs4all.pipeline.storage.workspace_store import WorkspaceStore


def top_store_api(folder: str) -> Any:
    return WorkspaceStore.open_readonly(folder).top_predictions(10)
