"""The compiled half of the package: bytes and numbers in, plain Python objects out."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, final

from nirs4all_workspace.exceptions import WorkspaceError

# Nanoseconds within which a file may change again without its times changing.
RACY_NS: int
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
    """One row of the table of metrics; `info["direction"]` is `info.direction`.

    Attributes:
        name: The name it is listed under.
        aliases: Other names of the same metric.
        direction: "maximize", "minimize" or "zero" (closest to zero is best).
        optimum: The best score there can be, None where there is no bound.
        range: The scores there can be, infinite where they have no bound.
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
    def __getitem__(self, key: str) -> object: ...
    def __eq__(self, other: object) -> bool: ...

@final
class FileIndex:
    """All files of a tree by size, and lazily by quick hash and full hash.

    Built in parallel; kept in the user's cache folder and then refreshed by stat alone. Symbolic links
    are followed, each folder is entered once. Safe to share between threads.

    Args:
        root: The folder.
        hashes: Where hashes are looked up and added; None for a cache of this tree's own.
        threads: How many; 0 for one per core. It never changes an answer.

    Attributes:
        root: The folder, absolute.
        errors: Folders that could not be listed, broken links and loops of links, as dicts of path
            (relative to the root), kind and message.

    Raises:
        OSError: The root cannot be listed.
    """

    def __new__(cls, root: _Path, hashes: HashCache | None = None, *, threads: int = 0) -> Self: ...
    @property
    def root(self) -> str: ...
    @property
    def errors(self) -> list[dict[str, str]]: ...
    def __len__(self) -> int: ...
    def refresh(self, *, files: bool = True) -> None:
        """Take up what changed in the tree since it was indexed.

        Args:
            files: Ask for the stat of every file. Otherwise only of folders, which tells what came,
                went or was replaced, but not what was edited in place.

        Raises:
            OSError: The root cannot be listed; the index is as it was.
        """
    def find(
        self,
        *,
        hash: str | None = None,
        size: int | None = None,
        quick: str | None = None,
        progress: _Report | None = None,
    ) -> list[str]:
        """Find files, and folders as `hash_file` hashes them, among what is indexed.

        Args:
            hash: Their full hash, `blake3:...` or `sha256:...`; contents are read for it.
            size: Bytes of the file, or of all files of the folder; it saves reading all others.
            quick: Their quick hash.
            progress: Called now and then with the candidates hashed and those there are.

        Returns:
            Absolute paths, files first, in path order. Those that cannot be read are left out.

        Raises:
            ValueError: Nothing to look for, or no hash of that form.
        """
    def search(
        self,
        *,
        hash: str | None = None,
        size: int | None = None,
        quick: str | None = None,
        name: str | None = None,
        progress: _Report | None = None,
    ) -> tuple[list[str], list[dict[str, Any]], list[dict[str, str]]]:
        """Find the likeliest path as `find` does, candidates called `name` first.

        Returns:
            The path, if any; the stages, as dicts of stage, candidates, bytes_read and seconds; and
            the candidates that could not be read, as dicts of path, kind and message.
        """
    def duplicates(self, *, progress: _Report | None = None) -> list[list[str]]:
        """Return groups of files with equal content, proven by full hashes, paths in order.

        Empty files are none; a file with several names (hard links) counts once.
        """

@final
class HashCache:
    """Hashes of files and folders by the stat of files, kept between processes.

    A file that changed less than two seconds before it was read is hashed anew each time: it may
    change again without its stat telling. Safe to share between threads.

    Args:
        root: The workspace whose cache it is.
    """

    def __new__(cls, root: _Path) -> Self: ...
    def known(self, path: _Path, algorithm: str) -> tuple[str, int, bool, int] | None:
        """Return what `fingerprint` returns where nothing has to be read for it, else None."""
    def fingerprint(
        self,
        path: _Path,
        algorithm: str = "blake3",
        progress: Callable[[int, int], object] | None = None,
        *,
        threads: int = 0,
    ) -> tuple[str, int, bool, int]:
        """Return hash, bytes of content, whether it is a folder, and bytes read.

        `progress` is called now and then with the bytes hashed and those there are.

        Raises:
            ConflictError: It changed while it was read, twice.
            OSError: It cannot be read.
        """
    def other_forms(self, path: _Path, algorithm: str = "blake3") -> list[str]:
        """Return the hashes that a folder has with the names of its files in NFC and in NFD; none for a file.

        Raises:
            OSError: It cannot be read.
        """
    def quick(self, path: _Path) -> tuple[str | None, int]:
        """Return what `quick_hash` returns, and bytes read."""
    def save(self) -> None:
        """Keep what was added for later processes, where the cache can be written."""

