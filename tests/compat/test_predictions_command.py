"""`n4w predictions`: pages and whole lists, as Python answers."""

import json
import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
from commands import LINE, n4w_process
from commands import n4w as command
from samples import strict, table, write


def n4w_command(*arguments, code=0):
    run = command(*arguments)
    assert run.returncode == code, run.stderr
    return run.stdout


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


def test_names_are_shown_as_they_are(tmp_path):
    write(tmp_path / "a.meta.parquet", table(3, model_name=["PLS:smile:1", "[red]PLS[/red]", ":x:"]))
    shown = n4w_command("predictions", tmp_path)
    for name in ("PLS:smile:1", "[red]PLS[/red]", ":x:"):
        assert name in shown


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
    run = n4w_process("predictions", ws.path, "--csv", "-", "--columns", "id", "--sort-by", "id")
    assert (run.returncode, run.stderr) == (0, "")
    ids = sorted(row["id"] for row in ws.predictions.page(limit=1000).records)
    assert run.stdout.splitlines() == ["id", *ids]


def test_many_pieces(ws, tmp_path, monkeypatch):
    monkeypatch.setattr("nirs4all_workspace.predictions.export.EXPORT_ROWS", 7)
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


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_first_rows_on_stdout(ws, kind, monkeypatch, tmp_path):
    arguments = ["predictions", ws.path, f"--{kind}", "-", "--limit", "7"]
    run = n4w_process(*arguments, check=True, text=False, cwd=tmp_path)
    read = pl.read_csv if kind == "csv" else pl.read_parquet
    assert read(run.stdout)["id"].to_list() == [row["id"] for row in ws.predictions.page(limit=7).records]
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]
    assert ws.predictions.export(tmp_path / "none", kind, limit=0) == []
    assert read(tmp_path / "none").shape == (0, 13)
    monkeypatch.setattr("nirs4all_workspace.predictions.export.EXPORT_ROWS", 3)
    ws.predictions.export(tmp_path / "seven", kind, limit=7)
    assert len(read(tmp_path / "seven")) == 7
    with pytest.raises(ValueError, match=r"limit.*-1"):
        ws.predictions.export(tmp_path / "less", kind, limit=-1)


def test_nested_values_are_strict_json_in_csv(tmp_path):
    nested = [[1.5, float("nan")], None, []]
    deep = [{"a": 1, "b": ["x"]}, {"a": None, "b": None}, None]
    write(tmp_path / "a.meta.parquet", table(3, nested=nested, deep=deep, blob=[b"x"] * 3))
    found = n4w.Workspace.open(tmp_path).predictions
    columns = ["id", "nested", "deep"]
    found.export(tmp_path / "out.csv", "csv", "id", columns=columns)
    frame = pl.read_csv(tmp_path / "out.csv")
    assert [value and strict(value) for value in frame["nested"]] == [[1.5, "NaN"], None, []]
    assert [value and strict(value) for value in frame["deep"]] == deep
    found.export(tmp_path / "out.parquet", "parquet", "id", columns=columns)
    assert pl.read_parquet(tmp_path / "out.parquet")["deep"].to_list() == deep
    with pytest.raises(ValueError, match=r"columns blob\b"):
        found.export(tmp_path / "bytes.csv", "csv", columns=["id", "blob"])
    assert not (tmp_path / "bytes.csv").exists()


@pytest.mark.parametrize("value", [Decimal("1.5"), timedelta(1), b"x"])
def test_nested_values_without_json_are_named_before_anything_is_written(tmp_path, value):
    write(tmp_path / "a.meta.parquet", table(3, lists=[[value]] * 3, deep=[{"a": [value]}] * 3))
    found = n4w.Workspace.open(tmp_path).predictions
    with pytest.raises(ValueError, match=r"columns lists, deep\b"):
        found.export(tmp_path / "out.csv", "csv", columns=["id", "lists", "deep"])
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("how", ["--csv", "--parquet", "--json", None])
def test_a_reader_that_goes_is_no_error_to_speak_of(tmp_path, how):
    """As in `n4w predictions --csv - | head -1`; the list is longer than what a pipe holds."""
    write(tmp_path / "a.meta.parquet", table(40_000))
    line = [*LINE, "predictions", tmp_path]
    line += ["--limit", "2000"] if how in ("--json", None) else []
    line += [how] if how == "--json" else [how, "-"] if how else []
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.read(1)
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1


def test_what_is_wrong_with_a_target_names_it(ws, tmp_path):
    for target in (tmp_path / "no" / "out.csv", ws.path):
        with pytest.raises(OSError) as caught:  # noqa: PT011 -- which one it is does not matter
            ws.predictions.export(target, "csv")
        assert caught.value.filename == str(target)
    arguments = ["predictions", ws.path, "--limit", "5"]
    n4w_command(*arguments, "--csv", "a", "--parquet", "b", code=2)
    n4w_command(*arguments, "--csv", "/dev/null")
    assert Path("/dev/null").is_char_device()
    assert [path.name for path in ws.path.iterdir() if "n4w" in path.name] == []
