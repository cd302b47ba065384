"""`n4w runs|show|pause` and what all commands say where something is wrong: one line and an exit code."""

import json

import nirs4all_workspace as n4w
import pytest
from commands import n4w as command
from samples import strict, table, write


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("commands") / "ws")
    run = ws.runs.create("[red]wheat", templates=[["SNV"]], datasets=["wheat", "corn"])
    with run:
        for planned in run.plan([{"name": "SNV"}]):
            with run.writer(planned.dataset_name) as writer:
                metric = {"wheat": "rmse", "corn": "r2"}[planned.dataset_name]
                row = {"id": planned.dataset_name, "result_id": planned.id, "metric": metric}
                writer.write(row | {"val_score": 0.5, "partition": "val", "model_name": "[red]PLS"})
                writer.checkpoint(planned)
    ws.runs.create("waits")
    return ws


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    write(folder / "wheat.meta.parquet", table(30))
    manifest = "uid: u\nname: config\ndataset: wheat\ncreated_at: '2026-01-15T12:00:00'\npipeline:\n- SNV\n"
    (folder / "runs" / "wheat" / "0001_config_abcdef").mkdir(parents=True)
    (folder / "runs" / "wheat" / "0001_config_abcdef" / "manifest.yaml").write_text(manifest)
    return n4w.Workspace.open(folder)


@pytest.mark.parametrize("made", ["ws", "old"])
def test_listed_and_shown_runs_are_python_s_with_the_same_keys(made, request):
    ws = request.getfixturevalue(made)
    listed = strict(command("runs", ws.path, "--json").stdout)
    assert listed == json.loads(json.dumps(ws.runs.list().to_dict()))
    always = set(listed["runs"][0])
    for one in listed["runs"]:
        shown = strict(command("show", one["id"], ws.path, "--json").stdout)
        assert shown == json.loads(json.dumps(ws.runs.get(one["id"]).to_dict()))
        assert set(one) == always
        assert set(shown) >= {*always, "config"}
        assert shown["n_configs"] == shown["summary"]["counts"]["configs"]
    assert not always & {"manifests", "steps", "files"}


def test_names_are_shown_as_they_are(ws):
    run = ws.runs.list()[0]
    assert "[red]wheat" in command("runs", ws.path).stdout
    assert "[red]wheat" in command("show", run.id, ws.path).stdout
    assert "[red]PLS" in command("top", ws.path, "--metric", "rmse").stdout
    assert "[red]PLS" in command("predictions", ws.path, "--columns", "model_name").stdout


def test_a_changed_run_is_shown_as_show_does(ws):
    waits = ws.runs.list()[1]
    answer = strict(command("cancel", waits.id, ws.path, "--json").stdout)
    assert answer == json.loads(json.dumps(ws.runs.get(waits.id).to_dict()))
    assert answer["status"] == "cancelled"
    assert "cannot go from cancelled" in command("cancel", waits.id, ws.path).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("show nobody", 1, "`n4w runs` lists all"),
        ("lineage nobody", 1, "`n4w runs` and `n4w results`"),
        ("summary --dataset barley", 1, "'barley'; there are corn, wheat"),
        ("top", 2, "name the metric to rank, one of r2, rmse"),
        ("top --metric nope", 1, 'with the metric "nope"; there are r2, rmse'),
        ("top --metric r2 --dataset wheat", 0, ""),
        ("predictions --sort-by nope", 2, "val_score"),
        ("predictions --cursor nope", 2, "ask again without it"),
        ("predictions --columns id,nope", 2, "val_score"),
        ("results --sort-by nope", 2, "best_score"),
        ("datasets resolve nope", 1, "`n4w datasets list`"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_what_there_is(ws, arguments, code, said):
    for more in ([], ["--json"]):
        run = command(*arguments.split(), *more, cwd=ws.path)
        assert run.returncode == code, run.stderr
        assert said in run.stderr
        assert run.stderr.count("\n") == bool(said)
        assert code == 0 or run.stdout == ""


def test_no_workspace_is_not_taken_for_an_old_one(tmp_path):
    run = command("recover", tmp_path)
    assert (run.returncode, "has no workspace.yaml" in run.stderr) == (1, True)
    assert "there is no such folder" in command("runs", tmp_path / "nowhere").stderr
    (tmp_path / "file").touch()
    assert "is a file" in command("stats", tmp_path / "file").stderr
