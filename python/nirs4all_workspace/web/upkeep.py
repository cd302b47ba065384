"""Routes of a workspace as a whole: what is served, statistics, health, and changes as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from nirs4all_workspace.exceptions import WorkspaceError, problem
from nirs4all_workspace.web import models
from nirs4all_workspace.web.api import response_of
from nirs4all_workspace.web.events import Hub

if TYPE_CHECKING:
    from nirs4all_workspace.web.api import Api
    from nirs4all_workspace.workspace import Workspace


def add(router: APIRouter, api: Api) -> None:
    """Add the routes of whole workspaces."""
    place = "/workspaces/{workspace_id}"

    @router.get("/workspaces", tags=["workspaces"], response_model=models.WorkspaceEntries)
    async def workspaces() -> Response:
        """The workspaces that are served, with their keys."""
        # Not in the queue: a list of names waits for no answer.
        return response_of(await asyncio.to_thread(_entries, api))

    @router.get(f"{place}/stats", tags=["workspaces"], response_model=models.Statistics)
    async def stats(request: Request, workspace_id: str) -> Response:
        """Numbers of runs, results, datasets, files and bytes; the performance of models."""
        return await api.answer(request, workspace_id, lambda ws: ws.stats())

    @router.get(f"{place}/health", tags=["workspaces"], response_model=models.Health)
    async def health(request: Request, workspace_id: str) -> Response:
        """What `verify` finds quickly, interrupted runs, and storage."""
        return await api.answer(request, workspace_id, lambda ws: _health(api, ws), has_tag=False)

    async def watched(workspace_id: str) -> Hub:
        return await asyncio.to_thread(api.hubs.hub, workspace_id)

    @router.get(f"{place}/events", tags=["workspaces"], response_class=EventSourceResponse)
    async def events(
        hub: Hub = Depends(watched),  # noqa: B008 - where a dependency is a local function
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
        seconds: Annotated[
            float, Query(gt=0, le=86_400, description="The stream ends after this time.")
        ] = 86_400,
    ) -> AsyncIterator[ServerSentEvent]:
        """Changes of segments, runs, datasets and templates as they are noticed (server-sent events).

        An event `change` has the change as data. A client that comes back with the id of its last event gets
        what it missed, or one event `reset` where that is not known any more.
        """
        async for event in api.hubs.follow(hub, last_event_id, seconds):
            yield event


def _entries(api: Api) -> dict[str, Any]:
    return {"workspaces": [_entry(api, served.key, served.path.name) for served in api.served()]}


def _entry(api: Api, key: str, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": key,
        "name": name,
        "format_version": None,
        "is_writable": False,
        "error": None,
    }
    try:
        workspace = api.resolve(key)
    except (WorkspaceError, OSError) as error:
        return entry | {"error": problem(name, error)}
    is_writable = api.may_write and workspace.is_writable and workspace.format_version > 1
    return entry | {"format_version": workspace.format_version, "is_writable": is_writable}


def _health(api: Api, ws: Workspace) -> dict[str, Any]:
    runs = ws.runs.list()
    counts = ws.stats()["workspace"]
    found = ws.verify()
    return {
        "is_writable": api.may_write and ws.is_writable and ws.format_version > 1,
        "interrupted": [header.id for header in runs.headers if runs.is_interrupted(header)],
        "problems": found["problems"],
        "notes": found["notes"],
        "storage": {"files": counts.get("files"), "bytes": counts.get("bytes")},
    }
