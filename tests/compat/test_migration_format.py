"""The files of a migrated workspace are what docs/format.md shows."""

import json
import re
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import yaml
from migrations import GOLDEN, files_of

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


@pytest.fixture(scope="module")
def page():
    return FORMAT.read_text("utf-8").split("\n## A migrated workspace\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    target = tmp_path_factory.mktemp("migrated") / "new"
    n4w.migrate(GOLDEN / "nirs4all-2026-01", target)
    return target


def examples(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def lines(workspace, name):
    return [
        json.loads(line)
        for path in workspace.glob(f"runs/*/{name}")
        for line in path.read_text().splitlines()
    ]


def test_examples_have_the_keys_that_are_written(page, workspace):
    artifact, trace, report = (json.loads(text) for text in examples(page, "json"))
    for name, shown in (("artifacts.jsonl", artifact), ("traces.jsonl", trace)):
        written = lines(workspace, name)
        assert written
        assert {tuple(line) for line in written} == {tuple(shown)}
    made = json.loads((workspace / "migration.json").read_text())
    assert list(report) == list(made)
    assert list(report["runs"][0]) == list(made["runs"][0])
    assert {tuple(note) for note in made["notes"]} == {tuple(report["notes"][0])}
    (shown,) = (yaml.safe_load(text) for text in examples(page, "yaml"))
    for path in workspace.glob("runs/*/migrated.yaml"):
        written = yaml.safe_load(path.read_text())
        assert list(written) == list(shown)
        assert {tuple(note) for note in written["notes"]} <= {tuple(shown["notes"][0])}


def test_kinds_of_notes_are_on_the_page(page):
    folder = Path(n4w.__file__).parent / "migration"
    text = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    kinds = {
        kind for call in text.split("report.note(")[1:] for kind in re.findall(r', "([a-z_]+)",', call)[:1]
    }
    assert {"missing_artifacts", "copied", "no_rows", "missing_arrays"} <= kinds
    for kind in kinds:
        assert f"`{kind}`" in page, kind


def test_every_file_is_on_the_page(page, workspace):
    known = FORMAT.read_text("utf-8")
    for name in files_of(workspace):
        parts = Path(name).parts
        shown = parts[0] if parts[0] != "runs" else parts[2]
        assert shown.split(".")[0] in known, name
    for name in ("migration.json", "source/", "artifacts.jsonl", "traces.jsonl", "migrated.yaml"):
        assert name in page
