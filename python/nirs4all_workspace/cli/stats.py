"""The commands that show statistics and watch a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nirs4all_workspace.cli.output import (
    AsJson,
    Folder,
    add_columns,
    exit_with,
    new_table,
    number,
    open_workspace,
    print_json,
    say,
    show_errors,
    terminal,
)
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from nirs4all_workspace.model.answers import Change, Statistics

app = typer.Typer()


@app.command()
def stats(
    path: Folder = Path(),
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Count everything again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count runs, results, datasets, predictions and bytes, and show how models perform."""
    answer = open_workspace(path).stats(rebuild)
    if as_json:
        print_json(answer)
    else:
        _show(answer)
        show_errors(answer["errors"])
    exit_with(answer["errors"])


@app.command()
def watch(
    path: Folder = Path(),
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between two looks.")] = 1.0,
    poll: Annotated[bool, typer.Option("--poll", help="Poll instead of waiting for system events.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print changes of segments, runs, datasets and templates, one a line, until Ctrl-C."""

    def show(changes: list[Change]) -> None:
        for change in changes:
            line = "{action:9}{kind:9}{id}  {path}".format(**change)
            say(strict_json.dumps(change) if as_json else line, flush=True)

    open_workspace(path).watch(show, interval, poll or None).run()


def _show(answer: Statistics) -> None:
    console, counts = terminal(), answer["workspace"]
    table = new_table("workspace")
    add_columns(table, "name", "number")
    for name in ("runs", "results", "datasets"):
        table.add_row(name, str(counts[name]["total"]))
        for status, number_of in counts[name]["by_status"].items():
            if number_of:
                table.add_row(f"  {status}", str(number_of))
    table.add_row("runs interrupted", str(counts["runs"]["interrupted"]))
    table.add_row("templates", str(counts["templates"]["total"]))
    table.add_row("predictions", str(counts["predictions"]["total"]))
    for folder, size in counts["bytes"]["by_folder"].items():
        if size:
            table.add_row(f"bytes of {folder}", str(size))
    table.add_row("bytes", str(counts["bytes"]["total"]))
    console.print(table)
    models = new_table("models by val_score")
    add_columns(models, "dataset", "metric", "model", "rows", "mean", "best")
    for model in answer["model_performance"]:
        names = (model["dataset"], model["metric"], model["model"])
        cells = ["" if name is None else name for name in names]
        models.add_row(*cells, str(model["count"]), number(model["mean"]), number(model["best"]))
    console.print(models)
