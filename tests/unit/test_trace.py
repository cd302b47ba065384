"""The chain dataset, run, template, result, prediction, artifact, walked from each of them."""

import hashlib
import json

import nirs4all_workspace as n4w
import old_runs
import polars as pl
import pytest
import yaml

KINDS = ("datasets", "runs", "templates", "results", "predictions", "artifacts")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs: one of two templates on two datasets, one of one of each; one artifact is shared."""
    folder = tmp_path_factory.mktemp("trace")
    ws = n4w.Workspace.create(folder / "ws")
    (folder / "wheat.csv").write_text("1;2\n3;4\n")
    wheat = ws.datasets.register(folder / "wheat.csv")
    shared = ws.artifacts.put(b"shared")
    templates = [n4w.Template(["SNV"], name="snv"), n4w.Template(["MSC"], name="msc")]
    runs, results = [], []
    for name, own, datasets in (("big", templates, [wheat.id, "corn"]), ("small", templates[:1], ["corn"])):
        run = ws.runs.create(name, templates=own, datasets=datasets)
        with run:
            configs = [{"template_id": template.id, "name": template.name} for template in own]
            for planned in run.plan(configs):
                with run.writer(planned.dataset_name) as writer:
                    for fold in range(3):
                        row = {"id": f"{planned.id}-{fold}", "result_id": planned.id, "fold_id": str(fold)}
                        row |= {"template_id": planned.template_id, "metric": "rmse", "val_score": 1.0}
                        writer.write(row | {"model_name": "PLS", "partition": "val"})
                    planned.artifacts = [shared, ws.artifacts.put(planned.id.encode())]
                    writer.checkpoint(planned)
                results.append(planned)
        runs.append(run)
    return ws, wheat, runs, templates, results, shared


def ids(trace):
    return {kind: [item["id"] or item["name"] for item in getattr(trace, kind)] for kind in KINDS}


def of(results, runs, *others):
    """What hangs together with some results."""
    return {
        "datasets": [],
        "runs": [run.id for run in runs if any(result.run_id == run.id for result in results)],
        "templates": list(dict.fromkeys(result.template_id for result in results)),
        "results": [result.id for result in results],
        "predictions": sorted(f"{result.id}-{fold}" for result in results for fold in range(3)),
        "artifacts": sorted({hash_ for result in results for hash_ in result.artifacts} | set(others)),
    }


def check(trace, expected, **changes):
    found = ids(trace)
    assert {kind: sorted(found[kind]) for kind in KINDS} == {
        kind: sorted(values) for kind, values in (expected | changes).items()
    }
    assert trace.n_predictions == len(found["predictions"])
    assert trace.errors == []


def test_from_a_run(made):
    ws, wheat, runs, _, results, _ = made
    for place, datasets in ((0, [wheat.id, "corn"]), (1, ["corn"])):
        mine = [result for result in results if result.run_id == runs[place].id]
        check(ws.trace("run", runs[place].id), of(mine, runs), datasets=datasets)


def test_from_a_template(made):
    ws, wheat, runs, templates, results, _ = made
    for template in templates:
        mine = [result for result in results if result.template_id == template.id]
        check(ws.trace("template", template.id), of(mine, runs), datasets=[wheat.id, "corn"])


def test_from_a_dataset_by_id_and_by_name(made):
    ws, wheat, runs, _, results, _ = made
    mine = [result for result in results if result.dataset_name == "wheat"]
    for name in (wheat.id, "wheat"):
        check(ws.trace("dataset", name), of(mine, runs), datasets=[wheat.id])
    mine = [result for result in results if result.dataset_name == "corn"]
    check(ws.trace("dataset", "corn"), of(mine, runs), datasets=["corn"])


def test_from_a_result_down_and_up(made):
    ws, wheat, runs, _, results, _ = made
    for result in results:
        datasets = [wheat.id if result.dataset_name == "wheat" else "corn"]
        check(ws.trace("result", result.id), of([result], runs), datasets=datasets)


def test_from_a_prediction_up(made):
    ws, wheat, runs, _, results, _ = made
    result = next(result for result in results if result.dataset_name == "wheat")
    trace = ws.trace("prediction", f"{result.id}-1")
    check(trace, of([result], runs), datasets=[wheat.id], predictions=[f"{result.id}-1"])
    (row,) = trace.predictions
    assert row == {
        "id": f"{result.id}-1",
        "name": "PLS",
        "run_id": result.run_id,
        "fold_id": "1",
        "partition": "val",
        "val_score": 1.0,
    }


def test_from_an_artifact_up(made):
    ws, wheat, runs, _, results, shared = made
    check(ws.trace("artifact", shared), of(results, runs), datasets=[wheat.id, "corn"], artifacts=[shared])
    own = next(hash_ for hash_ in results[0].artifacts if hash_ != shared)
    trace = ws.trace("artifact", own)
    check(trace, of(results[:1], runs), datasets=[wheat.id], artifacts=[own])
    path = ws.artifacts.get(own).relative_to(ws.path).as_posix()
    assert trace.artifacts == [{"id": own, "name": None, "path": path}]


@pytest.mark.parametrize("kind", ["dataset", "run", "template", "result", "prediction", "artifact"])
def test_what_is_not_there_is_not_found(made, kind):
    for id_ in ("nothing", "", "../workspace", "tpl_0000000000000000", "f" * 64):
        with pytest.raises(
            n4w.NotFoundError, match="no prediction" if kind == "prediction" else f"no {kind}"
        ):
            made[0].trace(kind, id_)


def test_there_are_six_kinds(made):
    with pytest.raises(ValueError, match=r"dataset, run, template, result, prediction, artifact.*'fold'"):
        made[0].trace("fold", "1")


def test_it_is_plain_data_and_text(made):
    ws, _, runs, *_ = made
    trace = ws.trace("run", runs[1].id)
    answer = json.loads(json.dumps(trace.to_dict()))
    assert list(answer) == [
        *("kind", "id", "datasets", "runs", "templates", "results"),
        *("n_predictions", "predictions", "artifacts", "errors"),
    ]
    lines = trace.to_text().splitlines()
    assert lines[:5] == [f"run {runs[1].id}", "datasets (1)", "  corn", "runs (1)", f"  {runs[1].id}  small"]


def test_predictions_are_counted_and_the_first_listed(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.predictions.writer("lost", "wheat") as writer:
        for number in range(250):
            writer.write({"id": f"{249 - number:03d}", "metric": "rmse", "val_score": 1.0})
    # No run claims these rows: the catalogue has them as files.
    trace = ws.trace("dataset", "wheat")
    assert trace.n_predictions == 250
    assert [row["id"] for row in trace.predictions] == [f"{number:03d}" for number in range(100)]
    assert trace.to_text().count("\n  ... 150 more\n") == 1
    assert ws.trace("prediction", "007").n_predictions == 1


def test_what_migrated_runs_call_their_artifacts(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    hashes = [ws.artifacts.put(content) for content in (b"one", b"two")]
    run = ws.runs.create("old", templates=[["SNV"]], datasets=["wheat"])
    with run:
        (planned,) = run.plan([{"name": "a"}])
        with run.writer("wheat") as writer:
            for number in range(2):
                row = {"id": str(number), "result_id": planned.id, "model_artifact_id": f"0001:{number}"}
                writer.write(row | {"metric": "rmse", "val_score": 1.0})
            planned.artifacts = hashes
            writer.checkpoint(planned)
    lines = [{"artifact_id": f"0001:{number}", "hash": hash_} for number, hash_ in enumerate(hashes)]
    lines.append({"artifact_id": "0001:lost", "hash": None})
    (run.path / "artifacts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for id_ in ("0001:1", hashes[1]):
        trace = ws.trace("artifact", id_)
        assert [(it["id"], it["name"]) for it in trace.artifacts] == [(hashes[1], "0001:1")]
        assert [row["id"] for row in trace.predictions] == ["1"]
        assert [it["id"] for it in trace.results] == [planned.id]
    assert [it["id"] for it in ws.trace("prediction", "0").artifacts] == [hashes[0]]
    assert sorted(it["name"] for it in ws.trace("run", run.id).artifacts) == ["0001:0", "0001:1"]


def test_a_dataset_that_only_rows_name(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("plain", templates=[["SNV"]], datasets=["wheat"])
    other = ws.runs.create("other", templates=[["SNV"]], datasets=["wheat"])
    with run, run.writer("Röst/1") as writer:
        writer.write({"id": "1", "metric": "rmse", "val_score": 1.0})
        result = n4w.Result("res_own", run_id=run.id, dataset_id="Röst/1", dataset_name="Röst/1")
        writer.write({"id": "2", "metric": "rmse", "val_score": 2.0, "result_id": result.id})
        writer.checkpoint(result)
        # From here on, rows may name results of the plan alone.
        (planned,) = run.plan([{"name": "a"}])
        live = run.counts["rows"]
    assert [it.id for it in ws.runs.list(dataset="Röst/1")] == [run.id]
    assert [it.id for it in ws.runs.list(dataset="wheat")] == [run.id, other.id]
    assert [it.id for it in ws.results.list(dataset="Röst/1")] == ["res_own"]
    assert list(ws.results.list(dataset="wheat")) == []
    trace = ws.trace("dataset", "Röst/1")
    assert [it["id"] for it in trace.runs] == [run.id]
    assert trace.datasets == [{"id": None, "name": "Röst/1"}]
    assert [it["id"] for it in trace.results] == ["res_own"]
    assert [it["name"] for it in ws.trace("run", run.id).datasets] == ["wheat", "Röst/1"]
    assert ws.trace("dataset", "wheat").n_predictions == 0
    # One of the two rows is of no result.
    assert live == run.counts["rows"] == ws.trace("run", run.id).n_predictions == 2
    assert yaml.safe_load((run.path / "summary.yaml").read_text())["counts"]["rows"] == 2
    assert planned.id != "res_own"


def test_artifacts_of_nirs4all_06_lie_where_they_were_left(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    wanted, lying = {}, {}
    for path in sorted(ws.path.glob("runs/*/*/manifest.yaml")):
        content = yaml.safe_load(path.read_text())
        for item in content["artifacts"]["items"]:
            file = ws.path / "binaries" / path.parts[-3] / item["path"]
            hash_ = item["content_hash"]
            wanted.setdefault(hash_, set()).add((content["pipeline_id"], item["artifact_id"]))
            if file.is_file():
                assert hash_ == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
                lying.setdefault(hash_, set()).add(file.relative_to(ws.path).as_posix())
    found, paths = set(), {}
    for run in ws.runs.list():
        for item in ws.trace("run", run.id).artifacts:
            found.add(item["id"])
            if item["path"]:
                paths[item["id"]] = item["path"]
    assert found == set(wanted)
    assert paths.keys() == lying.keys()
    assert all(path in lying[hash_] for hash_, path in paths.items())
    rows = {row["id"]: row for row in ws.predictions.scan().collect().to_dicts()}
    for hash_, named in list(wanted.items())[::25]:
        (_, artifact_id), *_ = sorted(named)
        for id_ in (hash_, artifact_id):
            trace = ws.trace("artifact", id_)
            alike = {one for one, others in wanted.items() if id_ in {one, *(it[1] for it in others)}}
            assert {item["id"] for item in trace.artifacts} == alike
            configs = {pipeline_id[5:] for one in alike for pipeline_id, _ in wanted[one]}
            assert {result["name"] for result in trace.results} <= configs
    for row in [row for row in rows.values() if row["model_artifact_id"]][::150]:
        path = ws.path / "runs" / row["dataset_name"] / row["config_name"] / "manifest.yaml"
        items = yaml.safe_load(path.read_text())["artifacts"]["items"]
        (mine,) = (it["content_hash"] for it in items if it["artifact_id"] == row["model_artifact_id"])
        assert [item["id"] for item in ws.trace("prediction", row["id"]).artifacts] == [mine]
        (result,) = ws.trace("prediction", row["id"]).results
        down = ws.trace("artifact", mine)
        assert row["id"] in [item["id"] for item in down.predictions]
        assert result["id"] in [item["id"] for item in down.results]


def test_an_artifact_outside_of_its_folder_is_missing(tmp_path):
    (tmp_path / "secret").write_bytes(b"1")
    items = [{"artifact_id": ["odd"], "path": path} for path in ("../../secret", str(tmp_path / "secret"))]
    old_runs.manifest(
        tmp_path, "wheat", 1, "a", ["PLS"], [], "2026-03-01T10:00:00+00:00", "u", artifacts={"items": items}
    )
    folder = old_runs.manifest(tmp_path, "corn", 1, "a", ["MSC"], [], "2026-03-01T10:00:01+00:00", "v")
    content = yaml.safe_load((folder / "manifest.yaml").read_text())
    content |= {"dataset": str(tmp_path), "artifacts": [{"artifact_id": "a", "path": "secret"}]}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content))
    ws = n4w.Workspace.open(tmp_path)
    for run in ws.runs.list():
        trace = ws.trace("run", run.id)
        assert {item["path"] for item in trace.artifacts} == {None}
        assert trace.errors == []


def test_artifacts_where_older_versions_have_them(tmp_path):
    """0.5 lists them under other keys, in `_binaries` beside its configurations; some have no id."""
    items = [{"name": "PLS_1", "path": "PLS_aa.joblib", "hash": "sha256:aa"}, {"path": "b.joblib"}]
    folder = old_runs.manifest(
        tmp_path, "wheat", 1, "a", ["PLS"], [], "2026-03-01T10:00:00+00:00", "u", artifacts=items
    )
    (folder.parent / "_binaries").mkdir()
    (folder.parent / "_binaries" / "PLS_aa.joblib").write_bytes(b"model")
    row = {"id": ["1", "2"], "dataset_name": "wheat", "config_name": folder.name, "model_artifact_id": None}
    pl.DataFrame(row).write_parquet(tmp_path / "wheat.meta.parquet")
    (tmp_path / "runs" / "wheat" / "_binaries" / "b.joblib").mkdir()
    ws = n4w.Workspace.open(tmp_path)
    found = [
        {"id": "b.joblib", "name": None, "path": None},
        {"id": "sha256:aa", "name": None, "path": "runs/wheat/_binaries/PLS_aa.joblib"},
    ]
    assert ws.trace("run", ws.runs.list()[0].id).artifacts == found
    assert ws.trace("artifact", "sha256:aa").artifacts == found[1:]
    assert ws.trace("prediction", "1").artifacts == found
    with pytest.raises(n4w.NotFoundError):
        ws.trace("artifact", "None")


def test_a_copy_of_a_file_does_not_use_its_artifacts(tmp_path):
    items = [{"artifact_id": "0001:0:all", "content_hash": "sha256:1", "path": "a"}]
    folder = old_runs.manifest(
        tmp_path, "wheat", 1, "a", ["PLS"], [], "2026-03-01T10:00:00+00:00", "u", artifacts={"items": items}
    )
    row = {"dataset_name": [None, "wheat"], "config_name": folder.name, "model_artifact_id": "0001:0:all"}
    for file, prefix in (("wheat", ""), ("wheat copy", "copy")):
        frame = pl.DataFrame(row).with_columns(id=pl.Series([f"{prefix}1", f"{prefix}2"]))
        frame.write_parquet(tmp_path / f"{file}.meta.parquet")
    ws = n4w.Workspace.open(tmp_path)
    for id_ in ("sha256:1", "0001:0:all"):
        trace = ws.trace("artifact", id_)
        assert [item["id"] for item in trace.predictions] == ["1", "2"]
        assert [run["name"] for run in trace.runs] == ["a"]


def test_a_workspace_of_nirs4all_06(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    rows = ws.predictions.scan().collect()
    (session, *_) = ws.runs.list()
    trace = ws.trace("run", session.id)
    assert [it["id"] for it in trace.runs] == [session.id]
    pairs = {(manifest["dataset"], manifest["pipeline_id"]) for manifest in session.manifests}
    mine = [row for row in rows.to_dicts() if (row["dataset_name"], row["config_name"]) in pairs]
    assert trace.n_predictions == len(mine) > 0
    row = mine[0]
    up = ws.trace("prediction", row["id"])
    assert [it["id"] for it in up.runs] == [session.id]
    assert len(up.results) == 1
    down = ws.trace("result", up.results[0]["id"])
    same = [
        it
        for it in mine
        if (it["dataset_name"], it["config_name"]) == (row["dataset_name"], row["config_name"])
    ]
    assert down.n_predictions == len(same)
    assert [it["name"] for it in down.datasets] == [row["dataset_name"]]
    assert ws.trace("dataset", row["dataset_name"]).n_predictions == len(
        rows.filter(rows["dataset_name"] == row["dataset_name"])
    )
    template = ws.trace("template", trace.templates[0]["id"])
    assert session.id in [it["id"] for it in template.runs]
