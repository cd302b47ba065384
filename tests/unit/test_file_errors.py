"""One bad file is one flagged item: named by kind, the good answers beside it stay right."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agreement import check_workspace
from nirs4all_workspace import CorruptFileError, SchemaError
from samples import footer_span, frame_of, strict, table, write

BAD = "bad.meta.parquet"


@pytest.fixture(params=["plain", "rebuilt"])
def folder(request, tmp_path):
    """A workspace of two good files."""
    write(tmp_path / "barley.meta.parquet", table(seed=3, dataset="barley"))
    write(tmp_path / "wheat.meta.parquet", table(seed=4))
    if request.param == "rebuilt":
        n4w.Workspace.open(tmp_path).predictions.rebuild_summaries()
    return tmp_path


def good_bytes():
    sink = pa.BufferOutputStream()
    pq.write_table(table(seed=9, dataset="bad"), sink)
    return sink.getvalue().to_pybytes()


def expect_flagged(folder, kinds, classes, name=BAD):
    """The bad file is one error of one of these kinds, the others are answered for; not in silence."""
    frames = {
        path.name.split(".")[0]: frame_of(path) for path in folder.glob("*.meta.parquet") if path.name != name
    }
    ws = n4w.Workspace.open(folder)
    for _ in range(2):
        summary = ws.summary()
        [error] = summary["errors"]
        assert (error["path"], error["kind"]) in [(name, kind) for kind in kinds]
        assert error["message"]
        assert str(folder) not in error["message"]
        check_workspace(summary, frames)
    top = ws.predictions.top(3)
    assert [error["path"] for error in top.errors] == [name]
    assert len(top) == 3
    problems = ws.verify()["problems"]
    assert [(problem["path"], problem["kind"]) for problem in problems] == [(error["path"], error["kind"])]
    for result in n4w.read_summaries(folder):
        if result.path.name != name:
            assert result.error is None
            continue
        assert result.summary is None
        assert isinstance(result.error, classes)
        if isinstance(result.error, OSError):
            assert result.error.errno
            assert result.error.filename == str(result.path)
        else:
            assert result.error.path == str(result.path)
    with pytest.raises(classes):
        n4w.read_summary(folder / name)
    report = ws.predictions.rebuild_summaries()
    assert [error["path"] for error in report["errors"]] == [name]
    check_workspace(ws.summary(), frames)


@pytest.mark.parametrize(
    "content", [b"P", b"PAR1", b"PAR1PAR1", b"hello" * 50, b"\0" * 1000, b"PAR1" + b"\0" * 100]
)
def test_not_parquet(folder, content):
    (folder / BAD).write_bytes(content)
    expect_flagged(folder, ["not_parquet", "truncated", "corrupt"], CorruptFileError)


def test_zero_bytes(folder):
    (folder / BAD).write_bytes(b"")
    expect_flagged(folder, ["truncated"], CorruptFileError)


@pytest.mark.parametrize("part", [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_cut_off(folder, part):
    content = good_bytes()
    (folder / BAD).write_bytes(content[: max(1, int(len(content) * part))])
    expect_flagged(folder, ["not_parquet", "truncated", "corrupt"], CorruptFileError)


def test_every_truncation_of_a_small_file_is_an_error(tmp_path):
    content = good_bytes()
    paths = []
    for length in [
        *range(200),
        *range(200, len(content) - 200, 37),
        *range(len(content) - 200, len(content)),
    ]:
        paths.append(tmp_path / f"{length:06d}.parquet")
        paths[-1].write_bytes(content[:length])
    assert all(isinstance(footer, CorruptFileError) for footer in n4w.read_footers(paths))
    assert all(isinstance(result.error, CorruptFileError) for result in n4w.read_summaries(paths))


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 10**6, None])
def test_a_footer_longer_than_the_file(folder, length):
    content = good_bytes()
    length = len(content) - 8 if length is None else length
    (folder / BAD).write_bytes(content[:-8] + length.to_bytes(4, "little") + b"PAR1")
    expect_flagged(folder, ["truncated", "corrupt"], CorruptFileError)


def test_a_footer_of_no_bytes(folder):
    (folder / BAD).write_bytes(good_bytes()[:-8] + bytes(4) + b"PAR1")
    expect_flagged(folder, ["corrupt"], CorruptFileError)


def test_an_encrypted_footer_by_its_magic(folder):
    (folder / BAD).write_bytes(good_bytes()[:-4] + b"PARE")
    expect_flagged(folder, ["encrypted"], CorruptFileError)


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_an_encrypted_file(folder, plaintext_footer):
    encryption = pytest.importorskip(
        "pyarrow.parquet.encryption", reason="pyarrow was built without encryption"
    )

    class Keys(encryption.KmsClient):
        def wrap_key(self, key_bytes, _master_key):
            return key_bytes.hex()

        def unwrap_key(self, wrapped, _master_key):
            return bytes.fromhex(wrapped)

    config = encryption.EncryptionConfiguration(
        footer_key="footer",
        column_keys={"key": ["val_score"]},
        plaintext_footer=plaintext_footer,
        double_wrapping=False,
    )
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
    content = table()
    with pq.ParquetWriter(folder / BAD, content.schema, encryption_properties=properties) as writer:
        writer.write_table(content)
    expect_flagged(folder, ["encrypted"], CorruptFileError)


def test_a_folder_with_the_name_of_a_file(folder):
    (folder / BAD).mkdir()
    expect_flagged(folder, ["io"], IsADirectoryError)


def test_a_dangling_link(folder):
    (folder / BAD).symlink_to(folder / "nowhere")
    expect_flagged(folder, ["io"], FileNotFoundError)


def test_a_loop_of_links(folder):
    (folder / BAD).symlink_to(folder / BAD)
    expect_flagged(folder, ["io"], OSError)


def test_a_socket(folder, monkeypatch):
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(BAD)
        expect_flagged(folder, ["io", "not_parquet"], (OSError, CorruptFileError))


def test_a_device(folder):
    (folder / BAD).symlink_to("/dev/zero")
    expect_flagged(folder, ["not_parquet"], CorruptFileError)


def test_a_pipe_does_not_hang(folder):
    os.mkfifo(folder / BAD)
    code = (
        "import sys, json, nirs4all_workspace as n; "
        "print(json.dumps(n.Workspace.open(sys.argv[1]).summary()))"
    )
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, timeout=60, check=True)
    assert [error["kind"] for error in strict(run.stdout)["errors"]] == ["not_parquet"]
    expect_flagged(folder, ["not_parquet"], CorruptFileError)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users on this system")
def test_a_file_that_may_not_be_read(folder):
    """Where the test runs as root, a child without its privileges looks."""
    path = folder / BAD
    path.write_bytes(good_bytes())
    path.chmod(0)
    if os.geteuid() != 0:
        expect_flagged(folder, ["io"], PermissionError)
        return
    code = "import os, sys, json, nirs4all_workspace as n\n" + (
        "ws = n.Workspace.open('.'); os.setgid(65534); os.setuid(65534); print(json.dumps(ws.summary()))"
    )
    # No other user may enter the folders that tests have for themselves.
    with tempfile.TemporaryDirectory() as public:
        shutil.copytree(folder, public, dirs_exist_ok=True)
        Path(public, BAD).chmod(0)
        Path(public).chmod(0o777)
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=public, capture_output=True, timeout=60, check=False
        )
    if run.returncode != 0:
        pytest.skip(f"privileges cannot be dropped here: {run.stderr.decode()[-200:]}")
    answer = strict(run.stdout)
    assert [(error["path"], error["kind"]) for error in answer["errors"]] == [(BAD, "io")]
    assert answer["total_predictions"] == 120


@pytest.mark.parametrize(
    "content",
    [
        pa.table({"wavelength": [1.0, 2.0]}),
        pa.table({"array_id": ["a"], "array_data": [[1.0]]}),
        pa.table({"x": pa.array([], pa.int64())}),
    ],
)
def test_not_a_file_of_predictions(folder, content):
    write(folder / BAD, content)
    expect_flagged(folder, ["schema"], SchemaError)


@pytest.mark.parametrize("values", [["high"] * 60, [[1.0]] * 60, [{"a": 1.0}] * 60, [True] * 60, [b"x"] * 60])
def test_a_score_that_is_no_number(folder, values):
    write(folder / BAD, table(val_score=values))
    expect_flagged(folder, ["schema"], SchemaError)


def test_rows_that_cannot_be_decoded(folder):
    content = bytearray(good_bytes())
    pages = footer_span(content)[0]
    content[4:pages] = bytes(byte ^ 0xFF for byte in content[4:pages])
    (folder / BAD).write_bytes(content)
    expect_flagged(folder, ["corrupt"], CorruptFileError)


@pytest.mark.parametrize("kind", ["loop", "file", "dangling", "link to itself above"])
def test_odd_entries_among_the_folders_of_predictions(folder, kind):
    """A folder that cannot be entered does not take the others' answers away."""
    predictions = folder / "predictions"
    write(predictions / "oats" / "run.w1.meta.parquet", table(seed=8, dataset="oats"))
    odd = predictions / "odd"
    if kind == "file":
        odd.write_text("stray")
    elif kind == "dangling":
        odd.symlink_to(folder / "nowhere")
    elif kind == "loop":
        odd.symlink_to(odd)
    else:
        odd.symlink_to(predictions)
    summary = n4w.Workspace.open(folder).summary()
    assert summary["total_predictions"] == 180
    assert {entry["dataset_name"] for entry in summary["datasets"]} == {"barley", "wheat", "oats"}