@final
class Head:
    """What a table shows of a run; the rest is read when it is asked for.

    Attributes:
        kind: "run", "session" or "files".
        id: Its id.
        name: What people call it.
        status: Its state; None of files.
        created_at: When it was created, ISO-8601; empty where nobody says.
        stamp: Of a run, the stat of its `run.yaml` as (size, mtime_ns, ctime_ns, inode), if that tells it
            from its later self.
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
        """Return all that the catalogue says of it, as `list_runs` does."""

@final
class SummaryAccumulator:
    """A summary that grows: rows in, batches in, other summaries in. Safe to share between threads.

    Args:
        top_k: How many of the best predictions of each metric are kept.
    """

    def __new__(cls, top_k: int = 32) -> Self: ...
    def add(self, row: Mapping[str, Any]) -> None:
        """Add one prediction.

        Args:
            row: Its columns by name; those that a summary does not read are ignored, missing ones
                are null. Scores are numbers or None, names are texts (other values are written out),
                `created_at` is ISO-8601 or a datetime. Values are taken by their meaning, as a writer
                takes them: what is masked, NaT or NA is null.

        Raises:
            TypeError: A score is no real number, a name no scalar, or `row` is no mapping. Nothing was added.
            ValueError: A number is none that a column holds. Nothing was added.
            AttributeError: `created_at` is no time. Nothing was added.
        """
    def add_batch(self, batch: _ArrowStream | _ArrowArray, *, threads: int = 0) -> None:
        """Add predictions from an Arrow table, batch, batch reader or data frame, without copying.

        Args:
            batch: Anything with the Arrow PyCapsule interface; texts may be string, large_string,
                string_view or dictionaries of them, scores any numeric type.
            threads: How many; 0 for one per core. It never changes the answer.

        Raises:
            TypeError: `batch` has no Arrow interface, or a column a type that is none of Arrow's, or an
                extension type whose meaning is not known.
            SchemaError: A column has an unfit type. Nothing was added.
        """
    def merge(self, other: SummaryAccumulator) -> None:
        """Add all that another accumulator has counted.

        Where the two rank a metric in different directions, it becomes unranked.
        """
    def summary(self) -> dict[str, Any]:
        """Return the summary of what was added so far; docs/format.md describes its keys.

        Counts are int; scores are float in the unit of their metric, at full precision; times are
        ISO-8601 in UTC. Statistics without a value are None; `overflow` is true where a score is so
        large that there is no mean.
        """
    def to_bytes(self) -> bytes:
        """Return the whole state, versioned and with a checksum."""
    @classmethod
    def from_bytes(cls, state: bytes) -> SummaryAccumulator:
        """Return the accumulator that `to_bytes` wrote.

        Raises:
            CorruptFileError: The bytes are damaged.
            UnsupportedVersionError: A newer version of this package wrote them.
        """
    def to_dict(self) -> dict[str, Any]:
        """Return the summary and, under "sketch", the whole state as text."""
    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> SummaryAccumulator:
        """Return the accumulator that `to_dict` wrote.

        Raises:
            ValueError: The dict has no sketch.
            CorruptFileError: The sketch is damaged.
            UnsupportedVersionError: A newer version of this package wrote it.
        """
    def __len__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def hash_file(path: _Path, algorithm: str = "blake3", *, threads: int = 0) -> str:
    """Hash a file in full, or a folder: relative paths and contents of its files, in order.

    Files that editors and operating systems drop are no part of a folder; symbolic links are
    followed within it only. Plain reads, on all cores; interruptible.

    Args:
        path: The file or folder.
        algorithm: "blake3" or "sha256".
        threads: How many; 0 for one per core, 1 reads from start to end, as drives with a head and
            on the network like it. It never changes the answer.

    Returns:
        `blake3:<64 hex>` or `sha256:<64 hex>`.

    Raises:
        ConflictError: It changed while it was read, twice.
        ValueError: The algorithm is none of these, or `path` is no regular file and no folder.
        OSError: It cannot be read.
    """

def quick_hash(path: _Path) -> str | None:
    """Hash size, first and last 64 KiB of a file: enough to narrow a search, proof of nothing.

    Args:
        path: The file, or a folder, whose largest file it is then.

    Returns:
        `quick1:<16 hex>`; None for a folder without files.

    Raises:
        ConflictError: It changed while it was read, twice.
        OSError: It cannot be read.
    """

def content_size(path: _Path) -> tuple[int, bool]:
    """Return the bytes that `hash_file` would hash, and whether it is a folder.

    Raises:
        OSError: It cannot be looked at.
    """

def has_trusted_ctime(path: _Path) -> bool:
    """Return whether a change of content there always shows in the stat of a file."""

def metric_info(name: str) -> MetricInfo:
    """Return what the table says of a metric, by its name or an alias, in any case of letters.

    Raises:
        UnknownMetricError: The table has no such metric.
    """

def is_better(a: float, b: float, metric: str) -> bool:
    """Return whether score `a` is better than score `b`; any number is better than NaN.

    Raises:
        UnknownMetricError: The table has no such metric.
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
        name: Its name; the table ignores the case of letters.
        direction: "maximize", "minimize" or "zero".
        aliases: Other names of the same metric.
        optimum: The best score there can be.
        range: The scores there can be.

    Raises:
        ValueError: The direction is none of these, or the name is known with another one.
    """

def read_footers(
    paths: Sequence[_Path], keys: Sequence[str] | None = None, *, threads: int = 0
) -> list[dict[str, Any] | WorkspaceError | OSError]:
    """Read the footers of Parquet files in parallel: one open and one read for an ordinary one.

    Args:
        paths: The files.
        keys: The keys of interest; None for all. Only these are decoded.
        threads: How many; 0 for one per core.

    Returns:
        For each file, in this order, a dict of path, num_rows, num_row_groups, created_by,
        schema_fingerprint (equal for equal columns) and key_values; or the error that it gave.
    """

def check_chunks(
    paths: Sequence[_Path], columns: Sequence[str] | None = None, *, threads: int = 0
) -> list[WorkspaceError | OSError | str | None]:
    """Check column chunks of Parquet files in parallel before somebody decodes them.

    The checksums are compared where the footer has them, and page headers that announce more than a page
    can hold are refused. What was found is remembered for each state of a file, so that a process reads
    a chunk once.

    Args:
        paths: The files.
        columns: The columns that will be decoded, where a file has them; None for all.
        threads: How many; 0 for one per core.

    Returns:
        For each file, in this order: None where anybody may decode these columns; a text where only a
        reader of few rows at a time may (`RowReader`, every native query), and why; or the error that
        names the file, the column and the row group, which must not be decoded.
    """

@final
class Lock:
    """A lock between processes, held until `release`, the end of a `with` block, or the process's death.

    `flock` on POSIX, `LockFileEx` on Windows. The file is made where it is missing; who holds it
    stands beside it, in a file that ends with `.holder`. The calling thread waits, without the GIL.

    Args:
        path: The lock file, in a folder that exists.
        timeout: Seconds to wait for another holder; 0 for one try, which takes up to 100 ms.

    Raises:
        LockTimeoutError: Another process kept it; the message names the process.
        OSError: The file cannot be made or locked.
    """

    def __new__(cls, path: _Path, timeout: float = 10.0) -> Self: ...
    @property
    def path(self) -> Path: ...
    def remove_on_release(self) -> None:
        """Let `release` and the `with` block remove the lock file and its `.holder`, as their last act.

        For a lock whose object is gone or whose run has ended. Where a file cannot be removed it stays, on
        Windows always.
        """

    def release(self) -> None:
        """Let go of the lock; once more does nothing.

        Raises:
            RuntimeError: This is a fork of the process that took it.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, value: object, trace: object) -> None: ...

