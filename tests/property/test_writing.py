"""Writers, deaths, recoveries, compactions and copies in any order, against a model of plain dicts."""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import spawning
import tiers
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from nirs4all_workspace import _native
from writing import DATASET, RUN, age, ids, recover, results, row, sealed_ids, workspace

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* of results that were never checkpointed"),
    pytest.mark.filterwarnings("ignore:result .* is done without rows"),
]

WORKER = """
import json, os, sys, nirs4all_workspace as n4w
writer = n4w.Workspace.open(sys.argv[1]).predictions.writer(sys.argv[2], sys.argv[3])
print("ready", flush=True)
for line in sys.stdin:
    name, argument = json.loads(line)
    getattr(writer, name)(*argument)
    print("done", flush=True)
os._exit(0)
"""


class Here:
    """A writer in this process; killing it is dropping its lock without closing."""

    def __init__(self, root):
        self.writer = n4w.Workspace.open(root).predictions.writer(RUN, DATASET)

    def call(self, name, *argument):
        getattr(self.writer, name)(*argument)

    def kill(self):
        self.writer._is_closed = True
        del self.writer


class Elsewhere:
    """A writer in a process of its own."""

    def __init__(self, root):
        self.process = spawning.Process(WORKER, root, RUN, DATASET)
        assert self.process.stdout.readline() == "ready\n"

    def call(self, name, *argument):
        self.process.stdin.write(json.dumps([name, argument]) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def kill(self):
        self.process.kill()
        self.process.communicate()


class State:
    """What the model knows of one writer: rows by id with their result."""

    def __init__(self, handle):
        self.handle = handle
        self.waiting = {}
        self.flushed = {}
        self.finished = set()


class Writing(RuleBasedStateMachine):
    writers = Bundle("writers")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.root = workspace(self.folder / "ws").path
        self.alive, self.dead, self.sealed = [], [], []
        self.count = 0

    def teardown(self):
        for state in self.alive:
            state.handle.kill()
        shutil.rmtree(self.folder)

    @rule(target=writers, kind=st.sampled_from([Here, Here, Elsewhere]))
    def open_writer(self, kind):
        if len(self.alive) > 3:
            return multiple()
        state = State(kind(self.root))
        self.alive.append(state)
        return state

    def names(self, state, count, result):
        made = {f"row{self.count + number}": result and f"{result}-{id(state)}" for number in range(count)}
        self.count += count
        made = {name: None if result in state.finished else result for name, result in made.items()}
        state.waiting |= made
        return made

    @rule(state=writers, count=st.integers(1, 3), result=st.sampled_from([None, "r1", "r2"]))
    def write(self, state, count, result):
        for name, of in self.names(state, count, result).items():
            state.handle.call("write", row(name, of))

    @rule(state=writers, count=st.integers(1, 3), result=st.sampled_from([None, "r1", "r2"]))
    def write_more_and_flush(self, state, count, result):
        self.write(state, count, result)
        state.handle.call("flush")
        self.acknowledge(state)

    def acknowledge(self, state):
        state.flushed |= state.waiting
        state.waiting = {}

    @rule(state=writers, result=st.sampled_from(["r1", "r2"]))
    def checkpoint(self, state, result):
        name = f"{result}-{id(state)}"
        if name not in state.finished:
            state.handle.call("checkpoint", {"id": name})
            state.finished.add(name)
            self.acknowledge(state)

    @rule(state=consumes(writers))
    def close(self, state):
        state.handle.call("close")
        state.handle.kill()
        self.acknowledge(state)
        self.alive.remove(state)
        self.sealed.append(state)

    @rule(state=consumes(writers))
    def kill(self, state):
        state.handle.kill()
        self.alive.remove(state)
        self.dead.append(state)

    @rule(is_old=st.booleans())
    def recover(self, is_old):
        if is_old:
            age(self.root)
        report = recover(self.root)
        assert report["problems"] == []
        assert len(report["alive"]) == len(self.alive)
        self.sealed += self.dead
        self.dead = []

    @rule(is_old=st.booleans())
    def compact(self, is_old):
        if is_old:
            age(self.root)
            _native.sweep(self.root)
        _native.compact(self.root, RUN)

    @rule()
    def copy(self):
        """Copied and recovered there: as if all writers had died, and here nothing changed."""
        copy = self.folder / "copy"
        shutil.copytree(self.root, copy)
        everyone = self.alive + self.dead + self.sealed
        assert recover(copy)["problems"] == []
        assert ids(copy) == counting(everyone)
        # What was merged lies beside its compaction until it is old.
        age(copy)
        recover(copy)
        assert ids(copy) == sealed_ids(copy) == counting(everyone)
        assert ids(copy, partial=True) == Counter(name for state in everyone for name in state.flushed)
        shutil.rmtree(copy)

    @invariant()
    def readers_agree_with_the_model(self):
        open_ = Counter(name for state in self.alive + self.dead for name in state.flushed)
        expected = open_ + counting(self.sealed)
        assert ids(self.root) == expected
        assert n4w.Workspace.open(self.root).summary()["total_predictions"] == expected.total()
        everyone = self.alive + self.dead + self.sealed
        assert results(self.root) == Counter(name for state in everyone for name in state.finished)
        frame = (
            n4w.Workspace.open(self.root).predictions.scan(partial=True).select("id", "result_id").collect()
        )
        wanted = {name: of for state in everyone for name, of in state.flushed.items()}
        assert frame.height == len(wanted)
        assert dict(frame.iter_rows()) == wanted


def counting(states) -> Counter:
    """Once it is sealed, a row counts where its result is finished or it has none."""
    return Counter(
        name
        for state in states
        for name, result in state.flushed.items()
        if result is None or result in state.finished
    )


TestWriting = Writing.TestCase
TestWriting.settings = tiers.sequences()
