"""Every write, fsync, rename and mkdir of what is done with runs made to fail, one by one, or to be the last.

Afterwards the old state or the new one is there, never a half, and doing it again succeeds.
"""

import os
import shutil
import signal
import time

import nirs4all_workspace as n4w
import pytest
from processes import tree
from samples import strict
from tracing import calls_made, need_strace, traced

WORKER = """
import json, os, sys
import nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
for run in ws.runs.list(): ws.verify()  # whatever is imported late is imported now
n4w.Template([1.5]).id
operation = compile(sys.argv[3], "operation", "eval")
report = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
print(os.getpid(), flush=True)
os.read(0, 1)
try:
    answer = {"done": str(eval(operation))}
except BaseException as error:
    answer = {"raised": type(error).__name__, "errno": getattr(error, "errno", None)}
os.writev(report, [json.dumps(answer).encode()])  # a call that no test lets fail
os._exit(0)
"""
CALLS = {
    "write": "write,pwrite64,copy_file_range,sendfile",
    "sync": "fsync,fdatasync",
    "name": "rename,renameat,renameat2,linkat,mkdir,mkdirat,unlink,unlinkat,rmdir",
}
OLD = ["old", "waits"]
# The short form takes one number of an error for each call, the long one both.
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "5"))
OPERATIONS = {
    "create": "ws.runs.create('new', templates=[['t']], datasets=['wheat'], config={'cv_folds': 5})",
    "transition": "[ws.runs.list()[1].transition(to) for to in ('running', 'completed')]",
    "template": "ws.templates.add(n4w.Template([{'_or_': [1, 2]}]))",
    "artifact": "ws.artifacts.put(b'model' * 100_000)",
    "delete": "ws.runs.delete(ws.runs.list()[0].id)",
}


@pytest.fixture(scope="module", autouse=True)
def _strace():
    need_strace()


@pytest.fixture
def original(tmp_path):
    """A workspace with a run that has rows on two datasets and an artifact of its own, and one that waits."""
    ws = n4w.Workspace.create(tmp_path / "original")
    run = ws.runs.create("old", templates=[["old"]], datasets=["wheat", "corn"])
    own = ws.artifacts.put(b"own")
    with run:
        for result in run.plan([{"name": "only"}]):
            with run.writer(result.dataset_name) as writer:
                writer.write({"result_id": result.id, "val_score": 1.0, "metric": "rmse"})
                result.artifacts = [own]
                writer.checkpoint(result)
    ws.runs.create("waits")
    # What may be removed once it is old enough would be removed by some of the rounds only.
    for path in ws.path.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)
    return ws.path


def moments(original, tmp_path, operation, kind):
    """Each call of this kind that the operation makes: its name and which of its like it is."""
    folder = shutil.copytree(original, tmp_path / f"count-{kind}")
    code, lines = traced(
        WORKER, [folder, tmp_path / f"count-{kind}.json", OPERATIONS[operation]], CALLS[kind]
    )
    assert code == 0
    assert "done" in strict((tmp_path / f"count-{kind}.json").read_text())
    return calls_made(lines, CALLS[kind])


def check(folder, operation, before, report):
    """Old or new, and the report tells which; again, and it is new."""
    ws = n4w.Workspace.open(folder)
    listed = ws.runs.list()
    assert listed.errors == []
    found = ws.verify(full=True)
    assert found["problems"] == []
    done = report is not None and "done" in report
    if report is not None and not done:
        assert report["raised"] in ("OSError", "PermissionError"), report
        assert report["errno"] in (5, 28)
        assert not list(folder.rglob(".n4w-*")), "a failed call cleans up"
    names = [run.name for run in listed]
    if operation == "create":
        assert names in ([[*OLD, "new"]] if done else [OLD, [*OLD, "new"]])
        for run in listed[2:]:
            assert run.templates
            assert run.datasets
        new = tree(folder)
        assert {name: new[name] for name in before} == before
    elif operation == "transition":
        run = listed[1]
        assert run.status in (["completed"] if done else ["queued", "running", "completed"])
        assert not run.is_owned
        ws.recover()
        if run.status != "completed":
            with run.resume():
                pass
    elif operation == "template":
        assert len(ws.templates.list()) in ([2] if done else [1, 2])
        assert [ws.templates.get(template).steps for template in ws.templates.list()]
        assert ws.templates.add(n4w.Template([{"_or_": [1, 2]}])) in ws.templates.list()
    elif operation == "artifact":
        assert len(list(ws.artifacts.files())) in ([2] if done else [1, 2])
        assert ws.artifacts.get(ws.artifacts.put(b"model" * 100_000)).read_bytes() == b"model" * 100_000
    else:
        rows = ws.predictions.scan().collect().height
        assert (names, rows) in ([(["waits"], 0)] if done else [(["waits"], 0), (OLD, 2)])
        if names == OLD:
            ws.runs.delete(listed[0].id)
        for item in ws.gc(yes=True)["errors"]:
            raise AssertionError(item)
        left = {
            name
            for name in tree(folder)
            if not name.startswith(("templates/", "workspace.yaml", f"runs/{listed[-1].id}/"))
        }
        assert {name for name in left if "/.n4w-" not in name} == set()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", CALLS)
def test_each_call_failing(original, tmp_path, operation, kind):
    for name, nth in moments(original, tmp_path, operation, kind):
        for errno in ("ENOSPC", "EIO") if STRIDE == 1 else (("ENOSPC", "EIO")[nth % 2],):
            place = shutil.copytree(original, tmp_path / f"{name}{nth}{errno}")
            before = tree(place)
            report = tmp_path / f"{name}{nth}{errno}.json"
            code, lines = traced(
                WORKER, [place, report, OPERATIONS[operation]], f"{name}:error={errno}:when={nth}"
            )
            assert any("INJECTED" in line for line in lines), (name, nth, lines)
            assert code == 0, (name, nth, lines)
            check(place, operation, before, strict(report.read_text()))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", CALLS)
def test_each_call_being_the_last(original, tmp_path, operation, kind):
    for name, nth in moments(original, tmp_path, operation, kind):
        place = shutil.copytree(original, tmp_path / f"{name}{nth}")
        before = tree(place)
        code, _ = traced(
            WORKER, [place, tmp_path / "report.json", OPERATIONS[operation]], f"{name}:signal=KILL:when={nth}"
        )
        assert code == -signal.SIGKILL, (name, nth)
        check(place, operation, before, None)
