"""A writer that takes the place of former ones: their rows and results are in no answer after any merge."""

import os
import shutil
import subprocess

import nirs4all_workspace as n4w
import polars as pl
import pytest
from nirs4all_workspace import _native

pytestmark = pytest.mark.skipif(shutil.which("cp") is None, reason="needs cp")

WRITERS = [f"{number:012x}" for number in range(1, 5)]
RUN = "2026-11-24_Imported_0123456789ab"
DATASET = "wheat"
FOLDER = _native.dataset_folder(DATASET)


def result(number):
    return f"res_{number:016x}"


def rows_of(number, results, count=3):
    """The rows of a writer, `count` of each of its results."""
    ids = [(one, place) for one in results for place in range(count)]
    return pl.DataFrame(
        {
            "id": [f"w{number}_{one}_{place}" for one, place in ids],
            "result_id": [result(one) for one, _ in ids],
            "metric": "rmse",
            "partition": "val",
            "fold_id": [str(place) for _, place in ids],
            "model_name": "PLS",
            "val_score": [float(number) + one / 8 + place / 64 for one, place in ids],
        }
    )


def imported(path, number, results, replaces=()):
    """A workspace with one import of the run, as the writer of this number made it."""
    ws = n4w.Workspace.create(path)
    made = ws.runs.create("imported", datasets=[DATASET])
    for name in ("run.yaml", "datasets.yaml", "templates.yaml"):
        record = made.path / name
        if record.exists():
            record.write_text(record.read_text().replace(made.id, RUN))
    made.path.rename(path / "runs" / RUN)
    writer = ws.predictions.open_writer(RUN, DATASET, ids=(WRITERS[number], f"{number:032x}"))
    with writer:
        if results:
            writer.write_batch(rows_of(number, results))
        for one in results:
            # A former checkpoint is the earlier one, which else would win.
            done = {
                "id": result(one),
                "config_id": f"cfg_{one}",
                "completed_at": f"2026-01-0{number + 1}T00:00:00+00:00",
            }
            writer.checkpoint(done)
    if replaces:
        _native.supersede(path, RUN, FOLDER, WRITERS[number], [WRITERS[other] for other in replaces])
    return ws


def merge(source, target):
    for folder in ("runs", "predictions", "arrays"):
        subprocess.run(["cp", "-rn", source / folder, target], check=True)


def sweep(ws):
    for file in (ws.path / "predictions").glob("*/*.parquet"):
        os.utime(file, (0, 0))
    ws.recover()


def check(path, number, results):
    """Every answer has the rows and results of one writer alone."""
    ws = n4w.Workspace.open(path)
    expected = rows_of(number, results)
    scanned = ws.predictions.scan().collect()
    assert dict(zip(scanned["id"], scanned["val_score"], strict=True)) == dict(
        zip(expected["id"], expected["val_score"], strict=True)
    )
    assert ws.summary()["total_predictions"] == expected.height
    best = expected.sort("val_score")["id"].to_list()
    assert [row["id"] for row in ws.predictions.top(20, metric="rmse")] == best
    assert [row["id"] for row in ws.predictions.page(limit=50, sort_by="val_score").records] == best
    assert sorted(one.id for one in ws.results.list()) == [result(one) for one in results]
    assert sorted(one.id for one in ws.runs.get(RUN).results()) == [result(one) for one in results]
    assert {one.writer for one in ws.results.list()} <= {WRITERS[number]}
    for other in range(1, 4):
        for one in rows_of(other, range(4))["id"].to_list():
            if one not in set(best):
                with pytest.raises(KeyError):
                    ws.predictions.get(one)
    for one in best:
        assert ws.predictions.get(one)["id"] == one
    assert ws.verify(full=True)["problems"] == []


