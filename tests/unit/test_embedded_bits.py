"""Every single flipped bit of the footer's summary or sketch is found out; so are flipped page bytes."""

import os
import shutil

import nirs4all_workspace as n4w
import pyarrow as pa
import pytest
from agreement import check_summary
from oracle import summarise
from samples import SKETCH, SUMMARY, footer_span, frame_of, keys, table, write

# The short form takes every seventh bit: of each byte or its neighbours each bit in turn.
STEP = 1 if os.environ.get("N4W_STRESS_STRIDE") == "1" else 7


@pytest.fixture
def rebuilt(tmp_path):
    path = write(tmp_path / "ws" / "wheat.meta.parquet", table(3, metric="r2"))
    n4w.Workspace.open(path.parent).predictions.rebuild_summaries()
    return path


@pytest.mark.parametrize("key", [SUMMARY, SKETCH])
def test_every_flipped_bit_of_a_value_is_distrusted(rebuilt, tmp_path, key):
    content = rebuilt.read_bytes()
    value = keys(rebuilt)[key]
    start = content.index(value, footer_span(content)[0])
    expected = summarise(frame_of(rebuilt))
    folder = tmp_path / "flipped"
    folder.mkdir()
    bits = range(0, 8 * len(value), STEP)
    paths = []
    for bit in bits:
        flipped = bytearray(content)
        flipped[start + bit // 8] ^= 1 << bit % 8
        paths.append(folder / f"{bit:06d}.meta.parquet")
        paths[-1].write_bytes(flipped)
    results = n4w.read_summaries(paths)
    shutil.rmtree(folder)
    trusted = [result.path.name for result in results if result.error is None and result.scanned is None]
    assert trusted == []
    # A footer whose text is no longer UTF-8 may be refused by the decoder; all else is right.
    for result in results:
        if result.error is None:
            assert result.summary["total_predictions"] == expected["total_predictions"]
    check_summary(next(result.summary for result in results if result.error is None), expected)


def flip_in(path, needle: bytes, what=1):
    content = bytearray(path.read_bytes())
    at = content.index(needle)
    assert at < footer_span(content)[0]
    content[at] ^= what
    path.write_bytes(content)


OPTIONS = {"compression": "none", "use_dictionary": False}


@pytest.mark.parametrize("column", ["val_score", "test_score", "train_score"])
def test_an_edited_score_is_found_by_a_full_check(tmp_path, column):
    marked = pa.array([0.123456789 + row / 1000 for row in range(60)])
    path = write(tmp_path / "wheat.meta.parquet", table(**{column: marked}), **OPTIONS)
    ws = n4w.Workspace.open(tmp_path)
    ws.predictions.rebuild_summaries()
    assert ws.verify(full=True) == {"problems": [], "notes": []}
    needle = marked.buffers()[1].to_pybytes()[8 * 31 : 8 * 32]
    flip_in(path, needle, 0x40)
    found = ws.verify(full=True)
    assert [(problem["path"], problem["kind"]) for problem in found["problems"]] == [(path.name, "corrupt")]


@pytest.mark.parametrize(
    "column", ["id", "model_name", "config_name", "fold_id", "partition", "metric", "task_type"]
)
def test_an_edited_name_is_found_by_a_full_check(tmp_path, column):
    """Also where it stands in a row that no ranking shows."""
    names = table(60)[column].to_pylist()
    names[59] = "MARKED"  # a row of partition "test"
    path = write(
        tmp_path / "wheat.meta.parquet", table(60, **{column: names}), write_statistics=False, **OPTIONS
    )
    ws = n4w.Workspace.open(tmp_path)
    ws.predictions.rebuild_summaries()
    flip_in(path, b"MARKED", 0x20)
    found = ws.verify(full=True)
    if column == "id":
        return  # no summary knows the ids of rows that are not ranked
    assert [problem["path"] for problem in found["problems"]] == [path.name]


def test_damaged_compressed_pages_are_found_by_a_full_check(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table(), compression="zstd")
    ws = n4w.Workspace.open(tmp_path)
    ws.predictions.rebuild_summaries()
    content = bytearray(path.read_bytes())
    pages = footer_span(content)[0]
    content[4:pages] = bytes(byte ^ 0xFF for byte in content[4:pages])
    path.write_bytes(content)
    assert [problem["path"] for problem in ws.verify(full=True)["problems"]] == [path.name]
    assert ws.verify() == {"problems": [], "notes": []}
