"""Two templates on two folders of spectra, driven, and called once; and scripts that are killed."""

import json
import textwrap
from collections import Counter
from pathlib import Path

import experiments
import numpy as np
import stored

HERE = Path(__file__).parent


def TEMPLATES():  # noqa: N802 - the templates of all tests here
    """Six configurations and one."""
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    many = [
        {
            "_or_": [
                StandardScaler(),
                MinMaxScaler(),
                {"class": "nirs4all.operators.transforms.StandardNormalVariate"},
            ]
        },
        experiments.folds(),
        {"model": PLSRegression(), "n_components": {"_or_": [2, 3]}},
    ]
    return [many, [StandardScaler(), experiments.folds(), {"model": Ridge(0.5)}]]


def folders(place):
    """Two datasets as folders of CSV files, 48 samples to train on and 12 to test."""
    found = []
    for name, seed in (("wheat", 7), ("corn", 9)):
        folder = place / name
        folder.mkdir(parents=True, exist_ok=True)
        x = experiments.spectra(seed)
        y = 2 * x[:, 3] - x[:, 8] + np.random.default_rng(seed + 1).normal(size=len(x))
        parts = {"cal": slice(None, experiments.N_TRAIN), "val": slice(experiments.N_TRAIN, None)}
        header = ";".join(str(1100 + 2 * number) for number in range(x.shape[1]))
        for part, rows in parts.items():
            np.savetxt(folder / f"X{part}.csv", x[rows], delimiter=";", header=header, comments="")
            np.savetxt(folder / f"Y{part}.csv", y[rows], header="y", comments="")
        found.append(str(folder))
    return found


def rows_of_one_call(templates, paths, place):
    """What one `nirs4all.run` of all stores, each row with its dataset."""
    result = experiments.one_call(templates, paths, place)
    rows = result.predictions.filter_predictions(load_arrays=True)
    return Counter((row["dataset_name"], stored.known(row)) for row in rows)


def rows_of_run(run):
    rows = stored.rows_of(run.workspace, run)
    return Counter((row["dataset_name"], stored.known(row)) for row in rows)


def drive_again(paths, place, workers, kill_after=None, say_after=None, before=""):
    """A script that makes the run, or resumes it; it kills itself, or says so, after so many checkpoints.

    `before` may set `how` otherwise.
    """
    before = textwrap.indent(before, "    ")
    return f"""
import os, sys
sys.path.insert(0, {str(HERE)!r})
import nirs4all_workspace as n4w
from nirs4all_workspace.integrations.nirs4all import drive
from nirs4all_workspace.predictions.writer import Writer

if __name__ == "__main__":
    from drives import TEMPLATES
    made, done = Writer.checkpoint, []

    def checkpoint(self, result):
        found = made(self, result)
        done.append(found["id"])
        if len(done) == {kill_after!r}:
            os.kill(os.getpid(), 9)
        if len(done) == {say_after!r}:
            print("checkpointed", flush=True)
        return found

    Writer.checkpoint = checkpoint
    how = {{"workers": {workers}}}
{before}
    if os.path.exists({str(place / "runs")!r}) and os.listdir({str(place / "runs")!r}):
        drive.run(resume="latest", workspace={str(place)!r}, **how)
    else:
        paths = {json.dumps(paths)}
        drive.run(TEMPLATES(), paths, {str(place)!r}, name="lab", random_state=1, **how)
"""
