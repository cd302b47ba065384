"""A run that is killed in its middle, goes on, and ends with every result exactly once.

    python docs/resume.py FOLDER               # one process, killed by signal 9, then another
    python docs/resume.py FOLDER --workers 2   # an owner with two workers, of which one is killed

Two templates, of six and one configurations, on four datasets: 28 results. Five folds with train, val and
test rows: 420 rows. The training is made up; all else is what a real loop does.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w

TEMPLATES = [
    n4w.Template(
        [{"_or_": ["SNV", "MSC", "FirstDerivative"]}, {"_or_": ["PLS", "RandomForest"]}],
        name="sweep",
        expansion_count=6,
    ),
    n4w.Template(["MinMax", "PLS"], name="baseline", expansion_count=1),
]
DATASETS = ["wheat", "oats", "barley", "rye"]
PREPROCESSINGS, MODELS = ["SNV", "MSC", "FirstDerivative"], ["PLS", "RandomForest"]


def expand(run: n4w.Run) -> list[dict[str, object]]:
    """The configurations of both templates, as the caller's own expansion gives them."""
    sweep, baseline = (template["id"] for template in run.templates)
    return [
        {"template_id": sweep, "name": f"{scatter}-{model}", "steps": [scatter, model]}
        for scatter in PREPROCESSINGS
        for model in MODELS
    ] + [{"template_id": baseline, "name": "baseline", "steps": ["MinMax", "PLS"]}]


def train(writer: n4w.Writer, result: n4w.Result, die: bool) -> None:
    """Writes the rows of one result and commits it, or dies in its middle."""
    noise = random.Random(result.id)
    for fold in range(5):
        scores = {f"{partition}_score": noise.uniform(0.1, 1.0) for partition in ("train", "val", "test")}
        for partition in ("train", "val", "test"):
            row = {
                "result_id": result.id,
                "template_id": result.template_id,
                "config_name": result.config_name,
            }
            row |= {"fold_id": fold, "partition": partition, "metric": "rmse", "model_name": "PLS", **scores}
            row["y_pred"] = [noise.random() for _ in range(10)]
            writer.write(row)
    if die:
        writer.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    writer.checkpoint(result)


def work(run: n4w.Run, first: int, of: int, die_after: int | None) -> None:
    """Trains what is left of the run, or the n-th part of it: by id, which no other process changes."""
    writers: dict[str, n4w.Writer] = {}
    mine = [result for result in run.plan(expand(run)) if int(result.id[-8:], 16) % of == first]
    for done, result in enumerate(mine):
        name = result.dataset_name
        writers.setdefault(name, run.writer(name))
        train(writers[name], result, die=done == die_after)
        if run.should_stop:
            break
    for writer in writers.values():
        writer.close()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, *arguments])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a new workspace")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--run", help="the run to work on, for the processes that this script starts")
    parser.add_argument(
        "--share", type=int, nargs=2, metavar=("FIRST", "OF"), help="work on a part of the results"
    )
    parser.add_argument("--die-after", type=int, help="so many results")
    args = parser.parse_args()

    if args.run and args.share:  # a worker of an owner
        work(n4w.Workspace.open(args.folder).runs.get(args.run), *args.share, args.die_after)
        return
    if args.run:  # an owner
        with n4w.Workspace.open(args.folder).runs.get(args.run).resume() as run:
            work(run, 0, 1, args.die_after)
        return

    ws = n4w.Workspace.create(args.folder)
    run = ws.runs.create("Protein sweep", templates=TEMPLATES, datasets=DATASETS)
    folder = str(args.folder)
    if args.workers:
        with run:
            shares = [["--share", str(first), str(args.workers)] for first in range(args.workers)]
            shares[0] += ["--die-after", "5"]
            workers = [start(folder, "--run", run.id, *share) for share in shares]
            print("workers ended with", [worker.wait() for worker in workers])
            print(f"{len(run.results())} results are there")
            ws.recover()
            work(run, 0, 1, None)
    else:
        print("the first process ended with", start(folder, "--run", run.id, "--die-after", "11").wait())
        print(f"{len(run.results())} results are there, is_interrupted is {run.is_interrupted}")
        start(folder, "--run", run.id).wait()
    rows = ws.predictions.scan().collect()
    print(f"{run.status}: {len(run.results())} results, {rows.height} rows, {rows['id'].n_unique()} ids")
    print("problems:", ws.verify(full=True)["problems"])


if __name__ == "__main__":
    main()
