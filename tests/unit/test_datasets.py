"""The registry: registering, accepting, relocating, linking; records damaged or edited by hand."""

import json
import os
import shutil

import nirs4all_workspace as n4w
import polars as pl
import pytest
import yaml
from settling import settle


@pytest.fixture
def spectra(tmp_path):
    """Write a small dataset: `spectra(name, shift)` is its file."""

    def write(name, shift=0.0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [[f"{1 + shift + i * j % 7}" for i in range(8)] + [f"{j / 4 + shift}"] for j in range(12)]
        header = [str(1100 + 50 * i) for i in range(8)] + ["protein"]
        path.write_text("\n".join(";".join(row) for row in [header, *rows]) + "\n", "utf-8")
        return path

    return write


def file_of(ws, record):
    return ws.path / "datasets" / f"{record.id}.yaml"


def stored(ws, record):
    return yaml.safe_load(file_of(ws, record).read_text("utf-8"))


def add_run(ws, run, created_at, *references):
    """A run as the write path leaves it."""
    folder = ws.path / "runs" / run
    folder.mkdir(parents=True)
    empty = dict.fromkeys(("id", "hash", "file_size", "quick_hash", "path"))
    datasets = {"schema_version": "1.0", "datasets": [empty | reference for reference in references]}
    (folder / "datasets.yaml").write_text(yaml.safe_dump(datasets), "utf-8")
    (folder / "templates.yaml").write_text(yaml.safe_dump({"templates": []}), "utf-8")
    record = {"id": run, "created_at": created_at, "status": "queued"}
    (folder / "run.yaml").write_text(yaml.safe_dump(record), "utf-8")


def reference(record):
    keys = ("id", "name", "hash", "file_size", "quick_hash")
    return {key: getattr(record, key) for key in keys} | {"path": record.current_path}


def test_a_record_says_what_the_file_holds(ws, spectra):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path, metadata={"origin": "Montpellier"})
    values = [j / 4 for j in range(12)]
    column = pl.Series(values)
    assert record.name == "wheat"
    assert record.hash == n4w.hash_file(path)
    assert record.id == f"ds_wheat_{record.hash.removeprefix('blake3:')[:8]}"
    assert (record.file_size, record.quick_hash) == (path.stat().st_size, n4w.quick_hash(path))
    assert (record.n_samples, record.n_features, record.y_columns) == (12, 8, ["protein"])
    expected = {"min": 0.0, "max": 2.75, "mean": column.mean(), "std": column.std()}
    assert record.y_stats == {"protein": pytest.approx(expected)}
    assert (record.wavelength_range, record.wavelength_unit) == ([1100.0, 1450.0], "nm")
    assert (record.task_type, record.status) == ("regression", "valid")
    assert [version["version"] for version in record.versions] == [1]
    assert ws.datasets.get(record.id) == ws.datasets.get("wheat") == record
    assert stored(ws, record)["metadata"] == {"origin": "Montpellier"}
    json.dumps(record.to_dict(), allow_nan=False)


def test_the_same_content_is_the_same_dataset(ws, spectra):
    record = ws.datasets.register(spectra("wheat.csv"))
    copy = spectra("copies/other.csv")
    assert ws.datasets.register(copy, name="other") == record
    assert len(ws.datasets.list()) == 1
    known = ws.datasets.register(copy, task_type="classification")
    assert (known.id, known.task_type, known.current_path) == (
        record.id,
        "classification",
        record.current_path,
    )


def test_registering_what_moved_takes_the_new_path(ws, spectra):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path)
    moved = path.rename(path.with_name("moved.csv"))
    again = ws.datasets.register(moved)
    assert (again.id, again.current_path, again.original_path) == (record.id, str(moved), str(path))


def test_other_content_under_the_same_name_is_another_dataset(ws, spectra):
    one = ws.datasets.register(spectra("a/wheat.csv"))
    two = ws.datasets.register(spectra("b/wheat.csv", shift=1.0))
    assert one.id != two.id
    with pytest.raises(n4w.NotFoundError, match=f"{min(one.id, two.id)}, {max(one.id, two.id)}"):
        ws.datasets.get("wheat")


