"""What nirs4all's `Predictions` asks of a store, answered from a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from nirs4all_workspace import display
from nirs4all_workspace.integrations.nirs4all import stored_rows
from nirs4all_workspace.integrations.nirs4all.back import unique
from nirs4all_workspace.values import strict_json
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.integrations.nirs4all.stored_rows import Place, Rows

_ARRAYS = ("y_true", "y_pred", "y_proba", "X", "spectra", "sample_indices", "weights")
_SAME = (
    *(
        "dataset_name",
        "model_name",
        "fold_id",
        "partition",
        "val_score",
        "test_score",
        "train_score",
        "metric",
    ),
    *("task_type", "n_samples", "n_features", "preprocessings", "branch_id", "branch_name", "refit_context"),
)


class ReadingStore:
    """A workspace as a store that nirs4all reads; nothing is written.

    It has the methods of nirs4all's `WorkspaceStore` that `Predictions` calls to read a path, and no others.

    Attributes:
        workspace_path: The folder of the workspace.
        array_store: Itself: arrays are asked of it.
    """

    def __init__(self, workspace_path: Path) -> None:
        """Open a workspace.

        Raises:
            SchemaError, OSError: As for `Workspace.open`.
        """
        self._ws = Workspace.open(workspace_path)
        self.workspace_path = self._ws.path
        self.array_store = self
        self._parts: list[Rows] = []
        # By their ids: the first row of each pipeline and chain, and its run.
        self._pipelines: dict[str, tuple[Place, str | None]] = {}
        self._chains: dict[str, tuple[Place, dict[str, Any]]] = {}

    def query_predictions(self, dataset_name: str | None = None) -> pl.DataFrame:
        """Return all rows, or those of a dataset, without arrays, in the columns of nirs4all's store.

        Files that cannot be read are warned of.
        """
        import polars as pl

        parts, errors = stored_rows.read(self._ws, {} if dataset_name is None else {"dataset": dataset_name})
        for error in errors:
            display.warn(f"left out: {error['path']}: {error['kind']}: {error['message']}")
        self._parts = unique(parts)
        found = [
            self._row(part, row, place)
            for part in self._parts
            for row, place in zip(part.rows, stored_rows.places(part), strict=True)
        ]
        return pl.DataFrame(found, infer_schema_length=None)

    def _row(self, part: Rows, row: dict[str, Any], place: Place) -> dict[str, Any]:
        given = stored_rows.without_arrays(row)
        self._pipelines.setdefault(place.pipeline, (place, part.run_id))
        self._chains.setdefault(place.chain, (place, given))
        return {
            "prediction_id": row["id"],
            "pipeline_id": place.pipeline,
            "chain_id": place.chain,
            "model_class": given["model_classname"],
            "scores": strict_json.dumps(given["scores"]),
            "best_params": strict_json.dumps(given["best_params"]),
            **{name: given[name] for name in _SAME},
        }

    def load_batch(
        self, prediction_ids: Sequence[str], dataset_name: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return the arrays of rows that were asked for before, by id and role, with their metadata.

        Raises:
            CorruptFileError, OSError: Arrays may lie in a file that cannot be read.
        """
        wanted = set(prediction_ids)
        found = {}
        for part in self._parts:
            rows = [row for row in part.rows if row["id"] in wanted]
            if not rows or dataset_name not in (None, part.dataset):
                continue
            given = stored_rows.with_arrays(self._ws, stored_rows.Rows(part.run_id, part.dataset, rows))
            for row, of_row in zip(rows, given, strict=True):
                found[row["id"]] = {role: of_row.get(role) for role in _ARRAYS} | {
                    "sample_metadata": of_row["metadata"],
                    "result_metadata": of_row["result_metadata"],
                }
        return found

    def get_pipeline(self, pipeline_id: str) -> dict[str, Any] | None:
        """Return the name and run of a pipeline of rows that were asked for before."""
        if pipeline_id not in self._pipelines:
            return None
        place, run_id = self._pipelines[pipeline_id]
        return {"pipeline_id": pipeline_id, "name": place.name, "run_id": run_id}

    def get_chains_for_pipeline(self, pipeline_id: str) -> pl.DataFrame:
        """Return the chains of a pipeline: chain_id, model_step_idx and branch_path, as JSON."""
        import polars as pl

        found = [
            {
                "chain_id": chain,
                "model_step_idx": given["step_idx"],
                "branch_path": strict_json.dumps(given["branch_path"]),
            }
            for chain, (place, given) in self._chains.items()
            if place.pipeline == pipeline_id
        ]
        return pl.DataFrame(found, infer_schema_length=None)

    def get_run(self, run_id: str) -> dict[str, Any] | None:
        """Return a run without datasets: how nirs4all aggregates repetitions is not known of them."""
        return {"run_id": run_id, "datasets": []}

    def close(self) -> None:
        """Forget what was asked for."""
        self._parts, self._pipelines, self._chains = [], {}, {}

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse what no reading asks for."""
        raise AttributeError(
            f"{name}: a workspace is read by nirs4all's Predictions alone; export_store writes a store that "
            "all of nirs4all opens",
            name=name,
            obj=self,
        )
