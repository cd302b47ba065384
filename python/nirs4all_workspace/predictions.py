"""The prediction rows of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.exceptions import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nirs4all_workspace.workspace import Workspace


class Ranking(list[dict[str, Any]]):
    """Predictions, best first, and how they were ranked.

    Attributes:
        metric: The metric that was ranked.
        direction: "maximize", "minimize" or "zero".
        ranked_by: The score column that ranked.
        files_read: Files whose rows were read; 0 where their footers sufficed.
        errors: Files that could not be used, as dicts of path, kind and message.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        """Take the answer of the native query."""
        super().__init__(answer["records"])
        self.metric: str = answer["metric"]
        self.direction: str = answer["direction"]
        self.ranked_by: str = answer["ranked_by"]
        self.files_read: int = answer["files_read"]
        self.errors: list[dict[str, str]] = answer["errors"]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as one dict, the shape of `n4w top --json`."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "ranked_by": self.ranked_by,
            "records": list(self),
            "files_read": self.files_read,
            "errors": self.errors,
        }


class Predictions:
    """What `Workspace.predictions` hands out."""

    def __init__(self, workspace: Workspace) -> None:
        """Belong to a workspace."""
        self._workspace = workspace

    def top(
        self,
        k: int = 10,
        metric: str | None = None,
        score: str | None = None,
        direction: str | None = None,
        **filters: str | float | None,
    ) -> Ranking:
        """Rank predictions of one metric.

        Candidates are the rows of partition "val" where the metric has any, else all rows, unless
        `partition=` says otherwise: the rows of a fold repeat the same scores, and a ranking must
        not show one model three times. NaN never ranks; ties break by id. Footers alone answer for
        k up to 32 where the filters allow; else the rows of those files are read whose footers say
        that they can matter.

        Args:
            k: How many predictions.
            metric: The metric to rank; None means the one that there is.
            score: "val_score", "test_score" or "train_score"; None means val_score, and test_score
                for a metric without any val_score.
            direction: "maximize", "minimize" or "zero"; None means what the table of metrics says.
            filters: dataset, model, partition, run, result, fold, task_type (equal to a text);
                min_val_score, max_val_score and so on (inclusive); preprocessings_contains.

        Returns:
            Dicts of id, run_id, dataset_name, model_name, config_name, val_score, test_score,
            train_score, fold_id, partition and preprocessings, best first. Files that could not be
            used are in its `errors`.

        Raises:
            ValueError: There are several metrics and none was named, or an argument makes no sense.
            UnknownMetricError: No direction is known for the metric.
            OSError: The workspace cannot be listed.
        """
        if k < 0:
            raise ValueError(f"k is {k}; it cannot be negative")
        return Ranking(_native.top_predictions(self._workspace.path, k, metric, score, direction, filters))

    def rebuild_summaries(self, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]:
        """Add a summary to the footer of every prediction file that lacks one to be trusted.

        Data pages are copied byte for byte. Each file is published atomically and durably: a reader
        sees the old file or the new one, and so does whoever looks after a crash. A file that
        somebody else changes meanwhile is left as it is and reported.

        Args:
            progress: Called now and then with the files done and the files in all.

        Returns:
            A dict of `kept` (files that had a trusted summary), `written` (dicts of path and reason)
            and `errors` (dicts of path, kind and message).

        Raises:
            SchemaError: A newer version of this package made the workspace.
            OSError: The workspace cannot be listed.
        """
        if not self._workspace.is_writable:
            raise SchemaError(
                f"the workspace has format {self._workspace.format_version}, newer than this version "
                "of nirs4all-workspace can write; update it",
                str(self._workspace.path),
            )
        return _native.rebuild_summaries(self._workspace.path, progress)
