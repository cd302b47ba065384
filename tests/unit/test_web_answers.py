"""The API answers what the Python API and the files say, and errors are problems that lead on."""

import csv
import io
import json
import math
import os
import shutil
import sys
import time
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")
pytest.importorskip("httpx2", reason="httpx2 is missing: pip install httpx2")

import nirs4all_workspace as n4w
import polars as pl
import serving
from fastapi import APIRouter, FastAPI
from nirs4all_workspace.web import create_app, create_router
from nirs4all_workspace.web.served import Folders
from samples import strict, table, write
from starlette.testclient import TestClient

LONG_AGO = 1_700_000_000


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    return serving.make(tmp_path_factory.mktemp("answers") / "w")


@pytest.fixture(scope="module")
def app(ws):
    return create_app([ws.path])


@pytest.fixture(scope="module")
def guest(app):
    return serving.client(app)


@pytest.fixture(scope="module")
def at(app):
    return serving.place(app)


@pytest.fixture
def writable(ws, tmp_path):
    """A copy of the workspace that may be written: it, a client, and its path."""
    shutil.copytree(ws.path, tmp_path / "w")
    app = create_app([tmp_path / "w"], write=True)
    return n4w.Workspace.open(tmp_path / "w"), serving.client(app), serving.place(app)


def plain(value):
    """As strict JSON has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else value


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = strict(answer.text)
    assert found["status"] == status
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {}),
        (
            "?limit=5&offset=3&sort_by=test_score&sort_order=desc",
            {"limit": 5, "offset": 3, "sort_by": "test_score", "descending": True},
        ),
        ("?model=PLS 1&partition=val", {"model": "PLS 1", "partition": "val"}),
        (
            "?min_val_score=1.2&max_val_score=2.1&run=second",
            {"min_val_score": 1.2, "max_val_score": 2.1, "run": "second"},
        ),
        (
            "?dataset=wheat&sort_by=scores.val.r2&min_scores=val.r2:0.5",
            {"dataset": "wheat", "sort_by": "scores.val.r2", "min_scores": {"val.r2": 0.5}},
        ),
        ("?columns=id&columns=fold_id&sort_by=id", {"columns": ["id", "fold_id"], "sort_by": "id"}),
        ("?dataset=none", {"dataset": "none"}),
    ],
)
def test_pages_are_those_of_the_python_api(ws, guest, at, query, arguments):
    answer = guest.get(f"{at}/predictions/data{query}")
    assert answer.status_code == 200
    found, expected = strict(answer.text), ws.predictions.page(**arguments)
    assert found["records"] == plain(expected.records)
    assert (found["total"], found["has_more"]) == (expected.total, expected.has_more)


def test_cursors_lead_through_all_rows(ws, guest, at):
    seen, query = [], f"{at}/predictions/data?limit=7"
    cursor = ""
    while cursor is not None:
        page = guest.get(f"{query}&cursor={cursor}" if cursor else query).json()
        seen += [(row["run_id"], row["id"]) for row in page["records"]]
        cursor = page["next_cursor"]
    rows = ws.predictions.scan().select("run_id", "id").collect()
    assert sorted(seen) == sorted(rows.iter_rows())


@pytest.mark.parametrize(
    "query",
    [
        *(
            "limit=1001",
            "limit=-1",
            "offset=-1",
            "offset=1e9",
            "limit=x",
            "sort_order=up",
            "min_val_score=nan",
        ),
        *("unknown=1", "cursor=x", "sort_by=nothing", "min_scores=r2", "model=%00"),
    ],
)
def test_wrong_parameters_are_named(guest, at, query):
    answer = guest.get(f"{at}/predictions/data?{query}")
    assert answer.status_code in (400, 422)
    found = problem(answer, answer.status_code)
    name = query.partition("=")[0]
    assert name in found["detail"] or query.partition("=")[2] in found["detail"]


def test_a_row_has_all_columns_and_arrays(ws, guest, at):
    id_ = ws.predictions.page(limit=1, run="first").records[0]["id"]
    found = strict(guest.get(f"{at}/predictions/{id_}").text)
    assert found == plain(ws.predictions.get(id_, arrays=True))
    assert found["y_true"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("id_", serving.ODD_IDS)
def test_ids_are_percent_encoded(guest, at, id_):
    assert guest.get(f"{at}/predictions/{quote(id_, safe='')}").json()["id"] == id_
    found = guest.get(f"{at}/predictions/{quote(id_, safe='')}/scatter").json()
    assert (found["id"], found["y_true"], found["y_pred"]) == (id_, [1.0], [2.0])


def test_an_id_of_several_runs_is_a_conflict_that_lists_them(ws, guest, at):
    found = problem(guest.get(f"{at}/predictions/same"), 409)
    runs = {ws.runs.get(name).id for name in ("first", "second")}
    assert {row["run_id"] for row in found["errors"]} == runs
    for run in (*runs, "first"):
        assert guest.get(f"{at}/predictions/same", params={"run": run}).status_code == 200


def test_rows_side_by_side(ws, guest, at):
    runs = [ws.runs.get(name).id for name in ("first", "second")]
    answer = guest.get(f"{at}/predictions/compare", params={"id": [f"{run}:same" for run in runs]})
    assert [row["run_id"] for row in answer.json()["predictions"]] == runs
    problem(guest.get(f"{at}/predictions/compare", params={"id": [f"{runs[0]}:none"]}), 404)
    problem(guest.get(f"{at}/predictions/compare", params={"id": ["x:y"] * 21}), 422)
    problem(guest.get(f"{at}/predictions/compare"), 422)


def test_exports_are_all_rows(ws, guest, at):
    expected = ws.predictions.scan().collect()
    parquet = pl.read_parquet(
        guest.get(f"{at}/predictions/export?format=parquet&columns=id&columns=run_id").content
    )
    assert sorted(parquet.iter_rows()) == sorted(expected.select("id", "run_id").iter_rows())
    answer = guest.get(f"{at}/predictions/export?columns=id&columns=model_name&columns=test_score")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(expected)
    risky = [row for row in rows if "HYPERLINK" in row["model_name"]]
    assert {row["model_name"] for row in risky} == {"'=HYPERLINK(1)"}
    assert "'=1+1" in {row["id"] for row in rows}
    assert not any(cell.startswith(("=", "@", "+")) for row in rows for cell in row.values())
    problem(guest.get(f"{at}/predictions/export?format=exe"), 422)
    problem(guest.get(f"{at}/predictions/export?run=none"), 404)


def test_negative_numbers_stay_numbers(tmp_path):
    write(
        tmp_path / "old" / "wheat.meta.parquet",
        table(3, val_score=[-1.5, -math.inf, 2.0], model_name=["-", "+x", "@y"]),
    )
    app = create_app([tmp_path / "old"])
    text = (
        serving.client(app)
        .get(f"{serving.place(app)}/predictions/export?columns=val_score&columns=model_name")
        .text
    )
    cells = {tuple(row.values()) for row in csv.DictReader(io.StringIO(text))}
    assert {one[1] for one in cells} == {"'-", "'+x", "'@y"}
    assert {float(one[0]) for one in cells} == {-1.5, -math.inf, 2.0}


def test_runs_results_templates_datasets_and_artifacts(ws, guest, at):
    def get(path):
        return strict(guest.get(at + path).text)

    first = ws.runs.get("first")
    assert [run["id"] for run in get("/runs")["runs"]] == [run.id for run in ws.runs.list()]
    assert [run["name"] for run in get("/runs?tag=second")["runs"]] == ["second"]
    assert [run["name"] for run in get("/runs?status=queued")["runs"]] == ["waits"]
    assert get("/runs/first")["id"] == get(f"/runs/{first.id}")["id"] == first.id
    assert get("/runs/first/results")["results"] == plain(
        [it.to_dict() for it in ws.results.list(run="first")]
    )
    assert get("/runs/first/errors")["results"] == []
    assert get("/runs/first/lineage") == plain(ws.lineage(first.id).to_dict())
    listed = get("/results?run=second&limit=1")
    assert listed["results"] == plain([ws.results.list(run="second")[0].to_dict()])
    assert (listed["total"], listed["has_more"]) == (2, True)
    result = listed["results"][0]["id"]
    assert get(f"/results/{result}")["id"] == result
    assert {row["id"] for row in get(f"/results/{result}/predictions?limit=1000")["records"]} == {
        row["id"] for row in ws.predictions.page(limit=1_000, result=result).records
    }
    template = ws.templates.list()[0]
    assert {it["id"] for it in get("/templates")["templates"]} == set(ws.templates.list())
    assert get(f"/templates/{template}")["steps"] == ws.templates.get(template).steps
    assert [run["id"] for run in get(f"/templates/{template}/runs")["runs"]] == ws.templates.runs_using(
        template
    )
    assert get("/datasets")["datasets"][0]["name"] == get("/datasets/wheat")["name"] == "wheat"
    assert get("/datasets/wheat/resolve")["path"] == str(ws.path / "data" / "wheat")
    artifact = next(it.artifacts[0] for it in ws.results.list(run="first") if it.artifacts)
    answer = guest.get(f"{at}/artifacts/{artifact}")
    assert (answer.content, answer.headers["content-type"]) == (b"a model", "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert get("/stats")["workspace"]["predictions"]["total"] == len(ws.predictions.scan().collect())
    assert get("/predictions/summary")["total_predictions"] == len(ws.predictions.scan().collect())
    health = get("/health")
    assert (health["problems"], health["interrupted"], health["is_writable"]) == ([], [], False)


@pytest.mark.parametrize(
    ("path", "name", "arguments"),
    [
        ("histogram?bins=7&model=PLS 1", "score_histogram", {"bins": 7, "model": "PLS 1"}),
        ("heat-map?columns=fold_id", "score_heat_map", {"columns": "fold_id"}),
        ("boxes?by=result_id&run=first", "score_boxes", {"by": "result_id", "run": "first"}),
        ("parity?dataset=wheat&max_points=5", "parity", {"dataset": "wheat", "max_points": 5}),
        ("residuals?partition=test&bins=3", "residuals", {"partition": "test", "bins": 3}),
        ("history?run=second", "run_history", {"run": "second"}),
    ],
)
def test_charts_are_those_of_the_python_api(ws, guest, at, path, name, arguments):
    assert strict(guest.get(f"{at}/charts/{path}").text) == plain(getattr(ws.charts, name)(**arguments))


@pytest.mark.parametrize(
    "path",
    [
        *("/runs/none", "/runs/none/results", "/results/none", "/templates/tpl_0", "/datasets/none"),
        *("/artifacts/none", "/predictions/none", "/predictions/none/scatter"),
        *("/predictions/summary?dataset=none", "/predictions/data?run=none"),
    ],
)
def test_what_is_not_there(guest, at, path):
    problem(guest.get(at + path), 404)


@pytest.mark.parametrize(
    "inner",
    [
        *("../../etc/passwd", "..%2f..%2fworkspace.yaml", "..", "%2e%2e", "/etc/passwd", "..\\..\\x"),
        *("a/../../b", "%00", "x" * 5_000),
    ],
)
def test_no_path_leads_out_of_the_workspace(ws, guest, at, inner):
    given = inner if inner.startswith(("..%", "%")) else quote(inner, safe="")
    for path in ("runs", "results", "templates", "datasets", "artifacts", "predictions"):
        answer = guest.get(f"{at}/{path}/{given}")
        assert answer.status_code in (400, 404, 422), path
        assert "format_version" not in answer.text
        assert str(ws.path) not in answer.text
    assert guest.get(f"/api/v1/workspaces/{given}/runs").status_code in (404, 422)


def test_what_did_not_change_is_not_told_again(ws, tmp_path):
    shutil.copytree(ws.path, tmp_path / "w")
    for path in [tmp_path / "w", *(tmp_path / "w").rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))
    time.sleep(2.1)  # files whose inode changed lately may change again within a tick of the clock
    app = create_app([tmp_path / "w"], write=True)
    guest, at = serving.client(app), serving.place(app)
    paths = ("/predictions/data?limit=3", "/predictions/summary", "/results", "/templates", "/stats")
    tags = {path: guest.get(at + path).headers["etag"] for path in paths}
    assert len(set(tags.values())) == len(paths)
    for path, tag in tags.items():
        again = guest.get(at + path, headers={"If-None-Match": f'W/"x", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert guest.get(at + path, headers={"If-None-Match": '"other"'}).status_code == 200
    guest.patch(f"{at}/runs/first", json={"notes": "changed"})
    for path, tag in tags.items():
        assert guest.get(at + path, headers={"If-None-Match": tag}).status_code == 200
    assert "etag" not in guest.get(f"{at}/runs").headers


def test_large_answers_are_compressed(guest, at):
    answer = guest.get(f"{at}/predictions/data?limit=100", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_a_damaged_file_is_one_flagged_thing(writable):
    ws, guest, at = writable
    for journal in (ws.path / "predictions").rglob("*.journal"):
        journal.unlink()  # which its segment covers
    segment = sorted((ws.path / "predictions").rglob("*.parquet"))[0]
    segment.write_bytes(segment.read_bytes()[:200])
    found = guest.get(f"{at}/predictions/data?limit=1000").json()
    assert [error["path"] for error in found["errors"]] == [str(segment.relative_to(ws.path))]
    assert found["total"] > 0
    assert guest.get(f"{at}/health").json()["problems"]
    (ws.path / "workspace.yaml").write_text("format_version: [")
    problem(guest.get(f"{at}/runs"), 422)
    entry = guest.get("/api/v1/workspaces").json()["workspaces"][0]
    assert entry["error"]["kind"] == "corrupt"


def test_a_workspace_that_vanishes_and_comes_back(writable, tmp_path):
    ws, guest, at = writable
    ws.path.rename(tmp_path / "elsewhere")
    for path in ("/runs", "/predictions/data", "/stats", "/health", "/events"):
        problem(guest.get(at + path), 404)
    assert guest.get("/api/v1/workspaces").json()["workspaces"][0]["error"]["kind"] == "not_found"
    (tmp_path / "elsewhere").rename(ws.path)
    assert guest.get(f"{at}/runs").status_code == 200


def test_a_folder_of_nirs4all_06(tmp_path):
    write(tmp_path / "old" / "wheat.meta.parquet", table(30))
    app = create_app([tmp_path / "old"], write=True)
    guest, at = serving.client(app), serving.place(app)
    assert guest.get(f"{at}/predictions/data").json()["total"] == 30
    entry = guest.get("/api/v1/workspaces").json()["workspaces"][0]
    assert (entry["format_version"], entry["is_writable"]) == (1, False)
    problem(guest.post(f"{at}/templates", json={"steps": ["SNV"]}), 409)


def test_what_cannot_be_served_is_refused_at_the_start(tmp_path, ws):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.sqlite").write_bytes(b"")
    with pytest.raises(n4w.SchemaError, match="n4w import"):
        create_app([tmp_path / "store"])
    with pytest.raises(n4w.NotFoundError):
        create_app([tmp_path / "none"])
    for given in ([], [ws.path, ws.path]):
        with pytest.raises(ValueError, match=r"folder|twice"):
            create_app(given)


def test_keys_are_stored_ids_unless_two_folders_have_one(ws, tmp_path):
    shutil.copytree(ws.path, tmp_path / "My Copy")
    write(tmp_path / "old" / "wheat.meta.parquet", table(3))
    keys = [served.key for served in Folders([ws.path, tmp_path / "My Copy", tmp_path / "old"]).all]
    assert len(set(keys)) == 3
    assert keys[1].startswith("my_copy-")
    assert [served.key for served in Folders([ws.path]).all] == [ws.manifest["workspace_id"]]
    assert keys == [served.key for served in Folders([ws.path, tmp_path / "My Copy", tmp_path / "old"]).all]


def test_runs_are_edited_moved_and_deleted(writable):
    ws, guest, at = writable
    answer = guest.patch(f"{at}/runs/first", json={"notes": "n", "tags": ["a", "b"]})
    run = n4w.Workspace.open(ws.path).runs.get("first")
    assert (answer.status_code, run.notes, run.tags, run.description) == (200, "n", ["a", "b"], None)
    guest.patch(f"{at}/runs/first", json={"notes": None, "tags": None})
    assert (ws.runs.get("first").notes, ws.runs.get("first").tags) == (None, [])
    assert guest.post(f"{at}/runs/waits/cancel", json={"reason": "late"}).json()["status"] == "cancelled"
    assert ws.runs.get("waits").history[-1]["reason"] == "late"
    found = problem(guest.post(f"{at}/runs/waits/resume", json={}), 409)
    assert "cancelled" in found["detail"]
    id_ = ws.runs.get("second").id
    assert guest.request("DELETE", f"{at}/runs/{id_}", json={}).json()["run_id"] == id_
    problem(guest.get(f"{at}/runs/{id_}"), 404)
    assert guest.get(f"{at}/predictions/data?limit=0").json()["total"] == 24 + len(serving.ODD_IDS) + 1


def test_templates_are_stored_and_make_no_other_class(writable):
    ws, guest, at = writable
    id_ = guest.post(f"{at}/templates", json={"steps": ["SNV", {"n": 2}]}).json()["id"]
    assert ws.templates.get(id_).steps == ["SNV", {"n": 2}]
    for step in ({"class": "os.system", "params": {}}, "subprocess.Popen", {"model": "builtins.eval"}):
        for path in ("/templates", "/templates/preview"):
            answer = guest.post(at + path, json={"steps": [step]})
            assert answer.status_code in (400, 501), step
            problem(answer, answer.status_code)
    assert len(ws.templates.list()) == len(set(ws.templates.list()))


def test_datasets_are_relocated_below_folders_of_data_alone(writable, tmp_path):
    ws, guest, at = writable
    inside = ws.path / "data" / "moved"
    (ws.path / "data" / "wheat").rename(inside)
    (tmp_path / "outside").mkdir()
    (ws.path / "data" / "link").symlink_to(tmp_path / "outside")
    refused = {
        problem(guest.post(f"{at}/datasets/wheat/relocate", json={"path": path}), 403)["detail"]
        for path in ("/etc", "/none", str(tmp_path / "outside"), "data/moved", str(ws.path / "data" / "link"),
                     f"{inside}/../../../outside")
    }  # fmt: skip
    assert len(refused) == 1, "what exists is not told"
    answer = guest.post(f"{at}/datasets/wheat/relocate", json={"path": str(inside)})
    assert (answer.status_code, answer.json()["status"]) == (200, "valid")
    assert guest.get(f"{at}/datasets/wheat/resolve").json()["path"] == str(inside)
    elsewhere = create_app([ws.path], write=True, data_roots=[tmp_path / "outside"])
    answer = serving.client(elsewhere).post(
        f"{serving.place(elsewhere)}/datasets/wheat/relocate", json={"path": str(inside)}
    )
    problem(answer, 403)


def test_another_app_mounts_the_router_below_its_own_prefix(ws):
    """With a lifespan, a prefix and an authentication of its own, and without ours."""
    begun = []

    async def lifespan(_):
        begun.append("begun")
        yield
        begun.append("ended")

    from contextlib import asynccontextmanager

    host = FastAPI(lifespan=asynccontextmanager(lifespan))
    folders = Folders([ws.path])
    below = APIRouter(prefix="/lab")
    below.include_router(create_router(folders, served=lambda: folders.all), prefix="/n4w")
    host.include_router(below)
    with TestClient(host, base_url="http://any.example") as guest:
        (entry,) = guest.get("/lab/n4w/workspaces").json()["workspaces"]
        found = guest.get(f"/lab/n4w/workspaces/{entry['id']}/predictions/data?limit=2")
        assert len(found.json()["records"]) == 2
        problem(guest.get("/lab/n4w/workspaces/none/runs"), 404)
        problem(guest.get(f"/lab/n4w/workspaces/{entry['id']}/results?limit=x"), 422)
        problem(guest.patch(f"/lab/n4w/workspaces/{entry['id']}/runs/first", json={"notes": "n"}), 403)
        assert guest.get("/openapi.json").status_code == 200
        assert begun == ["begun"]
    assert begun == ["begun", "ended"]


def test_without_nirs4all_a_preview_says_what_to_install(guest, at, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "nirs4all"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "nirs4all", None)
    answer = guest.post(f"{at}/templates/preview", json={"steps": ["SNV"]})
    assert "nirs4all-workspace[nirs4all]" in problem(answer, 501)["detail"]


def test_json_is_strict_and_floats_without_a_number_are_texts(guest, at):
    records = strict(guest.get(f"{at}/predictions/data?limit=1000").text)["records"]
    assert any(row["val_score"] == "NaN" for row in records)


def test_the_committed_description_is_that_of_the_app(app):
    docs = json.loads((serving.Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
    assert docs == json.loads(json.dumps(app.openapi()))
