"""The app that `n4w serve` runs: the router, and all that a server on a shared machine needs around it."""

from __future__ import annotations

import re
import secrets
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from nirs4all_workspace._version import __version__
from nirs4all_workspace.web.api import Api
from nirs4all_workspace.web.guard import Guard, is_equal
from nirs4all_workspace.web.problems import RESPONSES, Problem, ProblemRoute, response, response_of
from nirs4all_workspace.web.router import router_of
from nirs4all_workspace.web.served import Folders

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

PREFIX = "/api/v1"
SESSION = f"{PREFIX}/session"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_STATIC = {"/": ("index.html", "text/html"), "/start.js": ("start.js", "text/javascript")}
_SMALLEST_COMPRESSED = 1_000
_LARGEST_BODY = 1_000_000


def create_app(
    paths: Iterable[str | os.PathLike[str]],
    *,
    write: bool = False,
    token: str | None = None,
    has_token: bool = True,
    data_roots: Iterable[str | os.PathLike[str]] | None = None,
    hosts: Iterable[str] = (),
    port: int = 0,
    root_path: str = "",
) -> FastAPI:
    """Return an app that serves workspaces below `/api/v1`.

    Args:
        paths: The folders of the workspaces.
        write: Whether requests may write.
        token: The token that clients need; None for a new one, as `app.state.token`.
        has_token: Whether a token is needed at all; only without one on loopback should this be false.
        data_roots: Folders below which datasets may be relocated, as for `create_router`.
        hosts: Names that the `Host` header may have, beside those of loopback.
        port: The port, which the name of the cookie has: cookies of other ports would come too.
        root_path: The path below which a proxy serves the app.

    Raises:
        ValueError: No folder is given, or one is given twice.
        NotFoundError: A folder does not exist.
        SchemaError: A folder is a store of nirs4all 0.7 to 1.4.
    """
    folders = Folders(paths)
    roots = None if data_roots is None else [Path(root).absolute() for root in data_roots]
    api = Api(folders, lambda: folders.all, write, roots)
    secret, session = token or secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    cookie = f"n4w-{port}"
    app = FastAPI(
        title="nirs4all-workspace",
        version=__version__,
        description="Runs, results and predictions of near-infrared spectroscopy, in workspaces.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        root_path=root_path,
        max_body_size=_LARGEST_BODY,
    )
    app.state.api, app.state.token = api, secret if has_token else None
    app.router.route_class = ProblemRoute

    @app.post(SESSION, status_code=HTTPStatus.NO_CONTENT, tags=["session"], responses=RESPONSES)
    async def start_session(
        request: Request, token: Annotated[str, Body(embed=True, max_length=1_000)]
    ) -> Response:
        """Exchange the token for a cookie, which a page cannot read and other sites cannot send."""
        if not is_equal(token, secret):
            return response(HTTPStatus.UNAUTHORIZED, "the token is wrong; the server printed it at its start")
        answer = Response(status_code=HTTPStatus.NO_CONTENT)
        is_secure = request.url.scheme == "https"
        answer.set_cookie(cookie, session, httponly=True, samesite="strict", secure=is_secure)
        return answer

    for path, (name, media_type) in _STATIC.items():
        _add_file(app, path, name, media_type)
    app.include_router(router_of(api), prefix=PREFIX)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _refuse_method)
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _handle)
    app.add_exception_handler(Exception, _fail)
    app.add_middleware(GZipMiddleware, minimum_size=_SMALLEST_COMPRESSED)
    app.add_middleware(
        Guard,
        hosts=frozenset(name.lower() for name in (*LOOPBACK, *hosts)),
        is_known=lambda given: not has_token or is_equal(given, secret) or is_equal(given, session),
        cookie=cookie,
        public=frozenset({SESSION, *_STATIC}) if has_token else _Everything(),
    )
    app.openapi = partial(_openapi, app, app.openapi)  # type: ignore[method-assign]
    return app


class _Everything(frozenset[str]):
    """All paths."""

    def __contains__(self, path: object) -> bool:
        return True


def _add_file(app: FastAPI, path: str, name: str, media_type: str) -> None:
    content = files("nirs4all_workspace.web").joinpath("static", name).read_bytes()

    @app.get(path, include_in_schema=False)
    async def file() -> Response:
        return Response(content, media_type=media_type)


async def _refuse_method(request: Request, _: Exception) -> Response:
    """Say which methods a path has: several routes share it, of which Starlette names one."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = [one for one in paths if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one)), path)]
    # `/datasets/link` rather than `/datasets/{dataset}`.
    nearest = min(found, key=lambda one: one.count("{"), default=None)
    allowed = "GET" if nearest is None else ", ".join(sorted(method.upper() for method in paths[nearest]))
    detail = f"{request.method} is not allowed here; allowed: {allowed}"
    return response(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})


async def _handle(_: Request, error: Exception) -> Response:
    found = response_of(error)
    if found is None:
        raise error
    return found


async def _fail(_: Request, __: Exception) -> Response:
    return response(
        HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of the server; what it printed says where"
    )


def _openapi(app: FastAPI, describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the description of the API, with the model of problems, and how a client shows its token."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    schema = describe()
    components = schema["components"]
    components["schemas"]["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault(
                "401", {"description": "The token is missing or wrong.", "content": RESPONSES[404]["content"]}
            )
    return schema
