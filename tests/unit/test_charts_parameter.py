"""Scores against a parameter: of rows, of configurations, numbers and categories."""

import json
import math

import charting
import nirs4all_workspace as n4w
import numpy as np
import pytest
from nirs4all_workspace.predictions import filtered
from samples import frame_of, table, write


def points(answer):
    return sorted(
        zip(answer["points"]["id"], answer["points"]["value"], answer["points"]["score"], strict=True)
    )


def old(folder, params, **columns):
    """A folder whose rows have these parameters, in turns."""
    rows = 60
    given = [params[row % len(params)] for row in range(rows)]
    texts = [it if it is None or isinstance(it, str) else json.dumps(it) for it in given]
    write(folder / "wheat.meta.parquet", table(rows, best_params=texts, partition=["val"] * rows, **columns))
    return n4w.Workspace.open(folder)


@pytest.mark.parametrize("is_long", [False, True])
def test_a_number(tmp_path, monkeypatch, is_long):
    if is_long:
        monkeypatch.setattr(filtered, "AT_ONCE", 1_000)
        monkeypatch.setattr(filtered, "MOST_IN_PAGES", 10)
    ws = old(
        tmp_path,
        [{"n_components": 3}, {"n_components": 10.0, "scale": True}, {}, None, {"n_components": 7.5}],
    )
    answer = ws.charts.score_by_parameter("n_components")
    rows = frame_of(tmp_path / "wheat.meta.parquet")
    values = {0: 3, 1: 10, 4: 7.5}
    wanted = [
        (id_, values[at % 5], score)
        for at, (id_, score) in enumerate(rows["id", "val_score"].rows())
        if at % 5 in values
    ]
    assert points(answer) == wanted
    assert (answer["kind"], answer["total"], answer["without"]) == ("number", 36, 24)
    assert [value["value"] for value in answer["values"]] == [3, 7.5, 10]
    for value in answer["values"]:
        scores = [score for _, of, score in wanted if of == value["value"]]
        assert value == {
            "value": value["value"],
            "count": 12,
            "best": min(scores),
            "median": pytest.approx(np.median(scores)),
            "min": min(scores),
            "max": max(scores),
        }


def test_categories(tmp_path):
    ws = old(tmp_path, [{"k": "rbf"}, {"k": 3}, {"k": True}, {"k": [1, "ü"]}, {"k": None}, {"k": math.nan}])
    answer = ws.charts.score_by_parameter("k")
    assert (answer["kind"], answer["total"], answer["without"]) == ("category", 40, 20)
    assert {value["value"] for value in answer["values"]} == {"rbf", 3, "true", '[1, "ü"]'}
    medians = [value["median"] for value in answer["values"]]
    assert medians == sorted(medians)
    json.dumps(answer, allow_nan=False)


def test_texts_that_are_no_json(tmp_path):
    ws = old(tmp_path, ["{broken", "", '"k"', "[1]", '{"k": 1}'])
    answer = ws.charts.score_by_parameter("k")
    assert (answer["total"], answer["without"]) == (12, 48)


def test_an_unknown_parameter_is_told_what_there_is(tmp_path):
    ws = old(tmp_path, [{"gamma": 1}, {"alpha": 2}])
    with pytest.raises(ValueError, match=r"n_components.*alpha, gamma"):
        ws.charts.score_by_parameter("n_components")
    (tmp_path / "empty").mkdir()
    empty = n4w.Workspace.open(tmp_path / "empty").charts.score_by_parameter("n_components")
    assert (empty["total"], empty["values"], empty["points"]["value"]) == (0, [], [])


def test_the_configurations_of_runs(ws):
    run = ws.runs.create("sweep", templates=[["PLS"]], datasets=["wheat"])
    configs = [
        {
            "name": "two",
            "steps": ["SNV", {"model": {"class": "a.PLSRegression", "params": {"n_components": 2}}}],
        },
        {"name": "chosen", "generator_choices": [{"_or_": "SNV"}, {"n_components": 5}], "steps": ["MSC"]},
        {
            "name": "several",
            "steps": [
                {"model": {"class": "a.PLSRegression", "params": {"n_components": 7}}, "name": "small"},
                {"model": {"class": "a.PLSRegression", "params": {"n_components": 9}}, "name": "large"},
                {"model": "b.Forest"},
            ],
        },
        {"name": "none", "steps": ["SNV", {"model": "b.Forest"}]},
    ]
    rows = {
        "two": [("PLSRegression", "PLS", 2)],
        "chosen": [("PLSRegression", "PLS", 5)],
        "several": [("PLSRegression", "small", 7), ("PLSRegression", "large", 9), ("Forest", "Forest", None)],
        "none": [("Forest", "Forest", None)],
    }
    wanted = {}
    with run, run.writer("wheat") as writer:
        for result in run.plan(configs):
            for classname, name, value in rows[result.config_name]:
                row = {
                    "id": f"{result.config_name} {name}",
                    "metric": "rmse",
                    "partition": "val",
                    "val_score": 0.5,
                }
                model = {"model_classname": classname, "model_name": name}
                writer.write(row | model | {"result_id": result.id, "fold_id": "0"})
                wanted |= {row["id"]: value} if value is not None else {}
            writer.checkpoint(result)
    answer = ws.charts.score_by_parameter("n_components")
    assert dict(zip(answer["points"]["id"], answer["points"]["value"], strict=True)) == wanted
    assert set(answer["points"]["run_id"]) == {run.id}
    assert (answer["total"], answer["without"]) == (4, 2)
    chosen = ws.charts.score_by_parameter("_or_")
    assert [value["value"] for value in chosen["values"]] == ["SNV"]
    (run.path / "configs.jsonl").write_text("broken\n")
    with pytest.raises(ValueError, match="n_components"):
        ws.charts.score_by_parameter("n_components")
    (run.path / "configs.jsonl").unlink()


def test_a_damaged_run_is_listed_beside_the_others(ws):
    for number in range(2):
        run = ws.runs.create("sweep", templates=[["PLS"]], datasets=["wheat"])
        with run, run.writer("wheat") as writer:
            (result,) = run.plan([{"name": "PLS", "steps": [{"model": "PLS", "alpha": number}]}])
            row = {"metric": "rmse", "partition": "val", "val_score": 0.5, "fold_id": "0"}
            writer.write(row | {"result_id": result.id})
            writer.checkpoint(result)
    (run.path / "configs.jsonl").write_text("broken\n")
    answer = ws.charts.score_by_parameter("alpha")
    assert (answer["total"], answer["without"]) == (1, 1)
    assert [error["path"] for error in answer["errors"]] == [f"runs/{run.id}"]


def test_a_folder_of_nirs4all_0_6(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    answer = ws.charts.score_by_parameter("n_components", "mse")
    rows = ws.predictions.page(limit=1_000, metric="mse", partition="val").records
    of_single = [row for row in rows if row["fold_id"] not in charting.AVERAGES]
    # What the manifests of that call say of the two models; the third is a forest.
    said = {"PLSRegression": 5, "PLS-10": 10}
    wanted = {row["id"]: said[row["model_name"]] for row in of_single if row["model_name"] in said}
    assert dict(zip(answer["points"]["id"], answer["points"]["value"], strict=True)) == wanted
    assert answer["without"] == len(of_single) - len(wanted)
    sessions = {row["id"]: row["run_id"] for row in rows}
    assert answer["points"]["run_id"] == [sessions[id_] for id_ in answer["points"]["id"]]
