"""Routes of the data of charts: bounded answers, whatever the number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nirs4all_workspace.web import models, parameters

if TYPE_CHECKING:
    from nirs4all_workspace.web.api import Api


def add(router: APIRouter, api: Api) -> None:
    """Add the routes of charts."""
    place = "/workspaces/{workspace_id}/charts"

    async def answer(request: Request, workspace_id: str, name: str, asked: dict[str, Any]) -> Response:
        return await api.answer(request, workspace_id, lambda ws: getattr(ws.charts, name)(**asked))

    @router.get(f"{place}/histogram", tags=["charts"], response_model=models.ScoreHistogram)
    async def histogram(
        request: Request, workspace_id: str, query: Annotated[parameters.HistogramQuery, Query()]
    ) -> Response:
        """The distribution of scores."""
        return await answer(request, workspace_id, "score_histogram", query.arguments())

    @router.get(f"{place}/heat-map", tags=["charts"], response_model=models.ScoreHeatMap)
    async def heat_map(
        request: Request, workspace_id: str, query: Annotated[parameters.HeatMapQuery, Query()]
    ) -> Response:
        """Number, best and median of the scores of each model and preprocessing, or of two other columns."""
        return await answer(request, workspace_id, "score_heat_map", query.arguments())

    @router.get(f"{place}/boxes", tags=["charts"], response_model=models.ScoreBoxes)
    async def boxes(
        request: Request, workspace_id: str, query: Annotated[parameters.BoxesQuery, Query()]
    ) -> Response:
        """The scores of each value of a column as a box; those over the folds of results by `result_id`."""
        return await answer(request, workspace_id, "score_boxes", query.arguments())

    @router.get(f"{place}/parameter", tags=["charts"], response_model=models.ScoreByParameter)
    async def parameter(
        request: Request, workspace_id: str, query: Annotated[parameters.ParameterQuery, Query()]
    ) -> Response:
        """Scores against a parameter of models or choices."""
        return await answer(request, workspace_id, "score_by_parameter", query.arguments())

    @router.get(f"{place}/parity", tags=["charts"], response_model=models.Parity)
    async def parity(
        request: Request, workspace_id: str, query: Annotated[parameters.ParityQuery, Query()]
    ) -> Response:
        """True against predicted, pooled over folds, with R2, RMSE and bias."""
        return await answer(request, workspace_id, "parity", query.arguments())

    @router.get(f"{place}/residuals", tags=["charts"], response_model=models.Residuals)
    async def residuals(
        request: Request, workspace_id: str, query: Annotated[parameters.ResidualsQuery, Query()]
    ) -> Response:
        """Residuals of the pairs of `parity`, as points and as a histogram."""
        return await answer(request, workspace_id, "residuals", query.arguments())

    @router.get(f"{place}/confusion-matrix", tags=["charts"], response_model=models.ConfusionMatrix)
    async def confusion_matrix(
        request: Request, workspace_id: str, query: Annotated[parameters.PairQuery, Query()]
    ) -> Response:
        """How often each class was predicted as each class."""
        return await answer(request, workspace_id, "confusion_matrix", query.arguments())

    @router.get(f"{place}/history", tags=["charts"], response_model=models.RunHistory)
    async def history(
        request: Request, workspace_id: str, run: Annotated[parameters.Text, Query()]
    ) -> Response:
        """How a run went: transitions, finished results and best scores over time."""
        return await answer(request, workspace_id, "run_history", {"run": run})
