"""Every write, fsync, rename and open of a rebuild made to fail, one after the other, or to be the last.

strace attaches to a process that is ready to begin, so that its counts begin with the work itself.
"""

import signal

import nirs4all_workspace as n4w
import pyarrow.parquet as pq
import pytest
from samples import SKETCH, keys, strict, table, write
from tracing import calls_made, need_strace, traced

WORKER = """
import json, os, sys, nirs4all_workspace as n4w
from nirs4all_workspace import _native
report = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
print(os.getpid(), flush=True)
os.read(0, 1)
try:
    answer = _native.rebuild_summaries(sys.argv[1], None, threads=1)
except OSError as error:
    answer = {"raised": [type(error).__name__, error.errno, str(error.filename)]}
os.writev(report, [json.dumps(answer).encode()])  # a call that no test lets fail
os._exit(0)
"""
CALLS = {
    "write": "write,pwrite64,copy_file_range,sendfile,splice,ftruncate",
    "sync": "fsync,fdatasync",
    "rename": "rename,renameat,renameat2,linkat",
    "open": "openat",
    "mode": "fchmod,chmod,fchmodat",
}


@pytest.fixture(scope="module", autouse=True)
def _strace():
    need_strace()


@pytest.fixture
def original(tmp_path):
    path = write(tmp_path / "ws" / "wheat.meta.parquet", table(300))
    return path, path.read_bytes(), pq.read_table(path)


def check(original, report):
    """Old or new and readable; the report tells which; a rerun finishes and leaves nothing behind."""
    path, content, rows = original
    is_new = path.read_bytes() != content
    assert pq.read_table(path).equals(rows)
    assert (SKETCH in keys(path)) == is_new
    if is_new:
        assert n4w.read_summary(path)["scanned"] is None
    if report is not None:
        if report.get("written"):
            assert is_new
        else:
            assert report.get("errors") or report.get("raised"), "the failure was kept silent"
        for error in report.get("errors", []):
            assert error["path"] == path.name
            assert error["kind"] == "io"
            assert "space" in error["message"] or "nput/output" in error["message"]
        if "raised" in report:
            assert report["raised"][1] in (5, 28)
        leftover = list(path.parent.glob(".n4w-*"))
        assert leftover == [], "a failed rebuild removes its temporary file"
    again = n4w.Workspace.open(path.parent).predictions.rebuild_summaries()
    assert again["errors"] == []
    assert n4w.read_summary(path)["scanned"] is None
    assert pq.read_table(path).equals(rows)


def moments(tmp_path, kind):
    """Each call of this kind that a rebuild makes: its name and which of its like it is."""
    path = write(tmp_path / "count" / "wheat.meta.parquet", table(300))
    code, lines = traced(WORKER, [path.parent, tmp_path / "count.json"], CALLS[kind])
    assert code == 0
    assert strict((tmp_path / "count.json").read_text())["errors"] == []
    found = calls_made(lines, CALLS[kind])
    assert found
    return found


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("errno", ["ENOSPC", "EIO"])
def test_each_call_failing(original, tmp_path, kind, errno):
    path, content, _ = original
    for name, nth in moments(tmp_path, kind):
        path.write_bytes(content)
        file = tmp_path / f"{name}{nth}.json"
        code, lines = traced(WORKER, [path.parent, file], f"{name}:error={errno}:when={nth}")
        assert any("INJECTED" in line for line in lines), (name, nth, lines)
        assert code == 0, (name, nth, lines)
        check(original, strict(file.read_text()))


@pytest.mark.parametrize("kind", CALLS)
def test_each_call_being_the_last(original, tmp_path, kind):
    path, content, _ = original
    for name, nth in moments(tmp_path, kind):
        path.write_bytes(content)
        code, _ = traced(
            WORKER, [path.parent, tmp_path / f"{name}{nth}.json"], f"{name}:signal=KILL:when={nth}"
        )
        assert code == -signal.SIGKILL, (name, nth)
        check(original, None)


def test_the_data_is_synced_before_the_name_and_the_name_before_the_end(original, tmp_path):
    """fsync of the file, rename, fsync of the folder: in this order."""
    path, _, _ = original
    code, lines = traced(
        WORKER, [path.parent, tmp_path / "order.json"], "fsync,fdatasync,rename,renameat,renameat2"
    )
    assert code == 0
    calls = [
        line.split("(")[0].split()[-1] for line in lines if "(" in line and "meta" not in line.split("(")[0]
    ]
    steps = [
        "rename" if name.startswith("rename") else "sync"
        for name in calls
        if "sync" in name or "rename" in name
    ]
    at = steps.index("rename")
    assert "sync" in steps[:at]
    assert "sync" in steps[at + 1 :]
    assert strict((tmp_path / "order.json").read_text())["errors"] == []
