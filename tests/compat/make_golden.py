"""Make the golden files in `data/`: run it by hand, commit what it writes.

    python tests/compat/make_golden.py

- `pyarrow`, `polars`, `duckdb`: the same rows as each of them writes Parquet.
- `summary_1_0`: a footer with `n4a_summary` of version 1.0, in the shape (and with the mistakes) of nirs4all
  of January 2026: no direction, the worst predictions listed as the best, no sketch.
- `rebuilt_1_1`: what `rebuild_summaries` of this package's first version made of the `pyarrow` file. Later
  versions must go on trusting it; it is made anew only with a new major version of the sketch.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from samples import table

DATA = Path(__file__).parent / "data"


def rows() -> pa.Table:
    """45 rows with whatever a summary has to count: nulls, NaN, infinities, runs, dates, branches."""
    val = table(45)["val_score"].to_pylist()
    val[1], val[4], val[7], val[10] = None, float("nan"), float("inf"), -float("inf")
    return table(
        45,
        dataset="golden",
        val_score=pa.array(val, pa.float64()),
        run_id=[[None, "2026-01-15_Sweep_0123456789ab", "own id"][row % 3] for row in range(45)],
        branch_id=pa.array([[None, 0, 1][row // 15] for row in range(45)], pa.int64()),
        branch_name=[["", "left", "right"][row // 15] for row in range(45)],
        created_at=[f"2026-01-{1 + row % 28:02d}T08:27:29.752487+00:00" for row in range(45)],
    )


def summary_1_0(content: pa.Table) -> dict:
    """As `nirs4all` wrote it: rounded, ranked by the largest score whatever the metric."""
    frame = pl.from_arrow(content).filter(pl.col("val_score").is_finite())
    stats = {}
    for score in ("val_score", "test_score", "train_score"):
        column = frame[score]
        quartiles = [column.quantile(q, "linear") for q in (0.25, 0.5, 0.75)]
        stats[score] = {
            "min": column.min(),
            "max": column.max(),
            "mean": column.mean(),
            "std": column.std(),
            "quartiles": quartiles,
        }
    models = (
        frame.group_by("model_name").agg(pl.len(), pl.col("val_score").mean().round(4)).sort("model_name")
    )
    partitions = frame["partition"].value_counts().sort("partition")
    worst = frame.sort("val_score", descending=True).head(10)
    shown = ["id", "model_name", "config_name", "val_score", "test_score", "fold_id", "partition"]
    return {
        "n4a_version": "1.0",
        "generated_at": "2026-01-16T08:27:29.752487+00:00",
        "dataset_name": "golden",
        "total_predictions": len(content),
        "stats": stats,
        "facets": {
            "models": [
                dict(zip(("name", "count", "avg_val_score"), row, strict=True)) for row in models.rows()
            ],
            "partitions": [dict(zip(("name", "count"), row, strict=True)) for row in partitions.rows()],
            "folds": sorted(frame["fold_id"].unique().to_list()),
            "task_types": [{"name": "regression", "count": len(content)}],
            "n_configs": frame["config_name"].n_unique(),
            "n_pipelines": frame["config_name"].n_unique(),
        },
        "runs": [],
        "top_predictions": worst.select(shown).to_dicts(),
    }


def main() -> None:
    DATA.mkdir(exist_ok=True)
    content = rows()
    pq.write_table(content, DATA / "pyarrow.meta.parquet")
    pl.from_arrow(content).write_parquet(DATA / "polars.meta.parquet")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM content) TO '{DATA / 'duckdb.meta.parquet'}' (FORMAT parquet)"
        )
    keys = {"n4a_summary": json.dumps(summary_1_0(content))}
    pq.write_table(content.replace_schema_metadata(keys), DATA / "summary_1_0.meta.parquet")
    if not (DATA / "rebuilt_1_1.meta.parquet").exists():
        import nirs4all_workspace as n4w

        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "golden.meta.parquet"
            shutil.copyfile(DATA / "pyarrow.meta.parquet", copy)
            n4w.Workspace.open(folder).predictions.rebuild_summaries()
            shutil.copyfile(copy, DATA / "rebuilt_1_1.meta.parquet")


if __name__ == "__main__":
    main()
