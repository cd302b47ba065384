"""Serving workspaces from this process, until it is told to stop."""

from __future__ import annotations

import ipaddress
import socket
import sys
import webbrowser
from typing import TYPE_CHECKING, Any

import uvicorn

from nirs4all_workspace.display import shown
from nirs4all_workspace.web.app import LOOPBACK, create_app

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fastapi import FastAPI

# Seconds that answers in flight are waited for when the server stops.
_PATIENCE = 3
# Bytes of a request before its body: many long parameters, percent-encoded.
_LONGEST_HEAD = 2_000_000


class _Server(uvicorn.Server):
    """A server that ends its event streams first, so that it need not wait for their clients."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        app: Any = self.config.app
        app.state.api.hubs.stop()
        await super().shutdown(sockets)


def serve(
    paths: Sequence[Path],
    *,
    host: str,
    port: int,
    uds: Path | None,
    root_path: str,
    write: bool,
    has_token: bool,
    data_roots: Sequence[Path] | None,
    opens_browser: bool,
    certificate: Path | None,
    key: Path | None,
) -> None:
    """Serve workspaces until Ctrl-C or SIGTERM.

    Raises:
        ValueError: No token is demanded off loopback, or a key has no certificate.
        OSError: The address cannot be bound.
    """
    is_local = uds is not None or _is_loopback(host)
    if not has_token and not is_local:
        raise ValueError(f"--no-token: {host} can be reached from other machines; it is for loopback only")
    if (certificate is None) != (key is None):
        raise ValueError("--ssl-certfile and --ssl-keyfile: give both, or none")
    if not is_local and certificate is None:
        _say(f"n4w: {host} is served without TLS: others on the network can read token and answers")
    bound = None if uds is not None else _bind(host, port)
    actual = port if bound is None else bound.getsockname()[1]
    app = _app(
        bound,
        paths,
        write=write,
        has_token=has_token,
        data_roots=data_roots,
        hosts=() if is_local and host in LOOPBACK else _names(host),
        port=actual,
        root_path=root_path,
    )
    config = uvicorn.Config(
        app,
        uds=None if uds is None else str(uds),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=_LONGEST_HEAD,
    )
    token = app.state.token
    fragment = "" if token is None else f"#token={token}"
    if uds is None:
        scheme = "http" if certificate is None else "https"
        shown_host = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{shown_host}:{actual}{root_path}/{fragment}"
        _say(f"serving {len(paths)} workspaces, {'for writing' if write else 'read-only'}: {address}")
        if opens_browser:
            webbrowser.open(address)
    else:
        _say(f"serving {len(paths)} workspaces at the socket {uds}; token: {token}")
    _Server(config).run(sockets=None if bound is None else [bound])


def _app(bound: socket.socket | None, paths: Sequence[Path], **options: Any) -> FastAPI:  # noqa: ANN401
    """Return the app; without it the socket is of no use."""
    try:
        return create_app(paths, **options)
    except BaseException:
        if bound is not None:
            bound.close()
        raise


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends answers at once only where it knows that a socket is of TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise OSError(
            error.errno, f"{error.strerror}; choose another port with --port", f"{host}:{port}"
        ) from error
    return bound


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str) -> list[str]:
    """Return the names that clients have for this machine, where it is served on an address of its own."""
    return [f"[{host}]" if ":" in host else host, socket.gethostname(), socket.getfqdn()]


def _say(text: str) -> None:
    print(shown(text), file=sys.stderr, flush=True)
