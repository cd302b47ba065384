"""Arrays and artifacts of folders of nirs4all 0.6: shared, missing, elsewhere."""

import json
import shutil

import blake3
import nirs4all_workspace as n4w
import polars as pl
import pytest
from migrating import kinds, manifest, migrate
from migrations import Old, files_of, results_of, rows_of_source, rows_of_target


@pytest.fixture
def old(tmp_path):
    return Old(tmp_path / "old")


def test_interleaved_sessions_share_arrays(old, tmp_path):
    """More sessions than writers are open at a time, their rows in no order."""
    configs = [old.config("wheat", f"Call {number}", minute=number) for number in range(45)]
    for turn in range(4):
        for number, config in enumerate(configs):
            old.array("wheat", f"array_true_{turn}", [turn, -1.0], kind="y_true")
            old.row("wheat", config, y_true_id=f"array_true_{turn}", model_name=f"m{number}")
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert [run["rows"] for run in report["runs"]] == [4] * 45
    assert report["counts"]["target"]["arrays"] == 45 * 4 + 45 * 4
    assert len(list(new.glob("predictions/*/*.meta.parquet"))) == 45
    assert not list(new.glob("predictions/*/*.journal"))


def test_missing_arrays_are_notes(old, tmp_path):
    for minute, dataset in enumerate(("wheat", "corn")):
        config = old.config(dataset, dataset, minute=60 * minute)
        old.row(dataset, config)
        old.row(dataset, config, y_true_id="array_lost")
    del old.arrays["wheat"]
    old.write()
    report, new = migrate(old, tmp_path)
    assert rows_of_target(new) == rows_of_source(old.root)
    assert kinds(report) == ["missing_arrays"] * 2
    assert sorted(int(note["message"].split()[3]) for note in report["notes"]) == [1, 3]
    found = n4w.Workspace.open(new).verify(full=True)
    assert sorted({note["kind"] for note in found["notes"]}) == ["lacking", "missing_arrays"]


def test_arrays_that_no_row_names_are_kept(old, tmp_path):
    old.row("wheat", old.config("wheat", "Sweep"))
    old.array("wheat", "array_alone", [1.0])
    old.write()
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["unnamed_arrays"]
    before = (old.root / "wheat.arrays.parquet").read_bytes()
    assert (new / "source" / "wheat.arrays.parquet").read_bytes() == before


def test_lost_arrays_whose_ids_look_like_those_here(old, tmp_path):
    """The source's loss is a note; one that happens here is a problem."""
    config = old.config("wheat", "Sweep")
    lost = f"array_{'0123456789ab' * 2}"
    for _ in range(2):
        old.row("wheat", config, y_true_id=lost)
    old.write()
    report, new = migrate(old, tmp_path)
    assert kinds(report) == ["missing_arrays"]
    ws = n4w.Workspace.open(new)
    assert ws.predictions.scan().collect()["y_true_id"].to_list() == [f"source_{lost}"] * 2
    assert ws.predictions.get("0000000000000000", arrays=True)["y_true"] is None
    assert {note["kind"] for note in ws.verify(full=True)["notes"]} == {"missing_arrays", "lacking"}
    (path,) = new.glob("arrays/*/*.arrays.parquet")
    path.unlink()
    assert [problem["kind"] for problem in ws.verify(full=True)["problems"]] == ["dangling"]


def test_arrays_in_another_file(old, tmp_path):
    """As an old folder finds them: rows may be in a copy of a file, or in one that was renamed."""
    config = old.config("wheat", "Sweep")
    old.row("wheat", config)
    old.row("corn", old.config("corn", "Other", minute=60), y_true_id="array_000000000000")
    old.write()
    (old.root / "wheat.arrays.parquet").rename(old.root / "spelt.arrays.parquet")
    report, new = migrate(old, tmp_path)
    ws = n4w.Workspace.open(new)
    assert ws.predictions.get("0000000000000000", arrays=True)["y_pred"].tolist() == [0.0, 0.0]
    row = ws.predictions.get("0000000000000001", arrays=True)
    assert (row["y_true"].tolist(), row["y_pred"].tolist()) == ([0.0, 0.0], [1.0, 1 / 3])
    assert kinds(report) == ["copied"]


