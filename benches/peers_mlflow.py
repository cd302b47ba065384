"""Runs in MLflow's SQLite store, by a Python that has it (`table.py --mlflow`).

python benches/peers_mlflow.py FOLDER RUNS     makes them, each with what our runs say of themselves
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

NAMES = ["Protein sweep", "Variety", "Moisture baseline", "Leaf nitrogen, second harvest"]


def _store(folder: str) -> SqlAlchemyStore:
    return SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts")


def make(folder: str, runs: int) -> None:
    """Logs them through its own store."""
    store = _store(folder)
    with sqlite3.connect(Path(folder) / "mlflow.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
    experiment = store.create_experiment("runs")
    for number in range(runs):
        began = 1_767_225_600_000 + number * 1_020_000
        name = NAMES[number % len(NAMES)]
        run = store.create_run(experiment, "user", began, [RunTag("template", "tpl_0")], name)
        store.log_batch(
            run.info.run_id,
            [Metric("rmse", 0.5, began, 0)],
            [Param("cv_folds", "3"), Param("datasets", "wheat, rye")],
            [RunTag("description", "a run")],
        )
        store.update_run_info(run.info.run_id, "FINISHED", began + 60_000, name)


def list_runs(folder: str) -> int:
    """All of them, page by page, as many a page as it allows."""
    store = _store(folder)
    experiments = [experiment.experiment_id for experiment in store.search_experiments()]
    found: list[Any] = []
    token = None
    while True:
        page = store.search_runs(experiments, "", ViewType.ACTIVE_ONLY, 50_000, None, token)
        found += [(run.info.run_id, run.info.run_name, run.info.status, run.info.start_time) for run in page]
        token = page.token
        if not token:
            return len(found)


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]))
