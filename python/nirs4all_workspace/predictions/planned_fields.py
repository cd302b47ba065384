"""What the rows of a planned result take from it where they lack it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.dataset_record import is_id
from nirs4all_workspace.exceptions import WorkspaceError
from nirs4all_workspace.model.result import Result
from nirs4all_workspace.predictions.planned import results_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nirs4all_workspace.model.arguments import ResultFields
    from nirs4all_workspace.predictions.planned import Planned
    from nirs4all_workspace.workspace import Workspace


class PlannedFields:
    """The planned results of a run: those that `plan` returned, and those of its stored configurations."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        """Bind to a run; nothing is read before the first row that lacks something."""
        self._workspace = workspace
        self._run_id = run_id
        self._given: dict[str, Result] = {}

    def add(self, results: Iterable[Result]) -> None:
        """Take the results that `plan` returns: what their user sets in them, rows take too."""
        self._given.update((result.id, result) for result in results)

    def of(self, result_id: str) -> ResultFields:
        """Return what the rows of a result take from it: of its dataset's record what it does not say.

        Empty for a result that was not planned, or where plan or record cannot be read.
        """
        try:
            result = self._given.get(result_id) or self._stored().get(result_id)
        except (WorkspaceError, OSError):
            result = None
        if result is None:
            return {}
        found: ResultFields = {"config_name": result.config_name, "template_id": result.template_id}
        if isinstance(result, Result):
            found |= {
                "task_type": result.task_type,
                "n_samples": result.n_samples,
                "n_features": result.n_features,
            }
        if result.dataset_id is not None and is_id(result.dataset_id):
            try:
                record = self._workspace.datasets.get(result.dataset_id)
            except (WorkspaceError, OSError):
                return found
            if found.get("task_type") is None:
                found["task_type"] = record.task_type
            if found.get("n_samples") is None:
                found["n_samples"] = record.n_samples
            if found.get("n_features") is None:
                found["n_features"] = record.n_features
        return found

    def _stored(self) -> dict[str, Planned]:
        return results_of(self._workspace.path / "runs" / self._run_id, self._run_id)
