"""`n4w results|templates|lineage|stats|watch`: the same as Python gives, tables for people, exit codes."""

import json
import select
import signal
import subprocess

import nirs4all_workspace as n4w
import pytest
from commands import LINE
from commands import n4w as command
from nirs4all_workspace.values import strict_json
from samples import strict


def said(*arguments, code=0):
    run = command(*arguments)
    assert (run.returncode, run.stderr if code == 0 else "") == (code, ""), run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("commands") / "ws")
    template = n4w.Template([{"_or_": ["SNV", "MSC"]}], name="[bold]pre[/x]")
    parent = None
    for name in ("first", "second"):
        run = ws.runs.create(name, templates=[template], datasets=["wheat"], parent_run=parent)
        with run:
            for number, planned in enumerate(run.plan([{"name": "SNV"}, {"name": "MSC"}])):
                with run.writer("wheat") as writer:
                    score = float("inf") if number else 0.5
                    row = {"id": str(number), "result_id": planned.id, "model_name": "[red]PLS"}
                    writer.write(row | {"metric": "rmse", "val_score": score, "partition": "val"})
                    planned.artifacts = [ws.artifacts.put(b"model")]
                    writer.checkpoint(planned)
        parent = run.id
    return ws


def test_results(ws):
    answer = strict(said("results", ws.path, "--json"))
    assert [(it["best_score"], it["config_name"]) for it in answer["results"]] == [
        *[(0.5, "SNV")] * 2,
        *[("Infinity", "MSC")] * 2,
    ]
    run = ws.runs.list()[1]
    arguments = ["--run", run.id, "--metric", "rmse", "--max-score", 1, "--limit", 1, "--status", "done"]
    answer = strict(said("results", ws.path, *arguments, "--json"))
    assert answer == json.loads(json.dumps(ws.results.list(run=run.id, max_score=1, limit=1).to_dict()))
    table = said("results", ws.path, "--sort-by", "config_name", "--descending")
    assert "4 of 4 results" in table
    assert "[red]PLS" in table
    assert command("results", ws.path, "--status", "idle").returncode == 2
    assert command("results", ws.path, "--sort-by", "colour").returncode == 2


def test_templates(ws):
    first, second = ws.runs.list()
    (template,) = strict(said("templates", ws.path, "--json"))["templates"]
    assert template == {
        "id": first.templates[0]["id"],
        "names": ["[bold]pre[/x]"],
        "runs": [first.id, second.id],
        "is_stored": True,
        "n_runs": 2,
    }
    assert "[bold]pre[/x]" in said("templates", ws.path)
    answer = strict(said("templates", ws.path, "--compare", first.id, "--compare", second.id, "--json"))
    assert answer["shared"] == [template["id"]]
    assert f"only by {second.id}:" in said(
        "templates", ws.path, "--compare", first.id, "--compare", second.id
    )
    assert command("templates", ws.path, "--compare", first.id).returncode == 2


def test_lineage(ws):
    first, second = ws.runs.list()
    assert strict(said("lineage", second.id, ws.path, "--json")) == ws.lineage(second.id).to_dict()
    assert said("lineage", second.id, ws.path) == ws.lineage(second.id).to_text()
    assert said("lineage", first.id, ws.path, "--format", "dot") == ws.lineage(first.id).to_dot()
    assert said("lineage", first.id, ws.path, "--format", "mermaid") == ws.lineage(first.id).to_mermaid()
    result = ws.results.list()[0]
    assert strict(said("lineage", result.id, ws.path, "--json"))["id"] == result.run_id
    template = first.templates[0]["id"]
    answer = strict(said("lineage", template, ws.path, "--json"))
    expected = ws.trace("template", template).to_dict()
    assert answer.pop("predictions")[-1]["val_score"] == "Infinity"
    assert expected.pop("predictions")[-1]["val_score"] == float("inf")
    assert answer == strict(strict_json.dumps(expected))
    (artifact,) = result.artifacts
    assert said("lineage", artifact, ws.path) == ws.trace("artifact", artifact).to_text()
    assert said("lineage", first.id, ws.path, "--trace", "run") == ws.trace("run", first.id).to_text()
    assert command("lineage", "nobody", ws.path).returncode == 1
    assert command("lineage", first.id, ws.path, "--trace", "fold").returncode == 2
    assert command("lineage", first.id, ws.path, "--format", "svg").returncode == 2


def test_stats(ws):
    answer = strict(said("stats", ws.path, "--json"))
    expected = json.loads(json.dumps(ws.stats()))
    for key in ("workspace", "model_performance", "errors"):
        assert answer[key] == expected[key]
    assert "[red]PLS" in said("stats", ws.path, "--rebuild")


def test_stats_of_a_damaged_workspace_exits_with_1(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    (ws.runs.create("torn").path / "run.yaml").write_text("status: [")
    for name in ("stats", "results"):
        run = command(name, ws.path)
        assert run.returncode == 1
        assert "run.yaml" in run.stderr


@pytest.mark.parametrize("poll", [[], ["--poll"]])
def test_watch(tmp_path, poll):
    ws = n4w.Workspace.create(tmp_path / "ws")
    line = [*LINE, "watch", ws.path, "--interval", "0.05", "--json", *poll]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # It says nothing before the first change: change until it does.
        template = ""
        for number in range(600):
            template = ws.templates.add([number])
            if select.select([process.stdout], [], [], 0.1)[0]:
                break
        change = json.loads(process.stdout.readline())
        assert change["kind"] == "template"
        assert list(change) == ["kind", "action", "id", "path"]
        while change["id"] != template:
            change = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (err, process.returncode) == ("", 0)
    finally:
        process.kill()
        process.communicate()
