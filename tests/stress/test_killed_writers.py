"""kill -9 while a writer works: what it was told is safe is there, exactly once."""

import os
import random
import signal
import time

import pytest
from writing import age, check_recovered, ids, recover, start, workspace

ROUNDS = int(os.environ.get("N4W_STRESS_ROUNDS", "15"))

WORKER = """
ws = n4w.Workspace.open(ROOT)
say("ready")
for life in itertools.count():
    with ws.predictions.writer(RUN, DATASET) as writer:
        for step in range(int(sys.argv[2])):
            result = f"{os.getpid()}-{life}-{step}"
            ids = [f"{result}-{number}" for number in range(3)]
            for id in ids:
                writer.write(row(id, result if step % 2 else None, y_pred=[float(step), 1.0]))
            if step % 4 == 3:
                writer.checkpoint({"id": result})
                say("checkpoint", result, *ids)
            else:
                writer.flush()
                say("flush", *ids)
"""


def heard(worker) -> tuple[list[str], list[str]]:
    """The rows and the results of which a worker said that they were acknowledged; a torn line is none."""
    rows, results = [], []
    for line in worker.stdout:
        if not line.endswith("\n"):
            continue
        kind, *words = line.split()
        if kind == "checkpoint":
            results.append(words.pop(0))
        if kind in ("flush", "checkpoint"):
            rows += words
    return rows, results


@pytest.fixture
def killed(tmp_path):
    """Run a worker for a random while, some rounds in one workspace; what it said in all of them."""
    rng = random.Random()
    ws = workspace(tmp_path / "ws")
    rows, results = [], []

    def once(steps):
        worker = start(WORKER, ws.path, steps)
        assert worker.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.25))
        worker.send_signal(signal.SIGKILL)
        new_rows, new_results = heard(worker)
        worker.communicate()
        assert worker.returncode == -signal.SIGKILL
        rows.extend(new_rows)
        results.extend(new_results)
        return ws.path, rows, results

    return once


def test_nothing_acknowledged_is_lost(killed):
    """With writers that die in the middle of flushing, checkpointing, sealing and opening another."""
    for number in range(ROUNDS):
        root, rows, results = killed((1, 4, 40)[number % 3])
        seen = ids(root, partial=True)
        assert not [name for name, count in seen.items() if count > 1], "twice for whoever reads before"
        assert set(rows) <= seen.keys(), "whoever reads before the recovery"
        report = recover(root)
        assert report["problems"] == report["alive"] == []
        check_recovered(root, rows, results)
        if number % 5 == 4:
            age(root)
            recover(root)
            check_recovered(root, rows, results)


RECOVERER = """
from nirs4all_workspace import _native
say("ready")
while True:
    _native.recover(ROOT)
    _native.compact(ROOT, RUN)
    _native.sweep(ROOT)
    say("done")
"""


def test_recovery_and_compaction_are_killed_too(killed):
    rng = random.Random()
    for _ in range(max(3, ROUNDS // 4)):
        for _ in range(2):
            root, rows, results = killed(7)
        age(root)
        worker = start(RECOVERER, root)
        assert worker.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.06))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        assert set(rows) <= ids(root, partial=True).keys()
        assert recover(root)["problems"] == []
        check_recovered(root, rows, results)