def lock_is_held(path: _Path) -> bool:
    """Return whether a process holds the lock; without a file nobody does."""

def lock_holder(path: _Path) -> dict[str, Any] | None:
    """Return host, boot_id, pid and since of whoever holds the lock or held it last, if that is known."""

class Draft:
    """A file that is written piece by piece beside its target.

    Where its `with` block ends well it replaces the target, atomically and durably, as `replace_file`
    does; where it does not, nothing is left of it. Every error names the target.

    Raises:
        OSError: It cannot be made.
    """

    def __new__(cls, target: _Path) -> Self: ...
    def write(self, content: bytes) -> int:
        """Write all of it, and return how much that is.

        Raises:
            OSError: It cannot be written.
            ValueError: The block has ended.
        """

    def flush(self) -> None:
        """Do nothing: nothing waits."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: object, value: object, trace: object) -> None: ...

def replace_file(path: _Path, content: bytes) -> None:
    """Replace a file, atomically and durably: fsync, rename, fsync of the folder.

    Raises:
        OSError: Nothing was changed.
    """

def create_file(path: _Path, content: bytes) -> None:
    """Create a file, atomically and durably.

    Raises:
        ConflictError: It exists already.
        OSError: Nothing was changed.
    """

def make_folder(path: _Path) -> None:
    """Make a folder and those above it where they are missing, durably.

    Raises:
        OSError: It cannot be made.
    """

def move_folder(source: _Path, target: _Path) -> None:
    """Give a folder that is not empty its name, durably: readers see all of it or nothing.

    Raises:
        ConflictError: The name is taken.
        OSError: It has its old name still, or its new one without being durable.
    """

def sync_folder(path: _Path) -> None:
    """Make the entries of a folder durable, and that others were removed.

    Raises:
        OSError: They are not.
    """

def is_network_drive(path: _Path) -> bool:
    """Return whether other hosts write to the drive, as far as the system tells."""

def put_artifact(root: _Path, content: bytes | _Path, extension: str) -> str:
    """Return what `Artifacts.put` returns."""

def list_heads(root: _Path) -> dict[str, Any]:
    """List the same as `list_runs`, as much as a table of runs shows.

    Returns:
        The same dict, of a run its `Head`.
    """

def list_results(
    root: _Path,
    run_ids: Sequence[str] | None = None,
    progress: _Report | None = None,
    *,
    threads: int = 0,
) -> dict[str, Any]:
    """List the results of these runs, or of all: checkpointed ones, and what the rows of 0.6 say.

    Returns:
        A dict of `results` and `repeated` (dicts with the fields of a `Result`, by run, oldest first; of a
        run in the order that they were completed), and `errors` (dicts of path, kind and message).
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
    """Return a page of the results that `Results.list` finds; fields in `equal` are equal to these texts.

    Returns:
        A dict of `results` (as `list_results` gives them), `total` and `errors`.

    Raises:
        ValueError: There is no such field to sort by.
        OSError: The workspace cannot be listed.
    """

