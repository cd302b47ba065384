"""Listing while others make, finish and delete runs; and what listing opens."""

import re
import time

import nirs4all_workspace as n4w
from processes import race
from tracing import traced

CHURN = """
for index in range(6):
    keeps = ws.runs.create(f"{me} keeps {index}", templates=[["SNV", index % 3]], datasets=["wheat"])
    with keeps:
        keeps.plan([])
    goes = ws.runs.create(f"{me} goes {index}", datasets=["rye"])
    ws.runs.delete(goes.id)
say(keeps.id)
"""
READ = """
seen, kept, errors = 0, 0, []
until = time.monotonic() + 3
while time.monotonic() < until:
    listed = ws.runs.list()
    errors += listed.errors
    names = [run.name for run in listed]
    found = len([run.id for run in ws.runs.list(status="completed")])
    if found < kept or len(set(run.id for run in listed)) != len(listed):
        errors.append({"message": f"{found} after {kept}"})
    kept = max(kept, found)
    errors += [{"message": name} for name in names if "keeps" not in name and "goes" not in name]
    seen += 1
say({"seen": seen, "errors": errors})
"""


def test_readers_while_runs_come_and_go(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    said = race("if me < 8:\n" + indented(CHURN) + "else:\n" + indented(READ), ws.path, 10)
    for reader in said[8:]:
        assert reader["seen"] > 0
        assert reader["errors"] == []
    listed = ws.runs.list()
    assert (len(listed), listed.errors) == (48, [])
    assert {run.status for run in listed} == {"completed"}
    assert len(ws.templates.runs_using(listed[0].templates[0]["id"])) == 16


def indented(text):
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


LIST = """
import os, sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1]); ws.runs
print(os.getpid(), flush=True); sys.stdin.buffer.read(1)
listed = ws.runs.list()
sys.exit(0 if [run.name for run in listed] == ["one", "two"] and not listed.errors else 1)
"""


def test_listing_opens_no_results_and_no_predictions(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for name in ("one", "two"):
        with ws.runs.create(name, [["SNV"]], ["wheat"]) as run:
            (result,) = run.plan([{"name": "a"}])
            with run.writer("wheat") as writer:
                writer.write({"id": name, "result_id": result.id, "metric": "rmse", "val_score": 1.0})
                writer.checkpoint(result)
    time.sleep(0.1)
    code, lines = traced(LIST, [ws.path], "openat,open")
    assert code == 0
    opened = [found for line in lines for found in re.findall(r'"([^"]*)"', line)]
    assert any("run.yaml" in path for path in opened)
    assert [path for path in opened if re.search(r"results\.|\.parquet|\.journal|configs\.jsonl", path)] == []
