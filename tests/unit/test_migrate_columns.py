"""Columns of any name and type, and times in any form, after a migration."""

import json
import math
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from migrating import kinds, manifest, migrate
from migrations import Old, rows_of_source, rows_of_target


@pytest.fixture
def old(tmp_path):
    return Old(tmp_path / "old")


def columns_of(old):
    return set(next(iter(old.rows.values()))[0])


def test_values_of_every_kind_and_columns_of_its_own(old, tmp_path):
    config = old.config("wheat", "Sweep")
    scores = [None, math.nan, math.inf, -math.inf, -0.0, 1e-308, 0.1]
    for number, score in enumerate(scores):
        more = {"mine": number, "flag": number % 2 == 0, "list": [1.5, None][: number % 3], "text": "é\n\0"}
        old.row("wheat", config, val_score=score, test_score=score, branch_name="", best_params="{}", **more)
    old.array("wheat", "array_of_all", [math.nan, math.inf, -math.inf, 5e-324], [2, 2])
    old.array("wheat", "array_empty", [], [0])
    old.rows["wheat"][0] |= {"y_true_id": "array_of_all", "y_proba_id": "array_empty"}
    old.write({"mine": pl.Int16})
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new, columns_of(old)) == rows_of_source(old.root)
    ws = n4w.Workspace.open(new)
    assert ws.predictions.get("0000000000000000", arrays=True)["y_true"].shape == (2, 2)
    assert ws.predictions.get("0000000000000000", arrays=True)["y_proba"].shape == (0,)
    assert ws.predictions.scan().collect_schema()["mine"] == pl.Int16
    assert kinds(report) == []


def test_columns_that_no_segment_holds_are_kept_as_text(old, tmp_path):
    config = old.config("wheat", "Sweep")
    for words in (["a", None, "é"], [], None):
        old.row("wheat", config, words=words, raw=b"\0\xff", pair={"one": "a", "two": 2})
    old.write()
    report, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    assert rows["words"].to_list() == ['["a", null, "\\u00e9"]', "[]", None]
    assert rows["raw"].to_list() == ["AP8="] * 3
    assert json.loads(rows["pair"][0]) == {"one": "a", "two": 2}
    assert kinds(report) == ["type"] * 3


def test_columns_of_other_types(old, tmp_path):
    config = old.config("wheat", "Sweep")
    for number in range(4):
        more = {"fold_id": number, "n_samples": number + 0.5 * (number == 3), "branch_id": f"left {number}"}
        old.row(
            "wheat", config, **more, run_id=f"mine {number}", created_at=f"2025-12-0{number + 1}T00:00:00Z"
        )
    old.write()
    report, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    assert rows["fold_id"].to_list() == ["0", "1", "2", "3"]
    assert rows["n_samples"].to_list() == [0, 1, 2, None]
    assert rows["source_n_samples"].to_list() == [None, None, None, "3.5"]
    assert rows["branch_id"].to_list() == [None] * 4
    assert rows["source_branch_id"].to_list() == [f"left {number}" for number in range(4)]
    assert rows["source_run_id"].to_list() == [f"mine {number}" for number in range(4)]
    assert [time.isoformat() for time in rows["created_at"]] == [
        f"2025-12-0{number + 1}T00:00:00+00:00" for number in range(4)
    ]
    assert kinds(report) == ["renamed", "type", "type"]


TAKEN = [
    "run_id",
    "result_id",
    "template_id",
    "source_run_id",
    "source_source_run_id",
    "source_id",
    "n4w:row",
]
OWN = ["_row", "_group", "_unit", "_result", "_template", "_dataset", "_config", "_created", "rows", "first"]
ODD = ["*", "^.*$", "a.b", "ID", "source_file", "run", "hash", "row", "é\n", "n4w:mine", "source_"]


