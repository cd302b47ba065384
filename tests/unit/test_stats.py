"""Statistics: what they count, what of them is counted again, and that their cache is no data."""

import json
import math
import shutil
import subprocess
import sys

import nirs4all_workspace as n4w
import pytest
import yaml
from nirs4all_workspace import _native
from settling import settle

CACHE = ("workspace_stats.json", "model_performance.json", "cache_manifest.yaml")


@pytest.fixture
def settled(monkeypatch):
    """Take files for old enough at once: no test edits one twice within a tick."""
    monkeypatch.setattr("nirs4all_workspace.insight.stats._RACY_NS", -(10**12))


def fill(ws, name, datasets=("wheat",), scores=(0.5, 0.25), metric="rmse", status="completed", model="PLS"):
    """A finished run with one result on each dataset, and a row for each score."""
    run = ws.runs.create(name, templates=[["SNV", "PLS"]], datasets=list(datasets))
    with run:
        for planned in run.plan([{"name": "a"}]):
            with run.writer(planned.dataset_name) as writer:
                for number, score in enumerate(scores):
                    row = {"id": f"{planned.id}{number}", "result_id": planned.id, "partition": "val"}
                    writer.write(row | {"model_name": model, "metric": metric, "val_score": score})
                planned.status = "failed" if status == "failed" else None
                writer.checkpoint(planned)
        if status != "completed":
            run.transition(status)
    return run


def without_time(answer):
    return {key: value for key, value in answer.items() if key not in ("generated_at", "recomputed")}


def test_what_is_counted(ws, tmp_path):
    fill(ws, "one", ["wheat", "corn"])
    fill(ws, "two", ["wheat"], (1.0, float("nan"), None), status="failed")
    fill(ws, "three", ["wheat"], (0.9, 0.7), metric="r2", model=None)
    ws.runs.create("waits").transition("cancelled")
    (tmp_path / "new.csv").write_text("1;2\n3;4\n")
    ws.datasets.register(tmp_path / "new.csv")
    digest = ws.artifacts.put(b"model")
    answer = ws.stats()
    counts = answer["workspace"]
    states = {"queued": 0, "running": 0, "paused": 0, "completed": 2, "failed": 1, "cancelled": 1}
    assert counts["runs"] == {"total": 4, "by_status": states, "interrupted": 0, "by_kind": {"run": 4}}
    assert counts["results"] == {"total": 4, "by_status": {"done": 3, "failed": 1}}
    assert counts["datasets"] == {"total": 1, "by_status": {"valid": 1}}
    assert counts["templates"] == {"total": 1}
    assert counts["predictions"] == {"total": 9, "files": 4}
    assert counts["bytes"]["by_folder"]["artifacts"] == 5 == ws.artifacts.get(digest).stat().st_size
    for folder in ("predictions", "arrays", "artifacts", "runs", "datasets", "templates"):
        files = [path for path in (ws.path / folder).rglob("*") if path.is_file()]
        assert counts["files"]["by_folder"][folder] == len(files)
        assert counts["bytes"]["by_folder"][folder] == sum(path.stat().st_size for path in files)
    assert counts["files"]["total"] == sum(counts["files"]["by_folder"].values())
    common = {"direction": "minimize", "metric": "rmse", "model": "PLS"}
    # Of the best result: the root of the mean square of its rows, and their mean.
    best = math.sqrt((0.5**2 + 0.25**2) / 2)
    assert answer["model_performance"] == [
        {"dataset": "corn", **common, "count": 2, "mean": 0.375, "best": pytest.approx(best)},
        {"dataset": "wheat", "metric": "r2", "direction": "maximize", "model": None}
        | {"count": 2, "mean": 0.8, "best": pytest.approx(0.8)},
        {"dataset": "wheat", **common, "count": 5, "mean": pytest.approx(1.75 / 3)}
        | {"best": pytest.approx(best)},
    ]
    assert answer["errors"] == []
    json.dumps(answer, allow_nan=False)


def test_an_empty_workspace(ws):
    answer = ws.stats()
    assert answer["workspace"]["predictions"] == {"total": 0, "files": 0}
    assert answer["workspace"]["bytes"]["total"] == 0
    assert answer["model_performance"] == []


def part_of(ws, dataset):
    (folder,) = (path.name for path in (ws.path / "predictions").iterdir() if path.name.startswith(dataset))
    return f"predictions/{folder}"


