"""`n4w predictions`: pages and whole lists, as Python answers."""

import json
import subprocess
import sys

import nirs4all_workspace as n4w
import polars as pl
import pytest
from samples import strict, table, write


def n4w_command(*arguments, code=0):
    run = subprocess.run(
        [sys.executable, "-m", "nirs4all_workspace.cli", *map(str, arguments)], capture_output=True
    )
    assert run.returncode == code, run.stderr.decode()
    return run.stdout.decode()


@pytest.fixture
def ws(tmp_path):
    write(tmp_path / "ws" / "a.meta.parquet", table(300, seed=1, dataset="a", mine=['x,"y"\n'] * 300))
    return n4w.Workspace.open(tmp_path / "ws")


def test_json_is_what_python_answers(ws):
    options = [
        "--limit",
        3,
        "--sort-by",
        "test_score",
        "--descending",
        "--model",
        "model_1",
        "--max-val-score",
        0.8,
    ]
    shown = strict(n4w_command("predictions", ws.path, "--json", *options))
    page = ws.predictions.page(0, 3, "test_score", True, model="model_1", max_val_score=0.8)
    assert shown == json.loads(json.dumps(page.to_dict()))
    following = strict(
        n4w_command("predictions", ws.path, "--json", *options, "--cursor", shown["next_cursor"])
    )
    assert following["offset"] == 3


def test_a_table_for_people(ws):
    shown = n4w_command("predictions", ws.path, "--limit", 2, "--columns", "id,val_score")
    page = ws.predictions.page(limit=2)
    assert "0 to 2 of 300" in shown
    assert all(row["id"] in shown for row in page.records)
    assert page.next_cursor in shown


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_whole_list(ws, tmp_path, kind):
    target = tmp_path / f"out.{kind}"
    target.write_text("what was there before")
    columns = "id,val_score,mine"
    n4w_command("predictions", ws.path, f"--{kind}", target, "--columns", columns, "--partition", "val")
    frame = pl.read_csv(target) if kind == "csv" else pl.read_parquet(target)
    page = ws.predictions.page(limit=1000, columns=columns.split(","), partition="val")
    assert frame.to_dicts() == page.records
    assert frame["val_score"].is_sorted()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_csv_on_stdout(ws):
    shown = n4w_command("predictions", ws.path, "--csv", "-", "--columns", "id", "--sort-by", "id")
    assert shown.splitlines() == ["id", *sorted(row["id"] for row in ws.predictions.page(limit=1000).records)]


def test_many_pieces(ws, tmp_path, monkeypatch):
    monkeypatch.setattr("nirs4all_workspace.pages.EXPORT_ROWS", 7)
    for kind in ("csv", "parquet"):
        assert ws.predictions.export(tmp_path / "out", kind, columns=["id"]) == []
        frame = pl.read_csv(tmp_path / "out") if kind == "csv" else pl.read_parquet(tmp_path / "out")
        assert frame.to_dicts() == ws.predictions.page(limit=1000, columns=["id"]).records


def test_a_failed_export_leaves_what_was_there(ws, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("before")
    with pytest.raises(ValueError, match="colour"):
        ws.predictions.export(target, "csv", columns=["colour"])
    with pytest.raises(ValueError, match="kind"):
        ws.predictions.export(target, "xlsx")
    assert target.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2


def test_usage_and_problems(ws, tmp_path):
    n4w_command("predictions", ws.path, "--csv", tmp_path / "x", "--json", code=2)
    n4w_command("predictions", ws.path, "--limit", -1, code=2)
    n4w_command("predictions", ws.path, "--sort-by", "colour", code=2)
    (ws.path / "bad.meta.parquet").write_bytes(b"bad")
    assert (
        strict(n4w_command("predictions", ws.path, "--json", code=1))["errors"][0]["path"]
        == "bad.meta.parquet"
    )
    n4w_command("predictions", ws.path, "--csv", tmp_path / "x", code=1)
    assert len((tmp_path / "x").read_text().splitlines()) > 300


def test_top_takes_the_same_filters(ws):
    shown = strict(n4w_command("top", ws.path, "--json", "--fold", "0", "--min-val-score", 0.3))
    assert shown["records"] == list(ws.predictions.top(fold="0", min_val_score=0.3))
