"""A disk on which nothing can be written: calls that write raise `OSError` with a path, others answer.

A limit of 0 bytes a file stands for the full disk: the same failure of every write, of the cache too.
"""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import path_lab
import pytest
from samples import strict

WORKER = """
import json, os, resource, sys, nirs4all_workspace as n4w
from pathlib import Path
lab, names = Path(sys.argv[1]), json.loads(sys.argv[2])
ws = n4w.Workspace.open(lab / "ws")
owned = ws.runs.get(names["began"]).resume()
writer = owned.writer("barley")
writer.write({"id": "d", "val_score": 0.5})
calls = {
    "csv": lambda: ws.predictions.export(lab / "best.csv"),
    "parquet": lambda: ws.predictions.export(lab / "best.parquet"),
    "register": lambda: ws.datasets.register(lab / "more" / "new"),
    "accept": lambda: ws.datasets.accept_version("barley"),
    "run": lambda: ws.runs.create("another"),
    "transition": lambda: ws.runs.get(names["waits"]).transition("cancelled"),
    "template": lambda: ws.templates.add(n4w.Template(["MSC"])),
    "artifact": lambda: ws.artifacts.put(b"another model"),
    "flush": writer.flush,
    "create": lambda: n4w.Workspace.create(lab / "made"),
    "migrate": lambda: n4w.migrate(lab / "old", lab / "migrated"),
    "summary": lambda: ws.summary()["total_predictions"],
    "page": lambda: ws.predictions.page().total,
    "top": lambda: len(ws.predictions.top(40)),
    "runs": lambda: len(ws.runs.list()),
    "results": lambda: ws.results.list().total,
    "stats": lambda: ws.stats()["workspace"]["predictions"]["total"],
    "resolve": lambda: ws.datasets.resolve("wheat").status,
    "verify": lambda: ws.verify(full=True)["problems"],
}
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
said = {}
for name, call in calls.items():
    try:
        said[name] = ["returned", call()]
    except OSError as error:
        said[name] = ["raised", error.errno, error.filename]
    except BaseException as error:
        said[name] = ["other", repr(error)]
print(json.dumps(said, default=str), flush=True)
os._exit(0)
"""
READS = {"summary", "page", "top", "runs", "results", "stats", "resolve", "verify"}


def test_calls_that_write_say_so_and_others_answer(tmp_path):
    names, open_writer = path_lab.make(tmp_path / "made")
    lab = path_lab.copy(tmp_path / "made", tmp_path / "lab")
    open_writer.close()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(lab), json.dumps(names)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = strict(done.stdout)
    for name in said.keys() - READS:
        how, number, *where = said[name]
        assert (how, number) == ("raised", errno.EFBIG), (name, said[name])
        assert where[0].startswith(str(lab)), (name, where)
    assert {name: said[name][1] for name in READS} == {
        "summary": 3,
        "page": 3,
        "top": 3,
        "runs": 5,
        "results": 2,
        "stats": 3,
        "resolve": "valid",
        "verify": [],
    }
    assert said["csv"][2] == str(lab / "best.csv")
    assert said["parquet"][2] == str(lab / "best.parquet")
    left = [path.name for path in lab.rglob("*") if path.name.startswith((".n4w-", "best"))]
    assert left == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_device_that_is_full(tmp_path, kind):
    _, open_writer = path_lab.make(tmp_path / "lab")
    open_writer.close()
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("there is no /dev/full")
    ws = n4w.Workspace.open(tmp_path / "lab" / "ws")
    with pytest.raises(OSError, match="space") as raised:
        ws.predictions.export(full, kind)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(full))


@pytest.mark.skipif(not shutil.which("sh"), reason="there is no shell")
@pytest.mark.parametrize("what", [["summary"], ["summary", "--json"], ["predictions", "--csv", "-"]])
def test_a_full_stdout_is_an_error(tmp_path, what):
    _, open_writer = path_lab.make(tmp_path / "lab")
    open_writer.close()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "nirs4all_workspace.cli",
                *what[:1],
                str(tmp_path / "lab" / "ws"),
                *what[1:],
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("n4w: ")
    assert len(done.stderr.splitlines()) == 1
    assert "space" in done.stderr
