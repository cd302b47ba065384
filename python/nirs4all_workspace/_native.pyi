"""The compiled half of the package: bytes and numbers in, plain Python objects out."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, final

from nirs4all_workspace.exceptions import Problem, WorkspaceError
from nirs4all_workspace.model.answers import CompactedSegment, Rebuild, Recovery, Verification
from nirs4all_workspace.model.arguments import ResultFields

# Nanoseconds after a change within which a file is racily clean.
RACY_NS: int
# The columns that tell rows of one result apart.
ROW_KEY: list[str]
# How often an answer starts again where files go while it reads them.
RESTARTS: int

_Path: TypeAlias = str | PathLike[str]
_Report: TypeAlias = Callable[[int, int], object]

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object = None) -> object: ...

@final
class MetricInfo:
    """A row of the table of metrics; `info["direction"]` equals `info.direction`.

    Attributes:
        name: The name in the table.
        aliases: Other names of the metric.
        direction: "maximize", "minimize" or "zero" (closest to zero is best).
        optimum: The best possible score; None where it is unbounded.
        range: The possible scores; infinite where they are unbounded.
        pooling: How the scores of folds become one: "root_mean_square", "weighted_mean" or "magnitude", by
            samples, or "mean".
    """

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> list[str]: ...
    @property
    def direction(self) -> str: ...
    @property
    def optimum(self) -> float | None: ...
    @property
    def range(self) -> tuple[float, float]: ...
    @property
    def pooling(self) -> str: ...
    def __getitem__(self, key: str) -> object: ...
    def __eq__(self, other: object) -> bool: ...

@final
class FileIndex:
    """An index of all files of a tree by size, and on demand by quick hash and full hash.

    Built in parallel; cached in the user's cache folder and then refreshed by stat alone. Symbolic links
    are followed, each folder is entered once. Safe to share between threads.

    Args:
        root: The folder.
        hashes: The cache of hashes to use; None for one of this tree.
        threads: Number of threads; 0 for one per core. The answer does not depend on it.

    Attributes:
        root: The absolute path of the folder.
        errors: Folders that could not be listed, broken links and loops of links, as dicts of path
            (relative to the root), kind and message.

    Raises:
        OSError: The root cannot be listed.
    """

    def __new__(cls, root: _Path, hashes: HashCache | None = None, *, threads: int = 0) -> Self: ...
    @property
    def root(self) -> str: ...
    @property
    def errors(self) -> list[Problem]: ...
    def __len__(self) -> int: ...
    def refresh(self, *, files: bool = True) -> None:
        """Bring the index up to date with the tree.

        Args:
            files: Whether to look at the stat of every file. Otherwise only of folders, which shows files
                that were added, removed or replaced, but not those edited in place.

        Raises:
            OSError: The root cannot be listed; the index is unchanged.
        """
    def find(
        self,
        *,
        hash: str | None = None,
        size: int | None = None,
        quick: str | None = None,
        progress: _Report | None = None,
    ) -> list[str]:
        """Find files, and folders as `hash_file` hashes them, in the index.

        Args:
            hash: The full hash, `blake3:...` or `sha256:...`; contents are read to compare it.
            size: Bytes of the file, or of all files of the folder; only these candidates are read.
            quick: The quick hash.
            progress: Called now and then with the candidates hashed and the candidates in all.

        Returns:
            Absolute paths, files first, in path order, without those that cannot be read.

        Raises:
            ValueError: No hash, size or quick hash was given, or a hash has a wrong form.
        """
    def search(
        self,
        *,
        hash: str | None = None,
        size: int | None = None,
        quick: str | None = None,
        name: str | None = None,
        progress: _Report | None = None,
    ) -> tuple[list[str], list[dict[str, Any]], list[Problem]]:
        """Find the best match for the arguments of `find`, candidates with the name `name` first.

        Returns:
            The path, if any; the stages, as dicts of stage, candidates, bytes_read and seconds; and the
            candidates that could not be read, as dicts of path, kind and message.
        """
    def duplicates(self, *, progress: _Report | None = None) -> list[list[str]]:
        """Return groups of files with equal content, proven by full hashes, paths in order.

        Empty files are left out; a file with several names (hard links) counts once.
        """

@final
class HashCache:
    """A cache of hashes of files and folders by the stat identity of files, shared between processes.

    A file that changed less than two seconds before it was read is hashed again each time: it may change
    again without its stat identity changing. Safe to share between threads.

    Args:
        root: The workspace of the cache.
    """

    def __new__(cls, root: _Path) -> Self: ...
    def known(self, path: _Path, algorithm: str) -> tuple[str, int, bool, int] | None:
        """Return the answer of `fingerprint` if it is cached, else None; no content is read."""
    def fingerprint(
        self,
        path: _Path,
        algorithm: str = "blake3",
        progress: Callable[[int, int], object] | None = None,
        *,
        threads: int = 0,
    ) -> tuple[str, int, bool, int]:
        """Return hash, bytes of content, whether it is a folder, and bytes read.

        `progress` is called now and then with the bytes hashed and the bytes in all.

        Raises:
            ConflictError: The content changed while it was read, twice.
            OSError: The content cannot be read.
        """
    def other_forms(self, path: _Path, algorithm: str = "blake3") -> list[str]:
        """Return the hashes of a folder with its file names in NFC and in NFD; empty for a file.

        Raises:
            OSError: The content cannot be read.
        """
    def quick(self, path: _Path) -> tuple[str | None, int]:
        """Return the answer of `quick_hash`, and bytes read."""
    def save(self) -> None:
        """Write new hashes to the cache, where it can be written."""

@final
class RunHeader:
    """The header of a run, session or file: the columns of a table of runs. The entry is read on demand.

    Attributes:
        kind: "run", "session" or "files".
        id: The id of the run.
        name: The name of the run.
        status: The status of the run; None for files.
        created_at: Creation time, ISO-8601; empty where it is not recorded.
        stamp: For a run, the stat identity of its `run.yaml` as (size, mtime_ns, ctime_ns, inode); None where
            it was racily clean.
    """

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str | None: ...
    @property
    def created_at(self) -> str: ...
    @property
    def stamp(self) -> tuple[int, int, int, int] | None: ...
    def entry(self) -> dict[str, Any]:
        """Return the entry of the catalogue, in the form of `list_runs`."""

@final
class SummaryAccumulator:
    """A summary that grows by rows, batches and other accumulators. Safe to share between threads.

    Args:
        top_k: Number of best predictions of each metric to retain.
    """

    def __new__(cls, top_k: int = 32) -> Self: ...
    def add(self, row: Mapping[str, Any]) -> None:
        """Add one prediction.

        Args:
            row: Its columns by name; columns that a summary does not use are ignored, missing ones are null.
                Scores are numbers or None, names are texts (other values are converted to texts),
                `created_at` is ISO-8601 or a datetime. Values are converted by their meaning, as by a writer:
                masked, NaT and NA are null.

        Raises:
            TypeError: A score is not a real number, a name is not a scalar, or `row` is not a mapping.
                Nothing was added.
            ValueError: A number does not fit its column. Nothing was added.
            AttributeError: `created_at` is not a time. Nothing was added.
        """
    def add_batch(self, batch: _ArrowStream | _ArrowArray, *, threads: int = 0) -> None:
        """Add predictions from an Arrow table, batch, batch reader or data frame, without copying.

        Args:
            batch: An object with the Arrow PyCapsule interface; texts may be string, large_string,
                string_view or dictionaries of them, scores any numeric type.
            threads: Number of threads; 0 for one per core. The answer does not depend on it.

        Raises:
            TypeError: `batch` lacks an Arrow interface, or a column has a type outside of Arrow, or an
                unknown extension type. Nothing was added.
            SchemaError: A column has an unsuitable type. Nothing was added.
        """
    def merge(self, other: SummaryAccumulator) -> None:
        """Add the content of another accumulator.

        A metric that the two rank in different directions becomes unranked.
        """
    def summary(self) -> dict[str, Any]:
        """Return the summary of what was added so far; docs/format.md describes its keys.

        Counts are int; scores are float in the unit of their metric, at full precision; times are ISO-8601 in
        UTC. Statistics without a value are None; `overflow` is true where a score is too large for a mean.
        """
    def to_bytes(self) -> bytes:
        """Return the whole state, with version and checksum."""
    @classmethod
    def from_bytes(cls, state: bytes) -> SummaryAccumulator:
        """Return the accumulator whose state `to_bytes` returned.

        Raises:
            CorruptFileError: The bytes are damaged.
            UnsupportedVersionError: A newer version of this package wrote them.
        """
    def to_dict(self) -> dict[str, Any]:
        """Return the summary and, under "sketch", the whole state as text."""
    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> SummaryAccumulator:
        """Return the accumulator whose state `to_dict` returned.

        Raises:
            ValueError: The dict has no key "sketch".
            CorruptFileError: The sketch is damaged.
            UnsupportedVersionError: A newer version of this package wrote it.
        """
    def __len__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def hash_file(path: _Path, algorithm: str = "blake3", *, threads: int = 0) -> str:
    """Return the full hash of a file, or of a folder: relative paths and contents of its files, in order.

    Files created by editors and operating systems are excluded from a folder; symbolic links are followed
    within it only. Reads on all cores; interruptible.

    Args:
        path: The path of the file or folder.
        algorithm: "blake3" or "sha256".
        threads: Number of threads; 0 for one per core, 1 reads from start to end, which suits hard disks and
            network drives. The answer does not depend on it.

    Returns:
        `blake3:<64 hex>` or `sha256:<64 hex>`.

    Raises:
        ConflictError: The content changed while it was read, twice.
        ValueError: The algorithm is unknown, or `path` is neither a regular file nor a folder.
        OSError: The content cannot be read.
    """

def quick_hash(path: _Path) -> str | None:
    """Return a hash of size, first and last 64 KiB of a file: it narrows a search and proves nothing.

    Args:
        path: The path of a file, or of a folder, which stands for its largest file.

    Returns:
        `quick1:<16 hex>`; None for a folder without files.

    Raises:
        ConflictError: The content changed while it was read, twice.
        OSError: The content cannot be read.
    """

def content_size(path: _Path) -> tuple[int, bool]:
    """Return the number of bytes that `hash_file` would hash, and whether it is a folder.

    Raises:
        OSError: The path cannot be looked at.
    """

def has_trusted_ctime(path: _Path) -> bool:
    """Return whether every change of content on this file system shows in the stat of the file."""

def metric_info(name: str) -> MetricInfo:
    """Return the row of a metric in the table, by name or alias, in any case of letters.

    Raises:
        UnknownMetricError: The table lacks the metric.
    """

def metric_names() -> list[str]:
    """Return the names and aliases of all metrics in the table, in the order of the names."""

def is_better(a: float, b: float, metric: str) -> bool:
    """Return whether score `a` is better than score `b`; any number is better than NaN.

    Raises:
        UnknownMetricError: The table lacks the metric.
    """

def register_metric(
    name: str,
    direction: str,
    *,
    aliases: Sequence[str] = (),
    optimum: float | None = None,
    range: tuple[float, float] = ...,
) -> None:
    """Add a metric to the table, for this process.

    Args:
        name: The name; the table ignores the case of letters.
        direction: "maximize", "minimize" or "zero".
        aliases: Other names of the metric.
        optimum: The best possible score.
        range: The possible scores.

    Raises:
        ValueError: The direction is unknown, or the table has the name with another direction.
    """

def read_footers(
    paths: Sequence[_Path], keys: Sequence[str] | None = None, *, threads: int = 0
) -> list[dict[str, Any] | WorkspaceError | OSError]:
    """Read the footers of Parquet files in parallel, mostly with one open and one read a file.

    Args:
        paths: The paths of the files.
        keys: The keys to decode; None for all.
        threads: Number of threads; 0 for one per core.

    Returns:
        For each file, in this order, a dict of path, num_rows, num_row_groups, created_by, schema_fingerprint
        (equal for equal columns) and key_values; or its error.
    """

def check_chunks(
    paths: Sequence[_Path], columns: Sequence[str] | None = None, *, threads: int = 0
) -> list[WorkspaceError | OSError | str | None]:
    """Check column chunks of Parquet files in parallel, before another reader decodes them.

    Checksums are compared where the footer has them, and page headers that announce more than a page can hold
    are refused. The outcome is cached for each state of a file, so that a process reads a chunk once.

    Args:
        paths: The paths of the files.
        columns: The columns to be decoded, where a file has them; None for all.
        threads: Number of threads; 0 for one per core.

    Returns:
        For each file, in this order: None where any reader may decode these columns; a text, the reason,
        where only a reader of few rows at a time may (`RowReader`, every native query); or the error that
        names file, column and row group, which must not be decoded.
    """

@final
class Lock:
    """A lock between processes, held until `release`, the end of a `with` block, or the process's death.

    `flock` on POSIX, `LockFileEx` on Windows. The file is created where it is missing; a file with the suffix
    `.holder` beside it names the holder. The calling thread waits without the GIL.

    Args:
        path: The path of the lock file, in a folder that exists.
        timeout: Seconds to wait for another holder; 0 for a single try, which takes up to 100 ms.

    Raises:
        LockTimeoutError: Another process holds the lock; the message names that process.
        OSError: The lock file cannot be created or locked.
    """

    def __new__(cls, path: _Path, timeout: float = 10.0) -> Self: ...
    @property
    def path(self) -> Path: ...
    def remove_on_release(self) -> None:
        """Make `release` and the end of the `with` block remove the lock file and its `.holder` at last.

        For a lock whose object is gone or whose run has ended. A file that cannot be removed stays; on
        Windows it always does.
        """

    def release(self) -> None:
        """Release the lock; a second call does nothing.

        Raises:
            RuntimeError: This process is a fork of the one that took the lock.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, value: object, trace: object) -> None: ...

