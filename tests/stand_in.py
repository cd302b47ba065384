"""A stand-in for nirs4all that workers drive: each run has a few results, which take as long as is said."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import nirs4all_workspace as n4w
from nirs4all_workspace.integrations.nirs4all import worker

CONFIG = {"nirs4all": {"name": "stand-in"}}
N_RESULTS = 4


def prepare():
    """Have workers find nirs4all installed."""
    worker.nirs4all = lambda: None


def queue(ws, name, **options):
    """A run that workers drive."""
    return ws.runs.create(name, templates=[["SNV"]], datasets=["wheat"], config=CONFIG, **options)


def execute(run, *, workers=None, allow_packages=(), should_stop=lambda: False, took=0.0, began=None):
    """Do as `drive.execute` does: one row and one checkpoint a result, paused once it should stop."""
    del workers, allow_packages
    with run:
        for planned in run.plan([{"name": str(at), "steps": ["SNV", at]} for at in range(N_RESULTS)]):
            if began is not None:
                began(run)
            until = time.monotonic() + took
            while time.monotonic() < until and not should_stop() and not run.should_stop:
                time.sleep(0.01)
            if should_stop():
                run.transition("paused", "the worker was asked to stop")
                return
            if run.should_stop:
                return
            with run.writer("wheat") as writer:
                writer.write({"id": f"{planned.config_id}", "result_id": planned.id, "metric": "rmse"})
                writer.checkpoint(planned)


def work(folder, *, took=0.0, say=print, **options):
    """Work in a folder with the stand-in; each result that begins is told by a file in `<folder>.began`."""
    prepare()
    told = Path(f"{folder}.began")

    def began(run):
        with suppress(FileNotFoundError):
            (told / f"{run.id} {time.monotonic_ns()} {threading.get_ident()}").touch()

    def drive(run, **given):
        execute(run, took=took, began=began, **given)

    with worker.Stop(options.pop("max_time", None)) as stop:
        return worker.work(n4w.Workspace.open(folder), stop, execute=drive, say=say, **options)
