"""Whatever processes do to runs, against a model: no lost update, double claim or illegal step."""

import shutil
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import tiers
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from processes import Worker

ALLOWED = {
    "queued": {"running", "cancelled"},
    "running": {"completed", "failed", "paused", "cancelled"},
    "paused": {"running", "cancelled"},
    "failed": {"queued"},
    "completed": set(),
    "cancelled": set(),
}
WORKERS = 3


class Model:
    """What a run must be, said without the package's own words."""

    def __init__(self, number):
        self.number = number  # age
        self.path = ["queued"]
        self.owner = None
        self.requested = None
        self.claimed = False
        self.attempts = 0
        self.is_deleted = False

    @property
    def status(self):
        return self.path[-1]

    def go(self, *states):
        self.path += states
        self.requested = None
        if states[-1] != "running":
            self.owner = None
            if states[-1] != "failed":
                self.attempts = 0


class Runs(RuleBasedStateMachine):
    runs = Bundle("runs")
    workers = st.integers(0, WORKERS - 1)

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ws = n4w.Workspace.create(self.folder / "ws")
        self.workers_ = [Worker(self.ws.path) for _ in range(WORKERS)]
        self.models = {}

    def teardown(self):
        for worker in self.workers_:
            worker.kill()
        shutil.rmtree(self.folder)

    def ask(self, worker, run, call):
        """Let a worker do something with a run; it keeps the object, and with it what it owns."""
        return self.workers_[worker].do(f"str(kept.setdefault({run!r}, n4w.Run(ws, {run!r})).{call})")

    @rule(target=runs, worker=workers)
    def create(self, worker):
        run = self.workers_[worker].do("ws.runs.create('any', templates=[['t']], datasets=['d']).id")
        self.models[run] = Model(len(self.models))
        return run

    @rule(run=runs, worker=workers, to=st.sampled_from(sorted(ALLOWED)))
    def transition(self, run, worker, to):
        model = self.models[run]
        answer = self.ask(worker, run, f"transition({to!r})")
        if model.is_deleted:
            assert answer == "NotFoundError"
        elif to not in ALLOWED[model.status]:
            assert answer == "InvalidTransitionError"  # completed to queued too: no result failed
        elif model.status != "running":
            assert answer == to
            model.go(to)
            if to == "running":
                model.owner, model.claimed, model.attempts = worker, False, 0
        elif model.owner == worker:
            assert answer == to
            model.go(to)
        elif model.owner is not None and to in ("paused", "cancelled"):
            assert answer == "running"
            if model.requested != "cancelled":
                model.requested = to
        elif model.owner is not None or to == "completed":
            assert answer == "ConflictError"
        else:
            assert answer == to
            model.go(to)

    @rule(run=runs, worker=workers)
    def ask_to_resume(self, run, worker):
        model = self.models[run]
        answer = self.ask(worker, run, "request('running')")
        if not model.is_deleted and model.status == "paused":
            assert answer == "None"
            model.requested = "running"
        else:
            assert answer in ("NotFoundError", "InvalidTransitionError", "ConflictError")

    @rule(run=runs, worker=workers)
    def resume(self, run, worker):
        model = self.models[run]
        answer = self.ask(worker, run, "resume().id")
        way = {
            "queued": ["running"],
            "paused": ["running"],
            "failed": ["queued", "running"],
            "running": ["failed", "queued", "running"],
        }.get(model.status)
        if model.is_deleted:
            assert answer == "NotFoundError"
        elif way is None:
            assert answer == "InvalidTransitionError"
        elif model.owner is not None:
            assert answer == "ConflictError"
        else:
            assert answer == run
            model.go(*way)
            model.owner, model.claimed, model.attempts = worker, False, 0

    @rule(worker=workers)
    def claim(self, worker):
        answer = self.workers_[worker].do(
            "(lambda run: run and kept.setdefault(run.id, run).id)(ws.runs.claim_next())"
        )
        waiting = [
            (model.number, run)
            for run, model in self.models.items()
            if not model.is_deleted
            and (model.status == "queued" or (model.status, model.requested) == ("paused", "running"))
        ]
        if not waiting:
            assert answer is None
            return
        run = min(waiting)[1]
        assert answer == run, "not the oldest one"
        model = self.models[run]
        model.go("running")
        model.owner, model.claimed, model.attempts = worker, True, model.attempts + 1

    @rule()
    def claim_all_at_once(self):
        waiting = sum(
            not model.is_deleted
            and (model.status == "queued" or (model.status, model.requested) == ("paused", "running"))
            for model in self.models.values()
        )
        for worker in self.workers_:
            worker.send("(lambda run: run and kept.setdefault(run.id, run).id)(ws.runs.claim_next())")
        answers = [worker.receive() for worker in self.workers_]
        claimed = [run for run in answers if run is not None]
        assert len(set(claimed)) == len(claimed) == min(waiting, WORKERS)
        for worker, run in enumerate(answers):
            if run is not None:
                model = self.models[run]
                model.go("running")
                model.owner, model.claimed, model.attempts = worker, True, model.attempts + 1

    @rule(run=runs, first=workers, second=workers, to=st.sampled_from(["cancelled", "queued"]))
    def two_at_once(self, run, first, second, to):
        """One wins; the other is refused or sees the new state."""
        model = self.models[run]
        if first == second or model.is_deleted or model.status == "running":
            return
        for worker in (first, second):
            self.workers_[worker].send(f"str(n4w.Run(ws, {run!r}).transition({to!r}))")
        answers = sorted(self.workers_[worker].receive() for worker in (first, second))
        if to not in ALLOWED[model.status]:
            assert answers == ["InvalidTransitionError"] * 2
            return
        assert answers.count(to) == 1, answers
        assert set(answers) <= {to, "ConflictError", "InvalidTransitionError"}
        model.go(to)

    @rule(worker=workers)
    def kill(self, worker):
        self.workers_[worker].kill()
        self.workers_[worker] = Worker(self.ws.path)
        for model in self.models.values():
            if model.owner == worker:
                model.owner = None

    @rule(worker=workers)
    def recover(self, worker):
        answer = self.workers_[worker].do("ws.recover()")
        changed = {item["run_id"]: item["status"] for item in answer["runs"]}
        expected = {}
        for run, model in self.models.items():
            if model.status == "running" and model.owner is None and not model.is_deleted:
                attempts, again = model.attempts, model.claimed and model.attempts < 3
                model.go("failed", *(["queued"] if again else []))
                model.attempts = attempts
                expected[run] = model.status
        assert changed == expected
        assert answer["problems"] == []

    @rule(run=consumes(runs), worker=workers)
    def delete(self, run, worker):
        model = self.models[run]
        answer = self.workers_[worker].do(f"ws.runs.delete({run!r})['run_id']")
        if model.status == "running" and model.owner is not None:
            assert answer == "ConflictError"
        else:
            assert answer == ("NotFoundError" if model.is_deleted else run)
            model.is_deleted = True

    @invariant()
    def every_process_sees_the_model(self):
        listed = self.ws.runs.list()
        assert listed.errors == []
        living = {run: model for run, model in self.models.items() if not model.is_deleted}
        assert [run.id for run in listed] == sorted(living, key=lambda run: living[run].number)
        for run in listed:
            model = living[run.id]
            assert [entry["to"] for entry in run.history] == model.path
            assert run.status == model.status
            assert run.record["revision"] == len(model.path) - 1
            assert run.requested == model.requested
            assert run.is_interrupted == (model.status == "running" and model.owner is None)
            if model.status == "running":
                assert run.record["attempts"] == model.attempts
            for before, after in zip(model.path, model.path[1:], strict=False):
                assert after in ALLOWED[before]


Runs.TestCase.settings = tiers.sequences()
TestRuns = Runs.TestCase
