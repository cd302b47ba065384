"""Every system call of writing, recovering, compacting and sweeping made to fail, or to be the last."""

import errno
import json
import os
import shutil
import signal
from collections import Counter

import pytest
from tracing import traced
from writing import (
    DATASET,
    PRELUDE,
    RUN,
    age,
    calls,
    check_exactly_once,
    check_recovered,
    ids,
    journals,
    recover,
    results,
    row,
    sealed_ids,
    workspace,
)
from writing import run as leave

# The short form tries every n-th place of each call.
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "5"))

BEGIN = (
    PRELUDE
    + """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one thread: strace counts the calls of each
from nirs4all_workspace import _native
acknowledged, raised = {"rows": [], "results": []}, []
report = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def tell(kind, *names):  # with a call that no test lets fail
    acknowledged[kind] += names
    os.writev(report, [json.dumps([acknowledged, raised]).encode() + b"\\n"])

def attempt(work, *kinds_and_names):
    for _ in range(3):
        try:
            work()
        except (OSError, n4w.WorkspaceError) as error:
            raised.append([type(error).__name__, error.errno if isinstance(error, OSError) else None,
                           str(getattr(error, "filename", None))])
            tell("rows")
        else:
            for kind, names in kinds_and_names:
                tell(kind, *names)
            return True
    return False

ws = n4w.Workspace.open(ROOT)
import polars
print(os.getpid(), flush=True)
os.read(0, 1)
"""
)
WRITE = (
    BEGIN
    + """
opened = []
if attempt(lambda: opened.append(ws.predictions.writer(RUN, DATASET))):
    writer = opened[0]
    writer.write(row("a0", y_pred=[1.0, 2.0]))
    attempt(writer.flush, ("rows", ["a0"]))
    writer.write(row("b0", "r1"))
    attempt(writer.flush, ("rows", ["b0"]))
    writer.write(row("c0", "r1", y_pred=[3.0]))
    attempt(lambda: writer.checkpoint({"id": "r1"}), ("rows", ["c0"]), ("results", ["r1"]))
    writer.write(row("d0", "r2"))
    attempt(writer.flush, ("rows", ["d0"]))
    attempt(writer.close)
tell("rows")
os._exit(0)
"""
)
TIDY = (
    BEGIN
    + """
attempt(lambda: [raised.append(["problem", None, p["path"]]) for p in _native.recover(ROOT)["problems"]])
attempt(lambda: _native.compact(ROOT, RUN))
attempt(lambda: _native.sweep(ROOT))
tell("rows")
os._exit(0)
"""
)
CALLS = {
    "write": ["write", "pwrite64"],
    "sync": ["fsync", "fdatasync"],
    "name": ["rename", "renameat", "renameat2", "linkat", "link", "unlink", "mkdir"],
    "open": ["openat"],
    "cut": ["ftruncate"],
}
ABANDON = """
ws = n4w.Workspace.open(ROOT)
for number in range(2):
    writer = ws.predictions.writer(RUN, DATASET)
    writer.write(row(f"old{number}", "old", y_true=[1.0]))
    writer.checkpoint({"id": f"old{number}"} if number else {"id": "old"})
    writer.write(row(f"new{number}"))
    writer.flush()
    if number:
        writer.close()
os._exit(0)
"""


def fresh(root):
    """An empty workspace to write to."""
    workspace(root)
    return [], []


def abandoned(root):
    """One with a segment that is sealed and a journal whose writer died."""
    ws = workspace(root)
    with ws.predictions.writer(RUN, DATASET) as writer:
        writer.write(row("sealed0"))
    leave(ABANDON, root)
    age(root)
    return ["sealed0", "old0", "new0", "new1"], ["old", "old1"]


SCENES = {"write": (WRITE, fresh), "tidy": (TIDY, abandoned)}


