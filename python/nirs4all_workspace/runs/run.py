"""A run: templates on datasets, in one of six statuses, executed by the process that owns it."""

from __future__ import annotations

import logging
from functools import cached_property, partial
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Unpack

from nirs4all_workspace import _native
from nirs4all_workspace._io import listing, yaml_records
from nirs4all_workspace._io.layout import dataset_folder
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.exceptions import ConflictError, InvalidTransitionError
from nirs4all_workspace.model import ownership, plan, run_record, run_summary
from nirs4all_workspace.model.states import RunStatus, check_transition
from nirs4all_workspace.predictions.planned_fields import PlannedFields
from nirs4all_workspace.predictions.writer import forget_lost_rows
from nirs4all_workspace.runs import ending, plan_progress
from nirs4all_workspace.runs.termination import Termination
from nirs4all_workspace.runs.view import RunView
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from typing import Self

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.arguments import WriterOptions
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.predictions.writer import Writer

_log = logging.getLogger(__name__)
_REQUESTS = {
    RunStatus.RUNNING: (RunStatus.PAUSED, RunStatus.CANCELLED),
    RunStatus.PAUSED: (RunStatus.RUNNING,),
}


class Run(RunView):
    """One run of a workspace. Its properties are read from disk at each access.

    In a `with` block the run starts, or continues where this process owns it already. It ends as completed
    where all that was planned is checkpointed, and as failed where all results failed; where planned results
    are missing, or rows were written of a result that was never checkpointed, it is paused, with the reason.
    After an exception it ends as failed, after a KeyboardInterrupt or SIGTERM as paused, on a request of
    another process as paused or cancelled. Exceptions are passed on.

    Attributes:
        id: The id of the run, the name of its folder.
        path: The folder of the run.
    """

    # Of a completed run that `ws.runs.open` returned.
    _is_left_alone = False

    # What a list of thousands of runs does not need is made on use.

    @cached_property
    def _planned(self) -> PlannedFields:
        return PlannedFields(self._workspace, self.id)

    @cached_property
    def _terminations(self) -> list[Termination]:
        """One for each block that this object is in."""
        return []

    # Transitions

    def transition(self, to: RunStatus | str, reason: str | None = None) -> RunStatus:
        """Change the status of the run, durably.

        To "running" means that this process owns the run from then on, until it leaves that status. Pausing
        or cancelling a run that another process owns is stored as a request, which that process fulfils at
        its next checkpoint. From "completed" to "queued" runs failed results again, as `retry` does. A run
        that is completed in so many words may lack results that were planned or begun; a warning names them.

        Args:
            to: The new status.
            reason: Stored in the history.

        Returns:
            The current status: the old one where a request was stored.

        Raises:
            InvalidTransitionError: The transition is not allowed, or no result of the completed run failed.
            ConflictError: Another process owns the run, or changed its status meanwhile.
            RuntimeError: This process is a fork of the owner.
            UnsupportedVersionError: A newer version wrote the run.
            LockTimeoutError: Another process holds the lock.
            OSError: The record cannot be read or written.
        """
        to = RunStatus(to)
        self._check_writable()
        before = self.record
        check_transition(self.id, RunStatus(before["status"]), to)
        if to is RunStatus.RUNNING:
            self._start([RunStatus.RUNNING], reason, before["revision"])
            return to
        if before["status"] != RunStatus.RUNNING:
            self._move(to, reason, before, retry_failed=before["status"] == RunStatus.COMPLETED)
            return to
        if ownership.is_mine(self._root, self.id):
            if to is RunStatus.COMPLETED:
                ending.warn_of_missing(self)
            self._leave(to, reason)
            return to
        if self.is_owned:
            self.request(to, reason)
            return RunStatus.RUNNING
        if to is RunStatus.COMPLETED:
            raise ConflictError("was interrupted: recover or resume it, then complete it", str(self.path))
        ownership.take(self._root, self.id)
        try:
            self._leave(to, reason, before["revision"])
        finally:
            ownership.release(self._root, self.id)
        return to

    def request(self, to: RunStatus | str, reason: str | None = None) -> None:
        """Request that the owner pause or cancel the run (one to cancel stays), or that a worker resume it.

        Raises:
            InvalidTransitionError: The run has a status in which the request has no effect.
            ConflictError: The status changed meanwhile.
        """
        to = RunStatus(to)
        self._check_writable()
        before = self.record
        status = RunStatus(before["status"])
        check_transition(self.id, status, to)
        if to not in _REQUESTS.get(status, ()):
            raise ConflictError(f"only its owner can take it from {status} to {to}", str(self.path))
        with self._changing(before["revision"]) as record:
            if (record["requested"] or {}).get("status") != RunStatus.CANCELLED:
                record["requested"] = {
                    "status": to.value,
                    "time": run_record.now(),
                    "reason": None if reason is None else stored.error_text(str(reason)),
                    "who": run_record.who(),
                }

    def retry(self, reason: str | None = None) -> None:
        """Queue a failed run again, or a completed one of which results failed, to run failed results again.

        The next owner does what is missing and what failed: `plan` has both, until the run ends again.

        Args:
            reason: The reason, stored in the history.

        Raises:
            InvalidTransitionError: The run is neither failed nor completed with a failed result.
            ConflictError: Its status was changed meanwhile.
            LockTimeoutError: Another process holds the lock.
            OSError: The record cannot be read or written; it is unchanged.
        """
        self._check_writable()
        before = self.record
        check_transition(self.id, RunStatus(before["status"]), RunStatus.QUEUED)
        self._move(RunStatus.QUEUED, reason, before, retry_failed=True)

    def resume(self, reason: str | None = None, *, retry_failed: bool = False) -> Self:
        """Continue a run that is paused, failed, interrupted or queued, owned by this process from then on.

        Acknowledged rows of earlier attempts are recovered, partial ones removed; `plan` has what is left.

        Args:
            reason: The reason, stored in the history; None for "resumed".
            retry_failed: Whether `plan` returns failed results too, until the run ends; this also continues a
                completed run of which results failed.

        Returns:
            The run itself: `with ws.runs.get(id).resume() as run:`.

        Raises:
            InvalidTransitionError: The run is cancelled, or completed and not to be continued.
            ConflictError: A process owns the run, or a writer of an earlier attempt is still alive.
            RuntimeError: This process is a fork of the owner.
            OSError: The run could not be recovered.
        """
        self._check_writable()
        before = self.record
        steps = {
            RunStatus.QUEUED: [RunStatus.RUNNING],
            RunStatus.PAUSED: [RunStatus.RUNNING],
            RunStatus.FAILED: [RunStatus.QUEUED, RunStatus.RUNNING],
            RunStatus.RUNNING: [RunStatus.FAILED, RunStatus.QUEUED, RunStatus.RUNNING],
            RunStatus.COMPLETED: [RunStatus.QUEUED, RunStatus.RUNNING] if retry_failed else None,
        }.get(RunStatus(before["status"]))
        if steps is None:
            raise InvalidTransitionError(
                f"run {self.id} is {before['status']}, which is final; only a queued, paused, failed or "
                "interrupted run can be resumed, and with retry_failed=True a completed one of which results "
                "failed"
            )
        if before["status"] == RunStatus.COMPLETED:
            ending.check_some_failed(self)
        reason = "resumed" if reason is None else reason
        self._start(steps, reason, before["revision"], retry_failed=retry_failed)
        return self

    def leave_alone(self) -> None:
        """Let this object's `with` blocks leave a completed run as it is. Used by `ws.runs.open`."""
        self._is_left_alone = True

    def claim(self) -> bool:
        """Take a waiting run for this process; False where another was faster. Used by `claim_next`."""
        before = self.record
        if not run_record.is_claimable(before):
            return False
        try:
            return self._start([RunStatus.RUNNING], "claimed", before["revision"], claimed=True)
        except ConflictError:
            return False

    def record_death(self, max_attempts: int) -> list[RunStatus]:
        """Record that the owner of an interrupted run died; a claimed run is queued again.

        Returns:
            The statuses that it went through.

        Raises:
            ConflictError: A process owns the run by now.
        """
        ownership.take(self._root, self.id)
        try:
            before = self.record
            steps = [RunStatus.FAILED]
            if before["is_claimed"] and before["attempts"] < max_attempts:
                steps.append(RunStatus.QUEUED)
            if before["status"] != RunStatus.RUNNING:
                return []
            self._write_summary(RunStatus.FAILED, "owner died")
            with self._changing(before["revision"]) as record:
                run_record.move(record, RunStatus.FAILED, "owner died", is_death=True)
                if RunStatus.QUEUED in steps:
                    attempt = f"attempt {record['attempts']} of {max_attempts} died"
                    run_record.move(record, RunStatus.QUEUED, attempt)
            return steps
        finally:
            ownership.release(self._root, self.id)

    def __enter__(self) -> Self:
        """Start the run, or continue where this process owns it already."""
        ownership.check_not_forked(self._root, self.id)
        if self._is_left_alone and self.status is RunStatus.COMPLETED:
            return self
        if not (ownership.is_mine(self._root, self.id) and self.status is RunStatus.RUNNING):
            self.transition(RunStatus.RUNNING)
        self._terminations.append(Termination())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Leave the status "running", unless the block did so."""
        termination = self._terminations.pop() if self._terminations else None
        plan_progress.end(self._root, self.id)
        try:
            self._end(error)
        finally:
            if termination is not None:
                termination.end()

    def _end(self, error: BaseException | None) -> None:
        ownership.check_not_forked(self._root, self.id)
        if not ownership.is_mine(self._root, self.id):
            return
        if error is None:
            requested = self.record["requested"]
            if requested:
                self._leave(
                    RunStatus(requested["status"]), f"requested: {requested['reason'] or requested['status']}"
                )
            else:
                # The failed results are listed as errors themselves.
                self._leave(*ending.end_of(self), is_error=False)
            return
        try:
            if isinstance(error, KeyboardInterrupt):
                self._leave(RunStatus.PAUSED, str(error) or "interrupted from the keyboard")
            else:
                self._leave(RunStatus.FAILED, ending.describe(error), traceback=ending.traceback_of(error))
        except Exception as second:  # noqa: BLE001 - whatever it is, the first exception must be raised
            error.add_note(f"moreover the status of run {self.id} could not be stored: {second!r}")

    def edit(
        self,
        *,
        description: str | EllipsisType | None = ...,
        tags: Iterable[str] | EllipsisType = ...,
        notes: str | EllipsisType | None = ...,
    ) -> Self:
        """Change what people say of the run, durably, in any status; what is not given stays.

        Args:
            description: The new description; None for none.
            tags: The new tags, all of them; an empty list for none. Repeated ones are stored once.
            notes: The new notes; None for none.

        Returns:
            The run itself.

        Raises:
            TypeError: A value has a wrong type; nothing was changed.
            ValueError: A tag is empty, or a text is not Unicode; nothing was changed.
            ConflictError: The status changed meanwhile.
            UnsupportedVersionError: A newer version wrote the run.
            LockTimeoutError: Another process holds the lock.
            OSError: The record cannot be read or written; it is unchanged.
        """
        self._check_writable()
        given = {"description": description, "tags": tags, "notes": notes}
        changes = run_record.edits(
            {key: value for key, value in given.items() if not isinstance(value, EllipsisType)}
        )
        with self._changing(self.record["revision"]) as record:
            # The history grows, so it stays last.
            history = record.pop("history")
            record.update(changes, history=history)
        _log.info("run %s edited: %s", self.id, ", ".join(changes) or "nothing")
        return self

    # Execution

    def plan(self, configs: Iterable[object], *, progress: bool = False) -> list[Result]:
        """Return the results that are not checkpointed yet, and store the configurations, durably.

        A failed result is planned again where `retry` or `resume(retry_failed=True)` asked for it, until it
        fails again.

        Args:
            configs: Mappings, dataclasses, or objects with attributes: template_id (optional where the run
                has one template), name, generator_choices, steps, config_id. Without config_id, it is derived
                from the steps, or else from template, choices and name, and from all else that a mapping or
                dataclass has.
            progress: Whether iterating over the results shows, on stderr, how many are checkpointed, the best
                score so far and the time left; only on a terminal or in a notebook.

        Returns:
            The missing results: for each dataset of the run, each configuration, in this order.

        Warns:
            UserWarning: Configurations of one id differ, as in name or choices; the first one is planned.

        Raises:
            ValueError: The run has no datasets, or a configuration names a template that the run lacks.
            TypeError: A value of a configuration cannot be stored.
            ConflictError: `ws.runs.open` found the run completed, without some of these results.
            UnsupportedVersionError: A newer version wrote the run.
            OSError: The configurations could not be stored.
        """
        self._check_writable()
        datasets = self.datasets
        if not datasets:
            raise ValueError(f"run {self.id} has no datasets to plan for; give them to ws.runs.create")
        templates = [template["id"] for template in self.templates]
        normal = [plan.normalise(config, templates) for config in configs]
        if self._is_left_alone and self.status is RunStatus.COMPLETED:
            ending.warn_of_equal_configs(self.id, plan.paired(self.configs(), normal)[1])
            return ending.plan_of_completed(self, plan.results_of(self.id, normal, datasets))
        with run_record.locked(self._root, self.id):
            pairs = plan.add(self.path / plan.FILE, normal)
        ending.warn_of_equal_configs(self.id, pairs)
        planned = plan.results_of(self.id, [known for _, known in pairs], datasets)
        finished = self.results()
        # Results that cannot be read may include one that is planned.
        self._demand(finished.errors)
        missing = ending.to_do(self, planned, finished)
        self._planned.add(missing)
        _log.debug("run %s: %d of %d planned results are missing", self.id, len(missing), len(planned))
        if not progress:
            return missing
        return plan_progress.Plan(missing, self._root, self.id, len(planned) - len(missing))

    def writer(self, dataset: str, **options: Unpack[WriterOptions]) -> Writer:
        """Open a writer for the run's predictions on a dataset; any process may, while the run is running.

        Rows that name a planned result by `result_id` take config_name, template_id, task_type, n_samples and
        n_features from it where these are missing or None: of what the result does not say, task_type,
        n_samples and n_features of the dataset's record.

        Args:
            dataset: A dataset of the run, by name or id, or the name of another one.
            options: durability, flush_rows, flush_bytes, flush_seconds and progress, see `Writer`.

        Raises:
            ConflictError: The run is not running.
            OSError: The journal cannot be created.
        """
        status = self.status
        if status is RunStatus.COMPLETED and self._is_left_alone:
            raise ConflictError(ending.NO_WRITER, str(self.path))
        if status is not RunStatus.RUNNING:
            raise ConflictError(f"is {status}; start it (`with run:`) to write", str(self.path))
        names = {reference.get("id"): reference["name"] for reference in self.datasets}
        names |= {nfc(name): name for name in names.values()}
        return self._workspace.predictions.open_writer(
            self.id,
            names.get(nfc(dataset), dataset),
            planned=self._planned.of,
            on_checkpoint=partial(plan_progress.checkpointed, self._root, self.id),
            **options,
        )

    # Internals

    def _check_writable(self) -> None:
        self._workspace.check_writable()
        ownership.check_not_forked(self._root, self.id)
        yaml_records.check_writable(self.record, self.path / run_record.FILE)

    def _changing(self, revision: int) -> AbstractContextManager[dict[str, Any]]:
        return run_record.changing(self._root, self.id, revision)

    def _move(self, to: RunStatus, reason: str | None, before: dict[str, Any], *, retry_failed: bool) -> None:
        """Change the status of a run without an owner, which has none afterwards."""
        if before["status"] == RunStatus.COMPLETED:
            ending.check_some_failed(self)
        with self._changing(before["revision"]) as record:
            run_record.move(record, to, reason, retry_failed=retry_failed)
            record["attempts"] = 0

    def _write_summary(self, to: RunStatus, error: str | None) -> None:
        completed_at = None if to is RunStatus.PAUSED else run_record.now()
        error = None if error is None else stored.error_text(error)
        # Rows of writers that are still open may belong to a result that is never finished.
        summary = run_summary.summarise(self, completed_at, error, live=False)
        run_summary.write(self.path / run_summary.FILE, summary)

    def _start(
        self,
        steps: list[RunStatus],
        reason: str | None,
        revision: int,
        *,
        claimed: bool = False,
        retry_failed: bool = False,
    ) -> bool:
        def is_unchanged() -> bool:
            return bool(self.record["revision"] == revision)

        if not ownership.take(self._root, self.id, is_unchanged):
            raise ConflictError("changed its status meanwhile; look at it and try again", str(self.path))
        forget_lost_rows(self.id)
        try:
            if any(entry["to"] == RunStatus.RUNNING for entry in self.record["history"]):
                self._recover_rows()
            with self._changing(revision) as record:
                for status in steps:
                    if status is RunStatus.FAILED:
                        run_record.move(record, status, "owner died", is_death=True)
                        continue
                    run_record.move(record, status, reason, retry_failed=retry_failed)
                    retry_failed = False  # the first transition says so
                record["is_claimed"] = claimed
                record["attempts"] = record["attempts"] + 1 if claimed else 0
        except BaseException:
            ownership.release(self._root, self.id)
            raise
        return True

    def _recover_rows(self) -> None:
        alive = _native.live_journals(self._root, self.id)
        me = run_record.who()
        if alive and (alive[0]["host"], alive[0]["pid"]) == (me["host"], me["pid"]):
            raise ConflictError(
                "a writer of an earlier attempt is open in this process; `close()` it, then resume",
                str(alive[0]["path"]),
            )
        if alive:
            raise ConflictError(
                f"a writer of an earlier attempt is alive: process {alive[0]['pid']} on "
                f"{alive[0]['host']}; end it, then resume",
                str(alive[0]["path"]),
            )
        self._demand(_native.recover(self._root, self.id)["problems"])
        _native.remove_partial(self._root, self.id)

    def _demand(self, errors: list[Problem]) -> None:
        """Check that the run's own results and journals can be read."""
        folders = (f"predictions/{dataset_folder(str(it['name']))}" for it in self.datasets)
        listing.raise_if_unreadable(self._root, errors, f"runs/{self.id}", *folders)

    def _leave(
        self,
        to: RunStatus,
        reason: str | None,
        revision: int | None = None,
        traceback: str | None = None,
        *,
        is_error: bool = True,
    ) -> None:
        self._write_summary(to, reason if is_error and to is RunStatus.FAILED else None)
        revision = self.record["revision"] if revision is None else revision
        with self._changing(revision) as record:
            run_record.move(record, to, reason, traceback)
            if to is not RunStatus.FAILED:
                record["attempts"] = 0
        ownership.release(self._root, self.id)