@pytest.mark.parametrize(
    "name", ["new\nline", "ünïcode 🌾", "quote'\"", "x" * 200, " ", "-rf", "%41", "a.b.c"]
)
def test_names_of_any_kind(tmp_path, name):
    path = write(tmp_path / f"{name}.meta.parquet", table(dataset_name=[None] * 60))
    ws = n4w.Workspace.open(tmp_path)
    check_workspace(ws.summary(), {name: frame_of(path)})
    assert [entry["path"] for entry in ws.predictions.rebuild_summaries()["written"]] == [path.name]
    assert ws.summary(name)["total_predictions"] == 60


def test_hidden_and_partial_files_are_none(folder):
    for name in (".hidden.meta.parquet", "x.partial.meta.parquet", "x.arrays.parquet", "meta.parquet"):
        (folder / name).write_bytes(good_bytes())
    summary = n4w.Workspace.open(folder).summary()
    assert (summary["files"], summary["total_predictions"]) == (2, 120)


def test_a_name_that_is_no_utf_8(folder):
    (folder / os.fsdecode(b"caf\xe9.meta.parquet")).write_bytes(good_bytes())
    ws = n4w.Workspace.open(folder)
    for errors in (ws.summary()["errors"], ws.predictions.page().errors, ws.verify()["problems"]):
        (error,) = errors
        assert (error["path"], error["kind"]) == ("caf\udce9.meta.parquet", "corrupt")
        assert "UTF-8" in error["message"]


