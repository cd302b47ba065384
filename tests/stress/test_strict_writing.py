"""Odd rows, odd names, full disks and read-only folders: the right answer or a named error."""

import math
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pytest
from samples import strict
from writing import DATASET, PRELUDE, RUN, age, check_recovered, ids, recover, row, sealed_ids, workspace

NAMES = [
    "a/b\\c",
    "line\nbreak",
    "naïve 小麦 🌾",
    "x" * 300,
    "é" * 300,
    "..",
    ".hidden",
    "con",
    "a b",
    'quo"te',
    " ",
    "%2F*?",
]


def rows_of(ws, **options):
    return {one["id"]: one for one in ws.predictions.scan(**options).collect().to_dicts()}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_datasets(tmp_path, name):
    ws = workspace(tmp_path / "ws")
    with ws.predictions.writer(RUN, name) as writer:
        writer.write(row("a"))
        writer.flush()
        assert rows_of(ws)["a"]["dataset_name"] == name
        assert writer.path.parent.parent == ws.path / "predictions"
    assert rows_of(ws)["a"]["dataset_name"] == name
    assert [one["dataset_name"] for one in ws.summary()["datasets"]] == [name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ws"]


@pytest.mark.parametrize(
    ("name", "error"), [("", ValueError), ("x" * 70_000, ValueError), ("\ud800", UnicodeError)]
)
def test_names_that_no_dataset_can_have(tmp_path, name, error):
    ws = workspace(tmp_path / "ws")
    with pytest.raises(error):
        ws.predictions.writer(RUN, name)
    assert ws.summary()["errors"] == []
    assert recover(ws.path)["problems"] == []


def test_scores_that_are_no_numbers_come_back_as_they_were(tmp_path):
    ws = workspace(tmp_path / "ws")
    scores = {
        "nan": math.nan,
        "inf": math.inf,
        "minus": -math.inf,
        "null": None,
        "zero": -0.0,
        "tiny": 5e-324,
    }
    with ws.predictions.writer(RUN, DATASET) as writer:
        for name, score in scores.items():
            writer.write(row(name, score=score, y_pred=[score or 0.0]))
        writer.flush()
        live = rows_of(ws)
    for found in (live, rows_of(ws)):
        for name, score in scores.items():
            assert repr(found[name]["val_score"]) == repr(score)
    assert repr(ws.predictions.get("nan", arrays=True)["y_pred"].tolist()) == "[nan]"
    summary = ws.summary(DATASET)["stats"]["val_score"]
    assert (summary["nans"], summary["infs"], summary["nulls"], summary["count"]) == (1, 2, 1, 2)


def test_rows_that_do_not_fit_change_nothing(tmp_path):
    ws = workspace(tmp_path / "ws")
    writer = ws.predictions.writer(RUN, DATASET)
    writer.write(row("a", extra=1))
    bad = {"val_score": "high", "n_samples": 1.5, "extra": "text", "created_at": "soon", "strange": object()}
    for column, value in bad.items():
        with pytest.raises(TypeError, match=column):
            writer.write(row(f"bad-{column}") | {column: value})
    for change in ({"id": "a"}, {"run_id": "other"}, {"dataset_name": "other"}, {"n_samples": 2**70}):
        with pytest.raises(ValueError, match=r"written already|this writer writes|64 bits"):
            writer.write(row("b") | change)
    writer.write(row("bad-val_score", extra=2.5, unknown={"k": [1, None]}))
    writer.write(row("c"))
    writer.close()
    found = rows_of(ws)
    assert found.keys() == {"a", "bad-val_score", "c"}
    assert [found[name]["extra"] for name in ("a", "bad-val_score", "c")] == [1.0, 2.5, None]
    assert strict(found["bad-val_score"]["unknown"]) == {"k": [1, None]}
    assert found["a"]["unknown"] is None


def test_an_array_beside_its_id(tmp_path):
    """As rows of `get(arrays=True)` have them: the array is stored, the row and those before it too."""
    ws = workspace(tmp_path / "ws")
    with ws.predictions.writer(RUN, DATASET) as writer:
        writer.write(row("a"))
        writer.write(row("b", y_true=[1.0, 2.0], y_true_id="array_of_another_workspace"))
        writer.write(row("c", y_true=None, y_true_id="kept"))
    assert rows_of(ws).keys() == {"a", "b", "c"}
    assert ws.predictions.get("b", arrays=True)["y_true"].tolist() == [1.0, 2.0]
    assert rows_of(ws)["c"]["y_true_id"] == "kept"


def test_batches_are_added_whole_or_not_at_all(tmp_path):
    ws = workspace(tmp_path / "ws")
    writer = ws.predictions.writer(RUN, DATASET)
    writer.write_batch(pa.table({"id": ["a", "b"]}))
    chunks = pa.concat_tables(
        [pa.table({"id": ["c"], "note": ["x"]}), pa.table({"id": ["d", "c"], "note": ["y", "z"]})]
    )
    for bad in (
        pa.table({"id": ["c", "c"]}),
        pa.table({"id": ["c", "a"]}),
        chunks,
        pa.table({"id": ["c"], "run_id": ["other"]}),
        pa.table({"id": ["c"], "dataset_name": ["other"]}),
    ):
        with pytest.raises(ValueError, match=r"written already|this writer writes"):
            writer.write_batch(bad)
    with pytest.raises(TypeError, match="val_score"):
        writer.write_batch(pa.table({"id": ["c"], "val_score": ["high"]}))
    with pytest.raises(TypeError):
        writer.write_batch([{"id": "c"}])
    writer.write_batch(pa.table({"id": pa.array([], pa.string())}))
    writer.write_batch(pl.DataFrame({"id": ["c", "d"], "note": [1, 2]}))
    writer.flush()
    writer.write_batch(pl.DataFrame({"id": ["e"], "words": ["text of a frame"]}))
    writer.flush()
    assert ids(ws.path) == dict.fromkeys("abcde", 1)
    writer.close()
    assert sealed_ids(ws.path) == dict.fromkeys("abcde", 1)
    assert rows_of(ws)["e"]["words"] == "text of a frame"
    assert rows_of(ws)["d"]["note"] == 2


@pytest.mark.parametrize(
    "column",
    [
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.array([{}], pa.struct([])),
        pa.array([["x"]], pa.list_view(pa.string())),
        pa.array([Decimal("1.5")], pa.decimal256(50, 2)),
        pa.array([Decimal("1200")], pa.decimal128(5, -2)),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"])),
        pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]),
    ],
    ids=lambda column: str(column.type)[:12],
)
def test_types_that_no_reader_knows_are_refused_at_once(tmp_path, column):
    ws = workspace(tmp_path / "ws")
    with ws.predictions.writer(RUN, DATASET) as writer:
        writer.write(row("a"))
        with pytest.raises(TypeError, match="strange"):
            writer.write_batch(pa.table({"id": ["b"], "strange": column}))
    assert ids(ws.path) == sealed_ids(ws.path) == {"a": 1}


