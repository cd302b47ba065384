"""Results of all runs: filtered, sorted, paged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.model.result import Result, ResultList
from nirs4all_workspace.predictions.pages import check_count, check_texts
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from nirs4all_workspace.workspace import Workspace


class Results:
    """Access to the finished results of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "results")

    def list(
        self,
        run: str | None = None,
        template: str | None = None,
        dataset: str | None = None,
        model: str | None = None,
        metric: str | None = None,
        status: str | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        sort_by: str | None = None,
        descending: bool | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> ResultList:
        """Return finished results of all runs, sealed or not.

        By default the best come first, dataset by dataset and metric by metric in the order of their names,
        since scores of different ones do not compare; results without a score come last. Ties are broken by
        id. A result is ranked by `score`, the score of its best model over all held-out folds.

        Args:
            run: Only results of this run, by id or name.
            template: Only results of this template, by id or by its name in the run.
            dataset: Only results on this dataset, by id or name.
            model: Only results whose `model_name` is this one.
            metric: Only results of this metric.
            status: Only results with this status, "done" or "failed".
            min_score: Only results whose score is at least this.
            max_score: Only results whose score is at most this.
            sort_by: A field of `Result`; None for `score`.
            descending: Whether the largest come first, for every metric; None for best first, or smallest
                first of another field. Results without a value come last in either case.
            offset: Number of results to skip.
            limit: Largest number of results to return; None for all.

        Raises:
            ValueError: An argument is invalid.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed, or the run cannot be read.
        """
        if status not in (None, "done", "failed"):
            raise ValueError(f"status: expected 'done' or 'failed', got {status!r}")
        check_count("offset", offset)
        if limit is not None:
            check_count("limit", limit)
        equal = {"model_name": model, "metric": metric, "status": status}
        check_texts(model=model, metric=metric, template=template, dataset=dataset, sort_by=sort_by)
        root = self._workspace.path
        if run is not None and not stored.is_unicode(run):
            raise catalogue.run_not_found(root, run, catalogue.run_headers(root)[1])

        def look(run: str | None) -> dict[str, Any]:
            return _native.page_results(
                root,
                equal={key: value for key, value in equal.items() if value is not None},
                run=run,
                template=template,
                dataset=dataset,
                min_score=min_score,
                max_score=max_score,
                sort_by="score" if sort_by is None else sort_by,
                descending=descending,
                offset=offset,
                limit=limit,
            )

        try:
            found = look(run)
        except NotFoundError:
            if run is None:
                raise
            headers, errors = catalogue.run_headers(root)
            found = look(catalogue.find_run(root, run, [(it.id, it.name) for it in headers], errors))
        return _page(found, offset, limit)

    def get(self, id: str) -> Result:  # noqa: A002
        """Return one finished result.

        Raises:
            NotFoundError: There is no such result.
            OSError: The workspace cannot be listed.
        """
        found = self.with_id(id)
        if not found:
            message = f"there is no finished result {id!r}; `n4w results` lists all"
            raise NotFoundError(message, str(self._workspace.path))
        return found[0]

    def with_id(self, id_: str) -> ResultList:
        """Return the finished results with this id: one, or none."""
        if not stored.is_unicode(id_):
            return ResultList()
        found = _native.page_results(
            self._workspace.path,
            equal={"id": id_},
            **dict.fromkeys(("run", "template", "dataset", "min_score", "max_score", "descending"), None),
            sort_by="id",
            offset=0,
            limit=1,
        )
        return _page(found, 0, 1)


def _page(found: dict[str, Any], offset: int, limit: int | None) -> ResultList:
    results = (Result.from_dict(item, item["writer"]) for item in found["results"])
    listed = ResultList(results, found["total"], offset, limit)
    listed.errors = found["errors"]
    return listed
