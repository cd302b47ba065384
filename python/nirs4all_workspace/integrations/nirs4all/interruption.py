"""Ctrl-C and SIGTERM while a run is driven: the first one asks to stop, a second one ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType


class Interruption:
    """Takes note of SIGINT and SIGTERM in a `with` block, in the main thread, where no other handler is.

    Attributes:
        signal: The signal that came; None while there was none.
    """

    def __init__(self, message: str) -> None:
        """Keep what the first signal prints on stderr."""
        self.signal: signal.Signals | None = None
        self._message = message
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
            for number, handler in usual.items():
                if signal.getsignal(number) is handler:
                    self._before[number] = signal.signal(number, self._take_note)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _take_note(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None:
            self.__exit__()
            raise KeyboardInterrupt(f"a second {signal.Signals(number).name}")
        self.signal = signal.Signals(number)
        print(self._message, file=sys.stderr, flush=True)