@pytest.mark.usefixtures("settled")
def test_only_what_changed_is_counted_again(ws, tmp_path):
    one = fill(ws, "one", ["wheat", "corn"])
    two = fill(ws, "two", ["wheat"])
    wheat, corn = part_of(ws, "wheat"), part_of(ws, "corn")
    everything = sorted([f"runs/{one.id}", f"runs/{two.id}", wheat, corn, "datasets"])
    assert ws.stats()["recomputed"] == everything
    assert ws.stats()["recomputed"] == []
    assert n4w.Workspace.open(ws.path).stats()["recomputed"] == []
    assert ws.stats(rebuild=True)["recomputed"] == everything

    three = fill(ws, "three", ["corn"])
    assert ws.stats()["recomputed"] == sorted([f"runs/{three.id}", corn])

    (tmp_path / "new.csv").write_text("1;2\n3;4\n")
    record = ws.datasets.register(tmp_path / "new.csv")
    assert ws.stats()["recomputed"] == ["datasets"]
    path = ws.path / "datasets" / f"{record.id}.yaml"
    path.write_text(path.read_text().replace("status: valid", "status: missing"))
    answer = ws.stats()
    assert (answer["recomputed"], answer["workspace"]["datasets"]["by_status"]) == (
        ["datasets"],
        {"missing": 1},
    )

    waits = ws.runs.create("waits")
    assert ws.stats()["recomputed"] == [f"runs/{waits.id}"]
    waits.transition("cancelled")
    answer = ws.stats()
    assert answer["recomputed"] == [f"runs/{waits.id}"]
    assert answer["workspace"]["runs"]["by_status"]["cancelled"] == 1

    ws.runs.delete(two.id)
    answer = ws.stats()
    assert answer["recomputed"] == [wheat]
    assert answer["workspace"]["predictions"]["total"] == 6


def test_a_young_file_is_not_trusted(ws):
    """It may change again without its stat telling."""
    run = fill(ws, "one")
    first = ws.stats()["recomputed"]
    assert set(first) == {f"runs/{run.id}", part_of(ws, "wheat"), "datasets"}
    assert set(ws.stats()["recomputed"]) >= {f"runs/{run.id}", part_of(ws, "wheat")}
    settle(ws.path)
    ws.stats()
    assert ws.stats()["recomputed"] == []


@pytest.mark.usefixtures("settled")
def test_rows_in_a_journal_count_at_once(ws):
    run = ws.runs.create("live", templates=[["SNV"]], datasets=["wheat"])
    with run:
        (planned,) = run.plan([{"name": "a"}])
        with run.writer("wheat") as writer:
            for number in range(3):
                writer.write({"id": str(number), "metric": "rmse", "val_score": 1.0, "model_name": "m"})
                writer.flush()
                counts = ws.stats()["workspace"]
                assert (counts["predictions"]["total"], counts["results"]["total"]) == (number + 1, 0)
            with pytest.warns(UserWarning, match="is done without rows"):
                writer.checkpoint(planned)
            answer = ws.stats()
            assert answer["workspace"]["results"]["by_status"] == {"done": 1, "failed": 0}
            assert answer["workspace"]["runs"]["by_status"]["running"] == 1
            assert answer["workspace"]["runs"]["interrupted"] == 0


