"""Workspaces of calls of nirs4all 0.6.2 list as the calls that made them, before and after migration."""

import json
import shutil
import zipfile
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
from nirs4all_workspace.cli import app
from typer.testing import CliRunner

CALLS = Path(__file__).parent / "golden" / "nirs4all-0.6.2-calls"
NAMES = sorted(path.stem for path in CALLS.glob("*.zip"))


def unpack(name, folder):
    with zipfile.ZipFile(CALLS / f"{name}.zip") as archive:
        archive.extractall(folder)
    return folder / "workspace", json.loads((folder / "truth.json").read_text("utf-8"))


@pytest.fixture(params=NAMES)
def made(request, tmp_path):
    return unpack(request.param, tmp_path / "made")


def frames_of(root):
    paths = sorted(root.rglob("*.meta.parquet"))
    return {path.relative_to(root).as_posix(): pl.read_parquet(path) for path in paths}


def rows_by_call(root, truth):
    """How many rows name the configurations of each call, in the files of their datasets."""
    frames = frames_of(root)
    found = []
    for call in truth["calls"]:
        rows = {}
        for path in call["manifests"]:
            # runs/<dataset>/<number>_<name>_<hash>/manifest.yaml; names and datasets may have slashes.
            rows[path] = 0
            for file, frame in frames.items():
                folder = f"runs/{file.removesuffix('.meta.parquet')}/"
                if path.startswith(folder):
                    config = path.removeprefix(folder).removesuffix("/manifest.yaml")
                    rows[path] += frame.filter(pl.col("config_name") == config).height
        found.append(rows)
    return found


def listed(ws):
    runs = [run for run in ws.runs.list() if run.kind in ("session", "run")]
    assert ws.runs.list().errors == []
    return runs


def test_calls_are_the_sessions(made):
    root, truth = made
    calls = [call for call in truth["calls"] if call["manifests"]]
    rows = [found for found in rows_by_call(root, truth) if found]
    for _ in range(2):  # with and without what was kept
        runs = listed(n4w.Workspace.open(root))
        got = [sorted(f"{item['path']}/manifest.yaml" for item in run.manifests) for run in runs]
        assert got == [sorted(call["manifests"]) for call in calls]
        for run, call, own in zip(runs, calls, rows, strict=True):
            assert run.counts["rows"] == sum(own.values())
            assert run.counts["done"] == sum(count > 0 for count in own.values())
            if call["error"] or not any(own.values()):
                assert run.status == "failed", call
            else:
                assert (run.status, run.counts["planned"]) == ("completed", len(own))
            assert run.name == (call["name"] or run.name)


def test_every_answer_counts_the_same(made):
    root, truth = made
    ws = n4w.Workspace.open(root)
    summary, total = ws.summary(), sum(truth["rows"].values())
    assert summary["errors"] == []
    assert summary["total_predictions"] == ws.predictions.page().total == total
    assert ws.predictions.scan().collect().height == total
    named = {run["id"]: run["n_predictions"] for run in summary["runs"]}
    assert list(named.values()) == sorted(named.values(), reverse=True)
    for run in listed(ws):
        assert named.get(run.id, 0) == run.counts["rows"] == ws.predictions.page(run=run.id, limit=0).total
        assert run.counts["rows"] == sum(result.n_rows for result in run.results())
    assert ws.verify(full=True)["problems"] == []
    assert ws.stats()["workspace"]["predictions"] == {"total": total, "files": len(truth["rows"])}
    for row in ws.predictions.scan().collect().sample(8, seed=1).iter_rows(named=True):
        arrays = ws.predictions.get(row["id"], arrays=True)
        assert len(arrays["y_true"]) == len(arrays["y_pred"]) == row["n_samples"]


def test_a_rebuild_writes_every_file(made):
    root, truth = made
    ws = n4w.Workspace.open(root)
    before = ws.summary()
    done = ws.predictions.rebuild_summaries()
    assert (len(done["written"]), done["errors"]) == (len(truth["rows"]), [])
    after = ws.summary()
    assert (after["scanned"], after["total_predictions"]) == ([], before["total_predictions"])
    assert after["runs"] == before["runs"]


def test_migrated_calls_are_the_same_runs(made, tmp_path):
    root, truth = made
    report = n4w.migrate(root, tmp_path / "new")
    assert report["errors"] == []
    assert report["counts"]["target"]["rows"] == sum(truth["rows"].values())
    manifests = sum(len(call["manifests"]) for call in truth["calls"])
    assert report["counts"]["source"]["manifests"] == report["counts"]["target"]["manifests"] == manifests
    old, new = n4w.Workspace.open(root), n4w.Workspace.open(tmp_path / "new")
    assert new.verify(full=True)["problems"] == []

    def said(ws):
        return [
            (run.id, run.name, run.status, run.counts, [item["id"] for item in run.templates])
            for run in listed(ws)
        ]

    def results(ws):
        kept = ("id", "run_id", "template_id", "config_name", "status", "n_rows", "n_samples", "best_score")
        return sorted(tuple(map(str, (getattr(result, key) for key in kept))) for result in ws.results.list())

    assert said(new) == said(old)
    assert results(new) == results(old)
    assert [one["dataset_name"] for one in new.summary()["datasets"]] == [
        one["dataset_name"] for one in old.summary()["datasets"]
    ]
    again = n4w.migrate(root, tmp_path / "new")
    assert again == report | {"status": "unchanged"}


