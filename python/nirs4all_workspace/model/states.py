"""The statuses of a run, and the allowed transitions."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from nirs4all_workspace.exceptions import InvalidTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunStatus(StrEnum):
    """The status of a run; each value equals its name as a text."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


VALID_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
        RunStatus.RUNNING: frozenset(
            {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.PAUSED, RunStatus.CANCELLED}
        ),
        RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
        RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
        # Only to run failed results again.
        RunStatus.COMPLETED: frozenset({RunStatus.QUEUED}),
        RunStatus.CANCELLED: frozenset(),
    }
)
"""Allowed transitions; every other pair raises `InvalidTransitionError`."""


def check_transition(run_id: str, before: RunStatus, to: RunStatus) -> None:
    """Check that a transition is allowed.

    Raises:
        InvalidTransitionError: The transition is not allowed; the message names the allowed ones.
    """
    allowed = [status.value for status in RunStatus if status in VALID_TRANSITIONS[before]]
    if to not in allowed:
        can = f"allowed: {', '.join(allowed)}" if allowed else "it is final"
        raise InvalidTransitionError(f"run {run_id} cannot go from {before} to {to}; {can}")
