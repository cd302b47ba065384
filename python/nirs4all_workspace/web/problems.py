"""Errors as problem details (RFC 9457): what is wrong, and what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    InvalidTransitionError,
    LockTimeoutError,
    NotFoundError,
    SchemaError,
    UnknownMetricError,
    WorkspaceError,
)
from nirs4all_workspace.values import strict_json
from nirs4all_workspace.web.work import ClientGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
# Methods that change nothing; all others need a body of JSON, which no form of another site can send.
SAFE = ("GET", "HEAD", "OPTIONS")
# The first class that an error is of decides.
_STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (InvalidTransitionError, HTTPStatus.CONFLICT),
    (ConflictError, HTTPStatus.CONFLICT),
    (LockTimeoutError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CorruptFileError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SchemaError, HTTPStatus.CONFLICT),
    (UnknownMetricError, HTTPStatus.BAD_REQUEST),
    (WorkspaceError, HTTPStatus.BAD_REQUEST),
    (ValueError, HTTPStatus.BAD_REQUEST),
    (TypeError, HTTPStatus.BAD_REQUEST),
    (PermissionError, HTTPStatus.FORBIDDEN),
    (OSError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ImportError, HTTPStatus.NOT_IMPLEMENTED),
)


class Problem(BaseModel):
    """A problem as RFC 9457 has it."""

    type: str = Field("about:blank", description="The kind of problem.")
    title: str = Field(description="The meaning of the status.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="What was expected, what was found, and what to do next.",
        examples=["there is no run 'sweep'; `n4w runs` lists all"],
    )
    errors: list[dict[str, Any]] | None = Field(None, description="The parameters or choices concerned.")


class ProblemError(Exception):
    """A problem that this package finds, with its status."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:  # noqa: ANN401 - members of a problem
        """Store status, detail and further members."""
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def response_of(error: Exception) -> Response | None:
    """Return the response for an error; None for one that is a fault of the program."""
    headers: Mapping[str, str] | None = None
    if isinstance(error, ProblemError):
        return response(error.status, error.detail, **error.more)
    if isinstance(error, HTTPException):
        headers = error.headers
        return response(error.status_code, str(error.detail), headers)
    if isinstance(error, RequestValidationError):
        listed = [
            {"parameter": ".".join(map(str, it["loc"])), "message": it["msg"], "kind": it["type"]}
            for it in error.errors()
        ]
        detail = "; ".join(f"{it['parameter']}: {it['message']}" for it in listed)
        return response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=listed)
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            # Without the path: who asks need not know where the workspace lies.
            message = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
            return response(status, message)
    return None


def response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - members of a problem
) -> Response:
    """Return a problem as a response."""
    known = HTTPStatus(status)
    content = {"type": "about:blank", "title": known.phrase, "status": int(known), "detail": shown(detail)}
    return Response(
        strict_json.dumps(content | more), status_code=int(known), headers=headers, media_type=MEDIA_TYPE
    )


class ProblemRoute(APIRoute):
    """A route whose errors are problems, and whose bodies are JSON, in whichever app it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, with its errors as responses."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            kind = request.headers.get("content-type", "")
            if request.method not in SAFE and kind.partition(";")[0].strip().lower() != "application/json":
                message = f"expected a body of application/json, got {kind or 'none'}"
                return response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
            try:
                return await handle(request)
            except ClientGoneError:
                return Response(status_code=HTTPStatus.NO_CONTENT)  # which nobody gets
            except Exception as error:
                found = response_of(error)
                if found is None:
                    raise
                return found

        return handled


_DESCRIPTIONS = {
    400: "An argument is invalid.",
    403: "The server is read-only, or the path is not among those that it may use.",
    404: "There is no such thing.",
    409: "Several things have this id, or another process was first.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A parameter has a wrong type or value, or a file is damaged.",
    501: "Something is not installed.",
    503: "A file cannot be read or written now.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, text in _DESCRIPTIONS.items()
}