def lock_is_held(path: _Path) -> bool:
    """Return whether a process holds the lock; False where its file is missing."""

def lock_holder(path: _Path) -> dict[str, Any] | None:
    """Return host, boot_id, pid and since of the current or last holder of a lock, if it is known."""

class Draft:
    """A file that is written piece by piece beside its target.

    A successful end of its `with` block replaces the target, atomically and durably, as `replace_file` does;
    an exception leaves the target unchanged. Every error names the target.

    Raises:
        OSError: The file cannot be created.
    """

    def __new__(cls, target: _Path) -> Self: ...
    def write(self, content: bytes) -> int:
        """Write all bytes, and return their number.

        Raises:
            OSError: The bytes cannot be written.
            ValueError: The block has ended.
        """

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, value: object, trace: object) -> None: ...

def replace_file(path: _Path, content: bytes) -> None:
    """Replace a file, atomically and durably: fsync, rename, fsync of the folder.

    Raises:
        OSError: The file cannot be written; it is unchanged.
    """

def create_file(path: _Path, content: bytes) -> None:
    """Create a file, atomically and durably.

    Raises:
        ConflictError: The file exists already.
        OSError: The file cannot be created; nothing was written.
    """

def make_folder(path: _Path) -> None:
    """Create a folder and the missing ones above it, durably.

    Raises:
        OSError: The folder cannot be created.
    """

