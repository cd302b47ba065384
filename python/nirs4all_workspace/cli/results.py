"""The commands that list results and templates."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    score_titles,
    scores_of,
    show_errors,
    terminal,
)
from nirs4all_workspace.cli.unknown_names import say_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from nirs4all_workspace.workspace import Workspace

app = typer.Typer()


class ResultStatus(StrEnum):
    """Values of the status of a finished result."""

    DONE = "done"
    FAILED = "failed"


@app.command()
def results(
    path: Folder = Path(),
    run: Annotated[str | None, typer.Option(help="Only results of this run, by id or name.")] = None,
    template: Annotated[
        str | None, typer.Option(help="Only results of this template, by id or name.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only results on this dataset, by id or name.")] = None,
    model: Annotated[str | None, typer.Option(help="Only results whose best model is this one.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only results of this metric.")] = None,
    status: Annotated[ResultStatus | None, typer.Option(help="Only results with this status.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Lowest score.")] = None,
    max_score: Annotated[float | None, typer.Option(help="Highest score.")] = None,
    sort_by: Annotated[str | None, typer.Option(help="Field to sort by.", show_default="score")] = None,
    descending: Annotated[
        bool | None,
        typer.Option(
            "--descending/--ascending", help="Sort order.", show_default="best first, else ascending"
        ),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Number of results to skip.")] = 0,
    limit: Annotated[int | None, typer.Option(min=0, help="Number of results.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List finished results, the best first, dataset by dataset and metric by metric."""
    workspace = open_workspace(path)
    listed = workspace.results.list(
        run,
        template,
        dataset,
        model,
        metric,
        None if status is None else status.value,
        min_score,
        max_score,
        sort_by,
        descending,
        offset,
        limit,
    )
    if as_json:
        print_json(listed.to_dict())
    else:
        items = [result.to_dict() for result in listed]
        show_results(items, {it.metric for it in listed}, f"{len(listed)} of {listed.total} results")
        show_errors(listed.errors)
    asked = {"template": template, "dataset": dataset, "model": model, "metric": metric}
    exit_with(listed.errors or ([] if listed.total else say_unknown(workspace, asked)))


@app.command()
def templates(
    path: Folder = Path(),
    compare: Annotated[list[str] | None, typer.Option(help="A run to compare; give two or more.")] = None,
    as_json: AsJson = False,
) -> None:
    """List templates with the runs that use them, or compare runs by their templates."""
    workspace = open_workspace(path)
    if compare:
        _compare(workspace, compare, as_json)
        return
    listed = workspace.templates.usage()
    if as_json:
        print_json({"templates": listed, "errors": listed.errors})
        exit_with(listed.errors)
        return
    table = new_table(f"{len(listed)} templates")
    add_columns(table, "id", "name", "runs")
    for template in listed:
        table.add_row(template["id"], ", ".join(template["names"]), str(template["n_runs"]))
    terminal().print(table)
    show_errors(listed.errors)
    exit_with(listed.errors)


def _compare(workspace: Workspace, runs: list[str], as_json: bool) -> None:
    answer = workspace.templates.compare(*runs)
    if as_json:
        print_json(answer)
        return
    parts = {"used by all": answer["shared"]}
    parts |= {f"only by {run_id}": only for run_id, only in answer["only"].items()}
    for title, templates_ in parts.items():
        say(f"{title}:")
        for template in templates_:
            say(f"  {template}")


def show_results(results: Sequence[dict[str, Any]], metrics: Set[str | None], title: str) -> None:
    """Print a table of results, whose metrics tell what their scores are called."""
    table = new_table(title)
    validation, test = score_titles(metrics)
    names = ("id", "dataset", "config", "model", "metric", validation, "folds", test, "status", "rows")
    add_columns(table, *names)
    for it in results:
        config = it["config_name"] or it["config_id"]
        cells = [str(it[name] or "") for name in ("id", "dataset_name")]
        cells += [str(name or "") for name in (config, it["model_name"], it["metric"])]
        folds = number(it["n_folds"]) if it["score_basis"] == "folds" else it["score_basis"] or ""
        validation, test = scores_of(it)
        table.add_row(*cells, validation, folds, test, it["status"] or "", number(it["n_rows"]))
    terminal().print(table)
