"""Output that all commands share: strict JSON, tables for people, progress on a terminal.

All output for people goes through this module, because names in a workspace are untrusted: see `display`.
Output never fails for the encoding of a terminal: what it lacks is escaped.
"""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nirs4all_workspace._io import paths
from nirs4all_workspace.display import lines_shown, shown
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.workspace import Workspace

_T = TypeVar("_T")

# What Rich puts where it cuts a text off.
_CUT = "\u2026"


def accept_every_text() -> None:
    """Let the standard streams escape what their encoding lacks, instead of failing."""
    codecs.register_error("n4w.escaped", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="n4w.escaped")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement of what cannot be encoded; one cell wide where Rich cuts a text off."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    parts = ("~" if it == _CUT else it.encode("ascii", "backslashreplace").decode() for it in text)
    return "".join(parts), error.end


def _encodable(text: str, *, to_stderr: bool = False) -> str:
    """Return a text in characters that the terminal's encoding has: tables measure what they print."""
    encoding = getattr(sys.stderr if to_stderr else sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def given_path(text: str | Path) -> Path:
    """Return a path from the command line as absolute; `-` stays and means stdout."""
    if str(text) == "-":
        return Path("-")
    try:
        return paths.absolute(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def path_argument(help_: str) -> Any:  # noqa: ANN401 - of typer
    """Return the typer argument of a path."""
    return typer.Argument(help=help_, parser=given_path)


def path_option(*names: str, help_: str) -> Any:  # noqa: ANN401 - of typer
    """Return the typer option of a path."""
    return typer.Option(*names, help=help_, parser=given_path, metavar="PATH")


Folder = Annotated[Path, path_argument("The workspace: any folder with *.meta.parquet files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print strict JSON instead of tables.")]


def open_workspace(path: Path) -> Workspace:
    """Open a workspace; warn on stderr where it is the store of a later nirs4all, which is not read."""
    from nirs4all_workspace.legacy import later_stores
    from nirs4all_workspace.workspace import Workspace

    workspace = Workspace.open(path)
    if workspace.format_version == 1 and (store := later_stores.find(path)):
        say(f"n4w: {path}: {store}", to_stderr=True)
    return workspace


def with_progress(what: str, work: Callable[[Callable[[int, int], None] | None], _T]) -> _T:
    """Run work with a progress bar on a terminal, and without one on a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return work(None)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def print_json(answer: object) -> None:
    """Print an answer as strict JSON."""
    text = strict_json.dumps(answer, indent=2)
    # A character beyond the first plane is two such escapes, which stay as they are.
    print(strict_json.dumps(strict_json.shown(answer), indent=2) if "\\udc" in text else text)


def say(text: object, *, to_stderr: bool = False, flush: bool = False) -> None:
    """Print one line for people."""
    line = _encodable(shown(text), to_stderr=to_stderr)
    print(line, file=sys.stderr if to_stderr else sys.stdout, flush=flush)


def say_lines(text: str) -> None:
    """Print several lines for people."""
    print(_encodable(lines_shown(text)))


def exit_with(problems: Sequence[object]) -> None:
    """Exit with 1 where there is a problem."""
    if problems:
        raise typer.Exit(1)


def show_errors(errors: Sequence[Problem]) -> None:
    """Print files that could not be read, one a line, on stderr."""
    for error in errors:
        say(f"n4w: {error['path']}: {error['message']}", to_stderr=True)


def _cell(content: Any) -> Any:  # noqa: ANN401 - of rich
    """Return a text as it can be printed, and anything else as it is."""
    return _encodable(shown(content)) if isinstance(content, str) else content


class _Terminal(Console):
    """A console that escapes what a terminal would obey in untrusted text."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - of rich
        if all(isinstance(it, str) for it in objects):
            # Lines of text are not wrapped.
            super().print(*map(_cell, objects), soft_wrap=True, **options)
        else:
            super().print(*objects, **options)


class _Table(Table):
    """A table that escapes what a terminal would obey in its texts."""

    def add_row(self, *cells: Any, **options: Any) -> None:  # noqa: ANN401 - of rich
        super().add_row(*map(_cell, cells), **options)

    def add_column(self, header: Any = "", *others: Any, **options: Any) -> None:  # noqa: ANN401 - of rich
        super().add_column(_cell(header), *others, **options)


def terminal() -> Console:
    """Return the console on which tables are printed."""
    # No markup: brackets and colons in names stay as they are. A pipe has no width: nothing is cut off.
    options: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    console = _Terminal(**options)
    return console if console.is_terminal else _Terminal(**options, width=200)


def new_table(title: str) -> Table:
    """Return an empty table with a title."""
    return _Table(title=_cell(title), title_justify="left", title_style="bold")


def add_columns(table: Table, *names: str) -> None:
    """Add columns, texts aligned left and numbers right."""
    names_of_things = {
        *("id", "name", "dataset", "model", "preprocessings", "fold", "score", "metric", "config"),
        *("status", "created", "time", "from", "to", "reason", "tags"),
    }
    for name in names:
        table.add_column(name, justify="left" if name in names_of_things else "right")


def score_titles(metrics: Set[str | None]) -> tuple[str, str]:
    """Return what the scores of results of these metrics are called, validation and test."""
    return ("RMSECV", "RMSEP") if metrics == {"rmse"} else ("score", "test score")


def scores_of(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the scores of a result as table cells, validation and test."""
    if result["score_basis"] == "test":
        return "", number(result["score_test"] if result["score_test"] is not None else result["score"])
    return number(result["score"]), number(result["score_test"])


def number(value: float | None) -> str:
    """Return a score as a table cell."""
    return "" if value is None else f"{value:.6g}"
