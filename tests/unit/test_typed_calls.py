"""Type checkers know misspelled filters, options and columns."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import pytest

HEAD = """\
import nirs4all_workspace as n4w
from nirs4all_workspace import PredictionFilters, PredictionRow, RankingFilters, WriterOptions

ws = n4w.Workspace.open("a")
run = ws.runs.create("a")
"""
FAILS = [
    'ws.predictions.top(metrc="rmse")',
    'ws.predictions.top(min_val_score="low")',
    'ws.predictions.page(modle="PLS")',
    "ws.predictions.page(fold=3)",
    'ws.predictions.export("a.csv", dataste="wheat")',
    'run.writer("wheat", durabilty="none")',
    'run.writer("wheat", flush_rows="many")',
    'ws.predictions.writer(run.id, "wheat", flush_row=3)',
    'ws.datasets.register("a.csv", n_sample=3)',
    'row: PredictionRow = {"vla_score": 0.5}',
    'row: PredictionRow = {"val_score": "high"}',
    'filters: PredictionFilters = {"modle": "PLS"}',
    'options: WriterOptions = {"durabilty": "none"}',
    'run.edit(tag=["a"])',
    "run.edit(tags=3)",
]
PASSES = """\
row: PredictionRow = {"val_score": 0.5, "fold_id": 0, "scores": {"val": {"rmse": 0.5}}, "y_true": [1.0, 2.0]}
filters: PredictionFilters = {"model": "PLS", "metric": "rmse", "min_val_score": 1}
ranked: RankingFilters = {"model": "PLS", "run": None}
options: WriterOptions = {"durability": "none", "progress": print}
ws.predictions.top(3, "rmse", model="PLS", min_val_score=0.5, live=False)
ws.predictions.top(3, **ranked)
ws.predictions.page(0, 10, **filters)
ws.predictions.export("a.csv", "csv", **filters)
ws.datasets.register("a.csv", n_samples=3, metadata={"site": "a"})
with run.writer("wheat", **options) as writer:
    writer.write(row)
    writer.write({"val_score": 0.5, "site": "an extra column"})
with ws.predictions.writer(run.id, "wheat", durability="none", flush_rows=3) as writer:
    pass
run.edit(description=None, tags=["a"], notes="b").plan([{"name": "a"}], progress=True)[0].config_name
ws.runs.list(tag="a")[0].tags
"""


@pytest.fixture(scope="module")
def snippets(tmp_path_factory):
    """A folder with a file that is right, and one with a mistake in every line."""
    folder = tmp_path_factory.mktemp("snippets")
    (folder / "passes.py").write_text(HEAD + PASSES, "utf-8")
    lines = [f"def wrong_{number}() -> None:\n    {line}\n" for number, line in enumerate(FAILS)]
    (folder / "fails.py").write_text(HEAD + "".join(lines), "utf-8")
    return folder


def check(command, snippets):
    done = subprocess.run(command, capture_output=True, text=True, cwd=snippets, timeout=280)
    errors = re.findall(r"(passes|fails)\.py:(\d+).*? error: ", done.stdout)
    first = HEAD.count("\n") + 2
    assert errors, done.stdout + done.stderr
    assert [found for found in errors if found[0] == "passes"] == [], done.stdout
    assert {int(line) for _, line in errors} == {first + 2 * at for at in range(len(FAILS))}, done.stdout


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_finds_them(snippets):
    package = str(Path(n4w.__file__).parents[1])
    options = ["--strict", "--no-incremental", "--no-error-summary", "--follow-imports=silent"]
    options += ["--config-file=", "--python-executable", sys.executable]
    command = ["env", f"MYPYPATH={package}", sys.executable, "-m", "mypy", *options, "passes.py", "fails.py"]
    check(command, snippets)


@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not installed")
def test_pyright_finds_them(snippets):
    check(["pyright", "--pythonpath", sys.executable, "passes.py", "fails.py"], snippets)