def test_migrate_says_the_same_again(tmp_path):
    root, _ = unpack("failing", tmp_path)
    (root / "torn.meta.parquet").write_bytes(b"PAR1")
    first, second = (CliRunner().invoke(app, ["migrate", str(root), str(tmp_path / "new")]) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (1, 1)
    for line in first.output.splitlines():
        assert line.split(" to ")[0] in second.output
    assert "artifacts missing" in first.output.replace("│", "")


def test_lists_of_pipelines_have_a_template_each(tmp_path):
    root, _ = unpack("lists", tmp_path)
    (run,) = [run for run in listed(n4w.Workspace.open(root)) if run.name == "Lists"]
    assert [item["name"] for item in run.templates] == ["Lists_p0", "Lists_p1"]
    assert [item["expansion_count"] for item in run.templates] == [1, 1]
    by_name = {item["name"]: item["id"] for item in run.templates}
    assert {item["template_id"] for item in run.manifests if item["name"] == "Lists_p1"} == {
        by_name["Lists_p1"]
    }
    assert {config["template_id"] for config in run.configs()} == set(by_name.values())
    assert {result.template_id for result in run.results()} == set(by_name.values())
    (unnamed,) = [run for run in listed(n4w.Workspace.open(root)) if run.name == "pipeline"]
    assert [item["expansion_count"] for item in unnamed.templates] == [1, 3]


def test_without_logs_names_and_templates_tell(tmp_path):
    """All but what logs alone know: one name and one template, twice, on other datasets."""
    for name in ("lists", "failing", "generators", "names", "sources"):
        root, truth = unpack(name, tmp_path / name)
        shutil.rmtree(root / "logs")
        calls = [sorted(call["manifests"]) for call in truth["calls"] if call["manifests"]]
        runs = listed(n4w.Workspace.open(root))
        got = [sorted(f"{item['path']}/manifest.yaml" for item in run.manifests) for run in runs]
        if name == "lists":
            # "Same" on wheat, on wheat again, and on corn.
            calls = [calls[0], sorted(calls[1] + calls[2]), *calls[3:]]
        if name == "generators":
            assert len(got) == len(calls)
        assert got == calls


def test_samples_are_the_datasets(tmp_path):
    """33 and 28 samples, however they were folded, augmented or not folded at all."""
    root, _ = unpack("sources", tmp_path)
    samples = {
        run.name: {result.n_samples for result in run.results()} for run in listed(n4w.Workspace.open(root))
    }
    assert samples == {"Sources": {28}, "Models": {33}, "Augmented": {33}, "No folds": {33}, "Shuffled": {33}}


def test_a_manifest_that_was_cut_is_told(tmp_path):
    root, truth = unpack("lists", tmp_path)
    path = root / truth["calls"][0]["manifests"][0]
    whole = path.read_bytes()
    trace = whole.index(b"execution_traces:")
    lines = [place + 1 for place, byte in enumerate(whole) if byte == 10 and place > trace]
    end = whole.rindex(b"    metadata:")
    for cut in [*lines[:-1:19], *(line + 9 for line in lines[:-1:29]), len(whole) - 3]:
        if end < cut < len(whole) - 3:
            continue
        path.write_bytes(whole[:cut])
        name = path.relative_to(root).as_posix()
        ws = n4w.Workspace.open(root)
        assert [(error["path"], error["kind"]) for error in ws.runs.list().errors] == [(name, "corrupt")], cut
        assert name in {item["path"] for item in ws.verify()["problems"]}
    report = n4w.migrate(root, tmp_path / "new")
    assert [(error["path"], error["kind"]) for error in report["errors"]] == [(name, "corrupt")]
    path.write_bytes(whole)
    assert n4w.Workspace.open(root).runs.list().errors == []


def test_a_log_that_came_later_is_seen(tmp_path):
    """What was kept of manifests does not stand for logs."""
    root, truth = unpack("zones", tmp_path)
    logs = (root / "logs").rename(tmp_path / "logs")
    without = listed(n4w.Workspace.open(root))
    assert len(without) < len(truth["calls"])
    logs.rename(root / "logs")
    assert len(listed(n4w.Workspace.open(root))) == len(truth["calls"])
