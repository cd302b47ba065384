"""Lists of results: filters, orders and pages, against the same by plain Python on what was written."""

import json
import math
import random

import nirs4all_workspace as n4w
import pytest
from hypothesis import given
from hypothesis import strategies as st

STEPS = [["SNV", "PLS"], ["MSC", "PLS"]]


def result(number, run, **fields):
    """A finished result as sealing writes it."""
    return {
        "id": f"res_{number:016x}",
        "run_id": run.id,
        "template_id": run.templates[number % 2]["id"],
        "config_name": f"config_{number % 7}",
        "dataset_id": "wheat" if number % 3 else "corn",
        "dataset_name": "wheat" if number % 3 else "corn",
        "status": "failed" if number % 11 == 10 else "done",
        "metric": ("rmse", "r2", "bias", "mystery", None)[number % 5],
        "score": (None, "NaN", -0.25, 0.5, 0.25, "Infinity", 1)[number % 7],
        "score_basis": "folds",
        "model_name": f"model_{number % 4}",
        # What the luckiest row has chooses and orders nothing.
        "best_score": number,
        "best_model": f"model_{number % 5}",
        "completed_at": f"2026-11-24T10:00:{number % 60:02d}+00:00",
        "artifacts": [],
    } | fields


def lay(run, results, writer="000000000001"):
    lines = "".join(json.dumps(item) + "\n" for item in results)
    (run.path / f"results.{writer}.jsonl").write_text(lines, encoding="utf-8")


def new_run(ws, name):
    templates = [n4w.Template(STEPS[0], name="first"), n4w.Template(STEPS[1], name="second")]
    return ws.runs.create(name, templates=templates, datasets=["wheat", "corn"])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A workspace of two runs with 70 results each, and these results."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("many") / "ws")
    runs = [new_run(ws, "one"), new_run(ws, "two")]
    laid = []
    for place, run in enumerate(runs):
        own = [result(number, run) for number in range(100 * place, 100 * place + 70)]
        lay(run, own[:40], "000000000001")
        lay(run, own[40:], "000000000002")
        laid += own
    return ws, runs, laid


def score(item):
    value = item["score"]
    value = float(value) if value is not None else None
    return None if value is None or math.isnan(value) else value


BETTER = {"rmse": lambda x: x, "r2": lambda x: -x, "bias": abs, "mystery": lambda _: 0, None: lambda _: 0}


def best_first(items):
    """By dataset, then metric, none last; the best first, failed ones and those without a score last."""

    def key(item):
        dataset, metric = item["dataset_name"], item["metric"]
        is_unranked = score(item) is None or item["status"] == "failed"
        standing = (2, 0) if is_unranked else (item["score_basis"] == "test", BETTER[metric](score(item)))
        return (dataset, metric is None, metric or "", standing, item["id"])

    return sorted(items, key=key)


def ids(listed):
    return [item["id"] if isinstance(item, dict) else item.id for item in listed]


def test_the_best_come_first_and_datasets_and_metrics_do_not_mix(many):
    ws, _, laid = many
    listed = ws.results.list()
    assert ids(listed) == ids(best_first(laid))
    assert (listed.total, listed.offset, listed.limit, listed.has_more, listed.errors) == (
        140,
        0,
        None,
        False,
        [],
    )


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "run": st.sampled_from(["one", "two", 0, 1, "nobody"]),
        "template": st.sampled_from(["first", "second", 0, 1, "tpl_0000000000000000"]),
        "dataset": st.sampled_from(["wheat", "corn", "barley"]),
        "model": st.sampled_from(["model_0", "model_3", "none"]),
        "metric": st.sampled_from(["rmse", "r2", "bias", "mystery"]),
        "status": st.sampled_from(["done", "failed"]),
        "min_score": st.sampled_from([-1.0, -0.25, 0.25, 0.3, math.inf]),
        "max_score": st.sampled_from([-0.25, 0.0, 0.5, 1.0, math.inf]),
        "offset": st.integers(0, 150),
        "limit": st.integers(0, 60),
    },
)


@given(filters=FILTERS)
def test_any_filter_and_page_is_what_plain_python_finds(many, filters):
    ws, runs, laid = many
    templates = [reference["id"] for reference in runs[0].templates]
    named = {"one": runs[0].id, "two": runs[1].id, "first": templates[0], "second": templates[1]}
    asked = dict(filters)
    if isinstance(asked.get("run"), int):
        asked["run"] = runs[asked["run"]].id
    if isinstance(asked.get("template"), int):
        asked["template"] = templates[asked["template"]]
    equal = {
        "run": ("run_id", named.get(asked.get("run"), asked.get("run"))),
        "template": ("template_id", named.get(asked.get("template"), asked.get("template"))),
        "dataset": ("dataset_name", asked.get("dataset")),
        "model": ("model_name", asked.get("model")),
        "metric": ("metric", asked.get("metric")),
        "status": ("status", asked.get("status")),
    }
    expected = best_first(laid)
    for key, (column, value) in equal.items():
        expected = [item for item in expected if key not in asked or item[column] == value]
    if "min_score" in asked:
        expected = [it for it in expected if score(it) is not None and score(it) >= asked["min_score"]]
    if "max_score" in asked:
        expected = [it for it in expected if score(it) is not None and score(it) <= asked["max_score"]]
    start = asked.get("offset", 0)
    stop = None if "limit" not in asked else start + asked["limit"]
    if asked.get("run") == "nobody":
        with pytest.raises(n4w.NotFoundError, match="there is no run 'nobody'"):
            ws.results.list(**asked)
        return
    listed = ws.results.list(**asked)
    assert ids(listed) == ids(expected[start:stop])
    assert listed.total == len(expected)
    assert listed.has_more == (stop is not None and stop < len(expected))