def said(file):
    """What the worker last said: what was acknowledged, and what was raised."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return json.loads(lines[-1]) if lines else ({"rows": [], "results": []}, [])


def places(tmp_path, scene, kind):
    """Each call of this kind that a scene makes below its workspace: its name and its number."""
    code, prepare = SCENES[scene]
    root = tmp_path / f"count-{kind}"
    prepare(root)
    exit_code, lines = traced(code, [root, tmp_path / f"count-{kind}.json"], ",".join(CALLS[kind]))
    assert exit_code == 0, lines
    made = Counter()
    for thread in {line.partition("]")[0] for line in lines}:
        made |= Counter(name for name, _ in calls([line for line in lines if line.startswith(thread)]))
    found = [(name, nth) for name in CALLS[kind] for nth in range(1, made[name] + 1)]
    return found[:: 1 if len(found) <= STRIDE else STRIDE]


def run(tmp_path, scene, inject):
    code, prepare = SCENES[scene]
    number = len(list(tmp_path.iterdir()))
    root, file = tmp_path / f"ws{number}", tmp_path / f"said{number}.json"
    before = prepare(root)
    exit_code, lines = traced(code, [root, file], inject)
    acknowledged, raised = said(file)
    rows, finished = before[0] + acknowledged["rows"], before[1] + acknowledged["results"]
    return root, exit_code, rows, finished, raised, lines


def check_healed(root, rows, finished):
    seen = ids(root, partial=True)
    check_exactly_once(seen, rows)
    assert recover(root)["problems"] == []
    check_recovered(root, rows, finished)
    age(root)
    recover(root)
    check_recovered(root, rows, finished)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("kind", ["write", "sync", "name", "open"])
def test_each_call_failing(tmp_path, scene, kind):
    for number, (name, nth) in enumerate(places(tmp_path, scene, kind)):
        code = ("ENOSPC", "EIO")[number % 2]
        root, exit_code, rows, finished, raised, lines = run(
            tmp_path, scene, f"{name}:error={code}:when={nth}"
        )
        where = (name, nth, raised, lines[-5:])
        assert any("INJECTED" in line for line in lines), where
        assert exit_code == 0, where
        for kind_of_error, number_of_error, filename in raised:
            assert kind_of_error != "OSError" or number_of_error == getattr(errno, code), where
            assert kind_of_error == "problem" or str(root) in filename, where
        if scene == "write" and not (name == "openat" and rows == []):
            # The writer went on: whatever failed once was written by the next try.
            assert set(rows) == {"a0", "b0", "c0", "d0"}, where
            assert finished == ["r1"], where
        check_healed(root, rows, finished)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("kind", ["write", "sync", "name", "open"])
def test_each_call_being_the_last(tmp_path, scene, kind):
    for name, nth in places(tmp_path, scene, kind):
        root, exit_code, rows, finished, _, lines = run(tmp_path, scene, f"{name}:signal=KILL:when={nth}")
        assert exit_code == -signal.SIGKILL, (name, nth, lines[-5:])
        check_healed(root, rows, finished)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_frame_that_cannot_be_cut_off_is_not_counted_twice(tmp_path, call, nth):
    """The flush fails and so does truncating: the successor's header says where the old journal ends."""
    first = nth + (call == "pwrite64")  # the header comes first
    root, file = tmp_path / "ws", tmp_path / "said.json"
    fresh(root)
    inject = f"{call},ftruncate"
    extra = ["-e", f"inject={call}:error=EIO:when={first}", "-e", "inject=ftruncate:error=EIO"]
    exit_code, lines = traced(WRITE, [root, file], inject, filters=extra)
    assert exit_code == 0, lines
    acknowledged, raised = said(file)
    assert raised
    assert set(acknowledged["rows"]) == {"a0", "b0", "c0", "d0"}
    assert sorted(ids(root, partial=True).elements()) == ["a0", "b0", "c0", "d0"]
    assert results(root) == {"r1": 1}
    check_healed(root, acknowledged["rows"], acknowledged["results"])


COPIED = (
    BEGIN
    + """
import shutil
writer = ws.predictions.writer(RUN, DATASET)
writer.write(row("a0"))
writer.flush()
writer.write(row("b0"))
try:
    writer.flush()
except OSError:
    shutil.copytree(ROOT, ROOT + "-copy")
    writer.flush()
    tell("rows", "a0", "b0")
os._exit(0)
"""
)


def test_a_frame_that_was_sealed_in_a_copy_before_its_writer_took_it_back(tmp_path):
    root, file, copy = tmp_path / "ws", tmp_path / "said.json", tmp_path / "ws-copy"
    fresh(root)
    extra = ["-e", "inject=fdatasync:error=EIO:when=2", "-e", "inject=ftruncate:error=EIO"]
    exit_code, lines = traced(COPIED, [root, file], "fdatasync,ftruncate", filters=extra)
    assert exit_code == 0, lines
    assert said(file)[0]["rows"] == ["a0", "b0"]
    recover(copy)
    assert ids(copy) == {"a0": 1, "b0": 1}, "whole, though its writer was not told so"
    shutil.copytree(root, copy, dirs_exist_ok=True)
    assert ids(copy) == {"a0": 1, "b0": 1}
    check_healed(copy, ["a0", "b0"], [])


