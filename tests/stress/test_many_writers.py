"""Many processes at once: writing, recovering, compacting and reading."""

import os
import shutil
import subprocess
import time
from collections import Counter

import nirs4all_workspace as n4w
import pytest
from samples import strict
from writing import RUN, age, check_recovered, ids, journals, recover, results, row, start, workspace

WRITERS = int(os.environ.get("N4W_STRESS_WRITERS", "8"))
SECONDS = float(os.environ.get("N4W_STRESS_SECONDS", "4"))

WRITER = """
ws = n4w.Workspace.open(ROOT)
say("ready")
sys.stdin.readline()
open_before = len(os.listdir("/proc/self/fd"))
for life in range(4):
    with ws.predictions.writer(RUN, f"d{(int(sys.argv[2]) + life) % 3}") as writer:
        for step in range(5):
            result = f"{os.getpid()}-{life}-{step}"
            for _ in range(4):
                writer.write({**row(None, result), "x": step})
            writer.checkpoint({"id": result})
            say("result", result)
assert len(os.listdir("/proc/self/fd")) == open_before
say("done")
"""


def test_nothing_is_lost_and_no_id_is_shared(tmp_path):
    root = workspace(tmp_path / "ws").path
    workers = [start(WRITER, root, number) for number in range(WRITERS)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = []
    for worker in workers:
        lines = worker.communicate(timeout=240)[0].split()
        assert worker.returncode == 0
        assert lines.pop() == "done"
        said += lines[1::2]
    assert len(said) == len(set(said)) == WRITERS * 20
    assert results(root) == dict.fromkeys(said, 1)
    rows = n4w.Workspace.open(root).predictions.scan().collect()
    assert rows["id"].n_unique() == rows.height == WRITERS * 80
    assert Counter(rows["result_id"]) == dict.fromkeys(said, 4)
    assert recover(root)["alive"] == []
    age(root)
    recover(root)
    assert journals(root) == []
    assert not list(root.rglob("*.fence"))
    assert not list(root.rglob(".n4w-*"))


READER = """
import warnings
warnings.simplefilter("error")
ws = n4w.Workspace.open(ROOT)
say("ready")
rounds = total = scanned = listed = 0
while not os.path.exists(sys.argv[2]):
    summary = ws.summary()
    assert summary["errors"] == [], summary["errors"]
    assert summary["total_predictions"] >= total, (total, summary["total_predictions"])
    total = summary["total_predictions"]
    ids = ws.predictions.scan().select("id").collect()["id"]
    assert ids.n_unique() == len(ids), "an id is there twice"
    assert len(ids) >= max(total, scanned), (len(ids), total, scanned)
    scanned = len(ids)
    page = ws.predictions.page(limit=100_000, sort_by="id", columns=["id"])
    assert page.errors == [], page.errors
    assert len({one["id"] for one in page.records}) == len(page.records) == page.total
    assert page.total >= max(scanned, listed), (page.total, scanned, listed)
    listed = page.total
    if total:
        top = ws.predictions.top(5)
        assert top.errors == []
        assert len({one["id"] for one in top}) == len(top) >= min(5, total)
    rounds += 1
say(json.dumps([rounds, scanned]))
"""
BUSY = """
ws = n4w.Workspace.open(ROOT)
for life in itertools.count():
    with ws.predictions.writer(RUN, f"d{life % 2}") as writer:
        for step in range(1 + life % 4):
            result = f"{os.getpid()}-{life}-{step}"
            writer.write(row(f"{result}-0", result))
            writer.checkpoint({"id": result})
        if life % 7 == 6:
            writer.flush()
            os._exit(0)
    if os.path.exists(sys.argv[2]):
        break
"""
TIDIER = """
from nirs4all_workspace import _native
while not os.path.exists(sys.argv[2]):
    problems = _native.recover(ROOT)["problems"]
    assert problems == [], problems
    _native.compact(ROOT, RUN)
"""


def test_readers_see_rows_come_and_never_go(tmp_path):
    """While writers flush, seal and die, and another process recovers and compacts."""
    ws = workspace(tmp_path / "ws")
    root, stop = ws.path, tmp_path / "stop"
    readers = [start(READER, root, stop) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    tidier, busy = start(TIDIER, root, stop), []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if sum(worker.poll() is None for worker in busy) < 2:
            busy.append(start(BUSY, root, stop))
        time.sleep(0.1)
    stop.touch()
    for worker in [tidier, *busy]:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    for reader in readers:
        said = reader.communicate(timeout=60)[0]
        assert reader.returncode == 0
        rounds, rows = strict(said)
        assert rounds > 1
        assert rows > 0
    recover(root)
    check_recovered(root, [])


SLOW = """
from nirs4all_workspace import _native
say(os.getpid())
os.read(0, 1)
total = n4w.Workspace.open(ROOT).summary()
answer = json.dumps([total["total_predictions"], total["errors"]])
with open(sys.argv[2], "w") as file:
    file.write(answer)
os._exit(0)
"""


@pytest.mark.parametrize(("is_sealed", "is_swept"), [(False, False), (True, True), (False, True)])
def test_a_journal_that_is_sealed_just_after_it_was_listed(tmp_path, is_sealed, is_swept):
    """strace holds the reader between listing a folder and looking at the files."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    ws = workspace(tmp_path / "ws")
    writer = ws.predictions.writer(RUN, "wheat")
    writer.write(row("a"))
    writer.flush()
    folder, file = writer.path.parent, tmp_path / "said.json"
    if is_sealed:
        writer.close()
    reader = start(SLOW, ws.path, file)
    pid = reader.stdout.readline().strip()
    command = ["strace", "-f", "-p", pid, "-P", folder, "-e", "trace=getdents64", "-e"]
    command += ["inject=getdents64:delay_exit=700000"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    if "attached" not in (line := tracer.stderr.readline()):
        reader.kill()
        pytest.skip(f"strace cannot attach here: {line}")
    reader.stdin.write("g")
    reader.stdin.flush()
    for line in tracer.stderr:
        if "getdents64" in line:
            break
    if not is_sealed:
        writer.close()
    if is_swept:
        age(ws.path)
        recover(ws.path)
        assert journals(ws.path) == []
    tracer.stderr.read()
    assert reader.wait() == 0
    reader.communicate()
    tracer.communicate()
    assert strict(file.read_text()) == [1, []]
    assert ids(ws.path) == {"a": 1}
