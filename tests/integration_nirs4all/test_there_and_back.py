"""A store that is imported, exported and imported again has the same rows, scores and arrays."""

import json
import zipfile
from pathlib import Path

import nirs4all_workspace as n4w
import numpy as np
import pytest
import stored
from drives import TEMPLATES, folders
from nirs4all_workspace.integrations.nirs4all import export_store
from nirs4all_workspace.integrations.nirs4all import run as drive

STORES = Path(__file__).parents[1] / "compat" / "samples" / "stores"
# What an export says anew: when it was written, and in which row of its tables.
ANEW = ("created_at", "pipeline_uid", "chain_id", "run_id", "result_id", "template_id", "config_name")
ARRAYS = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")


def check_rows(before, after):
    """Compare rows by id; what a store has no column for is not compared."""
    assert before.keys() == after.keys()
    for id_, row in before.items():
        other = after[id_]
        for name in row.keys() & other.keys():
            if name in ANEW or (name.endswith("_id") and name.removesuffix("_id") in ARRAYS):
                continue
            if name in ARRAYS:
                assert (row[name] is None) == (other[name] is None), (id_, name)
                assert row[name] is None or np.array_equal(row[name], other[name], equal_nan=True), (
                    id_,
                    name,
                )
            elif name in ("scores", "best_params", "metadata"):
                assert (row[name] or {}) == (other[name] or {}), (id_, name)
            else:
                assert (row[name] or None) == (other[name] or None), (id_, name)


def rows_of(ws, run):
    return {row["id"]: row for row in stored.rows_of(ws, run)}


def scores_of(run):
    names = ("score", "score_mean", "score_std", "score_test", "n_folds", "metric", "status", "n_rows")
    return sorted(
        (it.dataset_name, json.dumps(it.generator_choices), *(repr(getattr(it, name)) for name in names))
        for it in run.results()
    )


def check_there_and_back(ws, run, folder):
    from nirs4all.data import Predictions
    from nirs4all.pipeline.storage.workspace_store import WorkspaceStore

    export_store(ws, run, folder / "store")
    rows = rows_of(ws, run)
    assert len(Predictions(folder / "store")) == len(rows)
    listed = WorkspaceStore.open_readonly(folder / "store").list_runs()
    assert [row["name"] for row in listed.iter_rows(named=True)] == [run.name]
    report = n4w.import_store(folder / "store", folder / "again")
    assert report["errors"] == []
    again = n4w.Workspace.open(folder / "again")
    (found,) = again.runs.list()
    check_rows(rows, rows_of(again, found))
    assert scores_of(found) == scores_of(run)
    assert (found.name, found.status, found.description, found.tags) == (
        run.name,
        run.status,
        run.description,
        run.tags,
    )


def test_a_driven_run(tmp_path):
    run = drive(TEMPLATES(), folders(tmp_path / "data"), tmp_path / "ws", name="lab", random_state=1)
    run.edit(description="first", tags=["a", "b"])
    check_there_and_back(run.workspace, run, tmp_path)


@pytest.mark.parametrize("name", ["0.7.1", "0.8.11", "1.4.10", "1.4.10-legacy"])
def test_imported_runs(name, tmp_path):
    zipfile.ZipFile(STORES / f"{name}.zip").extractall(tmp_path / "source")
    n4w.import_store(tmp_path / "source", tmp_path / "ws")
    ws = n4w.Workspace.open(tmp_path / "ws")
    for number, run in enumerate(ws.runs.list()):
        if run.status == "completed":
            (tmp_path / str(number)).mkdir()
            check_there_and_back(ws, run, tmp_path / str(number))


def test_an_export_that_is_imported_where_its_run_is(tmp_path):
    zipfile.ZipFile(STORES / "1.4.10.zip").extractall(tmp_path / "source")
    n4w.import_store(tmp_path / "source", tmp_path / "ws")
    ws = n4w.Workspace.open(tmp_path / "ws")
    before = len(ws.runs.list())
    export_store(ws, ws.runs.list()[0], tmp_path / "store")
    report = n4w.import_store(tmp_path / "store", tmp_path / "ws")
    assert [note["kind"] for note in report["notes"]] == ["known"]
    assert len(n4w.Workspace.open(tmp_path / "ws").runs.list()) == before
