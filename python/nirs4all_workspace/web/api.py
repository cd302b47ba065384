"""What all routes share: the workspaces, the queue of questions, and whether and where they may write."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from nirs4all_workspace.values import strict_json
from nirs4all_workspace.web.events import Hubs
from nirs4all_workspace.web.problems import ProblemError
from nirs4all_workspace.web.state import etag
from nirs4all_workspace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request

    from nirs4all_workspace.web.served import Served
    from nirs4all_workspace.workspace import Workspace

JSON = "application/json"


@dataclass
class Api:
    """What a router works on.

    Attributes:
        resolve: Returns the workspace with a key, or raises a NotFoundError.
        served: Returns the workspaces that are listed.
        may_write: Whether anything may be written.
        data_roots: Folders below which datasets may be relocated; None for those that hold registered ones.
        work: The queue of questions.
        hubs: The watches of workspaces, for events.
    """

    resolve: Callable[[str], Workspace]
    served: Callable[[], Iterable[Served]]
    may_write: bool = False
    data_roots: Sequence[Path] | None = None
    work: Work = field(default_factory=Work)
    hubs: Hubs = field(init=False)

    def __post_init__(self) -> None:
        """Watch nothing yet."""
        self.hubs = Hubs(self.resolve)

    async def answer(
        self,
        request: Request,
        workspace_id: str,
        ask: Callable[[Workspace], Any],
        *,
        has_tag: bool = True,
    ) -> Response:
        """Return the answer to a question, as strict JSON.

        Args:
            request: The request.
            workspace_id: The key of the workspace.
            ask: Returns the answer, in a thread; or a response.
            has_tag: Whether equal files make equal answers, so that a client need not be told again.
        """
        question = f"{request.url.path}?{request.url.query}"
        known = request.headers.get("if-none-match", "")

        def answered() -> Response:
            workspace = self.resolve(workspace_id)
            # Of the state before: an answer of a later one is at worst told twice.
            tag = etag(workspace.path, question) if has_tag else None
            headers = {} if tag is None else {"ETag": tag}
            if tag is not None and any(
                one.strip() in (tag, tag.removeprefix("W/"), "*") for one in known.split(",")
            ):
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            return response_of(ask(workspace), headers)

        return await self.work.answer((question, known), answered, request)

    async def change(
        self,
        workspace_id: str,
        do: Callable[[Workspace], Any],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        """Return what a change returned, as strict JSON; refused where the server only reads."""
        if not self.may_write:
            message = "this server is read-only; start it with --write, or mount the router with write=True"
            raise ProblemError(HTTPStatus.FORBIDDEN, message)

        def done() -> Response:
            workspace = self.resolve(workspace_id)
            workspace.check_writable()
            return response_of(do(workspace), status=status)

        return await self.work.answer(object(), done)


def response_of(
    answer: Any,  # noqa: ANN401 - plain data, or a response
    headers: dict[str, str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """Return plain data as a response of strict JSON."""
    if isinstance(answer, Response):
        return answer
    return Response(strict_json.dumps(answer), status_code=status, headers=headers, media_type=JSON)
