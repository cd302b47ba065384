"""The scores of any result, against a plain computation; writing, sealing, copying and merging keep them."""

import itertools
import json
import math
import shutil
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import tiers
from hypothesis import given
from hypothesis import strategies as st
from score_fields import SCORE_FIELDS

OF_A_MODEL = ("model_name", "step_idx", "branch_id", "branch_name")
NO_FOLDS = ("avg", "w_avg", "final", "", None)
DIRECTIONS = {"rmse": 1, "rmsecv": 1, "mse": 1, "mae": 1, "accuracy": -1, "r2": -1, "bias": 0, "sep": 1}

values = st.one_of(st.none(), st.sampled_from([math.nan, 0.0, 0.5, 1.0, 2.0, -2.0, 1e-3]), st.floats(-9, 9))
samples = st.one_of(st.none(), st.sampled_from([0, 1, 7, 8, 60]))
models = st.fixed_dictionaries(
    {
        "model_name": st.sampled_from(["PLS", "Ridge", None]),
        "step_idx": st.sampled_from([None, 3, 4]),
        "branch_id": st.sampled_from([None, 0, 1]),
        "branch_name": st.sampled_from([None, "a", "b"]),
    }
)
rows = st.fixed_dictionaries(
    {
        "fold_id": st.sampled_from(["0", "1", "2", "10", "avg", "w_avg", "final", "", None]),
        "partition": st.sampled_from(["val", "val", "test", "train"]),
        "val_score": values,
        "test_score": values,
        "n_samples": samples,
        "others": st.tuples(values, values),
    }
)


@st.composite
def tables(draw):
    """Rows of some models of one result by one metric; each has a row that is not of a refit."""
    metric = draw(st.sampled_from(sorted(DIRECTIONS)))
    found = []
    for model in draw(st.lists(models, min_size=1, max_size=3, unique_by=lambda it: tuple(it.items()))):
        own = draw(st.lists(rows, min_size=1, max_size=8))
        own.append({"fold_id": "0", "partition": "val", "val_score": draw(values), "test_score": None})
        own[-1]["others"] = draw(values), None
        found += [{**model, "n_samples": None, "metric": metric, **row} for row in own]
    return metric, draw(st.permutations(found))


def with_others(row, other):
    """A row as it is written: its scores by another metric stand in a text."""
    of_parts = zip(("val", "test"), row["others"], strict=True)
    scores = {part: {other: score} for part, score in of_parts if score is not None}
    return {key: value for key, value in row.items() if key != "others"} | {"scores": json.dumps(scores)}


def scored_by(other, row):
    """A row as if the other metric were its own, which averages do not tell of validation."""
    val, test = row["others"]
    is_held_out = row["fold_id"] not in ("avg", "w_avg", "final")
    return {**row, "metric": other, "val_score": val if is_held_out else None, "test_score": test}


def pooled(metric, scores):
    """What scores of folds, each with its weight, come to."""
    total = math.fsum(weight for _, weight in scores)
    if metric in ("rmse", "rmsecv"):
        mean = math.fsum(weight * score**2 for score, weight in scores) / total
        return math.copysign(math.sqrt(mean), -1 if all(score <= 0 for score, _ in scores) else 1)
    if metric in ("mse", "mae", "accuracy"):
        return math.fsum(weight * score for score, weight in scores) / total
    if metric == "bias":
        return math.fsum(weight * abs(score) for score, weight in scores) / total
    return math.fsum(score for score, _ in scores) / len(scores)


def once(rows, column):
    """Rows without those that say again what another one of their fold says, or say nothing beside it."""
    listed = [(row["fold_id"], repr(row[column]), row["n_samples"]) for row in rows]
    first = [row for number, row in enumerate(rows) if listed.index(listed[number]) == number]
    scored = {row["fold_id"] for row in first if row[column] is not None}
    return [row for row in first if row[column] is not None or row["fold_id"] not in scored]


def of_rows(rows, column):
    """Scores with their weights; a null is NaN."""
    has_weights = all(row["n_samples"] for row in rows)
    return [
        (math.nan if row[column] is None else row[column], row["n_samples"] if has_weights else 1)
        for row in rows
    ]


def one_of(scores):
    distinct = {repr(score): score for score in scores if score is not None}
    return math.fsum(distinct.values()) / len(distinct) if distinct else None