@contextmanager
def mounted(folder, *options):
    folder.mkdir()
    command = ["mount", *options, str(folder)]
    if (
        os.name != "posix"
        or os.geteuid()
        or subprocess.run(command, check=False, capture_output=True).returncode
    ):
        pytest.skip("nothing can be mounted here: that takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(tmp_path):
    """A named error; what was flushed before is intact; once there is space the writer goes on."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        ws = workspace(disk / "ws")
        writer = ws.predictions.writer(RUN, DATASET)
        writer.write(row("a"))
        writer.flush()
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2 * 1024 * 1024))
        writer.write(row("b", y_pred=[float(number) for number in range(2_000)]))
        for _ in range(2):
            with pytest.raises(OSError, match="No space left") as caught:
                writer.flush()
            assert str(caught.value.filename).startswith(str(ws.path / "predictions"))
        with pytest.raises(OSError, match="No space left"):
            writer.close()
        assert ids(ws.path) == {"a": 1}
        ballast.unlink()
        writer.flush()
        assert ids(ws.path) == {"a": 1, "b": 1}
        writer.close()
        check_recovered(ws.path, ["a", "b"])
        age(ws.path)
        recover(ws.path)
        check_recovered(ws.path, ["a", "b"])


@pytest.mark.filterwarnings("ignore:.*was dropped with")
def test_a_read_only_drive(tmp_path):
    ws = workspace(tmp_path / "ws")
    with ws.predictions.writer(RUN, DATASET) as writer:
        writer.write(row("a"))
    with mounted(tmp_path / "mount", "--bind", str(ws.path)) as mount:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(mount)], check=True)
        locked = n4w.Workspace.open(mount)
        assert ids(mount) == {"a": 1}
        assert locked.summary()["total_predictions"] == 1
        for work in (lambda: locked.predictions.writer(RUN, DATASET), locked.predictions.compact):
            with pytest.raises(OSError, match="Read-only file system") as caught:
                work()
            assert str(caught.value.filename).startswith(str(mount))


WRITER = """
try:
    n4w.Workspace.open(ROOT).predictions.writer(RUN, DATASET)
except PermissionError as error:
    say("PermissionError", error.errno, error.filename)
"""


def test_a_folder_of_somebody_else(tmp_path):
    if shutil.which("setpriv") is None or os.geteuid():
        pytest.skip("only root can become somebody else, with setpriv")
    ws = workspace(tmp_path / "ws")
    with ws.predictions.writer(RUN, DATASET) as writer:
        writer.write(row("a"))
    probe = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c"]
    test = f"import sys, nirs4all_workspace as n; n.Workspace.open({str(ws.path)!r}).summary()"
    if subprocess.run(
        [*probe, test], check=False, capture_output=True, env={"PATH": os.environ["PATH"]}
    ).returncode:
        pytest.skip("the package or the folder of tests cannot be read by others here")
    said = subprocess.run(
        [*probe, PRELUDE + WRITER, ws.path], check=True, capture_output=True, text=True
    ).stdout
    assert said.startswith("PermissionError 13 ")
    assert str(ws.path) in said
