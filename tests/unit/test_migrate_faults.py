"""What is torn, damaged, linked, oddly named or unreadable in a folder that is migrated."""

import math
import os
import shutil
from datetime import date

import nirs4all_workspace as n4w
import polars as pl
import pytest
from migrating import kinds, manifest, migrate
from migrations import Old, files_of, rows_of_source, rows_of_target


@pytest.fixture
def old(tmp_path):
    return Old(tmp_path / "old")


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


@pytest.mark.parametrize("folder", ["exports", "library"])
def test_copies_that_nirs4all_made_are_no_errors(old, tmp_path, folder):
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.write()
    shutil.copytree(old.root / "runs" / "wheat" / config, old.root / folder / "best")
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["copied"] * 2
    assert (new / "source" / folder / "best" / "manifest.yaml").exists()
