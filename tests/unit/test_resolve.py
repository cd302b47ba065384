"""Every stage and status of finding a dataset again, on real files."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time

import nirs4all_workspace as n4w
import pytest
from settling import settle


def make(folder, data):
    """A workspace, and copies of two datasets elsewhere."""
    ws = n4w.Workspace.create(folder / "lab" / "ws")
    for name in ("regression", "classification"):
        shutil.copytree(data(name), folder / "store" / name, copy_function=shutil.copyfile)
        (folder / "store" / name).chmod(0o755)
    return ws


@pytest.fixture
def lab(tmp_path, data):
    return make(tmp_path, data)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture(scope="module")
def labs(tmp_path_factory, data):
    """As many as tests need whose files are old enough to be cached; they grow old together."""
    return iter([make(tmp_path_factory.mktemp("old"), data) for _ in range(6)])


@pytest.fixture
def old_lab(labs):
    """One of them, and its datasets."""
    ws = next(labs)
    settle(ws.path.parents[1])
    return ws, ws.path.parents[1] / "store"


def outcome(found):
    return found.status, found.stage, found.path


def reopened(ws):
    """The workspace as another process would see it: nothing in memory."""
    return n4w.Workspace.open(ws.path)


def stages(found):
    return {stage.stage: (stage.candidates, stage.bytes_read) for stage in found.stages}


@pytest.mark.parametrize("name", ["regression", "regression/Xcal.csv.gz", "classification/Xtrain.csv"])
def test_valid_is_read_once(old_lab, name):
    lab, store = old_lab
    record = lab.datasets.register(store / name)
    for ws in (lab, reopened(lab)):
        found = ws.datasets.resolve(record.id)
        assert outcome(found) == ("valid", "path", store / name)
        assert (found.bytes_read, found.basis, found.proven) == (0, "ctime", True)
    shutil.rmtree(lab.path / ".cache")
    found = reopened(lab).datasets.resolve(record.id)
    assert outcome(found) == ("valid", "path", store / name)
    assert (found.bytes_read, found.basis) == (record.file_size, "content")


def test_where_ctime_cannot_be_trusted_that_is_said(old_lab, monkeypatch):
    from nirs4all_workspace import _native

    lab, store = old_lab
    record = lab.datasets.register(store / "regression")
    monkeypatch.setattr(_native, "has_trusted_ctime", lambda _: False)
    found = lab.datasets.resolve(record.id)
    assert (found.status, found.basis, found.bytes_read) == ("valid", "mtime", 0)
    assert "size and mtime" in found.reason


def test_resolving_writes_nothing_but_cache(lab, store):
    record = lab.datasets.register(store / "regression")
    (store / "regression").rename(store / "elsewhere")
    before = {path: path.read_bytes() for path in (lab.path / "datasets").iterdir()}
    listing = sorted(path for path in lab.path.rglob("*") if ".cache" not in path.parts)
    assert lab.datasets.resolve(record.id).status == "found_by_hash"
    assert {path: path.read_bytes() for path in (lab.path / "datasets").iterdir()} == before
    assert sorted(path for path in lab.path.rglob("*") if ".cache" not in path.parts) == listing


@pytest.mark.parametrize("place", ["data", "datasets", "../data", "../datasets"])
def test_moved_to_a_usual_place(lab, store, place):
    record = lab.datasets.register(store / "classification")
    target = (lab.path / place).resolve()
    target.mkdir(exist_ok=True)
    shutil.move(store / "classification", target)
    found = lab.datasets.resolve(record.id)
    assert outcome(found) == ("relocated", "name", target / "classification")
    assert found.proven
    assert str(target / "classification") in found.reason


def test_moved_to_a_search_root(lab, store, tmp_path):
    record = lab.datasets.register(store / "regression" / "Xcal.csv.gz")
    shutil.move(store / "regression" / "Xcal.csv.gz", tmp_path / "usb")
    (tmp_path / "stick" / "deep").mkdir(parents=True)
    shutil.move(tmp_path / "usb", tmp_path / "stick" / "Xcal.csv.gz")
    assert outcome(lab.datasets.resolve(record.id)) == ("missing", None, None)
    found = lab.datasets.resolve(record.id, search_roots=[tmp_path / "stick"])
    assert outcome(found) == ("relocated", "name", tmp_path / "stick" / "Xcal.csv.gz")
    shutil.move(tmp_path / "stick" / "Xcal.csv.gz", tmp_path / "stick" / "deep" / "other name")
    found = lab.datasets.resolve(record.id, search_roots=[tmp_path / "stick"])
    assert outcome(found) == ("found_by_hash", "full_hash", tmp_path / "stick" / "deep" / "other name")


def test_a_file_of_that_name_with_other_content_is_not_it(lab, store):
    record = lab.datasets.register(store / "regression" / "Ycal.csv.gz")
    (lab.path / "data").mkdir()
    (lab.path / "data" / "Ycal.csv.gz").write_bytes(bytes(record.file_size))
    (store / "regression" / "Ycal.csv.gz").unlink()
    assert outcome(lab.datasets.resolve(record.id)) == ("missing", None, None)


@pytest.mark.parametrize("name", ["regression", "classification", "regression/Yval.csv.gz"])
def test_renamed(lab, store, name):
    record = lab.datasets.register(store / name)
    renamed = (store / name).with_name("renamed by hand")
    (store / name).rename(renamed)
    found = lab.datasets.resolve(record.id)
    assert outcome(found) == ("found_by_hash", "full_hash", renamed)
    assert found.proven


def test_renamed_among_ten_thousand_of_equal_size(lab, store):
    many = store / "many"
    for i in range(10_000):
        path = many / str(i % 100) / f"{i}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%08d;1.5;2.5\n" % i)
    record = lab.datasets.register(many / "17" / "7717.csv")
    shutil.move(many / "17" / "7717.csv", many / "33" / "lost.csv")
    found = lab.datasets.resolve(record.id, search_roots=[many])
    assert outcome(found) == ("found_by_hash", "full_hash", many / "33" / "lost.csv")
    assert stages(found)["size"] == (10_000, 0)
    assert stages(found)["quick_hash"] == (10_000, 10_000 * record.file_size)
    assert stages(found)["full_hash"] == (1, record.file_size)
    (many / "33" / "lost.csv").unlink()
    assert outcome(lab.datasets.resolve(record.id, search_roots=[many])) == ("missing", None, None)


@pytest.mark.parametrize("name", ["regression", "regression/Xval.csv.gz"])
def test_edited_keeping_mtime_and_size(old_lab, name):
    lab, store = old_lab
    record = lab.datasets.register(store / name)
    assert lab.datasets.resolve(record.id).basis == "ctime"
    file = store / "regression" / "Xval.csv.gz"
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[-10_000] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    for ws in (lab, reopened(lab)):
        found = ws.datasets.resolve(record.id)
        assert outcome(found) == ("hash_mismatch", "path", None)
        assert "has other content" in found.reason


def test_other_content_at_its_path_and_the_true_one_elsewhere(lab, store):
    record = lab.datasets.register(store / "regression" / "Xval.csv.gz")
    shutil.move(store / "regression" / "Xval.csv.gz", store / "true")
    shutil.copy(store / "regression" / "Xcal.csv.gz", store / "regression" / "Xval.csv.gz")
    (lab.path / "data").mkdir()
    shutil.move(store / "true", lab.path / "data" / "kept")
    found = lab.datasets.resolve(record.id)
    assert outcome(found) == ("hash_mismatch", "full_hash", None)
    assert found.candidate == lab.path / "data" / "kept"
    assert str(found.candidate) in found.reason


@pytest.mark.parametrize("truncated", [True, False])
def test_changing_while_it_is_hashed(lab, store, truncated):
    file = store / "large.bin"
    with file.open("wb") as opened:
        opened.truncate(300 << 20)
    record = lab.datasets.register(file)
    shutil.rmtree(lab.path / ".cache", ignore_errors=True)
    stop = threading.Event()

    def change():
        while not stop.is_set():
            if truncated:
                os.truncate(file, (300 << 20) - 1)
            os.truncate(file, 300 << 20)
            time.sleep(0.002)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        found = [reopened(lab).datasets.resolve(record.id) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    # Its size is looked at first: where it is truncated just then, other content it is.
    assert "unstable" in {it.status for it in found} <= {"unstable", "hash_mismatch"}
    assert all(it.path is None for it in found)
    assert "changed while it was read, twice" in {it.status: it for it in found}["unstable"].reason
    assert lab.datasets.resolve(record.id).status == "valid"


@pytest.mark.parametrize("name", ["regression", "regression/Xval.csv.gz"])
def test_deleted(lab, store, name):
    record = lab.datasets.register(store / name)
    shutil.rmtree(store / "regression")
    found = lab.datasets.resolve(record.id)
    assert outcome(found) == ("missing", None, None)
    assert f"nothing is at {store / name}" in found.reason


def test_replaced_by_a_folder_and_a_folder_by_a_file(lab, store):
    file = lab.datasets.register(store / "classification" / "Xtest.csv")
    folder = lab.datasets.register(store / "regression")
    (store / "classification" / "Xtest.csv").unlink()
    shutil.copytree(store / "regression", store / "classification" / "Xtest.csv")
    shutil.rmtree(store / "regression")
    (store / "regression").write_bytes(bytes(folder.file_size))
    assert outcome(lab.datasets.resolve(file.id)) == ("hash_mismatch", "path", None)
    found = lab.datasets.resolve(folder.id, search_roots=[store])
    assert outcome(found) == ("hash_mismatch", "full_hash", None)
    assert found.candidate == store / "classification" / "Xtest.csv"


def test_unreadable(lab, store, tmp_path):
    """In a process without rights, since root may read everything."""
    record = lab.datasets.register(store / "regression" / "Xval.csv.gz")
    other = lab.datasets.register(store / "classification")
    shutil.rmtree(lab.path / ".cache", ignore_errors=True)
    for parent in [tmp_path, *list(tmp_path.parents)[:2]]:
        parent.chmod(0o755)
    (store / "regression" / "Xval.csv.gz").chmod(0)
    code = f"""
