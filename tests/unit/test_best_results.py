"""Rankings of results: by dataset, model and result, and by metrics that rows have in `scores` alone."""

import json
import math
import shutil
import zipfile
from pathlib import Path

import commands
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
from score_fields import SCORE_FIELDS

DATA = Path(__file__).parents[1] / "compat" / "data" / "scores" / "nirs4all-0.6.2"
SCORED = (*SCORE_FIELDS, "models")
AVERAGES = ["avg", "w_avg"]


def fill(ws, name, datasets, configs, metric="rmse"):
    """A run whose results have folds: configs are {name: {model: (val scores, test score)}}."""
    run = ws.runs.create(name, templates=[n4w.Template([{"class": "PLS"}])], datasets=datasets)
    with run:
        for result in run.plan([{"name": config} for config in configs]):
            with run.writer(result.dataset_name) as writer:
                for model, (scores, test) in configs[result.config_name].items():
                    row = {"result_id": result.id, "model_name": model, "metric": metric}
                    for fold, score in enumerate(scores):
                        # As though the second dataset were twice as hard.
                        score *= 1 + datasets.index(result.dataset_name)
                        others = json.dumps(
                            {"val": {"r2": 1 - score}, "test": {"r2": 0.25}, "train": {"r2": 9}}
                        )
                        writer.write(
                            {**row, "fold_id": str(fold), "partition": "val", "val_score": score}
                            | {"n_samples": 10, "scores": others, "task_type": "regression"}
                        )
                    writer.write({**row, "fold_id": "final", "partition": "test", "test_score": test})
                writer.checkpoint(result)
    return run


def rms(*scores):
    return math.sqrt(math.fsum(score**2 for score in scores) / len(scores))


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("best") / "ws")
    configs = {
        # The luckiest fold of all, and a bad one.
        "raw": {"PLS": ((0.1, 0.9), 0.7), "Ridge": ((0.5, 0.6), 0.2)},
        "snv": {"PLS": ((0.3, 0.4), 0.6)},
        "msc": {"PLS": ((0.4, 0.4), None), "RF": ((0.8, 0.8), 0.9)},
    }
    fill(ws, "one", ["wheat", "corn"], configs)
    fill(ws, "two", ["wheat"], {"deriv": {"Ridge": ((0.45, 0.45), 0.5)}})
    return ws


WHEAT = [
    ("snv", "PLS", rms(0.3, 0.4), 0.6),
    ("msc", "PLS", rms(0.4, 0.4), None),
    ("deriv", "Ridge", rms(0.45, 0.45), 0.5),
    ("raw", "Ridge", rms(0.5, 0.6), 0.2),
    ("raw", "PLS", rms(0.1, 0.9), 0.7),
    ("msc", "RF", rms(0.8, 0.8), 0.9),
]
# Of run "one" alone.
CORN = [(config, model, 2 * score, test) for config, model, score, test in WHEAT if config != "deriv"]


def first(entries, part):
    seen = set()
    return [entry for entry in entries if not (part(entry) in seen or seen.add(part(entry)))]


def shown(ranking):
    return [(it["dataset_name"], it["config_name"], it["model_name"], it["score"]) for it in ranking]


def wanted(entries_of, k=10):
    found = []
    for dataset, entries in (("corn", CORN), ("wheat", WHEAT)):
        own = entries_of(entries)[:k]
        found += [(dataset, config, model, pytest.approx(score)) for config, model, score, _ in own]
    return found


PER = {
    "result": lambda entries: first(entries, lambda entry: entry[0]),
    "model": lambda entries: first(entries, lambda entry: entry[1]),
    "dataset": lambda entries: entries[:1],
}


@pytest.mark.parametrize("per", list(PER))
@pytest.mark.parametrize("k", [0, 1, 2, 10])
def test_dataset_by_dataset_the_best_come_first(ws, per, k):
    ranking = ws.predictions.top(k, per=per)
    assert shown(ranking) == wanted(PER[per], k)
    assert (ranking.metric, ranking.direction, ranking.ranked_by) == ("rmse", "minimize", "score")
    assert ranking.errors == []


