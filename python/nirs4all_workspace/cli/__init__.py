"""The command `n4w`: answers of the Python API as tables for people or strict JSON for programs.

Exit codes: 0 success, 1 problem found or error, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from nirs4all_workspace.cli import (
    datasets,
    drive,
    import_store,
    lineage,
    migrate,
    predictions,
    results,
    runs,
    serve,
    stats,
)
from nirs4all_workspace.cli.output import accept_every_text, say
from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Group(TyperGroup):
    """The group of all commands; errors that quote an argument are made safe for a terminal."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of typer
        try:
            return super().make_context(*arguments, **options)
        except Exception as error:
            _show_safely(error)
            raise

    def invoke(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of typer
        try:
            return super().invoke(*arguments, **options)
        except Exception as error:
            _show_safely(error)
            raise


def _show_safely(error: Exception) -> None:
    """Escape what a terminal would obey in the message of an error about an argument."""
    message = getattr(error, "format_message", None)
    if message is not None:
        text = shown(message())
        error.__dict__["format_message"] = lambda: text


def _open_closed_streams() -> None:
    """Replace closed standard streams, so that printing to stdout fails as it does on a full disk."""
    if sys.stdout is None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = open(descriptor, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- closed by the end of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- closed by the end of the process


def _drop_stdout() -> None:
    """Redirect stdout to the null device, so that flushing at exit does not fail a second time."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    help="Summarise, rank, check and repair workspaces of nirs4all predictions, and control their runs.",
)
app.add_typer(predictions.app)
app.add_typer(runs.app)
app.add_typer(drive.app)
app.add_typer(results.app)
app.add_typer(lineage.app)
app.add_typer(stats.app)
app.add_typer(migrate.app)
app.add_typer(import_store.app)
app.add_typer(serve.app)
app.add_typer(datasets.app, name="datasets")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error is one line on stderr and exit code 1, or 2 for wrong arguments."""
    _open_closed_streams()
    accept_every_text()
    try:
        try:
            app() if arguments is None else app(list(arguments))
        finally:
            # Flushed here, so that a full disk is an error like any other.
            sys.stdout.flush()
    except (WorkspaceError, OSError, ValueError) as error:
        _drop_stdout()
        if not isinstance(error, BrokenPipeError):
            say(f"n4w: {error}", to_stderr=True)
        sys.exit(1 if isinstance(error, WorkspaceError | OSError) else 2)
