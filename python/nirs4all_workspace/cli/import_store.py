"""The command `n4w import`: a store of nirs4all 0.7 to 1.4 in a workspace."""

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

    from nirs4all_workspace.model.answers import Import

app = typer.Typer()


Source = Annotated[Path, path_argument("A folder with a store of nirs4all 0.7 to 1.4; it is only read.")]
Target = Annotated[Path, path_argument("The workspace; it is made where it is missing.")]


@app.command("import")
def import_store(
    source: Source,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Add what a store of nirs4all holds to a workspace, and compare the two; again, what is new there."""
    from nirs4all_workspace.stores.import_store import import_store as add

    report = with_progress("rows", lambda progress: add(source, target, progress))
    if as_json:
        print_json(report)
    else:
        _show(report, terminal())
        show_errors(report["errors"])
    exit_with(report["errors"])


def _show(report: Import, console: Console) -> None:
    before, after = report["counts"]["source"], report["counts"]["target"]
    table = new_table(f"{report['source']} to {report['target']}")
    add_columns(table, "name", "source", "target")
    for name in sorted({*before, *after}):
        counts = [side.get(name) for side in (before, after)]
        if any(counts):
            table.add_row(name.replace("_", " "), *("" if count is None else str(count) for count in counts))
    table.add_row("bytes", str(report["bytes_before"]), str(report["bytes_after"]))
    console.print(table)
    for note in report["notes"]:
        where = note["path"] if note["run"] is None else f"{note['path']}, {note['run']}"
        console.print(f"note: {where}: {note['message']}")
    added = sum(run["is_new"] for run in report["runs"])
    saved = report["bytes_before"] - report["bytes_after"]
    text = (
        f"{added} of {len(report['runs'])} runs added in {report['seconds']:.1f} s, read again and compared"
    )
    if report["status"] == "unchanged":
        text = f"nothing new in {len(report['runs'])} runs, read and compared in {report['seconds']:.1f} s"
    console.print(f"{text}; {saved} bytes saved" if saved > 0 else text)
