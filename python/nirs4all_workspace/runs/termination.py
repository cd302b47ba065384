"""SIGTERM while a run is in its block: as Ctrl-C does, it raises, so that the run is paused."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class Termination:
    """Makes SIGTERM raise KeyboardInterrupt until `end`, in the main thread.

    Where the program has a handler of its own, or ignores SIGTERM, that stays.
    """

    def __init__(self) -> None:
        """Install the handler."""
        self._pid = os.getpid()
        self._is_installed = False
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._raise)
                self._is_installed = True
        except ValueError:  # a subinterpreter
            return

    def end(self) -> None:
        """Restore the default action, unless another handler was installed since."""
        if not self._is_installed or threading.current_thread() is not threading.main_thread():
            return
        self._is_installed = False
        if signal.getsignal(signal.SIGTERM) == self._raise:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _raise(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A fork ends as it would without this.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise KeyboardInterrupt("terminated by SIGTERM")
