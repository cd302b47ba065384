"""Copies of a workspace that go on separately and are merged: every answer has each live row exactly once.

Writers write rows of shared results into two copies, are killed, recovered and compacted there, and one copy
is laid over the other as `cp -rn` does. A model of dicts says whose checkpoint of a result wins and which
rows are live.
"""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
import tiers
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nirs4all_workspace import _native
from writing import DATASET, age, ids, recover, row

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* of results that were never checkpointed"),
    pytest.mark.filterwarnings("ignore:.* has rows of it too"),
]

PARTS = ("runs", "templates", "datasets", "predictions", "arrays", "artifacts")
RESULTS = st.sampled_from([None, "r1", "r2", "r3"])


class Written:
    """One writer: what each of its acknowledged steps added, and the process's end of it while it lives."""

    def __init__(self, copy):
        self.handle = n4w.Workspace.open(copy.root).predictions.writer(copy.run_id, DATASET)
        self.id = self.handle.writer_id
        self.steps = []
        self.waiting = {}
        self.checkpoint = None

    def acknowledge(self, checkpoint=None):
        if self.waiting or checkpoint:
            self.steps.append((self.waiting, checkpoint))
        self.waiting = {}

    def rows(self, position):
        return {name: of for rows, _ in self.steps[:position] for name, of in rows.items()}

    def finished(self, position):
        """Rank by result: one that is done first, then by time and writer."""
        found = {}
        for _, checkpoint in self.steps[:position]:
            if checkpoint:
                result, status, time = checkpoint
                found[result] = (status == "failed", time, self.id)
        return found

    def kill(self):
        self.handle._is_closed = True
        self.handle = None


class Copy:
    """What one workspace has: of each writer how many steps, and whether they are sealed."""

    def __init__(self, root, run_id, known=()):
        self.root = root
        self.run_id = run_id
        self.known = dict(known)

    def winners(self):
        best = {}
        for written, (position, _) in self.known.items():
            for result, rank in written.finished(position).items():
                best[result] = min(rank, best.get(result, rank))
        return {result: rank[2] for result, rank in best.items()}

    def expected(self):
        """Ids of live rows, and of those that only a scan of partial results has besides."""
        winners, live, partial = self.winners(), set(), set()
        for written, (position, is_sealed) in self.known.items():
            finished = written.finished(position)
            for name, result in written.rows(position).items():
                if result is None or (result in finished and winners[result] == written.id):
                    live.add(name)
                elif result not in finished and is_sealed:
                    partial.add(name)
                elif result not in finished and result not in winners:
                    live.add(name)
        return live, partial

    def all_rows(self):
        return {name for written, (position, _) in self.known.items() for name in written.rows(position)}

    def result_of(self, name):
        return next(it.rows(None)[name] for it in self.known if name in it.rows(None))

    def check(self):
        live, _ = self.expected()
        assert ids(self.root) == Counter(live)
        assert n4w.Workspace.open(self.root).summary()["total_predictions"] == len(live)

    def check_all(self):
        """Every answer."""
        live, partial = self.expected()
        self.check()
        ws = n4w.Workspace.open(self.root)
        assert ids(self.root, partial=True) == Counter(live | partial)
        page = ws.predictions.page(limit=1_000, sort_by="id", columns=["id"])
        assert (page.total, [item["id"] for item in page.records]) == (len(live), sorted(live))
        winners = self.winners()
        counts = ws.runs.get(self.run_id).counts
        assert (counts["rows"], counts["results"]) == (len(live), len(winners))
        assert ws.trace("run", self.run_id).n_predictions == len(live)
        for result in winners:
            wanted = {name for name in live if self.result_of(name) == result}
            assert ws.predictions.page(0, 0, result=result).total == len(wanted)
            assert ws.trace("result", result).n_predictions == len(wanted)
        for k in (5, 1_000) if live else ():
            assert [item["id"] for item in ws.predictions.top(k, distinct=False)] == sorted(live)[:k]
        target = self.root.parent / "export.parquet"
        ws.predictions.export(target, columns=["id"])
        assert Counter(pl.read_parquet(target)["id"]) == Counter(live)
        assert ws.stats()["workspace"]["predictions"]["total"] == len(live)
        if live:
            assert ws.summary(DATASET)["total_predictions"] == len(live)
        for name in self.all_rows():
            try:
                assert ws.predictions.get(name)["id"] == name
                is_there = True
            except n4w.NotFoundError:
                is_there = False
            assert is_there == (name in live)
        found = ws.runs.get(self.run_id).results()
        assert {item.id: item.writer for item in found} == winners
        assert {item.id: item.writer for item in ws.results.list(limit=None)} == winners
        made = Counter()
        for written, (position, _) in self.known.items():
            made.update(written.finished(position).keys())
        assert Counter(item.id for item in [*found, *found.repeated]) == made

    def recover(self):
        assert recover(self.root)["problems"] == []
        for written, (position, _) in self.known.items():
            if written.handle is None or not str(written.handle.path).startswith(f"{self.root}{os.sep}"):
                self.known[written] = position, True

    def check_disk(self):
        """Nothing that was acknowledged is gone from the disk, and rows that do not count are reported."""
        files = [
            *self.root.glob("predictions/*/*.parquet"),
            *self.root.glob("predictions/*/partial/*.parquet"),
        ]
        found = {name for file in files for name in pl.read_parquet(file, columns=["id"])["id"]}
        assert found == self.all_rows()
        live, partial = self.expected()
        lost = {
            result
            for written, (position, _) in self.known.items()
            for name, result in written.rows(position).items()
            if name not in live | partial
        }
        notes = _native.verify_files(self.root)["notes"]
        reported = " ".join(note["message"] for note in notes if note["kind"] == "repeated")
        assert all(f"result {result} " in reported for result in lost)


