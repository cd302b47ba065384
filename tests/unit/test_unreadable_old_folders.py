"""One thing of a folder of nirs4all 0.6 that cannot be read is one entry, and the rest is answered."""

import os
import shutil
import warnings

import migrations
import nirs4all_workspace as n4w
import old_runs
import polars as pl
import pytest
from unreadable import FAULTS, age, hurt, remove

OF_RUNS = {"summary", "runs", "results", "stats", "verify", "datasets", "link", "prewarm", "gc", "trace"}
OF_ROWS = {"summary", "stats", "page", "top", "scan", "get", "verify", "datasets", "link", "prewarm", "trace"}
CALLS = {
    "summary": lambda ws: (of_datasets(ws.summary()), ws.summary()["errors"]),
    "runs": lambda ws: ([run.name for run in ws.runs.list()], ws.runs.list().to_dict()["errors"]),
    "results": lambda ws: ([it.dataset_name for it in ws.results.list()], ws.results.list().errors),
    "stats": lambda ws: ([it["dataset"] for it in ws.stats()["model_performance"]], ws.stats()["errors"]),
    "page": lambda ws: ([row["id"] for row in ws.predictions.page().records], ws.predictions.page().errors),
    "top": lambda ws: ([row["id"] for row in ws.predictions.top(5)], ws.predictions.top(5).errors),
    "scan": lambda ws: (ws.predictions.scan().collect()["id"].to_list(), []),
    "get": lambda ws: ([ws.predictions.get("wheat", arrays=True)["id"]], []),
    "verify": lambda ws: ([], ws.verify(full=True)["problems"]),
    "datasets": lambda ws: ([record.name for record in ws.datasets.list()], ws.datasets.list().errors),
    "link": lambda ws: ([], ws.datasets.link().errors),
    "prewarm": lambda ws: ([], ws.prewarm()["errors"]),
    "gc": lambda ws: ([], ws.gc()["errors"]),
    "trace": lambda ws: ([], ws.trace("dataset", "wheat").errors),
}


def of_datasets(summary):
    return [one["dataset_name"] for one in summary["datasets"]]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    root = tmp_path_factory.mktemp("old") / "old"
    root.mkdir()
    for name, dataset in (("alpha", "wheat"), ("beta", "rye")):
        old_runs.write(root, [old_runs.Call(name, [dataset], [([name], [])], [1])])
        columns = {
            "id": dataset,
            "dataset_name": dataset,
            "partition": "val",
            "metric": "rmse",
            "val_score": 0.5,
        }
        columns["config_name"] = next((root / "runs" / dataset).iterdir()).name
        pl.DataFrame([columns]).write_parquet(root / f"{dataset}.meta.parquet")
        arrays = {"array_id": ["a"], "array_data": [[1.0]]}
        pl.DataFrame(arrays).write_parquet(root / f"{dataset}.arrays.parquet")
    age(root)
    return root, ask(root)


def ask(root):
    ws, answers = n4w.Workspace.open(root), {}
    for name, call in CALLS.items():
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            facts, errors = call(ws)
        said = {error["path"].removeprefix(f"{root}/") for error in errors}
        said |= {str(it.message).removeprefix("left out: ").split(": ")[0] for it in told}
        answers[name] = sorted(facts), said
    return answers


# Of each thing: the calls that name it, and those that do without what it says.
THINGS = {
    "runs": (OF_RUNS, {"runs"}, True),
    "runs/rye": (OF_RUNS, {"runs"}, True),
    "runs/rye/{config}": (OF_RUNS, {"runs"}, True),
    "runs/rye/{config}/manifest.yaml": (OF_RUNS, {"runs"}, False),
    "rye.meta.parquet": (OF_ROWS, {"summary", "stats", "page", "top", "scan", "datasets"}, False),
    "rye.arrays.parquet": ({"verify"}, set(), False),
}


@pytest.mark.parametrize("thing", THINGS)
def test_one_thing(old, thing, tmp_path):
    root, good = old
    told, lacking, is_folder = THINGS[thing]
    path = thing.format(config=next((root / "runs" / "rye").iterdir()).name)
    for fault in FAULTS:
        if (fault == "device" and os.getuid() != 0) or (thing == "runs/rye" and fault == "other type"):
            continue  # a file among the folders of datasets is nobody's
        copy = tmp_path / fault
        shutil.copytree(root, copy)
        hurt(copy / path, fault, is_folder)
        for name, (facts, said) in ask(copy).items():
            assert said in ({path}, set()), (fault, name, said)
            assert said or name not in told, (fault, name)
            if name in lacking:
                assert set(facts) >= {one for one in good[name][0] if one == "wheat"}, (fault, name)
                assert facts != good[name][0], (fault, name)
            else:
                assert facts == good[name][0], (fault, name)
        remove(copy)


@pytest.mark.parametrize("ask", ["trace", "lineage", "results", "rows"])
def test_a_session_without_its_manifests_is_not_found_and_they_are_named(tmp_path, ask):
    old = migrations.Old(tmp_path / "old")
    old.row("wheat", old.config("wheat", "Sweep"))
    old.write()
    (run,) = (it.id for it in n4w.Workspace.open(old.root).runs.list().headers)
    for manifest in old.root.glob("runs/*/*/manifest.yaml"):
        manifest.unlink()
        os.mkfifo(manifest)
    ws = n4w.Workspace.open(old.root)
    calls = {
        "trace": lambda: ws.trace("run", run),
        "lineage": lambda: ws.lineage(run),
        "results": lambda: ws.results.list(run=run),
        "rows": lambda: ws.predictions.page(run=run),
    }
    with pytest.raises(n4w.NotFoundError, match=r"manifest\.yaml.* cannot be read"):
        calls[ask]()
