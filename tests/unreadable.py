"""A workspace in which one thing cannot be read, every call that reads, and what each must say of it.

Run as a program it asks a list of workspaces as another user, who may not read what root may.
"""

import errno
import json
import os
import shutil
import socket
import sys
import warnings
from pathlib import Path

import nirs4all_workspace as n4w

DATASETS = ("wheat", "rye", "oat")
# The closed set of kinds that answers name.
KINDS = {
    *("io", "not_parquet", "truncated", "corrupt", "encrypted", "schema", "metric", "conflict", "lock_timeout"),
    *("not_found", "type", "argument", "interrupted", "internal"),
}


def make(root):
    """A workspace of three runs, each on its own dataset, and a fourth that is being written."""
    ws = n4w.Workspace.create(root / "ws")
    names = {}
    for number, dataset in enumerate(DATASETS):
        file = root / f"{dataset}.csv"
        file.write_text("a;b;y\n" + "\n".join(f"{k};{k + number};{k}" for k in range(9)) + "\n")
        record = ws.datasets.register(file, name=dataset)
        run = ws.runs.create(f"r{number}", templates=[[f"step{number}"]], datasets=[record.id])
        artifact = ws.artifacts.put(f"model {number}".encode())
        with run:
            for result in run.plan([{"name": "only"}]):
                with run.writer(result.dataset_name) as writer:
                    writer.write(row(result, number))
                    result.artifacts = [artifact]
                    writer.checkpoint(result)
        names[dataset] = {"run": run.id, "template": run.templates[0]["id"], "dataset": record.id, "artifact": artifact}
    for path in ws.path.rglob("*"):
        os.utime(path, (1.7e9, 1.7e9))
    return ws.path, names


def row(result, number):
    return {
        "id": f"row{number}",
        "result_id": result.id,
        "partition": "val",
        "fold_id": "0",
        "metric": "rmse",
        "model_name": f"PLS{number}",
        "val_score": 0.1 * (number + 1),
        "y_true": [1.0, 2.0],
        "y_pred": [1.5, number],
    }
