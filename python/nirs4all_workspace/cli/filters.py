"""The filter options that commands on predictions share."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

Text = str | None
Number = float | None
Bounds = list[str] | None

_OPTIONS: dict[str, Any] = {
    "metric": Annotated[Text, typer.Option(help="Only this metric.")],
    "dataset": Annotated[Text, typer.Option(help="Only this dataset.")],
    "model": Annotated[Text, typer.Option(help="Only this model.")],
    "partition": Annotated[Text, typer.Option(help="Only this partition: train, val or test.")],
    "run": Annotated[Text, typer.Option(help="Only this run, by id or name.")],
    "result": Annotated[Text, typer.Option(help="Only this result.")],
    "fold": Annotated[Text, typer.Option(help="Only this fold.")],
    "task_type": Annotated[Text, typer.Option(help="Only this type of task.")],
    "min_val_score": Annotated[Number, typer.Option(help="Lowest val_score.")],
    "max_val_score": Annotated[Number, typer.Option(help="Highest val_score.")],
    "min_test_score": Annotated[Number, typer.Option(help="Lowest test_score.")],
    "max_test_score": Annotated[Number, typer.Option(help="Highest test_score.")],
    "min_train_score": Annotated[Number, typer.Option(help="Lowest train_score.")],
    "max_train_score": Annotated[Number, typer.Option(help="Highest train_score.")],
    "min_scores": Annotated[
        Bounds,
        typer.Option("--min-score", metavar="NAME=NUMBER", help="Lowest number in scores: val.r2=0.9."),
    ],
    "max_scores": Annotated[
        Bounds, typer.Option("--max-score", metavar="NAME=NUMBER", help="Highest number in scores.")
    ],
    "preprocessings_contains": Annotated[Text, typer.Option(help="Only preprocessings with this text.")],
}


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each filter that a command lacks, collected in its parameter `filters`."""
    own = inspect.signature(command, eval_str=True)
    parameters = [parameter for name, parameter in own.parameters.items() if name != "filters"]
    options = {name: kind for name, kind in _OPTIONS.items() if name not in own.parameters}

    @functools.wraps(command)
    def filtered(**given: Any) -> None:  # noqa: ANN401 - of the options
        filters = {name: given.pop(name) for name in options}
        for name in ("min_scores", "max_scores"):
            filters[name] = _bounds(filters[name])
        command(**given, filters=filters)

    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in options.items()
    ]
    filtered.__dict__["__signature__"] = inspect.Signature(parameters)
    filtered.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return filtered


def _bounds(given: list[str] | None) -> dict[str, float] | None:
    """Return bounds by name, of texts such as "val.r2=0.9"; None without any."""
    bounds = {}
    for text in given or ():
        name, equals, number = text.rpartition("=")
        try:
            bounds[name] = float(number)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise typer.BadParameter(f"expected a bound such as val.r2=0.9, got {text!r}")
    return bounds or None
