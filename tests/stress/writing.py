"""Workspaces that real processes write, what those processes said, and what must be there afterwards.

A worker says what was acknowledged, a line for each, through a pipe, after the call returned.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import spawning
from nirs4all_workspace import _native

RUN = "2026-01-02_Stress_0123456789ab"
DATASET = "wheat"

# What workers share; RUN and DATASET stand for themselves.
PRELUDE = f"""
import itertools, json, os, sys, nirs4all_workspace as n4w
RUN, DATASET = {RUN!r}, {DATASET!r}
ROOT = sys.argv[1]

def row(id, result=None, score=0.5, **more):
    return {{"id": id, "result_id": result, "model_name": "pls", "fold_id": "0", "partition": "val",
            "metric": "rmse", "val_score": score, **more}}

def say(*words):
    print(*words, flush=True)
"""


def workspace(path: Path) -> n4w.Workspace:
    """An empty workspace with the folder of a run, so that results can be checkpointed."""
    ws = n4w.Workspace.create(path)
    (path / "runs" / RUN).mkdir(parents=True)
    return ws


def row(id, result=None, score=0.5, **more):  # noqa: A002 - the column's name
    return {
        "id": id,
        "result_id": result,
        "model_name": "pls",
        "fold_id": "0",
        "partition": "val",
        "metric": "rmse",
        "val_score": score,
        **more,
    }


def start(code: str, *arguments, **options) -> spawning.Process:
    """A process of its own, with pipes for its words and ours."""
    return spawning.Process(PRELUDE + code, *arguments, **options)


def run(code: str, *arguments) -> None:
    """The same to its end."""
    spawning.run(PRELUDE + code, *arguments, check=True)


def ids(root: Path, **options) -> Counter:
    """How often each id is there for a reader."""
    frame = n4w.Workspace.open(root).predictions.scan(**options).select("id").collect()
    return Counter(frame["id"])


def recover(root: Path, **options) -> dict:
    return _native.recover(root, **options)


def results(root: Path, run_id: str = RUN) -> Counter:
    """How often each finished result is there."""
    return Counter(json.loads(text)["id"] for _, text in _native.finished_results(root, run_id)[0])


def sealed_ids(root: Path) -> Counter:
    """The ids in all sealed segments, read by Polars and not by the package."""
    files = sorted(root.glob("predictions/*/*.meta.parquet"))
    return Counter(name for file in files for name in pl.read_parquet(file, columns=["id"])["id"])


def journals(root: Path) -> list[Path]:
    return sorted(root.glob("predictions/*/*.journal"))


def age(root: Path, seconds: int = 3_600) -> None:
    """Make all files look old enough to be swept."""
    for path in root.rglob("*"):
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - seconds * 1_000_000_000))


def check_exactly_once(found: Counter, wanted) -> None:
    """All that is wanted, and nothing twice; more may be there, what was not yet acknowledged."""
    missing = sorted(set(wanted) - found.keys())
    twice = sorted(name for name, count in found.items() if count > 1)
    assert not missing, f"{len(missing)} acknowledged are lost: {missing[:5]}"
    assert not twice, f"{len(twice)} are there twice: {twice[:5]}"


def check_recovered(root: Path, acknowledged, checkpoints=()) -> None:
    """After a recovery: what was acknowledged, once, for readers of the package and of Parquet."""
    found = ids(root, partial=True)
    check_exactly_once(found, acknowledged)
    counting = ids(root)
    assert counting <= found
    assert counting == ids(root, live=False)
    # What a compaction replaced lies beside it for a while.
    assert sealed_ids(root).keys() == counting.keys()
    assert n4w.Workspace.open(root).summary()["total_predictions"] == counting.total()
    check_exactly_once(results(root), checkpoints)


def calls(lines: list[str]) -> list[tuple[str, str]]:
    """The system calls of an strace, as name and rest of the line."""
    pattern = re.compile(r"^(?:\[pid\s+\d+\]\s+|\d+\s+)?(\w+)\((.*)$")
    return [match.groups() for line in lines if (match := pattern.match(line.strip()))]