@pytest.mark.parametrize("name", ["Blé/dur", "x" * 300, "../../etc", "数据", "new\nline", "C: key"])
def test_any_name(ws, spectra, name):
    record = ws.datasets.register(spectra("a.csv"), name=name)
    assert ws.datasets.get(name).name == name
    assert file_of(ws, record).is_file()
    assert [path.name for path in (ws.path / "datasets").iterdir()] == [f"{record.id}.yaml"]


def test_what_cannot_be_registered_leaves_nothing(ws, tmp_path):
    with pytest.raises(FileNotFoundError):
        ws.datasets.register(tmp_path / "none.csv")
    with pytest.raises(TypeError, match="'hash'"):
        ws.datasets.register(tmp_path, hash="blake3:0")
    with pytest.raises(n4w.NotFoundError, match="there is no dataset 'none'"):
        ws.datasets.get("none")
    assert list((ws.path / "datasets").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"metadata": {"a": "\udcff"}}, ValueError, r"\['metadata'\]\['a'\]"),
        ({"metadata": {"a": object()}}, TypeError, r"\['metadata'\]\['a'\]"),
        ({"metadata": "text"}, TypeError, "'metadata'"),
        ({"n_samples": "many"}, TypeError, "'n_samples'"),
        ({"wavelength_range": [1]}, TypeError, "'wavelength_range'"),
        ({"name": "\udcff"}, ValueError, r"\['name'\]"),
    ],
)
def test_a_record_that_nobody_could_read_is_not_written(ws, spectra, fields, error, named):
    with pytest.raises(error, match=named):
        ws.datasets.register(spectra("new.csv"), **fields)
    assert list((ws.path / "datasets").iterdir()) == []
    record = ws.datasets.register(spectra("new.csv"))
    before = file_of(ws, record).read_bytes()
    fields = {key: value for key, value in fields.items() if key != "name"}
    if fields:
        with pytest.raises(error, match=named):
            ws.datasets.register(spectra("new.csv"), **fields)
    assert file_of(ws, record).read_bytes() == before
    assert ws.datasets.list().errors == []


def test_a_new_version_is_accepted(ws, spectra):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path, metadata={"note": 1})
    assert ws.datasets.accept_version(record.id) == record
    spectra("wheat.csv", shift=5.0)
    assert ws.datasets.resolve(record.id).status == "hash_mismatch"
    accepted = ws.datasets.accept_version("wheat")
    assert (accepted.id, accepted.hash) == (record.id, n4w.hash_file(path))
    hashes = [(version["version"], version["hash"]) for version in accepted.versions]
    assert hashes == [(1, record.hash), (2, accepted.hash)]
    assert accepted.y_stats["protein"]["min"] == 5.0
    assert accepted.metadata == {"note": 1}
    assert ws.datasets.resolve(record.id).status == "valid"
    old = spectra("old.csv")
    assert ws.datasets.register(old).id == record.id, "an older version is no other dataset"


def test_relocating_proves_the_content(ws, spectra):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path)
    other = spectra("other.csv", shift=1.0)
    with pytest.raises(n4w.ConflictError, match="has other content"):
        ws.datasets.relocate(record.id, other)
    assert ws.datasets.get(record.id) == record
    inside = ws.path / "data" / "wheat.csv"
    inside.parent.mkdir()
    shutil.move(path, inside)
    assert ws.datasets.relocate("wheat", inside).current_path == "data/wheat.csv"
    with pytest.raises(FileNotFoundError):
        ws.datasets.relocate("wheat", path)


