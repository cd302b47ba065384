"""nirs4all on top of a workspace: drive experiments so that nothing is lost, and record what ran without."""
