"""Driving experiments: what one call of nirs4all gives, whatever happens in between."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import experiments
import nirs4all_workspace as n4w
import numpy as np
import pytest
import stored
from drives import TEMPLATES, drive_again, folders, rows_of_one_call, rows_of_run
from nirs4all_workspace.integrations.nirs4all import drive


@pytest.fixture
def paths(tmp_path):
    return folders(tmp_path / "data")


def assert_all_found(run, expected):
    """That a run has each row of one call, with equal names, scores and arrays; it has more."""
    found = rows_of_run(run)
    missing = expected - found
    assert not missing, list(missing)[:3]
    return found - expected


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one-call")
    return rows_of_one_call(TEMPLATES(), folders(folder / "data"), folder / "ws")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_drive_has_what_one_call_has(tmp_path, paths, expected, workers):
    run = drive.run(TEMPLATES(), paths, tmp_path / "ws", name="lab", random_state=1, workers=workers)
    assert (run.status, len(run.results())) == ("completed", 14)
    further = assert_all_found(run, expected)
    # Those of configurations that lost: all partitions of their folds, and refits.
    assert sum(further.values()) > 0
    assert {result.status for result in run.results()} == {"done"}
    for result in run.results():
        assert result.score == pytest.approx(result.score_avg, rel=1e-9), (
            "KFold: each sample is held out once"
        )
        assert len(result.artifacts) == 1
    records = {record.name: record for record in run.workspace.datasets.list()}
    assert {(it.n_samples, it.n_features) for it in records.values()} == {(60, 30)}
    assert run.workspace.verify(full=True)["problems"] == []


def test_an_executor_computes_as_well(tmp_path, paths, expected):
    with ThreadPoolExecutor(2) as executor:
        run = drive.run(
            TEMPLATES(),
            paths,
            tmp_path / "ws",
            name="lab",
            random_state=1,
            executor=executor,
            artifacts="none",
        )
    assert_all_found(run, expected)
    with ThreadPoolExecutor(2) as executor, pytest.raises(ValueError, match="timeout"):
        drive.run(TEMPLATES(), paths, tmp_path / "ws", executor=executor, timeout=1.0)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_after_every_third_checkpoint_and_resumed_nothing_is_missing(
    tmp_path, paths, expected, workers
):
    place, kills = tmp_path / "ws", 0
    code = drive_again(paths, place, workers, kill_after=3)
    for _ in range(8):
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=250, check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        kills += 1
    run = n4w.Workspace.open(place).runs.get("latest")
    assert (run.status, len(run.results()), kills) == ("completed", 14, 4)
    assert_all_found(run, expected)
    assert len(n4w.Workspace.open(place).runs.list()) == 1


def test_no_process_outlives_an_owner_that_was_killed(tmp_path, paths):
    code = drive_again(paths, tmp_path / "ws", 2, kill_after=1)
    children = "/proc/{pid}/task/{pid}/children"
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    seen = set()
    while owner.poll() is None:
        try:
            seen |= {int(pid) for pid in Path(children.format(pid=owner.pid)).read_text().split()}
        except OSError:
            break
        time.sleep(0.05)
    assert owner.wait(200) == -signal.SIGKILL
    assert len(seen) >= 2
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(is_alive(pid) for pid in seen):
        time.sleep(0.1)
    assert not [pid for pid in seen if is_alive(pid)]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_fails_is_recorded_and_the_rest_goes_on(tmp_path):
    from sklearn.cross_decomposition import PLSRegression

    steps = [experiments.folds(), {"model": PLSRegression(), "n_components": {"_or_": [2, 500]}}]
    data = {"wheat": experiments.wheat()}
    run = drive.run([steps], data, tmp_path / "ws", random_state=1)
    by_status = {result.status: result for result in run.results()}
    assert (run.status, run.n_failed, set(by_status)) == ("completed", 1, {"done", "failed"})
    assert by_status["failed"].error
    assert "Traceback" in by_status["failed"].extra["traceback"]
    again = drive.run(resume=run, retry_failed=True, datasets=data)
    assert (again.status, again.n_failed) == ("completed", 1)
    with pytest.raises(n4w.ComputationError):
        drive.run([steps], data, tmp_path / "ws", name="raise", random_state=1, on_error="raise")
    assert n4w.Workspace.open(tmp_path / "ws").runs.get("raise").status == "failed"


def test_what_is_given_to_resume_is_what_the_run_has(tmp_path, paths):
    data = {"wheat": experiments.wheat()}
    steps = experiments.pipeline("plain")
    run = drive.run([steps], data, tmp_path / "ws", random_state=1, artifacts="none")
    for wrong in (
        {"templates": [experiments.pipeline("no splitter")]},
        {"datasets": {"wheat": experiments.wheat(8)}},
        {"datasets": paths},
        {"engine": "legacy"},
        {"random_state": 2},
        {"name": "other"},
        {},
    ):
        given = {"datasets": data} | wrong if wrong else {}
        with pytest.raises(n4w.ConflictError):
            drive.run(resume=run.id, workspace=run.workspace, **given)
    assert (
        drive.run(resume="latest", workspace=tmp_path / "ws", datasets=data, templates=[steps]).id == run.id
    )


def test_a_template_is_code(tmp_path):
    wrong = [{"class": "subprocess.Popen", "params": {"args": ["touch", str(tmp_path / "made")]}}]
    data = {"wheat": experiments.wheat()}
    with pytest.raises(n4w.WorkspaceError, match="subprocess"):
        drive.run([wrong], data, tmp_path / "ws")
    ws = n4w.Workspace.create(tmp_path / "ws2")
    template = ws.templates.add(n4w.Template(wrong))
    config = drive.run([experiments.pipeline("plain")], data, ws, random_state=1, artifacts="none").config
    config["nirs4all"]["inputs"] = {}
    run = ws.runs.create("stored", [template], ["wheat"], config=config)
    with pytest.raises(n4w.WorkspaceError, match="subprocess"):
        drive.run(resume=run)
    with pytest.raises(n4w.WorkspaceError, match="subprocess"):
        drive.run([wrong], resume=run)
    with pytest.raises(n4w.WorkspaceError, match="subprocess"):
        drive.execute(ws.runs.claim_next())
    assert run.status == "failed"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_signals_pause(tmp_path, paths, number, workers):
    code = drive_again(paths, tmp_path / "ws", workers, say_after=1)
    owner = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline().strip() == "checkpointed"
    owner.send_signal(number)
    _, said = owner.communicate(timeout=60)
    assert owner.returncode != 0
    run = n4w.Workspace.open(tmp_path / "ws").runs.get("latest")
    assert f"resume={run.id!r}" in said
    assert run.status == "paused"
    assert 1 <= len(run.results()) < 14
    assert drive.run(resume=run, workers=0, artifacts="refit").status == "completed"


def test_a_configuration_that_hangs_is_ended(tmp_path):
    (tmp_path / "hanging.py").write_text(
        textwrap.dedent("""
            import time
            from sklearn.base import BaseEstimator, TransformerMixin
            class Hanging(TransformerMixin, BaseEstimator):
                def fit(self, X, y=None):
                    time.sleep(600)
                def transform(self, X):
                    return X
        """)
    )
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(tmp_path)!r}, {str(Path(experiments.__file__).parent)!r}]
        import experiments
        from nirs4all_workspace.integrations.nirs4all import drive
        if __name__ == "__main__":
            wrong = [experiments.folds(), {{"class": "hanging.Hanging"}}, experiments.pipeline("plain")[-1]]
            run = drive.run(
                [wrong, experiments.pipeline("plain")],
                {{"wheat": experiments.wheat()}},
                {str(tmp_path / "ws")!r},
                timeout=20, allow_packages=["hanging"], random_state=1, artifacts="none",
            )
            print(run.status, run.n_failed, [it.extra.get("failure") for it in run.results()])
    """)
    (tmp_path / "script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=250,
        check=False,
    )
    assert said.stdout.strip() == "completed 1 ['timeout', None]", said.stderr


