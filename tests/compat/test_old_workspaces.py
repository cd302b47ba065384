"""Real workspaces of older nirs4all: what is said of them equals what their rows say."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
from agreement import check_summary, check_workspace, timeless
from conftest import DEMO, copy_files
from nirs4all_workspace.migration.migrate import migrate
from oracle import summarise
from samples import frame_of, keys, strict
from settling import settle

NAMES = ["nirs4all-0.6.2", "nirs4all-2026-01"]
RANKED = {"mse": "minimize", "balanced_accuracy": "maximize"}


def frames_of(folder):
    return {path.name.removesuffix(".meta.parquet"): frame_of(path) for path in folder.glob("*.meta.parquet")}


@pytest.fixture(params=["demo", *NAMES])
def workspace(request, tmp_path):
    if request.param == "demo":
        return copy_files(DEMO, tmp_path / "demo")
    return request.getfixturevalue("shared_copy")(request.param)


def test_summary_equals_the_rows(workspace):
    frames = frames_of(workspace)
    ws = n4w.Workspace.open(workspace)
    summary = ws.summary()
    assert summary["errors"] == []
    assert summary["files"] == len(frames) == 3
    check_workspace(summary, frames)
    for name, frame in frames.items():
        one = ws.summary(name)
        assert one["dataset_name"] == name
        check_summary(one, summarise(frame))


def test_summary_equals_the_rows_after_a_rebuild(workspace):
    frames = frames_of(workspace)
    ws = n4w.Workspace.open(workspace)
    before = ws.summary()
    report = ws.predictions.rebuild_summaries()
    assert (report["kept"], len(report["written"]), report["errors"]) == (0, 3, [])
    after = ws.summary()
    assert after["scanned"] == []
    check_workspace(after, frames)
    before.pop("scanned"), after.pop("scanned")
    assert timeless(after) == timeless(before)
    for name, frame in frames.items():
        check_summary(ws.summary(name), summarise(frame))


def test_footer_summary_equals_the_rows(workspace):
    frames = frames_of(workspace)
    n4w.Workspace.open(workspace).predictions.rebuild_summaries()
    for name, frame in frames.items():
        path = workspace / f"{name}.meta.parquet"
        check_summary(strict(keys(path)[b"n4a_summary"]), summarise(frame))
        read = n4w.read_summary(path)
        assert read["scanned"] is None
        check_summary(read, summarise(frame))


def test_files_without_a_summary_are_listed_as_scanned(workspace):
    summary = n4w.Workspace.open(workspace).summary()
    assert sorted(entry["path"] for entry in summary["scanned"]) == sorted(
        path.name for path in workspace.glob("*.meta.parquet")
    )
    assert all(entry["reason"] for entry in summary["scanned"])


def test_version_1_0_footers_are_named_as_the_reason(shared_copy):
    workspace = shared_copy("nirs4all-2026-01")
    for path in workspace.glob("*.meta.parquet"):
        assert strict(keys(path)[b"n4a_summary"])["n4a_version"] == "1.0"
    summary = n4w.Workspace.open(workspace).summary()
    assert len(summary["scanned"]) == 3
    assert all("1.0" in entry["reason"] for entry in summary["scanned"])


def test_the_best_comes_first_in_the_direction_of_its_metric(workspace):
    ws = n4w.Workspace.open(workspace)
    rows = pl.concat(frames_of(workspace).values(), how="diagonal_relaxed")
    for metric in rows["metric"].unique():
        scores = rows.filter((pl.col("metric") == metric) & (pl.col("partition") == "val"))["val_score"]
        extreme = scores.min() if RANKED[metric] == "minimize" else scores.max()
        entry = ws.summary()["by_metric"][metric]
        assert entry["direction"] == RANKED[metric]
        shown = [row["val_score"] for row in entry["top_predictions"]]
        assert shown[0] == extreme
        assert shown == sorted(shown, reverse=RANKED[metric] == "maximize")
        assert {row["partition"] for row in entry["top_predictions"]} == {"val"}


def test_rows_of_0_6_have_neither_runs_nor_dates(workspace):
    summary = n4w.Workspace.open(workspace).summary()
    assert summary["date_range"] == {"earliest": None, "latest": None}
    assert summary["runs"] == []


def test_a_folder_of_files_reads_like_its_files(workspace):
    results = n4w.read_summaries(workspace)
    assert [result.path.name for result in results] == sorted(
        path.name for path in workspace.glob("*.meta.parquet")
    )
    for result in results:
        assert result.error is None
        check_summary(result.summary, summarise(frame_of(result.path)))


def test_opening_and_reading_add_nothing_but_cache(workspace):
    before = {path.name: path.read_bytes() for path in workspace.iterdir()}
    ws = n4w.Workspace.open(workspace)
    ws.summary()
    ws.verify(full=True)
    ws.predictions.top(3, metric="mse")
    after = {path.name: path.read_bytes() for path in workspace.iterdir() if path.name != ".cache"}
    assert after == before


ANSWERS = """
import json, os, sys
import polars, yaml
import nirs4all_workspace as n4w
if len(sys.argv) > 2:
    os.environ["XDG_CACHE_HOME"] = sys.argv[2]
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
answers = []
for _ in range(2):
    ws = n4w.Workspace.open(sys.argv[1])
    runs = ws.runs.list()
    page = ws.predictions.page(3, 50)
    answers.append([
        [run.to_dict() for run in runs],
        [ws.predictions.page(limit=5, run=run.id).to_dict() for run in runs],
        ws.predictions.page(0, 9, "model_name", True).to_dict(),
        page.to_dict(),
        ws.results.list().to_dict(),
        runs.errors,
    ])
print(json.dumps(answers))
"""


@pytest.mark.parametrize("sample", ["nirs4all-0.6.2", "nirs4all-2026-01", "migrated"])
def test_a_read_only_folder_answers_as_a_writable_one(shared, tmp_path, sample):
    """In a process without rights, since root may write everywhere."""
    root = tmp_path / "ws"
    if sample == "migrated":
        migrate(shared("nirs4all-0.6.2"), root)
        shutil.rmtree(root / ".cache", ignore_errors=True)
    else:
        shutil.copytree(
            shared(sample), root, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(".cache")
        )
    user = tmp_path / "user"
    user.mkdir()
    user.chmod(0o777)
    for parent in [tmp_path, *list(tmp_path.parents)[:3]]:
        if parent.owner() == user.owner() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    folders = [path for path in [root, *root.rglob("*")] if path.is_dir()]
    for path in [*folders, *(path for path in root.rglob("*") if path.is_file())]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(root.rglob("*"))
    settle(root)

    def ask(*arguments):
        run = subprocess.run(
            [sys.executable, "-c", ANSWERS, *arguments], capture_output=True, text=True, timeout=120
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    try:
        read_only = [ask(root, user), ask(root, user)]
        assert sorted(root.rglob("*")) == before
        assert {path.name for path in user.rglob("*.bin")} >= {"catalogue.bin"}
    finally:
        for path in folders:
            path.chmod(0o755)
    writable = ask(root)
    assert read_only == [writable, writable]
    assert writable[0] == writable[1]
    assert writable[0][0]
    assert (root / ".cache").exists()
