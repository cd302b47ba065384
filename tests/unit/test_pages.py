"""`page`: its errors, its shape, its cursors, and what it does with files that are damaged or odd."""

import base64
import datetime as dt
import json
import shutil

import nirs4all_workspace as n4w
import oracle
import polars as pl
import pyarrow as pa
import pytest
from paging import LIST, ordered
from samples import frame_of, strict, table, write


@pytest.fixture
def ws(tmp_path):
    write(tmp_path / "a.meta.parquet", table(seed=1, dataset="a"))
    write(tmp_path / "b.meta.parquet", table(seed=2, dataset="b", metric="r2"))
    return n4w.Workspace.open(tmp_path)


def expected(ws, sort_by="val_score", descending=None):
    frames = []
    for path in sorted(ws.path.glob("*.meta.parquet")):
        stem = path.name.removesuffix(".meta.parquet")
        frames.append(
            oracle.normal(frame_of(path)).with_columns(stem=pl.lit(stem), row=pl.int_range(pl.len()))
        )
    return ordered(pl.concat(frames, how="diagonal_relaxed"), sort_by, descending).select(LIST).to_dicts()


def test_metrics_never_mix(ws):
    page = ws.predictions.page(limit=200)
    assert page.records == expected(ws)
    assert [row["metric"] for row in page.records] == ["r2"] * 60 + ["rmse"] * 60
    scores = [row["val_score"] for row in page.records]
    assert scores[:60] == sorted(scores[:60], reverse=True)
    assert scores[60:] == sorted(scores[60:])


def test_the_shape_of_to_dict(ws):
    page = ws.predictions.page(1, 2)
    assert page.to_dict() == {
        "records": page.records,
        "total": 120,
        "limit": 2,
        "offset": 1,
        "has_more": True,
        "next_cursor": page.next_cursor,
        "errors": [],
        "notes": [],
    }
    with pytest.raises(AttributeError):
        page.total = 3


def test_strict_json(tmp_path):
    scores = pa.array([float("nan"), float("inf"), None, -float("inf")])
    times = pa.array([dt.datetime(2026, 1, 2, tzinfo=dt.UTC)] * 4, pa.timestamp("us", "UTC"))
    write(
        tmp_path / "a.meta.parquet",
        table(4, val_score=scores, created_at=times, n_samples=pa.array([2**60] * 4)),
    )
    page = n4w.Workspace.open(tmp_path).predictions.page(columns=["val_score", "created_at", "n_samples"])
    assert [repr(row["val_score"]) for row in page.records] == ["-inf", "inf", "nan", "None"]
    assert page.records[0]["created_at"] == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    shown = strict(json.dumps(page.to_dict(), allow_nan=False))["records"]
    assert [row["val_score"] for row in shown] == ["-Infinity", "Infinity", "NaN", None]
    assert shown[0]["created_at"] == "2026-01-02T00:00:00+00:00"
    assert shown[0]["n_samples"] == 2**60


def test_pages_at_the_ends(ws):
    empty = ws.predictions.page(1000, 5)
    assert (empty.records, empty.total, empty.has_more, empty.next_cursor) == ([], 120, False, None)
    none = ws.predictions.page(3, 0)
    assert (none.records, none.total, none.has_more, none.next_cursor) == ([], 120, False, None)
    last = ws.predictions.page(115, 5)
    assert (len(last.records), last.has_more, last.next_cursor) == (5, False, None)
    first = ws.predictions.page(limit=5)
    held = ws.predictions.page(limit=0, cursor=first.next_cursor)
    assert (held.records, held.offset, held.has_more, held.next_cursor) == ([], 5, False, None)
    assert len(ws.predictions.page(0, 2**63 - 1).records) == 120
    assert ws.predictions.page(2**63 - 1, 2**63 - 1).records == []