@pytest.mark.parametrize("descending", [None, False, True])
@pytest.mark.parametrize(
    "field",
    [
        "config_name",
        "completed_at",
        "model_name",
        "best_score",
        "best_model",
        "n_rows",
        "metric",
        "artifacts",
    ],
)
def test_any_field_sorts_and_ties_go_by_id(many, field, descending):
    ws, _, laid = many
    there = sorted((it for it in laid if it.get(field) is not None), key=lambda it: it["id"])
    there.sort(key=lambda it: it[field], reverse=bool(descending))
    none = sorted(it["id"] for it in laid if it.get(field) is None)
    assert ids(ws.results.list(sort_by=field, descending=descending)) == ids(there) + none


@pytest.mark.parametrize("descending", [False, True])
def test_plain_order_of_scores_knows_no_metric(many, descending):
    ws, _, laid = many
    for metric in ("bias", None):
        of = [it for it in laid if metric in (None, it["metric"])]
        there = sorted((it for it in of if score(it) is not None), key=lambda it: it["id"])
        there.sort(key=score, reverse=descending)
        none = sorted(it["id"] for it in of if score(it) is None)
        listed = ws.results.list(metric=metric, sort_by="score", descending=descending)
        assert ids(listed) == ids(there) + none


@pytest.mark.parametrize(
    "arguments",
    [
        {"sort_by": "colour"},
        {"status": "idle"},
        {"offset": -1},
        {"limit": -1},
        {"offset": 2**65},
        {"limit": 2**64},
    ],
)
def test_what_makes_no_sense_is_refused(many, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        many[0].results.list(**arguments)


def test_one_result(many):
    ws, runs, laid = many
    assert ws.results.get(laid[77]["id"]).run_id == runs[1].id
    with pytest.raises(n4w.NotFoundError, match="res_none"):
        ws.results.get("res_none")


def test_a_list_is_plain_data(many):
    ws, _, laid = many
    answer = json.loads(json.dumps(ws.results.list(metric="rmse", status="done", limit=2).to_dict()))
    assert list(answer) == ["results", "total", "offset", "limit", "has_more", "errors"]
    assert answer["total"] == sum(it["metric"] == "rmse" and it["status"] == "done" for it in laid)
    assert (answer["limit"], answer["has_more"], len(answer["results"])) == (2, True, 2)


def test_results_that_are_still_in_a_journal_count(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("live", templates=[STEPS[0]], datasets=["wheat"])
    with run:
        todo = run.plan([{"name": "a"}, {"name": "b"}])
        with run.writer("wheat") as writer:
            for number, planned in enumerate(todo):
                writer.write(
                    {"id": planned.id, "metric": "rmse", "val_score": 1.0 - number, "result_id": planned.id}
                )
                writer.checkpoint(planned)
            assert ids(ws.results.list()) == [todo[1].id, todo[0].id]
        assert ids(ws.results.list()) == [todo[1].id, todo[0].id]
    assert ws.results.get(todo[0].id).best_score == 1.0


def test_damage_is_one_flagged_item(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    good, torn, lost = (new_run(ws, name) for name in ("good", "torn", "lost"))
    lay(good, [result(2, good)])
    lay(torn, [result(9, torn)])
    with (torn.path / "results.000000000001.jsonl").open("a") as file:
        file.write('{"id": 3}\n{"torn')
    (lost.path / "run.yaml").write_text("status: [", encoding="utf-8")
    listed = ws.results.list()
    # Of corn and of wheat.
    assert ids(listed) == ["res_0000000000000009", "res_0000000000000002"]
    assert [error["path"] for error in listed.errors] == [
        f"runs/{lost.id}/run.yaml",
        *[f"runs/{torn.id}/results.000000000001.jsonl"] * 2,
    ]
    asked = ws.results.list(run=lost.id)
    assert (list(asked), [error["path"] for error in asked.errors]) == ([], [f"runs/{lost.id}/run.yaml"])


def test_scores_are_what_was_written_to_the_last_bit(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = new_run(ws, "one")
    numbers = random.Random(1)
    scores = [368.79294574193716, *(numbers.random() * 1000 for _ in range(2000))]
    lay(run, [result(number, run, score=score) for number, score in enumerate(scores)])
    wanted = {result(number, run)["id"]: score for number, score in enumerate(scores)}
    for results in (run.results(), ws.results.list(limit=None)):
        assert {found.id: found.score for found in results} == wanted
