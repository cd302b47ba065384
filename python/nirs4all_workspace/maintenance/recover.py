"""Recovery after crashed processes: journals are sealed, runs without an owner are failed or requeued."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing
from nirs4all_workspace.exceptions import ConflictError, WorkspaceError, problem
from nirs4all_workspace.model import ownership
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nirs4all_workspace.model.answers import Recovery
    from nirs4all_workspace.workspace import Workspace

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3


def recover(workspace: Workspace, dead_hosts: Sequence[str]) -> Recovery:
    """Recover a workspace; see `Workspace.recover`."""
    workspace.check_writable()
    report = _native.recover(workspace.path, None, list(dead_hosts))
    _log.info("recovered: %d journals sealed, %d writers alive", len(report["sealed"]), len(report["alive"]))
    listed = workspace.runs.list(status=RunStatus.RUNNING)
    report["runs"] = []
    listing.add_problems(report["problems"], listed.errors)
    for run in listed.writable():
        try:
            if ownership.is_owned(workspace.path, run.id, dead_hosts):
                continue
            steps = run.record_death(MAX_ATTEMPTS)
        except ConflictError:
            continue
        except WorkspaceError as error:
            report["problems"].append(problem(f"runs/{run.id}/run.yaml", error))
            continue
        except OSError as error:
            path = listing.relative_path(workspace.path, error, f"runs/{run.id}")
            listing.add_problems(report["problems"], [problem(path, error)])
            continue
        if steps:
            _log.info("run %s recovered: %s", run.id, steps[-1].value)
            report["runs"].append({"run_id": run.id, "status": steps[-1].value})
    return report
