"""Routes of runs and of their results."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nirs4all_workspace.model.states import RunStatus
from nirs4all_workspace.web import models, parameters

if TYPE_CHECKING:
    from nirs4all_workspace.runs.run import Run
    from nirs4all_workspace.web.api import Api
    from nirs4all_workspace.workspace import Workspace

_LONGEST = 1_000


def add(router: APIRouter, api: Api) -> None:
    """Add the routes of runs and results."""
    place = "/workspaces/{workspace_id}/runs"

    @router.get(place, tags=["runs"], response_model=models.RunList)
    async def runs(
        request: Request, workspace_id: str, query: Annotated[parameters.RunQuery, Query()]
    ) -> Response:
        """Runs, oldest first. Whether a run is interrupted is no matter of files, so there is no tag."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return ws.runs.list(query.status, query.dataset, query.template, query.tag or None).to_dict()

        return await api.answer(request, workspace_id, ask, has_tag=False)

    @router.post(place, tags=["runs"], status_code=HTTPStatus.CREATED, response_model=models.Record)
    async def create(workspace_id: str, body: parameters.NewRun) -> Response:
        """Make a run that waits for a worker. Its templates may name classes of the allow-list alone."""
        return await api.change(workspace_id, lambda ws: _create(ws, body), HTTPStatus.CREATED)

    @router.get(f"{place}/{{run}}", tags=["runs"], response_model=models.Record)
    async def show(request: Request, workspace_id: str, run: str) -> Response:
        """A run with its history, templates, datasets, counts and summary."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return ws.runs.get(run).to_dict()

        return await api.answer(request, workspace_id, ask, has_tag=False)

    @router.patch(f"{place}/{{run}}", tags=["runs"], response_model=models.Record)
    async def edit(workspace_id: str, run: str, body: parameters.RunEdit) -> Response:
        """Change description, tags and notes; what is not given stays."""

        def do(ws: Workspace) -> dict[str, Any]:
            given = body.model_dump(include=body.model_fields_set)
            if "tags" in given:
                given["tags"] = given["tags"] or []
            return ws.runs.get_writable(run).edit(**given).to_dict()

        return await api.change(workspace_id, do)

    @router.delete(f"{place}/{{run}}", tags=["runs"], response_model=models.Deletion)
    async def delete(workspace_id: str, run: str, _: parameters.Empty) -> Response:
        """Delete a run, named by its whole id, with its rows, arrays and artifacts of no other run."""
        return await api.change(workspace_id, lambda ws: ws.runs.delete(run))

    for name, action in _ACTIONS.items():
        _add_action(router, api, f"{place}/{{run}}/{name}", name, action)

    @router.get(f"{place}/{{run}}/results", tags=["runs"], response_model=models.ResultList)
    async def results_of_run(
        request: Request,
        workspace_id: str,
        run: str,
        limit: Annotated[parameters.Limit, Query()] = 100,
        offset: Annotated[parameters.Offset, Query()] = 0,
    ) -> Response:
        """Finished results of a run, best first."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return ws.results.list(run=run, limit=limit, offset=offset).to_dict()

        return await api.answer(request, workspace_id, ask)

    @router.get(f"{place}/{{run}}/errors", tags=["runs"], response_model=models.ResultList)
    async def errors(request: Request, workspace_id: str, run: str) -> Response:
        """Failed results of a run, with error and traceback; at most 1,000."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return ws.results.list(run=run, status="failed", limit=_LONGEST).to_dict()

        return await api.answer(request, workspace_id, ask)

    @router.get(f"{place}/{{run}}/lineage", tags=["runs"], response_model=models.Record)
    async def lineage(request: Request, workspace_id: str, run: str) -> Response:
        """Which runs this one was derived from, and which were derived from it."""
        return await api.answer(request, workspace_id, lambda ws: ws.lineage(ws.runs.get(run).id).to_dict())

    @router.get("/workspaces/{workspace_id}/results", tags=["results"], response_model=models.ResultList)
    async def results(
        request: Request, workspace_id: str, query: Annotated[parameters.ResultQuery, Query()]
    ) -> Response:
        """Finished results of all runs, the best first, dataset by dataset."""
        asked = query.arguments()
        return await api.answer(request, workspace_id, lambda ws: ws.results.list(**asked).to_dict())

    @router.get("/workspaces/{workspace_id}/results/{result}", tags=["results"], response_model=models.Record)
    async def result(request: Request, workspace_id: str, result: str) -> Response:
        """One result with all fields."""
        return await api.answer(request, workspace_id, lambda ws: ws.results.get(result).to_dict())

    @router.get(
        "/workspaces/{workspace_id}/results/{result}/predictions",
        tags=["results"],
        response_model=models.PredictionPage,
    )
    async def rows_of_result(
        request: Request,
        workspace_id: str,
        result: str,
        limit: Annotated[parameters.Limit, Query()] = 100,
        offset: Annotated[parameters.Offset, Query()] = 0,
    ) -> Response:
        """A page of the rows of a result."""

        def ask(ws: Workspace) -> dict[str, Any]:
            found = ws.results.get(result)
            return ws.predictions.page(offset, limit, run=found.run_id, result=found.id).to_dict()

        return await api.answer(request, workspace_id, ask)


def _add_action(router: APIRouter, api: Api, path: str, name: str, action: Any) -> None:  # noqa: ANN401
    @router.post(
        path,
        tags=["runs"],
        name=name,
        operation_id=f"{name}_run",
        description=action.__doc__,
        response_model=models.Record,
    )
    async def act(workspace_id: str, run: str, body: parameters.Reason) -> Response:
        def do(ws: Workspace) -> dict[str, Any]:
            found = ws.runs.get_writable(run)
            action(found, body.reason)
            return found.to_dict()

        return await api.change(workspace_id, do)


def _pause(run: Run, reason: str | None) -> None:
    """Pause a run; one that a process owns pauses at its next checkpoint."""
    run.transition(RunStatus.PAUSED, reason)


def _resume(run: Run, reason: str | None) -> None:
    """Ask for a paused or interrupted run to be resumed by the next worker that claims one."""
    if run.is_interrupted:
        run.transition(RunStatus.PAUSED, "owner died")
    run.request(RunStatus.RUNNING, reason)


def _cancel(run: Run, reason: str | None) -> None:
    """Cancel a run; one that a process owns stops at its next checkpoint."""
    run.transition(RunStatus.CANCELLED, reason)


def _retry(run: Run, reason: str | None) -> None:
    """Put a run into the queue again, to do what failed of it and what is missing."""
    run.retry(reason)


_ACTIONS = {"pause": _pause, "resume": _resume, "cancel": _cancel, "retry": _retry}


def _create(ws: Workspace, body: parameters.NewRun) -> dict[str, Any]:
    """Make a run of stored templates or given steps on registered datasets, which it names by their paths."""
    from nirs4all_workspace.integrations.nirs4all import permissions, queue

    steps = [ws.templates.get(it).steps if isinstance(it, str) else it for it in body.templates]
    for number, template in enumerate(steps):
        permissions.check(template, where=f"templates[{number}]")
    datasets = [ws.datasets.get(it) for it in body.datasets]
    places = [ws.datasets.resolve(it.id).path for it in datasets]
    lacking = [it.name for it, place in zip(datasets, places, strict=True) if place is None]
    if lacking:
        raise ValueError(f"datasets that are not found: {', '.join(lacking)}; relocate them first")
    run = queue(steps, [str(place) for place in places], ws, name=body.name)
    return run.edit(description=body.description, tags=body.tags, notes=body.notes).to_dict()