@pytest.mark.parametrize("newer_into_former", [True, False])
@pytest.mark.parametrize("results", [[0, 1], [0, 3], [2]], ids=str)
def test_merged_in_either_direction(tmp_path, newer_into_former, results):
    imported(tmp_path / "former", 1, [0, 1, 2])
    imported(tmp_path / "newer", 2, results, replaces=[1])
    check(tmp_path / "former", 1, [0, 1, 2])
    check(tmp_path / "newer", 2, results)
    source, target = ("newer", "former") if newer_into_former else ("former", "newer")
    merge(tmp_path / source, tmp_path / target)
    check(tmp_path / target, 2, results)
    sweep(n4w.Workspace.open(tmp_path / target))
    check(tmp_path / target, 2, results)
    assert not list((tmp_path / target / "predictions").glob(f"*/*{WRITERS[1]}*"))
    # And once more from a copy that still has the former files.
    if not newer_into_former:
        merge(tmp_path / source, tmp_path / target)
        check(tmp_path / target, 2, results)


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 2, 1], [2, 3, 1], [1, 3, 2]], ids=str)
def test_three_after_one_another(tmp_path, order):
    wanted = {1: [0, 1, 2], 2: [0, 1], 3: [0, 2]}
    for number in wanted:
        imported(tmp_path / str(number), number, wanted[number], replaces=range(1, number))
    for number in order[1:]:
        merge(tmp_path / str(number), tmp_path / str(order[0]))
    check(tmp_path / str(order[0]), 3, wanted[3])
    sweep(n4w.Workspace.open(tmp_path / str(order[0])))
    check(tmp_path / str(order[0]), 3, wanted[3])


@pytest.mark.parametrize("newer_into_former", [True, False])
def test_nothing_is_left(tmp_path, newer_into_former):
    imported(tmp_path / "former", 1, [0, 1])
    imported(tmp_path / "newer", 2, [], replaces=[1])
    source, target = ("newer", "former") if newer_into_former else ("former", "newer")
    merge(tmp_path / source, tmp_path / target)
    check(tmp_path / target, 2, [])
    sweep(n4w.Workspace.open(tmp_path / target))
    check(tmp_path / target, 2, [])


@pytest.mark.parametrize("newer_into_former", [True, False])
def test_a_compaction_that_has_former_rows(tmp_path, newer_into_former):
    former = imported(tmp_path / "former", 1, [0, 1])
    # Another writer of the run, so that there is something to compact; its rows stay.
    with former.predictions.open_writer(RUN, DATASET, ids=(WRITERS[0], f"{9:032x}")) as writer:
        writer.write_batch(rows_of(0, [3]))
        writer.checkpoint({"id": result(3), "config_id": "cfg_3"})
    sweep(former)
    former.predictions.compact()
    imported(tmp_path / "newer", 2, [0], replaces=[1])
    source, target = ("newer", "former") if newer_into_former else ("former", "newer")
    merge(tmp_path / source, tmp_path / target)
    merged = n4w.Workspace.open(tmp_path / target)
    expected = pl.concat([rows_of(0, [3]), rows_of(2, [0])])
    for _ in range(3):
        found = merged.predictions.scan().collect()
        assert sorted(zip(found["id"], found["val_score"], strict=True)) == sorted(
            zip(expected["id"], expected["val_score"], strict=True)
        )
        assert merged.summary()["total_predictions"] == expected.height
        assert sorted(one.id for one in merged.results.list()) == [result(0), result(3)]
        assert merged.verify(full=True)["problems"] == []
        sweep(merged)
        merged.predictions.compact()
    # The former import comes along again.
    imported(tmp_path / "again", 1, [0, 1])
    merge(tmp_path / "again", tmp_path / target)
    assert set(merged.predictions.scan().collect()["id"]) == set(expected["id"])
    assert merged.verify(full=True)["problems"] == []


def test_doing_it_again_changes_nothing(tmp_path):
    ws = imported(tmp_path, 2, [0, 1], replaces=[1])
    files = {file: file.read_bytes() for file in tmp_path.glob("[pr]*/*/*") if file.is_file()}
    _native.supersede(tmp_path, RUN, FOLDER, WRITERS[2], [WRITERS[1]])
    assert {file: file.read_bytes() for file in files} == files
    check(ws.path, 2, [0, 1])


@pytest.mark.parametrize(
    ("writer", "replaced"), [("x", [WRITERS[1]]), (WRITERS[2], []), (WRITERS[2], [WRITERS[2]])]
)
def test_what_makes_no_sense(tmp_path, writer, replaced):
    imported(tmp_path, 2, [0])
    with pytest.raises(ValueError, match="writer"):
        _native.supersede(tmp_path, RUN, FOLDER, writer, replaced)
    check(tmp_path, 2, [0])
