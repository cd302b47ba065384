"""The router: paths from `/workspaces` on, for any FastAPI app; authentication is that app's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter

from nirs4all_workspace.web import charts, predictions, records, runs, upkeep
from nirs4all_workspace.web.api import Api
from nirs4all_workspace.web.problems import RESPONSES, ProblemRoute

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from nirs4all_workspace.web.served import Served
    from nirs4all_workspace.workspace import Workspace


def create_router(
    resolve_workspace: Callable[[str], Workspace],
    *,
    served: Callable[[], Iterable[Served]] = tuple,
    write: bool = False,
    data_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> APIRouter:
    """Return the routes of the API, to be included in an app with any prefix.

    It authenticates nobody and checks no origin: that is the app's. Errors are problem details (RFC 9457).

    Args:
        resolve_workspace: Returns the workspace with a key of a URL, or raises a NotFoundError. It is called
            in a thread, for every request.
        served: Returns what `GET /workspaces` lists.
        write: Whether requests may write.
        data_roots: Folders below which datasets may be relocated; None for the folders that hold registered
            datasets, and their parents.
    """
    roots = None if data_roots is None else [Path(root).absolute() for root in data_roots]
    return router_of(Api(resolve_workspace, served, write, roots))


def router_of(api: Api) -> APIRouter:
    """Return the routes that work on this."""
    router = APIRouter(route_class=ProblemRoute, responses=RESPONSES)
    for part in (upkeep, predictions, charts, runs, records):
        part.add(router, api)
    return router
