"""nirs4all on top of a workspace: drive experiments so that nothing is lost, and record what ran without."""

from nirs4all_workspace.integrations.nirs4all.drive import queue, run
from nirs4all_workspace.integrations.nirs4all.record import record

__all__ = ["queue", "record", "run"]