def test_arrays_in_files_of_other_shapes(old, tmp_path):
    """Ids elsewhere may be of any type, or not be there at all."""
    old.row("wheat", old.config("wheat", "Sweep"), y_pred_id="7", y_true_id="array_nowhere")
    old.arrays.clear()
    old.write()
    values = [[1.0, 2.0], [3.0, 4.0]]
    for name, ids in (("bytes", [b"7", b"8"]), ("lists", [[7], [8]]), ("whole", [7, 8])):
        frame = pl.DataFrame({"array_id": ids, "array_data": values})
        frame.write_parquet(old.root / f"{name}.arrays.parquet")
    pl.DataFrame({"array_data": values}).write_parquet(old.root / "another.arrays.parquet")
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert (row["y_pred"].tolist(), row["y_true"]) == ([1.0, 2.0], None)
    assert kinds(report) == ["copied"] * 4 + ["missing_arrays"]


@pytest.mark.parametrize("between", [0, 5_000])
@pytest.mark.parametrize("other", [[0.0, 0.0], [5.0, 6.0]])
def test_arrays_of_one_id(old, tmp_path, between, other):
    """The first counts, as in the old folder; where they differ, the file is copied too."""
    old.row("wheat", old.config("wheat", "Sweep"))
    for number in range(between):
        old.array("wheat", f"array_{number}", [number])
        old.rows["wheat"] += [old.rows["wheat"][0] | {"id": str(number), "y_pred_id": f"array_{number}"}]
    old.write()
    path = old.root / "wheat.arrays.parquet"
    frame = pl.read_parquet(path)
    again = frame.filter(pl.col("array_id") == "array_000000000000")
    again = again.with_columns(pl.Series("array_data", [other], pl.List(pl.Float64)))
    pl.concat([frame, again]).write_parquet(path)
    before = n4w.Workspace.open(old.root).predictions.get("0000000000000000", arrays=True)["y_pred"]
    shutil.rmtree(old.root / ".cache", ignore_errors=True)
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert row["y_pred"].tolist() == before.tolist() == [0.0, 0.0]
    is_one = other == [0.0, 0.0]
    assert kinds(report) == ([] if is_one else ["repeated"])
    assert (new / "source" / path.name).exists() != is_one


def test_arrays_with_nulls(old, tmp_path):
    """Within an array, one is NaN, as NumPy has it; an array that is null is none, and the file is copied."""
    config = old.config("wheat", "Sweep")
    for _ in range(2):
        old.row("wheat", config)
    old.arrays["wheat"]["array_000000000000"] = ([1.0, None], "[2]", "y_pred")
    old.write()
    path = old.root / "wheat.arrays.parquet"
    report, new = migrate(old, tmp_path)
    row = n4w.Workspace.open(new).predictions.get("0000000000000000", arrays=True)
    assert [str(value) for value in row["y_pred"]] == ["1.0", "nan"]
    assert kinds(report) == []
    shutil.rmtree(new)
    data = pl.when(pl.col("array_id") != "array_000000000000").then("array_data").alias("array_data")
    pl.read_parquet(path).with_columns(data).write_parquet(path)
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert kinds(report) == ["missing_arrays"]
    assert "1 of its rows cannot be read, or lack" in report["errors"][0]["message"]
    assert (new / "source" / path.name).read_bytes() == path.read_bytes()


