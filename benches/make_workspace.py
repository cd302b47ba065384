"""Workspaces to measure on: the same arguments always write the same rows.

A file repeats what nirs4all 0.6 writes for one call: configs of three models, each with three folds and
their two averages, each of these as a train, a val and a test row that carry the same three scores.

    python benches/make_workspace.py flat     FOLDER --files 10000 --datasets 50
    python benches/make_workspace.py segments FOLDER --runs 200 --datasets 50
    python benches/make_workspace.py store    FOLDER --files 1000 --rows-per-file 1000
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = ["PLSRegression", "PLS-10", "RandomForestRegressor"]
FOLDS = ["0", "1", "2", "avg", "w_avg"]
PARTITIONS = ["train", "val", "test"]
PREPROCESSINGS = ["MinMax>SNV", "MinMax>MSC", "MinMax>1stDer"]
ROWS_PER_MODEL = len(FOLDS) * len(PARTITIONS)
ROWS_PER_CONFIG = len(MODELS) * ROWS_PER_MODEL
CHUNK_ROWS = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)

# The columns of nirs4all 0.6, in its order.
COLUMNS = [
    "id", "dataset_name", "dataset_path", "config_name", "config_path", "pipeline_uid", "step_idx",
    "op_counter", "model_name", "model_classname", "model_path", "model_artifact_id", "trace_id",
    "fold_id", "partition", "val_score", "test_score", "train_score", "metric", "task_type",
    "n_samples", "n_features", "preprocessings", "best_params", "metadata", "scores", "branch_id",
    "branch_name", "exclusion_count", "exclusion_rate", "y_true_id", "y_pred_id", "y_proba_id",
    "sample_indices_id", "weights_id",
]  # fmt: skip
RUN_COLUMNS = ["run_id", "result_id", "template_id", "created_at"]
# Columns whose values hardly repeat.
UNLIKE = ["id", "val_score", "test_score", "train_score"]
STATISTICS = [
    "val_score", "test_score", "train_score", "dataset_name", "config_name", "model_name", "fold_id",
    "partition", "metric", "task_type", "preprocessings", "run_id", "result_id",
]  # fmt: skip


def rows(first_file: int, files: int, rows_per_file: int, datasets: int, columns: list[str]) -> pl.DataFrame:
    """The rows of so many files, from number `first_file` on.

    File n is of run n // datasets on dataset n % datasets.
    """
    configs_per_file = -(-rows_per_file // ROWS_PER_CONFIG)
    row = pl.int_range(first_file * rows_per_file, (first_file + files) * rows_per_file, dtype=pl.UInt64)
    numbers = pl.LazyFrame().select(row.alias("row"))
    numbers = numbers.with_columns(file=pl.col("row") // rows_per_file, r=pl.col("row") % rows_per_file)
    numbers = numbers.with_columns(
        run=pl.col("file") // datasets,
        dataset=pl.col("file") % datasets,
        fit=pl.col("file") * rows_per_file + pl.col("r") // len(PARTITIONS),  # one model on one fold
        config=pl.col("file") // datasets * configs_per_file + pl.col("r") // ROWS_PER_CONFIG,
    )
    names = numbers.with_columns(
        dataset_name=pl.format("dataset_{}", _padded("dataset", 5)),
        config_name=pl.format("{}_Protein sweep_{}", _padded("config", 4), _hex("config", 6, seed=1)),
        model_name=_cycle(MODELS, ROWS_PER_MODEL),
        model_classname=_cycle(["PLSRegression", "PLSRegression", "RandomForestRegressor"], ROWS_PER_MODEL),
        fold_id=_cycle(FOLDS, len(PARTITIONS)),
        partition=_cycle(PARTITIONS, 1),
        preprocessings=_cycle(PREPROCESSINGS, ROWS_PER_CONFIG),
        op_counter=(pl.col("r") % ROWS_PER_MODEL // len(PARTITIONS) + 1).cast(pl.Int64),
        step_idx=(pl.col("r") % ROWS_PER_CONFIG // ROWS_PER_MODEL + 5).cast(pl.Int64),
        val_score=_mse(seed=2),
        test_score=_mse(seed=3),
        train_score=_mse(seed=4),
        run_id=pl.format("{}_Protein-sweep_{}", _day("run"), _hex("run", 12, seed=5)),
        created_at=pl.lit(START) + pl.duration(milliseconds=pl.col("fit")),
    )
    return names.with_columns(
        id=_hex("row", 16, seed=6),
        dataset_path=pl.col("dataset_name"),
        config_path=pl.format("{}/{}", "dataset_name", "config_name"),
        pipeline_uid=pl.col("config_name"),
        model_path=pl.format(
            "{}/{}/{}_{}_{}.pkl", "dataset_name", "config_name", "step_idx", "model_name", "op_counter"
        ),
        model_artifact_id=pl.format("{}${}:{}", "config_name", _hex("config", 12, seed=7), "op_counter"),
        trace_id=_hex("file", 12, seed=8),
        metric=pl.lit("mse"),
        task_type=pl.lit("regression"),
        n_samples=_cycle([97, 33, 59], 1),
        n_features=pl.lit(2151, pl.Int64),
        best_params=_cycle(["{}", '{"n_components": 10}', "{}"], ROWS_PER_MODEL),
        metadata=pl.lit("{}"),
        scores=_scores(),
        branch_id=pl.lit(None, pl.Int64),
        branch_name=pl.lit(""),
        exclusion_count=pl.lit(None, pl.Int64),
        exclusion_rate=pl.lit(None, pl.Float64),
        y_true_id=pl.format("array_{}", _hex("fit", 12, seed=9)),
        y_pred_id=pl.format("array_{}", _hex("row", 12, seed=10)),
        y_proba_id=pl.lit("array_02f2a9041dbf"),
        sample_indices_id=pl.format("array_{}", _hex("fit", 12, seed=11)),
        weights_id=pl.format("array_{}", _hex("config", 12, seed=12)),
        result_id=pl.format("res_{}", _hex("config", 16, seed=13)),
        template_id=pl.format("tpl_{}", _hex("run", 16, seed=14)),
    ).select(columns).collect()  # fmt: skip


def summary_rows(count: int) -> pl.DataFrame:
    """Rows with three scores, five facets and what a ranking shows, as of files of up to 10,000 rows."""
    rows_per_file = min(count, 10_000)
    columns = ["id", "run_id", "model_name", "config_name", "fold_id", "partition", "metric"]
    columns += ["val_score", "test_score", "train_score"]
    return rows(0, count // rows_per_file, rows_per_file, 50, columns).rechunk()


def arrow_batches(frame: pl.DataFrame) -> pa.Table:
    """The same rows as plain Arrow strings in batches of 65,536 rows, as they come out of a file."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.Table.from_batches(table.to_batches(65_536), table.schema)


