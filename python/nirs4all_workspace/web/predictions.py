"""Routes of prediction rows."""

from __future__ import annotations

import csv
import io
import tempfile
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.web import models, parameters
from nirs4all_workspace.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nirs4all_workspace.web.api import Api
    from nirs4all_workspace.workspace import Workspace

_MOST_COMPARED, _MOST_POINTS = 20, 10_000
_SCATTER = "scatter"
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_PIECE = 64 * 1024
# What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add(router: APIRouter, api: Api) -> None:
    """Add the routes of predictions."""
    place = "/workspaces/{workspace_id}/predictions"

    @router.get(f"{place}/summary", tags=["predictions"], response_model=models.Record)
    async def summary(
        request: Request, workspace_id: str, dataset: Annotated[parameters.Text | None, Query()] = None
    ) -> Response:
        """Counts, metrics, models and the best rows, from footers alone."""
        return await api.answer(request, workspace_id, lambda ws: ws.summary(dataset))

    @router.get(f"{place}/data", tags=["predictions"], response_model=models.PredictionPage)
    async def data(
        request: Request, workspace_id: str, query: Annotated[parameters.PredictionPageQuery, Query()]
    ) -> Response:
        """A page of rows, filtered and sorted, and a cursor that leads on from it."""
        asked = query.page()
        return await api.answer(request, workspace_id, lambda ws: ws.predictions.page(**asked).to_dict())

    @router.get(f"{place}/compare", tags=["predictions"], response_model=models.Comparison)
    async def compare(
        request: Request,
        workspace_id: str,
        id: Annotated[list[parameters.Text], Query(min_length=1, max_length=_MOST_COMPARED)],  # noqa: A002
    ) -> Response:
        """Rows side by side, each named as `<run>:<id>`."""

        def ask(ws: Workspace) -> dict[str, Any]:
            return {"predictions": [_row(ws, *_run_and_id(one)) for one in id]}

        return await api.answer(request, workspace_id, ask)

    @router.get(
        f"{place}/export",
        tags=["predictions"],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}}},
    )
    async def export(workspace_id: str, query: Annotated[parameters.ExportQuery, Query()]) -> Response:
        """All rows of a list as a file; cells that a spreadsheet would execute are quoted."""
        asked = query.order()
        return await api.work.answer(
            object(), lambda: _export(api.resolve(workspace_id), query.format, asked)
        )

    @router.get(
        f"{place}/{{prediction_id:path}}/{_SCATTER}", tags=["predictions"], response_model=models.Scatter
    )
    async def scatter(
        request: Request,
        workspace_id: str,
        prediction_id: str,
        run: Annotated[parameters.Text | None, Query()] = None,
    ) -> Response:
        """Targets and predictions of one row."""
        id_, is_scatter = _asked(request, prediction_id)
        ask = _scatter if is_scatter else _row
        return await api.answer(request, workspace_id, lambda ws: ask(ws, run, id_))

    @router.get(f"{place}/{{prediction_id:path}}", tags=["predictions"], response_model=models.Record)
    async def show(
        request: Request,
        workspace_id: str,
        prediction_id: str,
        run: Annotated[parameters.Text | None, Query()] = None,
    ) -> Response:
        """One row with all columns and arrays. The id is percent-encoded; 409 where several runs have it."""
        id_, is_scatter = _asked(request, prediction_id)
        ask = _scatter if is_scatter else _row
        return await api.answer(request, workspace_id, lambda ws: ask(ws, run, id_))


def _asked(request: Request, decoded: str) -> tuple[str, bool]:
    """Return the id in a path, and whether its scatter is asked for: a slash in an id is percent-encoded."""
    raw = request.scope.get("raw_path")
    if raw is None:
        return decoded, request.url.path.endswith(f"{decoded}/{_SCATTER}")
    parts = raw.partition(b"?")[0].rpartition(b"/predictions/")[2].split(b"/")
    is_scatter = len(parts) > 1 and parts[-1] == _SCATTER.encode()
    id_ = b"/".join(parts[:-1] if is_scatter else parts)
    return unquote(id_.decode("latin-1")), is_scatter


def _run_and_id(text: str) -> tuple[str | None, str]:
    run, separator, id_ = text.partition(":")
    return (run, id_) if separator else (None, run)


def _row(ws: Workspace, run: str | None, id_: str) -> dict[str, Any]:
    try:
        return ws.predictions.get(id_, run, arrays=True)
    except ValueError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error), errors=_runs_with(ws, id_)) from error


def _runs_with(ws: Workspace, id_: str) -> list[dict[str, Any]]:
    import polars as pl

    found = ws.predictions.scan().filter(pl.col("id") == id_).select("run_id", "dataset_name").collect()
    return found.unique(maintain_order=True).sort("run_id").to_dicts()


def _scatter(ws: Workspace, run: str | None, id_: str) -> dict[str, Any]:
    row = _row(ws, run, id_)
    true, predicted = row["y_true"], row["y_pred"]
    if true is None or predicted is None:
        raise NotFoundError(f"prediction {id_!r} has no targets and predictions; its arrays are missing")
    true, predicted = true.ravel(), predicted.ravel()
    total = min(len(true), len(predicted))
    step = max(1, -(-total // _MOST_POINTS))
    indices = row["sample_indices"]
    notes = [] if len(true) == len(predicted) else [f"{len(true)} targets and {len(predicted)} predictions"]
    return {
        "id": id_,
        "run_id": row["run_id"],
        "total": total,
        "y_true": true[:total:step],
        "y_pred": predicted[:total:step],
        "sample_indices": None if indices is None else indices.ravel()[:total:step],
        "notes": notes,
    }


def _export(ws: Workspace, kind: str, asked: dict[str, Any]) -> Response:
    """Return all rows as a file, which is written first, so that an error is no half file."""
    with tempfile.TemporaryDirectory(prefix="n4w-export-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, f"predictions.{kind}")
        errors = ws.predictions.export(path, kind, **asked)
        # It loses its name here, and goes once it was read, or the client is gone.
        file = path.open("rb")
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"', "X-N4W-Errors": str(len(errors))}
    content: Iterator[bytes] = _pieces(file) if kind == "parquet" else _without_formulas(file)
    return StreamingResponse(content, headers=headers, media_type=_MEDIA_TYPES[kind])


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _without_formulas(file: BinaryIO) -> Iterator[bytes]:
    """Yield a CSV file in pieces; a cell that a spreadsheet would execute begins with an apostrophe."""
    with file:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""))
        while batch := list(islice(rows, parameters.LARGEST_PAGE)):
            piece = io.StringIO()
            csv.writer(piece, lineterminator="\n").writerows(map(_as_text, row) for row in batch)
            yield piece.getvalue().encode("utf-8")


def _as_text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
