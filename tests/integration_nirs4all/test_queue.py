"""Runs that wait are driven by workers, also by several of which one is killed."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import computing
import pytest
import yaml
from drives import folders, rows_of_run
from nirs4all_workspace.integrations.nirs4all.settings import How, Settings
from nirs4all_workspace.integrations.nirs4all.tasks import Options

N4W = [sys.executable, "-m", "nirs4all_workspace.cli"]
LONG = 200
FOLDS = {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 3}}
PLS = "sklearn.cross_decomposition.PLSRegression"
STEPS = [
    {"_or_": ["sklearn.preprocessing.StandardScaler", "nirs4all.operators.transforms.StandardNormalVariate"]},
    FOLDS,
    {"model": {"class": PLS, "params": {"n_components": 2}}},
]


def n4w_(*arguments):
    return subprocess.run([*N4W, *map(str, arguments)], capture_output=True, text=True, timeout=LONG)


def start(*arguments):
    """A worker with its lines, at once."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*N4W, "worker", *map(str, arguments)], **pipes)


@pytest.fixture
def spec(tmp_path):
    """A file that describes a run of 2 templates, one in a file of its own, on 2 datasets: 6 results."""
    folders(tmp_path)
    (tmp_path / "ridge.yaml").write_text(
        yaml.safe_dump({"pipeline": [FOLDS, {"model": "sklearn.linear_model.Ridge"}]})
    )
    content = {
        "name": "lab",
        "templates": [STEPS, "ridge.yaml"],
        "datasets": ["wheat", "corn"],
        "random_state": 1,
        "artifacts": "none",
        "refit": False,
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "spec.yaml"


def done(run):
    return Counter((it.dataset_name, it.config_name) for it in run.results() if it.status == "done")


def queued(spec, ws, count):
    runs = []
    for _ in range(count):
        answer = n4w_("run", spec, "-w", ws.path, "--queue", "--json")
        assert answer.returncode == 0, answer.stderr
        runs.append(ws.runs.get(json.loads(answer.stdout)["id"]))
    assert [run.status for run in runs] == ["queued"] * count
    return runs


def test_two_workers_do_five_runs_though_one_is_killed(spec, ws):
    driven = n4w_("run", spec, "-w", ws.path)
    assert driven.returncode == 0, driven.stderr
    alone = ws.runs.get("latest")
    expected, rows = done(alone), rows_of_run(alone)
    assert sum(expected.values()) == 6
    runs = queued(spec, ws, 5)
    workers = [start(ws.path, "--idle-exit", "4s") for _ in range(2)]
    assert computing.wait_until(lambda: sum(sum(done(run).values()) for run in runs) > 2, LONG)
    workers[0].kill()
    workers[0].communicate()
    _, err = workers[1].communicate(timeout=LONG)
    assert workers[1].returncode == 0, err
    assert [run.status for run in runs] == ["completed"] * 5
    for run in runs:
        assert done(run) == expected
        assert rows_of_run(run) == rows
    assert ws.verify()["problems"] == []


def test_a_worker_that_is_terminated_leaves_its_run_to_the_next_one(spec, ws):
    (run,) = queued(spec, ws, 1)
    worker = start(ws.path, "--workers", "2")
    assert computing.wait_until(lambda: done(run), LONG)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=LONG)
    assert (worker.returncode, run.is_owned) == (0, False), err
    assert (run.status, run.requested, run.record["attempts"]) == ("paused", "running", 0), out
    before = done(run)
    assert n4w_("worker", ws.path, "--once").returncode == 0
    assert run.status == "completed"
    assert sum(done(run).values()) == 6
    assert before <= done(run)


def test_the_processes_of_a_killed_worker_end(spec, ws):
    (run,) = queued(spec, ws, 1)
    worker = start(ws.path, "--workers", "2")
    assert computing.wait_until(lambda: done(run), LONG)
    children = _children(worker.pid)
    worker.kill()
    worker.communicate()
    assert len(children) >= 2
    assert computing.wait_until(lambda: not any(computing.is_alive(pid) for pid in children), 5)


def _children(parent):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                after = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(after[1]) == parent:
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize(
    "step", [{"class": "subprocess.Popen", "params": {"args": ["touch", "made"]}}, "touching.Now"]
)
def test_a_template_that_may_not_be_made_is_refused_by_run_queue_and_worker(
    spec, ws, tmp_path, monkeypatch, step
):
    (tmp_path / "touching.py").write_text("open('made', 'w').close()\nclass Now: pass\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    content = yaml.safe_load(spec.read_text()) | {"templates": [[*STEPS[:2], step, STEPS[-1]]]}
    spec.write_text(yaml.safe_dump(content))
    for options in ([], ["--queue"]):
        answer = n4w_("run", spec, "-w", ws.path, *options)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert len(answer.stderr.splitlines()) == 1
        assert "--allow-package" in answer.stderr
    assert len(ws.runs.list()) == 0
    settings = Settings("lab", Options(random_state=1), How(), {}, "1.4.10")
    run = ws.runs.create(
        "lab", templates=content["templates"], datasets=[tmp_path / "wheat"], config=settings.to_config()
    )
    answer = n4w_("worker", ws.path, "--once")
    assert (answer.returncode, run.status, run.is_owned) == (0, "failed", False)
    assert "may use" in answer.stdout
    assert not Path("made").exists()


def test_what_a_worker_allows_is_made(spec, ws, tmp_path, monkeypatch):
    (tmp_path / "ours.py").write_text("from sklearn.linear_model import Ridge\nclass Ours(Ridge): pass\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    content = yaml.safe_load(spec.read_text())
    content |= {"templates": [[FOLDS, {"model": "ours.Ours"}]], "allow_packages": ["ours"]}
    spec.write_text(yaml.safe_dump(content))
    (refused, allowed) = queued(spec, ws, 2)
    n4w_("worker", ws.path, "--once")
    answer = n4w_("worker", ws.path, "--once", "--allow-package", "ours")
    assert (refused.status, allowed.status) == ("failed", "completed"), answer.stdout
    assert sum(done(allowed).values()) == 2


def test_a_script_without_a_main_guard_makes_one_run_and_says_so_once(ws, tmp_path):
    folders(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        "from nirs4all_workspace.integrations.nirs4all import run\n"
        f"run([{STEPS!r}], [{str(tmp_path / 'wheat')!r}], {str(ws.path)!r}, workers=2)\n"
    )
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LONG)
    assert answer.returncode == 1
    assert answer.stderr.count("Traceback") == 1
    assert "main guard" in answer.stderr.splitlines()[-1]
    assert len(ws.runs.list()) == 1
