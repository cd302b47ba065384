"""One thing that cannot be read is one entry, and the rest is answered: each thing, each fault, each call."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import unreadable
from nirs4all_workspace.cli import app
from typer.testing import CliRunner
from unreadable import FAULTS, FOLDERS, HIT, NOBODY, ask, hurt, things

CHECKS = {"verify", "verify full"}
CACHED = {"stats", "prewarm", "link"}
RECORDS = CHECKS | CACHED | {"summary", "runs", "results", "trace", "lineage", "gc", "recover"}
ROWS = CHECKS | CACHED | {"summary", "page", "top", "scan", "get", "trace"}
OF_ROWS = {"summary", "stats", "page", "top", "scan"}
NOTHING = frozenset()

# Of each thing: the calls that must name it, those that do without what it says of rye, those that do without
# all of its kind, and those that cannot do without it.
EXPECTED = {
    "runs": (RECORDS - {"trace", "lineage"}, NOTHING, {"runs", "results"}, {"run", "trace", "lineage"}),
    "run": (RECORDS, {"runs", "results"}, NOTHING, NOTHING),
    "run.yaml": (RECORDS, {"runs", "results"}, NOTHING, NOTHING),
    "templates.yaml": (RECORDS, NOTHING, NOTHING, NOTHING),
    "datasets.yaml": (RECORDS, NOTHING, NOTHING, NOTHING),
    "summary.yaml": (RECORDS, NOTHING, NOTHING, NOTHING),
    "config.yaml": (CHECKS, NOTHING, NOTHING, NOTHING),
    "configs.jsonl": (CHECKS, NOTHING, NOTHING, NOTHING),
    "results": (CHECKS | CACHED | {"results", "gc"}, {"results"}, NOTHING, NOTHING),
    "templates": (CHECKS | CACHED | {"gc"}, NOTHING, NOTHING, {"templates"}),
    "template": (CHECKS | {"templates"}, {"templates"}, NOTHING, NOTHING),
    "datasets": (CHECKS | CACHED | {"datasets"}, NOTHING, {"datasets", "link"}, {"resolve"}),
    "dataset": (CHECKS | CACHED | {"datasets"}, {"datasets", "link"}, NOTHING, NOTHING),
    "predictions": ((ROWS | RECORDS) - {"get"}, NOTHING, OF_ROWS, {"get"}),
    "folder": (ROWS | RECORDS, OF_ROWS, NOTHING, NOTHING),
    "segment": (ROWS, OF_ROWS, NOTHING, NOTHING),
    "journal": (ROWS | {"results", "gc", "recover"}, NOTHING, NOTHING, NOTHING),
    "partial": (CHECKS, NOTHING, NOTHING, NOTHING),
    "arrays": (CHECKS | CACHED, NOTHING, NOTHING, {"get"}),
    "folder of arrays": (CHECKS, NOTHING, NOTHING, NOTHING),
    "file of arrays": (CHECKS, NOTHING, NOTHING, NOTHING),
    "artifacts": (CHECKS | CACHED | {"trace", "gc"}, NOTHING, NOTHING, NOTHING),
    "folder of artifacts": (CHECKS | {"gc"}, NOTHING, NOTHING, NOTHING),
    "artifact": (CHECKS | {"gc"}, NOTHING, NOTHING, NOTHING),
    "locks": (CHECKS | {"gc"}, NOTHING, NOTHING, NOTHING),
    "locks of runs": (CHECKS | {"gc"}, NOTHING, NOTHING, NOTHING),
    "lock": (CHECKS | {"gc"}, NOTHING, NOTHING, NOTHING),
    "trash": (ROWS | RECORDS, NOTHING, NOTHING, NOTHING),
    "cache": (CHECKS, NOTHING, NOTHING, NOTHING),
}
STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "3"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace, the names of what it holds, and what is said of it; its caches are full."""
    root, named = unreadable.make(tmp_path_factory.mktemp("made"))
    unreadable.age(root)
    good = ask(root, named, skip=["create"])
    assert not [answer for answer in good.values() if answer.get("errors", True)]
    return root, named, good


def check(good, answers, thing, path, told=None):
    """What all calls say beside one thing that cannot be read; `told` are the calls that must name it."""
    tells, lacking, without, needing = EXPECTED[thing]
    told = tells if told is None else told
    for name, answer in answers.items():
        if name in needing:
            assert "raised" in answer, (name, answer)
            number, filename = answer["raised"]
            assert number is not None
            assert filename == path or filename.startswith(f"{path}/"), (name, answer)
            continue
        assert "facts" in answer, (name, answer)
        facts = [] if name in without else good[name]["facts"]
        assert answer["facts"] == [one for one in facts if name not in lacking or HIT not in one], name
        paths = [one for one, _ in answer["errors"]]
        assert paths == [path] * len(paths), (name, answer)
        assert len(paths) == 1 or (not paths and name not in told), (name, answer)
        assert {kind for _, kind in answer["errors"]} <= {"io", "not_parquet"}, (name, answer)


