"""`run.yaml`, the record of a run: its name, status and history."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, display
from nirs4all_workspace._io import files, layout, locks, yaml_records
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, NotFoundError, WorkspaceError
from nirs4all_workspace.model.states import RunStatus, check_transition
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

FILE = "run.yaml"
# Characters of a reason in the log at most.
_LONGEST = 200
ENDED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
# Values of optional keys in a new run.
_DEFAULTS: dict[str, Any] = {
    "description": None,
    "tags": [],
    "notes": None,
    "revision": 0,
    "attempts": 0,
    "is_claimed": False,
    "retry_failed": False,
    "requested": None,
    "owner": None,
    "parent_run": None,
    "derived_from_result": None,
    "modifications": [],
    "history": [],
}


def now() -> str:
    """Return the current time, ISO-8601 in UTC, in µs."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def who() -> dict[str, Any]:
    """Return user, host and pid of this process."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = str(getattr(os, "getuid", lambda: "unknown")())
    user, host = map(stored.error_text, (user, socket.gethostname()))
    return {"user": user, "host": host, "pid": os.getpid()}


def new_id(name: str, created_at: str) -> str:
    """Return a new unique id: `<YYYY-MM-DD>_<Slug>_<12 hex>`."""
    short = _native.slug(name).replace("_", "-") or "run"
    return f"{created_at[:10]}_{short[0].upper()}{short[1:]}_{os.urandom(6).hex()}"


def new_record(run_id: str, name: str, created_at: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the record of a queued run."""
    record = {"id": run_id, "name": name, "created_at": created_at, "status": "queued", **_DEFAULTS, **fields}
    first = {"time": created_at, "from": None, "to": "queued", "reason": None, "who": who()}
    # The history grows, so it comes last.
    return {key: value for key, value in record.items() if key != "history"} | {"history": [first]}


def text(value: str | None, name: str) -> str | None:
    """Return a text of a record, or None.

    Raises:
        TypeError: It is neither.
    """
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{name}: expected a text or None, got {value!r}")


def tags(given: Iterable[str]) -> list[str]:
    """Return tags in their order, in Unicode NFC, without spaces around them, each once.

    Raises:
        TypeError: They are not a list of texts.
        ValueError: One is empty.
    """
    if isinstance(given, str | bytes):
        raise TypeError(f"tags: expected a list of texts, got {given!r}")
    found = []
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"tags: expected a list of texts, got {tag!r} in it")
        if not tag.strip():
            raise ValueError("tags: expected texts, got an empty one")
        found.append(nfc(tag.strip()))
    return list(dict.fromkeys(found))


