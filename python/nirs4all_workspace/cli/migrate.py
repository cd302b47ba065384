"""The command `n4w migrate`: a workspace from a folder of nirs4all 0.6."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nirs4all_workspace.cli.output import (
    AsJson,
    add_columns,
    exit_with,
    new_table,
    path_argument,
    print_json,
    show_errors,
    terminal,
    with_progress,
)

if TYPE_CHECKING:
    from rich.console import Console

    from nirs4all_workspace.model.answers import Migration

app = typer.Typer()


Source = Annotated[Path, path_argument("A folder of nirs4all 0.6; it is only read.")]
Target = Annotated[Path, path_argument("The new workspace: a new or empty folder.")]


@app.command()
def migrate(
    source: Source,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Make a workspace of a folder of nirs4all 0.6, and compare the two."""
    from nirs4all_workspace.migration.migrate import migrate as make

    report = with_progress("rows", lambda progress: make(source, target, progress))
    if as_json:
        print_json(report)
    else:
        _show(report, terminal())
        show_errors(report["errors"])
    exit_with(report["errors"])


def _show(report: Migration, console: Console) -> None:
    if report["status"] == "unchanged":
        made = report["migrated_at"][:19]
        text = f"{report['target']} was made of {report['source']} at {made}; nothing to do. Its report:"
        console.print(text)
    before, after = report["counts"]["source"], report["counts"]["target"]
    table = new_table(f"{report['source']} to {report['target']}")
    add_columns(table, "name", "source", "target")
    for name in sorted({*before, *after}):
        table.add_row(name.replace("_", " "), *(str(side.get(name, "")) for side in (before, after)))
    table.add_row("bytes", str(report["bytes_before"]), str(report["bytes_after"]))
    console.print(table)
    for note in report["notes"]:
        console.print(f"note: {note['path']}: {note['message']}")
    text = f"{len(report['runs'])} runs in {report['seconds']:.1f} s, read again and compared"
    console.print(text)
