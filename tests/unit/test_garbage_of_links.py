"""Garbage collection beside links that lead nowhere: one error each, and the rest is listed and removed."""

import os

import pytest
from unreadable import hurt

ARTIFACT = "ab" * 32
PLACES = {
    "templates/tpl_0123456789abcdef.yaml": 1,
    "runs/.n4w-new-zz": 1,
    f"artifacts/ab/{ARTIFACT}.bin": 1,
    "artifacts/ab": 1,
    ".locks/runs/2026-01-01_Gone_0123456789ab.lock": 1,
    "templates/.n4w-abc.tmp": 0,
    ".trash/2026-01-01_Gone_0123456789ab": 0,
}


@pytest.mark.parametrize("target", ["itself", "nowhere"])
@pytest.mark.parametrize("place", PLACES)
def test_a_link_that_leads_nowhere(ws, place, target):
    template, artifact = ws.templates.add(["unused"]), ws.artifacts.put(b"unused")
    garbage = {f"templates/{template}.yaml", f"artifacts/{artifact[:2]}/{artifact}.bin"}
    for name in garbage:
        os.utime(ws.path / name, (0, 0))
    link = ws.path / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(link.name if target == "itself" else "/nonexistent")
    for yes in (False, True):
        found = ws.gc(yes=yes)
        assert garbage <= {item["path"] for item in found["items"]}
        told = [error["path"] for error in found["errors"]]
        assert told == [place] * PLACES[place], found
    assert not [name for name in garbage if (ws.path / name).exists()]


@pytest.mark.parametrize("fault", ["garbage", "other steps", "fifo", "loop", "dangling", "other type"])
def test_a_template_that_cannot_be_read_is_an_error_of_each_list(ws, fault):
    run = ws.runs.create("r", templates=[["A"], ["B"]], datasets=["corn"])
    hit, other = (reference["id"] for reference in run.templates)
    path = ws.templates.path(hit)
    whole = ws.templates.path(other).read_bytes()
    if fault in ("garbage", "other steps"):
        path.write_bytes(b"steps: [" if fault == "garbage" else whole)
    else:
        hurt(path, fault, is_folder=False)
    name = f"templates/{path.name}"
    listed, used, problems = ws.templates.list(), ws.templates.usage(), ws.verify()["problems"]
    assert listed == [other]
    assert {it["id"]: it["is_stored"] for it in used} == {hit: False, other: True}
    for errors in (listed.errors, used.errors, problems):
        assert [error["path"] for error in errors] == [name], errors
    assert [error["kind"] for error in listed.errors] == [error["kind"] for error in problems]
