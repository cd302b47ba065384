"""Parity, residuals and confusion matrices, against NumPy over the arrays that were written."""

import json
import math

import nirs4all_workspace as n4w
import numpy as np
import pytest
from nirs4all_workspace.insight.charts import pairs


def arrays(seed, shape, labels=None):
    random = np.random.default_rng(seed)
    if labels is not None:
        return random.choice(labels, shape).astype(float), random.choice(labels, shape).astype(float)
    true = random.normal(10, 3, shape)
    return true, true + random.normal(0.2, 1, shape)


def written(ws, rows, name="one", dataset="wheat", task_type="regression"):
    """Write rows of one result; those of arrays are pairs of true and predicted."""
    run = ws.runs.create(name, templates=[["PLS"]], datasets=[dataset])
    with run, run.writer(dataset) as writer:
        (result,) = run.plan([{"name": "PLS"}])
        for number, (fold, partition, (true, predicted), *more) in enumerate(rows):
            row = {"id": f"{name}-{number}", "result_id": result.id, "metric": "rmse", "val_score": 0.5}
            row |= {"fold_id": fold, "partition": partition, "model_name": "PLS", "task_type": task_type}
            writer.write(row | {"y_true": true, "y_pred": predicted} | (more[0] if more else {}))
        writer.checkpoint(result)
    return run


def figures(true, predicted):
    true, predicted = np.ravel(true), np.ravel(predicted)
    errors = predicted - true
    return {
        "n": len(true),
        "r2": pytest.approx(1 - np.sum(errors**2) / np.sum((true - true.mean()) ** 2)),
        "rmse": pytest.approx(np.sqrt(np.mean(errors**2))),
        "bias": pytest.approx(np.mean(errors)),
    }


def pooled(*given):
    return np.concatenate([np.ravel(it[0]) for it in given]), np.concatenate(
        [np.ravel(it[1]) for it in given]
    )


def some(group, names=("n", "r2", "rmse", "bias")):
    return {name: group[name] for name in names}


def groups(answer):
    json.dumps(answer, allow_nan=False)
    return {(group["dataset_name"], group["partition"], group["target"]): group for group in answer["groups"]}


def test_folds_are_pooled_and_averages_left_out(ws):
    folds = [arrays(seed, 20 + seed) for seed in range(3)]
    average, test, final, train = (arrays(seed, 30) for seed in range(3, 7))
    samples = [np.arange(seed * 100, seed * 100 + 20 + seed) for seed in range(3)]
    rows = [(str(fold), "val", it, {"sample_indices": samples[fold]}) for fold, it in enumerate(folds)]
    rows += [("avg", "val", average), ("w_avg", "val", average), ("0", "train", train)]
    rows += [("0", "test", test), ("avg", "test", test), ("final", "test", final)]
    run = written(ws, rows)
    answer = ws.charts.parity(run=run.id)
    found = groups(answer)
    assert list(found) == [("wheat", "test", 0), ("wheat", "train", 0), ("wheat", "val", 0)]
    assert some(found["wheat", "val", 0]) == figures(*pooled(*folds))
    assert some(found["wheat", "test", 0]) == figures(*final)
    assert some(found["wheat", "train", 0]) == figures(*train)
    assert (answer["rows"], answer["rows_used"], answer["rows_averaged"]) == (9, 5, 4)
    assert (answer["rows_without_arrays"], answer["is_complete"], answer["notes"]) == (0, True, [])
    points = found["wheat", "val", 0]["points"]
    wanted = [
        (true, predicted, str(fold), int(sample), f"one-{fold}")
        for fold, (trues, predictions) in enumerate(folds)
        for true, predicted, sample in zip(trues, predictions, samples[fold], strict=True)
    ]
    names = ("y_true", "y_pred", "fold_id", "sample", "id")
    assert sorted(zip(*(points[name] for name in names), strict=True)) == sorted(wanted)
    true, predicted = pooled(*folds)
    both = np.concatenate([true, predicted])
    assert (found["wheat", "val", 0]["low"], found["wheat", "val", 0]["high"]) == (both.min(), both.max())
    assert set(found["wheat", "test", 0]["points"]["sample"]) == {None}


