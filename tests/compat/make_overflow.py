"""Make `data/means/overflow_1_1.meta.parquet`: scores without a mean, in a summary of minor version 1.

Run once with the package of commit 277e53d; later versions write minor version 2.
"""

import shutil
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl

TARGET = Path(__file__).parent / "data" / "means" / "overflow_1_1.meta.parquet"
VAL = [1e308, -1e308, 1e308, -1e308, 1.0, 2.0, 0.5, 0.25]

if __name__ == "__main__":
    root = Path(tempfile.mkdtemp())
    frame = pl.DataFrame(
        {
            "id": [f"p{number}" for number in range(8)],
            "dataset_name": ["wheat"] * 8,
            "model_name": ["A"] * 6 + ["B"] * 2,
            "metric": ["rmse"] * 8,
            "partition": ["val"] * 8,
            "val_score": VAL,
            "test_score": [1e200, -1e200, 3e200, 0.0] * 2,
            "train_score": [0.5] * 8,
        }
    )
    frame.write_parquet(root / "wheat.meta.parquet")
    n4w.Workspace.open(root).predictions.rebuild_summaries()
    shutil.copy(root / "wheat.meta.parquet", TARGET)