def move_folder(source: _Path, target: _Path) -> None:
    """Rename a non-empty folder, durably: readers see all of it or nothing.

    Raises:
        ConflictError: The target exists already.
        OSError: The folder was not renamed, or the new name may not be durable.
    """

def sync_folder(path: _Path) -> None:
    """Make additions to a folder, and removals from it, durable.

    Raises:
        OSError: They may not be durable.
    """

def is_network_drive(path: _Path) -> bool:
    """Return whether other hosts may write to the drive of a path, as far as the system reports it."""

def put_artifact(root: _Path, content: bytes | _Path, extension: str) -> str:
    """Store an artifact; see `Artifacts.put`."""

def list_run_headers(root: _Path) -> dict[str, Any]:
    """List the headers of all runs, sessions and files, in the order of `list_runs`.

    Returns:
        The dict of `list_runs`, with `RunHeader` objects as runs.
    """

def list_results(
    root: _Path,
    run_ids: Sequence[str] | None = None,
    progress: _Report | None = None,
    *,
    threads: int = 0,
) -> dict[str, Any]:
    """List the results of the given runs, or of all: checkpointed ones, and those in the rows of 0.6.

    Returns:
        A dict of `results` and `repeated` (dicts with the fields of `Result`, by run, oldest first; within a
        run in the order of completion), and `errors` (dicts of path, kind and message).
    """