def garbage(path):
    kept = path.read_bytes()
    newer = json.loads(kept) | {"version": 99}
    other = json.loads(kept)
    other["parts"] = dict.fromkeys(other["parts"], 1)
    return [b"", b"\x00\xff" * 99, kept[: len(kept) // 2], b"[]", b"null", b"[" * 10**5] + [
        json.dumps(content).encode()
        for content in (newer, other, {"version": 1}, {"version": 1, "parts": []})
    ]


@pytest.mark.parametrize("name", CACHE)
@pytest.mark.usefixtures("settled")
def test_garbage_in_the_cache_changes_no_answer(ws, name):
    fill(ws, "one", ["wheat", "corn"])
    path = ws.path / ".cache" / name
    expected = without_time(ws.stats())
    for content in garbage(path):
        path.write_bytes(content)
        assert without_time(ws.stats()) == expected
        assert without_time(ws.stats()) == expected
    path.unlink()
    assert without_time(ws.stats()) == expected
    # Whole again.
    assert ws.stats()["recomputed"] == []


@pytest.mark.usefixtures("settled")
def test_stale_files_beside_a_newer_one_change_no_answer(ws):
    """As after a death between two of them, or after two processes wrote at once."""
    fill(ws, "one")
    ws.stats()
    old = {name: (ws.path / ".cache" / name).read_bytes() for name in CACHE}
    fill(ws, "two", scores=(0.1,))
    expected = without_time(ws.stats())
    new = {name: (ws.path / ".cache" / name).read_bytes() for name in CACHE}
    for mask in range(8):
        for bit, name in enumerate(CACHE):
            (ws.path / ".cache" / name).write_bytes((old if mask >> bit & 1 else new)[name])
        assert without_time(ws.stats()) == expected


@pytest.mark.usefixtures("settled")
def test_the_manifest_is_yaml(ws):
    run = fill(ws, "one")
    ws.stats()
    manifest = yaml.safe_load((ws.path / ".cache" / CACHE[2]).read_text())
    assert sorted(manifest) == ["files", "parts", "version"]
    assert set(manifest["parts"]) == {f"runs/{run.id}", part_of(ws, "wheat"), "datasets"}


@pytest.mark.usefixtures("settled")
def test_a_read_only_folder_is_cached_elsewhere(ws, own_cache_folder):
    fill(ws, "one")
    shutil.rmtree(ws.path / ".cache", ignore_errors=True)
    # Root may write anywhere: a file in its place does what a forbidden folder does.
    (ws.path / ".cache").write_text("")
    expected = ws.stats()
    assert {path.name for path in own_cache_folder.rglob("*") if path.is_file()} >= set(CACHE)
    again = ws.stats()
    assert (again["recomputed"], without_time(again)) == ([], without_time(expected))


@pytest.mark.usefixtures("settled")
def test_a_damaged_file_is_flagged_and_not_kept(ws):
    run = fill(ws, "one", ["wheat", "corn"])
    segment = next((ws.path / part_of(ws, "wheat")).glob("*.meta.parquet"))
    whole = segment.read_bytes()
    # Where its journal is still there, that counts instead.
    segment.with_name(segment.name.removesuffix(".meta.parquet") + ".journal").unlink()
    segment.write_bytes(whole[:-20])
    listed = sorted(run.path.glob("results.*.jsonl"))
    lines = listed[0].read_bytes()
    listed[0].write_bytes(lines + b"{torn")
    for _ in range(2):
        answer = ws.stats()
        assert {error["path"] for error in answer["errors"]} == {
            segment.relative_to(ws.path).as_posix(),
            listed[0].relative_to(ws.path).as_posix(),
        }
        assert answer["workspace"]["predictions"]["total"] == 2
        assert answer["workspace"]["results"]["total"] == 2
        assert set(answer["recomputed"]) >= {f"runs/{run.id}", part_of(ws, "wheat")}
    segment.write_bytes(whole)
    assert ws.stats()["workspace"]["predictions"]["total"] == 4


@pytest.mark.usefixtures("settled")
@pytest.mark.filterwarnings("ignore:metric .* is unknown:UserWarning")
def test_a_metric_that_only_one_process_knows_is_not_kept(ws):
    fill(ws, "one", metric="private_score")
    assert [entry["best"] for entry in ws.stats()["model_performance"]] == [None]
    _native.register_metric("private_score", "maximize")
    assert [entry["direction"] for entry in ws.stats()["model_performance"]] == ["maximize"]
    other = (
        "import nirs4all_workspace as n; print(n.Workspace.open('.').stats()['model_performance'][0]['best'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", other], cwd=ws.path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "None"


def test_a_folder_of_nirs4all_06(demo):
    old = n4w.Workspace.open(demo)
    answer = old.stats()
    assert answer["workspace"]["predictions"]["total"] == old.summary()["total_predictions"] == 390
    assert "" in answer["recomputed"]
    assert {entry["dataset"] for entry in answer["model_performance"]} == {
        "regression",
        "regression_2",
        "classification",
    }
    assert not (demo / "runs").exists()


@pytest.mark.usefixtures("settled")
def test_prewarm_fills_the_caches(ws):
    fill(ws, "one")
    shutil.rmtree(ws.path / ".cache", ignore_errors=True)
    seen = []
    answer = ws.prewarm(lambda done, total: seen.append((done, total)))
    assert (list(answer["seconds"]), answer["errors"]) == (["summary", "files", "stats"], [])
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert set(CACHE) <= {path.name for path in (ws.path / ".cache").iterdir()}
    assert ws.stats()["recomputed"] == []


@pytest.mark.usefixtures("settled")
def test_a_deletion_that_died_half_way_counts(ws):
    one, two = fill(ws, "one"), fill(ws, "two", scores=(0.1,))
    assert ws.stats()["workspace"]["predictions"]["total"] == 3
    (ws.path / ".trash").mkdir(exist_ok=True)
    one.path.rename(ws.path / ".trash" / one.id)
    answer = ws.stats()
    assert answer["workspace"]["predictions"] == {"total": 1, "files": 1}
    assert answer["workspace"]["results"]["total"] == answer["workspace"]["runs"]["total"] == 1
    assert [entry["best"] for entry in answer["model_performance"]] == [0.1]
    assert [run.id for run in ws.runs.list()] == [two.id]
