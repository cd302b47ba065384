"""Imports that are repeated: of stores that grew, changed or are damaged, and of copies that meet."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from imported import Files, Store, tree
from nirs4all_workspace import Workspace, import_store
from nirs4all_workspace.exceptions import ConflictError, CorruptFileError, NotFoundError, SchemaError

STORES = Path(__file__).parent / "samples" / "stores"
NAME = "1.4.10"


@pytest.fixture
def store(tmp_path):
    zipfile.ZipFile(STORES / f"{NAME}.zip").extractall(tmp_path / "store")
    return tmp_path / "store"


def run_sql(store, *queries):
    with closing(sqlite3.connect(store / "store.sqlite")) as base, base:
        found = [base.execute(query, values).fetchall() for query, *values in queries]
    return found[-1]


def drop_call(store, runs):
    """Remove the rows of a call, as if it had not been made yet."""
    marks = ", ".join("?" * len(runs))
    own = f"(SELECT pipeline_id FROM pipelines WHERE run_id IN ({marks}))"
    with closing(sqlite3.connect(store / "store.sqlite")) as base, base:
        for table in ("predictions", "chains"):
            base.execute(f"DELETE FROM {table} WHERE pipeline_id IN {own}", runs)
        for table in ("pipelines", "runs"):
            base.execute(f"DELETE FROM {table} WHERE run_id IN ({marks})", runs)


def visible(workspace):
    """The ids and validation scores of all rows that answers have."""
    frame = Workspace.open(workspace).predictions.scan().select("id", "val_score").collect()
    return sorted(frame.iter_rows(), key=lambda row: row[0])


def expected(store):
    rows = Store(store).tables["predictions"]
    return sorted(((row["prediction_id"], row["val_score"]) for row in rows), key=lambda row: row[0])


def is_clean(workspace):
    return Workspace.open(workspace).verify(full=True)["problems"] == []


def test_a_store_that_grew_by_a_run_adds_one(store, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(store, whole)
    last = import_store(whole, tmp_path / "all")["runs"][-1]
    drop_call(store, last["source_runs"])
    first = import_store(store, tmp_path / "w")
    before = tree(tmp_path / "w" / "runs")
    again = import_store(whole, tmp_path / "w")
    assert again["status"] == "imported"
    assert again["errors"] == []
    assert [run["id"] for run in again["runs"] if run["is_new"]] == [last["id"]]
    assert len(again["runs"]) == len(first["runs"]) + 1
    assert before.items() <= tree(tmp_path / "w" / "runs").items()
    assert visible(tmp_path / "w") == expected(whole)
    assert is_clean(tmp_path / "w")


def test_changed_rows_supersede_what_was_imported(store, tmp_path):
    first = import_store(store, tmp_path / "w")
    Workspace.open(tmp_path / "w").runs.get(first["runs"][0]["id"]).edit(notes="mine")
    one, other = run_sql(store, ("SELECT prediction_id FROM predictions ORDER BY rowid LIMIT 2",))
    run_sql(store, ("UPDATE predictions SET val_score = 99.5 WHERE prediction_id = ?", *one))
    run_sql(store, ("DELETE FROM predictions WHERE prediction_id = ?", *other))
    again = import_store(store, tmp_path / "w")
    assert (again["status"], again["errors"]) == ("imported", [])
    assert sum(run["is_new"] for run in again["runs"]) == 1
    assert visible(tmp_path / "w") == expected(store)
    assert Workspace.open(tmp_path / "w").runs.get(first["runs"][0]["id"]).notes == "mine"
    assert is_clean(tmp_path / "w")
    assert import_store(store, tmp_path / "w")["status"] == "unchanged"


def test_scores_of_superseded_results_are_the_new_ones(store, tmp_path):
    import_store(store, tmp_path / "w")
    best = next(iter(Workspace.open(tmp_path / "w").results.list(dataset="wheat", status="done")))
    own = "(SELECT pipeline_id FROM pipelines WHERE name = ?)"
    query = f"UPDATE predictions SET val_score = val_score + 1000 WHERE pipeline_id IN {own}"
    run_sql(store, (query, best.config_name))
    import_store(store, tmp_path / "w")
    found = list(Workspace.open(tmp_path / "w").results.list(dataset="wheat"))
    changed = [result for result in found if result.config_name == best.config_name]
    assert changed
    assert all(result.score > 1000 for result in changed)
    assert len({result.id for result in found}) == len(found)


@pytest.mark.parametrize("is_new_first", [True, False])
def test_merged_copies_of_a_former_and_a_later_import_are_the_later(store, tmp_path, is_new_first):
    import_store(store, tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    run_sql(store, ("UPDATE predictions SET val_score = val_score + 1 WHERE partition = 'val'",))
    import_store(store, tmp_path / "new")
    merged = merge(tmp_path, *(("new", "old") if is_new_first else ("old", "new")))
    Workspace.open(merged).recover()
    assert visible(merged) == expected(store)
    assert is_clean(merged)


def test_two_imports_of_one_source_merged_are_one(store, tmp_path):
    import_store(store, tmp_path / "one")
    import_store(store, tmp_path / "other")
    merged = merge(tmp_path, "one", "other")
    assert visible(merged) == expected(store)
    assert len(Workspace.open(merged).runs.list()) == len(Workspace.open(tmp_path / "one").runs.list())
    assert is_clean(merged)
    assert import_store(store, merged)["status"] == "unchanged"


def merge(folder, first, second):
    """Copy one folder over another one, without replacing files, as `cp -rn` does."""
    merged = folder / "merged"
    shutil.copytree(folder / first, merged)
    for path in sorted((folder / second).rglob("*")):
        there = merged / path.relative_to(folder / second)
        if path.is_dir():
            there.mkdir(exist_ok=True)
        elif not there.exists():
            shutil.copy2(path, there)
    return merged


def test_rows_in_a_write_ahead_log_are_read_and_nothing_is_written(store, tmp_path):
    base = sqlite3.connect(store / "store.sqlite")
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("UPDATE predictions SET val_score = 7.25 WHERE partition = 'val'")
    base.commit()
    shutil.copytree(store, tmp_path / "live")
    base.close()
    before = tree(tmp_path / "live")
    assert any(name.endswith("-wal") for name in before)
    report = import_store(tmp_path / "live", tmp_path / "w")
    assert report["errors"] == []
    assert tree(tmp_path / "live") == before
    assert visible(tmp_path / "w") == expected(store)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(store, tmp_path):
    for path in [store, *store.rglob("*")]:
        path.chmod(path.stat().st_mode & ~stat.S_IWUSR & ~stat.S_IWGRP & ~stat.S_IWOTH)
    assert import_store(store, tmp_path / "w")["errors"] == []


def test_a_link_to_a_store(store, tmp_path):
    (tmp_path / "link").symlink_to(store)
    assert import_store(tmp_path / "link", tmp_path / "w")["errors"] == []
    assert visible(tmp_path / "w") == expected(store)


def test_a_damaged_file_of_arrays_is_one_error_and_the_rest_is_imported(store, tmp_path):
    path = store / "arrays" / "wheat.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    report = import_store(store, tmp_path / "w")
    assert [error["path"] for error in report["errors"]] == ["arrays/wheat.parquet"]
    path.unlink()
    assert visible(tmp_path / "w") == expected(store)
    files = Files(tmp_path / "w")
    corn = [row for row in files.rows if row["dataset_name"] == "corn"]
    assert corn
    assert all(row["y_pred_id"] in files.arrays for row in corn)


def test_arrays_that_are_mended_supersede_rows_without(store, tmp_path):
    path = store / "arrays" / "wheat.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    assert import_store(store, tmp_path / "w")["errors"]
    path.write_bytes(content)
    assert import_store(store, tmp_path / "w")["errors"] == []
    assert visible(tmp_path / "w") == expected(store)
    frame = Workspace.open(tmp_path / "w").predictions.scan().collect()
    assert frame.filter(pl.col("dataset_name") == "wheat")["y_pred_id"].null_count() == 0
    assert is_clean(tmp_path / "w")


def test_a_missing_and_a_changed_artifact(tmp_path):
    store = tmp_path / "store"
    zipfile.ZipFile(STORES / "0.9.4.zip").extractall(store)
    rows = Store(store).tables["artifacts"]
    assert len(rows) > 2
    (store / "artifacts" / rows[0]["artifact_path"]).unlink()
    changed = store / "artifacts" / rows[1]["artifact_path"]
    changed.write_bytes(b"changed")
    report = import_store(store, tmp_path / "w")
    assert {error["kind"] for error in report["errors"]} <= {"differs"}
    assert all(rows[1]["artifact_path"] in error["path"] for error in report["errors"])
    assert "missing_artifacts" in {note["kind"] for note in report["notes"]}
    assert report["counts"]["source"]["artifacts_missing"] > 0


def test_a_database_that_is_damaged(store, tmp_path):
    path = store / "store.sqlite"
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(CorruptFileError, match=r"store\.sqlite"):
        import_store(store, tmp_path / "w")


@pytest.mark.parametrize("version", [3, 6, 99])
def test_a_store_of_another_version_is_refused(store, tmp_path, version):
    with closing(sqlite3.connect(store / "store.sqlite")) as base:
        base.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(SchemaError, match=str(version)):
        import_store(store, tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_what_is_no_store(store, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(NotFoundError):
            import_store(path, tmp_path / "w")
    with pytest.raises(ConflictError):
        import_store(store, store / "w")
    import_store(store, tmp_path / "w")
    with pytest.raises((SchemaError, NotFoundError)):
        import_store(tmp_path / "w", tmp_path / "other")


@pytest.mark.parametrize(
    "name", ["../../up", "a/b\\c", "\n\x1b[31mred", "", " ", "x" * 3_000, "Ünï", "CON", ".n4w-importing"]
)
def test_names_of_any_kind(store, tmp_path, name):
    row = run_sql(store, ("SELECT run_id FROM runs ORDER BY rowid LIMIT 1",))[0]
    run_sql(store, ("UPDATE runs SET name = ? WHERE run_id = ?", name, *row))
    report = import_store(store, tmp_path / "w")
    assert report["errors"] == []
    assert visible(tmp_path / "w") == expected(store)
    assert is_clean(tmp_path / "w")
    assert {path.name for path in tmp_path.iterdir()} == {"store", "w"}


def test_rows_that_have_lost_their_pipeline_or_run_are_kept_and_said(store, tmp_path):
    pipeline = run_sql(store, ("SELECT pipeline_id FROM pipelines ORDER BY rowid LIMIT 1",))[0]
    with closing(sqlite3.connect(store / "store.sqlite")) as base, base:
        base.execute("PRAGMA foreign_keys = OFF")
        base.execute("DELETE FROM pipelines WHERE pipeline_id = ?", pipeline)
    report = import_store(store, tmp_path / "w")
    assert {error["kind"] for error in report["errors"]} == {"dangling"}
    assert visible(tmp_path / "w") == expected(store)


def test_values_of_other_types_are_kept_beside(store, tmp_path):
    row = run_sql(store, ("SELECT prediction_id FROM predictions ORDER BY rowid LIMIT 1",))[0]
    run_sql(
        store, ("UPDATE predictions SET val_score = 'much', n_samples = 1.5 WHERE prediction_id = ?", *row)
    )
    report = import_store(store, tmp_path / "w")
    assert report["errors"] == []
    found = next(it for it in Files(tmp_path / "w").rows if it["id"] == row[0])
    assert (found["val_score"], found["source_val_score"]) == (None, "much")
    assert (found["n_samples"], found["source_n_samples"]) == (None, "1.5")


def test_the_examples_of_the_docs_run(store, tmp_path, monkeypatch, capsys):
    docs = (Path(__file__).parents[2] / "docs" / "nirs4all.md").read_text("utf-8")
    (example,) = [it for it in re.findall(r"```python\n(.*?)```", docs, re.DOTALL) if "import_store(" in it]
    (command,) = re.findall(r"\$ n4w (import .*)\n", docs)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(store, tmp_path / "lab" / "workspace")
    exec(compile(example, "nirs4all.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    calls = [call for call in json.loads((STORES / "stores.json").read_text())[NAME]["calls"] if call["runs"]]
    assert len(lines) == len(calls) + 1
    assert all(line.endswith("new") for line in lines[:-1])
    assert lines[-1].startswith("imported 0 ")
    done = subprocess.run(
        [sys.executable, "-m", "nirs4all_workspace.cli", *command.split(), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["status"] == "unchanged"
    assert visible(tmp_path / "experiments") == expected(store)


def test_the_command_ends_with_1_where_something_is_damaged(store, tmp_path):
    (store / "arrays" / "wheat.parquet").write_bytes(b"PAR1")
    command = [sys.executable, "-m", "nirs4all_workspace.cli", "import", store, tmp_path / "w"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "arrays/wheat.parquet" in done.stdout + done.stderr


def test_arrays_of_another_type_are_one_error(store, tmp_path):
    path = store / "arrays" / "wheat.parquet"
    pl.read_parquet(path).with_columns(pl.lit("none").alias("y_pred")).write_parquet(path)
    report = import_store(store, tmp_path / "w")
    assert [(error["path"], error["kind"]) for error in report["errors"]] == [
        ("arrays/wheat.parquet", "corrupt")
    ]
    assert visible(tmp_path / "w") == expected(store)


def test_columns_without_values_and_counts_beyond_64_bits(tmp_path):
    store = tmp_path / "store"
    zipfile.ZipFile(STORES / "0.8.11.zip").extractall(store)
    with closing(sqlite3.connect(store / "store.sqlite")) as base, base:
        base.execute("CREATE TABLE copied AS SELECT * FROM predictions")
        base.execute("DROP TABLE predictions")
        base.execute("ALTER TABLE copied RENAME TO predictions")
        base.execute(
            "UPDATE predictions SET fold_id = NULL, partition = NULL, model_name = NULL, metric = NULL"
        )
        base.execute(f"UPDATE predictions SET n_samples = {2**63 - 1}")
    assert import_store(store, tmp_path / "w")["errors"] == []
    assert visible(tmp_path / "w") == expected(store)
    assert {row["n_samples"] for row in Files(tmp_path / "w").rows} == {2**63 - 1}


def test_who_only_looks_at_a_store_changes_nothing(store, tmp_path, monkeypatch):
    """A reader that comes and goes leaves an empty log for a moment."""
    from nirs4all_workspace.stores import publish

    real = publish.rename
    readers = []

    def rename(*given):
        if not readers:
            readers.append(sqlite3.connect(store / "store.sqlite"))
            readers[0].execute("SELECT count(*) FROM runs").fetchall()
        return real(*given)

    monkeypatch.setattr(publish, "rename", rename)
    assert import_store(store, tmp_path / "w")["errors"] == []
    readers[0].close()
    assert import_store(store, tmp_path / "w")["status"] == "unchanged"