def page_results(
    root: _Path,
    *,
    equal: dict[str, str],
    run: str | None,
    template: str | None,
    dataset: str | None,
    min_score: float | None,
    max_score: float | None,
    sort_by: str,
    descending: bool | None,
    offset: int,
    limit: int | None,
) -> dict[str, Any]:
    """Return a page of the results that `Results.list` finds; `equal` has texts by field.

    Returns:
        A dict of `results` (in the form of `list_results`), `total` and `errors`.

    Raises:
        ValueError: The field to sort by is unknown.
        OSError: The workspace cannot be listed.
    """

def top_results(root: _Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Rank results of one metric, dataset by dataset.

    Args:
        root: The workspace.
        asked: per ("dataset", "model" or "result"), k, metric, by_test, direction, model, bounds (least and
            largest score, then test score), equal (texts by fields), run, dataset and live.

    Returns:
        results, metric, direction and errors, dicts of path, kind and message.

    Raises:
        ValueError: There are several metrics and none was named, or an argument is invalid.
        UnknownMetricError: No direction is known for the metric.
        OSError: The workspace cannot be listed.
    """

def best_by_model(
    root: _Path,
) -> tuple[list[tuple[tuple[str | None, str | None, str | None], float]], list[Problem]]:
    """Return the best score of each dataset, metric and model in any result, and the problems."""

def count_results(root: _Path, run_ids: Sequence[str]) -> list[tuple[str, list[int], list[Problem]]]:
    """Return for each run the number of done and failed results, and the problems.

    Problems that concern no single run come last, under "".
    """

def list_runs(
    root: _Path, progress: _Report | None = None, *, threads: int = 0, keep: bool = True
) -> dict[str, Any]:
    """List runs, sessions of nirs4all 0.6 and files of neither, without opening rows or results.

    Returns:
        A dict of `runs` (dicts, by created_at, then id), `errors` (dicts of path, kind and message), and the
        numbers of folders `read` now and `unchanged`. docs/format.md describes the keys of a run.
    """

def check_record(name: str, content: bytes) -> None:
    """Check that readers accept the content of a record before it is written under this file name.

    Raises:
        CorruptFileError: Readers refuse it; the message gives the reason and the line.
    """

def read_yaml(path: _Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, as PyYAML's safe loader would.

    Raises:
        CorruptFileError: The file is not UTF-8, not YAML or not a mapping, or its nesting or aliases exceed
            the limits; the message names the line.
        OSError: The file cannot be read.
    """

def parse_yaml(content: bytes, path: _Path) -> dict[str, Any]:
    """Return the mapping in the content of a YAML file, as `read_yaml` does; `path` is for messages.

    Raises:
        CorruptFileError: The content is not UTF-8, not YAML or not a mapping; the message names the line.
    """

def parse_run(content: bytes, path: _Path) -> dict[str, Any]:
    """Return the record in the content of a `run.yaml`, missing keys with their defaults.

    Raises:
        CorruptFileError: The content is damaged; the message names line and key.
        UnsupportedVersionError: A newer version wrote it, with a status unknown to this version.
    """

def in_line(content: bytes, key: str) -> str:
    """Return ` in line N` for the line of a key of a mapping; an empty text where it is missing."""

def canonical_json(value: object) -> bytes:
    """Return plain data as canonical JSON (RFC 8785): equal data, equal bytes.

    Numbers that it lacks become texts with the prefix `n4a:`; texts with that prefix get `n4a:text:` before
    them.

    Raises:
        TypeError: A value is not plain data.
        ValueError: A text in it is not Unicode, or it is nested deeper than 200 levels, or contains itself.
    """

def read_cache(root: _Path, file: str) -> bytes | None:
    """Return the content of a file in a workspace's cache; None where it is missing."""

def write_cache(root: _Path, file: str, content: bytes) -> None:
    """Replace a file in a workspace's cache, where it can be written; else do nothing."""

def session_rows(
    root: _Path,
) -> tuple[dict[str, str], list[tuple[str, str, str, int, float | None]], list[Problem]]:
    """Return the names of all runs, and the rows of all sessions, as their results count them.

    Returns:
        Names by id; tuples of session, dataset, metric, rows and best validation score; and errors, as
        dicts of path, kind and message.
    """

def old_files(root: _Path, suffix: str) -> tuple[list[str], list[Problem]]:
    """Return the files of nirs4all 0.6 with a suffix, relative to their folder, in name order.

    Returns:
        The files; and folders that cannot be listed, as dicts of path, kind and message.
    """

def list_files(root: _Path, *, live: bool = True) -> list[str]:
    """Return the live prediction files of a folder, relative to it, in name order.

    Args:
        root: The workspace.
        live: Whether to include journals that no sealed segment covers.

    Raises:
        OSError: The folder cannot be listed.
    """

def read_summaries(
    paths: Sequence[_Path], *, threads: int = 0
) -> list[tuple[dict[str, Any] | None, str | None, WorkspaceError | OSError | None]]:
    """Return summary, reason for scanning, and error of each file; see `summaries.FileSummary`."""

def summarise(
    root: _Path,
    dataset: str | None = None,
    *,
    live: bool = True,
    use_cache: bool = True,
    threads: int = 0,
) -> dict[str, Any] | None:
    """Return the answer of `Workspace.summary`; None where the dataset does not exist.

    Args:
        root: The workspace.
        dataset: The name of a dataset; None for all.
        live: Whether open segments are included.
        use_cache: Whether to read and write the cache.
        threads: Number of threads; 0 for one per core.
    """

def top_predictions(
    root: _Path,
    k: int,
    metric: str | None,
    score: str | None,
    direction: str | None,
    filters: dict[str, Any],
    *,
    distinct: bool = True,
    live: bool = True,
    use_cache: bool = True,
    threads: int = 0,
) -> dict[str, Any]:
    """Return the attributes of `predictions.Ranking` as a dict."""

def page_predictions(
    root: _Path, asked: dict[str, Any], *, as_batch: bool = False, threads: int = 0
) -> dict[str, Any]:
    """Return the attributes of `pages.Page` as a dict.

    Args:
        root: The workspace.
        asked: The arguments of `Predictions.page` by name, filters as a dict.
        as_batch: Whether to return the rows as Arrow.
        threads: Number of threads; 0 for one per core.

    Returns:
        The attributes of a page, and `batch`: None, or the rows as an Arrow IPC stream where that was asked
        for or a column has values that a dict cannot hold; then `records` is None. Times in records are
        texts.
    """

def score_names(root: _Path, *, live: bool) -> list[str]:
    """Return which numbers the rows of a workspace have in `scores`, as "scores.val.r2"; cached by stat."""

def score_names_in(frame: object) -> list[str]:
    """Return which numbers the rows of an Arrow table have in its column `scores`, as "scores.val.r2"."""

def score_structs(frame: object, names: Sequence[str]) -> list[Rows]:
    """Return the column `scores` of an Arrow table as structs of these numbers, batch by batch.

    A partition without any of the names is null throughout; a row whose text is no JSON object is null.
    """

def find_predictions(
    root: _Path, id: str, filters: dict[str, Any], *, threads: int = 0
) -> tuple[list[Rows], list[Problem]]:
    """Return the matching rows with an id, each file's in its own types; and the files left out."""

def find_arrays(path: _Path, ids: Sequence[str]) -> list[Rows]:
    """Return the rows of a file of arrays with the given ids (id, data and shape).

    Raises:
        CorruptFileError: The file is damaged.
        OSError: The file cannot be read.
    """

def survey(root: _Path) -> tuple[list[tuple[str, int, int, int, int]], list[Problem]]:
    """Return a stat snapshot of a workspace's data, without hidden names and paths that vanish meanwhile.

    Returns:
        For each prediction file, record of a dataset and template, and for each run, folder of arrays, of
        artifacts and of a manifest of nirs4all 0.6, in path order: path (relative to the workspace),
        fingerprint (it differs where a file was added, removed or changed), files, bytes, and the time of the
        last change (ns since 1970). After that, folders that cannot be listed, as dicts of path, kind and
        message.

    Raises:
        OSError: The workspace cannot be listed.
    """

def performance(root: _Path, folders: Sequence[str], progress: _Report | None = None) -> list[dict[str, Any]]:
    """Return the performance of models in the files of some folders, from footers.

    Args:
        root: The workspace.
        folders: `predictions/<dataset>`, or "" for the files of nirs4all 0.6.
        progress: Called now and then with the files done and the files in all.

    Returns:
        For each folder a dict of rows, files, models (dicts of dataset, metric, direction, model, number of
        rows, of finite scores, their sum, and the best of them), is_for_all (whether every metric is ranked
        the same in all processes) and errors.
    """

def rebuild_summaries(root: _Path, progress: _Report | None = None, *, threads: int = 0) -> Rebuild:
    """Add missing summaries to footers; see `Predictions.rebuild_summaries`."""

def verify_files(
    root: _Path, full: bool = False, progress: _Report | None = None, *, threads: int = 0
) -> Verification:
    """Check prediction files; see `Workspace.verify`."""

def blake3_hex(content: bytes, digits: int = 64) -> str:
    """Return the first hexadecimal digits of the BLAKE3 hash of some bytes."""

def problem_kinds() -> tuple[list[str], list[str]]:
    """Return the kinds of errors that the native side tells, and those of findings beside them."""

def slug(name: str) -> str:
    """Return a readable short form of a name in lowercase ASCII letters, digits and `_`; may be empty."""

def dataset_folder(name: str) -> str:
    """Return the folder of a dataset below `predictions` and `arrays`: its slug and 8 hex of BLAKE3."""

def run_of(file: str) -> str | None:
    """Return the run in the name of a segment, journal or similar file; None where it has none."""

def array_ids(arrays: object) -> list[str]:
    """Return the content-based ids of arrays.

    Args:
        arrays: An Arrow table, batch or data frame with columns `array_data` (large lists of 64-bit
            floats), `array_shape` and `array_type`.
    """

def row_digest(frame: object, columns: list[str] | None = None) -> int:
    """Return the digest of a table's rows, from 0 to 2^128 - 1: the sum of a hash of each, modulo 2^128.

    A row's hash is that of the names and values of its columns that are not null, in the order of the
    names: neither the order of rows or columns nor the division into batches matters, and a column of nulls
    is one that is not there. Digests of parts add up to that of the whole, modulo 2^128. A value counts as
    what it means: text of any kind and dictionaries of it, integers of any width, floats as 64-bit floats by
    their bits (one NaN; -0.0 is not 0.0), instants of any unit (without a zone they are UTC; a day is its
    midnight), durations, bytes, lists and structs of these.

    Args:
        frame: An Arrow table, batch or data frame.
        columns: Only those of these that the table has; None for all.

    Raises:
        TypeError: For something else, and for a column of another type (decimals, maps, times of day, ...).
    """

def row_schema() -> list[tuple[str, str]]:
    """Return the columns of every segment, each with "text", "int", "float" or "time"."""

def journal_arrays(
    path: _Path, place: tuple[int, int, int] | None = None
) -> tuple[list[Rows], tuple[int, int, int] | None, str | None]:
    """Return arrays of a journal, about 64 MB of them.

    Args:
        path: The journal.
        place: The place at which to continue; None for the beginning.

    Returns:
        The arrays of each frame, the place at which to continue (None at the end), and a description of
        damage among them, if any.
    """

def recover(root: _Path, run_id: str | None = None, dead_hosts: Sequence[str] = ()) -> Recovery:
    """Seal the journals of dead writers; see `Workspace.recover`."""

def live_journals(root: _Path, run_id: str) -> list[dict[str, Any]]:
    """Return path, host, boot_id, pid and since of the journals of a run whose writers live."""

def run_results(root: _Path, run_id: str) -> dict[str, Any]:
    """Return the checkpointed results of one run, in the form of `list_results`; other runs are not read.

    Raises:
        OSError: A list of results cannot be read.
        CorruptFileError: A journal cannot be read.
    """

def finished_results(root: _Path, run_id: str) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Return the finished results of a run, and the problems.

    Returns:
        Pairs of the writer that checkpointed a result and its JSON text; dicts of path, kind and message.

    Raises:
        OSError: A list of results cannot be read.
    """

def run_files(root: _Path, run_id: str) -> tuple[list[Path], list[Problem]]:
    """Return every file of a run below `predictions` and `arrays`, relative to the workspace.

    Folders that may hold more and cannot be listed come second, as dicts of path, kind and message.
    """

def rows_by_result(
    root: _Path, run_id: str, finished: dict[str, str]
) -> tuple[list[tuple[str, str, list[str | None], int]], list[Problem]]:
    """Return rows in partial segments and live journals of a run, and what cannot be read.

    Args:
        root: The workspace.
        run_id: The run.
        finished: The writers of finished results; what these wrote of them is left out.

    Returns:
        Tuples of writer, result, the values of `ROW_KEY` as texts, and number of rows; then the problems.
    """

def remove_partial(root: _Path, run_id: str) -> list[Path]:
    """Remove the partial rows of a run, durably; return the files, relative to the workspace."""

def sweep(root: _Path, folder: str | None = None) -> tuple[list[str], list[Problem]]:
    """Remove covered journals, replaced segments and leftovers of crashed processes.

    Files that were replaced less than 10 s ago (network drive: 120 s) stay.

    Args:
        root: The workspace.
        folder: The folder of one dataset; None for all.

    Returns:
        The removed files, relative to the workspace, and the problems, as dicts of path, kind and message.
    """

def passed_over(
    root: _Path, run_id: str, folder: str | None = None
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the segments of a run that `compact` leaves as they are.

    Returns:
        Segments that are not merged because a column has another type there, as dicts of run_id, path, column
        and reason; and segments, relative to the workspace, whose journals still exist, where there is
        another segment to merge them with.

    Raises:
        CorruptFileError: A segment cannot be read.
    """

def compact(root: _Path, run_id: str, folder: str | None = None) -> list[CompactedSegment]:
    """Merge the sealed segments of a run without an owner, in each folder of predictions or in one.

    Returns:
        Dicts of output, inputs (both relative to the workspace) and rows.
    """

def supersede(root: _Path, run_id: str, folder: str, writer: str, replaced: list[str]) -> str:
    """Let a sealed writer take the place of others in its run and folder of predictions.

    Rows and results of the others are in no answer from then on, also where their files come along with a
    copy that is merged later; those files need not be here. The writer may have no segment where it wrote
    nothing. What was interrupted can be called again.

    Args:
        root: The workspace.
        run_id: The run.
        folder: The folder of `predictions`.
        writer: The writer, which was closed.
        replaced: All writers whose place it takes, those that these replaced before included.

    Returns:
        The compaction that its segment became, relative to the workspace; durable.

    Raises:
        ValueError: A writer is none, or takes its own place.
        OSError: A file could not be read or written.
    """

@final
class ScanPlan:
    """The files of a workspace at one moment, and the columns and types in which their rows are returned."""

    def __init__(self, root: _Path, *, live: bool, partial: bool, is_last: bool) -> None:
        """Look at the files of a workspace.

        Args:
            root: The workspace.
            live: Whether open segments are included.
            partial: Whether partial rows are included.
            is_last: Whether a file that vanished is an error in `errors` instead of being raised.

        Raises:
            FileNotFoundError: A listed file vanished.
            OSError: The workspace cannot be listed.
        """

    def schema(self) -> bytes:
        """Return the schema of the answer, as an Arrow IPC stream without rows."""

    def errors(self) -> list[Problem]:
        """Return the files that cannot be read, as dicts of path, kind and message."""

    def groups(
        self, columns: list[str], like: ScanPlan
    ) -> tuple[list[tuple[list[tuple[int, Path]], list[str], int]], list[int], list[Problem]]:
        """Return how to read the files for some columns of the answer of a plan.

        Returns:
            Groups of files with equal columns that another Parquet reader reads in the types of the answer,
            each with indexes and paths of its files, their columns and their number of rows; the indexes of
            the other files, which `stream` reads; and files with damaged columns, as dicts of path, kind and
            message.

        Raises:
            FileNotFoundError: A file vanished.
        """

    def stream(self, file: int, columns: list[str], like: ScanPlan) -> RowStream:
        """Return the rows of a file in some columns of the answer of a plan."""

    def path(self, file: int) -> Path:
        """Return the path of a file, by its index."""

    def name(self, file: int) -> str:
        """Return the path of a file relative to the workspace, by its index."""

class RowStream:
    """The rows of one file, converted, a few at a time."""

    def next(self) -> Rows | None:
        """Return the next rows; None at the end.

        Raises:
            CorruptFileError: The file cannot be read.
            FileNotFoundError: The file was replaced since it was listed.
        """

    def errors(self) -> list[Problem]:
        """Return what was damaged or not convertible so far, as dicts of path, kind and message."""

class Rows:
    """Rows with the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as an Arrow stream; a requested schema is ignored."""

class RowReader:
    """Rows of a Parquet file, a batch at a time, in bounded memory.

    Args:
        path: The file.
        columns: The columns to read, where the file has them; None for all.
        start: The first row.
        count: Largest number of rows.
        batch: Largest number of rows of a batch.

    Raises:
        CorruptFileError: The file is not Parquet, or contradicts itself.
        OSError: The file cannot be read.
    """

    def __new__(cls, path: _Path, columns: list[str] | None, start: int, count: int, batch: int) -> Self: ...
    def schema(self) -> bytes:
        """Return the schema as an Arrow IPC stream without rows."""

    def next(self) -> Rows | None:
        """Return the next rows; None at the end.

        Raises:
            CorruptFileError: The rows cannot be read.
        """

class JournalWriter:
    """The native half of `Writer`, which documents it.

    Args:
        root: The workspace.
        run_id: The run.
        dataset_name: The dataset.
        folder: The folder of the dataset below `predictions`.
        durable: Whether a flush waits for the disk.
        flush_rows: Largest number of rows that wait.
        flush_bytes: Largest number of bytes that wait, approximately.
        flush_seconds: Longest time that a row waits, in seconds.
        ids: Writer id and journal id (12 and 32 hexadecimal digits), derived from what will be written; None
            for random ones.
        planned: Returns what the rows of a result, given by its id, take from it where they lack it; None for
            nothing.
        check_results: Called with the ids of results that rows name for the first time; raises where they are
            refused, and the rows are not added.
    """

    def __new__(
        cls,
        root: _Path,
        run_id: str,
        dataset_name: str,
        folder: str,
        *,
        durable: bool = True,
        flush_rows: int,
        flush_bytes: int,
        flush_seconds: float,
        ids: tuple[str, str] | None = None,
        planned: Callable[[str], ResultFields] | None = None,
        check_results: Callable[[list[str]], object] | None = None,
    ) -> Self: ...
    @property
    def writer_id(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    def progress(self) -> tuple[int, int]:
        """Return the number of acknowledged rows and of waiting rows."""

    def write(self, row: Mapping[str, object]) -> int:
        """Add a row, a dict; return 1 where a flush is due, plus 2 where `take_fresh` has something."""

    def write_batch(self, batch: object) -> int:
        """Add the rows of a batch; return 1 where a flush is due, plus 2 where `take_fresh` has something."""

    def take_fresh(self) -> list[tuple[str, str]]:
        """Return what the rows had for the first time and was not returned before.

        Pairs of a kind and a text: "column" and the name of an extra column, "partition" or "metric" and a
        value, "lengths" and those of the first y_true and y_pred that differ.
        """

    def write_arrays(self, arrays: object) -> list[str]:
        """Store arrays; return their ids."""

    def flush(self) -> None:
        """Append waiting rows to the journal."""

    def tally(self, result_id: str, metric: str | None = None) -> dict[str, Any]:
        """Return what the rows of an unfinished result come to by a metric, or by that of most of them.

        These are n_rows, metric, all fields of scores, repeated_fold and without_metric.
        """

    def checkpoint(self, results: Sequence[tuple[str, str]]) -> None:
        """Append waiting rows and results, as one piece: ids, and JSON objects with them."""

    def close(self) -> list[dict[str, Any]]:
        """Flush and seal; return the outcome for each journal."""