def _mixed(column: str, seed: int) -> pl.Expr:
    """Evenly spread 64-bit numbers (the mixing steps of splitmix64)."""
    number = pl.col(column).cast(pl.UInt64) * len(PARTITIONS) + pl.lit(seed * 1_000_003, pl.UInt64)
    for shift, factor in ((30, 0x9E3779B97F4A7C15), (27, 0xBF58476D1CE4E5B9)):
        number = number * pl.lit(factor, pl.UInt64)
        number = number ^ (number // pl.lit(2**shift, pl.UInt64))
    return number


def _hex(column: str, digits: int, seed: int) -> pl.Expr:
    """Made of decimal digits only, which are hexadecimal ones too."""
    limit: int = 10**digits
    return (_mixed(column, seed) % limit).cast(pl.String).str.zfill(digits)


def _padded(column: str, digits: int) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.zfill(digits)


def _cycle(values: list[str] | list[int], rows_each: int) -> pl.Expr:
    return pl.lit(pl.Series(values)).gather(pl.col("r") // rows_each % len(values))


def _day(column: str) -> pl.Expr:
    day = pl.lit(START) + pl.duration(days=pl.col(column) % 365)
    return day.dt.to_string("%Y-%m-%d")


def _mse(seed: int) -> pl.Expr:
    share = _mixed("fit", seed).cast(pl.Float64) / 2.0**64
    return share.pow(2) * 400.0 + 5.0


def _scores() -> pl.Expr:
    """The JSON of all metrics, as long as the real one."""
    parts: list[str] = []
    values: list[pl.Expr] = []
    for partition in PARTITIONS:
        mse = pl.col(f"{partition}_score")
        rmse, share = mse.sqrt(), mse / 405.0
        good = (1.0 - share).abs()
        names_and_values = {
            "r2": 1.0 - share, "rmse": rmse, "mse": mse, "sep": rmse * 0.99, "mae": rmse * 0.77,
            "rpd": 20.3 / rmse, "bias": (rmse - 14.0) / 3.0, "consistency": 1.0 - rmse / 24.3,
            "nrmse": rmse / 126.0, "nmse": share, "nmae": rmse / 163.0, "pearson_r": good.sqrt(),
            "spearman_r": good.pow(0.7),
        }  # fmt: skip
        metrics = ", ".join(f'"{name}": {{}}' for name in names_and_values)
        parts.append(f'"{partition}": <{metrics}>')
        values += names_and_values.values()
    text = pl.format("<" + ", ".join(parts) + ">", *values)
    return text.str.replace_all("<", "{", literal=True).str.replace_all(">", "}", literal=True)


def _tables(
    files: int, rows_per_file: int, datasets: int, columns: list[str]
) -> Iterator[tuple[int, pa.Table]]:
    """Numbers and tables of files, made in chunks."""
    files_per_chunk = max(1, CHUNK_ROWS // rows_per_file)
    for first in range(0, files, files_per_chunk):
        count = min(files_per_chunk, files - first)
        chunk = rows(first, count, rows_per_file, datasets, columns)
        table = chunk.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        for index in range(count):
            yield first + index, table.slice(index * rows_per_file, rows_per_file)


def make_flat(path: str | Path, files: int, rows_per_file: int = 100, datasets: int = 50) -> None:
    """Writes a folder of nirs4all 0.6: `<name>.meta.parquet` in the root."""
    root = Path(path)
    root.mkdir(parents=True)

    def write(item: tuple[int, pa.Table]) -> None:
        number, table = item
        pq.write_table(table, root / f"predictions_{number:05d}.meta.parquet", compression="zstd")

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(write, _tables(files, rows_per_file, datasets, COLUMNS)):
            pass


def make_segments(path: str | Path, runs: int, datasets: int = 50, rows_per_segment: int = 100) -> None:
    """Writes a workspace of format 2: one sealed segment for each run on each dataset, nothing else."""
    root = Path(path)
    root.mkdir(parents=True)
    (root / "workspace.yaml").write_text(
        "format_version: 2\nworkspace_id: ws_0000000000000000\n"
        "created_at: '2026-01-01T00:00:00+00:00'\ncreated_by: benches/make_workspace.py\n"
    )

    def write(item: tuple[int, pa.Table]) -> None:
        number, table = item
        name = table["dataset_name"][0].as_py()
        # Readers take the name from the rows, so that any hash serves here.
        digest = hashlib.sha256(name.encode()).hexdigest()
        folder = root / "predictions" / f"{name.replace('_', '-')}-{digest[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            table,
            folder / f"{table['run_id'][0].as_py()}.{number:08x}.meta.parquet",
            row_group_size=65_536,
            compression="zstd",
            use_dictionary=[name for name in table.column_names if name not in UNLIKE],
            write_statistics=STATISTICS,
            write_page_index=True,
            max_rows_per_page=1024,
            bloom_filter_options={"id": {"ndv": rows_per_segment, "fpp": 0.01}},
        )

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(write, _tables(runs * datasets, rows_per_segment, datasets, COLUMNS + RUN_COLUMNS)):
            pass


def make_store(path: str | Path, files: int, rows_per_file: int = 1000, datasets: int = 50) -> None:
    """Writes the same predictions as a store of nirs4all 1.4: its table, its indexes, its lengths of text."""
    root = Path(path)
    root.mkdir(parents=True)
    schema = (Path(__file__).parent / "nirs4all_1_4.sql").read_text()
    table, indexes = schema.split("-- indexes\n")
    names = [
        "id", "config_path", "dataset_name", "model_name", "model_classname", "fold_id", "partition",
        "val_score", "test_score", "train_score", "metric", "task_type", "n_samples", "n_features", "scores",
        "best_params", "preprocessings", "branch_id", "branch_name", "exclusion_count", "exclusion_rate",
    ]  # fmt: skip
    columns = ["prediction_id", "pipeline_id", "chain_id", *names[2:]]
    columns[columns.index("model_classname")] = "model_class"
    insert = f"INSERT INTO predictions ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    store = sqlite3.connect(root / "store.sqlite")
    store.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;" + table)
    files_per_chunk = max(1, CHUNK_ROWS // rows_per_file)
    for first in range(0, files, files_per_chunk):
        chunk = rows(first, min(files_per_chunk, files - first), rows_per_file, datasets, names)
        chunk = chunk.with_columns(
            # As long as there: ids are UUIDs, scores hold fewer metrics (no query here looks into them).
            pipeline_id=pl.col("config_path").str.slice(8).str.pad_end(36, "0"),
            chain_id=pl.concat_str("config_path", "model_name").str.slice(8, 36),
            scores=pl.col("scores").str.slice(0, 690),
            exclusion_count=0,
            exclusion_rate=0.0,
        ).select("id", "pipeline_id", "chain_id", *names[2:])
        with store:
            store.executemany(insert, chunk.iter_rows())
    store.executescript(indexes)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("layout", choices=["flat", "segments", "store"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--rows-per-file", type=int, default=100)
    args = parser.parse_args()
    if args.layout == "segments":
        make_segments(args.path, args.runs, args.datasets, args.rows_per_file)
    else:
        make = make_flat if args.layout == "flat" else make_store
        make(args.path, args.files, args.rows_per_file, args.datasets)


if __name__ == "__main__":
    main()
