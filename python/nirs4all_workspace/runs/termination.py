"""SIGTERM while a run is in its block: as Ctrl-C does, it raises, so that the run is paused."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# The blocks of the main thread, and the process that they are in: a fork has none of them.
_active: set[Termination] = set()
_pid = os.getpid()


class Termination:
    """Makes SIGTERM raise KeyboardInterrupt until `end`, in the main thread.

    Where the program has a handler of its own, or ignores SIGTERM, that stays. Blocks may overlap: the last
    one that ends restores the default action.
    """

    def __init__(self) -> None:
        """Install the handler, unless an earlier block did so."""
        global _pid
        if threading.current_thread() is not threading.main_thread():
            return
        if os.getpid() != _pid:
            _pid = os.getpid()
            _active.clear()
        try:
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _raise)
        except ValueError:  # a subinterpreter
            return
        if signal.getsignal(signal.SIGTERM) is _raise:
            _active.add(self)

    def end(self) -> None:
        """Restore the default action, unless another handler was installed since or another block goes on."""
        if self not in _active or os.getpid() != _pid:
            return
        _active.discard(self)
        if _active or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is _raise:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(number: int, _: FrameType | None) -> None:
    if os.getpid() != _pid:
        # A fork ends as it would without this.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    raise KeyboardInterrupt("terminated by SIGTERM")
