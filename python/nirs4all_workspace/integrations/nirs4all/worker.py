"""A worker: it claims runs that wait in a workspace, one after another, and drives them.

Any number of workers may serve one folder, on one machine or several: `claim_next` gives each run to one.
A worker that is asked to stop pauses its run with a request to resume, so that the next one goes on with it;
that counts as no attempt. One that dies leaves its run to `recover`, which queues it again, three times at
most.
"""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from nirs4all_workspace.exceptions import WorkspaceError
from nirs4all_workspace.integrations.nirs4all import settings
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.model import ownership
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from nirs4all_workspace.runs.run import Run
    from nirs4all_workspace.workspace import Workspace

_log = logging.getLogger(__name__)

# How often the queue is looked at while it is empty: seconds at first, and at most.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.5, 5.0
# How often dead owners are looked for meanwhile.
_RECOVER_S = 30.0
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


class Execute(Protocol):
    """What drives a run that this process owns: `drive.execute`."""

    def __call__(
        self,
        run: Run,
        *,
        workers: int | None,
        allow_packages: Sequence[str],
        should_stop: Callable[[], bool],
    ) -> object:
        """Drive it until it is done, or paused since it should stop."""


class Stop:
    """Whether a worker is to stop: since SIGTERM or SIGINT came, or its time is over. A context manager.

    A second signal raises KeyboardInterrupt, which ends at once.

    Attributes:
        why: Why it is to stop; "" while it is not.
    """

    def __init__(self, max_time: float | None = None) -> None:
        """Count the time from now on, in seconds."""
        self._until = None if max_time is None else time.monotonic() + max_time
        self._asked = threading.Event()
        self._before: dict[int, object] = {}
        self.why = ""

    def __call__(self) -> bool:
        """Return whether it is to stop."""
        if self._until is not None and time.monotonic() >= self._until:
            self.ask("the time of the worker is over")
        return self._asked.is_set()

    def ask(self, why: str) -> None:
        """Ask it to stop; the first reason counts."""
        self.why = self.why or why
        self._asked.set()

    def wait(self, seconds: float) -> None:
        """Wait, until it is to stop at most."""
        if self._until is not None:
            seconds = min(seconds, self._until - time.monotonic())
        self._asked.wait(max(0.0, seconds))

    def __enter__(self) -> Self:
        """Take SIGTERM and SIGINT, in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _take(self, number: int, _: FrameType | None) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt(f"{signal.Signals(number).name} came a second time")
        self.ask(f"the worker got {signal.Signals(number).name}")


def work(
    workspace: Workspace,
    stop: Stop,
    *,
    once: bool = False,
    idle_exit: float | None = None,
    dead_hosts: Sequence[str] = (),
    allow_packages: Sequence[str] = (),
    workers: int | None = None,
    execute: Execute | None = None,
    say: Callable[[str], object] = _log.info,
) -> list[Run]:
    """Claim runs and drive them, until there is a reason to end.

    Runs that were not made to be driven with nirs4all are left alone.

    Args:
        workspace: The workspace.
        stop: Whether to stop.
        once: Whether to end after one run, or where none waits.
        idle_exit: Seconds without a run after which to end; None to wait for ever.
        dead_hosts: Hosts whose processes are known to be dead.
        allow_packages: Packages that templates may name, beside nirs4all and scikit-learn.
        workers: Number of processes that compute; None for that of each run.
        execute: What drives a run; None for `drive.execute`.
        say: Told each step, as one line.

    Returns:
        The runs that were claimed, in their order.

    Raises:
        ImportError: A run waits, and nirs4all is not installed; it goes on waiting.
        SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
        KeyboardInterrupt: A second signal came; the run, if any, is paused with a request to resume.
    """
    if execute is None:
        from nirs4all_workspace.integrations.nirs4all import drive

        execute = drive.execute
    done: list[Run] = []
    idle_since, look_s, recovered_at = time.monotonic(), _FIRST_LOOK_S, None
    while not stop():
        run = _claim(workspace, say)
        if run is None:
            now = time.monotonic()
            if recovered_at is None or now - recovered_at >= _RECOVER_S:
                recovered_at = now
                if _recover(workspace, dead_hosts, say):
                    continue
            if once or (idle_exit is not None and now - idle_since >= idle_exit):
                break
            stop.wait(look_s if idle_exit is None else min(look_s, idle_since + idle_exit - now))
            look_s = min(_LAST_LOOK_S, 2 * look_s)
            continue
        done.append(run)
        _drive(run, stop, execute, workers, allow_packages, say)
        if once:
            break
        idle_since, look_s = time.monotonic(), _FIRST_LOOK_S
    return done


def _is_driven(run: Run) -> bool:
    """Whether a run was made to be driven with nirs4all, which must be installed before one is claimed."""
    if not isinstance(run.config.get(settings.KEY), dict):
        return False
    nirs4all()
    return True


def _claim(workspace: Workspace, say: Callable[[str], object]) -> Run | None:
    try:
        return workspace.runs.claim_next(_is_driven)
    except OSError as error:  # of a network drive, for now
        say(f"cannot look for runs: {error}; trying again")
        return None


def _recover(workspace: Workspace, dead_hosts: Sequence[str], say: Callable[[str], object]) -> bool:
    """Recover what dead processes left; return whether a run waits again."""
    try:
        report = workspace.recover(dead_hosts)
    except (WorkspaceError, OSError) as error:
        say(f"cannot recover: {error}; trying again")
        return False
    for it in report["runs"]:
        say(f"{it['run_id']}: its owner died, {it['status']}")
    return any(it["status"] == RunStatus.QUEUED for it in report["runs"])


def _drive(
    run: Run,
    stop: Stop,
    execute: Execute,
    workers: int | None,
    allow_packages: Sequence[str],
    say: Callable[[str], object],
) -> None:
    """Drive a claimed run to its end; one that this worker pauses is left to the next one."""
    say(f"{run.id}: claimed")
    asked_by_others: list[RunStatus | None] = []

    def should_stop() -> bool:
        if not stop():
            return False
        if not asked_by_others:
            asked_by_others.append(run.requested)
        # What another process asked for before ends the run as well, and is not ours to undo.
        return asked_by_others[0] is None

    try:
        execute(run, workers=workers, allow_packages=allow_packages, should_stop=should_stop)
    except KeyboardInterrupt:
        _leave_to_next(run, "the worker was interrupted")
        raise
    except Exception as error:  # noqa: BLE001 - whatever a run raises, the next one is driven
        say(f"{run.id}: {type(error).__name__}: {error}")
        _end_failed(run, f"{type(error).__name__}: {error}")
    if stop() and asked_by_others[:1] == [None]:
        _leave_to_next(run, stop.why)
    say(f"{run.id}: {run.status}{', to be resumed' if run.requested else ''}")


def _leave_to_next(run: Run, why: str) -> None:
    """Have the next worker resume a run that was paused in the middle."""
    if ownership.is_mine(run.workspace.path, run.id) and run.status is RunStatus.RUNNING:
        run.transition(RunStatus.PAUSED, why)
    if run.status is RunStatus.PAUSED and run.requested is None:
        run.request(RunStatus.RUNNING, why)


def _end_failed(run: Run, why: str) -> None:
    """Fail a run that raised before it began, which would be owned by this process for ever."""
    with contextlib.suppress(WorkspaceError, OSError):
        if ownership.is_mine(run.workspace.path, run.id) and run.status is RunStatus.RUNNING:
            run.transition(RunStatus.FAILED, why)


def seconds_of(text: str) -> float:
    """Return a duration such as `3h55m`, `90s`, `2d` or `45` (seconds) in seconds.

    Raises:
        ValueError: It is none, or not more than 0.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    parts = [] if found is None else [float(part or 0) for part in found.groups()]
    seconds = sum(part * unit for part, unit in zip(parts, _UNITS.values(), strict=False))
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise ValueError(f"expected a duration such as 3h55m, 90s or 2d, got {text!r}")
    return seconds
