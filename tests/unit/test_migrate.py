"""Migration of folders with everything that a folder may have, or lack."""

import json
import math
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import blake3
import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from migrations import Old, files_of, results_of, rows_of_source, rows_of_target
from samples import strict
from typer.testing import CliRunner


@pytest.fixture
def old(tmp_path):
    return Old(tmp_path / "old")


def migrate(old, tmp_path, errors=()):
    """Migrate, and check what holds of every migration."""
    before = listing(old.root)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert listing(old.root) == before
    assert [error["kind"] for error in report["errors"]] == list(errors), report["errors"]
    found = n4w.Workspace.open(tmp_path / "new").verify(full=True)
    assert found["problems"] == []
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    return report, tmp_path / "new"


def listing(root):
    """All of a folder, contents and times: what is made and removed again shows in a folder's time."""
    return {
        path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [root, *root.rglob("*")]
    }


def kinds(report):
    return sorted(note["kind"] for note in report["notes"])


def manifest(old, config, **changes):
    """Change what a manifest says; returns its path."""
    (path,) = old.root.glob(f"runs/*/{config}/manifest.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | changes), "utf-8")
    return path


def columns_of(old):
    return set(next(iter(old.rows.values()))[0])


NAMES = ["Blé tendre été", "小麦", "x" * 200, "a b.c", "con%20", "tab\tand\nline", "ds_wheat_0123abcd"]


@pytest.mark.parametrize("dataset", NAMES)
def test_any_name_of_a_dataset(old, tmp_path, dataset):
    config = old.config(dataset, "Sweep")
    for _ in range(3):
        old.row(dataset, config)
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert kinds(report) == []
    assert [run["rows"] for run in report["runs"]] == [3]


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


def test_rows_get_run_result_template_and_time(old, tmp_path):
    config = old.config("wheat", "Sweep", minute=90)
    old.row("wheat", config)
    old.write()
    report, new = migrate(old, tmp_path)
    (row,) = n4w.Workspace.open(new).predictions.scan().collect().to_dicts()
    (result,) = results_of(new).values()
    assert row["run_id"] == report["runs"][0]["id"]
    assert (row["result_id"], row["template_id"]) == (result["id"], result["template_id"])
    assert row["created_at"].isoformat() == "2026-01-01T01:30:00+00:00"
    assert result["n_features"] == 12


def test_interleaved_sessions_share_arrays(old, tmp_path):
    """More sessions than writers are open at a time, their rows in no order."""
    configs = [old.config("wheat", f"Call {number}", minute=number) for number in range(45)]
    for turn in range(4):
        for number, config in enumerate(configs):
            old.array("wheat", f"array_true_{turn}", [turn, -1.0], kind="y_true")
            old.row("wheat", config, y_true_id=f"array_true_{turn}", model_name=f"m{number}")
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert [run["rows"] for run in report["runs"]] == [4] * 45
    assert report["counts"]["target"]["arrays"] == 45 * 4 + 45 * 4
    assert len(list(new.glob("predictions/*/*.meta.parquet"))) == 45
    assert not list(new.glob("predictions/*/*.journal"))


def test_one_session_on_several_datasets(old, tmp_path):
    for minute, dataset in enumerate(("wheat", "corn")):
        for kind in ("SNV", "MSC"):
            config = old.config(dataset, "Sweep", [kind, "PLS"], [{"_or_": kind}], minute)
            old.row(dataset, config)
    old.write()
    report, new = migrate(old, tmp_path)
    (run,) = report["runs"]
    assert (run["rows"], run["results"]) == (4, 4)
    (template,) = n4w.Workspace.open(new).runs.get(run["id"]).templates
    assert template["expansion_count"] == 2
    assert yaml.safe_load((new / "templates" / f"{template['id']}.yaml").read_text())["steps"] == [
        {"_or_": ["SNV", "MSC"]},
        "PLS",
    ]


def test_ids_that_come_twice_or_not_at_all(old, tmp_path):
    one = old.config("wheat", "Sweep", ["SNV", "PLS"], [{"_or_": "SNV"}])
    two = old.config("corn", "Sweep", ["SNV", "PLS"], [{"_or_": "SNV"}])
    other = old.config("wheat", "Other", minute=30)
    for name in ("same", "same", "own", None, ""):
        old.row("wheat", one, id=name)
    old.row("corn", two, id="same")
    old.row("wheat", other, id="same")
    old.write()
    report, new = migrate(old, tmp_path)
    had_none = sorted(
        row if '"id": ' in row else row.replace('"metric"', '"id": "", "metric"')
        for row in rows_of_source(old.root)
    )
    assert rows_of_target(new) == had_none
    ids = n4w.Workspace.open(new).predictions.scan().select("run_id", "id").collect()
    assert ids.n_unique() == 7
    assert ids.filter(pl.col("id") == "same").height == 2
    assert sum(int(note["message"].split()[0]) for note in report["notes"]) == 4
    assert set(kinds(report)) == {"new_ids"}


def test_missing_arrays_are_notes(old, tmp_path):
    for minute, dataset in enumerate(("wheat", "corn")):
        config = old.config(dataset, dataset, minute=60 * minute)
        old.row(dataset, config)
        old.row(dataset, config, y_true_id="array_lost")
    del old.arrays["wheat"]
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert kinds(report) == ["missing_arrays"] * 2
    assert sorted(int(note["message"].split()[3]) for note in report["notes"]) == [1, 3]
    found = n4w.Workspace.open(new).verify(full=True)
    assert sorted({note["kind"] for note in found["notes"]}) == ["lacking", "missing_arrays"]


def test_arrays_that_no_row_names_are_kept(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.array("wheat", "array_alone", [1.0])
    old.write()
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["unnamed_arrays"]
    before = (old.root / "wheat.arrays.parquet").read_bytes()
    assert (new / "source" / "wheat.arrays.parquet").read_bytes() == before


@pytest.mark.parametrize("file", ["wheat.meta.parquet", "wheat.arrays.parquet"])
@pytest.mark.parametrize("keep", [0, 5, 0.5, 0.999])
def test_torn_files_are_copied_and_all_else_is_moved(old, tmp_path, file, keep):
    for minute, dataset in enumerate(("wheat", "corn")):
        config = old.config(dataset, dataset, minute=60 * minute)
        for _ in range(3):
            old.row(dataset, config)
    old.write()
    path = old.root / file
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert report["errors"][0]["path"] == file
    assert (new / "source" / file).read_bytes() == path.read_bytes()
    rows = n4w.Workspace.open(new).predictions.scan().collect()
    assert rows.filter(pl.col("dataset_name") == "corn").height == 3
    assert rows.height == (3 if "meta" in file else 6)
    expected = {"no_rows"} if "meta" in file else {"missing_arrays"}
    assert expected <= set(kinds(report))


def test_rows_around_a_damaged_page_are_moved(old, tmp_path):
    config = old.config("wheat", "Sweep")
    for number in range(6_000):
        old.row("wheat", config, preprocessings=f"{number * 7919 % 6007:x}" * 9)
    old.write()
    path = old.root / "wheat.meta.parquet"
    frame = pl.read_parquet(path)
    frame.write_parquet(path, row_group_size=2_000, compression="zstd")
    content = bytearray(path.read_bytes())
    at = content.find(b"\x28\xb5\x2f\xfd", len(content) // 3)
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)
    report, new = migrate(old, tmp_path, ["corrupt"])
    moved = n4w.Workspace.open(new).predictions.scan().select("id", "val_score", "preprocessings").collect()
    assert moved.height == 4_000
    assert "2000 of 6000 rows" in report["errors"][0]["message"]
    original = frame.select("id", "val_score", "preprocessings")
    assert original.join(moved, on="id", how="semi").sort("id").equals(moved.sort("id"))
    assert (new / "source" / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_manifest_is_one_error(old, tmp_path):
    for minute in range(2):
        old.row("wheat", old.config("wheat", f"Call {minute}", minute=minute))
    old.write()
    broken = next(old.root.glob("runs/wheat/0001*/manifest.yaml"))
    broken.write_bytes(b"name: [unclosed\n\xff")
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert report["errors"][0]["path"] == broken.relative_to(old.root).as_posix()
    assert rows_of_target(new) == rows_of_source(old.root)
    assert sorted(run["kind"] for run in report["runs"]) == ["files", "session"]
    assert kinds(report).count("no_manifest") == 1
    assert (new / "source" / broken.relative_to(old.root)).read_bytes() == broken.read_bytes()


def test_files_without_any_manifest(old, tmp_path):
    old.row("wheat", "0001_gone_abcdef")
    old.row("wheat", None)
    old.write()
    report, new = migrate(old, tmp_path)
    (listed,) = n4w.Workspace.open(old.root).runs.list()
    (run,) = report["runs"]
    assert (run["id"], run["kind"], run["rows"], run["results"]) == (listed.id, "files", 2, 2)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert n4w.Workspace.open(new).runs.get(listed.id).status == "completed"
    assert {result.id for result in listed.results()} == set(results_of(new))


def test_a_copy_of_a_file_is_another_run(old, tmp_path):
    """The same rows twice are twice there, and the configuration's result once."""
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    for kind in ("meta", "arrays"):
        shutil.copy(old.root / f"wheat.{kind}.parquet", old.root / f"a copy of wheat.{kind}.parquet")
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert sorted((run["kind"], run["rows"], run["results"]) for run in report["runs"]) == [
        ("files", 1, 1),
        ("session", 1, 1),
    ]
    assert kinds(report) == ["no_manifest"]


def test_whose_rows_are_is_the_same_before_and_after(old, tmp_path):
    """A copy and a file of another name are no session's: not listed, not traced, not migrated as one's."""
    wheat, corn = old.config("wheat", "Sweep"), old.config("corn", "Other", ["MSC", "PLS"], minute=60)
    for dataset, config in (("wheat", wheat), ("wheat", wheat), ("corn", corn)):
        old.row(dataset, config)
    old.write()
    frame = pl.read_parquet(old.root / "wheat.meta.parquet").with_columns(pl.format("id{}", "id").alias("id"))
    frame.write_parquet(old.root / "wheat copy.meta.parquet")
    (old.root / "corn.meta.parquet").rename(old.root / "corn_2024.meta.parquet")
    ws = n4w.Workspace.open(old.root)
    expected = {"Sweep": 2, "Other": 0, "wheat copy": 2, "corn_2024": 1}
    assert {run.name: ws.predictions.page(run=run.id).total for run in ws.runs.list()} == expected
    assert {run.name: ws.trace("run", run.id).n_predictions for run in ws.runs.list()} == expected
    for run in ws.runs.list():
        (result,) = run.results()
        assert ws.trace("result", result.id).n_predictions == expected[run.name]
        for template in run.templates:
            assert ws.trace("template", template["id"]).n_predictions == expected[run.name]
        assert result.status == ("done" if expected[run.name] else "failed")
    for id_, name in (("0" * 16, "Sweep"), ("id" + "0" * 16, "wheat copy"), (f"{2:016x}", "corn_2024")):
        assert [run["name"] for run in ws.trace("prediction", id_).runs] == [name]
    listed = {run.id: expected[run.name] for run in ws.runs.list()}
    shutil.rmtree(old.root / ".cache", ignore_errors=True)
    report, new = migrate(old, tmp_path)
    assert {run["id"]: run["rows"] for run in report["runs"]} == listed
    ids = n4w.Workspace.open(new).predictions.scan().collect().sort("id")["id"].to_list()
    assert ids == sorted([f"{number:016x}" for number in range(3)] + list(frame["id"]))


def test_a_copy_of_a_configuration(old, tmp_path):
    """Beside it, and as somebody else's: its name again under another uid."""
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    folder = old.root / "runs" / "wheat" / config
    shutil.copytree(folder, folder.with_name(f"{config} (copy)"))
    other = old.root / "runs" / "wheat" / "0009_other"
    shutil.copytree(folder, other)
    manifest = yaml.safe_load((other / "manifest.yaml").read_text())
    manifest |= {"uid": "another", "created_at": "2026-03-01T00:00:00+00:00"}
    (other / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert sorted((run["rows"], run["results"]) for run in report["runs"]) == [(0, 1), (1, 1)]
    assert sorted(result["status"] for result in results_of(new).values()) == ["done", "failed"]
    assert kinds(report).count("repeated") == 1
    copies = list(new.rglob("manifest.yaml"))
    assert len(copies) == 3


def test_equal_steps_under_two_hashes(old, tmp_path):
    one = old.config("wheat", "Sweep", ["A"], [{"_or_": 1}])
    two = old.config("wheat", "Sweep", ["A"], [{"_or_": 1}])
    path = old.root / "runs" / "wheat" / two / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(manifest | {"name": "Sweep_abcdef"}))
    for config in (one, two):
        old.row("wheat", config)
    old.write()
    report, new = migrate(old, tmp_path)
    assert sum(run["results"] for run in report["runs"]) == len(results_of(new)) == 2


def test_rows_of_several_datasets_in_one_file(old, tmp_path):
    one, two = old.config("wheat", "One"), old.config("corn", "Two", minute=1)
    old.row("wheat", one)
    old.row("wheat", two, dataset_name="corn")
    old.row("wheat", "none", dataset_name="rye")
    old.row("wheat", one, dataset_name=None)
    old.row("wheat", one, dataset_name="")
    old.write()
    report, new = migrate(old, tmp_path)
    rows = n4w.Workspace.open(new).predictions.scan().sort("id").collect()
    assert rows["dataset_name"].to_list() == ["wheat", "corn", "rye", "wheat", "wheat"]
    assert sorted((run["name"], run["rows"]) for run in report["runs"]) == [
        ("One", 3),
        ("Two", 0),
        ("wheat", 2),
    ]
    (run,) = n4w.Workspace.open(new).runs.list(dataset="rye")
    assert [dataset["name"] for dataset in run.datasets] == ["corn", "rye"]


def test_configurations_without_rows_are_results(old, tmp_path):
    old.config("wheat", "Sweep")
    old.write()
    report, new = migrate(old, tmp_path)
    (result,) = results_of(new).values()
    assert (result["dataset_name"], result["n_rows"], result["status"]) == ("wheat", 0, "failed")
    assert kinds(report) == ["no_rows"]


def test_files_of_other_kinds_are_copied(old, tmp_path):
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    (old.root / "workspace.json").write_text("{}")
    (old.root / "runs" / "wheat" / f"best_{config}.csv").write_text("best")
    (old.root / "runs" / "wheat" / "unknown.bin").write_bytes(bytes(range(256)))
    (old.root / "runs" / "wheat" / config / "deep").mkdir()
    (old.root / "runs" / "wheat" / config / "deep" / "x.png").write_bytes(b"x")
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "binaries" / "wheat" / "alone.joblib").write_bytes(b"model")
    report, new = migrate(old, tmp_path)
    run = new / "runs" / report["runs"][0]["id"] / "source" / "wheat"
    assert (run / f"best_{config}.csv").read_text() == "best"
    assert (run / config / "deep" / "x.png").read_bytes() == b"x"
    assert (new / "source" / "workspace.json").read_text() == "{}"
    assert (new / "source" / "runs" / "wheat" / "unknown.bin").read_bytes() == bytes(range(256))
    assert (new / "source" / "binaries" / "wheat" / "alone.joblib").read_bytes() == b"model"
    assert kinds(report) == ["copied"] * 3


def test_links_are_followed_and_circles_are_not(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    for name in ("wheat.meta.parquet", "runs"):
        shutil.move(old.root / name, elsewhere / name)
        (old.root / name).symlink_to(elsewhere / name)
    (old.root / "circle").symlink_to(old.root)
    (old.root / "nowhere").symlink_to(tmp_path / "gone")
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert not any(path.is_symlink() for path in new.rglob("*"))
    assert kinds(report) == ["left"]


@pytest.mark.parametrize("what", ["link", "loop", "pipe", "folder"])
def test_rows_that_cannot_be_opened_are_an_error(old, tmp_path, what):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.row("corn", old.config("corn", "Sweep"))
    old.write()
    path = old.root / "wheat.meta.parquet"
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if what == "loop" else tmp_path / "gone")
    (old.root / "loop").symlink_to("loop")
    kind = "not_parquet" if what == "pipe" else "io"
    report, _ = migrate(old, tmp_path, [kind, "io"])
    expected = [("loop", "io"), ("wheat.meta.parquet", kind)]
    assert sorted((error["path"], error["kind"]) for error in report["errors"]) == expected
    assert report["counts"]["target"]["rows"] == 1


def test_links_for_folders_of_logs_and_configurations_are_followed(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    (old.root / "logs").mkdir()
    (old.root / "logs" / "R-20261130-010055-93d9.log").write_text("said")
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    (elsewhere / "runs").mkdir(parents=True)
    for name in ("logs", "runs/wheat"):
        shutil.move(old.root / name, elsewhere / name)
        (old.root / name).symlink_to(elsewhere / name)
    report, new = migrate(old, tmp_path)
    assert (new / "source" / "logs" / "R-20261130-010055-93d9.log").read_text() == "said"
    assert report["errors"] == []
    assert kinds(report) == ["copied"]


def test_a_name_that_is_no_unicode(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    name = os.fsencode(old.root) + b"/\xff.txt"
    with open(name, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(b"x")
    report, new = migrate(old, tmp_path)
    assert (new / "source" / os.fsdecode(b"\xff.txt")).read_bytes() == b"x"
    assert [note["path"] for note in report["notes"]] == ["\\xff.txt"]


def test_an_empty_file_of_rows(old, tmp_path):
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    pl.read_parquet(old.root / "wheat.meta.parquet").clear().write_parquet(old.root / "wheat.meta.parquet")
    report, new = migrate(old, tmp_path)
    assert n4w.Workspace.open(new).summary()["total_predictions"] == 0
    assert "no_rows" in kinds(report)


def test_where_a_target_may_be(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    root = old.write()
    with pytest.raises(n4w.NotFoundError):
        n4w.migrate(tmp_path / "none", tmp_path / "new")
    for inside in (root, root / "new", tmp_path):
        with pytest.raises(n4w.ConflictError):
            n4w.migrate(root, inside)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(n4w.ConflictError, match="not empty"):
        n4w.migrate(root, full)
    assert files_of(full) == {"mine.txt": b"mine"}
    with pytest.raises(n4w.SchemaError, match="holds neither"):
        n4w.migrate(full, tmp_path / "new")
    empty = tmp_path / "a" / "b"
    empty.mkdir(parents=True)
    assert n4w.migrate(root, empty)["status"] == "migrated"
    with pytest.raises(n4w.SchemaError, match="already"):
        n4w.migrate(empty, tmp_path / "new")
    assert n4w.migrate(root, empty)["status"] == "unchanged"
    (root / "more.txt").write_text("more")
    with pytest.raises(n4w.ConflictError, match="changed since"):
        n4w.migrate(root, empty)
    assert not (tmp_path / "new").exists()


def test_a_read_only_source(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    for path in [*old.root.rglob("*"), old.root]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        report, new = migrate(old, tmp_path)
        assert rows_of_target(new) == rows_of_source(old.root)
        assert report["errors"] == []
        assert os.access(new / "runs", os.W_OK)
    finally:
        for path in [*old.root.rglob("*"), old.root]:
            path.chmod(0o755)


def test_progress_counts_rows_twice(old, tmp_path):
    config = old.config("wheat", "Sweep")
    for _ in range(10):
        old.row("wheat", config)
    seen = []
    n4w.migrate(old.write(), tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (20, 20)
    assert seen == sorted(seen)


def test_the_command(old, tmp_path):
    from nirs4all_workspace.cli import app

    old.row("wheat", old.config("wheat", "Sweep"))
    root = old.write()
    run = CliRunner().invoke
    answer = run(app, ["migrate", str(root), str(tmp_path / "new"), "--json"])
    assert answer.exit_code == 0
    assert strict(answer.stdout)["counts"]["target"]["rows"] == 1
    again = run(app, ["migrate", str(root), str(tmp_path / "new")])
    assert (again.exit_code, "nothing to do" in again.stdout) == (0, True)
    (root / "corn.meta.parquet").write_bytes(b"PAR1")
    torn = run(app, ["migrate", str(root), str(tmp_path / "other")])
    assert torn.exit_code == 1
    assert "corn.meta.parquet" in torn.output
    assert run(app, ["migrate", str(root)]).exit_code == 2


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
    """Those that mean something in a workspace, and what is kept beside them, have `source_` before them."""
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
    """Of a number nobody knows whether it counts seconds, days or since when."""
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


def test_lost_arrays_whose_ids_look_like_those_here(old, tmp_path):
    """The source's loss is a note; one that happens here is a problem."""
    config = old.config("wheat", "Sweep")
    lost = f"array_{'0123456789ab' * 2}"
    for _ in range(2):
        old.row("wheat", config, y_true_id=lost)
    old.write()
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["missing_arrays"]
    ws = n4w.Workspace.open(new)
    assert ws.predictions.scan().collect()["y_true_id"].to_list() == [f"source_{lost}"] * 2
    assert ws.predictions.get("0000000000000000", arrays=True)["y_true"] is None
    assert {note["kind"] for note in ws.verify(full=True)["notes"]} == {"missing_arrays", "lacking"}
    (path,) = new.glob("arrays/*/*.arrays.parquet")
    path.unlink()
    assert [problem["kind"] for problem in ws.verify(full=True)["problems"]] == ["dangling"]


def test_arrays_in_another_file(old, tmp_path):
    """As an old folder finds them: rows may be in a copy of a file, or in one that was renamed."""
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.row("corn", old.config("corn", "Other", minute=60), y_true_id="array_000000000000")
    old.write()
    (old.root / "wheat.arrays.parquet").rename(old.root / "spelt.arrays.parquet")
    report, new = migrate(old, tmp_path)
    ws = n4w.Workspace.open(new)
    assert ws.predictions.get("0000000000000000", arrays=True)["y_pred"].tolist() == [0.0, 0.0]
    row = ws.predictions.get("0000000000000001", arrays=True)
    assert (row["y_true"].tolist(), row["y_pred"].tolist()) == ([0.0, 0.0], [1.0, 1 / 3])
    assert kinds(report) == ["copied"]


def test_arrays_in_files_of_other_shapes(old, tmp_path):
    """Ids elsewhere may be of any type, or not be there at all."""
    old.row("wheat", old.config("wheat", "Sweep"), y_pred_id="7", y_true_id="array_nowhere")
    old.arrays.clear()
    old.write()
    values = [[1.0, 2.0], [3.0, 4.0]]
    for name, ids in (("bytes", [b"7", b"8"]), ("lists", [[7], [8]]), ("whole", [7, 8])):
        frame = pl.DataFrame({"array_id": ids, "array_data": values})
        frame.write_parquet(old.root / f"{name}.arrays.parquet")
    pl.DataFrame({"array_data": values}).write_parquet(old.root / "another.arrays.parquet")
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert (row["y_pred"].tolist(), row["y_true"]) == ([1.0, 2.0], None)
    assert kinds(report) == ["copied"] * 4 + ["missing_arrays"]


@pytest.mark.parametrize("between", [0, 5_000])
@pytest.mark.parametrize("other", [[0.0, 0.0], [5.0, 6.0]])
def test_arrays_of_one_id(old, tmp_path, between, other):
    """The first counts, as in the old folder; where they differ, the file is copied too."""
    old.row("wheat", old.config("wheat", "Sweep"))
    for number in range(between):
        old.array("wheat", f"array_{number}", [number])
        old.rows["wheat"] += [old.rows["wheat"][0] | {"id": str(number), "y_pred_id": f"array_{number}"}]
    old.write()
    path = old.root / "wheat.arrays.parquet"
    frame = pl.read_parquet(path)
    again = frame.filter(pl.col("array_id") == "array_000000000000")
    again = again.with_columns(pl.Series("array_data", [other], pl.List(pl.Float64)))
    pl.concat([frame, again]).write_parquet(path)
    before = n4w.Workspace.open(old.root).predictions.get("0000000000000000", arrays=True)["y_pred"]
    shutil.rmtree(old.root / ".cache", ignore_errors=True)
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert row["y_pred"].tolist() == before.tolist() == [0.0, 0.0]
    is_one = other == [0.0, 0.0]
    assert kinds(report) == ([] if is_one else ["repeated"])
    assert (new / "source" / path.name).exists() != is_one


def test_arrays_with_nulls(old, tmp_path):
    """Within an array, one is NaN, as NumPy has it; an array that is null is none, and the file is copied."""
    config = old.config("wheat", "Sweep")
    for _ in range(2):
        old.row("wheat", config)
    old.arrays["wheat"]["array_000000000000"] = ([1.0, None], "[2]", "y_pred")
    old.write()
    path = old.root / "wheat.arrays.parquet"
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert [str(value) for value in row["y_pred"]] == ["1.0", "nan"]
    assert kinds(report) == []
    shutil.rmtree(new)
    data = pl.when(pl.col("array_id") != "array_000000000000").then("array_data").alias("array_data")
    pl.read_parquet(path).with_columns(data).write_parquet(path)
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert kinds(report) == ["missing_arrays"]
    assert "1 of its rows cannot be read, or lack" in report["errors"][0]["message"]
    assert (new / "source" / path.name).read_bytes() == path.read_bytes()


def test_a_folder_in_it_is_told_where_it_belongs(old, tmp_path):
    """Its files are not taken for those of a dataset that was called a/b, and nothing is lost."""
    deep = Old(old.root / "a")
    deep.row("b", deep.config("b", "Sweep"))
    deep.write()
    old.row("wheat", old.config("wheat", "Sweep"))
    old.config("a/b", "Deep")
    old.write()
    report, new = migrate(old, tmp_path, ["misplaced"] * 2)
    said = {error["path"]: error["message"] for error in report["errors"]}
    moves = {
        "a/b.meta.parquet": "b.meta.parquet, and its arrays beside it,",
        f"a/runs/b/{next(deep.root.glob('runs/b/*')).name}/manifest.yaml": "runs/<dataset>/0001_Sweep_",
    }
    assert said.keys() == moves.keys()
    for path, place in moves.items():
        assert f"move it to {place}" in said[path]
        assert (new / "source" / path).read_bytes() == (old.root / path).read_bytes()
    # As told:
    for kind in ("meta", "arrays"):
        (old.root / "a" / f"b.{kind}.parquet").rename(old.root / f"b.{kind}.parquet")
    (old.root / "a" / "runs" / "b").rename(old.root / "runs" / "b")
    again = n4w.migrate(old.root, tmp_path / "again")
    assert again["errors"] == []
    assert sorted(run["name"] for run in again["runs"]) == ["Deep", "Sweep"]
    assert again["counts"]["target"]["rows"] == 2


def test_what_was_written_is_verified_to_the_last_row(old, tmp_path, monkeypatch):
    """An artifact that changed after it was stored, say on a bad disk."""
    item = {"artifact_id": "a", "path": "model.joblib", "content_hash": "sha256:0"}
    config = old.config("wheat", "Sweep", artifacts={"schema_version": "2.0", "items": [item]})
    old.row("wheat", config)
    old.write()
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "binaries" / "wheat" / "model.joblib").write_bytes(b"model")
    put = n4w.artifacts.Artifacts.put

    def put_and_damage(self, content):
        digest = put(self, content)
        path = self.get(digest)
        path.chmod(0o644)
        path.write_bytes(b"muddle")
        return digest

    monkeypatch.setattr(n4w.artifacts.Artifacts, "put", put_and_damage)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert [error["kind"] for error in report["errors"]] == ["corrupt"]
    assert report["errors"][0]["path"].startswith("artifacts/")


def test_artifacts_where_older_versions_have_them(old, tmp_path):
    """0.5 lists them under other keys, in `_binaries` beside its configurations; some steps of 0.6 do so."""
    item = {"name": "PLS_1", "path": "PLS_aa.joblib", "hash": "sha256:aa", "size": 5, "step": 3}
    config = old.config("wheat", "Sweep", artifacts=[item, {"custom_name": "new", **item, "path": "gone"}])
    old.row("wheat", config)
    old.write()
    (old.root / "runs" / "wheat" / "_binaries").mkdir()
    (old.root / "runs" / "wheat" / "_binaries" / "PLS_aa.joblib").write_bytes(b"model")
    report, new = migrate(old, tmp_path)
    digest = blake3.blake3(b"model").hexdigest()
    (path,) = new.glob("runs/*/artifacts.jsonl")
    found, gone = (json.loads(line) for line in path.read_text().splitlines())
    keys = ("hash", "status", "custom_name", "content_hash", "size_bytes", "step_index")
    assert [found[key] for key in keys] == [digest, "present", "PLS_1", "sha256:aa", 5, 3]
    assert (gone["status"], gone["custom_name"]) == ("missing", "new")
    (result,) = results_of(new).values()
    assert result["artifacts"] == [digest]
    (note,) = report["notes"]
    assert note["message"].startswith("1 of its 2 artifacts ")
    assert note["message"].endswith("binaries/wheat or runs/wheat/_binaries")
    assert not (new / "source").exists()


@pytest.mark.parametrize("key", ["path", "dataset"])
@pytest.mark.parametrize("name", ["relative", "absolute"])
def test_artifacts_are_of_the_folder_alone(old, tmp_path, key, name):
    """A manifest may name anything; no file from elsewhere ends in a workspace that is then shared."""
    secret = tmp_path.with_name(f"{tmp_path.name}-secret")
    secret.mkdir()
    (secret / "key").write_bytes(b"secret")
    elsewhere = f"../../../../{secret.name}" if name == "relative" else str(secret)
    item = {"artifact_id": "a", "path": "key" if key == "dataset" else f"{elsewhere}/key"}
    config = old.config("wheat", "Sweep", artifacts={"items": [item]})
    if key == "dataset":
        manifest(old, config, dataset=elsewhere.removeprefix("../"))
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    assert (old.root / "binaries" / "wheat" / elsewhere / "key").is_file()
    old.row("wheat", config)
    old.write()
    report, new = migrate(old, tmp_path)
    assert "missing_artifacts" in kinds(report)
    assert b"secret" not in files_of(new).values()


def test_a_file_that_is_named_as_an_artifact_is_still_what_it_is(old, tmp_path):
    item = {"artifact_id": "a", "path": "../../wheat.meta.parquet"}
    config = old.config("wheat", "Sweep", artifacts=[item, item | {"path": "../0001_Sweep_x/manifest.yaml"}])
    old.row("wheat", config)
    old.write()
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "wheat.meta.parquet").write_bytes(b"torn")
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert (new / "source" / "wheat.meta.parquet").read_bytes() == b"torn"
    assert kinds(report) == ["copied", "missing_artifacts", "no_rows"]


ANYTHING = [
    None,
    7,
    math.nan,
    True,
    "",
    "../x",
    "x" * 300,
    [],
    [None],
    {1: 2},
    {"items": [7, {"path": {}}]},
    date.max,
]
KEYS = ["uid", "pipeline_id", "name", "dataset", "pipeline", "generator_choices", "artifacts"]


@pytest.mark.parametrize("key", [*KEYS, "execution_traces"])
def test_manifests_that_say_anything(old, tmp_path, key):
    for number, value in enumerate(ANYTHING):
        config = old.config("wheat", f"Call {number}", minute=number)
        manifest(old, config, **{key: value})
        old.row("wheat", config)
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert report["counts"]["target"]["manifests"] == len(ANYTHING)


def test_names_of_files_that_are_no_unicode(old, tmp_path):
    """As unzip makes of old archives: rows are moved, under a name that can be written."""
    old.row("wheat", old.config("wheat", "Sweep"))
    old.row("latin", old.config("latin", "Other", minute=60))
    old.row("latin", None, dataset_name=None)
    old.write()
    for name in ("latin.meta.parquet", "latin.arrays.parquet", "runs/latin"):
        raw = os.fsencode(name).replace(b"latin", b"caf\xe9")
        (old.root / name).rename(old.root / os.fsdecode(raw))
    before = files_of(old.root)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert files_of(old.root) == before
    ws = n4w.Workspace.open(tmp_path / "new")
    assert ws.verify(full=True)["problems"] == []
    rows = ws.predictions.scan().sort("id").collect()
    assert rows["dataset_name"].to_list() == ["wheat", "latin", "caf\\xe9"]
    assert ws.predictions.get("0000000000000001", arrays=True)["y_pred"].tolist() == [1.0, 1 / 3]
    assert {error["kind"] for error in report["errors"]} <= {"corrupt", "misplaced"}
    manifests = [path.parent.name for path in (tmp_path / "new").rglob("manifest.yaml")]
    assert len(manifests) == 2


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "小麦" * 42, " ", "new\nline", ".hidden", "-v"])
def test_any_name_of_a_target(old, tmp_path, name):
    old.row("wheat", old.config("wheat", "Sweep"))
    target = tmp_path / name
    assert n4w.migrate(old.write(), target)["status"] == "migrated"
    assert rows_of_target(target) == rows_of_source(old.root)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["old", name])


def test_a_target_that_is_a_link(old, tmp_path):
    """To an empty folder, perhaps on another disk: the workspace is made there, and the link stays."""
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    elsewhere = tmp_path / "elsewhere" / "empty"
    elsewhere.mkdir(parents=True)
    (tmp_path / "new").symlink_to(elsewhere)
    assert n4w.migrate(old.root, tmp_path / "new")["status"] == "migrated"
    assert (tmp_path / "new").readlink() == elsewhere
    assert rows_of_target(elsewhere) == rows_of_source(old.root)
    assert list((tmp_path / "elsewhere").iterdir()) == [elsewhere]
    assert n4w.migrate(old.root, tmp_path / "new")["status"] == "unchanged"
    (tmp_path / "back").symlink_to(old.root)
    for target in (tmp_path / "back", tmp_path / "back" / "new"):
        with pytest.raises(n4w.ConflictError, match="lies within"):
            n4w.migrate(old.root, target)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(n4w.ConflictError, match="not empty"):
        n4w.migrate(old.root, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


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


@pytest.mark.parametrize("folder", ["exports", "library"])
def test_copies_that_nirs4all_made_are_no_errors(old, tmp_path, folder):
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    shutil.copytree(old.root / "runs" / "wheat" / config, old.root / folder / "best")
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["copied"] * 2
    assert (new / "source" / folder / "best" / "manifest.yaml").exists()