def test_the_figures_of_scikit_learn(ws):
    metrics = pytest.importorskip("sklearn.metrics")
    true, predicted = arrays(1, 200)
    written(ws, [("0", "val", (true[:90], predicted[:90])), ("1", "val", (true[90:], predicted[90:]))])
    (group,) = ws.charts.parity()["groups"]
    assert group["r2"] == pytest.approx(metrics.r2_score(true, predicted))
    assert group["rmse"] == pytest.approx(metrics.root_mean_squared_error(true, predicted))


def test_where_there_is_no_single_fold_averages_are_shown_and_said(ws):
    average = arrays(1, 30)
    written(ws, [("avg", "val", average), ("w_avg", "val", arrays(2, 30))])
    answer = ws.charts.parity()
    assert some(answer["groups"][0]) == figures(*average)
    assert len(answer["notes"]) == 1


def test_rows_that_are_named_are_taken_as_they_are(ws):
    given = [arrays(seed, 10) for seed in range(3)]
    run = written(ws, [("0", "val", given[0]), ("1", "val", given[1]), ("avg", "val", given[2])])
    assert some(ws.charts.parity("one-2")["groups"][0]) == figures(*given[2])
    both = ws.charts.parity(["one-0", "one-2", "one-0"], run=run.id)
    assert some(both["groups"][0]) == figures(*pooled(given[0], given[2]))
    assert some(ws.charts.parity(fold="avg")["groups"][0]) == figures(*given[2])
    written(ws, [("0", "val", given[1])], name="one")
    with pytest.raises(ValueError, match="one-0"):
        ws.charts.parity("one-0")
    assert some(ws.charts.parity("one-0", run=run.id)["groups"][0]) == figures(*given[0])
    with pytest.raises(n4w.NotFoundError, match="nothing"):
        ws.charts.parity("nothing")
    with pytest.raises(ValueError, match="dataset"):
        ws.charts.parity("one-0", dataset="wheat")
    with pytest.raises(ValueError, match="ids"):
        ws.charts.parity([])


def test_several_datasets_and_runs(ws):
    wheat, corn, again = arrays(1, 10), arrays(2, 20), arrays(3, 30)
    first = written(ws, [("0", "val", wheat)], name="a")
    written(ws, [("0", "val", corn)], name="b", dataset="Bl\u00e9 dur")
    written(ws, [("0", "val", again)], name="c")
    found = groups(ws.charts.parity(partition="val"))
    assert some(found["wheat", "val", 0]) == figures(*pooled(wheat, again))
    assert some(found["Bl\u00e9 dur", "val", 0]) == figures(*corn)
    (group,) = ws.charts.parity(run=first.id)["groups"]
    assert (group["rows"], some(group)) == (1, figures(*wheat))
    assert ws.charts.parity(dataset="barley")["groups"] == []


def test_several_targets(ws):
    folds = [arrays(1, (12, 3)), arrays(2, (8, 3))]
    written(ws, [(str(fold), "val", it) for fold, it in enumerate(folds)])
    found = groups(ws.charts.parity())
    for target in range(3):
        wanted = pooled(*[(true[:, target], predicted[:, target]) for true, predicted in folds])
        assert some(found["wheat", "val", target]) == figures(*wanted)
    assert len(found) == 3


def test_a_column_is_as_good_as_a_list(ws):
    true, predicted = arrays(1, 12)
    written(ws, [("0", "val", (true, predicted.reshape(-1, 1)))])
    (group,) = ws.charts.parity()["groups"]
    assert some(group) == figures(true, predicted)


