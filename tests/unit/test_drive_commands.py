"""The commands `n4w run` and `n4w worker`: what they pass on, say and return."""

import json
import signal
import subprocess
from pathlib import Path

import commands
import computing
import nirs4all_workspace as n4w
import pytest
import stand_in
from nirs4all_workspace.exceptions import ConflictError
from nirs4all_workspace.integrations.nirs4all import drive, worker

SPEC = "name: protein\ntemplates: [[SNV]]\ndatasets: [wheat]\nworkers: 2\nrun_options: {cv: 3}\n"


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A file that describes a run, in the current folder."""
    (tmp_path / "wheat").mkdir()
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "spec.yaml"


@pytest.fixture
def driven(ws, monkeypatch):
    """The arguments that `run` and `queue` were called with, by name; a run comes of each."""
    calls = []

    def called(name, status):
        def call(**arguments):
            calls.append((name, arguments))
            run = ws.runs.create("protein")
            for one in status:
                run.transition(one)
            return run

        return call

    monkeypatch.setattr(drive, "run", called("run", ["running", "completed"]))
    monkeypatch.setattr(drive, "queue", called("queue", []))
    return calls


def test_what_the_file_says_is_passed_on(spec, driven):
    done = commands.n4w("run", spec.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "completed" in done.stdout
    ((name, arguments),) = driven
    (template,) = arguments.pop("templates")
    assert (name, template.steps) == ("run", ["SNV"])
    assert arguments == {"name": "protein", "datasets": [str(spec.parent / "wheat")], "workers": 2, "cv": 3}


@pytest.mark.parametrize("queue", [False, True])
def test_the_workspace_of_the_command_line_goes_before_that_of_the_file(spec, driven, queue):
    options = ["--queue"] if queue else []
    spec.write_text(SPEC + "workspace: of/file\n")
    commands.n4w("run", "spec.yaml", *options)
    commands.n4w("run", "spec.yaml", "-w", "given", *options)
    found = [arguments["workspace"] for _, arguments in driven]
    assert found == [str(spec.parent / "of" / "file"), str(spec.parent / "given")]
    assert {name for name, _ in driven} == {"queue" if queue else "run"}


def test_the_current_folder_is_taken_where_it_is_a_workspace(spec, driven, monkeypatch, ws):
    monkeypatch.chdir(ws.path)
    commands.n4w("run", spec)
    assert driven[0][1]["workspace"] == str(ws.path)


def test_json_is_that_of_the_run(spec, driven, ws):
    done = commands.n4w("run", spec, "--queue", "--json")
    (run,) = ws.runs.list()
    assert json.loads(done.stdout) == run.to_dict()
    assert run.status == "queued"
    assert driven[0][0] == "queue"


@pytest.mark.parametrize(
    ("text", "says"),
    [("worker: 3\n" + SPEC, "line 1"), (SPEC + "timeout: x\n", "line 6"), ("[", "YAML"), ("", "mapping")],
)
def test_a_wrong_file_is_wrong_usage(spec, driven, text, says):
    spec.write_text(text)
    done = commands.n4w("run", spec)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert driven == []


def test_a_file_that_is_not_there_is_an_error(spec, driven):
    done = commands.n4w("run", "none.yaml")
    assert (done.returncode, done.stdout, driven) == (1, "", [])
    assert spec.exists()


@pytest.mark.parametrize("option", ["resume: latest", "retry_failed: true"])
def test_the_queue_takes_new_runs_alone(spec, driven, option):
    spec.write_text(f"{SPEC}{option}\n")
    assert commands.n4w("run", spec, "--queue").returncode == 2
    assert driven == []
    assert commands.n4w("run", spec).returncode == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConflictError("is owned"), 1),
        (ImportError("nirs4all is not installed", name="nirs4all"), 1),
        (ValueError("datasets in memory"), 2),
        (KeyboardInterrupt("ended by SIGTERM"), 130),
    ],
)
def test_what_driving_raises_is_one_line(spec, monkeypatch, error, code):
    def run(**_):
        raise error

    monkeypatch.setattr(drive, "run", run)
    done = commands.n4w("run", spec)
    assert (done.returncode, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(error) in done.stderr


def test_a_run_that_failed_is_a_problem(spec, ws, monkeypatch):
    run = ws.runs.create("protein")
    run.transition("running")
    run.transition("failed")
    monkeypatch.setattr(drive, "run", lambda **_: run)
    assert commands.n4w("run", spec).returncode == 1


# --- workers


@pytest.fixture
def stood_in(monkeypatch):
    """Workers drive the stand-in for nirs4all; what they are given is kept."""
    given = []

    def execute(run, **options):
        given.append(options)
        stand_in.execute(run, **options)

    monkeypatch.setattr(worker, "nirs4all", lambda: None)
    monkeypatch.setattr(drive, "execute", execute)
    return given


def test_a_worker_drives_what_waits(ws, stood_in):
    runs = [stand_in.queue(ws, "one"), stand_in.queue(ws, "two")]
    options = [
        "--allow-package",
        "torch",
        "--allow-package",
        "xgboost",
        "--workers",
        "3",
        "--idle-exit",
        "0.1s",
    ]
    done = commands.n4w("worker", ws.path, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in runs] == ["completed", "completed"]
    assert [run.id in done.stdout for run in runs] == [True, True]
    assert [(it["workers"], list(it["allow_packages"])) for it in stood_in] == [(3, ["torch", "xgboost"])] * 2


def test_a_worker_that_ends_after_one_run_answers_in_json(ws, stood_in):
    runs = [stand_in.queue(ws, "one"), stand_in.queue(ws, "two")]
    done = commands.n4w("worker", ws.path, "--once", "--json")
    assert json.loads(done.stdout) == {"runs": [{"id": runs[0].id, "name": "one", "status": "completed"}]}
    assert runs[0].id in done.stderr
    assert (runs[1].status, stood_in[0]["workers"]) == ("queued", None)


def test_a_worker_recovers_what_hosts_that_are_known_to_be_dead_left(ws, stood_in, monkeypatch):
    asked = []
    monkeypatch.setattr(n4w.Workspace, "recover", lambda _, hosts: asked.append(list(hosts)) or {"runs": []})
    commands.n4w("worker", ws.path, "--once", "--dead-host", "a", "--dead-host", "b")
    assert (asked, stood_in) == ([["a", "b"]], [])


@pytest.mark.parametrize("option", ["--max-time=x", "--idle-exit=0", "--idle-exit=-3", "--workers=-1"])
def test_wrong_options_are_wrong_usage(ws, option):
    done = commands.n4w("worker", ws.path, option)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_worker_that_is_terminated_says_why_it_ended(ws):
    line = [*commands.LINE, "worker", str(ws.path)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert computing.wait_until(lambda: _takes_signals(process.pid))
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "SIGTERM" in out


def _takes_signals(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
