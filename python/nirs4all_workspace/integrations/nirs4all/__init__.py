"""nirs4all on top of a workspace: drive experiments, record what ran without, and go back to nirs4all."""

from nirs4all_workspace.integrations.nirs4all.back import to_predictions
from nirs4all_workspace.integrations.nirs4all.backend import use_workspaces
from nirs4all_workspace.integrations.nirs4all.drive import queue, run
from nirs4all_workspace.integrations.nirs4all.record import record
from nirs4all_workspace.integrations.nirs4all.store_export import export_store

__all__ = ["export_store", "queue", "record", "run", "to_predictions", "use_workspaces"]
