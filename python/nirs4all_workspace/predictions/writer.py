"""Writing predictions: rows are durable when `flush` returns, results when `checkpoint` returns."""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from nirs4all_workspace import _native, display
from nirs4all_workspace._io import layout
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace._io.paths import absolute, nfc
from nirs4all_workspace.exceptions import CorruptFileError, NotFoundError
from nirs4all_workspace.model.result import check as check_result
from nirs4all_workspace.predictions import misspellings
from nirs4all_workspace.predictions.planned import PlannedResults
from nirs4all_workspace.values import frames, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from nirs4all_workspace.model.arguments import PredictionRow, ResultFields

_log = logging.getLogger(__name__)
# Bits of what the native calls that add rows return.
_IS_DUE, _HAS_FRESH = 1, 2


class _HasDict(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


# Results named in a warning at most.
_SHOWN = 5
_open: weakref.WeakValueDictionary[int, Writer] = weakref.WeakValueDictionary()
# Of each run the rows that writers of this process lost: they were dropped before these were flushed.
_lost: dict[str, int] = {}
# Fields of a result that its rows say.
_OF_ROWS = (
    *("score", "score_mean", "score_std", "n_folds", "score_avg", "score_basis", "score_test"),
    *("model_name", "models", "best_score", "best_model", "metric", "score_kind", "n_rows"),
)


class Writer:
    """Writes the predictions of one run on one dataset, into files of its own.

    Rows wait in memory until they are flushed: by `flush`, by the checkpoint of a result, and, when a row is
    added, once `flush_rows` rows or `flush_bytes` bytes wait or the first of them has waited for
    `flush_seconds`. Under `durability="flush"` acknowledged rows survive the death of the process and of the
    machine. `durability="none"` is unsafe: they survive the process, but what the operating system had not
    written when the machine died is lost.

    Closing seals the journal into Parquet files that DuckDB, Polars and pyarrow read. A writer that is not
    closed leaves a journal, which readers include and `Workspace.recover` seals.

    Where the run has a plan, rows and checkpoints may name its results on the dataset, and no others.

    A failed flush raises and loses nothing: the rows wait, and the next flush writes them to a new journal.
    A writer that was declared dead raises `ConflictError` from then on.

    What looks like a typing error in a row is stored as it is, and warned of once a writer, as a UserWarning
    and in the log: an extra column that resembles a known one, a partition other than train, val and test, an
    unknown metric, `y_true` and `y_pred` of different length, a result without rows after rows that name no
    result.

    Attributes:
        run_id: The run.
        dataset_name: The dataset, in Unicode NFC.
        writer_id: The id in the names of its files, after the run id.
    """

    def __init__(
        self,
        root: Path,
        run_id: str,
        dataset_name: str,
        *,
        durability: str = "flush",
        flush_rows: int = 10_000,
        flush_bytes: int = 16 * 1024 * 1024,
        flush_seconds: float = 10.0,
        progress: Callable[[int, int], object] | None = None,
        ids: tuple[str, str] | None = None,
        planned: Callable[[str], ResultFields] | None = None,
        on_checkpoint: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        """Open a journal; use `run.writer` or `ws.predictions.writer` instead.

        Args:
            root: The workspace folder.
            run_id: The id of the run.
            dataset_name: The name of the dataset, registered or not.
            durability: "flush" or "none".
            flush_rows: Largest number of rows that wait.
            flush_bytes: Largest number of bytes that wait, approximately.
            flush_seconds: Longest time that a row waits, checked when another one is added.
            progress: Called after each flush with the rows acknowledged and the rows that wait. An exception
                it raises becomes a warning: the flush is done.
            ids: Writer id and journal id, 12 and 32 hexadecimal digits, for a caller that derives them from
                what it writes: two such writers in copies of a workspace are one. Its rows are copies, of
                which it does not warn.
            planned: Returns what the rows of a result, given by its id, take from it where they lack it.
            on_checkpoint: Called with each result after it was committed.

        Raises:
            ValueError: An argument is invalid.
            NotFoundError: The run was deleted.
            OSError: The journal cannot be created.
        """
        if durability not in ("flush", "none"):
            raise ValueError(f"durability: expected 'flush' or 'none', got {durability!r}")
        if not dataset_name:
            raise ValueError("the name of the dataset is empty")
        layout.check_run_id(run_id)
        root = absolute(root, "root")
        if os.path.lexists(root / layout.TRASH / run_id) and not os.path.lexists(root / "runs" / run_id):
            raise NotFoundError(f"run {run_id!r} was deleted", str(root))
        folder = dataset_folder(dataset_name)
        self.run_id = run_id
        # One normal form for all rows of the folder.
        self.dataset_name = dataset_name = nfc(dataset_name)
        self._progress = progress
        self._ids = ids
        self._has_run = (root / "runs" / run_id).is_dir()
        self._root = root
        self._planned = PlannedResults(root, run_id, dataset_name)
        self._native = _native.JournalWriter(
            root,
            run_id,
            dataset_name,
            folder,
            durable=durability == "flush",
            flush_rows=flush_rows,
            flush_bytes=flush_bytes,
            flush_seconds=flush_seconds,
            ids=ids,
            planned=planned,
            # Who derives the ids has results of its own.
            check_results=self._planned.begin if ids is None else None,
        )
        self._warns = ids is None
        self._on_checkpoint = on_checkpoint
        self._is_closed = False
        # Rows before the last checkpoint.
        self._n_rows = 0
        # What was warned of.
        self._warned: set[str] = set()
        self._closing = threading.Lock()
        self._pid = os.getpid()
        self.writer_id: str = self._native.writer_id
        _open[id(self)] = self
        _log.info("writer %s opened: run %s, dataset %r", self.writer_id, run_id, dataset_name)

    def __repr__(self) -> str:
        """Return run, dataset and writer."""
        return f"Writer({self.run_id!r}, {self.dataset_name!r}, {self.writer_id!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"{self!r} cannot be pickled or copied: its journal is locked by the process that opened it; "
            "pass the run, and open a writer there (`run.writer`)"
        )

    @property
    def path(self) -> Path | None:
        """The path of the journal; None once it is closed."""
        return self._native.path

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged rows."""
        return self._native.progress()[0]

    @property
    def waiting(self) -> int:
        """The number of rows that wait for the next flush; 0 once it is closed."""
        return 0 if self._is_closed else self._native.progress()[1]

    def write(self, row: PredictionRow | Mapping[str, Any]) -> None:
        """Add one row.

        Args:
            row: Its columns by name. Columns of nirs4all 0.6 have fixed types (numbers for scores and counts,
                texts for names; other values of names are converted to texts), others the type of their first
                value, and no value that is another one in that type; dicts and lists are stored as strict
                JSON. Values of NumPy, pandas and others are converted by dtype, byte order, mask and unit:
                masked, NaT and NA are null (docs/format.md has the table). `id` and `created_at` are
                generated where they are missing; `run_id` and `dataset_name` are the writer's. `y_true`,
                `y_pred`, `y_proba`, `sample_indices` and `weights` may hold arrays of real numbers, which are
                stored once per content, with their shape, as 64-bit floats, masked values as NaN.

        Warns:
            UserWarning: Something looks like a typing error; the row was added.

        Raises:
            TypeError: A value does not fit its column, or has an unsupported type; the row was not added.
            ValueError: The id was written already, the row is of another run or dataset, its result is not in
                the plan of the run or is on another dataset, or a number does not fit 64 bits; the row was
                not added.
            ConflictError: This writer was closed or declared dead.
            OSError: A flush was due and failed; the row waits for the next flush.
        """
        if outcome := self._native.write(row if type(row) is dict else dict(row)):
            self._follow_up(outcome)

    def write_batch(self, batch: object) -> None:
        """Add the rows of an Arrow table, batch or data frame, all of them or none.

        Args:
            batch: An object with the Arrow PyCapsule interface, with columns as for `write`, but arrays by
                their ids. Extension types are converted by their meaning (docs/format.md).

        Raises:
            TypeError: A column has a type that does not fit its name; nothing was added.
            ValueError: An id is repeated, a row is of another run or dataset, or its result is not in the
                plan of the run or is on another dataset; nothing was added.
            ConflictError: This writer was closed or declared dead.
            OSError: A flush was due and failed; the rows wait for the next flush.
        """
        if outcome := self._native.write_batch(frames.exportable(batch)):
            self._follow_up(outcome)

    def write_arrays(self, arrays: object) -> list[str]:
        """Store arrays, each once per content, for rows that name them by their ids.

        Args:
            arrays: An Arrow table, batch or data frame with columns `array_data` (large lists of 64-bit
                floats without nulls), `array_shape` (`[97, 1]`; one dimension where it does not fit) and
                `array_type`.

        Returns:
            The id of each array, for `y_true_id` and the like.

        Raises:
            TypeError: A column has a wrong type; nothing was added.
            ConflictError: This writer was closed or declared dead.
            OSError: A flush was due and failed; the arrays wait for the next flush.
        """
        return self._native.write_arrays(arrays)

    def flush(self) -> None:
        """Make waiting rows durable: they are acknowledged when this returns (see `durability`).

        Raises:
            ConflictError: This writer was closed or declared dead; waiting rows are not acknowledged.
            OSError: They could not be written; they wait, and the next flush uses a new journal.
        """
        self._native.flush()
        _log.debug(
            "writer %s flushed: %d rows acknowledged, %d wait", self.writer_id, *self._native.progress()
        )
        self._report()

    def checkpoint(self, result: Mapping[str, Any] | _HasDict) -> dict[str, Any]:
        """Commit a result: waiting rows and the result become durable together.

        Args:
            result: A `Result` or a mapping with at least `id`, which its rows have as `result_id`. metric
                (that of most of its rows), score and what stands beside it, best_score (best val_score of a
                row, test_score where there is no val_score), best_model, score_kind, n_rows, status ("done"),
                completed_at, run_id and dataset_name are filled in where they are missing or None. `error`
                and `traceback` are cut at 64 KiB; where the given status is "failed" they are never
                refused: text that is not Unicode is escaped.

        Returns:
            The result as it was stored.

        Raises:
            ValueError: It has no id, was checkpointed already, is not in the plan of the run or is on another
                dataset, has another status than "done" and "failed", or holds a value that cannot be read
                back: a text that is not Unicode, an integer beyond 64 bits, more than 127 levels. The message
                names the value; rows wait, and the result can be checkpointed again.
            TypeError: A value has a type that JSON lacks, or a field has another type than in `Result`.
            NotFoundError: The run has no folder for results; make it with `ws.runs.create`.
            ConflictError: This writer was closed or declared dead; the result is not committed.
            OSError: It could not be written; rows wait, and the result can be checkpointed again.
        """
        return self.checkpoint_all([result])[0]

    def checkpoint_all(self, results: Iterable[Mapping[str, Any] | _HasDict]) -> list[dict[str, Any]]:
        """Commit several results as `checkpoint` does one: all of them, or none. Used by imports."""
        whole, texts, unnamed = [], [], sum(self._native.progress()) - self._n_rows
        for result in results:
            found, text = self._completed(result, unnamed)
            whole.append(found)
            texts.append((found["id"], text))
        self._native.checkpoint(texts)
        self._n_rows += unnamed
        for found in whole:
            self._planned.finish(found["id"])
            _log.info("result %s checkpointed by writer %s: %s", found["id"], self.writer_id, found["status"])
        self._report()
        if self._on_checkpoint is not None:
            for found in whole:
                self._on_checkpoint(found)
        return whole

    def _completed(self, result: Mapping[str, Any] | _HasDict, unnamed: int) -> tuple[dict[str, Any], str]:
        """Return a result with what its rows say, and its text; warn of what looks wrong."""
        given = dict(result if isinstance(result, dict) else _fields_of(result))
        result_id = given.get("id")
        if not isinstance(result_id, str) or not result_id:
            raise ValueError(f"id of a result: expected a text, got {result_id!r}")
        if not self._has_run:
            raise NotFoundError(f"there is no run {self.run_id!r}; make it with ws.runs.create to checkpoint")
        stored.check_text(result_id, "result['id']")
        if self._ids is None:
            self._planned.check([result_id])
        # By the status that is given: one that follows from the error excuses no text.
        given = stored.with_error_texts(given)
        if getattr(result, "writer", None) is not None:
            # It was checkpointed before, and has other rows now.
            given |= dict.fromkeys((*_OF_ROWS, "completed_at"))
        metric = given.get("metric")
        tally = self._native.tally(result_id, metric if isinstance(metric, str) else None)
        status = "done" if given.get("error") is None else "failed"
        defaults = {"status": status, "completed_at": datetime.now(UTC).isoformat(), **tally}
        defaults |= {"run_id": self.run_id, "dataset_name": self.dataset_name}
        del defaults["repeated_fold"], defaults["without_metric"]
        whole = {**given, **{key: value for key, value in defaults.items() if given.get(key) is None}}
        tree, text = stored.result_text(whole)
        check_result(tree)
        if self._warns and not self._is_closed:
            # Before it is committed: where warnings are errors, it is not, and can be checkpointed again.
            self._warn_of_result(whole, tally, unnamed)
        return whole, text

    def _warn_of_result(self, whole: dict[str, Any], tally: dict[str, Any], unnamed: int) -> None:
        """Warn of fields that look mistyped, and of what the rows of a finished result do not say."""
        meant = 0 if self._planned.unfinished else unnamed
        for kind, message in misspellings.result_warnings(whole, tally, meant):
            self._warn(kind, message)
        if whole["status"] != "done":
            return
        what = f"result {whole['id']} is done"
        if tally["without_metric"] == tally["n_rows"] > 0:
            self._log_once("metric", f"{what}, and its rows have no metric: it ranks nowhere")
        for other in open_writers(self._root, self.run_id):
            if other is not self and whole["id"] in other._planned.unfinished:
                self._warn(
                    "elsewhere",
                    f"{what}, and writer {other.writer_id} has rows of it too, which count nowhere: write "
                    "all rows of a result with the writer that checkpoints it",
                )

    def _warn(self, kind: str, message: str) -> None:
        """Warn of something, once a writer."""
        if self._log_once(kind, message):
            display.warn(message, stacklevel=6)

    def _log_once(self, kind: str, message: str) -> bool:
        """Log what may be meant; False where this writer did so before."""
        if kind in self._warned:
            return False
        self._warned.add(kind)
        _log.warning("writer %s: %s", self.writer_id, display.shown(message))
        return True

    def close(self) -> None:
        """Flush and seal; a second call does nothing.

        Rows of results that were never checkpointed are sealed as partial rows, which no answer has unless it
        is asked for them; a warning gives their number, unless an exception passes.

        Raises:
            ConflictError: This writer was declared dead; the rows that it acknowledged are safe.
            RuntimeError: This process is a fork of the one that opened the writer.
            CorruptFileError: The journal was damaged on disk: its readable part was sealed, the writer is
                closed, and the damaged file is retained.
            OSError: It could not be sealed; the journal is unchanged, and closing can be tried again.
        """
        self._close(is_passing=sys.exception() is not None)

    def _close(self, *, is_passing: bool) -> None:
        if self._is_closed:
            return
        if os.getpid() != self._pid:
            # A thread of the parent that was closing it holds this lock in the child for ever.
            raise RuntimeError("this writer belongs to the process that opened it, not to its fork")
        with self._closing:
            if self._is_closed:
                return
            path = self.path
            outcomes = self._native.close()
            self._is_closed = True
        _open.pop(id(self), None)
        _log.info(
            "writer %s sealed: %s", self.writer_id, ", ".join(one["end"] for one in outcomes) or "empty"
        )
        if any(outcome["end"] == "corrupt" for outcome in outcomes):
            raise CorruptFileError(
                "was damaged after it was written: its readable part was sealed, the file is kept as "
                "*.corrupt; resume the run to redo the results that lost rows",
                str(path),
            )
        n_partial = sum(outcome["partial_rows"] for outcome in outcomes)
        if n_partial and not is_passing:
            self._warn_of_partial(n_partial)

    def _warn_of_partial(self, n_rows: int) -> None:
        unfinished = list(self._planned.unfinished)
        named = f" ({display.some_of(unfinished, _SHOWN)})" if unfinished else ""
        rows = "1 row is" if n_rows == 1 else f"{n_rows} rows are"
        display.warn(
            f"{rows} of results that were never checkpointed{named}, and count in no answer: checkpoint a "
            f"result after its rows, or resume run {self.run_id} to do it again",
            stacklevel=4,
        )

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        """Close the writer, also after an exception: rows written before it are sealed."""
        self._close(is_passing=kind is not None)

    def __del__(self) -> None:
        """Warn where rows are lost because the writer was neither flushed nor closed."""
        if getattr(self, "_is_closed", True) or os.getpid() != self._pid:
            return
        waiting = self._native.progress()[1]
        # Rows of a copy are where they were copied from.
        if waiting and self._warns:
            _lost[self.run_id] = _lost.get(self.run_id, 0) + waiting
            rows = "1 unflushed row, which is" if waiting == 1 else f"{waiting} unflushed rows, which are"
            message = f"{self!r} was dropped with {rows} lost; use it in a with block"
            _log.warning("%s", display.shown(message))
            display.warn(message, stacklevel=3)

    def is_of(self, root: Path, run_id: str) -> bool:
        """Return whether it writes to this run, is open and belongs to this process."""
        is_open = not self._is_closed and os.getpid() == self._pid
        return is_open and self.run_id == run_id and os.path.realpath(self._root) == os.path.realpath(root)

    def _follow_up(self, outcome: int) -> None:
        """Flush where that is due, then warn of what the rows had for the first time."""
        try:
            if outcome & _IS_DUE:
                self.flush()
        finally:
            found = self._native.take_fresh() if outcome & _HAS_FRESH else ()
            for kind, text in found if self._warns else ():
                message = misspellings.warning(kind, text)
                if message is not None:
                    _log.warning("writer %s: %s", self.writer_id, display.shown(message))
                    display.warn(message, stacklevel=3)

    def _report(self) -> None:
        if self._progress is None:
            return
        try:
            self._progress(*self._native.progress())
        except Exception as error:  # noqa: BLE001 - acknowledged rows must not look as if the flush failed
            message = f"progress= of {self!r} raised {error!r}; the flushed rows are safe"
            try:
                display.warn(message, stacklevel=3)
            except Warning:
                # Warnings are errors here: raising this one would report a failed flush.
                print(f"n4w: {display.shown(message)}", file=sys.stderr)


def lost_rows(run_id: str) -> int:
    """Return how many rows of a run were lost in this process since it was started here."""
    return _lost.get(run_id, 0)


def forget_lost_rows(run_id: str) -> None:
    """Count the lost rows of a run anew: it is started again, to do what is left."""
    _lost.pop(run_id, None)


def open_writers(root: Path, run_id: str) -> list[Writer]:
    """Return the writers of a run that this process has open."""
    found = [reference() for reference in _open.valuerefs()]
    return [it for it in found if it is not None and it.is_of(root, run_id)]


def _fields_of(result: Mapping[str, Any] | _HasDict) -> Mapping[str, Any]:
    return result.to_dict() if hasattr(result, "to_dict") else result
