"""Old workspaces, as nirs4all wrote them, become new ones in which nothing is missing."""

import hashlib
import json
import shutil
from pathlib import Path

import blake3
import nirs4all_workspace as n4w
import polars as pl
import pytest
import yaml
from migrations import GOLDEN, SAMPLES, files_of, manifests_of, results_of, rows_of_source, rows_of_target

OLD = ("nirs4all-0.6.2", "nirs4all-2026-01")
SOURCES = [GOLDEN / name for name in OLD] + [SAMPLES / name for name in OLD if (SAMPLES / name).is_dir()]


@pytest.fixture(scope="module", params=SOURCES, ids=lambda path: f"{path.parent.name}-{path.name}")
def migrated(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    source, target = folder / "old", folder / "new"
    shutil.copytree(request.param, source)
    before = files_of(source), sorted(path.name for path in source.iterdir())
    report = n4w.migrate(source, target)
    assert (files_of(source), sorted(path.name for path in source.iterdir())) == before
    return source, target, report


def test_every_row_and_array_is_there(migrated):
    source, target, report = migrated
    rows = rows_of_source(source)
    assert rows_of_target(target) == rows
    assert report["counts"]["source"]["rows"] == report["counts"]["target"]["rows"] == len(rows)
    assert report["counts"]["source"]["arrays"] == report["counts"]["target"]["arrays"]
    assert report["errors"] == []
    assert report["status"] == "migrated"


def test_runs_are_the_sessions(migrated):
    source, target, report = migrated
    sessions, runs = n4w.Workspace.open(source).runs.list(), n4w.Workspace.open(target).runs.list()
    assert [run.id for run in runs] == [session.id for session in sessions]
    for run, session in zip(runs, sessions, strict=True):
        assert (run.name, run.created_at, run.templates) == (
            session.name,
            session.created_at,
            session.templates,
        )
        # Some calls of the older one left no row.
        assert run.status == session.status == ("completed" if run.counts["rows"] else "failed")
        assert run.datasets == session.datasets
        assert str(source) in run.history[-1]["reason"]
        assert {config["config_id"] for config in run.configs()} == {
            c["config_id"] for c in session.configs()
        }
    assert [run["id"] for run in report["runs"]] == [session.id for session in sessions]


def test_results_are_the_configurations_on_datasets(migrated):
    source, target, _ = migrated
    manifests, results = manifests_of(source), results_of(target)
    assert sorted((r["dataset_name"], r["config_name"]) for r in results.values()) == sorted(
        (manifest["dataset"], manifest["name"]) for manifest in manifests.values()
    )
    rows = pl.concat([pl.read_parquet(path) for path in target.glob("predictions/*/*.meta.parquet")])
    of_result = rows.group_by("result_id").agg(
        pl.len(),
        pl.col("run_id", "config_name", "dataset_name", "template_id").unique(),
        pl.col("val_score").min(),
    )
    assert set(of_result["result_id"]) <= set(results)
    for row in of_result.iter_rows(named=True):
        result = results[row["result_id"]]
        assert result["n_rows"] == row["len"]
        for key in ("run_id", "dataset_name", "template_id"):
            assert row[key] == [result[key]]
        (config,) = row["config_name"]
        assert config.endswith(f"_{result['config_name']}")
        if result["metric"] == "mse":
            assert result["best_score"] == row["val_score"]
    lacking = set(results) - set(of_result["result_id"])
    assert all((results[one]["n_rows"], results[one]["status"]) == (0, "failed") for one in lacking)


def test_results_are_what_the_old_workspace_lists(migrated):
    source, target, _ = migrated
    old, new = (n4w.Workspace.open(path).runs.list() for path in (source, target))
    for session, run in zip(old, new, strict=True):
        one, two = ({result.id: result.to_dict() for result in it.results()} for it in (session, run))
        for result in (*one.values(), *two.values()):
            # What the old workspace does not say without reading everything.
            del result["completed_at"], result["artifacts"]
        assert one == two


def test_artifacts_and_traces_are_there(migrated):
    source, target, report = migrated
    items = [
        (manifest, item)
        for manifest in manifests_of(source).values()
        for item in manifest["artifacts"]["items"]
    ]
    lines = [
        json.loads(line)
        for path in target.glob("runs/*/artifacts.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    by_id = {(line["dataset"], line["config"], line["artifact_id"]): line for line in lines}
    assert len(lines) == len(by_id) == len(items)
    missing = 0
    for manifest, item in items:
        line = by_id[manifest["dataset"], manifest["pipeline_id"], item["artifact_id"]]
        for key in ("class_name", "fold_id", "chain_path", "step_index", "size_bytes", "content_hash"):
            assert line[key] == item[key]
        binary = source / "binaries" / manifest["dataset"] / item["path"]
        missing += not binary.is_file()
        if binary.is_file():
            content = binary.read_bytes()
            digest = blake3.blake3(content).hexdigest()
            (stored,) = target.glob(f"artifacts/{digest[:2]}/{digest}.*")
            assert (line["status"], line["hash"], stored.read_bytes()) == ("present", digest, content)
            assert item["content_hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        else:
            assert (line["status"], line["hash"]) == ("missing", None)
    assert report["counts"]["source"].get("artifacts_missing", 0) == missing
    notes = [note for note in report["notes"] if note["kind"] == "missing_artifacts"]
    assert bool(notes) == bool(missing)
    traces = {
        (manifest["dataset"], manifest["pipeline_id"], key): json.loads(json.dumps(trace))
        for manifest in manifests_of(source).values()
        for key, trace in (manifest.get("execution_traces") or {}).items()
    }
    stored = [
        json.loads(line)
        for path in target.glob("runs/*/traces.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert {(line["dataset"], line["config"], line["trace_id"]): line["trace"] for line in stored} == traces
    assert len(stored) == len(traces) == report["counts"]["target"].get("traces", 0)


def test_every_other_file_is_there_as_it_was(migrated):
    source, target, _ = migrated
    copies = {}
    for path, content in files_of(target).items():
        parts = Path(path).parts
        if parts[0] == "source":
            copies["/".join(parts[1:])] = content
        elif parts[0] == "runs" and len(parts) > 3 and parts[2] == "source":
            copies["runs/" + "/".join(parts[3:])] = content
    for path, content in files_of(source).items():
        if path.endswith(".parquet") or path.startswith("binaries/"):
            continue
        assert copies.pop(path) == content, path
    assert copies == {}
    assert not list(target.glob("runs/*/*/manifest.yaml"))
    assert not list(target.glob("*.parquet"))


def test_it_verifies_and_says_what_was_missing(migrated):
    _, target, report = migrated
    for full in (False, True):
        found = n4w.Workspace.open(target).verify(full=full)
        assert found["problems"] == []
        # That of averages is of the rows, which the source has too.
        notes = [note for note in found["notes"] if note["kind"] != "average"]
        assert len(notes) == len(report["notes"])
    kept = [
        note
        for path in target.glob("runs/*/migrated.yaml")
        for note in yaml.safe_load(path.read_text())["notes"]
    ]
    assert len(kept) == sum(note["run"] is not None for note in report["notes"])


def rounded(value):
    """Sums depend on the order of rows in their last digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def test_the_summary_is_the_same(migrated):
    source, target, _ = migrated
    old, new = (n4w.Workspace.open(path).summary() for path in (source, target))
    for key in ("total_predictions", "total_datasets", "task_types"):
        assert new[key] == old[key], key
    for metric, stats in old["by_metric"].items():
        for key in ("count", "stats", "direction", "ranked_by", "models"):
            assert rounded(new["by_metric"][metric][key]) == rounded(stats[key]), (metric, key)
        best = [
            [
                (row["id"], row["val_score"], row["dataset_name"])
                for row in summary["by_metric"][metric]["top_predictions"]
            ]
            for summary in (old, new)
        ]
        assert best[0] == best[1]


def test_again_it_says_that_it_is_done(migrated):
    source, target, report = migrated
    before = files_of(target)
    again = n4w.migrate(source, target)
    assert again == report | {"status": "unchanged"}
    assert files_of(target) == before


@pytest.mark.parametrize("name", OLD)
def test_twice_comes_to_the_same(name, tmp_path):
    one, two = (n4w.migrate(GOLDEN / name, tmp_path / place) for place in ("one", "two"))
    assert one["runs"] == two["runs"]
    assert one["counts"] == two["counts"]
    rows = []
    for place in ("one", "two"):
        frames = [pl.read_parquet(path) for path in (tmp_path / place).glob("predictions/*/*.meta.parquet")]
        rows.append(pl.concat(frames).sort("run_id", "dataset_name", "id"))
    assert rows[0].equals(rows[1])
    assert results_of(tmp_path / "one") == results_of(tmp_path / "two")


def test_a_store_of_1_4_is_named(tmp_path):
    with pytest.raises(
        n4w.SchemaError, match=r"store of nirs4all 0\.8\.4 or later \(store\.sqlite\)"
    ) as error:
        n4w.migrate(GOLDEN / "nirs4all-1.4.10", tmp_path / "new")
    assert "`n4w import`" in str(error.value)
    assert list(tmp_path.iterdir()) == []