def test_arrays_in_memory_are_known_by_content(tmp_path):
    x = np.arange(1200.0).reshape(60, 20) % 17
    y = x[:, 3] * 2 + 1
    data = {"a": (x, y), "b": {"X": x, "y": y}}
    run = drive.run([experiments.pipeline("plain")], data, tmp_path / "ws", random_state=1, artifacts="none")
    assert {it.dataset_name for it in run.results()} == {"a", "b"}
    assert {it.n_samples for it in run.results()} == {60}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("preprocessing.FunctionTransformer", {"func": "sklearn.datasets.dump_svmlight_file"}),
        ("preprocessing.FunctionTransformer", {"func": "sklearn.tree.export_graphviz"}),
        ("pipeline.Pipeline", {"memory": "/folder", "steps": []}),
        ("model_selection.GridSearchCV", {"param_grid": {"pipeline__memory": ["/folder"]}}),
    ],
)
def test_what_writes_files_or_reads_pickles_is_refused(tmp_path, name, params):
    step = {"class": f"sklearn.{name}", "params": params}
    with pytest.raises(n4w.WorkspaceError):
        drive.run(
            [[step, {"model": "sklearn.linear_model.Ridge"}]], {"wheat": experiments.wheat()}, tmp_path / "ws"
        )
    assert not (tmp_path / "ws").exists()


