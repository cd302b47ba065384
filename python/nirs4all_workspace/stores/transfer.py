"""Moving the predictions of a store into segments, a batch at a time, and reading them again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace._io import files
from nirs4all_workspace.migration import tables
from nirs4all_workspace.migration.rows import Group
from nirs4all_workspace.migration.transfer import writer_ids
from nirs4all_workspace.stores.array_files import FILE, HASH, ID, PLACE, ArrayFiles, hash_of
from nirs4all_workspace.stores.rows import PART, REFERENCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.migration.report import Report
    from nirs4all_workspace.stores.plan import Part, Plan
    from nirs4all_workspace.stores.rows import Rows
    from nirs4all_workspace.stores.source import Source
    from nirs4all_workspace.workspace import Workspace

# Limits: open writers, bytes that wait in all of them, and predictions without arrays of one batch.
_WRITERS = 32
_SEALERS = 2
_BYTES = 32 * 1024 * 1024
_ROWS = 10_000
# Columns of a segment that its writer adds, or normalises.
_OF_WRITER = ("run_id", "dataset_name")
_ARRAYS = ".arrays.parquet"


class Transfer:
    """Reads the predictions of parts, with their arrays, and writes those of parts that have a writer."""

    def __init__(self, source: Source, plan: Plan, rows: Rows, paths: Sequence[Path], report: Report) -> None:
        """Look up where the arrays of each prediction are."""
        self._rows, self._source = rows, source
        self._parts = plan.parts
        self._known = self._parts_of_predictions(source, plan)
        self.arrays = ArrayFiles(source, self._known, paths, report)

    def read(self, parts: Sequence[Part], step: Callable[[int], object]) -> None:
        """Read the rows of parts that exist already, for their digests; nothing is written."""
        for batch in self._in_order(parts):
            self._move(batch, step)

    def write(self, workspace: Workspace, parts: Sequence[Part], step: Callable[[int], object]) -> None:
        """Write the rows and results of parts to a workspace that no other process sees."""
        # Parts are sealed without the interpreter's lock, and wait for the disk: meanwhile the next are read.
        with ThreadPoolExecutor(_SEALERS) as pool:
            sealed: list[Future[None]] = []
            for batch in self._in_order(parts):
                for part in batch:
                    self._open(workspace, part, _BYTES // len(batch))
                self._move(batch, step)
                _finish(sealed)
                sealed = [pool.submit(self._close, part) for part in batch]
            _finish(sealed)

    @staticmethod
    def _open(workspace: Workspace, part: Part, size: int) -> None:
        part.rows = part.digest = part.n_arrays = 0
        part.groups.clear()
        part.writer = workspace.predictions.open_writer(
            part.run_id,
            part.dataset,
            durability="none",
            flush_rows=tables.ROWS,
            flush_bytes=size,
            flush_seconds=1e9,
            ids=writer_ids(part.run_id, part.dataset, *part.replaces),
        )

    @staticmethod
    def _parts_of_predictions(source: Source, plan: Plan) -> pl.DataFrame:
        import polars as pl

        number_of = {
            (pipeline_id, part.source_dataset): part.number
            for part in plan.parts
            for pipeline_id in part.results_of_pipelines
        }
        found = [pl.DataFrame(schema={HASH: pl.UInt64, PART: pl.Int32})]
        for batch in source.column_batches("predictions", [ID, "pipeline_id", "dataset_name"]):
            numbers = [number_of.get((row[1], row[2])) for row in batch]
            ids = pl.DataFrame({ID: pl.Series([row[0] for row in batch], dtype=pl.String)})
            found.append(ids.select(hash_of(ID), pl.Series(PART, numbers, pl.Int32)))
        return pl.concat(found)

    def _in_order(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """Yield parts by the place of their arrays, as many as are written at once."""
        first = self.arrays.used.unique(PART, keep="first", maintain_order=True)
        place = {part: (file, row) for part, file, row in first.select(PART, FILE, PLACE).iter_rows()}
        ordered = sorted(parts, key=lambda part: (place.get(part.number, (-1, 0)), part.number))
        for at in range(0, len(ordered), _WRITERS):
            yield ordered[at : at + _WRITERS]

    def _move(self, parts: Sequence[Part], step: Callable[[int], object]) -> None:
        import polars as pl

        numbers = [part.number for part in parts]
        used = self.arrays.used.filter(pl.col(PART).is_in(numbers))
        done: list[pl.Series] = []
        for frame in _ahead(self._joined(used, numbers)):
            done.append(frame.select(hash_of("id")).to_series())
            self._add(frame, step)
        left = self._known.filter(pl.col(PART).is_in(numbers))
        if done:
            left = left.join(pl.concat(done).to_frame(), on=HASH, how="anti")
        if left.height:
            self._move_without_arrays(set(left[HASH].to_list()), numbers, step)

    def _joined(self, used: pl.DataFrame, numbers: Sequence[int]) -> Iterator[pl.DataFrame]:
        """Yield rows of the database with their arrays."""
        for arrays in self.arrays.batches(used):
            found = self._rows.of(arrays[ID].to_list(), numbers)
            joined = arrays.join(found, left_on=ID, right_on="id", how="inner", maintain_order="left")
            yield joined.rename({ID: "id"})

    def _move_without_arrays(
        self, hashes: set[int], numbers: Sequence[int], step: Callable[[int], object]
    ) -> None:
        waiting: list[str] = []
        wanted = {pipeline for number in numbers for pipeline in self._parts[number].results_of_pipelines}

        def add() -> None:
            self._add(self._rows.of(waiting, numbers), step)
            waiting.clear()

        for batch in self._source.column_batches("predictions", [ID, "pipeline_id"]):
            import polars as pl

            ids = [row[0] for row in batch if row[1] in wanted]
            if not ids:
                continue
            found = (
                pl.DataFrame({ID: pl.Series(ids, dtype=pl.String)}).select(hash_of(ID)).to_series().to_list()
            )
            waiting += [one for one, digest in zip(ids, found, strict=True) if digest in hashes]
            if len(waiting) >= _ROWS:
                add()
        if waiting:
            add()

    def _add(self, frame: pl.DataFrame, step: Callable[[int], object]) -> None:
        if frame.is_empty():
            return
        self._describe(frame)
        whole, arrays = self._rows.with_arrays(frame)
        of_parts = arrays.partition_by(PART, as_dict=True, include_key=False)
        for key, rows in whole.partition_by(PART, as_dict=True, include_key=False).items():
            part, own = self._parts[int(str(key[0]))], of_parts.get(key)
            part.rows += rows.height
            part.digest = (part.digest + digest_of(rows)) % 2**128
            part.n_arrays += 0 if own is None else own.height
            if part.writer is None:
                continue
            if own is not None:
                part.writer.write_arrays(own)
            is_alike = part.dataset == part.source_dataset
            part.writer.write_batch(rows if is_alike else rows.with_columns(dataset_name=_text(part.dataset)))
        step(frame.height)

    def _describe(self, frame: pl.DataFrame) -> None:
        """Note what rows say of their dataset, for their results."""
        import polars as pl

        named = ("fold_id", "partition", "n_samples", "n_features", "task_type")
        lacking = [name for name in named if name not in frame.columns]
        keys = [PART, "result_id", "fold_id", "partition"]
        parts = (
            frame.with_columns(pl.lit(None).alias(name) for name in lacking)
            .group_by(keys, maintain_order=True)
            .agg(pl.len().alias("rows"), pl.col("n_samples", "n_features").max(), pl.col("task_type").first())
        )
        for row in parts.iter_rows(named=True):
            part = self._parts[row[PART]]
            group = part.groups.setdefault(row["result_id"], Group(part.dataset, None, first=0))
            group.add(row | {"first": 0, "last": 0})

    def _close(self, part: Part) -> None:
        writer = part.writer
        if writer is None:
            return
        part.sample_ids = self._rows.sample_ids.get(part.number, set())
        writer.checkpoint_all(map(part.fields_of, part.results))
        path = writer.path
        writer.close()
        part.writer, part.writer_id = None, writer.writer_id
        if path is not None:
            # No process reads here yet: the journals that the segment covers are removed at once.
            path.unlink(missing_ok=True)


def _ahead(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield frames, the next one of which is read meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, frames, None)
        while (frame := waiting.result()) is not None:
            waiting = pool.submit(next, frames, None)
            yield frame


def _finish(sealed: Iterable[Future[None]]) -> None:
    for future in sealed:
        future.result()


def digest_of(frame: pl.DataFrame) -> int:
    """Return the digest of rows, whatever their order."""
    return _native.row_digest(frame.drop(_OF_WRITER, strict=False))


def read_again(root: Path, parts: Sequence[Part]) -> Iterator[tuple[int, int, int]]:
    """Yield rows, digest and the number of wrong arrays of what was written of each part, in order."""
    with ThreadPoolExecutor(_SEALERS) as pool:
        yield from pool.map(partial(_read_again, root), parts)


def _read_again(root: Path, part: Part) -> tuple[int, int, int]:
    rows = digest = wrong = 0
    named, stored = set[str](), set[str]()
    for path in files_of(root, part):
        for frame in _frames(path):
            if path.name.endswith(_ARRAYS):
                ids = frame["array_id"].to_list()
                wrong += sum(one != other for one, other in zip(ids, _native.array_ids(frame), strict=True))
                stored.update(ids)
                continue
            rows += frame.height
            digest += digest_of(frame)
            for name in REFERENCES:
                if name in frame.columns:
                    named.update(frame[name].drop_nulls())
    return rows, digest % 2**128, wrong + len(named - stored)


def stored_results(root: Path, part: Part) -> dict[str, tuple[str, str | None]]:
    """Return status and error of each result that was written of a part, by its id."""
    path = root / "runs" / part.run_id / f"results.{part.writer_id}.jsonl"
    lines = files.read_bytes(path).splitlines() if path.exists() else []
    found = map(json.loads, lines)
    return {result["id"]: (result["status"], result["error"]) for result in found}


def _frames(path: Path) -> Iterator[pl.DataFrame]:
    import polars as pl

    is_of_arrays = path.name.endswith(_ARRAYS)
    columns = ["array_id", "array_data", "array_shape", "array_type"] if is_of_arrays else None
    reader = _native.RowReader(path, columns, 0, 2**40, _ROWS)
    while (found := reader.next()) is not None:
        yield pl.DataFrame(found)


def files_of(root: Path, part: Part) -> list[Path]:
    """Return the files that the writer of a part left: arrays, then rows."""
    folder = _native.dataset_folder(part.dataset)
    named = (
        f"arrays/{folder}/{part.run_id}.{part.writer_id}{_ARRAYS}",
        f"predictions/{folder}/{part.run_id}.{part.compaction or part.writer_id}.meta.parquet",
    )
    return [path for path in map(root.joinpath, named) if path.exists()]


def _text(value: str) -> Any:  # noqa: ANN401 - an expression of Polars
    import polars as pl

    return pl.lit(value, pl.String)