SWEEP = (
    BEGIN
    + """
attempt(lambda: raised.extend(["problem", None, p["path"]] for p in _native.recover(ROOT)["problems"]))
tell("rows")
os._exit(0)
"""
)


def test_a_journal_is_kept_while_it_is_not_known_what_lies_beside_it(tmp_path):
    root, file = tmp_path / "ws", tmp_path / "said.json"
    rows, finished = abandoned(root)
    beside = next(root.glob("predictions/*/partial"))
    extra = ["-P", beside, "-e", "inject=openat:error=EIO"]
    exit_code, lines = traced(SWEEP, [root, file], "openat", filters=extra)
    assert exit_code == 0, lines
    assert any("INJECTED" in line for line in lines)
    assert "predictions/" + "/".join(beside.parts[-2:]) in [path for _, _, path in said(file)[1]]
    check_healed(root, rows, finished)


def test_closing_again_after_closing_failed(tmp_path):
    """Where the first journal was empty and went with the first try."""
    root, file = tmp_path / "ws", tmp_path / "said.json"
    fresh(root)
    extra = [
        "-e",
        "inject=fdatasync:error=EIO:when=1",
        "-e",
        "inject=rename,renameat,renameat2:error=EIO:when=1",
    ]
    exit_code, lines = traced(WRITE, [root, file], "fdatasync,rename,renameat,renameat2", filters=extra)
    assert exit_code == 0, lines
    acknowledged, raised = said(file)
    assert [one[:2] for one in raised] == [["OSError", 5]] * 2, raised
    assert journals(root), "the journals stay for a while"
    assert ids(root, live=False) == sealed_ids(root) == dict.fromkeys(["a0", "b0", "c0"], 1)
    check_healed(root, acknowledged["rows"], acknowledged["results"])


def test_a_flush_returns_after_the_sync_of_its_journal(tmp_path):
    """The journal's data, and with the first flush its folders' entries, before anything is acknowledged."""
    root = tmp_path / "ws"
    fresh(root)
    wanted = "pwrite64,fdatasync,fsync,writev"
    exit_code, lines = traced(WRITE, [root, tmp_path / "said.json"], wanted)
    assert exit_code == 0
    seen = [(name, rest) for name, rest in calls(lines) if name != "writev" or "said.json" in rest]
    flushes = [number for number, (name, _) in enumerate(seen) if name == "writev"][:4]
    assert len(flushes) == 4
    begin = 0
    for number, end in enumerate(flushes):
        within = seen[begin:end]
        names = [name for name, rest in within if ".journal>" in rest]
        if "pwrite64" in names:
            after = names[len(names) - names[::-1].index("pwrite64") :]
            assert "fdatasync" in after, (number, within)
        if number == 0:
            folders = [rest.partition("<")[2].partition(">")[0] for name, rest in within if name == "fsync"]
            folder = next(root.glob("predictions/*"))
            assert str(folder) in folders, within
            assert str(folder.parent) in folders, within
        begin = end + 1
    assert sum(name == "fdatasync" for name, _ in seen[: flushes[-1]]) >= 4 - 1


def test_a_segment_is_there_before_its_journal_goes(tmp_path):
    """Sync of the segment, its name, sync of the folder; and no journal is unlinked by whoever sealed it."""
    root = tmp_path / "ws"
    fresh(root)
    wanted = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
    exit_code, lines = traced(WRITE, [root, tmp_path / "said.json"], wanted)
    assert exit_code == 0
    seen = calls(lines)
    named = next(
        number
        for number, (name, rest) in enumerate(seen)
        if name.startswith("rename") and rest.count(".meta.parquet") and "partial" not in rest
    )
    folder = str(next(root.glob("predictions/*")))
    assert any(name == "fsync" and ".n4w-" in rest for name, rest in seen[named - 2 : named]), seen
    assert any(name == "fsync" and f"{folder}>" in rest for name, rest in seen[named + 1 :]), seen
    gone = [rest for name, rest in seen if name.startswith("unlink") and ".journal" in rest]
    assert gone == [], "a journal is removed later, once readers had time to see its segment"
