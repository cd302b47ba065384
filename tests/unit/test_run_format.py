"""The examples of run files in docs/format.md are what the code reads, and have the keys that it writes."""

import json
import re
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import yaml
from nirs4all_workspace.values import canonical

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def section(title):
    return FORMAT.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def examples(title, language):
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


@pytest.fixture
def run(tmp_path):
    """A finished run with one result of two, as on the page."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    template = n4w.Template(ws_steps(), "pretreatments", None, 2)
    run = ws.runs.create("Wheat protein", templates=[template], datasets=["wheat"], config={"cv_folds": 5})
    with run:
        done, failed = run.plan([{"name": "SNV", "steps": ["SNV"]}, {"name": "MSC", "steps": ["MSC"]}])
        failed.status, failed.error = "failed", "ValueError: no convergence"
        with run.writer("wheat") as writer:
            writer.write({"result_id": done.id, "metric": "rmse", "val_score": 0.31, "partition": "val"})
            writer.checkpoint(done)
            writer.checkpoint(failed)
    return run


def ws_steps():
    return yaml.safe_load(examples("Templates and artifacts", "yaml")[0])["steps"]


def test_every_yaml_example_has_the_keys_that_are_written(run):
    shown = [yaml.safe_load(text) for text in examples("Runs", "yaml")]
    files = ["run", "templates", "datasets", "config", "summary"]
    written = [yaml.safe_load((run.path / f"{file}.yaml").read_text()) for file in files]
    record, templates, datasets, config, summary = shown
    assert [list(item) for item in (record, summary)] == [list(written[0]), list(written[4])]
    assert list(record["history"][0]) == list(written[0]["history"][0])
    assert list(record["requested"]["who"]) == list(record["owner"]) == list(written[0]["history"][0]["who"])
    assert templates == written[1]
    assert list(datasets["datasets"][0]) == list(written[2]["datasets"][0])
    assert config["cv_folds"] == written[3]["cv_folds"]
    assert list(summary["counts"]) == list(written[4]["counts"])
    assert summary["counts"] == written[4]["counts"]
    assert list(summary["errors"][0]) == list(written[4]["errors"][0])
    assert list(summary["best"]["rmse"]) == list(written[4]["best"]["rmse"])


def test_the_example_of_a_record_is_read(run):
    (run.path / "run.yaml").write_text(examples("Runs", "yaml")[0])
    assert (run.status, run.requested, run.is_interrupted) == ("running", "paused", True)
    assert [entry["to"] for entry in run.history] == ["queued", "running"]


def test_every_json_example_has_the_keys_that_are_written(run):
    config, result = (json.loads(text) for text in examples("Runs", "json"))
    (line, _) = (run.path / "configs.jsonl").read_text().splitlines()
    assert list(config) == list(json.loads(line))
    (path,) = run.path.glob("results.*.jsonl")
    assert list(result) == list(json.loads(path.read_text().splitlines()[0]))


def test_ids_in_the_examples_are_right():
    template = yaml.safe_load(examples("Templates and artifacts", "yaml")[0])
    assert n4w.Template(template["steps"]).id == template["id"]
    config, result = (json.loads(text) for text in examples("Runs", "json"))
    assert config["config_id"] == canonical.content_id("cfg", config["steps"])
    named = [result[key] for key in ("run_id", "template_id", "config_id", "dataset_id")]
    assert result["id"] == canonical.content_id("res", named)
