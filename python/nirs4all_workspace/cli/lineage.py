"""The command `n4w lineage`: lineage and traces."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nirs4all_workspace.cli.output import (
    AsJson,
    Folder,
    exit_with,
    open_workspace,
    print_json,
    say_lines,
    show_errors,
)
from nirs4all_workspace.insight.trace import KINDS

if TYPE_CHECKING:
    from nirs4all_workspace.runs.lineage import Lineage

app = typer.Typer()

# Patterns of ids that determine their kind.
_FORMS = {"dataset": r"ds_.+_[0-9a-f]{8,64}", "template": r"tpl_[0-9a-f]{16}", "artifact": r"[0-9a-f]{64}"}


class Format(StrEnum):
    """Output formats of a lineage."""

    TEXT = "text"
    DOT = "dot"
    MERMAID = "mermaid"


@app.command()
def lineage(
    id: Annotated[str, typer.Argument(help="A run, a result, or a dataset, template or artifact.")],  # noqa: A002
    path: Folder = Path(),
    drawn: Annotated[Format, typer.Option("--format", help="Format of a run's lineage.")] = Format.TEXT,
    trace: Annotated[
        str | None, typer.Option(help=f"Show the connections of one of {', '.join(KINDS)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the ancestors and descendants of a run, or what another thing is connected with."""
    if trace is not None and trace not in KINDS:
        raise typer.BadParameter(f"expected one of {', '.join(KINDS)}, got {trace!r}", param_hint="--trace")
    workspace = open_workspace(path)
    kind = trace or next((kind for kind, form in _FORMS.items() if re.fullmatch(form, id)), None)
    if kind is None:
        found = workspace.lineage(id)
        if as_json:
            print_json(found.to_dict())
        else:
            say_lines(_draw(found, drawn).removesuffix("\n"))
            show_errors(found.errors)
        exit_with(found.errors)
        return
    traced = workspace.trace(kind, id)
    if as_json:
        print_json(traced.to_dict())
    else:
        say_lines(traced.to_text().removesuffix("\n"))
        show_errors(traced.errors)
    exit_with(traced.errors)


def _draw(found: Lineage, drawn: Format) -> str:
    if drawn is Format.DOT:
        return found.to_dot()
    return found.to_mermaid() if drawn is Format.MERMAID else found.to_text()
