"""Listing runs: a workspace of them, ours, and MLflow's SQLite store with as many."""

from __future__ import annotations

import functools
import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import nirs4all_workspace as n4w
from report import Row
from writes import peak as peak_of_process

if TYPE_CHECKING:
    from table import Bench

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS = 10_000
MOST_RUNS = 30_000
RESULTS_EACH = 6
BEST = 100
NAMES = ["Protein sweep", "Variety", "Moisture baseline", "Leaf nitrogen, second harvest"]


def make_runs(path: str | Path, runs: int) -> None:
    """Writes a workspace of finished runs: copies of one that was really run, with other names and times."""
    root = Path(path)
    ws = n4w.Workspace.create(root)
    steps = [{"_or_": ["SNV", "MSC", "FirstDerivative"]}, {"model": "PLSRegression", "n_components": 10}]
    with ws.runs.create(
        "NAME", [n4w.Template(steps, "PLS", None, 3)], ["wheat", "rye"], config={"cv_folds": 3}
    ) as run:
        results = run.plan(
            [{"name": f"PLS_{choice}", "generator_choices": [{"_or_": choice}]} for choice in "abc"]
        )
        for dataset in ("wheat", "rye"):
            with run.writer(dataset) as writer:
                for result in results:
                    if result.dataset_name == dataset:
                        row = {"id": result.id, "result_id": result.id, "metric": "rmse", "val_score": 0.5}
                        writer.write(row | {"partition": "val", "model_name": "PLSRegression"})
                        writer.checkpoint(result)
    # A run's records are what is listed; its segments are another bench's.
    for folder in ("predictions", "arrays"):
        for file in sorted((root / folder).rglob(f"{run.id}*")):
            file.unlink()
    texts = {file.name: file.read_text("utf-8") for file in run.path.iterdir()}
    numbers = random.Random(0)
    for number in range(runs):
        name = NAMES[number % len(NAMES)]
        created_at = (START + timedelta(minutes=17 * number)).isoformat(timespec="microseconds")
        copy_id = f"{created_at[:10]}_{name.split()[0]}_{numbers.randrange(16**12):012x}"
        folder = root / "runs" / copy_id
        folder.mkdir()
        for file, text in texts.items():
            copy = text.replace(run.id, copy_id).replace("name: NAME", f"name: {name}")
            (folder / file).write_text(copy.replace(run.created_at, created_at), "utf-8")
    for file in run.path.iterdir():
        file.unlink()
    run.path.rmdir()


def make_results(path: str | Path, runs: int) -> None:
    """Writes the same with results that differ: six of each run, in two lists, each with its own score."""
    root = Path(path)
    make_runs(root, runs)
    numbers = random.Random(1)
    for folder in (root / "runs").iterdir():
        for file in folder.glob("results.*.jsonl"):
            found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            for result in found:
                result["id"] = f"res_{numbers.randrange(16**16):016x}"
                result["score"] = result["best_score"] = numbers.random()
            file.write_text("".join(json.dumps(result) + "\n" for result in found), "utf-8")


def list_runs(folder: str) -> int:
    """All runs, with what each of them says."""
    listed = n4w.Workspace.open(folder).runs.list()
    return len([(run.id, run.name, run.status, run.created_at) for run in listed.headers])


def list_entries(folder: str) -> int:
    """What `n4w runs --json` prints."""
    listed = n4w.Workspace.open(folder).runs.list()
    return len(json.dumps(listed.entries))


def best_results(folder: str) -> int:
    """The best 100 of all results."""
    return len(n4w.Workspace.open(folder).results.list(limit=BEST))


def best_results_peak(folder: str) -> float:
    """MiB at most meanwhile."""
    best_results(folder)
    return peak_of_process()


def make_tracked(path: str | Path, runs: int, python: str) -> None:
    """Writes MLflow's store, by the Python that has it."""
    import subprocess

    Path(path).mkdir()
    script = Path(__file__).parent / "peers_mlflow.py"
    subprocess.run([python, str(script), str(path), str(runs)], check=True, cwd=path)


def results(bench: Bench) -> None:
    """The best of the results of many runs, in a fresh process, without a cache and with one."""
    sizes = (100, 1_000) if bench.quick else (1_000, 10_000, MOST_RUNS)
    for runs in sizes:
        folder = bench.make(f"results-{runs}", make_results, runs)
        time.sleep(3)  # the cache does not trust files younger than that
        if n4w.Workspace.open(folder).results.list(limit=0).total != RESULTS_EACH * runs:
            raise AssertionError(f"{folder} has other results than were written")
        times = bench.in_turns(
            {
                "ours": lambda folder=folder: bench.uncached("listing:best_results", folder),
                "again": lambda folder=folder: bench.once("listing:best_results", folder),
                "floor": lambda folder=folder: bench.kernel("runs", folder / "runs", repeats=1),
            }
        )
        again = {"ours": times.pop("again"), "floor": times.pop("floor")}
        full = runs == MOST_RUNS
        name = f"Best {BEST} of {RESULTS_EACH * runs:,} results of {runs:,} runs"
        bench.add(Row(f"{name}, no cache", "results", runs, times, limit=2.0 if full else 0.0))
        limit = 0.2 if full else 0.0
        bench.add(Row("the same again", "results again", runs, again, floor="floor", limit=limit))
        for what, once in (("no cache", bench.uncached), ("again", bench.once)):
            peak = {"ours": [once("listing:best_results_peak", folder)]}
            limit = 300.0 if full else 0.0
            bench.add(
                Row(f"memory of these, {what}", f"results peak {what}", runs, peak, unit="MiB", limit=limit)
            )


def listing(bench: Bench) -> None:
    """All runs of a workspace, in a fresh process, without a cache and with one."""
    for runs in (100, 1_000) if bench.quick else (100, 1_000, 2_000, RUNS):
        folder = bench.make(f"runs-{runs}", make_runs, runs)
        if list_runs(str(folder)) != runs:
            raise AssertionError(f"{folder} does not list {runs} runs")
        # The page cache is warm wherever something is measured; the look above found our own cache.
        bench.uncached("listing:list_runs", folder)
        cases = {
            "ours": lambda folder=folder: bench.uncached("listing:list_runs", folder),
            "again": lambda folder=folder: bench.once("listing:list_runs", folder),
        }
        if bench.mlflow:
            python = bench.mlflow
            store = bench.make(f"mlflow-{runs}", functools.partial(make_tracked, python=python), runs)
            cases["MLflow"] = functools.partial(bench.once, "peers_mlflow:list_runs", store, python=python)
        times = bench.in_turns(cases)
        again = {"ours": times.pop("again")}
        full = runs == RUNS
        bench.add(Row(f"List {runs:,} runs, no cache", "listing", runs, times, limit=0.5 if full else 0.0))
        bench.add(Row("the same again", "listing again", runs, again, limit=0.1 if full else 0.0))
