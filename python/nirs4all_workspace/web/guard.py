"""What stands before every request: host, token and origin; and headers on every response."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from nirs4all_workspace.web.problems import SAFE, response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Guard:
    """ASGI middleware of an app that listens on a machine with other people."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        is_known: Callable[[str], bool],
        cookie: str,
        public: Collection[str],
    ) -> None:
        """Stand before an app.

        Args:
            app: The app.
            hosts: The names that the `Host` header may have, without a port.
            is_known: Whether a text is the token, or a session that was made for it.
            cookie: The name of the cookie with a session.
            public: Paths that need no token, below the root path.
        """
        self._app, self._hosts, self._is_known = app, hosts, is_known
        self._cookie, self._public = cookie, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-cache")
                headers.add_vary_header("Authorization")
                headers.add_vary_header("Cookie")
            await send(message)

        await (refused or self._app)(scope, receive, sent)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            message = f"the host {host!r} is not one of this server; use the address that it printed"
            return response(HTTPStatus.FORBIDDEN, message)
        if not self._is_allowed(scope, headers):
            message = "a token is missing or wrong; send it as `Authorization: Bearer <token>`, or open the "
            return response(
                HTTPStatus.UNAUTHORIZED,
                f"{message}address that the server printed",
                {"WWW-Authenticate": "Bearer"},
            )
        if scope["method"] in SAFE:
            return None
        # Cookies ignore ports: a page of another local port sends them too.
        if headers.get("origin", "").partition("://")[2] != host:
            message = f"the origin {headers.get('origin')!r} is not this server; send `Origin: http://{host}`"
            return response(HTTPStatus.FORBIDDEN, message)
        return None

    def _is_allowed(self, scope: Scope, headers: Headers) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in self._public:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_known(token.strip()):
            return True
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return self._cookie in cookie and self._is_known(cookie[self._cookie].value)


def _name_of(host: str) -> str:
    """Return a host without its port."""
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdecimal() else host).lower()


def is_equal(one: str, other: str) -> bool:
    """Return whether two secrets are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
