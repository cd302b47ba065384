"""A journal that an earlier version poisoned keeps its rows, the ids of its results and what can be read."""

import json
import shutil

import nirs4all_workspace as n4w
import polars as pl
import pytest
from conftest import DATA
from make_poisoned_journal import RESULTS, RUN

JOURNAL = f"{RUN}.0123456789ab.journal"
# By result: the values that are null, and the key that names them.
UNREADABLE = {
    "surrogate": ("note", "unreadable"),
    "number": ("seed", "unreadable"),
    "nested": ("params", "unreadable_"),
}


@pytest.fixture
def ws(tmp_path):
    made = n4w.Workspace.create(tmp_path / "ws")
    run = made.runs.create("poisoned", datasets=["wheat"])
    record = (run.path / "run.yaml").read_text()
    (run.path / "run.yaml").write_text(record.replace(run.id, RUN))
    run.path.rename(made.path / "runs" / RUN)
    folder = made.path / "predictions" / "wheat_6cf73f3c"
    folder.mkdir()
    shutil.copyfile(DATA / "poisoned.journal", folder / JOURNAL)
    return made


def check_results(found):
    found = {result["id"]: result for result in found}
    assert list(found) == list(RESULTS)
    for name, given in RESULTS.items():
        result, (null, named) = found[name], UNREADABLE.get(name, (None, None))
        assert (result["config_name"], result["status"], result["n_rows"]) == ("c", "done", 1)
        if named:
            assert (result[null], result[named]) == (None, [null])
        for key in given.keys() - {null, "artifacts", "best_score", "n_samples", "b\udcffro"}:
            assert result[key] == given[key], (name, key)
    assert (found["key"]["b\\udcffro"], found["key"]["unreadable"]) == (1, ["b\\udcffro"])
    wrong = found["types"]
    assert (wrong["artifacts"], wrong["best_score"], wrong["n_samples"]) == ([], None, None)
    assert sorted(wrong["unreadable"]) == ["artifacts", "best_score", "n_samples"]


def check_readers(ws):
    check_results(result.to_dict() for result in ws.runs.get(RUN).results())
    check_results(result.to_dict() for result in ws.results.list(sort_by="completed_at"))
    assert (ws.runs.get(RUN).results().errors, ws.summary()["errors"], ws.stats()["errors"]) == ([], [], [])
    assert ws.summary()["total_predictions"] == len(RESULTS)
    assert set(ws.predictions.scan().collect()["result_id"]) == set(RESULTS)
    assert ws.runs.get(RUN).summary()["counts"]["done"] == len(RESULTS)


def check_verified(ws):
    """The results that lack something are notes."""
    found = ws.verify(full=True)
    noted = [note["message"] for note in found["notes"] if note["kind"] == "unreadable"]
    assert len(noted) == len(UNREADABLE) + 2
    for name in [*UNREADABLE, "key", "types"]:
        assert sum(f" of {name}:" in message for message in noted) == 1
    return found


def test_a_poisoned_journal_is_read_recovered_and_deleted(ws):
    check_readers(ws)
    check_verified(ws)
    report = ws.recover()
    assert (report["problems"], len(report["sealed"])) == ([], 1)
    noted = [note["message"] for note in report["notes"] if note["kind"] == "unreadable"]
    assert sorted(message.split()[1].strip(":") for message in noted) == sorted({*UNREADABLE, "key"})
    (path,) = (ws.path / "runs" / RUN).glob("results.*.jsonl")
    for line in path.read_text("ascii").splitlines():
        json.loads(line)
    (segment,) = ws.path.glob("predictions/*/*.meta.parquet")
    assert set(pl.read_parquet(segment)["result_id"]) == set(RESULTS)
    check_readers(ws)
    assert check_verified(ws)["problems"] == []
    assert ws.runs.delete(RUN)["run_id"] == RUN
    assert ws.summary()["total_predictions"] == 0
