"""`n4w summary --json`: strict JSON with the same content as Python gives."""

import nirs4all_workspace as n4w
import pytest
from agreement import check_summary, check_workspace, timeless
from commands import n4w as n4w_command
from commands import n4w_process
from oracle import summarise
from samples import frame_of, strict, table, write


def frames_of(folder):
    return {path.name.removesuffix(".meta.parquet"): frame_of(path) for path in folder.glob("*.meta.parquet")}


@pytest.fixture(params=["demo", "nirs4all-0.6.2", "nirs4all-2026-01"])
def workspace(request):
    if request.param == "demo":
        return request.getfixturevalue("demo")
    return request.getfixturevalue("shared_copy")(request.param)


@pytest.mark.parametrize("rebuilt", [False, True])
def test_summary_equals_the_rows(workspace, rebuilt):
    if rebuilt:
        n4w.Workspace.open(workspace).predictions.rebuild_summaries()
    run = n4w_command("summary", workspace, "--json")
    assert (run.returncode, run.stderr) == (0, "")
    answer = strict(run.stdout)
    frames = frames_of(workspace)
    check_workspace(answer, frames)
    assert timeless(answer) == timeless(n4w.Workspace.open(workspace).summary())


@pytest.mark.parametrize("rebuilt", [False, True])
def test_one_dataset(workspace, rebuilt):
    if rebuilt:
        n4w.Workspace.open(workspace).predictions.rebuild_summaries()
    for name, frame in frames_of(workspace).items():
        run = n4w_command("summary", workspace, "--json", "--dataset", name)
        assert (run.returncode, run.stderr) == (0, "")
        check_summary(strict(run.stdout), summarise(frame))


def test_nan_and_infinity_are_strict_json(tmp_path):
    scores = [float("inf"), float("nan"), -float("inf"), None, 0.5, 0.25]
    content = table(6, metric="r2", val_score=scores, partition=["val"] * 6)
    write(tmp_path / "wheat.meta.parquet", content)
    run = n4w_process("summary", tmp_path, "--json")
    assert run.returncode == 0, run.stderr
    answer = strict(run.stdout)
    assert answer["top_predictions"][0]["val_score"] == "Infinity"
    assert answer["top_predictions"][-1]["val_score"] == "-Infinity"


def test_a_bad_file_is_a_problem_and_the_rest_is_answered(demo):
    (demo / "broken.meta.parquet").write_bytes(b"PAR1 is not enough")
    run = n4w_process("summary", demo, "--json")
    assert run.returncode == 1
    answer = strict(run.stdout)
    assert answer["total_predictions"] == 390
    assert [entry["path"] for entry in answer["errors"]] == ["broken.meta.parquet"]


def test_a_missing_folder_is_said_plainly(tmp_path):
    run = n4w_process("summary", tmp_path / "nowhere", "--json")
    assert run.returncode in (1, 2)
    assert "nowhere" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_dataset_is_said_plainly(demo):
    run = n4w_command("summary", demo, "--json", "--dataset", "barley")
    assert run.returncode in (1, 2)
    assert "barley" in run.stderr
    assert "Traceback" not in run.stderr


def test_wrong_usage_exits_with_2(demo):
    for call in (n4w_command, n4w_process):
        assert call("summary", demo, "--no-such-option").returncode == 2


def test_a_table_for_people_without_json(demo):
    run = n4w_process("summary", demo)
    assert (run.returncode, run.stdout, run.stderr) == n4w_command("summary", demo)
    assert run.returncode == 0, run.stderr
    assert "390" in run.stdout
    assert "classification" in run.stdout
