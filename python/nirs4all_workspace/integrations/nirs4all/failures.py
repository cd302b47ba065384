"""What is told of a task that gave no value, as texts: some exceptions cannot go from process to process."""

from __future__ import annotations

import signal
import traceback
from dataclasses import dataclass

from nirs4all_workspace.exceptions import WorkspaceError

# What a process dies of where the machine has no memory left, on Linux.
_OUT_OF_MEMORY = getattr(signal, "SIGKILL", None)


class PoolError(WorkspaceError):
    """Nothing can be computed: processes cannot start, or an executor broke."""


@dataclass(frozen=True)
class Failure:
    """Why a task gave no value.

    Attributes:
        kind: "raised", "died" or "timeout".
        message: What happened, in one line.
        traceback: Where it was raised; "" where nothing was.
    """

    kind: str
    message: str
    traceback: str = ""

    @classmethod
    def raised(cls, error: BaseException, doing: str = "") -> Failure:
        """Describe an exception; `doing` says what was tried where it was not the task itself."""
        lines = traceback.format_exception(error)
        return cls("raised", f"{doing}: {one_line(error)}" if doing else one_line(error), "".join(lines))

    @classmethod
    def died(cls, exit_code: int | None) -> Failure:
        """Describe the death of the process that computed a task."""
        return cls("died", f"the process that computed it {ended_how(exit_code)}, and so did a second one")

    @classmethod
    def took_too_long(cls, timeout: float) -> Failure:
        """Describe a task that was ended at its timeout."""
        return cls("timeout", f"it took longer than the timeout of {timeout:g} s; its process was ended")


def one_line(error: BaseException) -> str:
    """Return class and text of an exception on one line; those whose text cannot be made have a text too."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - whatever a class does in `__str__`
        text = "(its text cannot be made)"
    text = " ".join(text.split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def ended_how(exit_code: int | None) -> str:
    """Say how a process ended: by which signal, or with which exit code."""
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "unknown"
    hint = "; often because memory was used up" if -exit_code == _OUT_OF_MEMORY else ""
    return f"was ended by signal {-exit_code} ({name}{hint})"