def test_link_makes_records_of_what_runs_name_and_counts_runs(ws, spectra):
    known = ws.datasets.register(spectra("wheat.csv"))
    lost = spectra("lost.csv", shift=2.0)
    hash_, size, quick = n4w.hash_file(lost), lost.stat().st_size, n4w.quick_hash(lost)
    lost_reference = {
        "name": "lost",
        "hash": hash_,
        "file_size": size,
        "quick_hash": quick,
        "path": str(lost),
    }
    bare = spectra("bare.csv", shift=3.0)
    add_run(ws, "r1", "2026-01-01T00:00:00+00:00", reference(known), lost_reference)
    add_run(ws, "r2", "2026-01-03T00:00:00+00:00", reference(known), {"name": "bare", "path": str(bare)})
    add_run(ws, "r3", "2026-01-02T00:00:00+00:00", lost_reference | {"name": "lost again"})
    report = ws.datasets.link()
    assert (report.runs_read, report.runs_unchanged, report.errors) == (3, 0, [])
    by_name = {record.name: record for record in ws.datasets.list()}
    assert set(by_name) == {"wheat", "lost", "bare"}
    assert sorted(report.created) == sorted(by_name[name].id for name in ("lost", "bare"))
    assert report.statuses == {"valid": 3}
    assert by_name["lost"].hash == hash_
    assert by_name["bare"].hash == n4w.hash_file(bare)
    assert any("linked, not when it was used" in note for note in by_name["bare"].notes)
    usage = {name: vars(record.usage) for name, record in by_name.items()}
    assert usage["wheat"] == {
        "run_count": 2,
        "first_used": "2026-01-01T00:00:00+00:00",
        "last_used": "2026-01-03T00:00:00+00:00",
    }
    assert (usage["lost"]["run_count"], usage["bare"]["run_count"]) == (2, 1)
    assert "run_count" not in stored(ws, by_name["wheat"])
    before = {path: path.read_bytes() for path in (ws.path / "datasets").iterdir()}
    again = n4w.Workspace.open(ws.path).datasets.link()
    assert (again.created, again.updated) == ([], [])
    assert {path: path.read_bytes() for path in (ws.path / "datasets").iterdir()} == before


def test_link_reads_runs_that_changed_and_no_others(ws, spectra):
    known = ws.datasets.register(spectra("wheat.csv"))
    for i in range(5):
        add_run(ws, f"r{i}", "2026-01-01T00:00:00+00:00", reference(known))
        for file in (ws.path / "runs" / f"r{i}").iterdir():
            os.utime(file, (1_600_000_000, 1_600_000_000))
    settle(ws.path / "runs")
    assert ws.datasets.link().runs_read == 5
    report = n4w.Workspace.open(ws.path).datasets.link()
    assert (report.runs_read, report.runs_unchanged) == (0, 5)
    add_run(ws, "r9", "2026-01-01T00:00:00+00:00", reference(known))
    report = ws.datasets.link()
    assert (report.runs_read, report.runs_unchanged) == (1, 5)
    assert ws.datasets.get("wheat").usage.run_count == 6
    shutil.rmtree(ws.path / "runs" / "r9")
    assert ws.datasets.get("wheat").usage.run_count == 5
    (ws.path / ".cache" / "catalogue.bin").write_bytes(b"garbage")
    assert n4w.Workspace.open(ws.path).datasets.get("wheat").usage.run_count == 5


def test_link_stores_where_datasets_went_and_keeps_what_the_user_wrote(ws, spectra):
    path = spectra("store/wheat.csv")
    record = ws.datasets.register(path)
    mapping = stored(ws, record) | {"name": "my wheat", "task_type": "mine", "lab": "unknown to us"}
    file_of(ws, record).write_text(yaml.safe_dump(mapping), "utf-8")
    moved = path.rename(path.with_name("renamed.csv"))
    report = ws.datasets.link()
    assert report.updated == [record.id]
    assert report.resolutions[record.id].status == "found_by_hash"
    linked = ws.datasets.get("my wheat")
    assert (linked.current_path, linked.original_path) == (str(moved), str(path))
    assert (linked.status, linked.task_type, linked.extra) == (
        "found_by_hash",
        "mine",
        {"lab": "unknown to us"},
    )
    moved.unlink()
    ws.datasets.link()
    gone = ws.datasets.get("my wheat")
    assert (gone.status, gone.current_path) == ("missing", str(moved))


def test_a_damaged_run_is_one_flagged_item(ws, spectra):
    known = ws.datasets.register(spectra("wheat.csv"))
    add_run(ws, "good", "2026-01-01T00:00:00+00:00", reference(known))
    add_run(ws, "bad", "2026-01-01T00:00:00+00:00", {"name": "x", "file_size": "large"})
    add_run(ws, "torn", "2026-01-01T00:00:00+00:00")
    (ws.path / "runs" / "torn" / "datasets.yaml").write_text("datasets: [", "utf-8")
    report = ws.datasets.link()
    assert sorted(error["path"] for error in report.errors) == [
        str(ws.path / "runs" / run / "datasets.yaml") for run in ("bad", "torn")
    ]
    assert "key 'file_size' of entry 1" in report.errors[0]["message"]
    assert ws.datasets.get("wheat").usage.run_count == 1


