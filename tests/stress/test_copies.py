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


def test_a_copy_was_compacted_while_the_original_went_on(live, tmp_path):
    """What the original acknowledged after that is in no compaction, and counts."""
    root, go_on, worker = live
    go_on()
    one, _ = diverged(root, tmp_path)
    recover(one)
    age(one)
    recover(one)
    assert len(_native.compact(one, RUN)) == 1
    age(one)
    recover(one)
    for number in range(2, 6):
        assert go_on() == str(number)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    merge(one, root)
    wanted = {"row1": 1, "row3": 1, "row5": 1, "one0": 1, "one1": 1}
    # Until it is recovered its unfinished rows are seen.
    assert ids(root) == wanted | {"row0": 1, "row2": 1, "row4": 1}
    for _ in range(2):
        recover(root)
        assert ids(root) == wanted
        check_answers(root, wanted)
        assert ids(root, partial=True) == wanted | {"row0": 1, "row2": 1, "row4": 1}
        assert sealed_ids(root).keys() == wanted.keys()
        assert _native.verify_files(root)["problems"] == []
        age(root)
        _native.sweep(root)
        _native.compact(root, RUN)
        assert ids(root) == wanted
    assert results(root) == dict.fromkeys(["r1", "r3", "r5", "one0", "one1"], 1)


def check_answers(root, wanted):
    ws = n4w.Workspace.open(root)
    page = ws.predictions.page(limit=100, columns=["id"], sort_by="id")
    assert [row["id"] for row in page.records] == sorted(wanted)
    assert page.total == ws.summary()["total_predictions"] == len(wanted)
    assert [row["id"] for row in ws.predictions.top(100)] == sorted(wanted)
    assert ws.stats()["workspace"]["predictions"]["total"] == len(wanted)
    for name in wanted:
        assert ws.predictions.get(name)["id"] == name


def test_compactions_of_two_copies_that_overlap(live, tmp_path):
    """Both have the rows of the writer that was there before; each has writers of its own."""
    root, go_on, _ = live
    go_on()
    one, two = diverged(root, tmp_path)
    for copy in (one, two):
        recover(copy)
        age(copy)
        recover(copy)
        assert len(_native.compact(copy, RUN)) == 1
        age(copy)
        recover(copy)
    merge(two, one)
    assert ids(one) == WANTED
    check_answers(one, WANTED)
    notes = _native.verify_files(one)["notes"]
    assert "overlapping" in {note["kind"] for note in notes}
    assert len(_native.compact(one, RUN)) == 1
    age(one)
    recover(one)
    assert ids(one) == sealed_ids(one) == WANTED
    assert _native.verify_files(one, True)["problems"] == []


def worked(root, run_id, configs, only=None):
    """Do what is left of a run, each result with three rows; pause it after the first `only` of them."""
    run = n4w.Workspace.open(root).runs.get(run_id)
    run = run.resume() if run.status == "paused" else run
    with run:
        for number, result in enumerate(run.plan(configs)):
            with run.writer(DATASET) as writer:
                for partition in ("train", "val", "test"):
                    writer.write(
                        {"result_id": result.id, "val_score": 1.0, "metric": "rmse", "partition": partition}
                    )
                writer.checkpoint(result)
            if number + 1 == only:
                run.transition("paused")
                return


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_run_that_was_resumed_in_two_copies(tmp_path, is_compacted):
    configs = [{"name": f"k{number}", "steps": [number]} for number in range(3)]
    ws = n4w.Workspace.create(tmp_path / "one")
    run_id = ws.runs.create("run", templates=[["t"]], datasets=[DATASET]).id
    worked(ws.path, run_id, configs, only=1)
    shutil.copytree(ws.path, tmp_path / "two")
    worked(ws.path, run_id, configs, only=1)
    worked(tmp_path / "two", run_id, configs)
    merge(tmp_path / "two", ws.path)
    for command in (lambda: None, ws.recover, ws.predictions.compact):
        command()
        assert ws.summary()["total_predictions"] == 9
        assert ws.runs.get(run_id).counts["rows"] == 9
    if is_compacted:
        age(ws.path)
        assert len(ws.predictions.compact()["compacted"]) == 1
        age(ws.path)
        recover(ws.path)
        assert len(sealed_ids(ws.path)) == 12
    worked(ws.path, run_id, configs)
    ws = n4w.Workspace.open(ws.path)
    assert (ws.runs.get(run_id).counts["rows"], ws.predictions.page().total) == (9, 9)
    assert len(ws.results.list(limit=None)) == 3
    found = ws.verify(full=True)
    assert found["problems"] == []
    assert "repeated" in {note["kind"] for note in found["notes"]}
    ws.runs.delete(run_id)
    assert list(ws.path.rglob("*.parquet")) == []
