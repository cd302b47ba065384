"""Measures everything against its peers and floors and prints one Markdown table.

    python benches/table.py --json benches/results/DATE-MACHINE.json
    python benches/table.py --quick

Ours, peers and floors take turns, so that a ratio compares runs of the same minute. Each figure of a
workspace is of a process of its own whose imports are not counted. Medians are shown; the JSON has all.
Bars are judged at full size only. Takes some 20 minutes, 4 GB of disk and 4 GB of memory.
"""

from __future__ import annotations

import argparse
import functools
import json
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import datasets
import listing
import make_workspace
import ours
import paging
import peers
import polars as pl
import scanning
import writes as writing
from report import Row, Times, curves, machine, versions

HERE = Path(__file__).parent
ROWS_PER_FILE = 100
Case = Callable[[], float]


@dataclass
class Bench:
    """Where things lie and how much is measured."""

    data: Path
    floor: Path
    quick: bool
    rounds: int
    nirs4all: str | None
    mlflow: str | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def user_cache(self) -> Path:
        """The user's cache folder, for as long as this runs."""
        return self.data / "user-cache"

    def in_turns(self, cases: dict[str, Case]) -> Times:
        """Every case once a round."""
        times: Times = {name: [] for name in cases}
        for _ in range(self.rounds):
            for name, case in cases.items():
                times[name].append(case())
        return times

    def add(self, row: Row) -> None:
        """Keeps a row and says so."""
        self.rows.append(row)
        print(" | ".join(row.cells(judged=False)[:5]), file=sys.stderr, flush=True)

    def once(self, work: str, *arguments: Path | str, python: str = sys.executable) -> float:
        """Seconds of one call in a fresh process."""
        command = [python, str(HERE / "once.py"), work, *map(str, arguments)]
        env = os.environ | {"XDG_CACHE_HOME": str(self.user_cache)}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # modules that load on use are compiled once, as for users
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env, cwd=self.data)
        return float(run.stdout)

    def uncached(self, work: str, folder: Path) -> float:
        """The same without any cache."""
        ours.forget(folder, self.user_cache)
        return self.once(work, folder)

    def kernel(self, mode: str, folder: Path, *arguments: object, repeats: int = 5) -> float:
        """Seconds of the system calls alone, the median of so many times in one process."""
        command = [str(argument) for argument in (self.floor, mode, folder, *arguments, repeats)]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return median(float(line.split()[0]) for line in run.stdout.splitlines())

    def make(self, name: str, make: Callable[..., None], *arguments: int) -> Path:
        """Makes data, with summaries in the footers if these are prediction files."""
        folder = self.data / name
        if not folder.exists():
            print(f"making {name}", file=sys.stderr, flush=True)
            make(folder, *arguments)
            if make in (make_workspace.make_flat, make_workspace.make_segments):
                self.once("ours:rebuild", folder)
                time.sleep(3)  # the cache does not trust files younger than that
        return folder


