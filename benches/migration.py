"""What migrating a folder of nirs4all 0.6 costs: each function runs in a process of its own."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import make_workspace
import nirs4all_workspace as n4w
import polars as pl
import yaml
from writes import peak as peak_of_process

DATASET = "dataset_00000"
CALLS = 20
ROLES = ("y_true_id", "y_pred_id", "sample_indices_id")


def make(place: str, rows_of_all: str) -> None:
    """One dataset with so many rows, of calls of one configuration each; each 45 rows share three arrays."""
    folder, rows = Path(place), int(rows_of_all)
    folder.mkdir(parents=True)
    each = max(rows // CALLS, 1)
    names = [f"{call + 1:04d}_Call {call}_{call:06x}" for call in range(CALLS)]
    for call, name in enumerate(names):
        config = folder / "runs" / DATASET / name
        config.mkdir(parents=True)
        manifest = {
            "schema_version": "2.0",
            "uid": f"call-{call}",
            "pipeline_id": name,
            "name": name[5:],
            "dataset": DATASET,
            "created_at": f"2026-01-01T{call:02d}:00:00+00:00",
            "pipeline": {
                "steps": ["SNV", {"model": {"class": "PLSRegression", "params": {"n_components": call}}}]
            },
            "generator_choices": [],
            "artifacts": {"schema_version": "2.0", "items": []},
        }
        (config / "manifest.yaml").write_text(yaml.safe_dump(manifest))
        (config / "pipeline.json").write_text(json.dumps(manifest["pipeline"]))
    parts, chunk = [], make_workspace.CHUNK_ROWS
    for start in range(0, rows, chunk):
        count = min(chunk, rows - start)
        part = folder / f".part-{start:09d}"
        frame = make_workspace.rows(start // chunk, 1, chunk, 1, make_workspace.COLUMNS).head(count)
        row = pl.int_range(start, start + count, dtype=pl.Int64)
        call_of = (row // each).clip(0, CALLS - 1).replace_strict(list(range(CALLS)), names)
        arrays = [pl.format("array_{}", row // make_workspace.ROWS_PER_CONFIG).alias(name) for name in ROLES]
        none = [pl.lit(None, pl.String).alias(name) for name in ("y_proba_id", "weights_id")]
        frame.with_columns(call_of.alias("config_name"), *arrays, *none).write_parquet(part)
        parts.append(part)
    pl.scan_parquet(parts, glob=False).sink_parquet(folder / f"{DATASET}.meta.parquet", row_group_size=2**18)
    for part in parts:
        part.unlink()
    number = pl.int_range(0, -(-rows // make_workspace.ROWS_PER_CONFIG), dtype=pl.Int64)
    pl.select(number.alias("number")).select(
        pl.format("array_{}", "number").alias("array_id"),
        pl.concat_list(*(pl.col("number") + at / 7 for at in range(20))).alias("array_data"),
        pl.lit("").alias("array_hash"),
        pl.lit(20, pl.Int64).alias("array_size"),
        pl.lit("[20]").alias("array_shape"),
        pl.lit("y_pred").alias("array_type"),
    ).write_parquet(folder / f"{DATASET}.arrays.parquet")


def migrate(folder: str) -> float:
    """Seconds of moving and comparing everything."""
    with tempfile.TemporaryDirectory(dir=".") as target:
        began = time.perf_counter()
        report = n4w.migrate(folder, Path(target) / "new")
        seconds = time.perf_counter() - began
    if report["errors"] or report["counts"]["source"]["rows"] != report["counts"]["target"]["rows"]:
        raise RuntimeError(f"{report['errors']}, {report['counts']}")
    return seconds


def migrate_peak(folder: str) -> float:
    """MiB at most while everything is moved and compared."""
    migrate(folder)
    return peak_of_process()
