"""A workspace in which one thing cannot be read, the calls that read, and what each says of it.

Run as a program it asks workspaces as a user who may not read what root may.
"""

import json
import os
import re
import shutil
import socket
import sys
import warnings
from pathlib import Path

import nirs4all_workspace as n4w

DATASETS = ("wheat", "rye", "oat")
# The one whose run, predictions, arrays and records have the fault.
HIT = "rye"


def make(root):
    """A workspace of three runs, each on a dataset of its own, and a fourth whose writer was left open."""
    ws = n4w.Workspace.create(root / "ws")
    named = {}
    (ws.path / "data").mkdir()
    for number, dataset in enumerate(DATASETS):
        file = ws.path / "data" / f"{dataset}.csv"
        file.write_text("a;b;y\n" + "\n".join(f"{k};{k + number};{k}" for k in range(9)) + "\n")
        record = ws.datasets.register(file, name=dataset)
        run = ws.runs.create(f"r-{dataset}", templates=[[f"step {dataset}"]], datasets=[record.id])
        artifact = ws.artifacts.put(f"model {dataset}".encode())
        with run:
            (result,) = run.plan([{"name": "only"}])
            with run.writer(dataset) as writer:
                writer.write(_row(result, dataset))
                result.artifacts = [artifact]
                writer.checkpoint(result)
        template = run.templates[0]["id"]
        named[dataset] = {
            "run": run.id,
            "template": template,
            "dataset": record.id,
            "artifact": artifact,
            "result": result.id,
        }
    # They go by themselves, later.
    for journal in ws.path.glob("predictions/*/*.journal"):
        journal.unlink()
    for dataset in DATASETS:
        (ws.path / ".locks" / "runs" / f"{named[dataset]['run']}.owner.lock").touch()
    return ws.path, named


def _row(result, dataset):
    return {
        "id": f"row-{dataset}",
        "result_id": result.id,
        "partition": "val",
        "fold_id": "0",
        "metric": "rmse",
        "model_name": f"PLS {dataset}",
        "val_score": 0.25 + DATASETS.index(dataset),
        "y_true": [1.0, 2.0],
        "y_pred": [1.5, float(DATASETS.index(dataset))],
    }


def age(root):
    """Make all of it old enough for caches to keep what they read."""
    for folder, _, names in os.walk(root):
        for name in names:
            os.utime(Path(folder) / name, (1.7e9, 1.7e9))
        os.utime(folder, (1.7e9, 1.7e9))


def ask(root, named, skip=()):
    """Every call that reads: what it says of each dataset, what of it is an error, and what it raised."""
    answers = {}
    ws = n4w.Workspace.open(root)
    for name, call in CALLS.items():
        if name in skip:
            continue
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                facts, errors = call(ws, named)
        except OSError as error:
            path = os.fsdecode(error.filename or "").removeprefix(f"{root}/")
            answers[name] = {"raised": [error.errno, path]}
            continue
        except Exception as error:  # noqa: BLE001 - the test says which
            answers[name] = {"failed": f"{type(error).__name__}: {error}"}
            continue
        said = [[error["path"], error["kind"]] for error in errors]
        # Calls that ask for several things warn once for each.
        said += [list(part) for part in {tuple(part[:2]) for part in _warned(told)} if list(part) not in said]
        answers[name] = {"facts": sorted(map(str, facts)), "errors": said}
    return answers


def _warned(told):
    for warning in told:
        # Warnings show bytes that are no Unicode as escapes.
        text = re.sub(
            r"\\x([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), str(warning.message)
        )
        yield text.removeprefix("left out: ").split(": ", 2)


def _summary(ws, _):
    found = ws.summary()
    return {one["dataset_name"] for one in found["datasets"]}, found["errors"]


def _of(text):
    return {dataset for dataset in DATASETS if dataset in str(text)}


def _runs(ws, _):
    listed = ws.runs.list()
    answer = listed.to_dict()
    return _of([run["name"] for run in answer["runs"] if run["kind"] == "run"]), answer["errors"]


def _results(ws, _):
    listed = ws.results.list()
    return _of([result.dataset_name for result in listed]), listed.errors


