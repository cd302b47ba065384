"""What importing a store of nirs4all 1.4 costs: each function runs in a process of its own.

The store is made by SQL and Polars in tables that nirs4all itself creates, with the columns and texts that
its default engine writes: one row of `runs` a pipeline, arrays of each prediction in a file a dataset.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
import uuid
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

DATASETS = tuple(f"corn_{number}" for number in range(5))
FOLDS, SAMPLES, FEATURES = 7, 80, 700
PIPELINES = 40
TIMES = "2026-01-{:02d} {:02d}:{:02d}:{:02d}"
PREPROCESSINGS = ("MinMaxScaler", "StandardNormalVariate", "FirstDerivative", "SavitzkyGolay", "Detrend")


def make(place: str, rows: str, pipelines: str = str(PIPELINES)) -> None:
    """A store with so many predictions, of calls of so many pipelines on one dataset each."""
    from nirs4all.pipeline.storage.workspace_store import WorkspaceStore

    folder, wanted, each = Path(place), int(rows), int(pipelines)
    WorkspaceStore(folder).close()
    base = sqlite3.connect(folder / "store.sqlite")
    writers = _Arrays(folder / "arrays")
    made, call = 0, 0
    while made < wanted:
        for pipeline in range(each):
            made += _pipeline(base, writers, call, pipeline, min(wanted - made, 3 * FOLDS + 1))
            if made >= wanted:
                break
        call += 1
    base.commit()
    base.close()
    writers.close()


def _pipeline(base: sqlite3.Connection, writers: _Arrays, call: int, number: int, rows: int) -> int:
    """Write one pipeline of a call: train, val and test of each fold, and the test of the refit."""
    dataset = DATASETS[call % len(DATASETS)]
    run_id, pipeline_id, chain_id = (
        _uuid("run", call, number),
        _uuid("pip", call, number),
        _uuid("ch", call, number),
    )
    at = TIMES.format(1 + call // 86_400, call // 3_600 % 24, call // 60 % 60, call % 60)
    steps = json.dumps(
        [
            PREPROCESSINGS[number % 5],
            {"model": {"class": "sklearn.PLSRegression", "params": {"n_components": number}}},
        ]
    )
    name = f"Call {call}_p{number}"
    _insert(
        base,
        "runs",
        run_id=run_id,
        name=name,
        config=json.dumps({"engine": "dag-ml", "pipeline": json.loads(steps)}),
        datasets=json.dumps([{"name": dataset, "hash": f"{call % len(DATASETS):064x}"}]),
        status="completed",
        created_at=at,
        completed_at=at,
    )
    _insert(
        base,
        "pipelines",
        pipeline_id=pipeline_id,
        run_id=run_id,
        name=f"{name}_p0_{number:08x}",
        expanded_config=steps,
        original_template=steps,
        generator_choices="[]",
        dataset_name=dataset,
        status="completed",
        created_at=at,
        completed_at=at,
        metric="rmse",
        duration_ms=120,
    )
    _insert(
        base,
        "chains",
        chain_id=chain_id,
        pipeline_id=pipeline_id,
        steps="[]",
        model_step_idx=-1,
        model_class="PLSRegression",
        preprocessings=PREPROCESSINGS[number % 5],
        fold_artifacts="{}",
        shared_artifacts="{}",
    )
    kinds = [(str(fold), partition) for fold in range(FOLDS) for partition in ("train", "val", "test")]
    for place, (fold, partition) in enumerate(islice([*kinds, ("final", "test")], rows)):
        score = 1 + (call * 7 + number * 3 + place) % 997 / 100
        of = {"rmse": score, "r2": 1 - score / 20, "mae": score * 0.8}
        prediction_id = _uuid("pred", call, number, place)[:16]
        _insert(
            base,
            "predictions",
            prediction_id=prediction_id,
            pipeline_id=pipeline_id,
            chain_id=chain_id,
            dataset_name=dataset,
            model_name="PLSRegression",
            model_class="",
            fold_id=fold,
            partition=partition,
            val_score=score,
            test_score=score * 1.1,
            train_score=score * 0.9,
            metric="rmse",
            task_type="regression",
            n_samples=SAMPLES,
            n_features=FEATURES,
            scores=json.dumps({"train": of, "val": of, "test": of}),
            best_params=json.dumps({"n_components": number}),
            created_at=at,
        )
        writers.add(dataset, prediction_id, fold, partition, score)
    return rows


def _insert(base: sqlite3.Connection, table: str, **cells: Any) -> None:
    marks = ", ".join("?" * len(cells))
    base.execute(f"INSERT INTO {table} ({', '.join(cells)}) VALUES ({marks})", tuple(cells.values()))


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


class _Arrays:
    """The files of arrays of a store, one a dataset, written a part at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in DATASETS}
        self._parts = dict.fromkeys(DATASETS, 0)

    def add(self, dataset: str, prediction_id: str, fold: str, partition: str, score: float) -> None:
        true = [10 + (sample * 37 + ord(fold[0])) % 101 / 10 for sample in range(SAMPLES)]
        predicted = [value + score * ((sample % 7) - 3) / 10 for sample, value in enumerate(true)]
        listed = self._waiting[dataset]
        listed.append(
            (prediction_id, dataset, "PLSRegression", fold, partition, true, predicted, list(range(SAMPLES)))
        )
        if len(listed) >= 50_000:
            self._write(dataset)

    def _write(self, dataset: str) -> None:
        listed, self._waiting[dataset] = self._waiting[dataset], []
        if not listed:
            return
        number = self._parts[dataset]
        self._parts[dataset] += 1
        numbers = pl.List(pl.Float64)
        schema = {
            **dict.fromkeys(
                ("prediction_id", "dataset_name", "model_name", "fold_id", "partition"), pl.String
            ),
            "y_true": numbers,
            "y_pred": numbers,
            "sample_indices": pl.List(pl.Int32),
        }
        name = f"{dataset}_{number + 1}" if number else dataset
        pl.DataFrame(listed, schema, orient="row").write_parquet(self._folder / f"{name}.parquet")

    def close(self) -> None:
        for dataset in DATASETS:
            self._write(dataset)


def bring(folder: str) -> float:
    """Seconds of importing a store, read again and compared."""
    import nirs4all_workspace as n4w

    with tempfile.TemporaryDirectory(dir=".") as target:
        began = time.perf_counter()
        report = n4w.import_store(folder, Path(target) / "new")
        seconds = time.perf_counter() - began
    counts = report["counts"]
    if report["errors"] or counts["source"]["predictions"] != counts["target"]["predictions"]:
        raise RuntimeError(f"{report['errors'][:3]}, {counts}")
    return seconds


def bring_peak(folder: str) -> float:
    """MiB that importing a store takes at most."""
    from writes import peak

    bring(folder)
    return peak()
