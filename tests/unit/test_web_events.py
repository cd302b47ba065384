"""Changes of a workspace as events: ids lead on, and what is not known any more is one reset."""

import asyncio
import contextlib

import nirs4all_workspace as n4w
import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")

from nirs4all_workspace.web import events


@pytest.fixture
def ws(tmp_path):
    return n4w.Workspace.create(tmp_path / "w")


def hubs(ws):
    def resolve(key):
        if key != "w":
            raise n4w.NotFoundError(f"no workspace {key!r}")
        return ws

    return events.Hubs(resolve)


async def take(stream, number):
    return [await asyncio.wait_for(anext(stream), 20) for _ in range(number)]


def test_changes_come_with_ids_that_lead_on(ws):
    async def ask():
        all_of = hubs(ws)
        hub = all_of.hub("w")
        first = all_of.follow(hub, None)
        waiting = asyncio.ensure_future(take(first, 1))
        await asyncio.sleep(0.2)
        template = await asyncio.to_thread(ws.templates.add, n4w.Template(["SNV"]))
        (event,) = await waiting
        assert event.event == "change"
        assert (event.data["kind"], event.data["action"], event.data["id"]) == ("template", "added", template)
        await asyncio.to_thread(ws.templates.add, n4w.Template(["MSC"]))
        (second,) = await take(first, 1)
        # A second client that had the first event, and comes late.
        (missed,) = await take(all_of.follow(hub, event.id), 1)
        assert (missed.id, missed.data) == (second.id, second.data)
        for stale in ("other-1", "x", f"{event.id}9", ""):
            (reset,) = await take(all_of.follow(hub, stale), 1)
            assert (reset.event, reset.id) == ("reset", second.id)
        all_of.stop()
        with contextlib.suppress(StopAsyncIteration):
            await asyncio.wait_for(anext(first), 5)

    asyncio.run(ask())


def test_what_is_beyond_the_ring_is_one_reset(ws, monkeypatch):
    monkeypatch.setattr(events, "_LARGEST", 5)

    async def ask():
        all_of = hubs(ws)
        hub = all_of.hub("w")
        stream = all_of.follow(hub, None)
        waiting = asyncio.ensure_future(take(stream, 1))
        await asyncio.sleep(0.1)
        change = {"kind": "run", "action": "added", "id": "r", "path": "runs/r"}
        hub._add([change] * 12)
        (event,) = await waiting
        assert (event.event, event.id) == ("reset", hub.id_of(12))
        hub._add([change] * 2)
        assert [it.id for it in await take(stream, 2)] == [hub.id_of(13), hub.id_of(14)]
        all_of.stop()

    asyncio.run(ask())


def test_a_watch_ends_with_its_last_client(ws):
    async def ask():
        all_of = hubs(ws)
        hub = all_of.hub("w")
        streams = [all_of.follow(hub, None) for _ in range(2)]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for stream in streams:
            await stream.aclose()
        assert all_of.hub("w") is not hub
        with pytest.raises(n4w.NotFoundError):
            all_of.hub("none")

    asyncio.run(ask())
