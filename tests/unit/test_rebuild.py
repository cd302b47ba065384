"""What `rebuild_summaries` leaves as it was, and what it refuses."""

import os
import stat
import subprocess
import sys

import nirs4all_workspace as n4w
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agreement import check_workspace, timeless
from samples import SKETCH, SUMMARY, frame_of, keys, patch_sketch, table, write


def rebuild(folder, **options):
    return n4w.Workspace.open(folder).predictions.rebuild_summaries(**options)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o664, 0o755])
def test_permissions_are_kept(tmp_path, mode):
    path = write(tmp_path / "wheat.meta.parquet", table())
    path.chmod(mode)
    assert len(rebuild(tmp_path)["written"]) == 1
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_kept(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table())
    os.chown(path, 1234, 4321)
    rebuild(tmp_path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("relative", [False, True])
def test_a_symbolic_link_stays_one(tmp_path, relative):
    target = write(tmp_path / "store" / "wheat.parquet", table())
    folder = tmp_path / "ws"
    folder.mkdir()
    link = folder / "wheat.meta.parquet"
    link.symlink_to("../store/wheat.parquet" if relative else target)
    rows = frame_of(target)
    assert len(rebuild(folder)["written"]) == 1
    assert link.is_symlink()
    assert SUMMARY in keys(target)
    assert frame_of(target).equals(rows)
    assert sorted(path.name for path in target.parent.iterdir()) == ["wheat.parquet"]


def test_a_link_of_another_name_answers_the_same_after_the_rebuild(tmp_path):
    """Rows without a dataset belong to the file's name: the one in the workspace, not the link's target."""
    target = write(tmp_path / "store" / "blob-17.parquet", table(dataset_name=[None] * 60))
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "wheat.meta.parquet").symlink_to(target)
    before = n4w.Workspace.open(folder).summary()
    rebuild(folder)
    after = n4w.Workspace.open(folder).summary()
    assert [entry["dataset_name"] for entry in before["datasets"]] == ["wheat"]
    assert timeless(after["datasets"]) == timeless(before["datasets"])


def reversed_scores(content):
    """The same values in another order: page sizes and statistics stay as they were."""
    at = content.schema.get_field_index("val_score")
    return content.set_column(at, "val_score", pa.array(content["val_score"].to_pylist()[::-1]))


def rewrite_with_pyarrow(path):
    content = pq.ParquetFile(path).read()
    assert SKETCH in content.schema.metadata
    pq.write_table(reversed_scores(content), path)


def test_reordered_rows_under_carried_keys_are_not_trusted(tmp_path):
    """As pyarrow writes a table back that it read: sizes and statistics stay, and so do foreign keys."""
    path = write(tmp_path / "wheat.meta.parquet", table())
    rebuild(tmp_path)
    rewrite_with_pyarrow(path)
    assert SKETCH in keys(path)
    summary = n4w.Workspace.open(tmp_path).summary()
    assert [entry["path"] for entry in summary["scanned"]] == [path.name]
    check_workspace(summary, {"wheat": frame_of(path)})