def edits(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description, tags and notes among what is given, as a record holds them.

    Raises:
        TypeError: A value has a wrong type.
        ValueError: A tag is empty.
    """
    return {key: tags(value) if key == "tags" else text(value, key) for key, value in given.items()}


def is_claimable(record: Mapping[str, Any]) -> bool:
    """Return whether a worker may take a run: it is queued, or paused with a request to resume."""
    if record["status"] == RunStatus.PAUSED:
        return (record["requested"] or {}).get("status") == RunStatus.RUNNING
    return bool(record["status"] == RunStatus.QUEUED)


def tags_in(record: Mapping[str, Any]) -> list[str]:
    """Return the tags in a record; what another tool stored in another form is none."""
    found = record.get("tags")
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def read(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes and the content of a run's `run.yaml`.

    Raises:
        NotFoundError: There is no such run.
        CorruptFileError: The file is missing from the run's folder, or damaged.
        UnsupportedVersionError: A newer version wrote the file, with a status unknown to this version.
        OSError: The file cannot be read.
    """
    path = folder / FILE
    try:
        content = files.read_bytes(path)
    except FileNotFoundError as error:
        if folder.is_dir():
            raise CorruptFileError("is missing from the run's folder", str(path)) from error
        raise NotFoundError("there is no such run; `n4w runs` lists all", str(folder)) from error
    except NotADirectoryError as error:
        if error.filename == str(folder):
            raise NotFoundError("expected a folder; `n4w runs` lists all runs", str(folder)) from error
        raise
    return content, _native.parse_run(content, path)


def references(path: Path, key: str) -> list[dict[str, Any]]:
    """Return the references in a run's `templates.yaml` or `datasets.yaml`.

    Raises:
        CorruptFileError: The file is missing or damaged.
        OSError: The file cannot be read.
    """
    try:
        found = yaml_records.read(path).get(key)
    except NotFoundError as error:
        raise CorruptFileError("is missing from the run's folder", str(path)) from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        where = _native.in_line(files.read_bytes(path), key)
        raise CorruptFileError(f"key {key!r}{where}: expected a list of mappings", str(path))
    return found


@contextmanager
def changing(root: Path, run_id: str, revision: int) -> Iterator[dict[str, Any]]:
    """Yield a run's record under its lock, if its revision is unchanged, and replace it durably.

    Raises:
        ConflictError: The record was changed meanwhile.
        LockTimeoutError: Another process holds the lock.
        UnsupportedVersionError: A newer version wrote it.
        OSError: The record cannot be read or written; it is unchanged.
    """
    path = root / "runs" / run_id / FILE
    lock = layout.transition_lock(root, run_id)
    with yaml_records.edit(path, lock, is_over=has_ended, parse=_native.parse_run) as record:
        if record["revision"] != revision:
            raise ConflictError(
                f"is {record['status']} by now: it changed meanwhile; look at it and try again",
                str(path),
            )
        before = len(record["history"])
        yield record
    for entry in record["history"][before:]:
        reason = f" ({display.shown(entry['reason'][:_LONGEST])})" if entry.get("reason") else ""
        _log.info("run %s: %s -> %s%s", run_id, entry["from"], entry["to"], reason)


@contextmanager
def locked(root: Path, run_id: str) -> Iterator[None]:
    """Hold the lock of a run's record; its file is removed where the run has ended or is gone.

    Raises:
        LockTimeoutError: Another process holds the lock.
        OSError: The lock file cannot be created.
    """
    with locks.take(layout.transition_lock(root, run_id)) as lock:
        try:
            yield
        finally:
            if is_gone_or(ENDED, root, run_id):
                lock.remove_on_release()


def is_gone_or(states: Collection[str], root: Path, run_id: str) -> bool:
    """Return whether a run is gone or has one of these statuses; False where that cannot be told."""
    try:
        return _native.read_yaml(root / "runs" / run_id / FILE).get("status") in states
    except (FileNotFoundError, NotFoundError):
        return not os.path.lexists(root / "runs" / run_id)
    except (WorkspaceError, OSError):
        return False


def has_ended(record: Mapping[str, Any]) -> bool:
    """Return whether a record says that its run is completed, failed or cancelled."""
    return record.get("status") in ENDED


def move(
    record: dict[str, Any],
    to: RunStatus,
    reason: str | None = None,
    traceback: str | None = None,
    *,
    is_death: bool = False,
    retry_failed: bool = False,
) -> None:
    """Change the status in a record by one allowed transition, and add it to the history.

    Reason and traceback are error texts: long ones are cut, and none is refused.

    Args:
        record: The record, which is changed.
        to: The new status.
        reason: The reason, stored in the history.
        traceback: The traceback of the exception that ended the run.
        is_death: Whether the run failed because its owner died, which does not end a wish to run failed
            results again.
        retry_failed: Whether failed results are to be run again from now on.

    Raises:
        InvalidTransitionError: The transition is not allowed.
    """
    before = RunStatus(record["status"])
    check_transition(record["id"], before, to)
    reason = None if reason is None else stored.error_text(str(reason))
    entry: dict[str, Any] = {
        "time": now(),
        "from": before.value,
        "to": to.value,
        "reason": reason,
        "who": who(),
    }
    if traceback is not None:
        entry["traceback"] = stored.error_text(traceback)
    history = record.pop("history")
    wished = retry_failed or record.get("retry_failed") is True
    if to in ENDED and not is_death:
        wished = False
    if wished and (retry_failed or not any(it.get("retry_failed") is True for it in history)):
        # Failed results that are younger than this were run again.
        entry["retry_failed"] = True
    record.update(
        status=to.value,
        revision=record["revision"] + 1,
        requested=None,
        retry_failed=wished,
        owner=who() if to is RunStatus.RUNNING else None,
        history=[*history, entry],
    )
