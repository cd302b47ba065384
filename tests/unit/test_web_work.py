"""Work off the event loop: equal questions are one, two run, others wait in order, who goes away leaves."""

import asyncio
import threading

import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")

from nirs4all_workspace.web.work import AT_ONCE, ClientGoneError, Work


class Client:
    """A request whose client goes away when it is told to."""

    def __init__(self):
        self.gone = asyncio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Calls:
    """Calls that wait until they may end, and what began, in order."""

    def __init__(self):
        self.began, self.may_end = [], threading.Event()

    def of(self, name):
        def call():
            self.began.append(name)
            assert self.may_end.wait(10)
            return name

        return call

    async def begun(self, number):
        for _ in range(1_000):
            if len(self.began) >= number:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(self.began)


def test_equal_questions_in_flight_are_one():
    async def ask():
        work, calls = Work(), Calls()
        asked = [asyncio.ensure_future(work.answer("same", calls.of("same"))) for _ in range(5)]
        await calls.begun(1)
        calls.may_end.set()
        assert await asyncio.gather(*asked) == ["same"] * 5
        assert calls.began == ["same"]
        assert await work.answer("same", calls.of("again")) == "again", "what is done is asked anew"

    asyncio.run(ask())


def test_two_run_and_the_others_wait_in_order():
    async def ask():
        work, calls = Work(), Calls()
        asked = [asyncio.ensure_future(work.answer(n, calls.of(n))) for n in range(6)]
        await calls.begun(AT_ONCE)
        await asyncio.sleep(0.1)
        assert len(calls.began) == AT_ONCE == 2
        calls.may_end.set()
        assert await asyncio.gather(*asked) == list(range(6))
        assert sorted(calls.began[:2]) == [0, 1]
        assert sorted(calls.began[2:]) == [2, 3, 4, 5]

    asyncio.run(ask())


def test_a_client_that_goes_away_leaves_the_queue():
    async def ask():
        work, calls = Work(), Calls()
        running = [asyncio.ensure_future(work.answer(n, calls.of(n))) for n in ("a", "b")]
        await calls.begun(2)
        one, other = Client(), Client()
        left = asyncio.ensure_future(work.answer("gone", calls.of("gone"), one))
        shared = [
            asyncio.ensure_future(work.answer("shared", calls.of("shared"), it)) for it in (other, None)
        ]
        await asyncio.sleep(0.05)
        one.gone.set()
        other.gone.set()
        with pytest.raises(ClientGoneError):
            await left
        with pytest.raises(ClientGoneError):
            await shared[0]
        calls.may_end.set()
        assert await asyncio.gather(*running) == ["a", "b"]
        assert await shared[1] == "shared", "somebody else waits for it"
        assert "gone" not in calls.began

    asyncio.run(ask())


def test_an_error_is_raised_to_all_that_asked():
    def fail():
        raise ValueError("no")

    async def ask():
        work = Work()
        found = await asyncio.gather(*(work.answer("k", fail) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in found] == [ValueError] * 3

    asyncio.run(ask())