def measure_footers(
    bench: Bench,
    what: str,
    family: str,
    folder: Path,
    files: int,
    peer_names: list[str],
    floors: float = 0.0,
) -> Row:
    """Ours without and with cache, the floors of both, and peers."""
    check_footers(folder, files)
    kib = 4 * -(-median_footer(folder) // 4096)
    # Both of fresh processes, since the first threads and pages of each cost more than five files, and
    # the median of five, since the first after a peer finds the caches full of what the peer left.
    five = range(5)
    answer = bench.data / f"{folder.name}.marshal"
    answer.write_bytes(marshal.dumps(ours.summary(str(folder))))
    cases: dict[str, Case] = {
        "ours": lambda: median(bench.uncached("ours:summary", folder) for _ in five),
        "again": lambda: median(bench.once("ours:summary", folder) for _ in five),
        "floor": lambda: median(bench.kernel("tail", folder, kib, repeats=1) for _ in five),
        "warm floor": lambda: bench.kernel("tail", folder, kib),
        "floor of again": lambda: median(bench.kernel("stat", folder, repeats=1) for _ in five),
        "warm floor of again": lambda: bench.kernel("stat", folder),
        "the answer's objects alone": lambda: median(bench.once("peers:objects", answer) for _ in five),
    }
    for name in peer_names:
        cases[name.replace("_", " ")] = functools.partial(bench.once, f"peers:{name}", folder)
    times = bench.in_turns(cases)
    check_footers(folder, files)
    again = {"ours": times.pop("again")}
    again |= {name: times.pop(f"{name} of again") for name in ("floor", "warm floor")}
    bar = functools.partial(Row, floor="floor", floors=floors)
    row = bar(f"Summary from {what}, no cache", family, files, times)
    bench.add(row)
    bench.add(bar("the same again, nothing changed", f"{family} again", files, again))
    return row


def check_footers(folder: Path, files: int) -> None:
    """That footers alone answer, and all of them."""
    summary = ours.summary(str(folder))
    found = summary["total_predictions"], len(summary["scanned"]), len(summary["errors"])
    if found != (files * ROWS_PER_FILE, 0, 0):
        raise RuntimeError(f"{folder}: (rows, files scanned, errors) are {found}")


def median_footer(folder: Path) -> int:
    """Bytes, with length and magic."""
    sizes = []
    for file in peers.files(str(folder)):
        with Path(file).open("rb") as opened:
            opened.seek(-8, os.SEEK_END)
            sizes.append(int.from_bytes(opened.read(4), "little") + 8)
    return int(median(sizes))


def footers(bench: Bench) -> None:
    """Whole workspaces at several sizes."""
    few = ["footers_pyarrow_8_threads", "footers_duckdb", "footers_polars"]
    every = [*few, "footers_pyarrow_loop", "footers_polars_2_threads", "scan_polars"]
    flat = make_workspace.make_flat
    datasets, most = (5, 300) if bench.quick else (50, 10_000)
    small = [("flat", datasets, (5, 25, 50, 200))] + ([] if bench.quick else [("five", 5, (5, 25, 50, 200))])
    for family, most_datasets, sizes in small:
        for files in sizes:
            folder = bench.make(f"{family}-{files}", flat, files, ROWS_PER_FILE, most_datasets)
            what = f"{files} footers of {min(files, most_datasets)} datasets"
            row = measure_footers(bench, what, family, folder, files, few)
            if family == "five" and files >= 25:
                row.faster_than = {"footers polars": 5.0}
    if not bench.quick:
        folder = bench.make("flat-1000", flat, 1_000, ROWS_PER_FILE, datasets)
        measure_footers(bench, "1,000 footers", "flat", folder, 1_000, few)
    folder = bench.make(f"flat-{most}", flat, most, ROWS_PER_FILE, datasets)
    what = f"{most:,} footers of {datasets} datasets"
    row = measure_footers(bench, what, "flat", folder, most, every, floors=3.0)
    row.faster_than = {"footers polars": 6.0}
    folder = bench.make(f"own-{most}", flat, most, ROWS_PER_FILE, most)
    what = f"{most:,} footers, each a dataset of its own"
    measure_footers(bench, what, "own", folder, most, few)
    segments = [most // datasets, datasets, ROWS_PER_FILE]
    folder = bench.make(f"segments-{most}", make_workspace.make_segments, *segments)
    measure_footers(bench, f"{most:,} segments of format 2", "segments", folder, most, few, floors=3.0)


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def summaries(bench: Bench) -> None:
    """Rows in memory, as batches and one at a time."""
    for rows in (10_000, 20_000) if bench.quick else (10_000, 100_000, 1_000_000, 10_000_000):
        frame = make_workspace.summary_rows(rows)
        batches = make_workspace.arrow_batches(frame)
        work: dict[str, Callable[[], object]] = {
            "ours": functools.partial(ours.add_batch, batches),
            "ours from a Polars frame": functools.partial(ours.add_batch, frame),
            "Polars in three passes": functools.partial(peers.three_passes, frame, peers.FACETS),
            "Polars quartiles alone": functools.partial(peers.quartiles_polars, frame),
        }
        times = bench.in_turns({name: functools.partial(seconds_of, case) for name, case in work.items()})
        is_largest = rows >= 10_000_000
        faster_than = {"Polars in three passes": 1.0} if is_largest else {}
        bench.add(Row(f"Summary of {rows:,} rows from Arrow batches", "rows", rows, times, faster_than))

    columns = make_workspace.COLUMNS + make_workspace.RUN_COLUMNS
    mappings = make_workspace.rows(0, 10, 100, 10, columns).to_dicts() * (5 if bench.quick else 100)
    cases: dict[str, Case] = {
        "ours": lambda: seconds_of(lambda: ours.add_rows(mappings)) / len(mappings),
        "plain Python": lambda: (
            seconds_of(lambda: ours.add_rows(mappings, peers.PlainAccumulator())) / len(mappings)
        ),
    }
    times = bench.in_turns(cases)
    bench.add(Row("Add one row as a mapping", "mapping", 1, times, {"plain Python": 1.5}))


def rankings(bench: Bench) -> None:
    """Rankings and groups over many segments, against a database and single files."""
    segments, datasets, rows_each = (20, 5, 200) if bench.quick else (1_000, 50, 1_000)
    folder = bench.make(
        f"ranked-{segments}", make_workspace.make_segments, segments // datasets, datasets, rows_each
    )
    store = bench.make(f"store-{segments}", make_workspace.make_store, segments, rows_each, datasets)
    one_file = bench.data / f"ranked-{segments}.parquet"
    if not one_file.exists():
        pl.scan_parquet(peers.files(str(folder))).sink_parquet(one_file)
    frame = pl.read_parquet(one_file, columns=peers.SHOWN)
    for what, work in (("Top 10", "top"), ("Count and mean score by model", "by_model")):
        in_memory = peers.top_polars if work == "top" else peers.by_model_polars
        cases: dict[str, Case] = {
            "ours": functools.partial(bench.uncached, f"ours:{work}", folder),
            "ours again": functools.partial(bench.once, f"ours:{work}", folder),
            "nirs4all 1.4 store, its SQL": functools.partial(bench.once, f"peers:{work}_store", store),
            "DuckDB, one file": functools.partial(bench.once, f"peers:{work}_duckdb", one_file),
            "Polars, in memory": functools.partial(seconds_of, functools.partial(in_memory, frame)),
        }
        if work == "top":
            cases["the store by its index, by hand"] = functools.partial(
                bench.once, "peers:top_store_by_index", store
            )
        if work == "top" and bench.nirs4all:
            api = functools.partial(bench.once, "peers_nirs4all:top_store_api", store, python=bench.nirs4all)
            cases["nirs4all 1.4 store, its API"] = api
        times = bench.in_turns(cases)
        name = f"{what} of {segments * rows_each:,} rows over {segments:,} segments, no cache"
        bench.add(Row(name, work, segments * rows_each, times, {"nirs4all 1.4 store, its SQL": 10.0}))


def writes(bench: Bench) -> None:
    """Appending, saving and streaming, and the memory that takes."""
    sizes = (1_000, 2_000) if bench.quick else (1_000, 10_000, 1_000_000)
    folders = {size: bench.data / f"appended-{size}" for size in sizes}
    cases: dict[str, Case] = {"floor": lambda: bench.once("writes:one_fsync", bench.data / "floor")}
    for size, folder in folders.items():
        for work in ("append_on_open", "append_and_close"):
            cases[f"{work} {size:,}"] = functools.partial(bench.once, f"writes:{work}", folder, str(size))
        cases[f"rewrite {size:,}"] = functools.partial(
            bench.once, "writes:rewrite", bench.data / f"rewritten-{size}", str(size)
        )
    bench.in_turns(cases)  # makes the workspaces
    times = bench.in_turns(cases)
    least = f"to {sizes[0]:,}"
    for what, work in (
        ("on an open writer", "append_on_open"),
        ("opening and closing it", "append_and_close"),
    ):
        for size, folder in folders.items():
            shown = {
                "ours": times[f"{work} {size:,}"],
                "reading and rewriting all": times[f"rewrite {size:,}"],
                least: times[f"{work} {sizes[0]:,}"],
                "floor": times["floor"],
            }
            name = f"Append 50 rows durably to {size:,}, {what}"
            within = {least: 1.5} if work == "append_on_open" else {}
            bench.add(Row(name, work, size, shown, floor="floor", within=within))
            if shutil.which("strace"):
                count = float(writing.count_fsyncs(work, str(folder), str(size)))
                rounds = writing.REPEATS if work == "append_on_open" else 1
                limit = 3.0 if work == "append_on_open" else 10.0
                per_flush = count / rounds
                bench.add(
                    Row(
                        f"waits for the disk: {name}",
                        f"fsyncs {work}",
                        size,
                        {"ours": [per_flush]},
                        limit=limit,
                        unit=" ",
                    )
                )

    sizes = (1_000, 20_000) if bench.quick else (10_000, 100_000, 1_000_000, 10_000_000)
    times = bench.in_turns(
        {f"after {size:,}": functools.partial(bench.once, "writes:save_after", str(size)) for size in sizes}
    )
    least = f"after {sizes[0]:,}"
    for size in sizes:
        shown = {"ours": times[f"after {size:,}"], least: times[least]}
        bench.add(Row(f"Save 50 rows with summary after {size:,}", "save", size, shown, within={least: 1.5}))

    rows = 20_000 if bench.quick else 1_000_000
    cases = {
        "ours": functools.partial(bench.once, "writes:stream", str(rows)),
        "pq.ParquetWriter": functools.partial(bench.once, "writes:stream_pyarrow", str(rows)),
    }
    bench.add(
        Row(
            f"Stream {rows:,} rows, durable every 10 k, sealed",
            "stream",
            rows,
            bench.in_turns(cases),
            {"pq.ParquetWriter": 0.5},
        )
    )

    few, many = (40_000, 80_000) if bench.quick else (1_000_000, 10_000_000)
    for what, work in (("streaming", "stream_peak"), ("compaction", "compact_peak")):
        peaks = {
            "ours": [bench.once(f"writes:{work}", str(many))],
            f"at {few:,}": [bench.once(f"writes:{work}", str(few))],
        }
        bench.add(
            Row(
                f"Memory of {what} {many:,} rows",
                work,
                many,
                peaks,
                unit="MiB",
                beyond={f"at {few:,}": 300.0},
            )
        )


def migrating(bench: Bench) -> None:
    """A folder of nirs4all 0.6, moved and compared, and the memory that takes."""
    few, many = (20_000, 60_000) if bench.quick else (1_000_000, 10_000_000)
    folders = {}
    for rows in (few, many):
        folders[rows] = bench.data / f"old-{rows}"
        if not folders[rows].exists():
            print(f"making old-{rows}", file=sys.stderr, flush=True)
            bench.once("migration:make", folders[rows], str(rows))
    times = bench.in_turns({"ours": functools.partial(bench.once, "migration:migrate", folders[few])})
    bench.add(Row(f"Migrate {few:,} rows with arrays, compared", "migrate", few, times))
    peaks = {
        "ours": [bench.once("migration:migrate_peak", folders[many])],
        f"at {few:,}": [bench.once("migration:migrate_peak", folders[few])],
    }
    name = f"Memory of migrating {many:,} rows"
    bench.add(Row(name, "migrate_peak", many, peaks, unit="MiB", beyond={f"at {few:,}": 300.0}))


def importing(bench: Bench) -> None:
    """A store of nirs4all 1.4, moved and compared, and the memory that takes; needs nirs4all to be made."""
    few, many = (2_000, 6_000) if bench.quick else (100_000, 1_000_000)
    folders = {}
    for rows in (few, many):
        folders[rows] = bench.data / f"store-{rows}"
        if not folders[rows].exists():
            print(f"making store-{rows}", file=sys.stderr, flush=True)
            bench.once("stores:make", folders[rows], str(rows))
    times = bench.in_turns({"ours": functools.partial(bench.once, "stores:bring", folders[many])})
    bench.add(Row(f"Import a store of {many:,} predictions with arrays, compared", "bring", many, times))
    peaks = {
        "ours": [bench.once("stores:bring_peak", folders[many])],
        f"at {few:,}": [bench.once("stores:bring_peak", folders[few])],
    }
    name = f"Memory of importing {many:,} predictions"
    bench.add(Row(name, "bring_peak", many, peaks, unit="MiB", beyond={f"at {few:,}": 300.0}))


def imports(bench: Bench) -> None:
    """A fresh interpreter imports a package."""

    def seconds(module: str) -> float:
        code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        run = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, env=env)
        return float(run.stdout)

    names = {
        "ours": "nirs4all_workspace",
        "polars": "polars",
        "pyarrow": "pyarrow.parquet",
        "duckdb": "duckdb",
    }
    times = bench.in_turns({name: functools.partial(seconds, module) for name, module in names.items()})
    bench.add(Row("Import of the package", "import", 1, times, limit=0.15))


def build_floor() -> Path:
    root = HERE.parent
    subprocess.run(
        ["cargo", "build", "--release", "--example", "floor", "-p", "n4w-core"], check=True, cwd=root
    )
    return Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "release" / "examples" / "floor"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing judged")
    parser.add_argument("--rounds", type=int, help="default 5, with --quick 2")
    parser.add_argument("--only", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--json", type=Path, help="where the raw results go")
    parser.add_argument(
        "--data", type=Path, help="a folder whose data is reused and kept; default: a temporary one"
    )
    parser.add_argument("--floor", type=Path, help="the compiled example `floor`; default: built here")
    parser.add_argument("--nirs4all", help="a Python that has nirs4all 1.4, to measure its API too")
    parser.add_argument(
        "--mlflow", help="a Python that has mlflow-skinny and SQLAlchemy, to list its runs too"
    )
    args = parser.parse_args()
    rounds = args.rounds or (2 if args.quick else 5)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        data = args.data or Path(temporary)
        data.mkdir(parents=True, exist_ok=True)
        bench = Bench(
            data.resolve(), args.floor or build_floor(), args.quick, rounds, args.nirs4all, args.mlflow
        )
        os.environ["XDG_CACHE_HOME"] = str(bench.user_cache)
        for family in args.only:
            FAMILIES[family](bench)
    print("| work | ours | peers | floor | ratio | bar | met |\n|---|---|---|---|---|---|---|")
    for row in bench.rows:
        print("| " + " | ".join(row.cells(judged=not args.quick)) + " |")
    if args.json:
        result = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions({"nirs4all": bench.nirs4all, "mlflow-skinny": bench.mlflow}),
            "quick": args.quick,
            "rounds": rounds,
            "rows": [asdict(row) for row in bench.rows],
            "curves": curves(bench.rows),
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")


FAMILIES = {
    "footers": footers,
    "summaries": summaries,
    "rankings": rankings,
    "pages": paging.measure,
    "text pages": paging.measure_texts,
    "scans": scanning.measure,
    "writes": writes,
    "listing": listing.listing,
    "results": listing.results,
    "hashing": datasets.hashing,
    "indexing": datasets.indexing,
    "resolving": datasets.resolving,
    "migration": migrating,
    "stores": importing,
    "imports": imports,
}

if __name__ == "__main__":
    main()