def test_what_was_written_is_verified_to_the_last_row(old, tmp_path, monkeypatch):
    """An artifact that changed after it was stored, say on a bad disk."""
    item = {"artifact_id": "a", "path": "model.joblib", "content_hash": "sha256:0"}
    config = old.config("wheat", "Sweep", artifacts={"schema_version": "2.0", "items": [item]})
    old.row("wheat", config)
    old.write()
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "binaries" / "wheat" / "model.joblib").write_bytes(b"model")
    put = n4w.artifacts.Artifacts.put

    def put_and_damage(self, content):
        digest = put(self, content)
        path = self.get(digest)
        path.chmod(0o644)
        path.write_bytes(b"muddle")
        return digest

    monkeypatch.setattr(n4w.artifacts.Artifacts, "put", put_and_damage)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert [error["kind"] for error in report["errors"]] == ["corrupt"]
    assert report["errors"][0]["path"].startswith("artifacts/")


def test_artifacts_where_older_versions_have_them(old, tmp_path):
    """0.5 lists them under other keys, in `_binaries` beside its configurations; some steps of 0.6 do so."""
    item = {"name": "PLS_1", "path": "PLS_aa.joblib", "hash": "sha256:aa", "size": 5, "step": 3}
    config = old.config("wheat", "Sweep", artifacts=[item, {"custom_name": "new", **item, "path": "gone"}])
    old.row("wheat", config)
    old.write()
    (old.root / "runs" / "wheat" / "_binaries").mkdir()
    (old.root / "runs" / "wheat" / "_binaries" / "PLS_aa.joblib").write_bytes(b"model")
    report, new = migrate(old, tmp_path)
    digest = blake3.blake3(b"model").hexdigest()
    (path,) = new.glob("runs/*/artifacts.jsonl")
    found, gone = (json.loads(line) for line in path.read_text().splitlines())
    keys = ("hash", "status", "custom_name", "content_hash", "size_bytes", "step_index")
    assert [found[key] for key in keys] == [digest, "present", "PLS_1", "sha256:aa", 5, 3]
    assert (gone["status"], gone["custom_name"]) == ("missing", "new")
    (result,) = results_of(new).values()
    assert result["artifacts"] == [digest]
    (note,) = report["notes"]
    assert note["message"].startswith("1 of its 2 artifacts ")
    assert note["message"].endswith("binaries/wheat or runs/wheat/_binaries")
    assert not (new / "source").exists()


@pytest.mark.parametrize("key", ["path", "dataset"])
@pytest.mark.parametrize("name", ["relative", "absolute"])
def test_artifacts_are_of_the_folder_alone(old, tmp_path, key, name):
    """A manifest may name anything; no file from elsewhere ends in a workspace that is then shared."""
    secret = tmp_path.with_name(f"{tmp_path.name}-secret")
    secret.mkdir()
    (secret / "key").write_bytes(b"secret")
    elsewhere = f"../../../../{secret.name}" if name == "relative" else str(secret)
    item = {"artifact_id": "a", "path": "key" if key == "dataset" else f"{elsewhere}/key"}
    config = old.config("wheat", "Sweep", artifacts={"items": [item]})
    if key == "dataset":
        manifest(old, config, dataset=elsewhere.removeprefix("../"))
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    assert (old.root / "binaries" / "wheat" / elsewhere / "key").is_file()
    old.row("wheat", config)
    old.write()
    report, new = migrate(old, tmp_path)
    assert "missing_artifacts" in kinds(report)
    assert b"secret" not in files_of(new).values()


def test_a_file_that_is_named_as_an_artifact_is_still_what_it_is(old, tmp_path):
    item = {"artifact_id": "a", "path": "../../wheat.meta.parquet"}
    config = old.config("wheat", "Sweep", artifacts=[item, item | {"path": "../0001_Sweep_x/manifest.yaml"}])
    old.row("wheat", config)
    old.write()
    (old.root / "binaries" / "wheat").mkdir(parents=True)
    (old.root / "wheat.meta.parquet").write_bytes(b"torn")
    report, new = migrate(old, tmp_path, ["corrupt"])
    assert (new / "source" / "wheat.meta.parquet").read_bytes() == b"torn"
    assert kinds(report) == ["copied", "missing_artifacts", "no_rows"]