def count_results(root: _Path, run_ids: Sequence[str]) -> list[tuple[str, list[int], list[dict[str, str]]]]:
    """Return for each of these runs how many results are done, how many failed, and what cannot be read.

    What cannot be read and is of no one run comes last, under "".
    """

def list_runs(
    root: _Path, progress: _Report | None = None, *, threads: int = 0, keep: bool = True
) -> dict[str, Any]:
    """List runs, sessions of nirs4all 0.6 and files of neither, without opening rows or results.

    Returns:
        A dict of `runs` (dicts, by created_at, then id), `errors` (dicts of path, kind and message), and how
        many folders were `read` now or are `unchanged`. docs/format.md describes the keys of a run.
    """

def check_record(name: str, content: bytes) -> None:
    """Check that readers can read a record of this file name which is about to be written.

    Raises:
        CorruptFileError: They cannot; the message says why, and in which line.
    """

def read_yaml(path: _Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, as PyYAML's safe loader would.

    Raises:
        CorruptFileError: It is no UTF-8, no YAML or no mapping, or nests or repeats itself without
            bound; the message names the line.
        OSError: It cannot be read.
    """

def parse_yaml(content: bytes, path: _Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds, as `read_yaml`; `path` is for the message.

    Raises:
        CorruptFileError: It is no UTF-8, no YAML or no mapping; the message names the line.
    """

def parse_run(content: bytes, path: _Path) -> dict[str, Any]:
    """Return what a run's `run.yaml` holds, missing keys with their defaults.

    Raises:
        CorruptFileError: It is damaged; the message names line and key.
        UnsupportedVersionError: A newer version wrote it, and its state is none that this version knows.
    """

def in_line(content: bytes, key: str) -> str:
    """Return ` in line N` for the line in which a key of a mapping stands; nothing where it is missing."""

def canonical_json(value: object) -> bytes:
    """Return plain data as canonical JSON (RFC 8785): equal data, equal bytes.

    What it has no numbers for are texts that begin with `n4a:`; texts that begin so get `n4a:text:` before
    them.

    Raises:
        TypeError: Something in it is no plain data.
        ValueError: A text in it is no Unicode.
    """

def read_cache(root: _Path, file: str) -> bytes | None:
    """Return a file of a workspace's cache; None where there is none."""

def write_cache(root: _Path, file: str, content: bytes) -> None:
    """Replace a file of a workspace's cache, where it can be written; else do nothing."""

def session_rows(
    root: _Path,
) -> tuple[dict[str, str], list[tuple[str, str, str, int, float | None]], list[dict[str, str]]]:
    """Return the names of all runs, and the rows of all sessions, as their results count them.

    Returns:
        Names by id; tuples of session, dataset, metric, rows and best validation score; and errors, as
        dicts of path, kind and message.
    """

def old_files(root: _Path, suffix: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the files of nirs4all 0.6 whose names end so, relative to their folder, in name order.

    Returns:
        The files; and folders that cannot be listed, as dicts of path, kind and message.
    """

def list_files(root: _Path, *, live: bool = True) -> list[str]:
    """Return the prediction files of a folder that count, relative to it, in name order.

    Args:
        root: The workspace.
        live: Whether journals that no sealed segment covers count.

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
    """Return what `Workspace.summary` returns; None where there is no such dataset.

    Args:
        root: The workspace.
        dataset: The name of a dataset; None for all.
        live: Whether open segments count.
        use_cache: Whether what was read may be kept, and is looked for.
        threads: How many threads work; 0 for one per core.
    """

def top_predictions(
    root: _Path,
    k: int,
    metric: str | None,
    score: str | None,
    direction: str | None,
    filters: dict[str, Any],
    *,
    live: bool = True,
    use_cache: bool = True,
    threads: int = 0,
) -> dict[str, Any]:
    """Return what `predictions.Ranking` holds, as a dict."""

def page_predictions(
    root: _Path, asked: dict[str, Any], *, as_batch: bool = False, threads: int = 0
) -> dict[str, Any]:
    """Return what `pages.Page` holds, as a dict.

    Args:
        root: The workspace.
        asked: The arguments of `Predictions.page` by name, filters as a dict.
        as_batch: Whether rows are wanted as Arrow.
        threads: How many; 0 for one per core.

    Returns:
        The keys of a page, and `batch`: None, or the rows as an Arrow IPC stream where that was wanted or
        a column has values that no dict can hold; `records` is None then. Times in records are texts.
    """

def find_predictions(
    root: _Path, id: str, filters: dict[str, Any], *, threads: int = 0
) -> tuple[list[Rows], list[dict[str, str]]]:
    """Return rows with an id that fit, those of each file in its own types; and files that were left out."""

def find_arrays(path: _Path, ids: Sequence[str]) -> list[Rows]:
    """Return the rows of a file of arrays with these ids (id, data and shape).

    Raises:
        CorruptFileError: The file is damaged.
        OSError: It cannot be read.
    """

def survey(root: _Path) -> tuple[list[tuple[str, int, int, int, int]], list[dict[str, str]]]:
    """Look at all data of a workspace, by stat alone; hidden names and what vanishes meanwhile are left out.

    Returns:
        Folders that cannot be listed, as dicts of path, kind and message; and before that,
        in path order, for each prediction file, record of a dataset and template, for each run, folder of
        arrays, of artifacts and of a manifest of nirs4all 0.6: path (relative to the workspace), stamp
        (another one where a file in it came, went or changed), files, bytes, and when a file in it
        changed last (ns since 1970).

    Raises:
        OSError: The workspace cannot be listed.
    """

def performance(root: _Path, folders: Sequence[str], progress: _Report | None = None) -> list[dict[str, Any]]:
    """Return what the files of some folders say of models, by footers.

    Args:
        root: The workspace.
        folders: `predictions/<dataset>`, or "" for the files of nirs4all 0.6.
        progress: Called now and then with the files done and the files in all.

    Returns:
        For each folder a dict of rows, files, models (dicts of dataset, metric, direction, model, count of
        rows, scores that are finite, their sum, and the best of them), is_for_all (whether no metric is
        ranked that only this process knows) and errors.
    """

def rebuild_summaries(root: _Path, progress: _Report | None = None, *, threads: int = 0) -> dict[str, Any]:
    """Return what `Predictions.rebuild_summaries` returns."""

def verify_files(
    root: _Path, full: bool = False, progress: _Report | None = None, *, threads: int = 0
) -> dict[str, Any]:
    """Return what `Workspace.verify` returns."""

def blake3_hex(content: bytes, digits: int = 64) -> str:
    """Return the first hexadecimal digits of the BLAKE3 of some bytes."""

def slug(name: str) -> str:
    """Return a short name in ASCII letters, digits and `_`, lowercase, that people recognise; maybe empty."""

def dataset_folder(name: str) -> str:
    """Return the folder of a dataset below `predictions` and `arrays`: its slug and 8 hex of BLAKE3."""

def run_of(file: str) -> str | None:
    """Return the run whose segment, journal or the like has this name; None where the name does not say."""

def array_ids(arrays: object) -> list[str]:
    """Return the ids that arrays have by their content.

    Args:
        arrays: An Arrow table, batch or data frame with columns `array_data` (large lists of 64-bit
            floats), `array_shape` and `array_type`.
    """

def row_schema() -> list[tuple[str, str]]:
    """Return the columns that every segment has, each with "text", "int", "float" or "time"."""

def journal_arrays(
    path: _Path, place: tuple[int, int, int] | None = None
) -> tuple[list[Rows], tuple[int, int, int] | None, str | None]:
    """Return arrays of a journal, some 64 MB of them.

    Args:
        path: The journal.
        place: Where to go on; None for the begin.

    Returns:
        The arrays of each frame, the place to go on (None at the end), and what is damaged among them, if
        anything is.
    """

def recover(root: _Path, run_id: str | None = None, dead_hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `Workspace.recover` returns."""

def live_journals(root: _Path, run_id: str) -> list[dict[str, Any]]:
    """Return path, host, boot_id, pid and since of the journals of a run whose writers live."""

def run_results(root: _Path, run_id: str) -> dict[str, Any]:
    """Return the checkpointed results of one run as `list_results` does; no other run is looked at.

    Raises:
        OSError: A list of results cannot be read.
        CorruptFileError: A journal cannot be read.
    """

def finished_results(root: _Path, run_id: str) -> tuple[list[tuple[str, str]], list[dict[str, str]]]:
    """Return the finished results of a run, and what of them is damaged or cannot be read.

    Returns:
        Pairs of the writer that checkpointed a result and its JSON text; dicts of path, kind and message.

    Raises:
        OSError: A list of results cannot be read.
    """

def run_files(root: _Path, run_id: str) -> tuple[list[Path], list[dict[str, str]]]:
    """Return every file of a run below `predictions` and `arrays`, relative to the workspace.

    Folders that may hold others and cannot be listed come after that, as dicts of path, kind and message.
    """

def remove_partial(root: _Path, run_id: str) -> list[Path]:
    """Remove the rows of a run's unfinished results, durably; return the files, relative to the workspace."""

def sweep(root: _Path, folder: str | None = None) -> tuple[list[str], list[dict[str, str]]]:
    """Remove journals that are covered, segments that were replaced and what dead processes left.

    Names that were replaced less than 10 s ago (network drive: 120 s) stay.

    Args:
        root: The workspace.
        folder: Only in this folder of a dataset.

    Returns:
        The files, relative to the workspace, and what could not be looked at or removed, as dicts of path,
        kind and message.
    """

def passed_over(
    root: _Path, run_id: str, folder: str | None = None
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the segments of a run that `compact` leaves as they are.

    Returns:
        Those that are not merged with others since a column has another type there, as dicts of run_id,
        path, column and reason; those whose journals are still there, where there is another one to merge
        them with, relative to the workspace.

    Raises:
        CorruptFileError: A segment cannot be read.
    """

def compact(root: _Path, run_id: str, folder: str | None = None) -> list[dict[str, Any]]:
    """Merge the sealed segments of a run that nobody owns, in each folder of predictions or in one.

    Returns:
        Dicts of output, inputs (both relative to the workspace) and rows.
    """

@final
class ScanPlan:
    """The files of a workspace at one moment, and in which columns and types their rows are answered."""

    def __init__(self, root: _Path, *, live: bool, partial: bool, is_last: bool) -> None:
        """Look what lies in a workspace.

        Args:
            root: The workspace.
            live: Whether open segments are read.
            partial: Whether rows of results that were never finished are read.
            is_last: Whether a file that vanished is one of the errors.

        Raises:
            FileNotFoundError: A listed file vanished.
            OSError: The workspace cannot be listed.
        """

    def schema(self) -> bytes:
        """Return the columns of the answer, as an Arrow IPC stream without rows."""

    def errors(self) -> list[dict[str, str]]:
        """Return files that cannot be used, as dicts of path, kind and message."""

    def groups(
        self, columns: list[str], like: ScanPlan
    ) -> tuple[list[tuple[list[tuple[int, Path]], list[str], int]], list[int], list[dict[str, str]]]:
        """Return how files are read for these columns of the answer of a plan.

        Returns:
            Groups of files of equal columns that another Parquet reader reads as the answer says, each with
            places and paths of its files, the columns that they have and their rows; the places of other
            files, which `stream` reads; and files whose columns are damaged, as dicts of path, kind and
            message.

        Raises:
            FileNotFoundError: A file vanished.
        """

    def stream(self, file: int, columns: list[str], like: ScanPlan) -> RowStream:
        """Return the rows of a file in these columns of the answer of a plan."""

    def path(self, file: int) -> Path:
        """Return the path of a file, by its place."""

    def name(self, file: int) -> str:
        """Return the name of a file in the workspace, by its place."""

class RowStream:
    """The rows of one file, converted, a few at a time."""

    def next(self) -> Rows | None:
        """Return the next rows; None after the last ones.

        Raises:
            CorruptFileError: The file cannot be read.
            FileNotFoundError: It was replaced since it was listed.
        """

    def errors(self) -> list[dict[str, str]]:
        """Return what was damaged or did not convert so far, as dicts of path, kind and message."""

class Rows:
    """Rows that any library takes by the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return them as an Arrow stream; what schema is requested changes nothing."""

class RowReader:
    """Rows of a Parquet file, a batch at a time; memory does not grow with the file.

    Args:
        path: The file.
        columns: Those that are read, where the file has them; None for all.
        start: The first row.
        count: Rows at most.
        batch: Rows of one batch at most.

    Raises:
        CorruptFileError: It is no Parquet file, or contradicts itself.
        OSError: It cannot be read.
    """

    def __new__(cls, path: _Path, columns: list[str] | None, start: int, count: int, batch: int) -> Self: ...
    def schema(self) -> bytes:
        """Return an Arrow IPC stream without rows."""

    def next(self) -> Rows | None:
        """Return the next rows; None after the last ones.

        Raises:
            CorruptFileError: They cannot be read.
        """

class JournalWriter:
    """What `Writer` is a thin cover of; see there.

    Args:
        root: The workspace.
        run_id: The run.
        dataset_name: The dataset.
        folder: Its folder below `predictions`.
        durable: Whether a flush waits for the disk.
        flush_rows: Rows that wait at most.
        flush_bytes: Bytes that wait at most, about.
        flush_seconds: Seconds that a row waits at most.
        ids: What its files are named after and the id of its journal (12 and 32 hexadecimal digits), made of
            what will be written; None for random ones.
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
    ) -> Self: ...
    @property
    def writer_id(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    def progress(self) -> tuple[int, int]:
        """Return the rows that were acknowledged and the rows that wait."""

    def write(self, row: dict[str, Any]) -> bool:
        """Add a row; return whether it is time to flush."""

    def write_batch(self, batch: object) -> bool:
        """Add the rows of a batch; return whether it is time to flush."""

    def write_arrays(self, arrays: object) -> list[str]:
        """Store arrays; return their ids."""

    def flush(self) -> None:
        """Append what waits to the journal."""

    def tally(self, result_id: str) -> dict[str, Any]:
        """Return n_rows, metric, score_kind, best_score and best_model of an unfinished result's rows."""

    def checkpoint(self, result_id: str, result: str) -> None:
        """Append what waits and a result, a JSON object with that id."""

    def close(self) -> list[dict[str, Any]]:
        """Flush and seal; return what became of each journal."""