class Apart(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        ws = n4w.Workspace.create(self.folder / "here")
        self.here = Copy(ws.path, ws.runs.create("run").id)
        self.there = None
        self.count = 0

    def teardown(self):
        if hasattr(self, "folder"):
            self.end_writers(self.here)
            self.here.recover()
            self.here.check_all()
            self.here.check_disk()
            shutil.rmtree(self.folder)

    def end_writers(self, copy):
        for written in copy.known:
            if written.handle is not None:
                written.kill()

    def of(self, is_there):
        return self.there if is_there and self.there else self.here

    def writer_in(self, copy, number):
        """One of the writers that live there, or a new one."""
        alive = [it for it in copy.known if it.handle and it.handle.path.is_relative_to(copy.root)]
        if number < len(alive):
            return alive[number]
        written = Written(copy)
        copy.known[written] = 0, False
        return written

    @rule(is_there=st.booleans(), number=st.integers(0, 2), results=st.lists(RESULTS, min_size=1, max_size=3))
    def write(self, is_there, number, results):
        copy = self.of(is_there)
        written = self.writer_in(copy, number)
        finished = written.finished(len(written.steps))
        for result in results:
            name = f"row{self.count:04}"
            self.count += 1
            result = None if result in finished else result
            written.handle.write(row(name, result))
            written.waiting[name] = result
        written.handle.flush()
        written.acknowledge()
        copy.known[written] = len(written.steps), False

    @rule(
        is_there=st.booleans(),
        number=st.integers(0, 2),
        result=st.sampled_from(["r1", "r2", "r3"]),
        status=st.sampled_from(["done", "done", "failed"]),
        second=st.integers(0, 3),
    )
    def checkpoint(self, is_there, number, result, status, second):
        copy = self.of(is_there)
        written = self.writer_in(copy, number)
        if result in written.finished(len(written.steps)):
            return
        name = f"row{self.count:04}"
        self.count += 1
        written.handle.write(row(name, result))
        written.waiting[name] = result
        time = f"2026-01-01T00:00:0{second}+00:00"
        written.handle.checkpoint({"id": result, "status": status, "completed_at": time})
        written.acknowledge((result, status, time))
        copy.known[written] = len(written.steps), False

    @rule(is_there=st.booleans(), number=st.integers(0, 2), is_closed=st.booleans())
    def end(self, is_there, number, is_closed):
        copy = self.of(is_there)
        written = self.writer_in(copy, number)
        if is_closed:
            written.handle.close()
            copy.known[written] = len(written.steps), True
        written.kill()

    @rule(is_there=st.booleans(), is_old=st.booleans())
    def recover(self, is_there, is_old):
        copy = self.of(is_there)
        copy.recover()
        if is_old:
            age(copy.root)
            copy.recover()

    @rule(is_there=st.booleans(), is_swept=st.booleans())
    def compact(self, is_there, is_swept):
        copy = self.of(is_there)
        copy.recover()
        age(copy.root)
        _native.sweep(copy.root)
        _native.compact(copy.root, copy.run_id)
        if is_swept:
            age(copy.root)
            _native.sweep(copy.root)

    @precondition(lambda self: self.there is None)
    @rule()
    def part(self):
        """From here on there are two of it; writers live on in the one where they are."""
        shutil.copytree(self.here.root, self.folder / "there")
        self.there = Copy(self.folder / "there", self.here.run_id, self.here.known)

    @precondition(lambda self: self.there is not None)
    @rule()
    def merge(self):
        for copy in (self.here, self.there):
            self.end_writers(copy)
        for part in PARTS:
            if (self.there.root / part).exists():
                # Some versions of cp say by their code that something was there.
                command = ["cp", "-rn", self.there.root / part, self.here.root]
                subprocess.run(command, check=False, capture_output=True)
        shutil.rmtree(self.there.root)
        for written, (position, is_sealed) in self.there.known.items():
            # Nobody writes on in a copy what was begun elsewhere: what is here goes as far at least.
            own, is_own_sealed = self.here.known.get(written, (position, False))
            covers = is_sealed and position == own
            self.here.known[written] = own, is_own_sealed or covers
        self.there = None
        self.here.check_all()

    @invariant()
    def every_row_counts_once(self):
        for copy in (getattr(self, "here", None), getattr(self, "there", None)):
            if copy is not None:
                copy.check()


TestApart = Apart.TestCase
TestApart.settings = tiers.sequences()
