"""Changes of workspaces as server-sent events: a ring of the last ones, with the watch in each id."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi.sse import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nirs4all_workspace.insight.watch import Watch
    from nirs4all_workspace.model.answers import Change
    from nirs4all_workspace.workspace import Workspace

_LARGEST = 1_000
_INTERVAL = 1.0


class Hub:
    """One watch of a workspace, and the clients that follow it."""

    def __init__(self, key: str, workspace: Workspace, start: str) -> None:
        """Watch a workspace; `start` tells this watch from others."""
        self.key = key
        self._start = start
        self._number = 0
        self._ring: deque[tuple[int, Change]] = deque(maxlen=_LARGEST)
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._watch: Watch = workspace.watch(self._add, interval=_INTERVAL)
        self._thread = threading.Thread(target=self._run, name="n4w-events", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._watch:
            self._watch.run()

    def _add(self, changes: list[Change]) -> None:
        with self._lock:
            for change in changes:
                self._number += 1
                self._ring.append((self._number, change))
        self.wake()

    def wake(self) -> None:
        """Let all clients look for events."""
        with self._lock:
            waiting = list(self._waiting)
        for loop, event in waiting:
            # Of a client whose loop was closed meanwhile nothing is left to wake.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    def join(self, event: asyncio.Event) -> None:
        """Let a client follow; its event is set when there is something new."""
        with self._lock:
            self._waiting.add((asyncio.get_running_loop(), event))

    def leave(self, event: asyncio.Event) -> bool:
        """Let a client go; return whether it was the last one."""
        with self._lock:
            self._waiting.discard((asyncio.get_running_loop(), event))
            return not self._waiting

    def place_of(self, last_id: str | None) -> int | None:
        """Return the number of the last event that a client has; None where what followed is not known."""
        with self._lock:
            if last_id is None:
                return self._number
            start, _, number = last_id.rpartition("-")
            first = self._ring[0][0] if self._ring else self._number + 1
            if start != self._start or not number.isdecimal() or not first - 1 <= int(number) <= self._number:
                return None
            return int(number)

    def after(self, place: int) -> tuple[list[tuple[int, Change]], bool]:
        """Return the events after a place, and whether some of them are lost."""
        with self._lock:
            found = [one for one in self._ring if one[0] > place]
            return found, self._number - place > len(found)

    def id_of(self, number: int) -> str:
        """Return the id of an event."""
        return f"{self._start}-{number}"

    @property
    def number(self) -> int:
        """The number of the last event."""
        with self._lock:
            return self._number

    def stop(self) -> None:
        """Stop watching."""
        self._watch.stop()


class Hubs:
    """The watches of all workspaces that somebody follows; each stops with its last client."""

    def __init__(self, resolve: Callable[[str], Workspace]) -> None:
        """Watch nothing yet."""
        self._resolve = resolve
        self._start = f"{time.time_ns():x}"
        self._numbers = 0
        self._hubs: dict[str, Hub] = {}
        self._is_stopped = False
        self._lock = threading.Lock()

    def hub(self, key: str) -> Hub:
        """Return the watch of a workspace, which is begun where nobody follows it yet.

        Raises:
            NotFoundError: No workspace has this key.
        """
        with self._lock:
            hub = self._hubs.get(key)
            if hub is None:
                # Numbers of a watch that was stopped are not continued: clients of it get a reset.
                self._numbers += 1
                hub = self._hubs[key] = Hub(key, self._resolve(key), f"{self._start}.{self._numbers}")
            return hub

    def stop(self) -> None:
        """End all streams: the server stops."""
        with self._lock:
            self._is_stopped = True
            hubs = list(self._hubs.values())
        for hub in hubs:
            hub.wake()

    async def follow(
        self, hub: Hub, last_id: str | None, seconds: float | None = None
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield the changes of a workspace as events, until the client goes away or the server stops.

        Args:
            hub: The watch of the workspace.
            last_id: The id of the last event that the client has.
            seconds: How long at most; None for no limit.
        """
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        hub.join(event)
        try:
            place = hub.place_of(last_id)
            if place is None:
                place = hub.number
                yield ServerSentEvent(event="reset", id=hub.id_of(place), data={})
            while not self._is_stopped:
                found, is_lost = hub.after(place)
                if is_lost:
                    place = hub.number
                    yield ServerSentEvent(event="reset", id=hub.id_of(place), data={})
                    continue
                for number, change in found:
                    place = number
                    yield ServerSentEvent(event="change", id=hub.id_of(number), data=change)
                if not found:
                    event.clear()
                    if not hub.after(place)[0] and not self._is_stopped:
                        try:
                            async with asyncio.timeout_at(end):
                                await event.wait()
                        except TimeoutError:
                            return
        finally:
            if hub.leave(event):
                with self._lock:
                    if self._hubs.get(hub.key) is hub:
                        del self._hubs[hub.key]
                hub.stop()
