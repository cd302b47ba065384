"""The command that serves workspaces over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="The folders of the workspaces; by default here.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.", min=0, max=65_535)] = 8765,
    uds: Annotated[Path | None, typer.Option(help="A Unix socket to listen on, instead of a port.")] = None,
    root_path: Annotated[str, typer.Option(help="The path below which a proxy serves it.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Let requests write.")] = False,
    no_token: Annotated[bool, typer.Option("--no-token", help="Demand no token; on loopback only.")] = False,
    data_root: Annotated[
        list[Path] | None, typer.Option(help="A folder below which datasets may be relocated.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    ssl_certfile: Annotated[Path | None, typer.Option(help="The certificate, for TLS.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="The key of the certificate.")] = None,
) -> None:
    """Serve workspaces to a browser on this machine, until Ctrl-C; read-only unless --write is given."""
    try:
        from nirs4all_workspace.web import serve as server
    except ImportError as error:
        message = f"{error.name} is missing: pip install nirs4all-workspace[web]"
        raise typer.BadParameter(message) from error
    server.serve(
        paths or [Path()],
        host=host,
        port=port,
        uds=uds,
        root_path=root_path.rstrip("/"),
        write=write,
        has_token=not no_token,
        data_roots=data_root,
        opens_browser=not no_browser,
        certificate=ssl_certfile,
        key=ssl_keyfile,
    )
