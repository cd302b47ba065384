"""Answers as pydantic models, by which OpenAPI describes them: those of the Python API, and our own."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any, NotRequired

from pydantic import BaseModel, ConfigDict, Field, create_model

from nirs4all_workspace import exceptions
from nirs4all_workspace.model import answers, chart_answers


@cache
def model_of(kind: Any) -> type[BaseModel]:  # noqa: ANN401 - a TypedDict
    """Return the model of a typed dict of `model.answers`."""
    hints = typing.get_type_hints(kind, localns={"Problem": exceptions.Problem}, include_extras=True)
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        is_needed = typing.get_origin(hint) is not NotRequired
        inner = hint if is_needed else typing.get_args(hint)[0]
        fields[name] = (_model(inner), ... if is_needed else None)
    name = "FileProblem" if kind is exceptions.Problem else kind.__name__
    return create_model(name, __doc__=kind.__doc__, **fields)


def _model(hint: Any) -> Any:  # noqa: ANN401 - a type
    if typing.is_typeddict(hint):
        return model_of(hint)
    arguments = typing.get_args(hint)
    if not arguments:
        return hint
    found = tuple(map(_model, arguments))
    origin = typing.get_origin(hint)
    if origin in (list, dict):
        return origin[found if len(found) > 1 else found[0]]
    return typing.Union[found]  # noqa: UP007 - of a tuple


FileProblem = model_of(exceptions.Problem)
Statistics = model_of(answers.Statistics)
Verification = model_of(answers.Verification)
Deletion = model_of(answers.Deletion)
TemplateUsage = model_of(answers.TemplateUsage)
Change = model_of(answers.Change)
ScoreHistogram = model_of(chart_answers.ScoreHistogram)
ScoreHeatMap = model_of(chart_answers.ScoreHeatMap)
ScoreBoxes = model_of(chart_answers.ScoreBoxes)
ScoreByParameter = model_of(chart_answers.ScoreByParameter)
Parity = model_of(chart_answers.Parity)
Residuals = model_of(chart_answers.Residuals)
ConfusionMatrix = model_of(chart_answers.ConfusionMatrix)
RunHistory = model_of(chart_answers.RunHistory)
Record = dict[str, Any]


class WorkspaceEntry(BaseModel):
    """A workspace that is served."""

    id: str = Field(description="Its key in URLs.", examples=["5f0c2a4e-8a51-4d0e-9d5e-0b8f6a1f7c11"])
    name: str = Field(description="The name of its folder.", examples=["experiments"])
    format_version: int | None = Field(description="1 as nirs4all 0.6 writes it, 2 as this package does.")
    is_writable: bool = Field(description="Whether this server may write it.")
    error: FileProblem | None = Field(None, description="Why it cannot be opened now.")  # type: ignore[valid-type]


class WorkspaceEntries(BaseModel):
    """All workspaces that are served."""

    workspaces: list[WorkspaceEntry]


class PredictionPage(BaseModel):
    """A page of a list of predictions."""

    records: list[Record] = Field(description="Rows, with the columns that were asked for.")
    total: int = Field(description="Rows of the whole list.")
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = Field(description="Leads on, whatever is written meanwhile; null at the end.")
    errors: list[FileProblem]  # type: ignore[valid-type]
    notes: list[str]


class RunList(BaseModel):
    """Runs, oldest first."""

    runs: list[Record]
    errors: list[FileProblem]  # type: ignore[valid-type]


class ResultList(BaseModel):
    """A page of finished results."""

    model_config = ConfigDict(extra="allow")

    results: list[Record]
    errors: list[FileProblem]  # type: ignore[valid-type]


class TemplateList(BaseModel):
    """Templates, with the runs that refer to them."""

    templates: list[TemplateUsage]  # type: ignore[valid-type]
    errors: list[FileProblem]  # type: ignore[valid-type]


class TemplateId(BaseModel):
    """A template that is stored."""

    id: str = Field(examples=["tpl_8bd451df81a53ed9"])


class Preview(BaseModel):
    """What a template expands to."""

    total: int = Field(description="Configurations in all.")
    configurations: list[Record] = Field(description="The first of them: name, choices and steps.")


class DatasetList(BaseModel):
    """Registered datasets."""

    datasets: list[Record]
    errors: list[FileProblem]  # type: ignore[valid-type]


class Health(BaseModel):
    """What can be told of a workspace at once."""

    is_writable: bool
    interrupted: list[str] = Field(description="Runs whose process died.")
    problems: list[FileProblem]  # type: ignore[valid-type]
    notes: list[FileProblem]  # type: ignore[valid-type]
    storage: Record = Field(description="Files and bytes by folder.")


class Comparison(BaseModel):
    """Predictions side by side."""

    predictions: list[Record]


class Scatter(BaseModel):
    """Targets and predictions of one row."""

    id: str
    run_id: str | None
    total: int = Field(description="Samples of the row.")
    y_true: list[float | str | None] = Field(description="At most 10,000, evenly chosen.")
    y_pred: list[float | str | None]
    sample_indices: list[float | str | None] | None
    notes: list[str]
