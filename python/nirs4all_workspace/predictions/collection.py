"""The prediction rows of a workspace."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

from nirs4all_workspace import _native, catalogue, display
from nirs4all_workspace._io import files
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace._io.paths import absolute
from nirs4all_workspace.datasets.dataset_record import is_id
from nirs4all_workspace.exceptions import NotFoundError
from nirs4all_workspace.model import migration_notes
from nirs4all_workspace.model.result import ResultList
from nirs4all_workspace.predictions import (
    best_results,
    compaction,
    export,
    pages,
    rows_by_id,
    scan,
    score_structs,
    sessions,
)
from nirs4all_workspace.predictions.arrays import arrays_of
from nirs4all_workspace.predictions.planned_fields import PlannedFields
from nirs4all_workspace.predictions.writer import Writer
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import Compaction, Rebuild
    from nirs4all_workspace.model.arguments import PredictionFilters, RankingFilters, WriterOptions
    from nirs4all_workspace.predictions.pages import Page
    from nirs4all_workspace.workspace import Workspace

_log = logging.getLogger(__name__)


class Ranking(list[dict[str, Any]]):
    """Predictions, best first, and how they were ranked.

    Attributes:
        metric: The metric that was ranked; "" where none was named and no file with a metric can be read.
        direction: "maximize", "minimize" or "zero"; "unknown" without a metric.
        ranked_by: The score column that was ranked.
        files_read: Number of files whose rows were read; 0 where their footers sufficed.
        errors: Files that could not be read, as dicts of path, kind and message.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        """Store the answer of the native query."""
        super().__init__(answer["records"])
        self.metric: str = answer["metric"]
        self.direction: str = answer["direction"]
        self.ranked_by: str = answer["ranked_by"]
        self.files_read: int = answer["files_read"]
        self.errors: list[Problem] = answer["errors"]

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking as one dict, the shape of `n4w top --json`."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "ranked_by": self.ranked_by,
            "records": list(self),
            "files_read": self.files_read,
            "errors": self.errors,
        }