def test_scan_of_a_dangling_link(folder):
    (folder / BAD).symlink_to("nowhere")
    with pytest.warns(UserWarning, match=BAD):
        assert len(n4w.Workspace.open(folder).predictions.scan().collect()) == 120


def test_scan_of_text_that_another_tool_made_categories(tmp_path):
    frame = pl.from_arrow(table())
    kinds = {"a": pl.String, "b": pl.Categorical, "c": pl.Enum(["rmse"]), "d": pl.String}
    for name, kind in kinds.items():
        frame.with_columns(pl.col("metric").cast(kind)).write_parquet(tmp_path / f"{name}.meta.parquet")
    scan = n4w.Workspace.open(tmp_path).predictions.scan()
    assert scan.collect_schema()["metric"] == scan.collect().schema["metric"] == pl.String
    assert len(scan.filter(pl.col("metric") == "rmse").collect()) == 240


def test_torn_arrays_of_an_old_folder(folder):
    for name, content in (("wheat", good_bytes()[:-9]), ("barley", good_bytes()), (".hidden", b"")):
        (folder / f"{name}.arrays.parquet").write_bytes(content)
    (problem,) = n4w.Workspace.open(folder).verify()["problems"]
    assert (problem["path"], problem["kind"]) == ("wheat.arrays.parquet", "corrupt")
    assert str(folder) not in problem["message"]