def _stats(ws, _):
    found = ws.stats()
    return _of([it["dataset"] for it in found["model_performance"]]), found["errors"]


def _page(ws, _):
    page = ws.predictions.page(sort_by="id")
    return _of([row["id"] for row in page.records]), page.errors


def _top(ws, _):
    top = ws.predictions.top(9)
    return _of([row["id"] for row in top]), top.errors


def _scan(ws, _):
    return _of(ws.predictions.scan().collect()["id"].to_list()), []


def _get(ws, _):
    others = [dataset for dataset in DATASETS if dataset != HIT]
    rows = [ws.predictions.get(f"row-{dataset}", arrays=True) for dataset in others]
    assert [list(row["y_pred"]) for row in rows] == [[1.5, float(DATASETS.index(it))] for it in others]
    return _of([row["id"] for row in rows]), []


def _verify(full):
    def verify(ws, named):
        found = ws.verify(full)
        of_others = [named[dataset] for dataset in DATASETS if dataset != HIT]
        ids = {id_ for of_one in of_others for id_ in of_one.values()}
        wrong = [it for it in found["problems"] if any(id_ in it["path"] + it["message"] for id_ in ids)]
        assert not wrong, wrong
        return set(), _relative(ws, found["problems"] + found["notes"])

    return verify


def _trace(ws, named):
    traced = ws.trace("run", named["wheat"]["run"])
    assert (len(traced.results), len(traced.artifacts)) == (1, 1), traced
    return _of([it["name"] for it in traced.datasets]), traced.errors


def _lineage(ws, named):
    found = ws.lineage(named["wheat"]["run"])
    assert not found.nodes[0].is_missing
    return _of([node.name for node in found.nodes]), found.errors


def _gc(ws, _):
    found = ws.gc()
    return set(), found["errors"]


def _recover(ws, _):
    found = ws.recover()
    return set(), found["problems"]


def _prewarm(ws, _):
    return set(), ws.prewarm()["errors"]


def _datasets(ws, _):
    listed = ws.datasets.list()
    return _of([record.name for record in listed]), _relative(ws, listed.errors)


def _relative(ws, errors):
    return [{**error, "path": error["path"].removeprefix(f"{ws.path}/")} for error in errors]


def _link(ws, _):
    report = ws.datasets.link()
    errors = _relative(ws, report.errors)
    # A folder of the workspace that is searched for datasets too is in both lists.
    known = {error["path"] for error in errors}
    errors += [error for error in _relative(ws, report.not_indexed) if error["path"] not in known]
    return _of(list(report.resolutions)), errors


def _resolve(ws, named):
    found = [ws.datasets.resolve(named[dataset]["dataset"]) for dataset in DATASETS if dataset != HIT]
    return _of([it.path for it in found if it.status == "valid"]), []


def _templates(ws, named):
    listed = ws.templates.list()
    for dataset in DATASETS:
        if dataset != HIT:
            assert ws.templates.get(named[dataset]["template"]).steps == [f"step {dataset}"]
    return {it for it in DATASETS if named[it]["template"] in listed}, listed.errors


def _one_run(ws, named):
    runs = [ws.runs.get(named[dataset]["run"]) for dataset in DATASETS if dataset != HIT]
    answers = [run.to_dict() for run in runs]
    assert all(answer["summary"]["counts"]["done"] == 1 for answer in answers), answers
    return _of([answer["name"] for answer in answers]), []


def _watch(ws, _):
    with ws.watch(interval=0.01, poll=True) as watch:
        (ws.path / "datasets").is_dir()
        watch.stop()
        list(watch)
    return set(), []


def _create(ws, _):
    """Writers too: what the new run needs is there."""
    with ws.runs.create("fresh", templates=[["fresh"]], datasets=["fresh"]) as run:
        (result,) = run.plan([{"name": "only"}])
        with run.writer("fresh") as writer:
            writer.write({"id": "fresh", "result_id": result.id, "partition": "val"})
            writer.checkpoint(result)
    assert run.summary()["counts"]["done"] == 1
    ws.runs.delete(run.id)
    return set(), []


