"""What errors, warnings and the command line say, as `tests/golden/messages.txt` has it.

Other tests assert classes, kinds and values; the wording of messages is compared here. After a change of
words `N4W_GOLDEN=write pytest tests/unit/test_messages.py` writes the file anew: read the difference.
"""

import contextlib
import decimal
import gc
import io
import os
import re
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
from nirs4all_workspace import cli
from nirs4all_workspace.integrations.nirs4all import failures, permissions, pool, specification, worker
from samples import table, write

GOLDEN = Path(__file__).parents[1] / "golden" / "messages.txt"
ITSELF = []
ITSELF.append(ITSELF)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A workspace with a finished run, a queued one and datasets, and a folder of nirs4all 0.6."""
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("COLUMNS", "300")
        patch.setenv("TERM", "dumb")
        ws = n4w.Workspace.create(folder / "ws")
        (folder / "wheat.csv").write_text("1100;1102;1104\n0.1;0.2;0.3\n0.2;0.3;0.4\n", "utf-8")
        (folder / "other.csv").write_text("1100;1102;1104\n0.5;0.2;0.3\n0.2;0.3;0.4\n", "utf-8")
        wheat = ws.datasets.register(folder / "wheat.csv")
        done = ws.runs.create("Done", templates=[["SNV"]], datasets=["wheat"])
        with done, done.writer("wheat") as writer:
            (result,) = done.plan([{"name": "SNV"}])
            row = {"result_id": result.id, "metric": "rmse", "val_score": 0.5, "partition": "val"}
            writer.write({"id": "1", "model_name": "PLS", **row})
            writer.write_batch(pl.DataFrame({"id": ["2"], "blob": [b"x"], "model_name": ["RF"]}))
            writer.checkpoint(result)
        old = folder / "old"
        write(old / "wheat.meta.parquet", table(3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield SimpleNamespace(
                folder=folder,
                ws=ws,
                wheat=wheat,
                done=done,
                waits=ws.runs.create("Waits", templates=[["MSC"]], datasets=["corn"]),
                old=n4w.Workspace.open(old),
            )


def copied(lab, name, damage):
    """A copy of the workspace with a damage in it."""
    target = lab.folder / name
    if not target.exists():
        shutil.copytree(lab.ws.path, target, ignore=shutil.ignore_patterns(".cache"))
        damage(target)
    return n4w.Workspace.open(target)


def edited(path, old, new, every=False):
    """A damage: a text of a file replaced, once or everywhere."""

    def damage(root):
        (file,) = root.glob(path)
        content = file.read_text("utf-8")
        assert old in content
        file.write_text(content.replace(old, new, -1 if every else 1), "utf-8")

    return damage


def record_with(lab, name, old, new):
    ws = copied(lab, name, edited("datasets/ds_*.yaml", old, new))
    return ws.datasets.get(lab.wheat.id)


def written(lab, **row):
    """A row written into a run that no folder has."""
    with lab.ws.predictions.writer("lab", "wheat") as writer:
        writer.write(row)


def checkpointed(lab, **fields):
    """A checkpoint in the run that waits, which is started for it."""
    ws = copied(lab, "checkpoints", lambda _: None)
    run = ws.runs.get(lab.waits.id)
    if run.status == "queued":
        run.transition("running")
    with run.writer("corn") as writer:
        writer.checkpoint({"id": "r", **fields})


def planned(lab, dataset="corn"):
    """The run that waits, started in a copy, its plan, and a writer on a dataset."""
    ws = copied(lab, f"planned-{len([*lab.folder.glob('planned-*')])}", lambda _: None)
    run = ws.runs.get(lab.waits.id)
    run.transition("running")
    results = run.plan([{"name": "a"}, {"name": "b"}])
    return run, results, run.writer(dataset)


def unfinished(lab):
    """A run with a writer that was closed with rows of a result that was not checkpointed."""
    run, results, writer = planned(lab)
    for _ in range(2):
        writer.write({"result_id": results[0].id})
    writer.close()
    return run


def broken_off(lab):
    """The reason of a run whose block ended before its plan was done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with unfinished(lab) as run:
            pass
    return f"{run.status}: {run.history[-1]['reason']}"


