"""Stores of nirs4all 0.7 to 1.4, imported: each value as DuckDB, SQLite and Polars read it in the source."""

from __future__ import annotations

import json
import math
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from imported import RESULTS, ROLES, Files, Store, digest, numbers, parsed, tree
from nirs4all_workspace import Workspace, import_store

pytest.importorskip("duckdb", reason="DuckDB is missing: pip install nirs4all-workspace[duckdb]")

STORES = Path(__file__).parent / "samples" / "stores"
TRUTH = json.loads((STORES / "stores.json").read_text())
SHARED = Path(__file__).parents[3] / "shared" / "workspaces" / "nirs4all-1.4.10"
NAMES = [*TRUTH, *(["shared"] if SHARED.exists() else [])]
# Columns of rows whose value is not, or not only, that of the column of the same name in the source.
OWN = {"prediction_id": "id", "pipeline_id": "pipeline_uid", "model_class": "model_classname"}
FILLED = {"model_class": "model_class", "preprocessings": "preprocessings"}


class Case:
    """A store, where it was imported to, and what was read of both."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.source, self.target = name, folder / "source", folder / "target"
        if name == "shared":
            self.source = SHARED
        else:
            zipfile.ZipFile(STORES / f"{name}.zip").extractall(self.source)
        self.before = tree(self.source)
        self.report = import_store(self.source, self.target)
        self.store, self.files = Store(self.source), Files(self.target)
        self.runs = {one: run["id"] for run in self.report["runs"] for one in run["source_runs"]}

    def run_of(self, pipeline_id: str) -> str:
        return self.runs[self.store.by("pipelines", "pipeline_id")[pipeline_id]["run_id"]]


@pytest.fixture(scope="module", params=NAMES)
def case(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("store"))


def test_the_source_is_as_it_was(case):
    assert tree(case.source) == case.before


def test_nothing_is_damaged_or_differs(case):
    assert case.report["errors"] == []
    assert Workspace.open(case.target).verify(full=True)["problems"] == []


def test_each_call_is_a_run(case):
    if case.name == "shared":
        assert len(case.report["runs"]) == 2
        return
    calls = [tuple(sorted(call["runs"])) for call in TRUTH[case.name]["calls"] if call["runs"]]
    found = {tuple(sorted(run["source_runs"])): run["status"] for run in case.report["runs"]}
    rows = case.store.by("runs", "run_id")
    # The store of a call that failed may know of those pipelines alone that were completed before.
    expected = {
        ids: "completed" if all(rows[one]["status"] == "completed" for one in ids) else "failed"
        for ids in calls
    }
    assert found == expected


def test_each_row_has_every_value_of_the_source(case):
    chains = case.store.by("chains", "chain_id")
    pipelines = case.store.by("pipelines", "pipeline_id")
    rows = {row["id"]: row for row in case.files.rows}
    assert len(rows) == len(case.files.rows) == len(case.store.tables["predictions"])
    for given in case.store.tables["predictions"]:
        row = rows[given["prediction_id"]]
        for column, value in given.items():
            expected = value
            if column in FILLED and not value:
                expected = chains.get(given["chain_id"], {}).get(FILLED[column]) or value
            if column == "dataset_name":
                expected = unicodedata.normalize("NFC", value)
            if column == "created_at":
                time = datetime.fromisoformat(value) if isinstance(value, str) else value
                expected = time.replace(tzinfo=UTC)
            assert row.get(OWN.get(column, column)) == expected, column
        assert row["config_name"] == pipelines[given["pipeline_id"]]["name"]
        assert row["run_id"] == case.run_of(given["pipeline_id"])


def test_each_array_has_every_value_of_the_source(case):
    compared = 0
    for row in case.files.rows:
        given = case.store.arrays.get(row["id"], {})
        for role in ROLES:
            assert case.files.array(row, role) == numbers(given.get(role)), (row["id"], role)
            compared += given.get(role) is not None
    assert compared > len(case.files.rows)


def test_shapes_are_those_of_the_source(case):
    for row in case.files.rows:
        given = case.store.arrays.get(row["id"], {})
        for role in ("y_true", "y_pred", "y_proba", "X", "spectra"):
            shape = given.get(f"{role}_shape")
            if shape and given.get(role) is not None:
                assert json.loads(case.files.arrays[row[f"{role}_id"]]["array_shape"]) == list(shape)


def test_metadata_of_samples_is_kept_but_for_ids_that_follow(case):
    for row in case.files.rows:
        given = case.store.arrays.get(row["id"], {})
        text = given.get("sample_metadata")
        if text is None:
            continue
        expected = json.loads(text)
        ids = expected.get("physical_sample_id")
        indices = given.get("sample_indices")
        if ids and indices and [one.rpartition(".s")[2] for one in ids] == [str(index) for index in indices]:
            del expected["physical_sample_id"]
        assert (json.loads(row["metadata"]) if row.get("metadata") else {}) == expected


def test_results_are_the_pipelines(case):
    """A pipeline that fitted a chosen one again is part of its result."""
    runs = {run["id"]: run for run in case.report["runs"]}
    rows = dict.fromkeys(runs, 0)
    for run_id in runs:
        results = case.files.lines(run_id, "results.*.jsonl")
        own = [it for it in case.store.tables["pipelines"] if case.runs[it["run_id"]] == run_id]
        first = [it for it in own if not it["name"].endswith("_refit")]
        assert {result["config_name"] for result in results} == {it["name"] for it in first}
        statuses = {it["name"]: it["status"] for it in first}
        for result in results:
            is_done = statuses[result["config_name"]] == "completed"
            assert (result["status"] == "done") == is_done
            assert bool(result["error"]) != is_done
            rows[run_id] += result["n_rows"] or 0
        assert rows[run_id] == runs[run_id]["rows"]


def test_scores_are_those_of_all_samples_of_validation(case):
    """The mean square over all folds, or its root, of results of one model on one target."""
    results = {
        it["id"]: it for run in case.report["runs"] for it in case.files.lines(run["id"], "results.*.jsonl")
    }
    of_result: dict[str, list[dict]] = {}
    for row in case.files.rows:
        if row["partition"] == "val" and row["fold_id"].isdigit() and row["y_pred_id"]:
            of_result.setdefault(row["result_id"], []).append(row)
    compared = 0
    for result_id, rows in of_result.items():
        result = results[result_id]
        if (
            result["metric"] not in ("mse", "rmse")
            or len(rows) != result["n_folds"]
            or result["score_basis"] != "folds"
        ):
            continue
        pairs = [
            pair
            for row in rows
            for pair in zip(case.files.array(row, "y_true"), case.files.array(row, "y_pred"), strict=True)
        ]
        square = sum((one - other) ** 2 for one, other in pairs) / len(pairs)
        assert result["score"] == pytest.approx(square if result["metric"] == "mse" else math.sqrt(square))
        compared += 1
    assert compared or case.name == "shared"


def test_artifacts_are_there_by_their_content(case):
    files = {path: digest(path) for path in (case.source / "artifacts").rglob("*") if path.is_file()}
    named = {row["artifact_id"]: row for row in case.store.tables.get("artifacts", [])}
    used = [artifact for chain in case.store.tables["chains"] for artifact in _artifacts(chain)]
    lines = [line for run in case.report["runs"] for line in case.files.lines(run["id"], "artifacts.jsonl")]
    assert {line["artifact_id"] for line in lines if "artifact_id" in line} == set(used)
    for line in lines:
        row = named.get(line.get("artifact_id"))
        if row is None:
            continue
        assert line["content_hash"] == row["content_hash"]
        path = case.source / "artifacts" / row["artifact_path"]
        if path in files:
            assert files[path] in case.files.artifacts
            assert line["status"] == "present"
        else:
            assert line["status"] == "missing"


def _artifacts(chain):
    def flat(tree):
        if isinstance(tree, str):
            yield tree
        elif tree:
            for value in tree.values() if isinstance(tree, dict) else tree:
                yield from flat(value)

    for role in ("fold_artifacts", "shared_artifacts"):
        yield from flat(json.loads(chain[role]) if chain.get(role) else None)


def test_all_other_tables_are_with_their_runs(case):
    for table in ("runs", "chains", "logs", *RESULTS):
        key = {"runs": "run_id", "chains": "chain_id", "logs": "log_id"}.get(
            table, f"{table.partition('_')[0]}_id"
        )
        lines = {
            line[key]: line
            for run in case.report["runs"]
            for line in case.files.lines(run["id"], f"source/{table}.jsonl")
        }
        for path in sorted((case.target / "source" / table).glob("*.json")):
            line = json.loads(path.read_text())
            lines[line[key]] = line
        given = case.store.by(table, key)
        assert set(lines) == set(given), table
        for one, row in given.items():
            for column, value in row.items():
                expected = str(value) if isinstance(value, datetime) else parsed(value)
                found = lines[one][column]
                assert (found.replace("T", " ") if isinstance(value, datetime) else found) == expected, column


def test_templates_and_steps_are_those_of_the_pipelines(case):
    by_name = {}
    for run in case.report["runs"]:
        for config in case.files.lines(run["id"], "configs.jsonl"):
            by_name[run["id"], config["name"]] = config
    for pipeline in case.store.tables["pipelines"]:
        config = by_name.get((case.runs[pipeline["run_id"]], pipeline["name"]))
        if config is None:
            assert pipeline["name"].endswith("_refit")
            continue
        assert (case.target / "templates" / f"{config['template_id']}.yaml").exists()
        generator = "_or_" in (pipeline.get("original_template") or pipeline["expanded_config"])
        if not generator:
            assert config["steps"] == json.loads(pipeline["expanded_config"])


def test_choices_are_found(case):
    """Of the call with a choice of two preprocessings, each result says which it had."""
    pytest.importorskip("nirs4all", reason="nirs4all is missing: pip install nirs4all-workspace[nirs4all]")
    run = next((run for run in case.report["runs"] if run["name"].startswith("Choice")), None)
    if run is None:
        pytest.skip("no such call")
    results = case.files.lines(run["id"], "results.*.jsonl")
    chosen = {json.dumps(result["generator_choices"]) for result in results}
    assert len(chosen) == 2
    assert any("StandardNormalVariate" in one for one in chosen)
    assert any("FirstDerivative" in one for one in chosen)


def test_again_nothing_is_added_and_no_byte_changes(case):
    before = tree(case.target / "runs") | tree(case.target / "predictions") | tree(case.target / "arrays")
    report = import_store(case.source, case.target)
    assert report["status"] == "unchanged"
    assert [run["is_new"] for run in report["runs"]] == [False] * len(report["runs"])
    assert (
        tree(case.target / "runs") | tree(case.target / "predictions") | tree(case.target / "arrays")
        == before
    )


def test_counts_are_those_of_the_source(case):
    counts = case.report["counts"]
    for table in ("runs", "pipelines", "chains", "predictions"):
        assert counts["source"][table] == len(case.store.tables[table])
    assert counts["target"]["predictions"] == len(case.store.tables["predictions"])
    assert counts["target"]["runs"] == len(case.report["runs"])
