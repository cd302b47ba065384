"""The commands `n4w datasets ...`: register datasets and find them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nirs4all_workspace.cli.output import (
    AsJson,
    Folder,
    exit_with,
    new_table,
    open_workspace,
    path_argument,
    path_option,
    print_json,
    say,
    show_errors,
    terminal,
    with_progress,
)

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.collection import Datasets
    from nirs4all_workspace.datasets.dataset_record import DatasetRecord

app = typer.Typer(no_args_is_help=True, help="Register datasets and find them again.")

Dataset = Annotated[str, typer.Argument(help="The dataset's id or name.")]
Place = Annotated[Path, path_argument("A file, or a folder of files.")]
In = Annotated[Path, path_option("--workspace", "-w", help_="The workspace.")]
Search = Annotated[list[Path] | None, path_option("--search", help_="A further folder to search.")]


def _datasets(path: Path) -> Datasets:
    return open_workspace(path).datasets


@app.command("list")
def list_(path: Folder = Path(), as_json: AsJson = False) -> None:
    """List the registered datasets, how runs use them, and where they were found last."""
    found = _datasets(path).list()
    if as_json:
        print_json(found.to_dict())
    else:
        table = new_table("datasets")
        for title in ("id", "name", "status", "path"):
            table.add_column(title)
        for title in ("samples", "features", "bytes", "runs"):
            table.add_column(title, justify="right")
        for it in found:
            counts = (it.n_samples, it.n_features, it.file_size, it.usage.run_count)
            table.add_row(
                it.id,
                it.name,
                it.status,
                it.current_path or "",
                *("" if count is None else str(count) for count in counts),
            )
        terminal().print(table)
        show_errors(found.errors)
    exit_with(found.errors)


@app.command()
def register(
    place: Place,
    workspace: In = Path(),
    name: Annotated[str | None, typer.Option(help="Its name.", show_default="the file name")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a dataset; content that is known already is the same dataset."""
    datasets = _datasets(workspace)
    record = with_progress("hashing", lambda report: datasets.register(place, name, progress=report))
    _show(record, as_json)


@app.command()
def link(path: Folder = Path(), search: Search = None, as_json: AsJson = False) -> None:
    """Add the datasets that runs name, and store where all are now."""
    datasets = _datasets(path)
    done = with_progress("linking", lambda report: datasets.link(search or (), report).to_dict())
    if as_json:
        print_json(done)
    else:
        say(f"{done['runs_read']} runs read, {done['runs_unchanged']} unchanged")
        say(f"{len(done['created'])} datasets added, {len(done['updated'])} updated")
        say(f"{done['files_indexed']} files indexed")
        for item in done["not_indexed"]:
            say(f"not indexed: {item['path']}: {item['message']}")
        for id_, found in done["resolutions"].items():
            say(f"{id_}: {found['status']}: {found['reason']}")
        show_errors(done["errors"])
    lost = [found for found in done["resolutions"].values() if found["path"] is None]
    exit_with([*done["errors"], *lost])


@app.command()
def resolve(dataset: Dataset, workspace: In = Path(), search: Search = None, as_json: AsJson = False) -> None:
    """Find a dataset: where it is, how that was found, and how sure it is."""
    datasets = _datasets(workspace)
    found = with_progress("hashing", lambda report: datasets.resolve(dataset, search or (), report).to_dict())
    if as_json:
        print_json(found)
    else:
        say(f"{found['status']}: {found['reason']}")
        for stage in found["stages"]:
            say(
                f"  {stage['stage']}: {stage['candidates']} candidates, {stage['bytes_read']} bytes read, "
                f"{stage['seconds'] * 1e3:.2f} ms"
            )
        show_errors(found["errors"])
    exit_with([] if found["path"] else [found])


@app.command()
def relocate(dataset: Dataset, place: Place, workspace: In = Path(), as_json: AsJson = False) -> None:
    """Say where a dataset is now; its content must be the recorded one."""
    _show(_datasets(workspace).relocate(dataset, place), as_json)


@app.command()
def accept(
    dataset: Dataset,
    place: Annotated[Path | None, path_argument("Its path; by default the path where it was last.")] = None,
    workspace: In = Path(),
    as_json: AsJson = False,
) -> None:
    """Take what is at a dataset's path now for its new version."""
    _show(_datasets(workspace).accept_version(dataset, place), as_json)


def _show(record: DatasetRecord, as_json: bool) -> None:
    if as_json:
        print_json(record.to_dict())
        return
    say(f"{record.id} ({record.name}), version {len(record.versions)}, at {record.current_path}")
    for note in record.notes:
        say(f"  {note}")
