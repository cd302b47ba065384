"""What nirs4all and scikit-learn say of the models of a case of `make_scores.py`."""

import math

import numpy as np
from sklearn import metrics as of
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

# What tells one model of a call from another, as far as a version says it.
KEY = ("config_name", "step_idx", "model_name", "branch_id", "branch_name")
AVERAGES = ("avg", "w_avg")


def metrics(y, predicted, classes):
    """Scores of predictions, by scikit-learn and in float64; the bias is predicted less true."""
    y, predicted = (np.asarray(values, float).reshape(len(values), -1) for values in (y, predicted))
    if y.shape[1] == 1:
        y, predicted = y[:, 0], predicted[:, 0]
    if classes:
        made = {"accuracy": of.accuracy_score, "balanced_accuracy": of.balanced_accuracy_score}
        made = {name: score(y, predicted) for name, score in made.items()}
        for name in ("f1", "precision", "recall"):
            score = getattr(of, f"{name}_score")
            for average in ("macro", "weighted"):
                made[f"{name}_{average}"] = score(y, predicted, average=average, zero_division=0)
        return made
    return {
        "rmse": of.root_mean_squared_error(y, predicted),
        "mse": of.mean_squared_error(y, predicted),
        "mae": of.mean_absolute_error(y, predicted),
        "r2": of.r2_score(y, predicted) if len(y) > 1 else math.nan,
        "bias": float(np.mean(predicted - y)),
    }


def truth(case, steps, data, older):
    """What scikit-learn says of one pipeline: scores of each fold, their mean, and two kinds of averages.

    Older engines fit preprocessings on all samples for training, before they split, and hold targets as
    float32. So does this for them; the spectra are float32 everywhere.
    """
    x, y, x_test, y_test = (None if part is None else part.astype(np.float32) for part in data)
    y = y if older else y.astype(float)
    classes = case.data == "classes"
    said = {"pipeline": " | ".join(repr(step) for step in steps), "splitter": repr(case.split)}
    said["preprocessing_fitted_on"] = "all" if older else "fold"
    if older and len(steps) > 1:
        before = make_pipeline(*(clone(step) for step in steps[:-1])).fit(x)
        x, x_test = before.transform(x), None if x_test is None else before.transform(x_test)
        steps = steps[-1:]
    pipeline = make_pipeline(*(clone(step) for step in steps))

    def scorer(estimator, x, y):
        return metrics(y, estimator.predict(x), classes)

    if case.split is None:
        whole = clone(pipeline).fit(x, y).predict(x_test)
        return said | {"test": metrics(y_test, whole, classes)}, {"final": whole}
    search = GridSearchCV(pipeline, {}, scoring=scorer, cv=case.split, refit=False).fit(x, y)
    found = search.cv_results_
    names = [name.removeprefix("mean_test_") for name in found if name.startswith("mean_test_")]
    parts = list(case.split.split(x, y))
    predicted = {str(n): clone(pipeline).fit(x[a], y[a]).predict(x[b]) for n, (a, b) in enumerate(parts)}
    held = np.concatenate([b for _, b in parts])
    pooled = np.concatenate([part.reshape(len(part), -1) for part in predicted.values()])
    seen = np.unique(held)
    means = np.array([pooled[held == sample].mean(axis=0) for sample in seen])
    folds = [{name: found[f"split{n}_test_{name}"][0] for name in names} for n in range(len(parts))]
    return said | {
        "test_score": [{"n": len(b), **fold} for (_, b), fold in zip(parts, folds, strict=True)],
        "mean_test_score": {name: found[f"mean_test_{name}"][0] for name in names},
        "pooled": {"n": len(held), **metrics(y[held], pooled, classes)},
        **({} if classes else {"mean_of_each_sample": {"n": len(seen), **metrics(y[seen], means, classes)}}),
    }, predicted


def own_score(row):
    """The main score of a row's own arrays, in float64, or None if it has none."""
    if not len(row["y_true"]) or len(row["y_true"]) != len(row["y_pred"]):
        return None
    shape = (row["n_samples"], -1)
    y, predicted = (np.asarray(row[name], float).reshape(shape) for name in ("y_true", "y_pred"))
    return metrics(y, predicted, row["task_type"] != "regression")[row["metric"]]


def entry(row):
    """The fields of a row that say which it is, and what it scores."""
    scores = ("metric", "val_score", "test_score", "train_score", "rank_score")
    return row and {name: row[name] for name in ("id", *KEY, "fold_id", "partition", *scores) if name in row}


def first(predictions, older, **asked):
    """What nirs4all ranks first of the rows that it takes for those of a cross-validation."""
    asked = {name: value for name, value in asked.items() if value is not None}
    found = predictions.top(n=1, **({} if older == "0.6.2" else {"score_scope": "folds"}), **asked)
    return entry(found[0]) if found else None


def off(pairs):
    """The largest difference, or None where there is nothing to compare."""
    return max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=None)


def models_of(rows):
    """The rows of each model by its key, and those of refits, whose configuration has another name."""
    refits, models = [], {}
    for row in rows:
        if row["fold_id"] == "final" and "_refit" in row["config_name"]:
            refits.append(row)
        else:
            models.setdefault(tuple(row[name] for name in KEY), []).append(row)
    return models, refits


def describe(case, rows, data, result, older):
    """What nirs4all says of each of its models, and scikit-learn of the pipeline that has its predictions."""
    known = [truth(case, steps, data, older) for steps in case.models]
    models, refits = models_of(rows)
    return [describe_model(case, key, models[key], refits, known, result, older) for key in models]


def describe_model(case, key, rows, refits, known, result, older):
    where = dict(zip(KEY, key, strict=True))
    held = {row["fold_id"]: row for row in rows if row["partition"] == "val"}
    averages = {name: held.pop(name) for name in AVERAGES if name in held}
    if case.split is None:
        held = {"final": next(row for row in rows if row["partition"] == "test")}
    given = {name: np.asarray(row["y_pred"], float).ravel() for name, row in held.items()}
    apart = [max(off(zip(made[n].ravel(), given[n], strict=True)) for n in given) for _, made in known]
    assert min(apart) < 1e-9, (case, where, apart)
    scikit, _ = known.pop(apart.index(min(apart)))
    # Older engines compute scores in float32 where a model predicts in it.
    wrong = off((own_score(row), row["val_score"]) for row in held.values() if case.split)
    assert wrong is None or wrong < (1e-6 if older else 1e-9), (case, where, wrong)
    refits = [row for row in refits if row["config_name"].startswith(key[0] + "_refit")]
    refits = [row for row in refits if all(row[name] == where[name] for name in KEY[1:])]
    tops = {name: first(result.predictions, older, fold_id=name, **where) for name in (None, "avg")}
    return {
        "rows": where,
        "metric": rows[0]["metric"],
        "folds": {name: row["val_score"] for name, row in held.items()},
        "averages": {name: row["val_score"] for name, row in averages.items()},
        "refits": [row["id"] for row in refits],
        "top": {
            name or "all": top and {of: top.get(of) for of in ("id", "fold_id", "val_score")}
            for name, top in tops.items()
        },
        "sklearn": scikit,
        # How far predictions are from scikit-learn's, and main scores from what their own row's arrays give.
        "differences": {
            "y_pred": min(apart),
            "folds": wrong,
            **{name: off([(own_score(row), row["val_score"])]) for name, row in averages.items()},
            "refits": off((own_score(row), row[f"{row['partition']}_score"]) for row in refits),
        },
    }
