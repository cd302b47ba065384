"""Migration of folders with everything that a folder may have: rows, runs, results, targets."""

import shutil

import nirs4all_workspace as n4w
import polars as pl
import pytest
import yaml
from migrating import kinds, migrate
from migrations import Old, files_of, results_of, rows_of_source, rows_of_target
from samples import strict
from typer.testing import CliRunner


@pytest.fixture
def old(tmp_path):
    return Old(tmp_path / "old")


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
    # And no dataset of nothing.
    assert list((new / "predictions").rglob("*.*")) == []
    assert n4w.Workspace.open(new).summary()["datasets"] == []


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
