"""What every command shares: strict JSON, tables for people, progress on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nirs4all_workspace import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nirs4all_workspace.workspace import Workspace

Folder = Annotated[Path, typer.Argument(help="The workspace: any folder with *.meta.parquet files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print strict JSON instead of tables.")]


def open_workspace(path: Path) -> Workspace:
    """Open a workspace; say on stderr where it is the store of a later nirs4all, which nothing here reads."""
    from nirs4all_workspace import stores
    from nirs4all_workspace.workspace import Workspace

    workspace = Workspace.open(path)
    if workspace.format_version == 1 and (store := stores.find(path)):
        print(f"n4w: {path}: {store}", file=sys.stderr)
    return workspace


def with_progress(
    what: str, work: Callable[[Callable[[int, int], None] | None], dict[str, Any]]
) -> dict[str, Any]:
    """Show a bar on a terminal and nothing on a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return work(None)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def print_json(answer: object) -> None:
    """Print an answer as strict JSON."""
    print(strict_json.dumps(answer, indent=2))


def exit_with(problems: Sequence[object]) -> None:
    """Exit with 1 where there is a problem."""
    if problems:
        raise typer.Exit(1)


def show_errors(errors: Sequence[dict[str, str]]) -> None:
    """Print files that could not be used, one a line, on stderr."""
    for error in errors:
        print(f"n4w: {error['path']}: {error['message']}", file=sys.stderr)


def terminal() -> Console:
    """Return where tables are printed."""
    # Names are shown as they are, brackets and colons too. A pipe has no width: nothing is cut off there.
    options: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    console = Console(**options)
    return console if console.is_terminal else Console(**options, width=200)


def new_table(title: str) -> Table:
    """Return an empty table with a title."""
    return Table(title=title, title_justify="left", title_style="bold")


def add_columns(table: Table, *names: str) -> None:
    """Add columns, names to the left and numbers to the right."""
    names_of_things = {
        *("id", "name", "dataset", "model", "preprocessings", "fold", "score", "metric", "config"),
        *("status", "created", "time", "from", "to", "reason"),
    }
    for name in names:
        table.add_column(name, justify="left" if name in names_of_things else "right")


def number(value: float | None) -> str:
    """Return a score as a table shows it."""
    return "" if value is None else f"{value:.6g}"