def test_numbers_that_are_none_and_arrays_that_are_missing(ws):
    true, predicted = arrays(1, 10)
    true[2], predicted[3], predicted[4] = math.nan, math.inf, -math.inf
    with pytest.warns(UserWarning, match="length"):
        run = written(
            ws,
            [
                ("0", "val", (true, predicted)),
                ("1", "val", (None, None)),
                ("2", "val", (np.arange(3.0), np.arange(4.0))),
                ("3", "val", (np.full(2, math.nan), np.ones(2))),
            ],
        )
    answer = ws.charts.parity(run=run.id)
    (group,) = answer["groups"]
    valid = np.isfinite(true) & np.isfinite(predicted)
    assert some(group) == figures(true[valid], predicted[valid])
    assert (group["invalid"], group["rows"]) == (5, 2)
    assert (answer["rows"], answer["rows_used"], answer["rows_without_arrays"]) == (4, 2, 2)
    (nothing,) = ws.charts.parity(fold="3")["groups"]
    assert some(nothing) == {"n": 0, "r2": None, "rmse": None, "bias": None}
    assert (nothing["low"], nothing["high"], nothing["points"]["y_true"]) == (None, None, [])
    (nothing,) = ws.charts.residuals(fold="3")["groups"]
    assert (nothing["std"], nothing["edges"], nothing["bin_counts"]) == (None, [], [])


def test_one_pair_and_equal_targets_have_no_r2(ws):
    written(ws, [("0", "val", ([2.0], [2.5]))])
    (group,) = ws.charts.parity()["groups"]
    assert some(group) == {"n": 1, "r2": None, "rmse": 0.5, "bias": 0.5}
    written(ws, [("0", "val", ([2.0] * 3, [2.5, 2.0, 1.5]))], name="two", dataset="corn")
    assert groups(ws.charts.parity())["corn", "val", 0]["r2"] is None


def test_points_are_a_sample_that_is_the_same_each_time(ws):
    folds = [arrays(seed, 3_000) for seed in range(2)]
    written(ws, [("0", "val", folds[0]), ("0", "train", folds[1])])
    answer = ws.charts.parity(max_points=100)
    assert [len(group["points"]["y_true"]) for group in answer["groups"]] == [50, 50]
    assert [group["n"] for group in answer["groups"]] == [3_000, 3_000]
    assert answer == n4w.Workspace.open(ws.path).charts.parity(max_points=100)
    known = set(zip(*folds[0], strict=True))
    points = groups(answer)["wheat", "val", 0]["points"]
    assert set(zip(points["y_true"], points["y_pred"], strict=True)) <= known
    assert sum(len(group["points"]["y_true"]) for group in ws.charts.parity()["groups"]) == 5_000
    for wrong in (0, 50_001):
        with pytest.raises(ValueError, match="max_points"):
            ws.charts.parity(max_points=wrong)


def test_no_more_rows_and_pairs_are_read_than_said(ws, monkeypatch):
    written(ws, [(str(fold), "val", arrays(fold, 10)) for fold in range(9)])
    monkeypatch.setattr(pairs, "MOST_ROWS", 4)
    answer = ws.charts.parity()
    assert (answer["rows"], answer["rows_used"], answer["is_complete"]) == (9, 4, False)
    monkeypatch.setattr(pairs, "MOST_ROWS", 2_000)
    assert ws.charts.parity()["is_complete"]
    with pytest.raises(ValueError, match="ids"):
        ws.charts.parity([str(number) for number in range(2_001)])


def test_residuals_are_predicted_less_true(ws):
    true, predicted = arrays(1, 500)
    written(ws, [("0", "val", (true, predicted))])
    (group,) = ws.charts.residuals(bins=9)["groups"]
    errors = predicted - true
    bins, edges = np.histogram(errors, 9)
    assert group["bin_counts"] == bins.tolist()
    assert group["edges"] == pytest.approx(edges.tolist())
    assert group["std"] == pytest.approx(np.std(errors))
    assert group["rmse"] ** 2 == pytest.approx(group["std"] ** 2 + group["bias"] ** 2)
    points = group["points"]
    assert points["residual"] == (np.array(points["y_pred"]) - np.array(points["y_true"])).tolist()


def counted(true, predicted, labels):
    return [[int(np.sum((true == row) & (predicted == column))) for column in labels] for row in labels]


