"""Numbers that rows have in the JSON text `scores`: ranked, sorted, filtered, scanned, and shown parsed."""

import json
import math

import nirs4all_workspace as n4w
import polars as pl
import pytest
from settling import settle

PARTS = ("train", "val", "test")


def text(r2, **others):
    """Return a JSON text as Python writes it, with a number of each partition."""
    return json.dumps(
        {part: {"r2": r2 - at / 8, "bias": r2 - 0.5, **others} for at, part in enumerate(PARTS)}
    )


def rows_of(count, **columns):
    base = {
        "id": [f"{row:04d}" for row in range(count)],
        "dataset_name": ["wheat"] * count,
        "metric": ["rmse"] * count,
        "model_name": [f"m{row % 5}" for row in range(count)],
        "fold_id": [("0", "1", "avg", "w_avg", "final")[row // 3 % 5] for row in range(count)],
        "partition": [PARTS[row % 3] for row in range(count)],
        "val_score": [((row * 37) % 101) / 7 for row in range(count)],
        "test_score": [((row * 53) % 97) / 7 for row in range(count)],
        "train_score": [((row * 41) % 89) / 7 for row in range(count)],
        "scores": [text(((row // 3 * 29) % 83) / 83) for row in range(count)],
    }
    return pl.DataFrame(base | columns)


def workspace_of(folder, *frames, row_group_size=None):
    for number, frame in enumerate(frames):
        frame.write_parquet(folder / f"{number}.meta.parquet", row_group_size=row_group_size)
    return n4w.Workspace.open(folder)


def held_out(row, part, metric):
    """Return what a row has of a metric in a partition, as the documents say; None without a number."""
    try:
        value = json.loads(row["scores"])[part][metric]
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    if isinstance(value, str):
        value = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if part == "val" and row["fold_id"] in ("avg", "w_avg", "final") and row["metric"] != metric:
        return None
    return float(value)


def ordered(rows, value, *, largest_first=False, by_size=False):
    """Return ids: values, then NaN, then nothing; ties by id."""

    def key(row):
        number = value(row)
        if number is None:
            return (2, 0.0, row["id"])
        if math.isnan(number):
            return (1, 0.0, row["id"])
        number = abs(number) if by_size else number
        return (0, -number if largest_first else number, row["id"])

    return [row["id"] for row in sorted(rows, key=key)]


@pytest.fixture
def folder(tmp_path):
    """Return two files, one of which has rows whose own metric is r2."""
    mixed = rows_of(60, id=[f"x{row:03d}" for row in range(60)], metric=["r2", "rmse"] * 30)
    workspace_of(tmp_path, rows_of(90), mixed, row_group_size=32)
    return tmp_path


def all_rows(folder):
    return [row for path in sorted(folder.glob("*.parquet")) for row in pl.read_parquet(path).to_dicts()]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("metric", "descending", "order"),
    [
        ("r2", None, {"largest_first": True}),
        ("r2", False, {}),
        ("bias", None, {"by_size": True}),
        ("bias", True, {"largest_first": True}),
    ],
)
def test_a_page_is_sorted_by_a_number(folder, part, metric, descending, order):
    ws, rows = n4w.Workspace.open(folder), all_rows(folder)
    name = f"scores.{part}.{metric}"
    expected = ordered(rows, lambda row: held_out(row, part, metric), **order)
    values = {row["id"]: held_out(row, part, metric) for row in rows}
    for _ in range(2):  # read, then cached
        page = ws.predictions.page(limit=len(rows), sort_by=name, descending=descending)
        assert [row["id"] for row in page.records] == expected
        assert [row[name] for row in page.records] == [values[id_] for id_ in expected]
        assert page.total == len(rows)
    found, cursor = [], None
    while len(found) < len(rows):
        page = ws.predictions.page(
            limit=17, sort_by=name, descending=descending, cursor=cursor, columns=["id"]
        )
        assert list(page.records[0]) == ["id"]
        found += [row["id"] for row in page.records]
        cursor = page.next_cursor
    assert (found, cursor) == (expected, None)


def test_a_cursor_leads_on_while_files_come(folder):
    ws = n4w.Workspace.open(folder)
    first = ws.predictions.page(limit=20, sort_by="scores.test.r2")
    rows_of(30, id=[f"y{row:03d}" for row in range(30)]).write_parquet(folder / "2.meta.parquet")
    rows = all_rows(folder)
    expected = ordered(rows, lambda row: held_out(row, "test", "r2"), largest_first=True)
    last = expected.index(first.records[-1]["id"])
    second = ws.predictions.page(limit=200, sort_by="scores.test.r2", cursor=first.next_cursor)
    assert [row["id"] for row in second.records] == expected[last + 1 :]


@pytest.mark.parametrize("named", ["val.r2", "scores.val.r2"])
def test_bounds_of_numbers(folder, named):
    ws, rows = n4w.Workspace.open(folder), all_rows(folder)
    low, high = 0.25, 0.75
    fits = [
        row["id"]
        for row in rows
        if (value := held_out(row, "val", "r2")) is not None and low <= value <= high
    ]
    page = ws.predictions.page(
        limit=500, sort_by="id", min_scores={named: low}, max_scores={named: high, "test.bias": None}
    )
    assert [row["id"] for row in page.records] == sorted(fits)
    assert 0 < len(fits) < len(rows)
    both = ws.predictions.page(limit=0, min_scores={named: low, "train.r2": 0.9}, metric="rmse")
    assert both.total == sum(
        row["metric"] == "rmse"
        and (held_out(row, "val", "r2") or 0) >= low
        and held_out(row, "train", "r2") >= 0.9
        for row in rows
    )
    ws.predictions.export(folder / "out.csv", min_scores={named: low}, max_scores={named: high})
    assert sorted(pl.read_csv(folder / "out.csv", infer_schema=False)["id"]) == sorted(fits)


@pytest.mark.parametrize(
    ("score", "part"), [("val_score", "val"), ("test_score", "test"), ("train_score", "train")]
)
@pytest.mark.parametrize("partition", [None, "train"])
def test_top_ranks_rows_of_other_metrics_by_their_scores(folder, score, part, partition):
    ws, rows = n4w.Workspace.open(folder), all_rows(folder)

    def value(row):
        return row[score] if row["metric"] == "r2" else held_out(row, part, "r2")

    candidates = [row for row in rows if row["partition"] == (partition or "val") and value(row) is not None]
    top = ws.predictions.top(500, metric="r2", score=score, distinct=False, partition=partition)
    assert [row["id"] for row in top] == ordered(candidates, value, largest_first=True)
    assert (top.metric, top.direction, top.ranked_by) == ("r2", "maximize", score)
    by_id = {row["id"]: row for row in rows}
    for record in top:
        row = by_id[record["id"]]
        shown = [
            row[f"{name}_score"] if row["metric"] == "r2" else held_out(row, name, "r2") for name in PARTS
        ]
        assert [record[f"{name}_score"] for name in PARTS] == shown
        assert record["n_equal"] == 1
    assert {row["metric"] for row in candidates} == {"r2", "rmse"}


def test_rows_of_no_single_fold_have_no_validation_score_of_other_metrics(folder):
    ws = n4w.Workspace.open(folder)
    folds = {row["id"]: (row["fold_id"], row["metric"]) for row in all_rows(folder)}
    for options in ({"metric": "bias"}, {"metric": "r2"}, {"metric": "bias", "k": 500}):
        shown = [folds[row["id"]] for row in ws.predictions.top(**options)]
        assert shown
        assert not [
            one for one in shown if one[0] in ("avg", "w_avg", "final") and one[1] != options["metric"]
        ]
    page = ws.predictions.page(sort_by="scores.val.bias")
    assert len(page.notes) == 1
    assert "avg" in page.notes[0]
    assert page.to_dict()["notes"] == page.notes
    for options in ({}, {"sort_by": "scores.test.r2"}, {"min_scores": {"train.r2": 0}}):
        assert ws.predictions.page(**options).notes == []
    assert ws.predictions.page(min_scores={"val.r2": 0}).notes != []


def test_test_scores_rank_where_no_row_has_one_of_validation(tmp_path):
    content = rows_of(30, scores=[json.dumps({"test": {"r2": row / 30}}) for row in range(30)])
    top = workspace_of(tmp_path, content).predictions.top(3, metric="r2")
    assert (top.ranked_by, [row["id"] for row in top]) == ("test_score", ["0028", "0025", "0022"])
    assert [row["val_score"] for row in top] == [None] * 3


BAD = [
    None, "", " ", "{", "null", "7", "[1]", '"val"', "NaN", "{'val': {'r2': 1}}", '{"val": 1}',
    '{"val": {"r2": null}}',
    '{"val": {"r2": true}}', '{"val": {"r2": "high"}}', '{"val": {"r2": [1]}}', '{"val": {"r2": {"r2": 1}}}',
    '{"val": {"r2": 1}} x', '{"Val": {"r2": 1}}', '{"val": {"r2": 1}, "x": ' + "[" * 9000 + "]" * 9000 + "}",
]  # fmt: skip
GOOD = {
    '{"val": {"r2": NaN, "rmse": 1}}': math.nan,
    '{"val": {"r2": 0.5, "rmse": NaN}, "test": {"x": -Infinity}}': 0.5,
    '{"val": {"r2": "NaN"}}': math.nan,
    '{"val": {"r2": -Infinity}}': -math.inf,
    '{"val": {"r2": 1}, "val": {"r2": 2, "r2": 3}}': 3.0,
    '{"val": {"r2": 9007199254740993}}': 9007199254740992.0,
    '{"val": {"r2": 123456789012345678901234}}': 1.2345678901234568e23,
    '{"val": {"NaN": NaN, "a\\"b": Infinity, "r2": 0.25}}': 0.25,
    '{"x": "' + "long" * 500_000 + '", "val": {"r2": 0.75}}': 0.75,
}


@pytest.mark.parametrize("row_group_size", [3, None])
def test_one_bad_text_is_one_row_without_a_value(tmp_path, row_group_size):
    texts = [*BAD, *GOOD]
    content = rows_of(len(texts), scores=texts, fold_id=["0"] * len(texts), partition=["val"] * len(texts))
    ws = workspace_of(tmp_path, content, row_group_size=row_group_size)
    ids = content["id"].to_list()
    values = dict(zip(ids, [None] * len(BAD) + list(GOOD.values()), strict=True))
    page = ws.predictions.page(sort_by="scores.val.r2")
    assert page.errors == []
    assert repr([row["scores.val.r2"] for row in page.records]) == repr(
        [values[id_] for id_ in (row["id"] for row in page.records)]
    )
    rows = content.to_dicts()
    assert [row["id"] for row in page.records] == ordered(
        rows, lambda row: values[row["id"]], largest_first=True
    )
    ranked = [id_ for id_ in values if values[id_] is not None and not math.isnan(values[id_])]
    top = ws.predictions.top(100, metric="r2")
    assert [row["id"] for row in top] == sorted(ranked, key=lambda id_: (-values[id_], id_))
    structs = ws.predictions.scan(scores=True).sort("id").collect()["scores"].to_list()
    found = [None if one is None or one["val"] is None else one["val"]["r2"] for one in structs]
    assert repr(found) == repr(list(values.values()))


def test_a_scan_has_scores_as_structs(folder):
    ws = n4w.Workspace.open(folder)
    plain = ws.predictions.scan().sort("id").collect()
    made = ws.predictions.scan(scores=True).sort("id").collect()
    assert made.columns == plain.columns
    assert made.drop("scores").equals(plain.drop("scores"))
    kinds = dict.fromkeys(("bias", "r2"), pl.Float64())
    assert made.schema["scores"] == pl.Struct({part: pl.Struct(kinds) for part in PARTS})
    assert made["scores"].to_list() == [
        {part: {"bias": one[part]["bias"], "r2": one[part]["r2"]} for part in PARTS}
        for one in map(json.loads, plain["scores"])
    ]
    r2 = pl.col("scores").struct.field("test").struct.field("r2")
    wanted = [row["id"] for row in plain.to_dicts() if json.loads(row["scores"])["test"]["r2"] > 0.5]
    frame = ws.predictions.scan(scores=True)
    assert frame.filter(r2 > 0.5).select("id").sort("id").collect()["id"].to_list() == wanted
    assert frame.filter(r2 > 0.5, pl.col("metric") == "r2").select(pl.len()).collect().item() == sum(
        row["metric"] == "r2" and row["id"] in wanted for row in plain.to_dicts()
    )
    assert frame.select("id").head(4).collect().shape == (4, 1)
    assert frame.filter(pl.col("partition") == "val").select("scores").collect().height == 50


def test_a_scan_without_scores(tmp_path):
    frame = workspace_of(tmp_path, rows_of(2).drop("scores")).predictions.scan(scores=True).collect()
    assert frame["scores"].to_list() == [None, None]
    assert n4w.Workspace.create(tmp_path / "new").predictions.scan(scores=True).collect().height == 0


@pytest.mark.parametrize(
    ("arguments", "refusal", "match"),
    [
        ({"sort_by": "scores.val.r3"}, ValueError, r"scores\.val\.r3.*val\.r2"),
        ({"min_scores": {"val.r3": 0}}, ValueError, r"val\.r3.*val\.r2"),
        ({"sort_by": "scores.r2"}, ValueError, "scores.r2"),
        ({"sort_by": "scores.valid.r2"}, ValueError, "valid"),
        ({"min_scores": {"r2": 1}}, ValueError, "r2"),
        ({"min_scores": 0.9}, TypeError, "min_scores"),
        ({"max_scores": {"val.r2": "high"}}, TypeError, "max_scores"),
        ({"max_scores": {1: 1}}, TypeError, "max_scores"),
        ({"min_scores": {"val.\ud800": 1}}, ValueError, "min_scores"),
    ],
)
def test_numbers_that_there_are_not(folder, arguments, refusal, match):
    with pytest.raises(refusal, match=match):
        n4w.Workspace.open(folder).predictions.page(**arguments)


def test_a_metric_without_a_direction_needs_one(tmp_path):
    ws = workspace_of(
        tmp_path, rows_of(9, scores=[text(0.1, house=row) for row in range(9)], fold_id=["0"] * 9)
    )
    with pytest.raises(n4w.UnknownMetricError, match="house"):
        ws.predictions.page(sort_by="scores.val.house")
    with pytest.raises(n4w.UnknownMetricError, match="house"):
        ws.predictions.top(metric="house")
    page = ws.predictions.page(sort_by="scores.val.house", descending=True, limit=2)
    assert [row["scores.val.house"] for row in page.records] == [8.0, 7.0]
    assert ws.predictions.top(1, metric="house", direction="minimize")[0]["val_score"] == 1.0
    with pytest.raises(ValueError, match=r"mae.*there are rmse.*val\.r2"):
        ws.predictions.top(metric="mae")


def test_a_metric_filters_by_the_column(folder):
    ws, rows = n4w.Workspace.open(folder), all_rows(folder)
    assert ws.predictions.page(metric="r2").total == sum(row["metric"] == "r2" for row in rows) == 30
    assert ws.predictions.page(metric="bias").total == 0
    with pytest.raises(ValueError, match="several metrics"):
        ws.predictions.top()


def test_open_segments_and_what_they_become(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "new")
    rows = rows_of(30).to_dicts()
    expected = ordered(rows, lambda row: held_out(row, "val", "r2"), largest_first=True)
    candidates = [row for row in rows if row["partition"] == "val" and held_out(row, "val", "r2") is not None]
    best = ordered(candidates, lambda row: held_out(row, "val", "r2"), largest_first=True)
    with ws.predictions.writer("2026-01-01_a_000000000000", "wheat") as writer:
        for row in rows:
            writer.write(row)
        writer.flush()
        first = ws.predictions.page(limit=10, sort_by="scores.val.r2")
        assert [row["id"] for row in first.records] == expected[:10]
        assert [row["id"] for row in ws.predictions.top(30, metric="r2", distinct=False)] == best
        assert ws.predictions.scan(scores=True).collect()["scores"].struct.field("val").null_count() == 0
    rest = ws.predictions.page(limit=50, sort_by="scores.val.r2", cursor=first.next_cursor)
    assert [row["id"] for row in rest.records] == expected[10:]
    assert [row["id"] for row in ws.predictions.top(30, metric="r2", distinct=False)] == best


def test_answers_do_not_depend_on_the_cache(folder):
    rows = all_rows(folder)
    settle(folder)
    fresh = n4w.Workspace.open(folder)
    answer = fresh.predictions.page(sort_by="scores.val.r2", min_scores={"test.r2": 0.1})
    for path in (folder / ".cache").glob("scores-*.bin"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert fresh.predictions.page(sort_by="scores.val.r2", min_scores={"test.r2": 0.1}) == answer
    changed = pl.read_parquet(folder / "0.meta.parquet").with_columns(pl.lit(text(0.99)).alias("scores"))
    changed.write_parquet(folder / "0.meta.parquet")
    rows = all_rows(folder)
    page = fresh.predictions.page(limit=500, sort_by="scores.test.r2")
    assert [row["id"] for row in page.records] == ordered(
        rows, lambda row: held_out(row, "test", "r2"), largest_first=True
    )


def test_records_have_json_parsed(tmp_path):
    texts = ['{"alpha": [1, NaN]}', "[1, 2]", "{", "12", "null", "x", '{"a": "\\ud800"}', None]
    wanted = [{"alpha": [1, math.nan]}, [1, 2], "{", "12", "null", "x", '{"a": "\\ud800"}', None]
    content = rows_of(8, best_params=texts, metadata=texts, preprocessings=texts, mine=texts)
    ws = workspace_of(tmp_path, content)
    names = ["scores", "best_params", "metadata", "preprocessings", "mine"]
    page = ws.predictions.page(sort_by="id", columns=names)
    for at, record in enumerate(page.records):
        row = ws.predictions.get(f"{at:04d}")
        expected = [json.loads(content["scores"][at]), wanted[at], wanted[at], texts[at], texts[at]]
        assert repr([record[name] for name in names]) == repr(expected)
        assert repr([row[name] for name in names]) == repr(expected)
    assert page.to_dict()["records"][0]["metadata"] == {"alpha": [1, "NaN"]}
    ws.predictions.export(tmp_path / "out.csv", sort_by="id", columns=["metadata"])
    assert pl.read_csv(tmp_path / "out.csv", infer_schema=False)["metadata"].to_list()[:3] == texts[:3]