import os, sys
import nirs4all_workspace as n4w
# All that is imported on use is imported by now: the environment may not be everybody's.
assert n4w.Workspace.open({str(lab.path)!r}).datasets.resolve({other.id!r}).status == "valid"
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
found = n4w.Workspace.open({str(lab.path)!r}).datasets.resolve({record.id!r})
print(found.status, found.path, found.reason)
print(found.errors[0]["path"], found.errors[0]["kind"])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("unreadable None"), run.stderr
    assert "cannot be read: Permission denied" in lines[0]
    assert lines[1] == f"{store / 'regression' / 'Xval.csv.gz'} unreadable"


def rewrite(lab, record, **values):
    """What somebody writes into a record by hand."""
    import yaml

    path = lab.path / "datasets" / f"{record.id}.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8")) | values
    path.write_text(yaml.safe_dump(mapping), "utf-8")


def test_without_a_size_everything_is_hashed_and_that_is_said(lab, store):
    record = lab.datasets.register(store / "regression")
    rewrite(lab, record, file_size=None, quick_hash=None)
    assert outcome(lab.datasets.resolve(record.id)) == ("valid", "path", store / "regression")
    (store / "regression").rename(store / "elsewhere")
    reports = []
    found = lab.datasets.resolve(record.id, progress=lambda *now: reports.append(now))
    assert outcome(found) == ("found_by_hash", "full_hash", store / "elsewhere")
    assert found.slow
    assert found.proven
    assert reports


