"""The commands that summarise, rank, list, check and repair prediction files."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nirs4all_workspace.cli.filters import with_filters
from nirs4all_workspace.cli.output import (
    AsJson,
    Folder,
    add_columns,
    exit_with,
    new_table,
    number,
    open_workspace,
    path_option,
    print_json,
    say,
    show_errors,
    terminal,
    with_progress,
)
from nirs4all_workspace.cli.results import show_results
from nirs4all_workspace.cli.unknown_names import say_unknown
from nirs4all_workspace.values.strict_json import dumps
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nirs4all_workspace.predictions.pages import Page

app = typer.Typer()


@app.command()
def init(path: Folder, as_json: AsJson = False) -> None:
    """Create a workspace."""
    workspace = Workspace.create(path)
    if as_json:
        print_json(workspace.manifest)
    else:
        say(f"created a workspace in {workspace.path}")


@app.command()
def summary(
    path: Folder = Path(),
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show totals, statistics, models and the best predictions."""
    answer = open_workspace(path).summary(dataset)
    if as_json:
        print_json(answer)
    else:
        _show_summary(answer, path)
    exit_with(answer["errors"])


@app.command()
@with_filters
def top(
    path: Folder = Path(),
    k: Annotated[
        int, typer.Option("-k", min=0, help="Number of predictions, or of results of each dataset.")
    ] = 10,
    metric: Annotated[str | None, typer.Option(help="Metric to rank.", show_default="the only one")] = None,
    score: Annotated[
        str | None, typer.Option(help="val_score, test_score or train_score.", show_default="val_score")
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="maximize, minimize or zero.", show_default="by metric")
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(
            help="dataset, model or result: rank results by all their held-out folds.", show_default="rows"
        ),
    ] = None,
    distinct: Annotated[
        bool, typer.Option("--distinct/--all", help="Show equal rows once, with their number.")
    ] = True,
    as_json: AsJson = False,
    *,
    filters: dict[str, Any],
) -> None:
    """Rank the best predictions of a metric, also of one that rows have in `scores`; or the best results."""
    workspace = open_workspace(path)
    asked = {**filters, "metric": metric}
    try:
        ranking = workspace.predictions.top(
            k, metric, score, direction, distinct=distinct, per=per, **filters
        )
    except ValueError:
        # An error about the metric where no row matches: unknown names may be the cause.
        exit_with(say_unknown(workspace, asked))
        raise
    if as_json:
        print_json(ranking.to_dict())
    elif per is not None:
        show_results(
            ranking, {ranking.metric}, f"best of each {per} by {ranking.metric} ({ranking.direction})"
        )
        show_errors(ranking.errors)
    else:
        _show_ranking(ranking, f"best by {ranking.ranked_by} of {ranking.metric} ({ranking.direction})")
        show_errors(ranking.errors)
    if not ranking and k and not ranking.errors and _is_in_scores(workspace, metric):
        asked["metric"] = None
    exit_with(ranking.errors or ([] if ranking or not k else say_unknown(workspace, asked)))


@app.command()
@with_filters
def predictions(
    path: Folder = Path(),
    offset: Annotated[int, typer.Option(min=0, help="Number of rows before the page.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Number of rows.", show_default="100; all for a file")
    ] = None,
    sort_by: Annotated[
        str, typer.Option(help="The column to sort by, or a number in scores: scores.val.r2.")
    ] = "val_score",
    descending: Annotated[
        bool | None,
        typer.Option(
            "--descending/--ascending",
            help="Sort order.",
            show_default="best first for scores, else ascending",
        ),
    ] = None,
    cursor: Annotated[
        str | None, typer.Option(help="The next_cursor of a page, instead of an offset.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Names of columns, separated by commas.")] = None,
    csv: Annotated[Path | None, path_option(help_="Write the rows to this CSV file; - is stdout.")] = None,
    parquet: Annotated[
        Path | None, path_option(help_="Write the rows to this Parquet file; - is stdout.")
    ] = None,
    as_json: AsJson = False,
    *,
    filters: dict[str, Any],
) -> None:
    """List predictions, a page at a time, or write all of them to a file."""
    workspace = open_workspace(path)
    found = workspace.predictions
    names = columns.split(",") if columns is not None else None
    target = csv or parquet
    if target is None:
        page = found.page(
            offset, 100 if limit is None else limit, sort_by, descending, cursor, names, **filters
        )
        if as_json:
            print_json(page.to_dict())
        else:
            _show_page(page)
            for note in page.notes:
                say(f"note: {note}")
            show_errors(page.errors)
        exit_with(page.errors or ([] if page.total else say_unknown(workspace, filters)))
        return
    if csv and parquet:
        raise typer.BadParameter("one file is written: pass --csv or --parquet, not both")
    if offset or cursor or as_json:
        raise typer.BadParameter("a file holds the whole list: leave out --offset, --cursor and --json")
    errors = found.export(target, "csv" if csv else "parquet", sort_by, descending, names, limit, **filters)
    show_errors(errors)
    is_asked = any(value is not None for value in filters.values())
    is_empty = is_asked and found.page(limit=0, **filters).total == 0
    exit_with(errors or (say_unknown(workspace, filters) if is_empty else []))


