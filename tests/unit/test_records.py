"""Records: YAML mappings that are replaced whole, by people and programs at once."""

import subprocess
import sys

import nirs4all_workspace as n4w
import pytest
import yaml
from nirs4all_workspace import _native
from nirs4all_workspace._io import yaml_records


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "thing.yaml"
    yaml_records.create(path, {"id": "x", "count": 1, "name": "Weizen ä\n, 'q'"})
    return path


def load(path):
    return yaml.safe_load(path.read_text("utf-8"))


def test_what_is_created_reads_back(record):
    assert load(record) == {"schema_version": "1.0", "id": "x", "count": 1, "name": "Weizen ä\n, 'q'"}
    with pytest.raises(n4w.ConflictError):
        yaml_records.create(record, {"id": "y"})
    assert load(record)["id"] == "x"


def test_unknown_keys_survive_an_edit(record, tmp_path):
    record.write_text("schema_version: '1.7'\ncount: 1\nfuture: {a: [1, 2]}\n", "utf-8")
    with yaml_records.edit(record, tmp_path / "thing.lock") as mapping:
        mapping["count"] = 2
    assert load(record) == {"schema_version": "1.7", "count": 2, "future": {"a": [1, 2]}}


def test_an_edit_without_change_writes_nothing(record, tmp_path):
    before = record.stat()
    with yaml_records.edit(record, tmp_path / "thing.lock") as mapping:
        mapping["count"] = 1
    after = record.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_an_edit_that_raises_writes_nothing(record, tmp_path):
    with pytest.raises(ZeroDivisionError), yaml_records.edit(record, tmp_path / "thing.lock") as mapping:
        mapping["count"] = 1 / 0
    assert load(record)["count"] == 1


def test_an_edit_by_hand_meanwhile_is_kept(record, tmp_path):
    def edit_while_another_does():
        with yaml_records.edit(record, tmp_path / "thing.lock") as mapping:
            mapping["count"] = 2
            record.write_text("schema_version: '1.0'\ncount: 77\n", "utf-8")

    with pytest.raises(n4w.ConflictError):
        edit_while_another_does()
    assert load(record)["count"] == 77


def test_a_newer_major_version_is_read_and_not_written(record, tmp_path):
    record.write_text("schema_version: '2.0'\ncount: 1\n", "utf-8")
    assert yaml_records.read(record)["count"] == 1
    with (
        pytest.raises(n4w.SchemaError, match=r"2\.0"),
        yaml_records.edit(record, tmp_path / "thing.lock") as mapping,
    ):
        mapping["count"] = 2
    assert load(record)["count"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\nb: [1, 2\nc: 3\n", "line 3"),
        (b"a: \xff\n", "byte 3"),
        (b"- 1\n- 2\n", "not a mapping"),
        (b"a: 1\nb: \x07\n", "line 2"),
        (b"", "not a mapping"),
        (b"a: 1\na: {b: ]\n", "line 2"),
    ],
)
def test_damage_is_named_with_its_place_and_left(record, tmp_path, content, said):
    record.write_bytes(content)
    for attempt in (
        lambda: yaml_records.read(record),
        lambda: yaml_records.edit(record, tmp_path / "t.lock").__enter__(),
    ):
        with pytest.raises(n4w.CorruptFileError, match=said) as caught:
            attempt()
        assert caught.value.path == str(record)
    assert record.read_bytes() == content


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(n4w.NotFoundError) as caught:
        yaml_records.read(tmp_path / "no.yaml")
    assert caught.value.path == str(tmp_path / "no.yaml")


ADD = """
import sys
from pathlib import Path
from nirs4all_workspace._io import yaml_records
for _ in range(25):
    with yaml_records.edit(Path(sys.argv[1]), Path(sys.argv[2]), timeout=60) as mapping:
        mapping["count"] += 1
"""


def test_no_update_is_lost_between_processes(record, tmp_path):
    workers = [subprocess.Popen([sys.executable, "-c", ADD, record, tmp_path / "t.lock"]) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert load(record)["count"] == 101


def nested(levels):
    """Lists in lists."""
    value = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


UNREADABLE = [
    ("b\udcffro", ValueError, r"\['it'\].*ud"),
    ({"a": [{"b": "\ud800"}]}, ValueError, r"\['it'\]\['a'\]\[0\]\['b'\].*ud800"),
    ({"\ud800": 1}, ValueError, r"\['it'\].*ud"),
    (nested(200), ValueError, r"\['it'\].*200 levels"),
    (nested(50_000), ValueError, r"\['it'\].*200 levels"),
    (10**5000, ValueError, r"\['it'\].*digits"),
    ("x" * (65 << 20), ValueError, r"\['it'\].*65 MiB"),
    (object(), TypeError, r"\['it'\].*object"),
    ([n4w.RunStatus.QUEUED], TypeError, r"\['it'\]\[0\].*RunStatus"),
]


@pytest.mark.parametrize("number", range(len(UNREADABLE)))
def test_what_no_reader_could_read_is_not_written(record, tmp_path, number):
    value, error, named = UNREADABLE[number]
    before = record.read_bytes()
    with pytest.raises(error, match=named):
        yaml_records.create(tmp_path / "other.yaml", {"id": "x", "it": value})
    with pytest.raises(error, match=named), yaml_records.edit(record, tmp_path / "thing.lock") as mapping:
        mapping["it"] = value
    assert record.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thing.holder", "thing.lock", "thing.yaml"]
    yaml_records.create(tmp_path / "other.yaml", {"id": "x", "it": nested(199)})
    assert _native.read_yaml(tmp_path / "other.yaml") == yaml_records.read(tmp_path / "other.yaml")


def test_a_record_of_a_run_is_checked_as_its_readers_do(tmp_path):
    for name, mapping in {
        "run.yaml": {"status": "asleep"},
        "templates.yaml": {"templates": [{"id": 5}]},
        "datasets.yaml": {"datasets": [{"name": None}]},
    }.items():
        with pytest.raises(ValueError, match=name):
            yaml_records.create(tmp_path / name, mapping)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a\udcff"},
        {"description": "\udcff"},
        {"config": {"a": {"b": "\udcff"}}},
        {"config": {"a": nested(250)}},
        {"config": {"a": 10**5000}},
        {"modifications": [{"type": "x", "it": "\udcff"}]},
        {"templates": [n4w.Template(["a"], name="\udcff")]},
        {"templates": [n4w.Template(["a"], description=object())]},
        {"templates": [["\udcff"]]},
        {"datasets": ["\udcff"]},
        {"datasets": [{"name": "a", "hash": 5}]},
    ],
)
def test_a_run_that_nobody_could_read_is_not_made(tmp_path, given):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with pytest.raises((TypeError, ValueError)) as caught:
        ws.runs.create(**{"name": "run", **given})
    assert "[" in str(caught.value) or "'hash'" in str(caught.value)
    assert list((ws.path / "runs").iterdir()) == []
    assert (list(ws.runs.list()), ws.runs.list().errors) == ([], [])
    assert ws.runs.create("run").status == "queued"