def test_columns_arrive_under_their_names_or_a_documented_one(old, tmp_path):
    """Those that mean something in a workspace, and what lies beside them, have `source_` before them."""
    names = [*TAKEN, *OWN, *ODD]
    config = old.config("wheat", "Sweep")
    for number in range(3):
        old.row("wheat", config, **{name: f"{name} {number}" for name in names}, n_samples=f"{number} or so")
    old.rows["wheat"][1]["id"] = old.rows["wheat"][0]["id"]
    old.write()
    report, new = migrate(old, tmp_path)
    (path,) = new.glob("predictions/*/*.meta.parquet")
    rows = pl.read_parquet(path).sort("y_pred_id")
    before = pl.read_parquet(old.root / "wheat.meta.parquet")
    texts = {name: rows[f"source_{name}" if name in TAKEN else name].sort().to_list() for name in names}
    assert texts == {name: before[name].to_list() for name in names}
    assert sorted(rows["source_n_samples"]) == ["0 or so", "1 or so", "2 or so"]
    assert rows["source_id"].drop_nulls().to_list() == ["0000000000000000"]
    assert set(rows["run_id"]) == {report["runs"][0]["id"]}
    extra = set(rows.columns) - set(names) - {f"source_{name}" for name in TAKEN}
    assert extra == {name for name, _ in n4w._native.row_schema()} - {*TAKEN} | {"source_n_samples"}
    assert kinds(report) == ["new_ids", *["renamed"] * len(TAKEN), "type"]


def test_times_that_cannot_be_read_are_kept_and_counted(old, tmp_path):
    config = old.config("wheat", "Sweep", minute=90)
    times = ["2025-12-01T10:00:00Z", "2025-12-01T10:00:00+02:00", "2025-12-01 10:00:00.5", "yesterday", None]
    for time in [*times, "tomorrow"]:
        old.row("wheat", config, created_at=time)
    old.write()
    report, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    of_config = "2026-01-01T01:30:00+00:00"
    assert [time.isoformat() for time in rows["created_at"]] == [
        "2025-12-01T10:00:00+00:00",
        "2025-12-01T08:00:00+00:00",
        "2025-12-01T10:00:00.500000+00:00",
        *[of_config] * 3,
    ]
    assert rows["source_created_at"].to_list() == [None, None, None, "yesterday", None, "tomorrow"]
    (note,) = report["notes"]
    assert (note["kind"], note["path"]) == ("type", "wheat.meta.parquet")
    assert note["message"].startswith("2 values of column created_at ")
    assert "source_created_at" in note["message"]


@pytest.mark.parametrize(
    ("times", "kind", "kept"),
    [
        ([date(2025, 12, 1)], pl.Date, None),
        ([1_764_547_200], pl.Int64, "1764547200"),
        ([1.5], pl.Float64, "1.5"),
        ([datetime(2025, 12, 1)], pl.Datetime("ns"), None),
        ([["2025"]], pl.List(pl.String), '["2025"]'),
    ],
    ids=str,
)
def test_times_of_other_types(old, tmp_path, times, kind, kept):
    """A number does not tell whether it counts seconds, days or since when."""
    old.row("wheat", old.config("wheat", "Sweep"), created_at=times[0])
    old.write({"created_at": kind})
    report, new = migrate(old, tmp_path)
    (row,) = n4w.Workspace.open(new).predictions.scan().collect().to_dicts()
    assert row["created_at"].isoformat()[:10] == ("2025-12-01" if kept is None else "2026-01-01")
    assert row.get("source_created_at") == kept
    assert kinds(report) == ([] if kept is None else ["type"])


VALUES = {
    "list": [1, 2],
    "list of bytes": [b"\xff"],
    "array": [1.5, 2.0],
    "struct": {"a": 1, "b": "x"},
    "bytes": b"\0\xff",
    "bool": True,
    "date": date(2025, 12, 1),
    "duration": timedelta(seconds=5),
    "nan": math.nan,
    "infinity": -math.inf,
    "decimal": Decimal("1.25"),
    "big": 2**63,
    "text": "text",
    "null": None,
}


