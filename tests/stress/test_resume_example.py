"""docs/resume.py: a run that is killed in its middle ends with every result exactly once."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "resume.py"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_ends_whole(tmp_path, workers):
    folder = tmp_path / "ws"
    command = [
        sys.executable,
        "-W",
        "error",
        SCRIPT,
        folder,
        *(["--workers", str(workers)] if workers else []),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    assert "-9" in run.stdout.splitlines()[0], "nobody was killed"
    before = int(re.search(r"(\d+) results are there", run.stdout).group(1))
    assert 0 < before < 28
    assert run.stdout.splitlines()[-2:] == ["completed: 28 results, 420 rows, 420 ids", "problems: []"]
    # By readers that know nothing of journals.
    rows = pl.read_parquet(folder / "predictions/*/*.meta.parquet")
    assert (rows.height, rows["id"].n_unique(), rows["result_id"].n_unique()) == (420, 420, 28)
    assert rows.group_by("result_id").len()["len"].unique().to_list() == [15]
    assert sorted(rows["dataset_name"].unique()) == ["barley", "oats", "rye", "wheat"]
    lines = [line for file in folder.glob("runs/*/results.*.jsonl") for line in file.read_text().splitlines()]
    assert len(lines) == 28