def test_a_folder_without_rows(tmp_path):
    for number in range(2):
        page = n4w.Workspace.open(tmp_path).predictions.page()
        assert (page.records, page.total, page.next_cursor, page.errors) == ([], 0, None, [])
        write(tmp_path / f"{number}.meta.parquet", table(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"offset": -1}, "offset.*-1"),
        ({"limit": -5}, "limit.*-5"),
        ({"offset": 2**65}, "offset.*36893488147419103232"),
        ({"limit": 2**64}, "limit.*18446744073709551616"),
        ({"sort_by": "colour"}, r"(?s)colour.*val_score.*created_at"),
        ({"columns": ["id", "colour"]}, r"(?s)colour.*val_score.*created_at"),
        ({"columns": ["id", "id"]}, "columns.*id, id"),
        ({"columns": "id"}, "columns.*'id'"),
        ({"colour": "red"}, "unknown filter 'colour'; known are dataset"),
        ({"min_id": 1}, "min_id"),
        *[({name: "x"}, name) for name in ("run_id", "dataset_name", "runs", "members")],
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "ü"}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b"[99]").decode().rstrip("=")}, "version"),
        ({"cursor": base64.urlsafe_b64encode(b"{}").decode().rstrip("=")}, "cursor"),
    ],
)
def test_arguments_that_make_no_sense(ws, arguments, message):
    with pytest.raises(ValueError, match=message):
        ws.predictions.page(**arguments)


@pytest.mark.parametrize("value", [["model_1"], {"model_1"}, 1.5, True, b"model_1"])
@pytest.mark.parametrize("name", ["model", "run", "result", "dataset"])
def test_what_a_column_must_equal_is_one_text(ws, name, value):
    for ask in (ws.predictions.page, ws.predictions.top):
        with pytest.raises(TypeError):
            ask(**{name: value})


def test_a_fold_may_be_a_number(ws):
    rows = pl.concat([frame_of(path) for path in ws.path.glob("*.meta.parquet")])
    assert ws.predictions.page(fold=1).total == rows.filter(pl.col("fold_id") == "1").height > 0