class Predictions:
    """Access to the prediction rows of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "predictions")

    def top(
        self,
        k: int = 10,
        metric: str | None = None,
        score: str | None = None,
        direction: str | None = None,
        *,
        distinct: bool = True,
        live: bool = True,
        per: str | None = None,
        min_scores: Mapping[str, float] | None = None,
        max_scores: Mapping[str, float] | None = None,
        **filters: Unpack[RankingFilters],
    ) -> Ranking:
        """Rank predictions of one metric, or, with `per`, results.

        Unless `partition=` is given, the candidates are the rows of partition "val" where the metric has any
        among the filtered rows, else all rows: the rows of a fold repeat the same scores, and a ranking must
        not show one model three times. NaN never ranks; ties are broken by id. Footers alone answer k up to
        32 where the filters allow; otherwise rows are read from the files whose footers do not exclude them.

        A named metric is also looked for in the `scores` of rows that have another metric: they rank by its
        number for the partition of the score column, and their record shows those of that metric. Rows of the
        folds "avg", "w_avg" and "final" have no validation score there. The first such question reads the
        `scores` of all rows with other metrics once for each metric; the numbers are cached.

        Rows are equal whose dataset, configuration (of nirs4all 0.6 the hash in config_path, else that of
        their result), model_name, step_idx, branch_id, fold, partition, metric and scores are, bit for bit:
        what was run again with the same outcome.

        Args:
            k: Number of predictions.
            metric: The metric to rank; None for the only one there is.
            score: "val_score", "test_score" or "train_score"; None for val_score, or for test_score where the
                metric has no val_score in any filtered row.
            direction: "maximize", "minimize" or "zero"; None for the direction in the table of metrics.
            distinct: Whether equal rows are one entry, with their number as `n_equal`.
            live: Whether open segments are included.
            per: None for rows, of which the luckiest fold comes first. Else results by their `score`, that of
                all held-out folds, dataset by dataset, at most k of each: "result" for each result, with its
                best model; "model" for each model name, with the result in which it is best; "dataset" for
                the best result of each dataset. Failed results rank nowhere. `score="test_score"` ranks by
                `score_test`. A metric that rows have in `scores` alone costs one pass over them, which is
                cached.
            min_scores: Lowest numbers in `scores`, by partition and metric, as for `page`.
            max_scores: Highest numbers in `scores`.
            filters: dataset, model, partition, run (id or name), result, fold, task_type (equal to a text);
                min_val_score, max_val_score and so on (inclusive); preprocessings_contains. With `per`
                dataset, model, run, result, task_type, and min_ and max_ of val_score (`score`) and
                test_score (`score_test`).

        Returns:
            With `per` the dicts of `Result.to_dict`, and of one of several models step_idx, branch_id and
            branch_name; else dicts of id, run_id (of nirs4all 0.6 the session), dataset_name, model_name,
            config_name, val_score, test_score, train_score, fold_id, partition, preprocessings and n_equal.
            Best first. Files that could not be read are in its `errors`.

        Raises:
            ValueError: There are several metrics and none was named, no row has the named one, or an argument
                is invalid.
            TypeError: A filter has a wrong type.
            NotFoundError: There is no such run.
            UnknownMetricError: No direction is known for the metric.
            OSError: The workspace cannot be listed.
        """
        pages.check_count("k", k)
        pages.check_texts(metric=metric, score=score, direction=direction)
        root = self._workspace.path
        if per is not None:
            if min_scores or max_scores:
                raise ValueError(
                    "min_scores, max_scores: they choose rows, and `per` ranks results; use min_val_score"
                )
            asked = {"per": per, "k": k, "metric": metric, "score": score, "direction": direction}
            return Ranking(best_results.rank(root, asked | {"live": live}, filters))
        asked = self.native_filters(pages.with_scores(filters, min_scores, max_scores))
        ranking = Ranking(
            _native.top_predictions(
                root, k, metric, score, direction, asked, distinct=bool(distinct), live=live
            )
        )
        sessions.add_runs(root, ranking)
        return ranking

    def page(
        self,
        offset: int = 0,
        limit: int = 100,
        sort_by: str = "val_score",
        descending: bool | None = None,
        cursor: str | None = None,
        columns: Sequence[str] | None = None,
        *,
        live: bool = True,
        min_scores: Mapping[str, float] | None = None,
        max_scores: Mapping[str, float] | None = None,
        **filters: Unpack[PredictionFilters],
    ) -> Page:
        """Return some rows of a sorted list, and a cursor that leads on from them.

        Following cursors yields every row that existed at the first page exactly once, whatever is added,
        sealed or compacted meanwhile. The first page reads the columns of the order and the filters; the
        order is cached in memory, bounded, so that further pages cost little.

        Args:
            offset: Number of rows before the page.
            limit: Number of rows; 0 for `total` alone, without a cursor.
            sort_by: Any column, or a number in `scores` such as "scores.val.r2", which the records then show.
                Rows with equal values are ordered by id, run_id and dataset_name; NaN comes
                after other values, null last.
            descending: Whether larger values come first. None: for a score the best first, metric by metric
                in the order of their names, and last, by id, rows whose metric has no known direction; for
                other columns the smallest first.
            cursor: The `next_cursor` of a page of the same query, instead of an offset.
            columns: Names of columns, also such as "scores.val.r2"; None for id, run_id, dataset_name,
                model_name, config_name, the three scores, fold_id, partition, preprocessings, metric and
                task_type.
            live: Whether open segments are included.
            min_scores: Lowest numbers in `scores` (inclusive), by partition and metric: {"val.r2": 0.9}. The
                first use of such a number reads the `scores` of all rows once; they are cached.
            max_scores: Highest numbers in `scores`.
            filters: dataset, model, partition, run (id or name), result, fold, task_type, metric (equal to a
                text); min_val_score, max_val_score and so on (inclusive); preprocessings_contains.

        Returns:
            The page. `total` is exact; an offset beyond it gives an empty page.

        Raises:
            ValueError: An argument is invalid, or the cursor belongs to another query.
            TypeError: A filter has a wrong type.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed.
        """
        wanted = pages.with_scores(filters, min_scores, max_scores)
        asked = self._asked(offset, limit, sort_by, descending, cursor, columns, live, wanted)
        return pages.page(self._workspace.path, asked)

    def export(
        self,
        target: str | os.PathLike[str],
        kind: str | None = None,
        sort_by: str = "val_score",
        descending: bool | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        *,
        live: bool = True,
        min_scores: Mapping[str, float] | None = None,
        max_scores: Mapping[str, float] | None = None,
        **filters: Unpack[PredictionFilters],
    ) -> list[Problem]:
        """Write all rows of a sorted list to a file, in bounded memory.

        Args:
            target: The file, which is replaced atomically and durably; "-" is stdout.
            kind: "csv", where nested values are strict JSON, or "parquet"; None for the format in the file's
                extension: CSV for `.csv`, refused for other formats such as `.json`, else Parquet.
            sort_by: Any column, as for `page`.
            descending: Whether larger values come first, as for `page`.
            columns: Names of columns, as for `page`.
            limit: Number of rows; None for all.
            live: Whether open segments are included.
            min_scores: Lowest numbers in `scores`, as for `page`.
            max_scores: Highest numbers in `scores`, as for `page`.
            filters: The filters of `page`.

        Returns:
            Files that could not be read, as dicts of path, kind and message.

        Raises:
            ValueError: An argument is invalid, or CSV cannot hold a column.
            NotFoundError: There is no such run.
            OSError: The workspace cannot be listed, or the file cannot be written.
        """
        wanted = pages.with_scores(filters, min_scores, max_scores)
        asked = self._asked(0, 0, sort_by, descending, None, columns, live, wanted)
        place = export.STDOUT if os.fspath(target) == "-" else absolute(target, "target")
        return export.export(self._workspace.path, asked, place, kind, limit)

    def _asked(
        self,
        offset: int,
        limit: int,
        sort_by: str,
        descending: bool | None,
        cursor: str | None,
        columns: Sequence[str] | None,
        live: bool,
        filters: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {
            "offset": offset,
            "limit": limit,
            "sort_by": sort_by,
            "descending": descending,
            "cursor": cursor,
            "columns": columns if columns is None or isinstance(columns, str) else list(columns),
            "live": live,
            "named": repr((filters.get("run"), filters.get("result"))),
            "filters": self.native_filters(filters),
        }

    def native_filters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return filters with the keys of its rows for a run: its id, or in 0.6 file, dataset and config."""
        filters: dict[str, Any] = {**given}
        for name in ("runs", "members"):
            if name in filters:
                raise ValueError(f"unknown filter {name!r}; name a run by run=")
        run, result = filters.get("run"), filters.get("result")
        # A run is looked for by name, and is not found.
        pages.check_texts(**{name: value for name, value in filters.items() if name != "run"})
        is_old = self._workspace.format_version < 2
        if not isinstance(run, str | None) or (run is None and (result is None or not is_old)):
            return filters
        if run is not None and not is_old and self._workspace.runs.has(run):
            return filters
        root = self._workspace.path
        headers, errors = catalogue.run_headers(root)
        found = [header for header in headers if run in (None, header.id, header.name)]
        if run is not None and not found:
            if stored.is_unicode(run) and self._is_named(run):
                return filters
            found_id = catalogue.find_run(root, run, [(it.id, it.name) for it in headers], errors)
            found = [header for header in headers if header.id == found_id]
        if not is_old:
            return {**filters, "run": None, "runs": [header.id for header in found]}
        entries = {header.id: header.entry() for header in found}
        members: list[tuple[str, str, str | None]] = []
        if result is None:
            members += [one for entry in entries.values() for one in catalogue.members_of(root, entry)]
            of_files = [id_ for id_, entry in entries.items() if entry["kind"] == "files"]
            made = catalogue.results(root, of_files) if of_files else ResultList()
        else:
            made = self._workspace.results.with_id(result)
        for one in made:
            if one.run_id in entries:
                members += catalogue.members_of(root, entries[one.run_id], one)
        return {**filters, "run": None, "result": None, "members": members}

    def _is_named(self, run: str) -> bool:
        """Return whether rows name a run that the catalogue lacks, as segments copied to an old folder do."""
        asked = {"offset": 0, "limit": 0, "sort_by": "created_at", "descending": None, "cursor": None}
        asked |= {"columns": ["id"], "live": True, "named": run, "filters": {"run": run}}
        return pages.page(self._workspace.path, asked).total > 0

    def scan(self, *, live: bool = True, partial: bool = False, scores: bool = False) -> pl.LazyFrame:
        """Return all rows as a Polars LazyFrame.

        Files are listed when the frame is collected, not when it is built; filters and columns are pushed
        down to the Parquet files. Columns that a file lacks are null. A file that cannot be read is left out
        with a warning that names it.

        Args:
            live: Whether open segments are included.
            partial: Whether rows of unfinished results are included.
            scores: Whether `scores` is a struct of `train`, `val` and `test`, each a struct of Float64 by
                metric, in place of the JSON text; null where the text is no JSON object. Which metrics there
                are takes one pass over the rows, at the first look at the schema; it is cached. Values are
                as stored: those of `val` in rows of the folds "avg", "w_avg" and "final" were not computed on
                held-out samples, unless the metric is the row's own.

        Returns:
            The columns of docs/format.md in their order (texts String, counts Int64, scores Float64,
            `created_at` Datetime in µs UTC), then extra columns. The order of rows is undefined.
        """
        if scores:
            return score_structs.scan_with_scores(self._workspace.path, live=live, partial=partial)
        return scan.scan(self._workspace.path, live=live, partial=partial)

    def get(self, id: str, run_id: str | None = None, arrays: bool = False) -> dict[str, Any]:  # noqa: A002
        """Return one row with all columns of its file; `scores`, `best_params` and `metadata` are parsed.

        A text among them that is not valid JSON stays a text. Bloom filters on ids select the row groups to
        read; arrays are found by their ids. A file that cannot be read is left out with a warning that names
        it.

        Args:
            id: The id of the row, unique within a run.
            run_id: The run, by id or name, where several have a row with that id.
            arrays: Whether `y_true`, `y_pred`, `y_proba`, `sample_indices` and `weights` are read too, each a
                NumPy array of float64 in its stored shape; None where the row has none, or the array is
                missing.

        Raises:
            NotFoundError: There is no such row, or no such run.
            ValueError: Several runs have such a row; pass `run_id`.
            OSError: Arrays that were not found may lie in a file or folder that cannot be read.
            CorruptFileError: Arrays that were not found may lie in a damaged file.
        """
        filters = self.native_filters({"run": run_id})
        errors: list[Problem] = []
        try:
            row = rows_by_id.find(self._workspace.path, id, filters, errors)
        finally:
            for error in errors:
                display.warn(f"left out: {error['path']}: {error['kind']}: {error['message']}")
        of_row = arrays_of(self._workspace.path, row) if arrays else {}
        is_old = row["run_id"] is None
        sessions.add_runs(self._workspace.path, [row])
        if row["fold_id"] in sessions.AVERAGES and (is_old or self._is_migrated(row["run_id"])):
            row["note"] = sessions.NOTE
        return row | of_row

    def _is_migrated(self, run_id: str) -> bool:
        """Return whether a run was made of a session of nirs4all 0.6."""
        return (self._workspace.path / "runs" / run_id / migration_notes.OF_RUN).is_file()

    def writer(self, run_id: str, dataset: str, **options: Unpack[WriterOptions]) -> Writer:
        """Open a writer for a run's predictions on a dataset.

        Rows that name a planned result take from it what they lack, as with `run.writer`.

        Args:
            run_id: The id of the run. It may be unknown to `ws.runs`; then it has rows and no results.
            dataset: The dataset's name, registered or not, or the id of a registered one.
            options: durability, flush_rows, flush_bytes, flush_seconds and progress, see `Writer`.

        Raises:
            ValueError: An argument is invalid.
            NotFoundError: The run was deleted.
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: The journal cannot be created.
        """
        planned = PlannedFields(self._workspace, run_id)
        return self.open_writer(run_id, dataset, planned=planned.of, **options)

    def open_writer(self, run_id: str, dataset: str, **options: Any) -> Writer:  # noqa: ANN401 - of Writer
        """Open a writer with any option of `Writer`; for callers within the package."""
        self._workspace.check_writable()
        pages.check_texts(run_id=run_id, dataset=dataset)
        if is_id(dataset):
            with suppress(NotFoundError):
                dataset = self._workspace.datasets.get(dataset).name
        for name in ("predictions", "arrays"):
            # What is in the way is said before rows are given.
            if culprit := files.unusable_folder(self._workspace.path / name):
                raise culprit
        _native.sweep(self._workspace.path, dataset_folder(dataset))
        return Writer(self._workspace.path, run_id, dataset, **options)

    def compact(self, dataset: str | None = None) -> Compaction:
        """Merge the sealed segments of each run on each dataset into one.

        Runs are never merged with each other. Replaced segments are removed 10 s later (2 minutes on a
        network drive) by the next call that opens, closes, recovers or compacts.

        Args:
            dataset: Only the segments of this dataset, by name.

        Returns:
            A dict of `compacted` (dicts of output, inputs and rows), `skipped` (dicts of run_id and
            reason where a process owns the run; of run_id, path, column and reason for segments that stay
            apart, since a column has another type there; of run_id, path and reason for segments that were
            sealed so lately that their journals are still there) and `errors` (segments, locks and folders
            that cannot be read or written, as dicts of path, kind and message: nothing was merged of that run
            in that folder, and the rest was).

        Raises:
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: The workspace cannot be listed; nothing was merged.
        """
        self._workspace.check_writable()
        folder = None if dataset is None else dataset_folder(dataset)
        done = compaction.compact(self._workspace.path, folder)
        for one in done["compacted"]:
            _log.info(
                "%d segments with %d rows compacted into %r", len(one["inputs"]), one["rows"], one["output"]
            )
        return done

    def rebuild_summaries(self, progress: Callable[[int, int], object] | None = None) -> Rebuild:
        """Add a summary to the footer of every prediction file without a trusted one.

        Data pages are copied byte for byte. Each file is published atomically and durably: a reader sees the
        old file or the new one, also after a crash. A file that another process changes meanwhile is left as
        it is and reported.

        Args:
            progress: Called now and then with the files done and the files in all.

        Returns:
            A dict of `kept` (files that had a trusted summary), `written` (dicts of path and reason)
            and `errors` (dicts of path, kind and message).

        Raises:
            UnsupportedVersionError: A newer version of this package made the workspace.
            OSError: The workspace cannot be listed.
        """
        self._workspace.check_not_newer()
        done = _native.rebuild_summaries(self._workspace.path, progress)
        _log.info("%d summaries rebuilt", len(done["written"]))
        return done
