"""The commands that drive nirs4all: one run that a file describes, and runs that wait in a queue."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nirs4all_workspace.cli.output import (
    AsJson,
    Folder,
    open_workspace,
    path_argument,
    path_option,
    print_json,
    say,
)
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nirs4all_workspace.runs.run import Run

app = typer.Typer()

_INTERRUPTED = 130


def _seconds(text: str) -> float:
    """Parse a duration."""
    from nirs4all_workspace.integrations.nirs4all.worker import seconds_of

    try:
        return seconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def run(
    spec: Annotated[Path, path_argument("A YAML file with name, templates, datasets and options of a run.")],
    workspace: Annotated[
        Path | None,
        path_option(
            "--workspace",
            "-w",
            help_="The workspace; else the file's, the current folder if it is one, or n4w-workspace.",
        ),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Only make the run, for `n4w worker`.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run what a file describes with nirs4all, or put it into the queue."""
    from nirs4all_workspace.integrations.nirs4all import drive
    from nirs4all_workspace.integrations.nirs4all.specification import SpecificationError, read

    try:
        arguments = dict(read(spec).arguments)
    except SpecificationError as error:
        raise typer.BadParameter(str(error)) from error
    if workspace is not None:
        arguments["workspace"] = str(workspace)
    elif "workspace" not in arguments and Path("workspace.yaml").exists():
        arguments["workspace"] = str(Path.cwd())
    if queue and (given := [key for key in ("resume", "retry_failed") if arguments.pop(key, None)]):
        raise typer.BadParameter(f"--queue makes a new run, and {spec} says {given[0]}; use `n4w resume`")
    with _as_one_line():
        try:
            made = (drive.queue if queue else drive.run)(**arguments)
        except KeyboardInterrupt as error:
            say(f"n4w: {error}" if str(error) else "n4w: interrupted", to_stderr=True)
            raise typer.Exit(_INTERRUPTED) from error
    _show(made, as_json)
    if made.status is RunStatus.FAILED:
        raise typer.Exit(1)


@app.command()
def worker(
    path: Folder = Path(),
    once: Annotated[bool, typer.Option("--once", help="End after one run, or where none waits.")] = False,
    max_time: Annotated[
        float | None,
        typer.Option(
            parser=_seconds,
            metavar="DURATION",
            help="Pause and end after this time, such as 3h55m or 2d; the next worker goes on.",
        ),
    ] = None,
    idle_exit: Annotated[
        float | None,
        typer.Option(
            parser=_seconds, metavar="DURATION", help="End after this time without a run, such as 60 or 5m."
        ),
    ] = None,
    dead_host: Annotated[list[str] | None, typer.Option(help="A host that is known to be dead.")] = None,
    allow_package: Annotated[
        list[str] | None,
        typer.Option(help="A package that templates may use beside nirs4all and scikit-learn."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that compute.", show_default="what each run says"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drive the runs that wait in a workspace, one after another; several workers may share it."""
    from nirs4all_workspace.integrations.nirs4all import worker as workers_

    def tell(line: str) -> None:
        say(line, to_stderr=as_json, flush=True)

    with _as_one_line(), workers_.Stop(max_time) as stop:
        try:
            done = workers_.work(
                open_workspace(path),
                stop,
                once=once,
                idle_exit=idle_exit,
                dead_hosts=dead_host or (),
                allow_packages=allow_package or (),
                workers=workers,
                say=tell,
            )
        except KeyboardInterrupt as error:
            say(f"n4w: {error}", to_stderr=True)
            raise typer.Exit(_INTERRUPTED) from error
    if as_json:
        print_json({"runs": [{"id": it.id, "name": it.name, "status": it.status.value} for it in done]})
    else:
        say(f"{len(done)} runs{f'; {stop.why}' if stop.why else ''}")


@contextmanager
def _as_one_line() -> Iterator[None]:
    """Say in one line that nirs4all is not installed."""
    try:
        yield
    except ImportError as error:
        if error.name != "nirs4all":
            raise
        say(f"n4w: {error}", to_stderr=True)
        raise typer.Exit(1) from error


def _show(made: Run, as_json: bool) -> None:
    if as_json:
        print_json(made.to_dict())
    else:
        say(f"{made.id}: {made.status}")