def test_sha256_proves_as_well(lab, store):
    file = store / "classification" / "Xtrain.csv"
    record = lab.datasets.register(file)
    rewrite(lab, record, hash=f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
    assert outcome(lab.datasets.resolve(record.id)) == ("valid", "path", file)
    file.rename(file.with_name("other"))
    assert outcome(lab.datasets.resolve(record.id)) == ("found_by_hash", "full_hash", file.with_name("other"))


def test_a_hash_of_unknown_kind_is_matched_by_the_rest_and_proves_nothing(lab, store):
    file = store / "classification" / "Xtrain.csv"
    record = lab.datasets.register(file)
    rewrite(lab, record, hash="0123456789abcdef")
    found = lab.datasets.resolve(record.id)
    assert (*outcome(found), found.proven) == ("valid", "path", file, False)
    file.rename(file.with_name("other"))
    found = lab.datasets.resolve(record.id)
    assert (found.status, found.path, found.proven) == ("found_by_hash", file.with_name("other"), False)
    assert "names no known algorithm" in found.reason


def test_nothing_known_but_a_path(lab, store):
    record = lab.datasets.register(store / "regression")
    rewrite(lab, record, hash=None, file_size=None, quick_hash=None, versions=[])
    found = lab.datasets.resolve(record.id)
    assert (*outcome(found), found.proven) == ("unknown", "path", store / "regression", False)


def test_a_workspace_that_moved_finds_what_lies_inside(lab, store):
    (lab.path / "data").mkdir()
    shutil.move(store / "regression", lab.path / "data" / "wheat")
    record = lab.datasets.register(lab.path / "data" / "wheat")
    assert (record.original_path, record.current_path) == ("data/wheat", "data/wheat")
    moved = lab.path.with_name("moved")
    lab.path.rename(moved)
    found = n4w.Workspace.open(moved).datasets.resolve("wheat")
    assert outcome(found) == ("valid", "path", moved / "data" / "wheat")


def test_a_forged_mtime_and_a_reused_inode(lab, store):
    """Safety row "hash cache": no stat that an edit can leave is taken for the old content."""
    file = store / "a"
    file.write_bytes(b"x" * 1000)
    os.utime(file, (1_500_000_000, 1_500_000_000))
    settle(file)
    record = lab.datasets.register(file)
    assert lab.datasets.resolve(record.id).basis == "ctime"
    inode = file.stat().st_ino
    for attempt in range(200):
        file.unlink()
        file.write_bytes(b"y" * 1000)
        os.utime(file, (1_500_000_000, 1_500_000_000))
        assert lab.datasets.resolve(record.id).status == "hash_mismatch", attempt
        if file.stat().st_ino == inode:
            break


def test_edits_of_equal_size_within_one_tick(lab, store):
    file = store / "a"
    file.write_bytes(b"0" * 8)
    record = lab.datasets.register(file)
    for i in range(1, 300):
        file.write_bytes(b"%08d" % i)
        assert lab.datasets.resolve(record.id).status == "hash_mismatch", i
        file.write_bytes(b"0" * 8)
        assert lab.datasets.resolve(record.id).status == "valid", i
