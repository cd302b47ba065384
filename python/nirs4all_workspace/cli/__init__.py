"""The command `n4w`: what Python answers, as tables for people and as strict JSON for programs.

Exit codes: 0 fine, 1 problem found, 2 usage.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from nirs4all_workspace.cli import datasets, lineage, migrate, predictions, results, runs, stats
from nirs4all_workspace.cli.output import say
from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Group(TyperGroup):
    """All commands; what is wrong with an argument may quote it, and goes to a terminal."""

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
    """Let an error of an argument show a text that a terminal may be given."""
    message = getattr(error, "format_message", None)
    if message is not None:
        text = shown(message())
        error.__dict__["format_message"] = lambda: text


def _open_closed_streams() -> None:
    """Put something in the place of streams that were closed: printing to stdout fails as on a full disk."""
    if sys.stdout is None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = open(descriptor, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- as above


def _drop_stdout() -> None:
    """Forget what stdout did not take, so that the end of the process does not fail once more."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    help="Summarise, rank, check and repair workspaces of nirs4all predictions, and steer their runs.",
)
app.add_typer(predictions.app)
app.add_typer(runs.app)
app.add_typer(results.app)
app.add_typer(lineage.app)
app.add_typer(stats.app)
app.add_typer(migrate.app)
app.add_typer(datasets.app, name="datasets")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; errors become one line on stderr and exit code 1, 2 where an argument is wrong."""
    _open_closed_streams()
    try:
        try:
            app() if arguments is None else app(list(arguments))
        finally:
            # Here, where a full disk is an error like any other.
            sys.stdout.flush()
    except (WorkspaceError, OSError, ValueError) as error:
        _drop_stdout()
        if not isinstance(error, BrokenPipeError):
            say(f"n4w: {error}", to_stderr=True)
        sys.exit(1 if isinstance(error, WorkspaceError | OSError) else 2)