DAMAGE = {
    "bad yaml": ("name: wheat", "name: [wheat", "line"),
    "a number for a name": ("name: wheat", "name: 5", "'name' in line 3.*5"),
    "a text for a size": (
        "file_size: ",
        "file_size: big ",
        "'file_size' in line 7.*'big ",
    ),
    "a list for metadata": (
        "metadata: {}",
        "metadata: []",
        r"'metadata' in line \d+.*\[\]",
    ),
    "no such status": (
        "status: valid",
        "status: fine",
        "'status' in line 9.*unknown.*'fine'",
    ),
    "a key twice": ("name: wheat", "name: wheat\nname: rye", "'name'.*lines 3 and 4"),
    "another id": ("id: ds_", "id: other_", "'id' in line 2.*'ds_.*'other_"),
    "no id": ("id: ds_", "identity: ds_", "'id'"),
    "no utf-8": (b"name: wheat", b"name: \xff", "not UTF-8 at byte"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_record_is_named_and_left_as_it_is(ws, spectra, what):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path)
    good = ws.datasets.register(spectra("good.csv", shift=1.0))
    old, new, message = DAMAGE[what]
    encode = [part if isinstance(part, bytes) else part.encode() for part in (old, new)]
    file = file_of(ws, record)
    damaged = file.read_bytes().replace(*encode, 1)
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    found = ws.datasets.list()
    assert [it.id for it in found] == [good.id]
    assert [error["path"] for error in found.errors] == [str(file)]
    actions = [
        lambda: ws.datasets.get(record.id),
        lambda: ws.datasets.resolve(record.id),
        lambda: ws.datasets.relocate(record.id, path),
        lambda: ws.datasets.accept_version(record.id),
        lambda: ws.datasets.register(path),
        lambda: ws.datasets.register(path, name="another name"),
    ]
    for action in actions:
        with pytest.raises(n4w.CorruptFileError, match=message) as raised:
            action()
        assert raised.value.path == str(file)
    report = ws.datasets.link()
    assert [error["path"] for error in report.errors] == [str(file)]
    assert file.read_bytes() == damaged
    assert len(list((ws.path / "datasets").iterdir())) == 2


def test_a_copied_record_is_refused(ws, spectra):
    record = ws.datasets.register(spectra("wheat.csv"))
    copy = file_of(ws, record).with_name("ds_copy_01234567.yaml")
    shutil.copy(file_of(ws, record), copy)
    found = ws.datasets.list()
    assert [it.id for it in found] == [record.id]
    assert found.errors[0]["path"] == str(copy)
    assert "'id' in line 2" in found.errors[0]["message"]


def test_a_newer_record_is_read_and_not_written(ws, spectra):
    record = ws.datasets.register(spectra("wheat.csv"))
    file = file_of(ws, record)
    file.write_bytes(file.read_bytes().replace(b"'1.0'", b"'2.3'"))
    newer = file.read_bytes()
    assert ws.datasets.get("wheat").hash == record.hash
    spectra("wheat.csv", shift=1.0)
    with pytest.raises(n4w.SchemaError, match="schema version"):
        ws.datasets.accept_version("wheat")
    assert ws.datasets.link().errors[0]["kind"] == "schema"
    assert file.read_bytes() == newer


def test_an_edit_by_hand_meanwhile_is_not_overwritten(ws, spectra, monkeypatch):
    path = spectra("wheat.csv")
    record = ws.datasets.register(path)
    file = file_of(ws, record)
    from nirs4all_workspace.datasets import dataset_record

    check = dataset_record.check

    def edit_meanwhile(mapping, checked):
        check(mapping, checked)
        if checked == file and not file.read_bytes().endswith(b"# mine\n"):
            file.write_bytes(file.read_bytes() + b"# mine\n")

    spectra("wheat.csv", shift=1.0)
    monkeypatch.setattr(dataset_record, "check", edit_meanwhile)
    ws.datasets._registry._parsed[record.id] = (
        (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ctime_ns, file.stat().st_ino),
        record,
    )
    with pytest.raises(n4w.ConflictError):
        ws.datasets.accept_version(record.id)
    assert file.read_bytes().endswith(b"# mine\n")


def test_a_folder_of_nirs4all_0_6_is_read_and_not_written(demo, tmp_path):
    ws = n4w.Workspace.open(demo)
    expected = {
        name: path
        for file in sorted(demo.glob("*.meta.parquet"))
        for name, path in pl.read_parquet(file).select("dataset_name", "dataset_path").unique().rows()
    }
    (demo / "data").mkdir()
    for name in expected:
        (demo / "data" / name).mkdir()
    before = sorted(path for path in demo.rglob("*") if ".cache" not in path.parts)
    assert {record.name: record.original_path for record in ws.datasets.list()} == expected
    report = ws.datasets.link()
    assert (report.created, report.updated) == ([], [])
    found = ws.datasets.resolve("regression")
    assert (found.status, found.path, found.proven) == ("relocated", demo / "data" / "regression", False)
    assert sorted(path for path in demo.rglob("*") if ".cache" not in path.parts) == before
    with pytest.raises(n4w.SchemaError, match=r"nirs4all 0\.6"):
        ws.datasets.register(tmp_path)


def test_a_newer_workspace_is_read_and_not_written(ws, spectra):
    record = ws.datasets.register(spectra("wheat.csv"))
    manifest = ws.path / "workspace.yaml"
    manifest.write_text(manifest.read_text().replace("format_version: 2", "format_version: 3"))
    newer = n4w.Workspace.open(ws.path)
    assert newer.datasets.resolve("wheat").status == "valid"
    for write in (newer.datasets.link, lambda: newer.datasets.register(spectra("b.csv", shift=1.0))):
        with pytest.raises(n4w.SchemaError, match="newer than this version"):
            write()
    assert [it.id for it in newer.datasets.list()] == [record.id]


def test_the_record_in_the_documentation_is_one(tmp_path):
    from pathlib import Path

    from nirs4all_workspace.datasets import dataset_record

    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
    example = text.partition("## The registry of datasets")[2].partition("```yaml\n")[2].partition("```")[0]
    mapping = yaml.safe_load(example)
    path = tmp_path / f"{mapping['id']}.yaml"
    path.write_text(example, "utf-8")
    record = dataset_record.read(path)
    assert {"schema_version": "1.0", **record.stored()} == mapping
    assert record.extra == {}


def test_verify_lists_damaged_records(ws, spectra):
    record = ws.datasets.register(spectra("wheat.csv"))
    assert ws.verify()["problems"] == []
    file_of(ws, record).write_text("name: [", "utf-8")
    (problem,) = ws.verify()["problems"]
    assert (problem["path"], problem["kind"]) == (str(file_of(ws, record)), "corrupt")


def test_a_run_registers_the_paths_it_is_given(ws, spectra):
    path = spectra("wheat.csv")
    run = ws.runs.create("r", templates=[[{"scale": 1}]], datasets=[path])
    (used,) = run.datasets
    record = ws.datasets.get("wheat")
    assert used == reference(record)
    assert (record.usage.run_count, record.usage.first_used) == (1, run.record["created_at"])
    assert ws.datasets.link().created == []


def test_names_that_are_no_utf8(ws, spectra):
    spectra("plain/Xcal.csv")
    odd = os.fsdecode(b"Xtest\xff.csv")
    (spectra("odd/Xcal.csv", 1).parent / odd).write_text("1;2\n")
    run = ws.runs.create("r", templates=[["a"]], datasets=[ws.path.parent / "odd"])
    record = ws.datasets.get("odd")
    assert [it["id"] for it in run.datasets] == [record.id]
    assert any("Xtest\\udcff.csv" in note for note in stored(ws, record)["notes"])
    # A record cannot hold such a path: that is said before anything is done.
    moved = ws.path.parent / os.fsdecode(b"odd\xff")
    (ws.path.parent / "odd").rename(moved)
    before = file_of(ws, record).read_bytes()
    assert ws.datasets.resolve("odd", [ws.path.parent]).path == moved
    for call in (ws.datasets.accept_version, ws.datasets.relocate):
        with pytest.raises(ValueError, match="udcff"):
            call("odd", moved)
    with pytest.raises(ValueError, match="udcff"):
        ws.datasets.register(moved)
    assert file_of(ws, record).read_bytes() == before