def read_spec(lab, text):
    """A file that describes a run, as it is read."""
    (lab.folder / "spec.yaml").write_text(text)
    return specification.read(lab.folder / "spec.yaml")


def made(lab, *path):
    """A folder that is there, and empty."""
    folder = lab.folder.joinpath(*path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def store(lab):
    folder = made(lab, "store")
    (folder / "store.sqlite").touch()
    return folder


def two_named_wheat(lab):
    ws = copied(lab, "two", lambda _: None)
    ws.datasets.register(lab.folder / "other.csv", "wheat")
    return ws


def two_rows(lab):
    ws = copied(lab, "rows", lambda _: None)
    with ws.predictions.writer("lab", "wheat") as writer:
        writer.write({"id": "1"})
    return ws


def ancestors(lab):
    ws = copied(lab, "cycle", lambda _: None)
    first, second = lab.done.id, lab.waits.id
    for run, parent in ((first, second), (second, first)):
        file = ws.path / "runs" / run / "run.yaml"
        file.write_text(file.read_text().replace("parent_run: null", f"parent_run: {parent}"))
    return ws


def dropped(lab):
    writer = lab.ws.predictions.writer("lab", "wheat")
    writer.write({"id": "lost"})
    del writer
    gc.collect()


def forgetful(*_):
    raise KeyError("lost")


def reported(lab):
    with lab.ws.predictions.writer("lab", "wheat", progress=forgetful) as writer:
        writer.write({"id": "seen"})
        writer.flush()


def findings(ws):
    """What `verify` finds beside prediction files, of which the native side speaks, as lines."""
    found = ws.verify(full=True)
    return "\n".join(
        f"{title} {item['kind']}: {item['path']}: {item['message']}"
        for title in ("problems", "notes")
        for item in found[title]
        if not item["path"].startswith("predictions/")
    )


def spoilt(root):
    """A damage: an unknown template, a dataset that is not registered, a lost artifact, a wrong history."""
    edited("runs/*Done*/templates.yaml", "tpl_", "tpl_0000000000000000_")(root)
    edited("runs/*Done*/datasets.yaml", "ds_wheat", "ds_rye")(root)
    edited("runs/*Done*/results.*.jsonl", '"artifacts": []', f'"artifacts": ["{"f" * 64}"]')(root)
    edited("runs/*Waits*/run.yaml", "status: queued", "status: paused")(root)
    (root / "artifacts" / "00").mkdir()
    (root / "artifacts" / "00" / f"{'0' * 64}.bin").write_bytes(b"x")
    (root / "runs" / ".n4w-new-2026-01-01_Half_000000000000").mkdir()


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


CALLS = {
    # Paths and workspaces
    "open an empty path": lambda _: n4w.Workspace.open(""),
    "open what is not there": lambda lab: n4w.Workspace.open(lab.folder / "nowhere"),
    "open a file": lambda lab: n4w.Workspace.open(lab.folder / "wheat.csv"),
    "open a wrong format": lambda lab: copied(
        lab, "format", edited("workspace.yaml", "format_version: 2", "format_version: two")
    ),
    "create twice": lambda lab: n4w.Workspace.create(lab.ws.path),
    "create in an old folder": lambda lab: n4w.Workspace.create(lab.old.path),
    "create in a store": lambda lab: n4w.Workspace.create(store(lab)),
    "write a newer format": lambda lab: copied(
        lab, "newer", edited("workspace.yaml", "format_version: 2", "format_version: 9")
    ).runs.create("x"),
    "write an old folder": lambda lab: lab.old.runs.create("x"),
    "a summary of no dataset": lambda lab: lab.ws.summary("barley"),
    "a run id with a slash": lambda lab: lab.ws.predictions.writer("a/b", "wheat"),
    "a hidden run id": lambda lab: lab.ws.predictions.writer(".x", "wheat"),
    # Datasets
    "an unknown field": lambda lab: lab.ws.datasets.register(lab.folder / "other.csv", colour="red"),
    "a field of a wrong type": lambda lab: lab.ws.datasets.register(lab.folder / "other.csv", n_samples="x"),
    "a path that is not UTF-8": lambda lab: lab.ws.datasets.register(os.fsdecode(b"/nowhere/\xff")),
    "an unknown dataset": lambda lab: lab.ws.datasets.get("barley"),
    "a name of two datasets": lambda lab: two_named_wheat(lab).datasets.get("wheat"),
    "other content": lambda lab: lab.ws.datasets.relocate("wheat", lab.folder / "other.csv"),
    "a search root that is a text": lambda lab: lab.ws.datasets.resolve("wheat", "folder"),
    "a record with a number for a name": lambda lab: record_with(lab, "r1", "name: wheat", "name: 5"),
    "a record with a wrong status": lambda lab: record_with(lab, "r2", "status: valid", "status: fine"),
    "a record with a key twice": lambda lab: record_with(lab, "r3", "name: w", "name: x\nname: w"),
    "a record with another id": lambda lab: record_with(lab, "r4", "id: ds_", "id: other_"),
    "a newer record": lambda lab: copied(
        lab, "r5", edited("datasets/ds_*.yaml", "schema_version: '1.0'", "schema_version: '2.0'")
    ).datasets.accept_version("wheat", lab.folder / "other.csv"),
    "a record without a version": lambda lab: copied(
        lab, "r6", edited("datasets/ds_*.yaml", "schema_version: '1.0'", "schema_version: new")
    ).datasets.accept_version("wheat", lab.folder / "other.csv"),
    # Templates
    "an unknown template": lambda lab: lab.ws.templates.get("tpl_none"),
    "a changed template": lambda lab: copied(
        lab, "template", edited(f"templates/{lab.done.templates[0]['id']}.yaml", "SNV", "MSC")
    ).templates.get(lab.done.templates[0]["id"]),
    "one run compared": lambda lab: lab.ws.templates.compare(lab.done.id),
    "an object as a step": lambda lab: lab.ws.templates.add(n4w.Template([{"model": 1j}])),
    "a function without a name": lambda lab: lab.ws.templates.add(n4w.Template([lambda x: x])),
    "a key that is no text": lambda lab: lab.ws.templates.add(n4w.Template([{1: "a"}])),
    "a large array as a step": lambda lab: lab.ws.templates.add(n4w.Template([np.zeros(10_001)])),
    "steps that contain themselves": lambda lab: lab.ws.templates.add(n4w.Template(ITSELF)),
    "steps that are not Unicode": lambda lab: lab.ws.templates.add(n4w.Template(["\ud800"])),
    "steps with a long integer": lambda lab: lab.ws.templates.add(n4w.Template([10**5000])),
    # Runs
    "a run without a name": lambda lab: lab.ws.runs.create(""),
    "a template instead of a list": lambda lab: lab.ws.runs.create("x", templates="SNV"),
    "a template twice": lambda lab: lab.ws.runs.create("x", templates=[["SNV"], ["SNV"]]),
    "a dataset instead of a list": lambda lab: lab.ws.runs.create("x", datasets="wheat"),
    "a dataset twice": lambda lab: lab.ws.runs.create("x", datasets=["rye", "rye"]),
    "a dataset that is a number": lambda lab: lab.ws.runs.create("x", datasets=[5]),
    "a dataset without a name": lambda lab: lab.ws.runs.create("x", datasets=[""]),
    "a description that is a number": lambda lab: lab.ws.runs.create("x", description=5),
    "a configuration that is a list": lambda lab: lab.ws.runs.create("x", config=["cv"]),
    "modifications without a type": lambda lab: lab.ws.runs.create("x", modifications=[{"a": 1}]),
    "an unknown run": lambda lab: lab.ws.runs.get("nothing"),
    "delete an unknown run": lambda lab: lab.ws.runs.delete("nothing"),
    "change a recorded run": lambda lab: lab.old.runs.list()[0].transition("running"),
    "leave a final status": lambda lab: lab.done.transition("running"),
    "a transition that is not allowed": lambda lab: lab.waits.transition("completed"),
    "resume a completed run": lambda lab: lab.done.resume(),
    "retry a run of which nothing failed": lambda lab: lab.done.resume(retry_failed=True),
    "complete a run that is not complete": lambda lab: str(planned(lab)[0].transition("completed")),
    "break off a run": broken_off,
    "a beginning of two ids": lambda lab: lab.ws.runs.get("20"),
    "open a run with another template": lambda lab: lab.ws.runs.open("Done", templates=[["MSC"]]),
    "open a run with another dataset": lambda lab: lab.ws.runs.open("Done", datasets=["rye"]),
    "open a run with another config": lambda lab: lab.ws.runs.open("Done", config={"cv_folds": 5}),
    "plan more for a completed run": lambda lab: lab.ws.runs.open("Done").plan([{"name": "new"}]),
    "write to a queued run": lambda lab: lab.waits.writer("corn"),
    "plan an unknown template": lambda lab: lab.waits.plan([{"template_id": "tpl_none"}]),
    "plan nothing": lambda lab: lab.waits.plan([{}]),
    "plan a name that is a number": lambda lab: lab.waits.plan([{"name": 5}]),
    "plan without datasets": lambda lab: lab.ws.runs.create("Bare", templates=[["SNV"]]).plan(
        [{"name": "a"}]
    ),
    "a run without a record": lambda lab: (
        copied(lab, "bare", lambda root: (root / "runs" / lab.done.id / "run.yaml").unlink())
        .runs.get(lab.done.id)
        .record
    ),
    "configurations that are not JSON": lambda lab: (
        copied(lab, "configs", edited("runs/*Done*/configs.jsonl", "{", "")).runs.get(lab.done.id).configs()
    ),
    "references that are not a list": lambda lab: (
        copied(lab, "references", edited("runs/*Done*/datasets.yaml", "datasets:", "datasets: 5\nothers:"))
        .runs.get(lab.done.id)
        .datasets
    ),
    "runs derived from each other": lambda lab: ancestors(lab).lineage(lab.done.id),
    "a lineage of nothing": lambda lab: lab.ws.lineage("nothing"),
    # Results
    "results of a wrong status": lambda lab: lab.ws.results.list(status="fine"),
    "results from a negative offset": lambda lab: lab.ws.results.list(offset=-1),
    "an unknown result": lambda lab: lab.ws.results.get("res_none"),
    # Predictions
    "a negative k": lambda lab: lab.ws.predictions.top(-1),
    "a run that no row has": lambda lab: lab.ws.predictions.page(run="nothing"),
    "columns that are a text": lambda lab: lab.ws.predictions.page(columns="id"),
    "columns that repeat": lambda lab: lab.ws.predictions.page(columns=["id", "id"]),
    "a filter of its own": lambda lab: lab.ws.predictions.page(members=[]),
    "an unknown prediction": lambda lab: lab.ws.predictions.get("nothing"),
    "a prediction of two runs": lambda lab: two_rows(lab).predictions.get("1"),
    "an export to JSON": lambda lab: lab.ws.predictions.export(lab.folder / "a.json"),
    "an export of a wrong kind": lambda lab: lab.ws.predictions.export(lab.folder / "a.csv", "xls"),
    "an export of bytes to CSV": lambda lab: lab.ws.predictions.export(
        lab.folder / "a.csv", columns=["id", "blob"]
    ),
    # Writing
    "a wrong durability": lambda lab: lab.ws.predictions.writer("lab", "wheat", durability="maybe"),
    "a dataset with an empty name": lambda lab: lab.ws.predictions.writer("lab", ""),
    "a result that was not planned": lambda lab: planned(lab)[2].write({"result_id": "res_none"}),
    "a result planned on another dataset": lambda lab: (
        lambda plan: plan[2].write({"result_id": plan[1][0].id})
    )(planned(lab, "rye")),
    "close with rows of an unfinished result": lambda lab: unfinished(lab) and None,
    "a value of an unknown type": lambda lab: written(lab, mine=object),
    "a complex number": lambda lab: written(lab, mine=np.complex64(1)),
    "a duration in a list": lambda lab: written(lab, mine=[timedelta(1)]),
    "a decimal that is not exact": lambda lab: written(lab, mine=decimal.Decimal("0.123456789012345678901")),
    "a nanosecond": lambda lab: written(lab, mine=np.datetime64("2026-01-02T03:04:05.000000001")),
    "an array of texts": lambda lab: written(lab, y_true=["a"]),
    "an array that is a number": lambda lab: written(lab, y_true=np.array(["a"])),
    "an array with rows of two lengths": lambda lab: written(lab, y_true=[[1.0], [1.0, 2.0]]),
    "an array with an integer that is not exact": lambda lab: written(lab, y_true=[2**53 + 1]),
    "a checkpoint without an id": lambda lab: checkpointed(lab, id=None),
    "a checkpoint with a wrong count": lambda lab: checkpointed(lab, n_rows=1.5),
    "a checkpoint with a wrong score": lambda lab: checkpointed(lab, best_score="good"),
    "a checkpoint with one artifact": lambda lab: checkpointed(lab, artifacts="f"),
    "a checkpoint that is not Unicode": lambda lab: checkpointed(lab, note="b\udcff"),
    "a checkpoint with a long integer": lambda lab: checkpointed(lab, seed=2**64),
    "a checkpoint that is too deep": lambda lab: checkpointed(lab, params=nested(200)),
    "a checkpoint with one key twice": lambda lab: checkpointed(lab, params={1: "a", "1": "b"}),
    "a checkpoint with an object": lambda lab: checkpointed(lab, model=object),
    "a writer that was dropped": dropped,
    "a progress that raises": reported,
    # Artifacts, traces, watching
    "a wrong extension": lambda lab: lab.ws.artifacts.put(b"x", "a/b"),
    "an unknown artifact": lambda lab: lab.ws.artifacts.get("f" * 64),
    "a trace of a wrong kind": lambda lab: lab.ws.trace("fold", "1"),
    "a trace of nothing": lambda lab: lab.ws.trace("run", "nothing"),
    "a negative interval": lambda lab: lab.ws.watch(interval=-1),
    # Migration
    "migrate nothing": lambda lab: n4w.migrate(lab.folder / "nowhere", lab.folder / "new"),
    "migrate into itself": lambda lab: n4w.migrate(lab.old.path, lab.old.path / "new"),
    "migrate a workspace": lambda lab: n4w.migrate(lab.ws.path, lab.folder / "new"),
    "migrate an empty folder": lambda lab: n4w.migrate(made(lab, "empty"), lab.folder / "new"),
    "migrate a store": lambda lab: n4w.migrate(store(lab), lab.folder / "new"),
    "migrate into a full folder": lambda lab: n4w.migrate(lab.old.path, lab.ws.path),
    # Answers
    "a dataset that was found": lambda lab: lab.ws.datasets.resolve("wheat").reason,
    "a dataset that is missing": lambda lab: (
        copied(lab, "missing", edited("datasets/ds_*.yaml", "_path: ", "_path: /nowhere", every=True))
        .datasets.resolve("wheat", [made(lab, "empty")])
        .reason
    ),
    "what verify finds": lambda lab: findings(copied(lab, "spoilt", spoilt)),
    # Driving nirs4all
    "read a run with an unknown key": lambda lab: read_spec(lab, "name: a\nworker: 2\n"),
    "read a run with a key of no use": lambda lab: read_spec(lab, "name: a\nexecutor: dask\n"),
    "read a run with a wrong value": lambda lab: read_spec(lab, "name: a\nworkers: two\n"),
    "read a run with a key twice": lambda lab: read_spec(lab, "name: a\nname: b\n"),
    "read a run that is no YAML": lambda lab: read_spec(lab, "name: [a\n"),
    "read a run without templates": lambda lab: read_spec(lab, "name: a\n"),
    "read a run with a template that is none": lambda lab: read_spec(
        lab, "templates: [SNV]\ndatasets: [x]\n"
    ),
    "read a run with a dataset that is not there": lambda lab: read_spec(
        lab, "templates: [[SNV]]\ndatasets:\n- x\n"
    ),
    "make a class that is not allowed": lambda _: permissions.check([{"class": "subprocess.Popen"}]),
    "make another part of nirs4all": lambda _: permissions.check(["nirs4all.run"]),
    "load a model": lambda _: permissions.check([{"model": "best.joblib"}]),
    "load a folder of a model": lambda _: permissions.check([{"model": "models/best"}]),
    "unpickle bytes": lambda _: permissions.check([{"params": {"x": b"x"}}]),
    "take what is no duration": lambda _: worker.seconds_of("an hour"),
    "compute with threads and a timeout": lambda _: pool.outcomes(
        len, [], executor=ThreadPoolExecutor(1), timeout=3
    ),
    "compute a function of a prompt": lambda _: list(pool.outcomes(lambda it: it, [1], workers=1)),
    "compute what dies": lambda _: failures.Failure.died(-9).message,
    "compute what takes long": lambda _: failures.Failure.took_too_long(3).message,
}

COMMANDS = {
    "a trace of an unknown kind": lambda lab: ["lineage", "x", lab.ws.path, "--trace", "fold"],
    "two files at once": lambda lab: ["predictions", lab.ws.path, "--csv", "a", "--parquet", "b"],
    "a page of a file": lambda lab: ["predictions", lab.ws.path, "--csv", "a", "--offset", 1],
    "delete without a terminal": lambda lab: ["delete", lab.done.id, lab.ws.path],
    "a model that no row has": lambda lab: ["predictions", lab.ws.path, "--model", "SVR"],
    "a dataset that no result has": lambda lab: ["results", lab.ws.path, "--dataset", "rye"],
    "an empty path": lambda _: ["runs", ""],
    "the state of a store": lambda lab: ["summary", store(lab)],
    "pause a completed run": lambda lab: ["pause", lab.done.id, lab.ws.path],
    "an unknown run to show": lambda lab: ["show", "nothing", lab.ws.path],
    "a command on no folder": lambda lab: ["stats", lab.folder / "nowhere"],
    "make a workspace": lambda lab: ["init", lab.folder / "fresh"],
    "nothing to recover": lambda lab: ["recover", lab.folder / "fresh"],
    "nothing to collect": lambda lab: ["gc", lab.folder / "fresh"],
    "nothing to compact": lambda lab: ["compact", lab.folder / "fresh"],
    "nothing wrong": lambda lab: ["verify", lab.folder / "fresh"],
}


def called(call, lab):
    """The class and text of the error, else of the warnings, else the answer."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = call(lab)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            return f"{type(error).__name__}: {error}"
    told = [f"{type(warning.message).__name__}: {warning.message}" for warning in caught]
    return "\n".join(told) or str(answer)


def run(arguments):
    """The exit code of a command and all that it prints, without frames, tables and usage."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            cli.main([*map(str, arguments)])
            code = 0
        except SystemExit as exit_:
            code = exit_.code
    lines = (line.strip("│ ") for line in out.getvalue().splitlines())
    lines = (line for line in lines if not re.match(r"[╭╰┏┃┡└]|Usage: |Try '", line))
    return "\n".join([f"exit code {code}", *(re.sub(r"\s+", " ", line) for line in lines if line)])


def placeholders(text, lab):
    """A message in which what differs from run to run has a name."""
    text = text.replace(str(lab.folder), "<lab>")
    for run_id, name in ((lab.done.id, "<done>"), (lab.waits.id, "<waits>")):
        text = text.replace(run_id, name)
    text = re.sub(r"\d{4}-\d\d-\d\d_[A-Za-z-]+_[0-9a-f]{12}", "<run>", text)
    text = re.sub(r"res_[0-9a-f]{16}", "<result>", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
    text = re.sub(r"(?<=[.'])[0-9a-f]{12}(?=[.'])", "<writer>", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "<address>", text)
    return text.replace(str(os.getpid()), "<pid>").replace(n4w.__version__, "<version>")


@pytest.fixture(scope="module")
def said(lab):
    """What each call and command says, by its name."""
    found = {name: called(call, lab) for name, call in CALLS.items()}
    found |= {f"n4w: {name}": run(command(lab)) for name, command in COMMANDS.items()}
    found = {name: placeholders(text, lab) for name, text in found.items()}
    if os.environ.get("N4W_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text("".join(f"# {name}\n{text}\n\n" for name, text in found.items()), "utf-8")
    return found


def golden():
    blocks = re.split(r"^# (.*)\n", GOLDEN.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {name: text.strip("\n") for name, text in zip(blocks[::2], blocks[1::2], strict=True)}


@pytest.mark.parametrize("name", [*CALLS, *(f"n4w: {name}" for name in COMMANDS)])
def test_a_message_is_worded_as_agreed(said, name):
    assert said[name] == golden().get(name)


def test_the_golden_file_has_no_other_messages(said):
    assert [*golden()] == [*said]
