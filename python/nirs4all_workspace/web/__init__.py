"""Workspaces over HTTP: a router that other FastAPI apps mount, and an app of its own (extra `[web]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nirs4all_workspace.web.app import create_app
    from nirs4all_workspace.web.router import create_router

__all__ = ["create_app", "create_router"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of two functions
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from nirs4all_workspace.web import app, router
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "starlette", "uvicorn"):
            raise
        message = f"{error.name} is missing: pip install nirs4all-workspace[web]"
        raise ImportError(message, name=error.name) from error
    return {"create_app": app.create_app, "create_router": router.create_router}[name]