def of_stride():
    """Each thing with some of the faults, all of them with a stride of 1."""
    pairs = [(thing, fault) for thing in EXPECTED for fault in FAULTS]
    return [pair for number, pair in enumerate(pairs) if (number + number // len(FAULTS)) % STRIDE == 0]


@pytest.mark.parametrize(("thing", "fault"), of_stride())
def test_something_else_lies_there(made, tmp_path, thing, fault):
    root, named, good = made
    if fault == "device" and os.getuid() != 0:
        pytest.skip("only root makes device nodes")
    path = things(root, named)[thing]
    place, aside = root / path, tmp_path / "aside"
    if place.exists():
        place.rename(aside)
    try:
        hurt(place, fault, thing in FOLDERS)
        check(good, ask(root, named, skip=["create"]), thing, path)
    finally:
        unreadable.remove(place)
        if aside.exists():
            aside.rename(place)


@pytest.fixture
def open_folder():
    """A folder that others may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        if os.getuid() != 0:
            subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)


def test_nobody_may_read_it(made, open_folder):
    """One process of a user who may not read one thing of each of these workspaces."""
    root, named, good = made
    paths, asked = things(root, named), [("", str(shutil.copytree(root, open_folder / "good")), named)]
    for thing, path in paths.items():
        for mode in ["mode 000"] + (["mode 444"] if thing in ("run", "folder", "folder of arrays") else []):
            copy = open_folder / f"{thing} {mode}"
            shutil.copytree(root, copy, symlinks=True)
            hurt(copy / path, mode, thing in FOLDERS)
            asked.append((f"{thing}/{mode}", str(copy), named))
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", str(NOBODY), open_folder], check=True)
    env = os.environ | {"XDG_CACHE_HOME": str(open_folder / "user cache"), "POLARS_MAX_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, unreadable.__file__],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, answers in json.loads(done.stdout).items():
        thing = name.partition("/")[0]
        try:
            # Their content is of no interest to those who only look whether they are there.
            told = {"artifact": {"verify full"}, "lock": set()}.get(thing)
            check(good, answers, thing, paths[thing], told)
        except AssertionError as error:
            error.add_note(name)
            raise


def test_a_name_that_is_no_utf8(made):
    root, named, good = made
    folder, hit = things(root, named)["folder"], named[HIT]
    bad = b"\xff\xfe"
    found = {
        "runs": b"runs/2026-01-01_Caf" + bad + b"_0123456789ab/",
        "folder": b"predictions/caf" + bad + b"_01234567/",
        "segment": os.fsencode(folder) + b"/" + bad + b".0123456789ab.meta.parquet",
        "old": b"caf" + bad + b".meta.parquet",
        "template": b"templates/tpl_" + bad + b".yaml",
        "dataset": b"datasets/ds_" + bad + b"_01234567.yaml",
        "artifact": f"artifacts/{hit['artifact'][:2]}/{hit['artifact']}.".encode() + bad,
        "lock": b".locks/runs/" + bad + b".owner.lock",
        "trash": b".trash/" + bad,
        "staging": b"runs/.n4w-new-" + bad,
        "other": b"notes" + bad,
    }
    told = {
        "runs": {"runs", "results", "stats", "verify", "gc"},
        "folder": {"runs", "summary", "page", "top", "scan", "verify", "recover"},
        "segment": {"summary", "page", "top", "scan", "verify"},
        "old": {"summary", "page", "top", "scan", "verify"},
        "template": {"stats", "verify", "gc"},
        "dataset": {"datasets", "stats", "verify", "link"},
        "artifact": {"verify", "gc"},
        "lock": {"verify", "gc"},
        "staging": {"gc"},
    }
    for thing, name in found.items():
        place = root / os.fsdecode(name)
        if name.endswith(b"/"):
            place.mkdir()
        else:
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(b"something")
        try:
            answers = ask(root, named, skip=["create"])
            for call, answer in answers.items():
                assert "facts" in answer, (thing, call, answer)
                assert answer["facts"] == good[call]["facts"], (thing, call)
                paths = {os.fsencode(path) for path, _ in answer["errors"]}
                assert paths <= {name.rstrip(b"/")}, (thing, call)
                assert paths or call not in told.get(thing, ()), (thing, call)
            check_strict(root)
        finally:
            unreadable.remove(place)


def check_strict(root):
    """What commands print as JSON is JSON that holds Unicode alone."""
    for command in (["summary"], ["runs"], ["results"], ["stats"], ["verify"], ["gc"], ["datasets", "list"]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = CliRunner().invoke(app, [*command, str(root), "--json"])
        assert done.exit_code in (0, 1), (command, done.output, done.exception)
        assert json.loads(done.stdout, parse_constant=pytest.fail) is not None
        json.dumps(json.loads(done.stdout), ensure_ascii=False).encode()


def test_writers_do_without_what_they_do_not_need(made, tmp_path):
    root, named, _ = made
    paths = things(root, named)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    unrelated = ("run", "segment", "folder", "folder of arrays", "dataset", "template", "artifact", "lock")
    for thing in unrelated:
        unreadable.remove(copy / paths[thing])
        os.mkfifo(copy / paths[thing])
    unreadable.CALLS["create"](n4w.Workspace.open(copy), named)


def create(ws):
    with (
        ws.runs.create("fresh", templates=[["fresh"]], datasets=["fresh"]) as run,
        run.writer("fresh") as writer,
    ):
        writer.write({"id": "fresh", "partition": "val", "y_true": [1.0]})


def resume(run):
    with run.resume():
        return run.plan([{"name": "one"}])


@pytest.mark.parametrize("thing", ["runs", "templates", "predictions", "locks", "arrays"])
def test_writers_say_what_they_need(made, tmp_path, thing):
    root, named, _ = made
    path = things(root, named)[thing]
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    shutil.rmtree(copy / path)
    os.mkfifo(copy / path)
    ws = n4w.Workspace.open(copy)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - number and name are what matters
        create(ws)
    assert caught.value.errno is not None
    assert Path(os.fsdecode(caught.value.filename)).is_relative_to(copy / path)


def test_a_run_is_resumed_only_where_its_own_files_can_be_read(made, tmp_path):
    root, named, _ = made
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    paths = things(root, named)
    ws = n4w.Workspace.open(copy)
    for thing in ("results", "folder"):
        place, aside = copy / paths[thing], tmp_path / thing
        run = ws.runs.create("again", templates=[["again"]], datasets=[named[HIT]["dataset"]])
        run.transition("running")
        run.plan([{"name": "one"}])
        run.transition("paused")
        if thing == "results":
            place = run.path / "results.0123456789ab.jsonl"
            os.mkfifo(place)
        else:
            place.rename(aside)
            os.mkfifo(place)
        with pytest.raises(OSError) as caught:  # noqa: PT011
            resume(run)
        assert Path(caught.value.filename) == place
        assert caught.value.errno is not None
        place.unlink()
    # Another run's are no reason.
    other = ws.runs.create("other", templates=[["other"]], datasets=["fresh"])
    os.mkfifo(copy / paths["folder"])
    other.transition("running")
    other.transition("paused")
    assert len(resume(other)) == 1


def test_things_come_and_go_meanwhile(made, tmp_path):
    """A process takes things away and puts them back: nothing raises, and what stays is told."""
    root, named, good = made
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    paths = [copy / things(root, named)[thing] for thing in ("run", "folder", "dataset", "folder of arrays")]
    program = """
import os, sys
while True:
    for path in sys.argv[1:]:
        os.rename(path, path + ".away")
    for path in sys.argv[1:]:
        os.rename(path + ".away", path)
"""
    mover = subprocess.Popen([sys.executable, "-c", program, *map(str, paths)])
    try:
        calls = ["summary", "runs", "results", "stats", "page", "top", "scan", "get", "gc", "templates"]
        skip = [name for name in unreadable.CALLS if name not in calls]
        for _ in range(int(os.environ.get("N4W_STRESS_ROUNDS", "15"))):
            for name, answer in ask(copy, named, skip).items():
                assert "facts" in answer, (name, answer)
                others = {one for one in good[name]["facts"] if HIT not in one}
                assert others <= set(answer["facts"]), (name, answer)
    finally:
        mover.kill()
        mover.wait()


def test_what_asks_for_a_run_or_template_says_what_it_cannot_read(made, tmp_path):
    root, named, _ = made
    paths, run = things(root, named), named[HIT]["run"]
    for thing in ("config.yaml", "configs.jsonl", "datasets.yaml", "templates.yaml", "runs", "run", "folder"):
        copy = tmp_path / thing
        shutil.copytree(root, copy, symlinks=True)
        hurt(copy / paths[thing], "fifo", thing in FOLDERS)
        ws = n4w.Workspace.open(copy)
        if thing in ("runs", "run"):
            for ask_run in (
                lambda ws=ws: ws.results.list(run=run),
                lambda ws=ws: ws.templates.compare(run, named["oat"]["run"]),
            ):
                with pytest.raises(OSError) as caught:  # noqa: PT011 - the path is what matters
                    ask_run()
                assert Path(caught.value.filename) == copy / paths[thing]
            assert [it["path"] for it in ws.templates.usage().errors] == [paths[thing]]
            listed = CliRunner().invoke(app, ["templates", str(copy), "--json"])
            assert (listed.exit_code, len(json.loads(listed.stdout)["errors"])) == (1, 1)
        else:
            answer = ws.runs.get(run).to_dict()
            assert answer["summary"]["counts"]["results"] == 1
            errors = [it["error"] for it in answer["summary"]["errors"]]
            assert len(errors) == 1, errors
            assert paths[thing] in errors[0]
            assert "is a named pipe" in errors[0]
            assert CliRunner().invoke(app, ["show", run, str(copy)]).exit_code == 1
            assert CliRunner().invoke(app, ["show", named["oat"]["run"], str(copy)]).exit_code == int(
                thing == "folder"
            )


def test_a_command_whose_stdout_is_closed_says_so(made):
    done = subprocess.run(
        ["sh", "-c", '"$0" -m nirs4all_workspace.cli summary "$1" >&-', sys.executable, str(made[0])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("n4w: ")
    assert "Traceback" not in done.stderr
