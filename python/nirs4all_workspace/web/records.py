"""Routes of templates, datasets and artifacts."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from nirs4all_workspace.web import models, parameters
from nirs4all_workspace.web.problems import ProblemError

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.dataset_record import DatasetRecord
    from nirs4all_workspace.web.api import Api
    from nirs4all_workspace.workspace import Workspace


def add(router: APIRouter, api: Api) -> None:
    """Add the routes of templates, datasets and artifacts."""
    _add_templates(router, api, "/workspaces/{workspace_id}/templates")
    _add_datasets(router, api, "/workspaces/{workspace_id}/datasets")

    @router.get(
        "/workspaces/{workspace_id}/artifacts/{hash}",
        tags=["artifacts"],
        response_class=FileResponse,
        responses={200: {"content": {"application/octet-stream": {}}}},
    )
    async def artifact(request: Request, workspace_id: str, hash: str) -> Any:  # noqa: A002, ANN401
        """The file of an artifact, as a download; nothing of it is read here."""

        def ask(ws: Workspace) -> FileResponse:
            path = ws.artifacts.get(hash)
            return FileResponse(path, media_type="application/octet-stream", filename=path.name)

        return await api.answer(request, workspace_id, ask, has_tag=False)


def _add_templates(router: APIRouter, api: Api, place: str) -> None:
    @router.get(place, tags=["templates"], response_model=models.TemplateList)
    async def templates(request: Request, workspace_id: str) -> Response:
        """Every template that is stored or that a run refers to."""

        def ask(ws: Workspace) -> dict[str, Any]:
            found = ws.templates.usage()
            return {"templates": list(found), "errors": found.errors}

        return await api.answer(request, workspace_id, ask)

    @router.post(place, tags=["templates"], status_code=HTTPStatus.CREATED, response_model=models.TemplateId)
    async def save(workspace_id: str, body: parameters.NewTemplate) -> Response:
        """Store a template; an equal one is the same. It may name classes of the allow-list alone."""

        def do(ws: Workspace) -> dict[str, Any]:
            from nirs4all_workspace.integrations.nirs4all import permissions
            from nirs4all_workspace.templates import Template

            permissions.check(body.steps, where="steps")
            return {"id": ws.templates.add(Template(body.steps))}

        return await api.change(workspace_id, do, HTTPStatus.CREATED)

    @router.post(f"{place}/preview", tags=["templates"], response_model=models.Preview)
    async def preview(workspace_id: str, body: parameters.PreviewQuery) -> Response:
        """What steps expand to, by nirs4all; 501 where that is not installed. Nothing is stored."""

        def ask() -> dict[str, Any]:
            from nirs4all_workspace.integrations.nirs4all import expansion, permissions

            api.resolve(workspace_id)
            permissions.check(body.steps, where="steps")
            found = expansion.expand(body.steps, "preview").configurations
            shown = [
                {"name": it.name, "generator_choices": it.generator_choices, "steps": it.steps}
                for it in found[: body.limit]
            ]
            return {"total": len(found), "configurations": shown}

        from nirs4all_workspace.web.api import response_of

        return response_of(await api.work.answer(object(), ask))

    @router.get(f"{place}/{{template}}", tags=["templates"], response_model=models.Record)
    async def template(request: Request, workspace_id: str, template: str) -> Response:
        """The steps of a template."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return {"id": template, "steps": ws.templates.get(template).steps}

        return await api.answer(request, workspace_id, ask)

    @router.get(f"{place}/{{template}}/runs", tags=["templates"], response_model=models.RunList)
    async def runs_using(request: Request, workspace_id: str, template: str) -> Response:
        """The runs that refer to a template."""
        return await api.answer(
            request, workspace_id, lambda ws: ws.runs.list(template=template).to_dict(), has_tag=False
        )


def _add_datasets(router: APIRouter, api: Api, place: str) -> None:
    @router.get(place, tags=["datasets"], response_model=models.DatasetList)
    async def datasets(request: Request, workspace_id: str) -> Response:
        """Registered datasets, with what is known of their content."""
        return await api.answer(request, workspace_id, lambda ws: ws.datasets.list().to_dict())

    @router.post(f"{place}/link", tags=["datasets"], response_model=models.Record)
    async def link(workspace_id: str, _: parameters.Empty) -> Response:
        """Bring the registry up to date with runs and files."""
        return await api.change(workspace_id, lambda ws: ws.datasets.link().to_dict())

    @router.get(f"{place}/{{dataset}}", tags=["datasets"], response_model=models.Record)
    async def dataset(request: Request, workspace_id: str, dataset: str) -> Response:
        """One dataset."""
        return await api.answer(request, workspace_id, lambda ws: ws.datasets.get(dataset).to_dict())

    @router.get(f"{place}/{{dataset}}/resolve", tags=["datasets"], response_model=models.Record)
    async def resolve(request: Request, workspace_id: str, dataset: str) -> Response:
        """Where the content of a dataset is now."""
        return await api.answer(
            request, workspace_id, lambda ws: ws.datasets.resolve(dataset).to_dict(), has_tag=False
        )

    @router.post(f"{place}/{{dataset}}/relocate", tags=["datasets"], response_model=models.Record)
    async def relocate(workspace_id: str, dataset: str, body: parameters.PathOfDataset) -> Response:
        """Set the path of a dataset; the content there must be the recorded one."""

        def do(ws: Workspace) -> dict[str, Any]:
            return ws.datasets.relocate(dataset, _allowed(api, ws, body.path)).to_dict()

        return await api.change(workspace_id, do)

    @router.post(f"{place}/{{dataset}}/accept", tags=["datasets"], response_model=models.Record)
    async def accept(workspace_id: str, dataset: str, body: parameters.OptionalPath) -> Response:
        """Accept the content at a path as the new version of a dataset."""

        def do(ws: Workspace) -> dict[str, Any]:
            path = None if body.path is None else _allowed(api, ws, body.path)
            return ws.datasets.accept_version(dataset, path).to_dict()

        return await api.change(workspace_id, do)


def _allowed(api: Api, ws: Workspace, given: str) -> Path:
    """Return a path below a folder of data; of others nothing is said, not whether they exist."""
    path = Path(given)
    roots = api.data_roots if api.data_roots is not None else _roots(ws, ws.datasets.list())
    real = path.resolve()
    if not path.is_absolute() or not any(real.is_relative_to(root.resolve()) for root in roots):
        message = "the path lies in no folder of data; give an absolute path below one, or start the server "
        raise ProblemError(HTTPStatus.FORBIDDEN, f"{message}with --data-root FOLDER")
    return path


def _roots(ws: Workspace, records: list[DatasetRecord]) -> list[Path]:
    """Return the folders that hold registered datasets, and their parents."""
    places = [path for record in records if (path := ws.datasets.path_of(record)) is not None]
    found = {folder for place in places for folder in (place.parent, place.parent.parent)}
    return sorted(folder for folder in found if folder != folder.parent)