def test_an_entry_is_the_result_with_that_model(ws):
    listed = {item.id: item.to_dict() for item in ws.results.list()}
    for entry in ws.predictions.top(per="result"):
        assert entry == listed[entry["id"]]
    ridge = next(
        it
        for it in ws.predictions.top(per="model", dataset="wheat", run="one")
        if it["model_name"] == "Ridge"
    )
    assert (ridge["n_folds"], ridge["score_mean"], ridge["score_test"]) == (2, pytest.approx(0.55), 0.2)
    assert ridge["score_std"] == pytest.approx(float(np.std([0.5, 0.6], ddof=1)))
    assert {"step_idx", "branch_id", "branch_name"} <= ridge.keys()


def test_several_of_the_best_models_may_be_of_one_result(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    best = {"PLS": ((0.1, 0.2), None), "Ridge": ((0.2, 0.3), None), "RF": ((0.15, 0.16), 0.1)}
    fill(ws, "one", ["wheat"], {"bad": {"PLS": ((0.9,), None)}, "good": best, "worse": {"RF": ((0.8,), 0.2)}})
    ranking = ws.predictions.top(per="model")
    assert [(it["config_name"], it["model_name"], it["score"]) for it in ranking] == [
        ("good", "RF", pytest.approx(rms(0.15, 0.16))),
        ("good", "PLS", pytest.approx(rms(0.1, 0.2))),
        ("good", "Ridge", pytest.approx(rms(0.2, 0.3))),
    ]
    assert [it["score_test"] for it in ranking] == [0.1, None, None]
    assert [it["models"] for it in ranking] == [None] * 3
    by_r2 = ws.predictions.top(metric="r2", per="model")
    assert [(it["model_name"], it["score"]) for it in by_r2] == [
        ("PLS", pytest.approx(0.85)),
        ("RF", pytest.approx(0.845)),
        ("Ridge", pytest.approx(0.75)),
    ]


def test_what_is_asked_of_results(ws):
    top = ws.predictions.top
    only_wheat = [(config, model) for config, model, _, _ in PER["model"](WHEAT)]
    assert [(it["config_name"], it["model_name"]) for it in top(per="model", dataset="wheat")] == only_wheat
    assert [it["config_name"] for it in top(per="result", run="two")] == ["deriv"]
    assert [it["config_name"] for it in top(per="model", model="RF")] == ["msc", "msc"]
    within = top(per="model", min_val_score=0.4, max_val_score=0.7, dataset="wheat", run="one")
    assert [it["config_name"] for it in within] == ["msc", "raw"]
    by_test = top(per="model", score="test_score", dataset="wheat")
    assert by_test.ranked_by == "score_test"
    assert [it["score_test"] for it in by_test] == [0.2, 0.6, 0.9]
    worst = top(1, per="result", direction="maximize", dataset="wheat")[0]
    assert worst["config_name"] == "raw"
    assert top(per="result", task_type="classification", metric="rmse") == []
    result = ws.results.list()[0]
    assert [it["id"] for it in top(per="result", result=result.id)] == [result.id]


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"per": "fold"}, ValueError, "per"),
        ({"per": "model", "fold": "0"}, ValueError, "fold"),
        ({"per": "model", "preprocessings_contains": "SNV"}, ValueError, "preprocessings_contains"),
        ({"per": "model", "min_train_score": 1.0}, ValueError, "min_train_score"),
        ({"per": "model", "score": "train_score"}, ValueError, "train_score"),
        ({"per": "model", "direction": "up"}, ValueError, "up"),
        ({"per": "model", "model": 3}, TypeError, "model"),
        ({"per": "model", "min_val_score": "3"}, TypeError, "min_val_score"),
        ({"per": "model", "metric": "mystery"}, n4w.UnknownMetricError, "mystery"),
        ({"per": "model", "run": "nobody"}, n4w.NotFoundError, "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused(ws, asked, kind, said):
    with pytest.raises(kind, match=said):
        ws.predictions.top(**asked)


def test_several_metrics_do_not_compare(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    assert ws.predictions.top(per="result") == []
    fill(ws, "one", ["wheat"], {"a": {"PLS": ((0.5,), None)}})
    fill(ws, "two", ["corn"], {"a": {"PLS": ((0.5,), None)}}, metric="accuracy")
    with pytest.raises(ValueError, match="accuracy, rmse"):
        ws.predictions.top(per="dataset")
    assert [it["dataset_name"] for it in ws.predictions.top(per="dataset", metric="accuracy")] == ["corn"]
    assert [it["dataset_name"] for it in ws.predictions.top(per="dataset", run="one")] == ["wheat"]


def test_a_failed_result_ranks_nowhere_and_open_ones_do(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    with run:
        good, bad = run.plan([{"name": "good"}, {"name": "bad"}])
        with run.writer("wheat") as writer:
            for result, score in ((good, 0.5), (bad, 0.1)):
                row = {"result_id": result.id, "fold_id": "0", "partition": "val", "metric": "rmse"}
                writer.write({**row, "val_score": score, "scores": json.dumps({"val": {"r2": 1 - score}})})
            bad.status = "failed"
            writer.checkpoint(good)
            writer.checkpoint(bad)
            for metric, score in (("rmse", 0.5), ("r2", 0.5)):
                assert [it["score"] for it in ws.predictions.top(metric=metric, per="result")] == [score]
                assert ws.predictions.top(metric=metric, per="result", live=False) == []
    assert [it["config_name"] for it in ws.predictions.top(per="dataset")] == ["good"]


def test_results_by_a_metric_that_rows_have_beside_their_own(ws):
    for _ in range(2):  # as rows say it, and as it is kept
        listed = ws.results.list(metric="r2", dataset="wheat")
        assert [(it.config_name, it.model_name, it.score) for it in listed] == [
            (config, model, pytest.approx(1 - math.fsum(scores) / 2)) for config, model, scores in BY_R2
        ]
        assert {it.metric for it in listed} == {"r2"}
        assert {(it.score_basis, it.n_folds, it.best_score) for it in listed} == {("folds", 2, None)}
    assert ws.results.list(metric="nowhere") == []
    assert {it.metric for it in ws.results.list()} == {"rmse"}


# By the plain mean the model with the luckiest fold is the better one of "raw".
BY_R2 = [
    ("snv", "PLS", (0.3, 0.4)),
    ("msc", "PLS", (0.4, 0.4)),
    ("deriv", "Ridge", (0.45, 0.45)),
    ("raw", "PLS", (0.1, 0.9)),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    root = tmp_path_factory.mktemp("old") / "ws"
    shutil.copytree(DATA / "workspace", root)
    with zipfile.ZipFile(DATA / "manifests.zip") as manifests:
        manifests.extractall(root)
    return root


def rows_of(root):
    """The rows of a folder of nirs4all 0.6 with their scores by partition, and with their arrays."""
    found = []
    for path in sorted(root.glob("*.meta.parquet")):
        stored = Path(str(path).replace(".meta.", ".arrays."))
        arrays = {}
        if stored.exists():
            arrays = dict(pl.read_parquet(stored).select("array_id", "array_data").iter_rows())
        for row in pl.read_parquet(path).iter_rows(named=True):
            scores = json.loads(row["scores"] or "{}", parse_constant=float)
            true, predicted = (np.array(arrays.get(row[name]) or []) for name in ("y_true_id", "y_pred_id"))
            found.append({**row, "scores": scores, "y_true": true, "y_pred": predicted})
    return found


def held_out(rows):
    return [
        row for row in rows if row["partition"] == "val" and row["fold_id"] not in (*AVERAGES, "final", "")
    ]


ERRORS = {
    "mse": lambda true, predicted: np.mean((true - predicted) ** 2),
    "rmse": lambda true, predicted: np.sqrt(np.mean((true - predicted) ** 2)),
    "mae": lambda true, predicted: np.mean(np.abs(true - predicted)),
}


@pytest.mark.parametrize("name", ["nirs4all-0.6.2", "nirs4all-2026-01"])
def test_scores_of_real_folders_are_the_errors_of_their_held_out_predictions(shared, name):
    ws = n4w.Workspace.open(shared(name))
    rows = [row for row in held_out(rows_of(ws.path)) if row["task_type"] == "regression"]
    if not all(len(row["y_true"]) for row in rows):
        pytest.skip("only the whole workspace, which lies beside the repository, has its arrays")
    for metric, error in ERRORS.items():
        wanted = set()
        of_model = {}
        for row in rows:
            of_model.setdefault(
                (row["dataset_name"], row["config_name"], row["model_name"], row["step_idx"]), []
            ).append(row)
        for (dataset, *_), own in of_model.items():
            true, predicted = (
                np.concatenate([row[column] for row in own]) for column in ("y_true", "y_pred")
            )
            wanted.add((dataset, round(float(error(true, predicted)), 9)))
        listed = ws.results.list(metric=metric)
        found = {
            (it.dataset_name, round(model["score"], 9))
            for it in listed
            for model in it.models or [{"score": it.score}]
            if it.score_basis == "folds"
        }
        assert found == wanted
        assert found


@pytest.mark.parametrize("metric", ["accuracy", "r2"])
def test_no_ranking_has_what_an_average_calls_validation(shared, metric):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    rows = rows_of(ws.path)
    of_averages = {row["scores"].get("val", {}).get(metric) for row in rows if row["fold_id"] in AVERAGES}
    of_folds = {row["scores"].get("val", {}).get(metric) for row in held_out(rows)}
    wrong = {round(score, 12) for score in of_averages - of_folds if score is not None}
    assert wrong
    found = [it.score for it in ws.results.list(metric=metric)]
    found += [it["score"] for per in PER for it in ws.predictions.top(99, metric, per=per)]
    assert found
    assert max(found) <= max(score for score in of_folds if score is not None)
    assert not {round(score, 12) for score in found} & wrong


def test_other_metrics_of_old_rows_are_the_mean_of_folds(old):
    ws = n4w.Workspace.open(old)
    rows = held_out(rows_of(old))
    listed = [it for it in ws.results.list(metric="r2") if it.score_basis == "folds" and not it.models]
    assert len(listed) > 5
    for result in listed:
        own = [row for row in rows if row["config_name"].split("_", 1)[1] == result.config_name]
        own = [row for row in own if row["dataset_name"] == result.dataset_name]
        scores = [row["scores"]["val"]["r2"] for row in own]
        mean = math.fsum(scores) / len(scores)
        assert result.score == pytest.approx(mean, nan_ok=True)
        assert result.score_avg is None


@pytest.mark.parametrize("name", ["nirs4all-0.6.2", "nirs4all-2026-01"])
@pytest.mark.parametrize("k", [1, 2, 99])
def test_models_are_ranked_as_their_results_say(shared, name, k):
    ws = n4w.Workspace.open(shared(name))
    scores = {}
    for result in ws.results.list(metric="mse"):
        for model in result.models or [{"model_name": result.model_name, "score": result.score}]:
            of_dataset = scores.setdefault(result.dataset_name, {})
            named = model["model_name"]
            of_dataset[named] = min(model["score"], of_dataset.get(named, math.inf))
    wanted = [
        (dataset, score)
        for dataset, of_models in sorted(scores.items())
        for score in sorted(of_models.values())[:k]
    ]
    found = ws.predictions.top(k, "mse", per="model")
    assert [(it["dataset_name"], it["score"]) for it in found] == wanted
    assert all(scores[it["dataset_name"]][it["model_name"]] == it["score"] for it in found)


def test_rows_of_old_files_say_their_session(old, tmp_path):
    ws = n4w.Workspace.open(old)
    sessions = {
        (manifest["dataset"], manifest["pipeline_id"]): run.id
        for run in ws.runs.list()
        for manifest in run.manifests
    }
    page = ws.predictions.page(limit=2000)
    # All but the one that was refused.
    assert len({row["run_id"] for row in page.records}) == len(set(sessions.values())) - 1
    for row in page.records:
        assert row["run_id"] == sessions[row["dataset_name"], row["config_name"]]
    row = page.records[0]
    assert ws.predictions.get(row["id"])["run_id"] == row["run_id"]
    assert ws.predictions.get(row["id"], run_id=row["run_id"])["id"] == row["id"]
    by_id = {row["id"]: row["run_id"] for row in page.records}
    for row in ws.predictions.top(5, metric="mse"):
        assert row["run_id"] == by_id[row["id"]]
    (record,) = ws.predictions.page(limit=1, columns=["run_id", "id"]).records
    assert list(record) == ["run_id", "id"]
    assert record["run_id"] == by_id[record["id"]]
    assert ws.predictions.export(tmp_path / "all.parquet", columns=["id", "run_id"]) == []
    written = pl.read_parquet(tmp_path / "all.parquet")
    assert written.columns == ["id", "run_id"]
    assert dict(written.iter_rows()) == by_id
    scanned = ws.predictions.scan().collect()
    assert scanned["run_id"].null_count() == scanned.height == len(by_id)


def test_a_copy_of_a_file_is_of_no_session(old, tmp_path):
    root = tmp_path / "ws"
    shutil.copytree(old, root, ignore=shutil.ignore_patterns(".cache"))
    shutil.copy(root / "halves.meta.parquet", root / "copy of halves.meta.parquet")
    records = n4w.Workspace.open(root).predictions.page(limit=2000, dataset="halves").records
    assert {row["run_id"] for row in records} == {None}


def test_what_is_no_validation_is_said(old):
    ws = n4w.Workspace.open(old)
    noted = [note for note in ws.verify()["notes"] if note["kind"] == "average"]
    rows = pl.concat(
        [pl.read_parquet(path).select("fold_id", "partition") for path in old.glob("*.meta.parquet")]
    )
    count = rows.filter(pl.col("fold_id").is_in(AVERAGES), pl.col("partition") == "val").height
    assert [note["message"].split()[0] for note in noted] == [str(count)]
    for fold, is_noted in (("avg", True), ("w_avg", True), ("0", False)):
        row = ws.predictions.page(limit=1, fold=fold).records[0]
        assert ("note" in ws.predictions.get(row["id"])) == is_noted


def test_migrating_keeps_scores_and_what_is_no_validation(old, tmp_path):
    def said(ws, **asked):
        return {
            (it.dataset_name, it.config_name, it.config_id): [getattr(it, name) for name in SCORED]
            for it in ws.results.list(**asked)
        }

    n4w.migrate(old, tmp_path / "new")
    before, after = n4w.Workspace.open(old), n4w.Workspace.open(tmp_path / "new")
    for asked in ({}, {"metric": "rmse"}, {"metric": "accuracy"}):
        assert said(after, **asked) == said(before, **asked) != {}
    assert [note["kind"] for note in after.verify()["notes"]].count("average") == 1
    row = after.predictions.page(limit=1, fold="avg").records[0]
    assert "note" in after.predictions.get(row["id"])


def test_the_command_shows_what_chemometricians_report(ws):
    answer = json.loads(commands.n4w("top", ws.path, "--per", "model", "-k", "2", "--json").stdout)
    ranking = ws.predictions.top(2, per="model")
    assert answer == json.loads(json.dumps(ranking.to_dict()))
    for command in (["top", "--per", "result"], ["results"]):
        table = commands.n4w(command[0], ws.path, *command[1:]).stdout
        assert "RMSECV" in table
        assert "RMSEP" in table
    by_r2 = commands.n4w("results", ws.path, "--metric", "r2").stdout
    assert "RMSECV" not in by_r2
    assert "r2" in by_r2


def without_scores(ws):
    """Leave results as earlier versions wrote them."""
    for path in ws.path.glob("runs/*/results.*.jsonl"):
        stored = [json.loads(line) for line in path.read_text().splitlines()]
        bare = [{key: value for key, value in result.items() if key not in SCORED} for result in stored]
        path.write_text("".join(json.dumps(result) + "\n" for result in bare))
    shutil.rmtree(ws.path / ".cache", ignore_errors=True)
    return n4w.Workspace.open(ws.path)


def test_rows_of_another_checkpoint_do_not_count(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    for status, score in (("failed", 0.1), ("done", 0.5)):
        if status == "done":
            run.resume(retry_failed=True)
        with run:
            (result,) = run.plan([{"name": "one"}])
            with run.writer("wheat") as writer:
                row = {"result_id": result.id, "fold_id": "0", "partition": "val", "metric": "rmse"}
                writer.write({**row, "val_score": score, "scores": json.dumps({"val": {"r2": 1 - score}})})
                result.status = status
                writer.checkpoint(result)
    for opened in (ws, without_scores(ws)):
        assert [it.score for it in opened.results.list()] == [0.5]
        assert [it.score for it in opened.results.list(metric="r2")] == [0.5]
        assert [it["best"] for it in opened.stats()["model_performance"]] == [0.5]


def test_scores_of_earlier_versions_are_those_of_their_rows_in_every_answer(ws, tmp_path):
    said = [it.to_dict() for it in ws.results.list()]
    ranked = list(ws.predictions.top(per="model"))
    summary = ws.runs.list()[0].summary()
    best = ws.stats()["model_performance"]
    root = tmp_path / "ws"
    shutil.copytree(ws.path, root)
    old = without_scores(n4w.Workspace.open(root))
    for _ in range(2):
        assert [it.to_dict() for it in old.results.list()] == said
        assert list(old.predictions.top(per="model")) == ranked
        assert old.runs.list()[0].summary()["best_by_dataset"] == summary["best_by_dataset"] != []
        assert old.stats()["model_performance"] == best


def test_a_run_says_the_best_of_each_dataset(ws):
    run = next(run for run in ws.runs.list() if run.name == "one")
    found = run.summary()
    assert [(it["dataset"], it["metric"], it["config"], it["score"]) for it in found["best_by_dataset"]] == [
        ("corn", "rmse", "snv", pytest.approx(2 * rms(0.3, 0.4))),
        ("wheat", "rmse", "snv", pytest.approx(rms(0.3, 0.4))),
    ]
    assert {it["score_test"] for it in found["best_by_dataset"]} == {0.6}
    # As before: the one with the luckiest fold.
    assert (found["best"]["rmse"]["config"], found["best"]["rmse"]["score"]) == ("raw", 0.1)
    assert "RMSECV" in commands.n4w("show", run.id, ws.path).stdout


def test_test_scores_come_after_all_that_were_validated_and_failures_last(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat", "corn"])
    rows = {
        "validated": {"partition": "val", "fold_id": "0", "val_score": 0.5, "test_score": 0.6},
        "tested": {"partition": "test", "test_score": 0.1},
        "nan": {"partition": "val", "fold_id": "0", "val_score": math.nan},
        "null": {"partition": "val", "fold_id": "0", "test_score": 0.01},
        "failed": {"partition": "val", "fold_id": "0", "val_score": 0.05},
    }
    with run:
        for result in run.plan([{"name": name} for name in rows]):
            with run.writer(result.dataset_name) as writer:
                writer.write(
                    {
                        "result_id": result.id,
                        "model_name": "PLS",
                        "metric": "rmse",
                        **rows[result.config_name],
                    }
                )
                result.status = "failed" if result.config_name == "failed" else "done"
                writer.checkpoint(result)
    listed = [(it.dataset_name, it.config_name) for it in ws.results.list()]
    assert [name for name, _ in listed] == ["corn"] * 5 + ["wheat"] * 5
    for of_dataset in (listed[:5], listed[5:]):
        assert [config for _, config in of_dataset][:2] == ["validated", "tested"]
        assert {config for _, config in of_dataset[2:]} == {"nan", "null", "failed"}
    scores = {it.config_name: it.score for it in ws.results.list()}
    assert math.isnan(scores["null"]), "a fold without a score failed"
    for per in ("result", "model", "dataset"):
        configs = [it["config_name"] for it in ws.predictions.top(per=per)]
        assert configs == (["validated", "tested"] if per == "result" else ["validated"]) * 2
    summary = run.to_dict()["summary"]
    assert [(it["dataset"], it["config"]) for it in summary["best_by_dataset"]] == [
        ("corn", "validated"),
        ("wheat", "validated"),
    ]
    performance = ws.stats()["model_performance"]
    assert {it["best"] for it in performance} == {0.5}


def test_rows_of_one_metric_each_are_scored_by_each(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "long"}])
        for fold in range(3):
            for metric, score in (("rmse", 0.5 + fold), ("r2", 0.25 * fold)):
                place = {"fold_id": str(fold), "partition": "val", "model_name": "PLS"}
                writer.write({"result_id": result.id, "metric": metric, "val_score": score, **place})
        writer.checkpoint(result)
    (by_r2,) = ws.results.list(metric="r2" if ws.results.list()[0].metric == "rmse" else "rmse")
    expected = 0.25 if by_r2.metric == "r2" else rms(0.5, 1.5, 2.5)
    assert (by_r2.score, by_r2.n_folds) == (pytest.approx(expected), 3)
    (own,) = ws.results.list()
    assert (own.n_folds, math.isfinite(own.score)) == (3, True)


def test_what_a_table_calls_validated_is(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "only"}])
        writer.write({"result_id": result.id, "metric": "rmse", "partition": "test", "test_score": 0.123})
        writer.checkpoint(result)
    for command in (["results"], ["show", "latest"]):
        args = [command[0], ws.path] if len(command) == 1 else ["show", "latest", ws.path]
        lines = commands.n4w(*args).stdout.splitlines()
        (titles,) = [line for line in lines if "RMSECV" in line]
        (cells,) = [line for line in lines if "0.123" in line]
        place = cells.index("0.123")
        assert abs(place - titles.index("RMSEP")) < abs(place - titles.index("RMSECV"))
