"""A workspace: a folder of runs, their predictions, and what they refer to."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files, paths, yaml_records
from nirs4all_workspace._version import __version__
from nirs4all_workspace.artifacts import Artifacts
from nirs4all_workspace.datasets.collection import Datasets
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    NotFoundError,
    ReadOnlyError,
    UnsupportedVersionError,
)
from nirs4all_workspace.insight import session_names, stats, watch
from nirs4all_workspace.insight.charts.collection import Charts
from nirs4all_workspace.insight.trace import Trace, trace
from nirs4all_workspace.legacy import later_stores
from nirs4all_workspace.maintenance import gc, recover, verify
from nirs4all_workspace.predictions.collection import Predictions
from nirs4all_workspace.runs.collection import Runs
from nirs4all_workspace.runs.lineage import Lineage, lineage
from nirs4all_workspace.runs.results import Results
from nirs4all_workspace.templates import Templates
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nirs4all_workspace.model.answers import (
        Change,
        Garbage,
        Prewarming,
        Recovery,
        Statistics,
        Verification,
    )

_log = logging.getLogger(__name__)

FORMAT_VERSION = 2
_MANIFEST = "workspace.yaml"
_FOLDERS = ("templates", "datasets", "runs", "predictions", "arrays", "artifacts")


class Workspace:
    """A workspace made by `create`, or a folder of nirs4all 0.6, opened by `open`.

    Attributes:
        path: The absolute path of the folder.
        runs: Access to its runs.
        templates: Access to its templates.
        results: Access to its finished results.
        predictions: Access to its prediction rows.
        artifacts: Access to its artifacts.
        datasets: Access to its registered datasets.
        charts: Access to the data of charts.
        manifest: The content of `workspace.yaml`; empty for a folder of nirs4all 0.6, which lacks the file.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Use `open` or `create` instead."""
        self.path = path
        self.manifest = manifest
        self.runs = Runs(self)
        self.templates = Templates(self)
        self.results = Results(self)
        self.predictions = Predictions(self)
        self.artifacts = Artifacts(self)
        self.datasets = Datasets(self)
        self.charts = Charts(self)

    def __repr__(self) -> str:
        """Return the path and the format."""
        return f"Workspace({str(self.path)!r}, format {self.format_version})"

    def __reduce__(self) -> tuple[Callable[[str], Workspace], tuple[str]]:
        """Be pickled and copied by path: the folder is opened again."""
        return type(self).open, (str(self.path),)

    @property
    def format_version(self) -> int:
        """The format of the folder: 1 as nirs4all 0.6 writes it, 2 as `create` makes it."""
        return int(self.manifest.get("format_version", 1))

    @property
    def is_writable(self) -> bool:
        """Whether this version of the package can write the format of the folder."""
        return self.format_version <= FORMAT_VERSION

    def check_writable(self) -> None:
        """Check that the folder can be written.

        Raises:
            UnsupportedVersionError: A newer version made the workspace.
            ReadOnlyError: The folder is of nirs4all 0.6.
        """
        self.check_not_newer()
        if self.format_version < FORMAT_VERSION:
            message = (
                "has no workspace.yaml, and a folder of nirs4all 0.6 is read-only; "
                "`n4w migrate` makes a workspace of one, `n4w init` a new one"
            )
            raise ReadOnlyError(message, str(self.path))

    def check_not_newer(self) -> None:
        """Check that the folder is not of a newer version.

        Raises:
            UnsupportedVersionError: A newer version made the workspace.
        """
        if not self.is_writable:
            message = (
                f"has format {self.format_version}, newer than this version can write; update the package"
            )
            raise UnsupportedVersionError(message, str(self.path))

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Workspace:
        """Make a new workspace, durably.

        Args:
            path: A folder; it is created where it is missing. Its content stays.

        Returns:
            The new workspace.

        Raises:
            ValueError: The path is empty.
            ConflictError: The folder is a workspace already, or holds files of nirs4all 0.6.
            OSError: The folder cannot be written.
        """
        import uuid

        folder = paths.absolute(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise (files.unusable_folder(folder) or error) from error
        if (folder / _MANIFEST).exists():
            raise ConflictError("is already a workspace; open it", str(folder))
        if store := later_stores.find(folder):
            raise ConflictError(f"{store}; choose another folder for a new workspace", str(folder))
        if _native.old_files(folder, ".meta.parquet")[0]:
            raise ConflictError(
                "holds prediction files of nirs4all 0.6, which open as they are; "
                "choose another folder for a new workspace",
                str(folder),
            )
        for name in _FOLDERS:
            files.make_folder(folder / name)
        manifest = {
            "format_version": FORMAT_VERSION,
            "workspace_id": str(uuid.uuid4()),
            "created_at": datetime.now(UTC).isoformat(),
            "created_by": f"nirs4all-workspace {__version__}",
        }
        _native.create_file(folder / _MANIFEST, yaml_records.encode(manifest, folder / _MANIFEST))
        _log.info("workspace %s created in %r", manifest["workspace_id"], str(folder))
        return cls(folder, manifest)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Workspace:
        """Open a workspace, or a folder of nirs4all 0.6 unchanged. Nothing is written or repaired.

        Args:
            path: The path of the folder.

        Returns:
            The workspace. One of a newer format is read as far as this version understands it, and never
            written.

        Raises:
            ValueError: The path is empty.
            NotFoundError: The folder does not exist.
            CorruptFileError: `workspace.yaml` is damaged.
            OSError: The folder cannot be read.
        """
        folder = paths.on_disk(paths.absolute(path))
        if not folder.is_dir():
            if folder.exists():
                raise NotFoundError("is a file; a workspace is a folder", str(folder))
            raise NotFoundError("there is no such folder; `n4w init` makes a workspace", str(folder))
        file = folder / _MANIFEST
        try:
            manifest = _native.read_yaml(file)
        except FileNotFoundError:
            if os.path.lexists(file):  # a link to nothing
                raise
            _log.debug("opened %r, without a workspace.yaml", str(folder))
            return cls(folder, {})
        version = manifest.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise CorruptFileError(
                f"key 'format_version': expected an integer from 1, got {version!r}", str(file)
            )
        _log.debug("opened %r, format %d", str(folder), version)
        return cls(folder, manifest)

    def summary(self, dataset: str | None = None, *, live: bool = True) -> dict[str, Any]:
        """Summarise the workspace, or one dataset of it.

        Only footers are read, and in a later process only those of changed files; files whose footer has no
        trusted summary are scanned, once, and listed under `scanned`.

        Args:
            dataset: The name of a dataset in the rows, in any normal form of Unicode; None for all.
            live: Whether open segments are included.

        Returns:
            For one dataset its summary (see `read_summary`). For all: total_predictions, total_datasets,
            datasets (the summary of each, in name order), by_metric, models, runs, top_predictions,
            task_types, date_range, generated_at. In either case also files, scanned (dicts of path and
            reason) and errors (dicts of path, kind and message) of the whole workspace. The main metric's
            entry in `by_metric` is the same object as the summary's own statistics: change a copy. `runs`
            gives a session the counts of its results, without copies of its rows in other files.

        Raises:
            NotFoundError: There is no such dataset.
            OSError: The workspace cannot be listed.
        """
        has_runs = os.path.lexists(self.path / "runs")
        wanted = None if dataset is None else paths.nfc(dataset)
        is_name = stored.is_unicode(wanted)
        summary = _native.summarise(self.path, wanted, live=live) if is_name else None
        if summary is None:
            names = [one["dataset_name"] for one in self.summary(live=live)["datasets"]]
            there_are = f"there are {', '.join(names)}" if names else "there are none"
            raise NotFoundError(f"no prediction names a dataset {dataset!r}; {there_are}", str(self.path))
        if has_runs:
            session_names.name_runs(self.path, summary)
        return summary

    def stats(self, rebuild: bool = False) -> Statistics:
        """Return statistics of the workspace, and the performance of models.

        Only parts that changed since the last call are counted again; the others come from three files in
        `.cache`. Rows are read only from files whose footer has no summary.

        Args:
            rebuild: Whether to count everything again.

        Returns:
            A dict of `workspace` (runs by status, and interrupted ones; datasets and results by status;
            templates, predictions; files and bytes by folder), `model_performance` (for each model, dataset
            and metric a dict of dataset, metric, direction, model, number of rows, mean of the finite
            val_scores, and best score of a result, None without any), `recomputed` (the parts that were
            counted again: `runs/<id>`, `predictions/<folder>`, "" for files of nirs4all 0.6, `datasets`),
            `generated_at` and `errors` (dicts of path, kind and message).

        Raises:
            OSError: The workspace cannot be listed.
        """
        return stats.stats(self, rebuild)

    def prewarm(self, progress: Callable[[int, int], object] | None = None) -> Prewarming:
        """Fill the caches: footers, runs, files of datasets, statistics. Answers do not change.

        Args:
            progress: Called with the number of filled caches and of all caches.

        Returns:
            A dict of `seconds` by cache (summary, files, stats) and `errors`.

        Raises:
            OSError: The workspace cannot be listed.
        """
        return stats.prewarm(self, progress)

    def lineage(self, id: str) -> Lineage:  # noqa: A002
        """Return the ancestors and descendants of a run.

        Args:
            id: The id of a run, or of a result, which stands for its run.

        Raises:
            NotFoundError: There is no such run or result, and no run names it as its parent.
            CorruptFileError: Runs are derived from each other; the message names them.
            OSError: The workspace cannot be listed.
        """
        return lineage(self, id)

    def trace(self, kind: str, id: str) -> Trace:  # noqa: A002
        """Walk the chain dataset, run, template, result, prediction, artifact from one of them, both ways.

        Args:
            kind: "dataset", "run", "template", "result", "prediction" or "artifact".
            id: The id; of a dataset or run also the name, of an artifact the hash.

        Raises:
            ValueError: The kind is unknown, or several runs have a prediction with that id.
            NotFoundError: Nothing of that kind has that id.
            OSError: The workspace cannot be read.
        """
        return trace(self, kind, id)

    def watch(
        self,
        on_change: Callable[[list[Change]], object] | None = None,
        interval: float = 1.0,
        poll: bool | None = None,
    ) -> watch.Watch:
        """Watch for changes of segments, runs, datasets and templates.

        Changes are a hint for displays: all answers are the same without it. Each list of changes that the
        iterator yields holds the differences from the previous one; caches are refreshed before it is
        yielded.

        Args:
            on_change: Called with each list before it is yielded.
            interval: Seconds between two looks, and the time to wait for further changes after a first one.
            poll: Whether to look at the stat of all files instead of waiting for events of the operating
                system; None for events where the file system sends them.

        Returns:
            An iterator over lists of dicts of kind (segment, run, dataset, template), action (added,
            modified, deleted), id and path. It ends after `stop()`, and on KeyboardInterrupt; `run()`
            consumes it.

        Raises:
            ValueError: The interval is not positive.
        """
        return watch.Watch(self, on_change, interval, poll)

    def verify(
        self, full: bool = False, progress: Callable[[int, int], object] | None = None
    ) -> Verification:
        """Check prediction files, runs, templates, references, results and artifacts.

        Args:
            full: Whether to read all rows and artifacts too, and compare them with summaries and names.
            progress: Called now and then with the files done and the files in all.

        Returns:
            A dict of `problems` and `notes`, each a list of dicts of path, kind and message.

        Raises:
            OSError: The workspace cannot be listed.
        """
        found = _native.verify_files(self.path, full, progress)
        verify.check(self, full, found)
        for store in later_stores.names(self.path) if self.format_version == 1 else ():
            message = f"the folder {later_stores.find(self.path)}"
            found["notes"].append({"path": store, "kind": "foreign", "message": message})
        if not self.is_writable:
            message = f"format {self.format_version} is newer than this version can write"
            found["notes"].append({"path": _MANIFEST, "kind": "newer_format", "message": message})
        return found

    def recover(self, dead_hosts: Sequence[str] = ()) -> Recovery:
        """Finish what dead processes left: seal their journals, record that runs lost their owner.

        A run whose owner died is failed; a run claimed from the queue is queued again, up to three attempts.
        If the process dies during recovery, a repeated call completes it.

        Args:
            dead_hosts: Hosts that are known to be dead; on a network drive, writers of other hosts are left
                alone.

        Returns:
            A dict of `sealed` (journals), `removed` (files), `alive` (journals of living writers), `runs`
            (dicts of run_id and status), `problems` and `notes` (dicts of path, kind and message).

        Raises:
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: A file cannot be read or written.
        """
        return recover.recover(self, dead_hosts)

    def gc(self, yes: bool = False) -> Garbage:
        """List what no run refers to any more: templates, artifacts, locks, leftovers of deletions.

        Content made, or stored again, in the last 24 hours stays: it may belong to a run or result that is
        not written yet.

        Args:
            yes: Whether to remove it; otherwise nothing is changed.

        Returns:
            A dict of `removed` (whether it was removed), `items` (dicts of path, kind and bytes), `notes` and
            `errors` (dicts of path, kind and message).

        Raises:
            SchemaError: With `yes`, in a workspace of nirs4all 0.6 or of a newer version.
            OSError: The workspace cannot be listed.
        """
        found = gc.collect(self, yes)
        if found["removed"]:
            _log.info("garbage collected: %d items", len(found["items"]))
        return found
