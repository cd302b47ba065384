"""How a run went: its transitions and results over time."""

import json
import math

import nirs4all_workspace as n4w
import pytest


def finished(ws, scores, metric="rmse", datasets=("wheat",), name="sweep"):
    """A run whose results have these scores; None fails."""
    run = ws.runs.create(name, templates=[["PLS"]], datasets=list(datasets))
    with run:
        configs = [{"name": str(number)} for number in range(len(scores))]
        for result in run.plan(configs):
            with run.writer(result.dataset_name) as writer:
                score = scores[int(result.config_name)]
                if score is None:
                    result.error = "no"
                else:
                    row = {"metric": metric, "partition": "val", "val_score": score, "fold_id": "0"}
                    writer.write(row | {"result_id": result.id})
                writer.checkpoint(result)
    return run


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("rmse", [(1, 0.5), (3, 0.25), (6, 0.125)]),
        ("r2", [(1, 0.5), (5, 0.75)]),
        ("bias", [(1, 0.5), (3, 0.25), (6, 0.125)]),
    ],
)
def test_the_best_score_so_far(ws, metric, wanted):
    scores = [0.5, None, 0.25, math.nan, 0.75, 0.125, 0.125]
    run = finished(ws, scores, metric)
    answer = ws.charts.run_history("sweep")
    (line,) = answer["best"]
    assert list(zip(line["finished"], line["score"], strict=True)) == wanted
    assert (line["dataset_name"], line["metric"]) == ("wheat", metric)
    by_id = {result.id: result for result in run.results()}
    assert [by_id[id_].score for id_ in line["result_id"]] == line["score"]
    assert [by_id[id_].completed_at for id_ in line["result_id"]] == line["time"]
    assert (answer["planned"], answer["done"], answer["failed"], answer["untimed"]) == (7, 6, 1, 0)
    assert answer["progress"]["done"] == [1, 1, 2, 3, 4, 5, 6]
    assert answer["progress"]["failed"] == [0, 1, 1, 1, 1, 1, 1]
    assert answer["progress"]["time"] == sorted(answer["progress"]["time"])
    moves = [(it["status_from"], it["status_to"]) for it in answer["transitions"]]
    assert moves == [(it["from"], it["to"]) for it in run.history]
    assert (answer["status"], answer["run_id"], answer["name"]) == ("completed", run.id, "sweep")
    json.dumps(answer, allow_nan=False)


def test_a_line_for_each_dataset(ws):
    finished(ws, [0.5, 0.25], datasets=("wheat", "corn"))
    answer = ws.charts.run_history("latest")
    assert [(line["dataset_name"], line["score"]) for line in answer["best"]] == [
        ("corn", [0.5, 0.25]),
        ("wheat", [0.5, 0.25]),
    ]


def test_a_run_that_waits(ws):
    run = ws.runs.create("waits", templates=[["PLS"]], datasets=["wheat"])
    answer = ws.charts.run_history(run.id)
    assert (answer["status"], answer["planned"], answer["done"], answer["best"]) == ("queued", 0, 0, [])
    assert answer["progress"] == {"time": [], "done": [], "failed": []}


def test_a_run_that_is_not_there(ws):
    with pytest.raises(n4w.NotFoundError, match="nowhere"):
        ws.charts.run_history("nowhere")


def test_at_most_a_thousand_points(ws):
    count = 1_200
    run = ws.runs.create("long", templates=[["PLS"]], datasets=["wheat"])
    with run, run.writer("wheat", durability="none") as writer:
        for result in run.plan([{"name": str(number)} for number in range(count)]):
            row = {
                "metric": "rmse",
                "partition": "val",
                "val_score": 1 / (1 + int(result.config_name)),
                "fold_id": "0",
            }
            writer.write(row | {"result_id": result.id})
            writer.checkpoint(result)
    answer = ws.charts.run_history("long")
    done, (line,) = answer["progress"]["done"], answer["best"]
    assert (len(done), done[0], done[-1]) == (1_000, 1, count)
    assert (len(line["score"]), line["score"][0], line["score"][-1]) == (1_000, 1.0, 1 / count)
    assert line["score"] == sorted(line["score"], reverse=True)


def test_a_session_of_nirs4all_0_6(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    session = next(run for run in ws.runs.list() if run.kind == "session")
    answer = ws.charts.run_history(session.id)
    assert answer["done"] == len(session.results())
    assert (answer["transitions"], answer["errors"]) == ([], [])