@pytest.mark.parametrize("name", VALUES)
def test_any_type_in_any_column(old, tmp_path, name):
    value = VALUES[name]
    columns = [column for column, _ in n4w._native.row_schema() if column not in ("id", "dataset_name")]
    config = old.config("wheat", "Sweep")
    kind = {"big": pl.UInt64, "null": pl.Null, "array": pl.Array(pl.Float64, 2)}.get(name)
    for _ in range(2):
        old.row("wheat", config, **dict.fromkeys(columns, value), own=value)
    old.write(kind and dict.fromkeys([*columns, "own"], kind))
    _, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().collect()
    assert rows.height == 2
    for column in columns:
        kept = rows[f"source_{column}"] if f"source_{column}" in rows.columns else None
        is_there = rows[column].null_count() == 0 or (kept is not None and kept.null_count() == 0)
        assert is_there or value is None or (name == "nan" and rows.schema[column] != pl.Float64), column


def test_rows_that_name_no_dataset_are_counted(old, tmp_path):
    config = old.config("wheat", "Sweep")
    for name in ("wheat", None, "", None):
        old.row("wheat", config, dataset_name=name)
    old.write()
    report, new = migrate(old, tmp_path)
    assert set(n4w.Workspace.open(new).predictions.scan().collect()["dataset_name"]) == {"wheat"}
    (note,) = report["notes"]
    assert (note["kind"], note["path"]) == ("no_dataset", "wheat.meta.parquet")
    assert note["message"].startswith("3 rows name no dataset")


def test_rows_without_a_time_have_that_of_their_file(old, tmp_path):
    old.row("wheat", "0001_gone_abcdef")
    old.write()
    os.utime(old.root / "wheat.meta.parquet", (1.75e9, 1.75e9))
    report, new = migrate(old, tmp_path)
    (row,) = n4w.Workspace.open(new).predictions.scan().collect().to_dicts()
    assert row["created_at"] == datetime.fromtimestamp(1.75e9, UTC)
    (note,) = report["notes"]
    assert note["kind"] == "no_manifest"
    assert "created_at is when the file was last written, 2025-06-15T15:06:40" in note["message"]


def test_a_manifest_without_a_time(old, tmp_path):
    config = old.config("wheat", "Sweep")
    path = manifest(old, config, created_at="long ago")
    old.row("wheat", config)
    old.write()
    os.utime(path, (1.75e9, 1.75e9))
    report, new = migrate(old, tmp_path)
    (row,) = n4w.Workspace.open(new).predictions.scan().collect().to_dicts()
    assert row["created_at"] == datetime.fromtimestamp(1.75e9, UTC)
    (note,) = report["notes"]
    assert (note["kind"], note["path"]) == ("no_time", path.parent.relative_to(old.root).as_posix())


def write(old, table):
    old.root.mkdir()
    pq.write_table(table, old.root / "wheat.meta.parquet")


def test_times_with_a_fixed_offset(old, tmp_path):
    """As pandas writes them, and Polars does not read."""
    times = pa.array([0, 3_600_000_000, None], pa.timestamp("us", "+01:00"))
    write(old, pa.table({"id": ["a", "b", "c"], "created_at": times, "other": times}))
    _, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    assert rows["other"].to_list() == [
        datetime.fromtimestamp(0, UTC),
        datetime.fromtimestamp(3600, UTC),
        None,
    ]
    assert rows["created_at"].to_list()[:2] == rows["other"].to_list()[:2]


@pytest.mark.parametrize(
    "table",
    [
        pa.Table.from_arrays([pa.array(["a"])] * 3, ["id", "model_name", "model_name"]),
        pa.table({"id": ["a"], "decimal": pa.array([Decimal(1)], pa.decimal256(50, 2))}),
        pa.table({"id": ["a"], "zero\0": [1]}),
    ],
    ids=["twice", "decimal256", "zero byte"],
)
def test_columns_that_cannot_be_told_apart_or_read(old, tmp_path, table):
    write(old, table)
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert "has a column" in report["errors"][0]["message"]
    name = "wheat.meta.parquet"
    assert (new / "source" / name).read_bytes() == (old.root / name).read_bytes()


def test_a_file_of_ids_alone(old, tmp_path):
    write(old, pa.table({"id": ["a", "b"]}))
    report, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    assert rows.select("id", "dataset_name", "config_name").rows() == [
        ("a", "wheat", None),
        ("b", "wheat", None),
    ]
    assert kinds(report) == ["no_dataset", "no_manifest"]