def test_runs_by_name(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    ids = {}
    for number, name in enumerate(("spring", "spring", "autumn")):
        run = ws.runs.create(name, templates=[["PLS"]], datasets=["wheat"])
        with run, run.writer("wheat") as writer:
            for row in range(number + 2):
                writer.write(
                    {"id": f"{number}-{row}", "metric": "rmse", "partition": "val", "val_score": 1.0}
                )
        ids[run.id] = {f"{number}-{row}" for row in range(number + 2)}
    first, second, third = ids
    for run, members in ((first, [first]), ("spring", [first, second]), ("autumn", [third])):
        wanted = set().union(*(ids[member] for member in members))
        assert {row["id"] for row in ws.predictions.page(run=run).records} == wanted
        assert {row["id"] for row in ws.predictions.top(50, run=run, distinct=False)} == wanted
        assert ws.predictions.page(limit=0, run=run).total == len(wanted)
    assert ws.predictions.get("1-1", run_id="spring")["run_id"] == second
    for ask in (ws.predictions.page, ws.predictions.top, ws.results.list):
        for unknown in ("winter", f"x{third}", f"{third}x", "..", ""):
            with pytest.raises(n4w.NotFoundError, match="there is no run"):
                ask(run=unknown)


def test_bounds_are_part_of_what_is_asked_for(ws):
    scores = frame_of(ws.path / "a.meta.parquet")["val_score"]
    page = ws.predictions.page(limit=200, dataset="a", min_val_score=scores.max())
    assert [row["val_score"] for row in page.records] == [scores.max()]
    page = ws.predictions.page(limit=200, dataset="a", max_val_score=scores.min())
    assert [row["val_score"] for row in page.records] == [scores.min()]


def test_files_of_other_runs_are_not_opened(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    runs = [ws.runs.create("spring"), ws.runs.create("autumn")]
    for run in runs:
        for part in range(3):
            with ws.predictions.writer(run.id, "wheat") as writer:
                writer.write({"id": f"{run.name}-{part}"})
    for path in ws.path.glob("predictions/*/*.journal"):
        path.unlink()
    own, other = runs
    merged = next(ws.path.glob(f"predictions/*/{own.id}.*.meta.parquet"))
    merged.rename(merged.with_name(f"{own.id}.c0123456789ab.meta.parquet"))
    for path in ws.path.glob(f"predictions/*/{other.id}.*.meta.parquet"):
        path.write_bytes(path.read_bytes()[:-1])
    for run in (own.id, own.name):
        page = ws.predictions.page(run=run)
        assert {row["id"] for row in page.records} == {"spring-0", "spring-1", "spring-2"}
        assert page.errors == []
    assert own.summary()["counts"]["rows"] == 3
    assert ws.predictions.page(run=other.id).errors
    assert ws.predictions.page().errors


def test_statistics_of_texts_that_contradict_themselves_rule_nothing_out(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("spring")
    path = ws.path / "predictions" / "wheat" / "foreign.meta.parquet"
    other = "~" * len(run.id)
    path.parent.mkdir(parents=True)
    write(path, table(2, run_id=pa.array([run.id, other])))
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    low, high = run.id.encode(), other.encode()
    footer = content[start:].replace(low, b"?" * len(low)).replace(high, low).replace(b"?" * len(low), high)
    assert footer != content[start:]
    path.write_bytes(content[:start] + footer)
    assert [row["run_id"] for row in ws.predictions.page(run="spring").records] == [run.id]


def test_a_cursor_belongs_to_its_query(ws):
    cursor = ws.predictions.page(limit=5, model="model_1").next_cursor
    assert ws.predictions.page(limit=3, cursor=cursor, columns=["id"], model="model_1").offset == 5
    for other in (
        {},
        {"model": "model_2"},
        {"model": "model_1", "sort_by": "id"},
        {"model": "model_1", "descending": True},
    ):
        with pytest.raises(ValueError, match="another query"):
            ws.predictions.page(cursor=cursor, **other)
    with pytest.raises(ValueError, match="another query"):
        ws.predictions.page(cursor=cursor, model="model_1", live=False)
    with pytest.raises(ValueError, match="offset"):
        ws.predictions.page(3, cursor=cursor, model="model_1")


def test_a_cursor_outlives_what_its_run_is_found_by(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")

    def add(*ids):
        run = ws.runs.create("spring")
        with ws.predictions.writer(run.id, "wheat") as writer:
            for id_ in ids:
                writer.write({"id": id_})

    add("b", "d", "f")
    first = ws.predictions.page(limit=2, sort_by="id", run="spring")
    add("a", "c", "e", "g")
    rest = ws.predictions.page(limit=9, sort_by="id", run="spring", cursor=first.next_cursor)
    assert [row["id"] for row in first.records + rest.records] == ["b", "d", "e", "f", "g"]
    assert rest.total == 7
    with pytest.raises(ValueError, match="another query"):
        ws.predictions.page(run=ws.runs.list()[0].id, sort_by="id", cursor=first.next_cursor)


def test_a_cursor_outlives_its_row_and_its_file(ws):
    wanted = ws.predictions.page(limit=200, sort_by="id").records
    page = ws.predictions.page(limit=50, sort_by="id")
    (ws.path / "b.meta.parquet").unlink()
    rest = ws.predictions.page(limit=200, sort_by="id", cursor=page.next_cursor)
    assert rest.records == [row for row in wanted[50:] if row["dataset_name"] == "a"]
    assert rest.total == 60


def test_extra_columns(tmp_path):
    write(tmp_path / "a.meta.parquet", table(5, mine=[3, 1, 2, 5, 4], lists=[[1], [], [2, 3], [4], [5]]))
    write(tmp_path / "b.meta.parquet", table(3, seed=1, mine=[0.5, 2.5, None], flag=[True, False, None]))
    predictions = n4w.Workspace.open(tmp_path).predictions
    page = predictions.page(sort_by="mine", columns=["mine", "lists"])
    assert [row["mine"] for row in page.records] == [0.5, 1, 2, 2.5, 3, 4, 5, None]
    assert [row["lists"] for row in page.records] == [None, [], [2, 3], None, [1], [5], [4], None]
    flags = predictions.page(sort_by="flag", descending=True, columns=["flag"]).records
    assert [row["flag"] for row in flags] == [True, False, *[None] * 6]
    with pytest.raises(ValueError, match="lists"):
        predictions.page(sort_by="lists")


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("ms"), pa.timestamp("ns", "UTC")])
def test_days_and_times_order(tmp_path, kind):
    days = [
        None if row % 7 == 3 else dt.datetime(2026, 1, 1) + dt.timedelta(row * 37 % 60) for row in range(60)
    ]
    content = table(seed=1, harvested=pa.array(days).cast(kind))
    write(tmp_path / "a.meta.parquet", content)
    predictions = n4w.Workspace.open(tmp_path).predictions
    for descending in (False, True):
        wanted = pl.from_arrow(content).sort(
            "harvested", "id", descending=[descending, False], nulls_last=True
        )
        page = predictions.page(0, 60, "harvested", descending, columns=["id", "harvested"])
        assert [row["id"] for row in page.records] == wanted["id"].to_list()
        assert [row["harvested"] for row in page.records] == wanted["harvested"].to_list()
        first = predictions.page(0, 25, "harvested", descending, columns=["id"])
        rest = predictions.page(0, 60, "harvested", descending, first.next_cursor, ["id"])
        assert [row["id"] for row in rest.records] == wanted["id"].to_list()[25:]


def test_broken_files_are_listed_beside_the_page(ws):
    wanted = ws.predictions.page(limit=200)
    (ws.path / "bad.meta.parquet").write_bytes(b"bad")
    (ws.path / "gone.meta.parquet").symlink_to(ws.path / "nowhere")
    write(ws.path / "text.meta.parquet", table(val_score=["x"] * 60))
    for sort_by in ("val_score", "id"):
        page = ws.predictions.page(limit=200, sort_by=sort_by)
        assert sorted(error["path"] for error in page.errors) == [
            "bad.meta.parquet",
            "gone.meta.parquet",
            "text.meta.parquet",
        ]
        assert page.total == 120
    assert ws.predictions.page(limit=200).records == wanted.records


def test_a_file_that_is_replaced_is_read_again(ws):
    before = ws.predictions.page(limit=200)
    write(ws.path / "a.meta.parquet", table(seed=3, dataset="a"))
    after = ws.predictions.page(limit=200)
    assert after.records == expected(ws) != before.records
    shutil.copy(ws.path / "a.meta.parquet", ws.path / "c.meta.parquet")
    (ws.path / "a.meta.parquet").unlink()
    assert ws.predictions.page(limit=200).records == expected(ws)


def test_garbage_and_no_cache_change_nothing(ws):
    ws.predictions.rebuild_summaries()
    ws.summary()
    wanted = ws.predictions.page(limit=200, model="model_1")
    for file in (ws.path / ".cache").iterdir():
        file.write_bytes(b"garbage")
    assert ws.predictions.page(limit=200, model="model_1") == wanted
    shutil.rmtree(ws.path / ".cache")
    assert ws.predictions.page(limit=200, model="model_1") == wanted


def test_a_registered_metric_ranks(tmp_path):
    write(tmp_path / "a.meta.parquet", table(metric="house_of_pages"))
    predictions = n4w.Workspace.open(tmp_path).predictions
    ids = [row["id"] for row in predictions.page().records]
    assert ids == sorted(ids)
    n4w.register_metric("house_of_pages", "maximize")
    scores = [row["val_score"] for row in predictions.page().records]
    assert scores == sorted(scores, reverse=True)


def test_a_session_of_old_files_is_a_run(shared_workspace_runs):
    ws, run = shared_workspace_runs
    members = {(one["dataset"], one["pipeline_id"]) for one in run.manifests}
    rows = ws.predictions.scan().collect()
    wanted = {row["id"] for row in rows.to_dicts() if (row["dataset_name"], row["config_name"]) in members}
    page = ws.predictions.page(limit=1000, run=run.id)
    assert {row["id"] for row in page.records} == wanted
    assert page.total == len(wanted) < rows.height
    # What the file has stays null.
    assert {row["run_id"] for row in page.records} == {run.id}
    assert rows["run_id"].null_count() == rows.height
    for result in run.results():
        page = ws.predictions.page(limit=1000, result=result.id)
        assert page.total == result.n_rows
        assert {row["dataset_name"] for row in page.records} == {result.dataset_name}
        assert {row["config_name"][5:] for row in page.records} == {result.config_name}
    best = ws.predictions.top(1, metric="mse", run=run.id)[0]
    assert best["id"] in wanted
    with pytest.raises(n4w.NotFoundError, match="no run '2026-01-01_Nothing_000000000000'"):
        ws.predictions.page(run="2026-01-01_Nothing_000000000000")


@pytest.fixture
def shared_workspace_runs(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    return ws, ws.runs.list()[0]
