"""What the name of an exported file says, and what compaction says of segments that it passes over."""

import csv
import datetime as dt
import decimal
import os

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import n4w as command
from path_lab import LONG_AGO
from samples import strict


@pytest.fixture
def ws(tmp_path):
    """Two segments of one run, sealed just now."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("r", datasets=["wheat"])
    with run:
        for name in "ab":
            with run.writer("wheat") as writer:
                writer.write({"id": name, "val_score": 0.5, "metric": "rmse"})
    return ws


@pytest.mark.parametrize("name", ["best.csv", "Best.CSV", "a.parquet.csv"])
def test_a_name_in_csv_is_csv(ws, tmp_path, name):
    ws.predictions.export(tmp_path / name, columns=["id"])
    assert pl.read_csv((tmp_path / name).read_bytes())["id"].sort().to_list() == ["a", "b"]


@pytest.mark.parametrize("name", ["best.parquet", "best", "best.v2", "csv"])
def test_others_are_parquet(ws, tmp_path, name):
    ws.predictions.export(tmp_path / name, columns=["id"])
    assert sorted(pq.read_table(tmp_path / name)["id"].to_pylist()) == ["a", "b"]


@pytest.mark.parametrize("name", ["best.json", "best.csv.gz", "best.TXT", "best.xlsx"])
def test_a_name_of_another_format_is_refused_unless_the_kind_is_said(ws, tmp_path, name):
    with pytest.raises(ValueError, match="kind="):
        ws.predictions.export(tmp_path / name)
    assert not (tmp_path / name).exists()
    ws.predictions.export(tmp_path / name, "csv", columns=["id"])
    assert pl.read_csv((tmp_path / name).read_bytes()).height == 2


def test_a_file_called_like_stdout_is_written(ws, tmp_path, monkeypatch, capsysbinary):
    monkeypatch.chdir(tmp_path)
    ws.predictions.export("./-", "csv", columns=["id"])
    assert (tmp_path / "-").read_bytes().startswith(b"id\n")
    assert capsysbinary.readouterr().out == b""


def test_a_link_is_followed(ws, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).symlink_to(folder / name)
    (folder / "old.csv").write_text("what was there")
    for name in ("old.csv", "new.csv"):
        ws.predictions.export(tmp_path / name, columns=["id"])
        assert (tmp_path / name).is_symlink()
        assert sorted(pl.read_csv((folder / name).read_bytes())["id"]) == ["a", "b"]


def test_a_link_to_an_open_descriptor_is_written(ws, tmp_path):
    read, write = os.pipe()
    link = tmp_path / "stdout"
    link.symlink_to(f"/dev/fd/{write}")
    ws.predictions.export(link, "csv", columns=["id"])
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert sorted(pl.read_csv(pipe.read())["id"]) == ["a", "b"]
    assert link.is_symlink()


def test_compaction_says_which_segments_are_too_young(ws):
    folder = next((ws.path / "predictions").iterdir())
    young = sorted(f"predictions/{folder.name}/{path.name}" for path in folder.glob("*.meta.parquet"))
    done = ws.predictions.compact()
    assert done["compacted"] == []
    assert [skipped["path"] for skipped in done["skipped"]] == young
    assert all(skipped["reason"] for skipped in done["skipped"])
    code, out, _ = command("compact", str(ws.path), "--json")
    assert (code, strict(out)) == (0, done)
    _, out, _ = command("compact", str(ws.path))
    assert [path for path in young if path in out] == young
    for path in folder.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    done = ws.predictions.compact()
    assert ([sorted(one["inputs"]) for one in done["compacted"]], done["skipped"]) == ([young], [])


def test_one_segment_is_not_passed_over(tmp_path):
    """There is nothing to merge it with."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("r", datasets=["wheat"])
    with run, run.writer("wheat") as writer:
        writer.write({"id": "a", "val_score": 0.5, "metric": "rmse"})
    assert ws.predictions.compact() == {"compacted": [], "skipped": [], "errors": []}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.decimal128(5, 2), decimal.Decimal("1.5")),
        (pa.duration("us"), dt.timedelta(1)),
        (pa.binary(), b"x"),
        (pa.list_(pa.binary()), [b"x"]),
    ],
)
def test_maps_that_csv_has_no_place_for(tmp_path, kind, value):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("r", datasets=["wheat"])
    maps = {
        "good": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        "odd": pa.array([[("k", value)]], pa.map_(pa.string(), kind)),
    }
    with run, run.writer("wheat") as writer:
        writer.write_batch(pa.table({"id": ["a"], **maps}))
    with pytest.raises(ValueError, match="odd"):
        ws.predictions.export(tmp_path / "a.csv", columns=["id", "good", "odd"])
    assert not (tmp_path / "a.csv").exists()
    ws.predictions.export(tmp_path / "b.csv", columns=["id", "good"])
    assert list(csv.reader((tmp_path / "b.csv").read_text().splitlines())) == [
        ["id", "good"],
        ["a", '{"k": 1}'],
    ]