CALLS = {
    "summary": _summary,
    "runs": _runs,
    "run": _one_run,
    "results": _results,
    "stats": _stats,
    "page": _page,
    "top": _top,
    "scan": _scan,
    "get": _get,
    "verify": _verify(False),
    "verify full": _verify(True),
    "trace": _trace,
    "lineage": _lineage,
    "gc": _gc,
    "prewarm": _prewarm,
    "datasets": _datasets,
    "link": _link,
    "resolve": _resolve,
    "templates": _templates,
    "watch": _watch,
    "recover": _recover,
    "create": _create,
}


def things(root, named):
    """Each thing of a workspace that the run on rye has, and each that all share: its path, by name."""
    hit = named[HIT]

    def one(pattern):
        (found,) = root.glob(pattern)
        return found.relative_to(root).as_posix()

    folder = one(f"predictions/{HIT}_*")
    run = f"runs/{hit['run']}"
    return {
        "runs": "runs",
        "run": run,
        "run.yaml": f"{run}/run.yaml",
        "templates.yaml": f"{run}/templates.yaml",
        "datasets.yaml": f"{run}/datasets.yaml",
        "config.yaml": f"{run}/config.yaml",
        "configs.jsonl": f"{run}/configs.jsonl",
        "results": one(f"{run}/results.*.jsonl"),
        "summary.yaml": f"{run}/summary.yaml",
        "templates": "templates",
        "template": f"templates/{hit['template']}.yaml",
        "datasets": "datasets",
        "dataset": f"datasets/{hit['dataset']}.yaml",
        "predictions": "predictions",
        "folder": folder,
        "segment": one(f"{folder}/*.meta.parquet"),
        "arrays": "arrays",
        "folder of arrays": one(f"arrays/{HIT}_*"),
        "file of arrays": one(f"arrays/{HIT}_*/*.parquet"),
        "artifacts": "artifacts",
        "folder of artifacts": f"artifacts/{hit['artifact'][:2]}",
        "artifact": one(f"artifacts/*/{hit['artifact']}.*"),
        "locks": ".locks",
        "locks of runs": ".locks/runs",
        "lock": f".locks/runs/{hit['run']}.owner.lock",
        "trash": ".trash",
        "cache": ".cache",
        "journal": f"{folder}/{hit['run']}.0123456789ab.journal",
        "partial": f"{folder}/partial",
    }


FOLDERS = {
    *(
        "runs",
        "run",
        "templates",
        "datasets",
        "predictions",
        "folder",
        "arrays",
        "folder of arrays",
        "artifacts",
    ),
    *("folder of artifacts", "locks", "locks of runs", "trash", "cache", "partial"),
}


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def hurt(path, fault, is_folder):
    """Put a fault in the place of a thing."""
    if fault == "mode 000":
        if not path.exists():
            path.mkdir(parents=True) if is_folder else path.touch()
        path.chmod(0)
        return
    if fault == "mode 444":
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o444)
        return
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if fault == "fifo":
        os.mkfifo(path)
    elif fault == "socket":
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path.name[:90])
            if path.name[:90] != path.name:
                Path(path.name[:90]).rename(path.name)
        finally:
            os.chdir(here)
    elif fault == "device":
        os.mknod(path, 0o20666, os.makedev(1, 3))
    elif fault == "other type" and is_folder:
        path.write_bytes(b"not a folder")
    elif fault == "other type":
        path.mkdir()
    elif fault == "loop":
        path.symlink_to(path.name)
    elif fault == "dangling":
        path.symlink_to("nowhere at all")
    else:
        assert fault == "gone"


FAULTS = ("fifo", "socket", "device", "other type", "loop", "dangling")


NOBODY = 65534


def main():
    """Ask workspaces as nobody, but for the first, which loads what is loaded on use."""
    (_, root, named), *asked = json.load(sys.stdin)
    ask(Path(root), named)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    print(json.dumps({name: ask(Path(root), named, skip=["create"]) for name, root, named in asked}))


if __name__ == "__main__":
    main()