@pytest.mark.parametrize("change", ["edit", "delete", "append", "none"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_rewritten_files_are_not_trusted(tmp_path, change, compression):
    path = write(tmp_path / "wheat.meta.parquet", table(), compression=compression)
    rebuild(tmp_path)
    content = pq.ParquetFile(path).read()
    at = content.schema.get_field_index("val_score")
    if change == "edit":
        content = content.set_column(at, "val_score", table(seed=7)["val_score"])
    elif change == "delete":
        content = content.slice(1)
    elif change == "append":
        content = table(61).replace_schema_metadata(content.schema.metadata)
    pq.write_table(content, path, compression=compression)
    summary = n4w.Workspace.open(tmp_path).summary()
    check_workspace(summary, {"wheat": frame_of(path)})
    assert len(rebuild(tmp_path)["written"]) == 1
    check_workspace(n4w.Workspace.open(tmp_path).summary(), {"wheat": frame_of(path)})


def test_a_summary_of_another_file_is_not_trusted(tmp_path):
    """Keys copied by hand into a file with other rows of the same shape."""
    one, other = (
        write(tmp_path / "a.meta.parquet", table(seed=1)),
        write(tmp_path / "b.meta.parquet", table(seed=2)),
    )
    rebuild(tmp_path)
    stolen = {key: keys(one)[key] for key in (SUMMARY, SKETCH)}
    pq.write_table(pq.read_table(other).replace_schema_metadata(stolen), other)
    summary = n4w.read_summary(other)
    assert summary["scanned"]
    best = frame_of(other).filter(partition="val")["val_score"].min()
    assert summary["top_predictions"][0]["val_score"] == best


@pytest.mark.parametrize("lacking", [SUMMARY, SKETCH])
def test_one_key_without_the_other_is_not_trusted(tmp_path, lacking):
    path = write(tmp_path / "wheat.meta.parquet", table())
    rebuild(tmp_path)
    kept = {key: value for key, value in keys(path).items() if key != lacking}
    pq.write_table(pq.read_table(path).replace_schema_metadata(kept), path)
    assert n4w.read_summary(path)["scanned"]
    assert len(rebuild(tmp_path)["written"]) == 1
    assert n4w.read_summary(path)["scanned"] is None


@pytest.mark.parametrize("major", [2, 3, 255])
def test_a_sketch_of_a_newer_major_version_is_never_overwritten(tmp_path, major):
    path = write(tmp_path / "wheat.meta.parquet", table())
    rebuild(tmp_path)
    patch_sketch(path, 4, major)
    content = path.read_bytes()
    summary = n4w.Workspace.open(tmp_path).summary()
    assert [entry["path"] for entry in summary["scanned"]] == [path.name]
    check_workspace(summary, {"wheat": frame_of(path)})
    report = rebuild(tmp_path)
    assert (report["kept"], report["written"]) == (0, [])
    assert [(error["path"], error["kind"]) for error in report["errors"]] == [(path.name, "schema")]
    assert path.read_bytes() == content


def test_a_newer_minor_version_is_read(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table())
    rebuild(tmp_path)
    patch_sketch(path, 5, 99)
    assert n4w.read_summary(path)["scanned"] is None
    assert rebuild(tmp_path)["kept"] == 1


def test_bad_files_are_flagged_and_the_others_written(tmp_path):
    good = write(tmp_path / "good.meta.parquet", table())
    bad = tmp_path / "bad.meta.parquet"
    bad.write_bytes(good.read_bytes()[:-100])
    text = write(tmp_path / "text.meta.parquet", table(val_score=["high"] * 60))
    before = bad.read_bytes(), text.read_bytes()
    report = rebuild(tmp_path)
    assert [entry["path"] for entry in report["written"]] == [good.name]
    assert {error["path"] for error in report["errors"]} == {bad.name, text.name}
    assert (bad.read_bytes(), text.read_bytes()) == before
    assert not list(tmp_path.glob(".n4w-*"))


def test_progress_is_reported(tmp_path):
    for number in range(5):
        write(tmp_path / f"d{number}.meta.parquet", table(seed=number))
    calls = []
    rebuild(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)
    assert calls == sorted(calls)


def test_an_exception_of_the_progress_callback_is_raised(tmp_path):
    path = write(tmp_path / "wheat.meta.parquet", table())
    rows = frame_of(path)

    def fail(_done, _total):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        rebuild(tmp_path, progress=fail)
    assert frame_of(path).equals(rows)


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_what_lies_under_a_temporary_name_does_not_stop_the_rebuild(tmp_path, kind):
    write(tmp_path / "wheat.meta.parquet", table())
    odd = tmp_path / ".n4w-odd.tmp"
    {"file": lambda: odd.write_bytes(b"half"), "folder": odd.mkdir, "pipe": lambda: os.mkfifo(odd)}[kind]()
    os.utime(odd, (1, 1))
    code = (
        "import nirs4all_workspace as n; "
        f"print(n.Workspace.open({str(tmp_path)!r}).predictions.rebuild_summaries())"
    )
    answer = run_python(code)
    assert "'errors': []" in answer
    assert n4w.read_summary(tmp_path / "wheat.meta.parquet")["scanned"] is None
    if kind == "file":
        assert not odd.exists()


def run_python(code):
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
