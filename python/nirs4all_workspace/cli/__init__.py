"""The command `n4w`: what Python answers, as tables for people and as strict JSON for programs.

Exit codes: 0 fine, 1 problem found, 2 usage.
"""

from __future__ import annotations

import sys

import typer

from nirs4all_workspace.cli import datasets, lineage, migrate, predictions, results, runs, stats
from nirs4all_workspace.exceptions import WorkspaceError

app = typer.Typer(
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


def main() -> None:
    """Run the command; errors become one line on stderr and exit code 1, 2 where an argument is wrong."""
    try:
        app()
    except (WorkspaceError, OSError, ValueError) as error:
        print(f"n4w: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, WorkspaceError | OSError) else 2)