def of_model(metric, rows):
    """The score of one model, by the words of the page on scores."""
    val = [row for row in rows if row["partition"] == "val"]
    test = [row for row in rows if row["partition"] == "test"]
    avg = one_of(row["val_score"] for row in val if row["fold_id"] == "avg")
    finals = [one_of(row["test_score"] for row in part if row["fold_id"] == "final") for part in (test, val)]
    final = next((score for score in finals if score is not None), None)
    on_average = one_of(
        row["test_score"] for row in test if row["fold_id"] == "avg" and row["n_samples"] != 0
    )
    of_test = on_average if final is None else final
    common = {"score_avg": avg, "score_test": of_test, "score_mean": None, "score_std": None, "n_folds": 0}

    def of_folds(scores, basis="folds"):
        plain = [score for score, _ in scores]
        mean = math.fsum(plain) / len(plain) if not any(map(math.isnan, plain)) else math.nan
        squares = sum((score - mean) ** 2 for score in plain)
        std = math.sqrt(squares / (len(plain) - 1)) if len(plain) > 1 else None
        score = math.nan if any(map(math.isnan, plain)) else pooled(metric, scores)
        more = {"score_mean": mean, "score_std": std, "n_folds": len(plain)}
        return {**common, "score": score, "score_basis": basis, **(more if basis == "folds" else {})}

    named = once([row for row in val if row["fold_id"] not in NO_FOLDS], "val_score")
    unnamed = [row for row in val if row["fold_id"] in ("", None)]
    if not named and all(row["val_score"] is None for row in unnamed):
        unnamed = []
    singles = of_rows(named + unnamed, "val_score")
    if named or len(singles) > 1:
        return of_folds(singles)
    if avg is not None:
        return {**common, "score": avg, "score_basis": "avg"}
    if singles:
        return of_folds(singles, "single")
    if of_test is not None:
        return {**common, "score": of_test, "score_basis": "test"}
    tests = [row for row in test if row["fold_id"] not in NO_FOLDS[:3] and row["n_samples"] != 0]
    scores = of_rows(
        once([row for row in tests if row["test_score"] is not None], "test_score"), "test_score"
    )
    return of_folds(scores, "test") if scores else None


def expected(metric, rows):
    """The fields of the best model, and of all models with their scores."""

    def key(row):
        return tuple(row[name] for name in OF_A_MODEL)

    scored = []
    for model, own in itertools.groupby(sorted(rows, key=lambda row: order(key(row))), key=key):
        found = of_model(metric, list(own))
        if found is not None:
            scored.append({**found, "model_name": model[0], "model": model})

    def badness(item):
        score = item["score"]
        if math.isnan(score):
            return (True, False, 0)
        direction = DIRECTIONS[metric]
        return (False, item["score_basis"] == "test", direction * score if direction else abs(score))

    scored.sort(key=lambda item: (badness(item), order(item["model"])))
    return scored


def order(model):
    return tuple((part is not None, part if part is not None else 0) for part in model)


def same(one, other):
    if isinstance(one, float) and isinstance(other, float | int):
        return (math.isnan(one) and math.isnan(other)) or one == pytest.approx(other, rel=1e-9, abs=1e-12)
    return one == other


def check(result, metric, scored, where):
    if not scored:
        assert [result[name] for name in SCORE_FIELDS] == [None] * len(SCORE_FIELDS), where
        return
    best = scored[0]
    # Models that are equally good to the last bits may stand in any order.
    is_close = [same(item["score"], best["score"]) for item in scored]
    if sum(is_close) > 1:
        assert same(result["score"], best["score"]), where
        return
    for name in SCORE_FIELDS:
        assert same(result[name], best[name]), (where, name)
    listed = result["models"] or []
    assert len(listed) == (len(scored) if len(scored) > 1 else 0), where
    for item in scored if listed else ():
        (own,) = [it for it in listed if tuple(it[name] for name in OF_A_MODEL) == item["model"]]
        for name in ("score", "n_folds", "score_basis", "score_test", "score_mean", "score_std", "score_avg"):
            assert same(own[name], item[name]), (where, name)
    assert result["metric"] == metric


@given(tables(), st.integers(1, 3))
@tiers.costly()
@pytest.mark.filterwarnings("ignore:.* rows of one model have validation scores of fold")
def test_any_rows_are_scored_as_plain_python_does(table, parts):
    metric, rows = table
    scored = expected(metric, rows)
    other = "rmse" if metric == "mae" else "mae"
    of_other = [scored_by(other, row) for row in rows]
    is_scored = any(row[name] is not None for row in of_other for name in ("val_score", "test_score"))
    by_other = expected(other, of_other) if is_scored else []
    with tempfile.TemporaryDirectory() as folder:
        ws = n4w.Workspace.create(Path(folder) / "ws")
        run = ws.runs.create("one", templates=[n4w.Template([{"class": "PLS"}])], datasets=["wheat"])
        with run:
            (result,) = run.plan([{"name": "one"}])
            with run.writer("wheat", durability="none") as writer:
                for number, row in enumerate(rows):
                    writer.write({**with_others(row, other), "id": f"{number:03d}", "result_id": result.id})
                    if number % parts == 0:
                        writer.flush()
                check(writer.checkpoint(result), metric, scored, "written")
                check(only(ws), metric, scored, "live")
        check(only(ws), metric, scored, "sealed")
        for _ in range(2):
            listed = [it.to_dict() for it in ws.results.list(metric=other)]
            assert len(listed) == bool(by_other)
            if listed:
                check(listed[0], other, by_other, "by another metric")
        ws.predictions.compact()
        check(only(ws), metric, scored, "compacted")
        copy = Path(folder) / "copy"
        shutil.copytree(ws.path, copy)
        check(only(n4w.Workspace.open(copy)), metric, scored, "copied")
        # As an earlier version left it: without these fields.
        (path,) = copy.glob("runs/*/results.*.jsonl")
        stored = json.loads(path.read_text())
        bare = {name: value for name, value in stored.items() if name not in (*SCORE_FIELDS, "models")}
        path.write_text(json.dumps(bare) + "\n")
        shutil.rmtree(copy / ".cache", ignore_errors=True)
        for _ in range(2):
            check(only(n4w.Workspace.open(copy)), metric, scored, "computed from rows")


def only(ws):
    (result,) = ws.results.list()
    return result.to_dict()
