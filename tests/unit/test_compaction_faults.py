"""Compaction beside one thing that cannot be read: one error, and everything else is merged and said."""

import os
import shutil

import nirs4all_workspace as n4w
import polars as pl
import pytest
from commands import n4w as command
from samples import strict

DATASETS = ("corn", "rye")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs with three segments on each of two datasets, old enough to be merged."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("made") / "ws")
    runs = []
    for name in ("A", "B"):
        run = ws.runs.create(name, templates=[["A"]], datasets=list(DATASETS))
        with run:
            for number in range(3):
                for dataset in DATASETS:
                    with run.writer(dataset) as writer:
                        writer.write({"id": f"{name}{dataset}{number}", "metric": "rmse", "val_score": 1.0})
        runs.append(run.id)
    for journal in ws.path.glob("predictions/*/*.journal*"):
        journal.unlink()  # as after 10 s
    return ws.path, runs


def first(root, run, dataset="corn"):
    return sorted(root.glob(f"predictions/{dataset}_*/{run}.*.meta.parquet"))[0]


def pipe(root, run):
    path = first(root, run)
    path.unlink()
    os.mkfifo(path)
    return path


def torn(root, run):
    path = first(root, run)
    os.truncate(path, 100)
    return path


def broken_lock(root, run):
    path = root / ".locks" / "runs" / f"{run}.owner.lock"
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    return path


def run_is_a_loop(root, run):
    path = root / "runs" / run
    shutil.rmtree(path)
    path.symlink_to(run)
    return path


# What is not merged: of the run in one folder, or of the run.
FAULTS = {pipe: 1, torn: 1, broken_lock: 2, run_is_a_loop: 2}


@pytest.mark.parametrize("hit", [0, 1])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_rest_is_merged_and_said(made, tmp_path, fault, hit):
    source, runs = made
    root = shutil.copytree(source, tmp_path / "ws")
    before = {path.relative_to(root).as_posix() for path in root.glob("predictions/*/*.meta.parquet")}
    path = fault(root, runs[hit]).relative_to(root).as_posix()
    code, out, _ = command("compact", str(root), "--json")
    done = strict(out)
    assert [error["path"] for error in done["errors"]] == [path], done
    assert code == 1
    assert len(done["compacted"]) == 4 - FAULTS[fault]
    assert done["skipped"] == []
    merged = [name for one in done["compacted"] for name in one["inputs"]]
    assert len(merged) == len(set(merged)) == 3 * (4 - FAULTS[fault])
    assert set(merged) < before
    for one in done["compacted"]:
        assert pl.read_parquet(root / one["output"]).height == one["rows"] == 3


def test_the_command_shows_both(made, tmp_path):
    source, runs = made
    root = shutil.copytree(source, tmp_path / "ws")
    name = torn(root, runs[0]).name
    code, out, err = command("compact", str(root))
    assert (code, "9 segments merged into 3" in out, name in err) == (1, True, True), (out, err)


def test_one_dataset(made, tmp_path):
    """What lies in other folders is not looked at."""
    source, runs = made
    root = shutil.copytree(source, tmp_path / "ws")
    torn(root, runs[0])
    done = n4w.Workspace.open(root).predictions.compact("rye")
    assert (len(done["compacted"]), done["errors"]) == (2, [])