@pytest.mark.parametrize("labels", [[0, 1], [3, 7, 11, 12], [-1.5, 0.0, 2.25]])
def test_a_confusion_matrix_counts(ws, labels):
    folds = [arrays(seed, 80, labels) for seed in range(2)]
    rows = [(str(fold), "val", it) for fold, it in enumerate(folds)]
    written(ws, rows, task_type="multiclass_classification")
    answer = ws.charts.confusion_matrix()
    (group,) = answer["groups"]
    true, predicted = pooled(*folds)
    assert group["labels"] == labels
    assert group["matrix"] == counted(true, predicted, labels)
    assert group["accuracy"] == pytest.approx(np.mean(true == predicted))
    assert (group["n"], group["others"]) == (160, 0)
    metrics = pytest.importorskip("sklearn.metrics")
    texts = [[str(it) for it in values] for values in (true, predicted)]
    theirs = metrics.confusion_matrix(*texts, labels=[str(float(label)) for label in labels])
    assert group["matrix"] == theirs.tolist()


def test_at_most_fifty_labels(ws):
    true = np.repeat(np.arange(60.0), np.arange(60, 0, -1))
    written(ws, [("0", "val", (true, true))], task_type="classification")
    (group,) = ws.charts.confusion_matrix()["groups"]
    assert group["labels"] == list(range(50))
    assert np.diag(group["matrix"]).tolist() == list(range(60, 10, -1))
    assert (group["others"], group["accuracy"]) == (sum(range(1, 11)), 1.0)


def test_a_regression_has_no_confusion_matrix(ws):
    written(ws, [("0", "val", arrays(1, 5))])
    written(ws, [("0", "val", arrays(1, 5, [0, 1]))], name="two", dataset="corn", task_type="classification")
    with pytest.raises(ValueError, match="regression"):
        ws.charts.confusion_matrix()
    assert len(ws.charts.confusion_matrix(dataset="corn")["groups"]) == 1


def test_an_empty_workspace(ws):
    for answer in (ws.charts.parity(), ws.charts.residuals(), ws.charts.confusion_matrix()):
        assert (answer["groups"], answer["rows"], answer["is_complete"]) == ([], 0, True)


def test_a_damaged_file_of_arrays_is_listed(ws):
    good, bad = arrays(1, 10), arrays(2, 10)
    written(ws, [("0", "val", good)], name="a")
    written(ws, [("0", "val", bad)], name="b", dataset="corn")
    for path in ws.path.glob("arrays/corn*/*"):
        path.write_bytes(path.read_bytes()[:50])
    for path in ws.path.glob("predictions/*/*.journal"):
        path.unlink()
    answer = ws.charts.parity()
    (group,) = answer["groups"]
    assert some(group) == figures(*good)
    assert answer["rows_without_arrays"] == 1
    assert [error["path"].split("/")[0] for error in answer["errors"]] == ["arrays"]
    assert not answer["errors"][0]["path"].startswith("/")


def test_open_segments(ws):
    given = arrays(1, 10)
    run = ws.runs.create("open", templates=[["PLS"]], datasets=["wheat"])
    with run:
        writer = run.writer("wheat")
        (result,) = run.plan([{"name": "PLS"}])
        row = {"result_id": result.id, "metric": "rmse", "partition": "val", "val_score": 0.5}
        writer.write(row | {"fold_id": "0", "y_true": given[0], "y_pred": given[1]})
        writer.checkpoint(result)
        (group,) = ws.charts.parity()["groups"]
        writer.close()
    assert some(group) == figures(*given)


def test_a_folder_of_nirs4all_0_6(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    rows = ws.predictions.page(limit=1_000, dataset="regression", partition="val").records
    ids = [row["id"] for row in rows if row["fold_id"] not in ("avg", "w_avg")]
    given = [ws.predictions.get(id_, arrays=True) for id_ in ids]
    (group,) = ws.charts.parity(dataset="regression", partition="val")["groups"]
    assert some(group) == figures(*pooled(*[(row["y_true"], row["y_pred"]) for row in given]))
    matrices = ws.charts.confusion_matrix(dataset="classification")["groups"]
    assert [group["partition"] for group in matrices] == ["test", "train", "val"]
