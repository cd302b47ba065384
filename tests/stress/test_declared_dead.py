"""Writers that were declared dead and live, and children that a writer did not ask for."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from writing import (
    DATASET,
    RUN,
    age,
    check_recovered,
    ids,
    journals,
    recover,
    row,
    start,
    workspace,
)

STOPPED = """
ws = n4w.Workspace.open(ROOT)
writer = ws.predictions.writer(RUN, DATASET)
writer.write(row("a"))
writer.flush()
say("flushed")
sys.stdin.readline()
finish = lambda: writer.checkpoint({"id": "r"})
for work in (lambda: writer.write(row("b")), writer.flush, writer.flush, finish, writer.close):
    try:
        work()
        say("done")
    except Exception as error:
        say(type(error).__name__)
say("end")
os._exit(0)
"""


def stopped(worker):
    """Wait until the kernel says that it is stopped."""
    worker.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{worker.pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)


def heard(worker):
    worker.stdin.write("\n")
    worker.stdin.flush()
    return worker.communicate()[0].split()


def test_a_writer_that_was_declared_dead_cannot_go_on(tmp_path):
    root = workspace(tmp_path / "ws").path
    worker = start(STOPPED, root)
    assert worker.stdout.readline() == "flushed\n"
    stopped(worker)
    assert [one["pid"] for one in recover(root)["alive"]] == [worker.pid]
    assert recover(root)["sealed"] == []
    report = recover(root, dead_hosts=[socket.gethostname()])
    assert [one["rows"] for one in report["sealed"]] == [1]
    worker.send_signal(signal.SIGCONT)
    said = heard(worker)
    assert said[0] == "done"
    assert said[1:-1] == ["ConflictError"] * 4
    assert worker.wait() == 0
    check_recovered(root, ["a"])
    assert ids(root) == {"a": 1}
    age(root)
    recover(root)
    assert journals(root) == []
    assert ids(root) == {"a": 1}


def test_a_writer_whose_journal_was_swept_cannot_go_on(tmp_path):
    root = workspace(tmp_path / "ws").path
    worker = start(STOPPED, root)
    assert worker.stdout.readline() == "flushed\n"
    stopped(worker)
    recover(root, dead_hosts=[socket.gethostname()])
    age(root)
    recover(root, dead_hosts=[socket.gethostname()])
    assert len(journals(root)) == 1, "as long as its lock is held it is kept"
    journals(root)[0].unlink()
    recover(root)
    worker.send_signal(signal.SIGCONT)
    assert heard(worker)[1] == "ConflictError"
    assert worker.wait() == 0
    check_recovered(root, ["a"])


FORKED = """
import signal
ws = n4w.Workspace.open(ROOT)
writer = ws.predictions.writer(RUN, DATASET)
writer.write(row("a"))
writer.flush()
child = os.fork()
if not child:
    finish = lambda: writer.checkpoint({"id": "r"})
    for work in (lambda: writer.write(row("b")), writer.flush, finish, writer.close):
        try:
            work()
            say("done")
        except Exception as error:
            say(type(error).__name__)
    os.setpgid(0, 0)
    say(os.getpid())
    signal.pause()
writer.write(row("c"))
writer.flush()
say("parent")
sys.stdin.readline()
os._exit(0)
"""


def test_a_forked_child_neither_writes_nor_keeps_the_writer_alive(tmp_path):
    root = workspace(tmp_path / "ws").path
    worker = start(FORKED, root)
    # Both processes print, and one's line may begin within the other's.
    said = "".join(worker.stdout.readline() for _ in range(6))
    child = int(re.search(r"\d+", said)[0])
    try:
        assert said.count("RuntimeError") == 4, said
        assert "parent" in said
        assert ids(root) == {"a": 1, "c": 1}
        assert [one["pid"] for one in recover(root)["alive"]] == [worker.pid]
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        os.kill(child, 0)
        report = recover(root)
        assert report["alive"] == []
        assert [one["rows"] for one in report["sealed"]] == [2]
        check_recovered(root, ["a", "c"])
    finally:
        os.kill(child, signal.SIGKILL)
        worker.stdout.close()
        worker.stdin.close()


def test_a_row_that_waits_in_the_dead_writer_is_not_acknowledged(tmp_path):
    """In one process: the fence stands before its flush, which raises and leaves the file alone."""
    ws = workspace(tmp_path / "ws")
    writer = ws.predictions.writer(RUN, DATASET)
    writer.write(row("a"))
    writer.flush()
    recover(ws.path, dead_hosts=[socket.gethostname()])
    before = journals(ws.path)[0].read_bytes()
    writer.write(row("b"))
    with pytest.raises(Exception, match="declared dead") as caught:
        writer.flush()
    assert type(caught.value).__name__ == "ConflictError"
    assert journals(ws.path)[0].read_bytes() == before
    assert ids(ws.path) == {"a": 1}
    with pytest.raises(Exception, match="start a new writer"):
        writer.close()
    with ws.predictions.writer(RUN, DATASET) as another:
        another.write(row("b"))
    check_recovered(ws.path, ["a", "b"])
    writer._is_closed = True  # what waited was written by another
