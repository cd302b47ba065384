"""Work off the event loop: equal questions in flight are one, two run at a time, the others wait in order."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from starlette.requests import Request

_T = TypeVar("_T")
AT_ONCE = 2


@dataclass
class _Job:
    future: Future[Any]
    waiting: int = 0


class ClientGoneError(Exception):
    """The client of a request went away before there was an answer."""


class Work:
    """A queue of questions, which two threads answer."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._pool = ThreadPoolExecutor(AT_ONCE, "n4w-web")
        self._lock = threading.Lock()
        self._jobs: dict[Hashable, _Job] = {}

    async def answer(self, key: Hashable, call: Callable[[], _T], request: Request | None = None) -> _T:
        """Return what a call returns, or raise what it raises.

        Args:
            key: Equal for calls that have equal answers.
            call: What is called, in a thread.
            request: The request that asks: a client that goes away leaves the queue.

        Raises:
            ClientGoneError: The client went away.
        """
        job = self._join(key, call)
        try:
            waiting = asyncio.wrap_future(job.future)
            if request is None:
                return cast("_T", await asyncio.shield(waiting))
            gone = asyncio.ensure_future(_disconnected(request))
            try:
                await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    raise ClientGoneError
                return cast("_T", waiting.result())
            finally:
                gone.cancel()
        finally:
            self._leave(key, job)

    def _join(self, key: Hashable, call: Callable[[], Any]) -> _Job:
        with self._lock:
            job = self._jobs.get(key)
            # What is done is asked anew: the files may have changed.
            if job is None or job.future.done():
                job = self._jobs[key] = _Job(self._pool.submit(call))
            job.waiting += 1
            return job

    def _leave(self, key: Hashable, job: _Job) -> None:
        with self._lock:
            job.waiting -= 1
            if not job.waiting:
                job.future.cancel()
            if not job.waiting and self._jobs.get(key) is job:
                del self._jobs[key]


async def _disconnected(request: Request) -> None:
    """Return once the client of a request without a body is gone."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
