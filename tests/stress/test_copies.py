"""Live workspaces copied, recovered, copied again and merged: every acknowledged row, exactly once."""

import shutil
import signal
import subprocess

import nirs4all_workspace as n4w
import pytest
from nirs4all_workspace import _native
from writing import (
    DATASET,
    RUN,
    age,
    check_recovered,
    ids,
    journals,
    recover,
    results,
    row,
    sealed_ids,
    start,
    workspace,
)

WORKER = """
ws = n4w.Workspace.open(ROOT)
writer = ws.predictions.writer(RUN, DATASET)
for number in itertools.count():
    writer.write(row(f"row{number}", f"r{number}"))
    if number % 2:
        writer.checkpoint({"id": f"r{number}"})
    else:
        writer.flush()
    say(number)
    word = sys.stdin.readline().strip()
    if word == "close":
        writer.close()
        say("closed")
        sys.stdin.readline()
"""


@pytest.fixture
def live(tmp_path):
    """A workspace that a process writes to, step by step."""
    root = workspace(tmp_path / "live").path
    worker = start(WORKER, root)
    assert worker.stdout.readline() == "0\n"

    def go_on(word=""):
        worker.stdin.write(f"{word}\n")
        worker.stdin.flush()
        return worker.stdout.readline().strip()

    yield root, go_on, worker
    worker.send_signal(signal.SIGKILL)
    worker.communicate()


def copy_over(source, target):
    """As rsync without --delete does: files of both are those of the source."""
    subprocess.run(["cp", "-r", f"{source}/.", target], check=True)


@pytest.mark.parametrize("is_swept", [False, True])
@pytest.mark.parametrize("ending", ["live", "closed", "killed"])
def test_a_live_workspace_copied_twice_and_recovered_in_between(live, tmp_path, is_swept, ending):
    root, go_on, worker = live
    go_on()
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_over(root, copy)
    recover(copy)
    assert results(copy) == {"r1": 1}
    assert ids(copy) == {"row1": 1}
    assert ids(copy, partial=True) == {"row0": 1, "row1": 1}
    if is_swept:
        age(copy)
        recover(copy)
        assert journals(copy) == []
    for number in range(2, 6):
        assert go_on() == str(number)
    if ending == "closed":
        assert go_on("close") == "closed"
    elif ending == "killed":
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    copy_over(root, copy)
    wanted = [f"row{number}" for number in range(6)]
    assert set(ids(copy, partial=True)) == set(wanted)
    recover(copy)
    check_recovered(copy, wanted, ["r1", "r3", "r5"])
    assert ids(copy, partial=True) == dict.fromkeys(wanted, 1)
    assert ids(copy) == {"row1": 1, "row3": 1, "row5": 1}
    age(copy)
    recover(copy)
    check_recovered(copy, wanted, ["r1", "r3", "r5"])


def diverged(root, tmp_path):
    """Two copies of a live workspace, each with two segments of its own and one dead writer's journal."""
    for name in ("one", "two"):
        shutil.copytree(root, tmp_path / name)
        for number in range(2):
            with n4w.Workspace.open(tmp_path / name).predictions.writer(RUN, DATASET) as writer:
                writer.write(row(f"{name}{number}", f"{name}{number}", y_true=[1.0]))
                writer.checkpoint({"id": f"{name}{number}"})
    return tmp_path / "one", tmp_path / "two"


WANTED = {"row1": 1, "one0": 1, "one1": 1, "two0": 1, "two1": 1}


def merge(source, target):
    """Take what is not there; some versions of cp say by their code that something was."""
    subprocess.run(["cp", "-rn", f"{source}/.", target], check=False, capture_output=True)


def test_two_copies_that_went_apart_merge(live, tmp_path):
    """Each got writers of its own, and one was recovered and swept."""
    root, go_on, _ = live
    go_on()
    one, two = diverged(root, tmp_path)
    recover(one)
    age(one)
    recover(one)
    assert journals(one) == []
    merge(two, one)
    recover(one)
    assert ids(one) == sealed_ids(one) == WANTED
    check_recovered(one, [*WANTED, "row0"], ["r1", "one0", "one1", "two0", "two1"])


def test_a_journal_that_comes_back_after_its_segment_was_compacted(live, tmp_path):
    root, go_on, _ = live
    go_on()
    one, two = diverged(root, tmp_path)
    recover(one)
    age(one)
    recover(one)
    assert len(_native.compact(one, RUN)) == 1
    age(one)
    recover(one)
    merge(two, one)
    assert ids(one) == WANTED
