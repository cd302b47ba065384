"""What writing costs: each function runs in a process of its own and returns what it measured itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import make_workspace
import nirs4all_workspace as n4w
import polars as pl
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

DATASET = "dataset_00000"
RUN = "2026-01-01_Bench_0123456789ab"
APPENDED = 50
STREAM = 10_000
REPEATS = 20
ORDINARY = {"run_id", "dataset_name", "result_id"}


def chunks(rows: int, each: int = make_workspace.CHUNK_ROWS) -> Iterator[pl.DataFrame]:
    """So many rows of one dataset and run, each with an id of its own, columns as nirs4all has them."""
    columns = [name for name in make_workspace.COLUMNS if name not in ORDINARY]
    for start in range(0, rows, each):
        count = min(each, rows - start)
        yield make_workspace.rows(start // each, 1, each, 1, columns).head(count)


def workspace(folder: str, rows: int) -> n4w.Workspace:
    """A workspace whose dataset has so many rows in a sealed segment; made once."""
    path = Path(folder)
    if path.exists():
        return n4w.Workspace.open(path)
    made = n4w.Workspace.create(path)
    with made.predictions.writer(RUN, DATASET, durability="none", flush_rows=100_000) as writer:
        for chunk in chunks(rows):
            writer.write_batch(chunk)
    return made


def new_rows() -> list[dict[str, object]]:
    """Rows to append, as a training loop has them."""
    columns = [name for name in make_workspace.COLUMNS if name not in ORDINARY and name != "id"]
    return make_workspace.rows(7, 1, APPENDED, 1, columns).to_dicts()


def append_on_open(folder: str, rows: str) -> float:
    """Write and flush 50 rows on an open writer, the median of some."""
    opened = workspace(folder, int(rows))
    appended = new_rows()
    with opened.predictions.writer(RUN, DATASET) as writer:
        return flushes(writer, appended)


def flushes(writer: n4w.Writer, appended: list[dict[str, object]]) -> float:
    """Write and flush some rows again and again, the median."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for row in appended:
            writer.write(row)
        writer.flush()
        times.append(time.perf_counter() - began)
    return sorted(times)[REPEATS // 2]


def append_and_close(folder: str, rows: str) -> float:
    """Open a writer, append 50 rows and close it."""
    opened = workspace(folder, int(rows))
    appended = new_rows()
    began = time.perf_counter()
    with opened.predictions.writer(RUN, DATASET) as writer:
        for row in appended:
            writer.write(row)
    return time.perf_counter() - began


def save_after(rows: str) -> float:
    """Flush 50 rows, summary and all, on a writer that took so many before, the median of some."""
    appended = new_rows()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        made = n4w.Workspace.create(Path(folder) / "w")
        with made.predictions.writer(RUN, DATASET, durability="none", flush_rows=100_000) as writer:
            for chunk in chunks(int(rows)):
                writer.write_batch(chunk)
            writer.flush()
            seconds = flushes(writer, appended)
            os.sync()
    return seconds


def rewrite(folder: str, rows: str) -> float:
    """What nirs4all 0.6 does: read all, append 50, summarise and write all anew, without fsync."""
    path = Path(folder) / f"{DATASET}.meta.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.concat(chunks(int(rows))).write_parquet(path)
    appended = pl.DataFrame(new_rows())
    began = time.perf_counter()
    frame = pl.concat([pl.read_parquet(path), appended], how="diagonal_relaxed")
    frame.group_by("model_name").agg(
        pl.len(), pl.col("val_score").mean(), pl.col("val_score").min().alias("best")
    )
    frame.write_parquet(path)
    return time.perf_counter() - began


def one_fsync(folder: str) -> float:
    """Append as many bytes as 50 rows take to an open file and wait for the disk, the median of some."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    times = []
    with (path / "floor").open("wb", buffering=0) as file:
        for _ in range(REPEATS):
            began = time.perf_counter()
            file.write(os.urandom(12_000))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[REPEATS // 2]


def stream(rows: str) -> float:
    """Write batches of 10 k rows, each durable, and seal: the rows are made before and not counted."""
    frames = [chunk.to_arrow() for chunk in chunks(int(rows), STREAM)]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        made = n4w.Workspace.create(Path(folder) / "w")
        began = time.perf_counter()
        with made.predictions.writer(RUN, DATASET, flush_rows=STREAM) as writer:
            for frame in frames:
                writer.write_batch(frame)
        return time.perf_counter() - began


def stream_pyarrow(rows: str) -> float:
    """The same rows through `pq.ParquetWriter`, without durability and summary."""
    frames = [chunk.to_arrow() for chunk in chunks(int(rows), STREAM)]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        began = time.perf_counter()
        with pq.ParquetWriter(Path(folder) / "all.parquet", frames[0].schema, compression="zstd") as writer:
            for frame in frames:
                writer.write_table(frame)
        return time.perf_counter() - began


def peak() -> float:
    """MiB that this process took at most; what getrusage says begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def stream_peak(rows: str) -> float:
    """MiB at most while so many rows are made, streamed and sealed."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        made = n4w.Workspace.create(Path(folder) / "w")
        with made.predictions.writer(RUN, DATASET) as writer:
            for chunk in chunks(int(rows), STREAM):
                writer.write_batch(chunk)
        return peak()


def compact_peak(rows: str) -> float:
    """MiB at most while four segments of so many rows in all become one."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "w"
        code = f"import writes; writes.make_segments({str(path)!r}, {int(rows)})"
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
        opened = n4w.Workspace.open(path)
        for journal in path.glob("predictions/*/*.journal"):
            journal.unlink()  # they are covered, and only too young to be swept
        began = peak()
        done = opened.predictions.compact()
        if [one["rows"] for one in done["compacted"]] != [int(rows)]:
            raise RuntimeError(f"compacted {done}")
        return max(peak(), began)


def make_segments(folder: str, rows: int) -> None:
    """Four sealed segments of so many rows in all."""
    made = n4w.Workspace.create(folder)
    everything = chunks(rows, rows // 40)
    for _ in range(4):
        with made.predictions.writer(RUN, DATASET, durability="none", flush_rows=100_000) as writer:
            for _ in range(10):
                writer.write_batch(next(everything))


def count_fsyncs(work: str, folder: str, rows: str) -> int:
    """How often a whole call waits for the disk, by strace."""
    with tempfile.NamedTemporaryFile("r") as log:
        command = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", log.name, sys.executable]
        code = f"import writes; writes.{work}({folder!r}, {rows!r})"
        subprocess.run(
            [*command, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        )
        return sum("sync(" in line for line in log)
