"""nirs4all on top of a workspace: drive experiments so that nothing is lost, record what was run else."""