def test_parameters_that_are_no_numbers_stay_so(tmp_path):
    from sklearn.impute import SimpleImputer

    steps = [SimpleImputer(), *experiments.pipeline("plain")]
    data = {"wheat": experiments.wheat()}
    how = {"name": "lab", "random_state": 1, "engine": "legacy"}
    run = drive.run([steps], data, tmp_path / "ws", artifacts="none", **how)
    assert [(it.status, it.error) for it in run.results()] == [("done", None)]
    one = experiments.one_call(steps, data["wheat"], tmp_path / "one", **how)
    assert not stored.in_nirs4all(one) - stored.in_workspace(run.workspace, run)
    one.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"templates": ["sklearn.linear_model.Ridge"]}, "template"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "a"}, "random_state"),
        ({"artifacts": "some"}, "artifacts"),
        ({"on_error": "ignore"}, "on_error"),
        ({"workers": -1}, "workers"),
        ({"timeout": 0}, "timeout"),
        ({"save_artifacts": True}, "save_artifacts"),
        ({"engine": 3}, "engine"),
    ],
)
def test_what_makes_no_sense_makes_no_run(tmp_path, given, said):
    asked = {
        "templates": [experiments.pipeline("plain")],
        "datasets": {"wheat": experiments.wheat()},
        **given,
    }
    with pytest.raises((ValueError, TypeError), match=said):
        drive.run(workspace=tmp_path / "ws", **asked)
    assert not (tmp_path / "ws").exists()


def test_steps_without_a_list_of_templates_are_told_apart(tmp_path):
    with pytest.raises(TypeError, match=r"templates\[0\].*KFold.*\[\[\.\.\.\]\]"):
        drive.run(experiments.pipeline("plain")[1:], {"wheat": experiments.wheat()}, tmp_path / "ws")


def test_a_dataset_has_the_name_that_its_content_is_known_by(tmp_path, paths):
    ws = n4w.Workspace.create(tmp_path / "ws")
    known = ws.datasets.register(paths[0], "known")
    with pytest.warns(UserWarning, match="known"):
        run = drive.run([experiments.pipeline("plain")], paths[:1], ws, random_state=1, artifacts="none")
    assert [(it.dataset_name, it.dataset_id) for it in run.results()] == [("known", known.id)]
    assert {row["dataset_name"] for row in ws.predictions.page().records} == {"known"}