@app.command()
def verify(
    path: Folder = Path(),
    full: Annotated[bool, typer.Option("--full", help="Read all rows too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check prediction files: footers, summaries and, with --full, rows."""
    workspace = open_workspace(path)
    found = with_progress("checking", lambda report: workspace.verify(full, report))
    if as_json:
        print_json(found)
    else:
        for title, items in (("problem", found["problems"]), ("note", found["notes"])):
            for item in items:
                say(f"{title}: {item['path']}: {item['message']}")
        say(f"{len(found['problems'])} problems, {len(found['notes'])} notes")
    exit_with(found["problems"])


@app.command("rebuild-summaries")
def rebuild_summaries(path: Folder = Path(), as_json: AsJson = False) -> None:
    """Add summaries to the footers that lack one; data pages stay byte for byte."""
    predictions = open_workspace(path).predictions
    done = with_progress("rebuilding", predictions.rebuild_summaries)
    if as_json:
        print_json(done)
    else:
        say(f"{len(done['written'])} written, {done['kept']} kept, {len(done['errors'])} failed")
        show_errors(done["errors"])
    exit_with(done["errors"])


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Summarise a small real workspace: what nirs4all 0.6.2 wrote in three calls."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (Path(__file__).parents[1] / "demo").glob("*.parquet"):
            shutil.copy(file, folder)
        workspace = Workspace.open(folder)
        workspace.predictions.rebuild_summaries()
        answer = workspace.summary()
    if as_json:
        print_json(answer)
    else:
        _show_summary(answer, Path("demo"))


def _is_in_scores(workspace: Workspace, metric: str | None) -> bool:
    """Return whether rows have a metric in their scores, if not as their own."""
    parts: Any = workspace.predictions.scan(scores=True).collect_schema()["scores"]
    metrics = [getattr(part.dtype, "fields", ()) for part in parts.fields]
    return any(field.name == metric for fields in metrics for field in fields)


def _show_summary(answer: dict[str, Any], path: Path) -> None:
    console = terminal()
    console.print(f"{path}: {_totals(answer)}")
    if answer["files"] == 0:
        console.print("There are no prediction files (*.meta.parquet) here or in predictions/*/.")
    if "datasets" in answer:
        _show_datasets(answer["datasets"])
    for metric, group in answer["by_metric"].items():
        stats = new_table(f"{metric or 'without a metric'} ({group['direction']}), {group['count']} rows")
        add_columns(stats, "score", "count", "min", "q25", "median", "q75", "max", "mean", "std")
        for score, values in group["stats"].items():
            quartiles = values["quartiles"] or [None] * 3
            cells = [values["min"], *quartiles, values["max"], values["mean"], values["std"]]
            stats.add_row(score, str(values["count"]), *map(number, cells))
        console.print(stats)
        models = new_table("models")
        add_columns(models, "model", "rows", "mean val_score", "best val_score")
        for model in group["models"]:
            models.add_row(
                str(model["name"]),
                str(model["count"]),
                number(model["avg_val_score"]),
                number(model["best_val_score"]),
            )
        console.print(models)
        _show_ranking(group["top_predictions"], f"best by {group['ranked_by']}")
    if answer["scanned"]:
        console.print(
            f"{len(answer['scanned'])} of {answer['files']} files have no trusted summary and were scanned; "
            "`n4w rebuild-summaries` adds one.",
        )
    show_errors(answer["errors"])


def _show_datasets(datasets: Sequence[dict[str, Any]]) -> None:
    table = new_table("datasets")
    add_columns(table, "dataset", "metric", "rows", "models", "configs", "best")
    for dataset in datasets:
        best = dataset["top_predictions"]
        facets = dataset["facets"]
        table.add_row(
            str(dataset["dataset_name"]),
            str(dataset["metric"] or ""),
            str(dataset["total_predictions"]),
            str(len(facets["models"])),
            str(facets["n_configs"]),
            number(best[0][dataset["ranked_by"]] if best else None),
        )
    terminal().print(table)


def _totals(answer: dict[str, Any]) -> str:
    of_runs = f" of {len(answer['runs'])} runs" if answer["runs"] else ""
    parts = [f"{answer['total_predictions']} predictions{of_runs}"]
    if "datasets" in answer:
        parts.append(f"{answer['total_datasets']} datasets")
    parts.append(f"{answer['files']} files")
    return ", ".join(parts)


def _show_ranking(predictions: Sequence[dict[str, Any]], title: str) -> None:
    if not predictions:
        say(f"{title}: no predictions")
        return
    has_equal = any(row.get("n_equal", 1) > 1 for row in predictions)
    # Scores of different datasets do not compare.
    of_dataset: dict[str, list[dict[str, Any]]] = {}
    for row in predictions:
        of_dataset.setdefault(str(row["dataset_name"]), []).append(row)
    for dataset, rows in sorted(of_dataset.items()):
        table = new_table(title if len(of_dataset) == 1 else f"{title}, {dataset}")
        add_columns(table, "id", "dataset", "model", "preprocessings", "fold", "val", "test", "train")
        if has_equal:
            table.add_column("equal rows", justify="right")
        for row in rows:
            names = [row["id"], row["dataset_name"], row["model_name"], row["preprocessings"], row["fold_id"]]
            scores = [row["val_score"], row["test_score"], row["train_score"]]
            equal = [str(row["n_equal"])] if has_equal else []
            table.add_row(
                *("" if name is None else str(name) for name in names), *map(number, scores), *equal
            )
        terminal().print(table)


def _show_page(page: Page) -> None:
    rows = f"{page.offset} to {page.offset + len(page.records)} of {page.total}"
    if not page.records:
        say(f"{rows}: no predictions")
        return
    table = new_table(rows)
    for name in page.records[0]:
        table.add_column(name)
    for row in page.records:
        table.add_row(*map(_cell, row.values()))
    terminal().print(table)
    if page.next_cursor:
        say(f"more: --cursor {page.next_cursor}")


def _cell(value: Any) -> str:  # noqa: ANN401 - of any column
    if isinstance(value, dict | list):
        return dumps(value)
    return number(value) if isinstance(value, float) else "" if value is None else str(value)
