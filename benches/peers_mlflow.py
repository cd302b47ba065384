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

from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

START = 1_767_225_600_000
NAMES = ["Protein sweep", "Variety", "Moisture baseline", "Leaf nitrogen, second harvest"]


def _store(folder: str) -> SqlAlchemyStore:
    return SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts")


def make(folder: str, runs: int) -> None:
    """Logs one through its own store, and copies its rows under other ids, names and times."""
    store = _store(folder)
    experiment = store.create_experiment("runs")
    run = store.create_run(experiment, "user", START, [RunTag("template", "tpl_0")], "NAME")
    metrics = [Metric("rmse", 0.5, START, 0)]
    params = [Param("cv_folds", "3"), Param("datasets", "wheat, rye")]
    store.log_batch(run.info.run_id, metrics, params, [RunTag("description", "a run")])
    store.update_run_info(run.info.run_id, RunStatus.FINISHED, START + 60_000, "NAME")
    database = sqlite3.connect(Path(folder) / "mlflow.db")
    for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
        found = database.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", [run.info.run_id])
        columns = [column[0] for column in found.description]
        rows = found.fetchall()
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"
        for number in range(1, runs):
            new = {
                "run_uuid": f"{number:032x}",
                "start_time": START + number * 1_020_000,
                "end_time": START + number * 1_020_000 + 60_000,
                "name": NAMES[number % len(NAMES)],
            }
            # Only a run's own name and times are its own.
            own = new if table == "runs" else {"run_uuid": new["run_uuid"]}
            copies = [[own.get(*pair) for pair in zip(columns, row, strict=True)] for row in rows]
            database.executemany(insert, copies)
    database.commit()
    database.close()


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
