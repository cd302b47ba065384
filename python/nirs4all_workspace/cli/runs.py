"""The commands that list and control runs, and clean up after crashed processes."""

from __future__ import annotations

import sys
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
from nirs4all_workspace.display import shown
from nirs4all_workspace.model.run_record import tags_in
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from nirs4all_workspace.runs.run import Run

app = typer.Typer()

RunId = Annotated[str, typer.Argument(help="The run's id or its beginning, its name, or `latest`.")]
Reason = Annotated[str | None, typer.Option(help="The reason, stored in the run's history.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@app.command()
def runs(
    path: Folder = Path(),
    status: Annotated[RunStatus | None, typer.Option(help="Only runs with this status.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only runs on this dataset.")] = None,
    template: Annotated[str | None, typer.Option(help="Only runs of this template.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Only runs with this tag; several: with all of them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, oldest first."""
    workspace = open_workspace(path)
    listed = workspace.runs.list(status, dataset, template, tag)
    if as_json:
        print_json(listed.to_dict())
    else:
        table = new_table(f"{len(listed)} runs")
        add_columns(table, "id", "name", "status", "datasets", "configs", "created", "tags")
        for header in listed.headers:
            entry = header.entry()
            state = "interrupted" if listed.is_interrupted(header) else header.status or header.kind
            asked = f" ({entry['requested']['status']} requested)" if entry["requested"] else ""
            asked += f" ({entry['n_failed']} failed)" if entry["n_failed"] else ""
            asked += " (to retry)" if entry["retry_failed"] is True else ""
            datasets, configs = str(len(entry["datasets"])), number(entry["n_configs"])
            created, tags = header.created_at[:19], ", ".join(tags_in(entry))
            table.add_row(header.id, header.name, state + asked, datasets, configs, created, tags)
        terminal().print(table)
        show_errors(listed.errors)
    names = {"dataset": dataset, "template": template}
    exit_with(listed.errors or ([] if len(listed) else say_unknown(workspace, names)))


@app.command()
def show(run_id: RunId, path: Folder = Path(), as_json: AsJson = False) -> None:
    """Show a run: its state, history, templates, datasets, results and errors."""
    answer = open_workspace(path).runs.get(run_id).to_dict()
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    # Failed results are ordinary results; records that cannot be read are problems.
    exit_with([error for error in answer["summary"]["errors"] if "result" not in error])


@app.command()
def edit(
    run_id: RunId,
    path: Folder = Path(),
    description: Annotated[
        str | None, typer.Option(help="The new description; an empty one for none.", show_default="unchanged")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            help="A new tag; repeat it for several. They replace all tags; an empty one for none.",
            show_default="unchanged",
        ),
    ] = None,
    notes: Annotated[
        str | None, typer.Option(help="The new notes; empty ones for none.", show_default="unchanged")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the description, tags and notes of a run; what is not given stays."""
    if description is None and tag is None and notes is None:
        raise typer.BadParameter("nothing to change: give --description, --tag or --notes")
    run = open_workspace(path).runs.get_writable(run_id)
    run.edit(
        description=... if description is None else description or None,
        tags=... if tag is None else [one for one in tag if one],
        notes=... if notes is None else notes or None,
    )
    if as_json:
        print_json(run.to_dict())
    else:
        say(f"{run.id} {run.name}")
        for name in ("description", "tags", "notes"):
            value = getattr(run, name)
            say(f"{name}: {', '.join(value) if name == 'tags' else value or ''}")


@app.command()
def pause(run_id: RunId, path: Folder = Path(), reason: Reason = None, as_json: AsJson = False) -> None:
    """Pause a run; one that a process owns pauses at its next checkpoint."""
    _transition(path, run_id, RunStatus.PAUSED, reason, as_json)


@app.command()
def cancel(run_id: RunId, path: Folder = Path(), reason: Reason = None, as_json: AsJson = False) -> None:
    """Cancel a run; one that a process owns stops at its next checkpoint."""
    _transition(path, run_id, RunStatus.CANCELLED, reason, as_json)


@app.command()
def retry(run_id: RunId, path: Folder = Path(), reason: Reason = None, as_json: AsJson = False) -> None:
    """Put a run into the queue again, to do what failed of it and what is missing."""
    run = open_workspace(path).runs.get_writable(run_id)
    run.retry(reason)
    _say(run, as_json)


@app.command()
def resume(run_id: RunId, path: Folder = Path(), reason: Reason = None, as_json: AsJson = False) -> None:
    """Ask for a paused or interrupted run to be resumed by the next worker that claims one."""
    run = open_workspace(path).runs.get_writable(run_id)
    if run.is_interrupted:
        run.transition(RunStatus.PAUSED, "owner died")
    run.request(RunStatus.RUNNING, reason)
    _say(run, as_json)


@app.command()
def delete(run_id: RunId, path: Folder = Path(), yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a run with its predictions, and the artifacts that no other run names."""
    workspace = open_workspace(path)
    run_id = workspace.runs.id_of(run_id)
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise typer.BadParameter("expected --yes, since there is no terminal to ask on")
        typer.confirm(f"Delete run {shown(run_id)} with all its predictions?", abort=True)
    done = workspace.runs.delete(run_id)
    if as_json:
        print_json(done)
    else:
        say(f"deleted {run_id}: {len(done['removed'])} files removed, {len(done['kept'])} retained")
        show_errors(done["errors"])
    exit_with(done["errors"])


@app.command()
def recover(
    path: Folder = Path(),
    dead_host: Annotated[list[str] | None, typer.Option(help="A host that is known to be dead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Finish what dead processes left: seal their journals, record that runs lost their owner."""
    done = open_workspace(path).recover(dead_host or ())
    if as_json:
        print_json(done)
    else:
        for run in done["runs"]:
            say(f"{run['run_id']}: {run['status']}")
        say(f"{len(done['sealed'])} journals sealed, {len(done['alive'])} writers alive")
        show_errors(done["problems"])
    exit_with(done["problems"])


@app.command()
def compact(
    path: Folder = Path(),
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    as_json: AsJson = False,
) -> None:
    """Merge the segments of each run on each dataset into one."""
    workspace = open_workspace(path)
    done = workspace.predictions.compact(dataset)
    unknown = [] if done["compacted"] else say_unknown(workspace, {"dataset": dataset})
    if as_json:
        print_json(done)
    else:
        inputs = sum(len(item["inputs"]) for item in done["compacted"])
        say(f"{inputs} segments merged into {len(done['compacted'])}")
        for item in done["skipped"]:
            say(f"skipped {item.get('path', item['run_id'])}: {item['reason']}")
        show_errors(done["errors"])
    exit_with(unknown or done["errors"])


@app.command()
def gc(path: Folder = Path(), yes: Yes = False, as_json: AsJson = False) -> None:
    """List what nothing refers to any more, and with --yes remove it."""
    done = open_workspace(path).gc(yes)
    if as_json:
        print_json(done)
    else:
        for item in done["items"]:
            size = "" if item["bytes"] is None else f" ({item['bytes']} bytes)"
            say(f"{'removed' if yes else 'would remove'} {item['kind']} {item['path']}{size}")
        for note in done["notes"]:
            say(f"note: {note['path']}: {note['message']}")
        say(f"{len(done['items'])} items" + ("" if yes else "; --yes removes them"))
        show_errors(done["errors"])
    exit_with(done["errors"])


def _transition(path: Path, run_id: str, to: RunStatus, reason: str | None, as_json: bool) -> None:
    run = open_workspace(path).runs.get_writable(run_id)
    run.transition(to, reason)
    _say(run, as_json)


def _say(run: Run, as_json: bool) -> None:
    if as_json:
        print_json(run.to_dict())
    else:
        asked = f", {run.requested} requested" if run.requested else ""
        say(f"{run.id}: {run.status}{asked}")


def _show(answer: dict[str, Any]) -> None:
    console = terminal()
    state = "interrupted" if answer["is_interrupted"] else answer["status"]
    counts = answer["summary"]["counts"]
    console.print(f"{answer['name']} {answer['id']}: {state}")
    if answer["description"]:
        console.print(answer["description"])
    if tags := tags_in(answer):
        console.print(f"tags: {', '.join(tags)}")
    if answer.get("notes"):
        console.print(f"notes: {answer['notes']}")
    console.print(
        f"{counts['results']} of {counts['planned']} planned results ({counts['failed']} failed), "
        f"{counts['rows']} rows; templates: {len(answer['templates'])}, datasets: {len(answer['datasets'])}",
    )
    if answer["history"]:
        table = new_table("history")
        add_columns(table, "time", "from", "to", "reason")
        for entry in answer["history"]:
            cells = (entry["time"][:19], entry["from"], entry["to"], entry["reason"])
            table.add_row(*("" if cell is None else str(cell) for cell in cells))
        console.print(table)
    if bests := answer["summary"]["best_by_dataset"]:
        table = new_table("best results")
        validation, test = score_titles({best["metric"] for best in bests})
        add_columns(table, "dataset", "metric", validation, test, "model", "config")
        for best in bests:
            named = (best["model_name"], best["config"])
            table.add_row(best["dataset"], best["metric"], *scores_of(best), *named)
        console.print(table)
    for error in answer["summary"]["errors"]:
        where = f"{error.get('dataset')} {error.get('config')}: " if "result" in error else ""
        console.print(f"error: {where}{error['error']}")
