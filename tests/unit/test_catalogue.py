"""The catalogue: runs, sessions of nirs4all 0.6 and files of neither, as one kind of entry."""

import json
import re
import shutil
import unicodedata
from datetime import UTC, datetime, timedelta

import nirs4all_workspace as n4w
import old_runs
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.values.canonical import content_id
from settling import settle

STEPS = ["Scaler", {"model": {"class": "PLS", "params": {"n": 3}}}]
TIME = "2026-03-01T10:00:00+00:00"


@pytest.fixture
def old(tmp_path):
    """An old folder without anything in it."""
    (tmp_path / "old").mkdir()
    return n4w.Workspace.open(tmp_path / "old")


def manifest(
    ws, dataset="wheat", number=1, name="config", steps=STEPS, choices=(), at=TIME, uid=None, **more
):
    uid = uid or f"uid-{dataset}-{number}"
    return old_runs.manifest(ws.path, dataset, number, name, steps, list(choices), at, uid, **more)


def rows(ws, dataset, config, scores, **columns):
    """A prediction file as nirs4all 0.6 writes it, of one configuration."""
    frame = pl.DataFrame(
        {
            "id": [f"{config}-{number}" for number in range(len(scores))],
            "dataset_name": dataset,
            "config_name": config,
            "model_name": [f"model {number}" for number in range(len(scores))],
            "partition": "val",
            "fold_id": "0",
            "metric": "rmse",
            "val_score": scores,
            "n_samples": 40,
            "n_features": 7,
            "task_type": "regression",
        }
        | columns
    )
    file = ws.path / f"{dataset}.meta.parquet"
    if file.exists():
        frame = pl.concat([pl.read_parquet(file), frame], how="diagonal_relaxed")
    frame.write_parquet(file)


def uids(listed):
    return [[item["uid"] for item in run.manifests] for run in listed]


SAMPLES = {
    "nirs4all-0.6.2": [
        ("Protein sweep", 3, ["regression", "regression_2"]),
        ("Variety", 2, ["classification"]),
        ("Variety", 2, ["classification"]),
    ],
    "nirs4all-2026-01": [("config", 1, None)] * 16,
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_sample_workspaces_list_as_the_calls_that_made_them(shared, tmp_path, sample):
    shutil.copytree(shared(sample), tmp_path / "copy", copy_function=shutil.copyfile)
    for folder in (tmp_path / "copy").rglob("*"):
        folder.chmod(0o755)
    ws = n4w.Workspace.open(tmp_path / "copy")
    for _ in range(2):
        listed = ws.runs.list()
        assert listed.errors == []
        assert [(run.name, len(run.configs())) for run in listed] == [item[:2] for item in SAMPLES[sample]]
        for run, (_, _, datasets) in zip(listed, SAMPLES[sample], strict=True):
            assert datasets is None or [item["name"] for item in run.datasets] == datasets
    found = pl.concat(
        [pl.read_parquet(file) for file in ws.path.glob("*.meta.parquet")], how="diagonal_relaxed"
    )
    assert sum(run.counts["rows"] for run in listed) == len(found)
    for run in listed:
        for item, result in zip(run.manifests, run.results(), strict=True):
            own = found.filter(dataset_name=item["dataset"], config_name=item["pipeline_id"])
            assert result.n_rows == len(own)
            if result.n_rows:
                scores = own.filter(partition="val")["val_score"]
                best = scores.max() if result.metric == "balanced_accuracy" else scores.min()
                assert (result.best_score, result.score_kind) == (best, "val_score")
                winners = own.filter((pl.col("val_score") == best) & (pl.col("partition") == "val"))
                assert result.best_model in winners["model_name"].to_list()
                assert result.metric == own["metric"][0]
                fold = own.filter(fold_id=own["fold_id"][0]).unique("partition")
                assert result.n_samples == fold["n_samples"].sum()
    runs = ws.summary()["runs"]
    assert {item["id"]: item["n_predictions"] for item in runs} == {
        run.id: run.counts["rows"] for run in listed if run.counts["rows"]
    }


def test_a_damaged_manifest_is_one_flagged_item(old):
    manifest(old, number=1)
    bad = manifest(old, number=2, at="2026-03-02T10:00:00+00:00")
    manifest(old, number=3, at="2026-03-03T10:00:00+00:00")
    (bad / "manifest.yaml").write_text("a: [1\nb: 2\n", "utf-8")
    (old.path / "runs" / "wheat" / "_best.csv").write_text("a", "utf-8")
    (old.path / "runs" / "wheat" / "0004_config_without_manifest").mkdir()
    (old.path / "runs" / "empty").mkdir()
    for _ in range(2):
        listed = old.runs.list()
        assert uids(listed) == [["uid-wheat-1"], ["uid-wheat-3"]]
        (error,) = listed.errors
        assert (error["path"], error["kind"]) == (f"{bad.relative_to(old.path)}/manifest.yaml", "corrupt")
        assert "line" in error["message"]


def test_ten_minutes_separate_calls_without_generators(old):
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for dataset, seconds in (("a", 0), ("b", 600), ("c", 1200), ("d", 1801)):
        manifest(old, dataset, at=(begin + timedelta(seconds=seconds)).isoformat())
    assert uids(old.runs.list()) == [["uid-a-1", "uid-b-1", "uid-c-1"], ["uid-d-1"]]
    chosen = [{"_or_": "SNV"}]
    for number, days in ((2, 1), (3, 3)):
        steps = ["SNV" if number == 2 else "MSC"]
        choice = [{"_or_": steps[0]}]
        at = (begin + timedelta(days=days)).isoformat()
        manifest(old, "a", number, "sweep", steps, choice, at)
    assert uids(old.runs.list())[2:] == [["uid-a-2", "uid-a-3"]], chosen


def test_a_repeated_configuration_begins_another_session(old):
    for number in (1, 2, 3):
        manifest(old, number=number, at=f"2026-03-01T10:0{number}:00+00:00")
    assert len(old.runs.list()) == 3


def test_times_that_are_naive_missing_or_no_times(old):
    manifest(old, number=1, at="2026-03-01T10:00:00")
    manifest(old, number=2, at=None, name="second")
    manifest(old, number=3, at="yesterday", name="third")
    manifest(old, number=4, at=datetime(2026, 3, 1, 9, 30), name="fourth")
    listed = old.runs.list()
    # What does not say when comes after the one before it in its folder.
    assert [run.name for run in listed] == ["second", "third", "fourth", "config"]
    assert [run.created_at for run in listed] == [
        "",
        "",
        *(f"2026-03-01T{time}:00.000000+00:00" for time in ("09:30", "10:00")),
    ]
    assert [run.id[:8] for run in listed] == ["undated_", "undated_", "2026-03-", "2026-03-"]


def test_an_id_stays_while_the_session_grows(old):
    manifest(old, number=1, steps=["SNV"], choices=[{"_or_": "SNV"}])
    (first,) = old.runs.list()
    manifest(old, number=2, steps=["MSC"], choices=[{"_or_": "MSC"}], at="2026-03-01T10:00:01+00:00")
    (grown,) = old.runs.list()
    assert grown.id == first.id
    assert (len(first.configs()), len(grown.configs())) == (1, 2)
    assert grown.steps == [{"_or_": ["SNV", "MSC"]}]


@pytest.mark.parametrize("name", ["Ä ümläut", "日本", "x" * 80, "a__b", "Protein sweep", "1_2", "ﬁne ½"])
def test_ids_are_made_as_those_of_runs(old, name):
    folder = manifest(old, name=name)
    (run,) = old.runs.list()
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    short = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].rstrip("-") or "run"
    hexes = _native.blake3_hex(b"uid-wheat-1", 12)
    assert run.id == f"2026-03-01_{short[0].upper()}{short[1:]}_{hexes}"
    assert (run.name, run.manifests[0]["path"]) == (name, str(folder.relative_to(old.path)))


def test_results_of_a_session(old):
    first = manifest(old, number=1).name
    manifest(old, number=2, steps=["SNV"], at="2026-03-01T11:00:00+00:00")
    rows(old, "wheat", first, [0.5, 0.25, float("nan")])
    rows(old, "wheat", "0009_lost_abcdef", [0.1])
    with_rows, without = old.runs.list()
    (result,) = with_rows.results()
    assert (result.status, result.n_rows, result.best_score, result.best_model) == (
        "done",
        3,
        0.25,
        "model 1",
    )
    assert (result.metric, result.score_kind, result.task_type) == ("rmse", "val_score", "regression")
    assert (result.n_samples, result.n_features, result.dataset_name) == (40, 7, "wheat")
    assert result.id == content_id("res", [with_rows.id, result.template_id, result.config_id, "wheat"])
    (lost,) = without.results()
    assert (lost.status, lost.n_rows, lost.error) == ("failed", 0, "no prediction names it")
    rows(old, "wheat", first, [0.125])
    assert with_rows.results()[0].best_score == 0.125
    assert [result.n_rows for result in catalogue.results(old.path)] == [4, 0]


def test_files_that_nobody_claims(tmp_path, old):
    rows(old, "lost", "0001_a_abcdef", [2.0, 1.0])
    (run,) = old.runs.list()
    assert (run.kind, run.status, run.name, run.files) == ("files", None, "lost", ["lost.meta.parquet"])
    assert run.id == f"files_lost_{_native.blake3_hex(b'lost.meta.parquet', 12)}"
    assert [result.best_score for result in run.results()] == [1.0]
    manifest(old, "lost")
    assert [run.kind for run in old.runs.list()] == ["session"]
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.runs.create("gone", datasets=["wheat"]) as made, made.writer("wheat") as writer:
        writer.write({"id": "1", "metric": "rmse", "val_score": 3.0, "config_name": "a"})
    shutil.rmtree(made.path)
    (left,) = ws.runs.list()
    assert (left.kind, left.id, bool(left.files)) == ("files", made.id, True)
    assert [(result.n_rows, result.best_score) for result in left.results()] == [(1, 3.0)]
    assert ws.runs.get(made.id).kind == "files"


def test_a_copied_file_is_no_part_of_a_session(old):
    folder = manifest(old, "wheat")
    rows(old, "wheat", folder.name, [2.0, 1.0, 3.0])
    shutil.copy(old.path / "wheat.meta.parquet", old.path / "wheat copy.meta.parquet")
    for _ in range(2):
        runs = {run.kind: run for run in old.runs.list()}
        assert runs["files"].files == ["wheat copy.meta.parquet"]
        for run in runs.values():
            assert [result.n_rows for result in run.results()] == [3]
            page = old.predictions.page(run=run.id)
            assert (page.total, [row["val_score"] for row in page.records]) == (3, [1.0, 2.0, 3.0])
            assert [row["val_score"] for row in old.predictions.top(9, run=run.id)] == [1.0, 2.0, 3.0]
            assert old.predictions.page(result=run.results()[0].id).total == 3
            assert old.trace("run", run.id).n_predictions == run.counts["rows"] == 3
            assert old.predictions.get(f"{folder.name}-1", run_id=run.id)["val_score"] == 1.0
        assert old.predictions.page().total == 6
        assert old.summary()["total_predictions"] == 6
        old.predictions.rebuild_summaries()


def test_rows_without_a_configuration_are_of_their_files(old):
    rows(old, "lost", None, [2.0, 1.0])
    (run,) = old.runs.list()
    assert old.predictions.page(run=run.id).total == run.counts["rows"] == 2


@pytest.mark.parametrize("dataset", ["", None])
def test_rows_without_a_dataset_are_of_their_files(old, dataset):
    rows(old, "lost", "0001_config_000000", [2.0, 1.0])
    file = old.path / "lost.meta.parquet"
    pl.read_parquet(file).with_columns(dataset_name=pl.lit(dataset, pl.String)).write_parquet(file)
    (run,) = old.runs.list()
    assert old.predictions.page(run=run.id).total == run.counts["rows"] == 2


def test_what_was_recorded_cannot_be_changed(old):
    manifest(old)
    run = old.runs.get(old.runs.list()[0].id)
    for change in (
        lambda: run.transition("paused"),
        run.resume,
        lambda: run.plan([]),
        lambda: run.request("paused"),
    ):
        with pytest.raises(n4w.SchemaError, match="n4w migrate"):
            change()
    with pytest.raises(n4w.NotFoundError):
        old.runs.get("no-such-run")
    json.dumps(run.to_dict(), allow_nan=False)


def test_filters_know_sessions(old):
    manifest(old, "wheat")
    manifest(old, "rye", name="other", at="2026-03-02T10:00:00+00:00")
    first, second = old.runs.list()
    assert [run.id for run in old.runs.list(dataset="rye")] == [second.id]
    assert [run.id for run in old.runs.list(template=first.templates[0]["id"])] == [first.id, second.id]
    assert [run.id for run in old.runs.list(template="other")] == [second.id]
    # Neither has a row.
    assert list(old.runs.list(status="completed")) == []
    assert [run.id for run in old.runs.list(status="failed")] == [first.id, second.id]


def both(root):
    listed = _native.list_runs(root)
    return listed["runs"], listed["errors"], _native.list_results(root)


def test_garbage_in_the_cache_and_its_absence_change_nothing(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for number in range(3):
        ws.runs.create(f"run {number}", [["SNV", number]], ["wheat"])
    manifest(ws, "rye")
    rows(ws, "rye", "0001_config_000000", [1.0])
    rows(ws, "oats", "0001_config_000000", [1.0])
    settle(ws.path)  # the cache does not trust younger files
    expected = both(ws.path)
    assert len(expected[0]) == 5
    cache = ws.path / ".cache"
    for content in (b"", b"garbage", b"N4AL" + bytes(50), None):
        for file in cache.iterdir():
            if content is None:
                file.write_bytes(file.read_bytes()[:-9])
            else:
                file.write_bytes(content)
        assert both(ws.path) == expected
        shutil.rmtree(cache)
        assert both(ws.path) == expected
        assert both(ws.path) == expected


def test_what_changed_is_read_again(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    for number in range(3):
        ws.runs.create(f"run {number}", [["SNV", number]], ["wheat"])
    settle(ws.path)  # the cache does not trust younger files
    assert [run.name for run in ws.runs.list()] == ["run 0", "run 1", "run 2"]
    file = ws.runs.list()[1].path / "run.yaml"
    file.write_text(file.read_text().replace("run 1", "run 9"))  # of the same size
    assert [run.name for run in ws.runs.list()] == ["run 0", "run 9", "run 2"]


def test_unknown_and_odd_keys_survive(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("odd")
    file = run.path / "run.yaml"
    file.write_text(
        file.read_text("utf-8") + "lab: {1: a, 2026-01-01: b}\nday: 2026-01-02\nbig: 1e400\n", "utf-8"
    )
    (entry,) = _native.list_runs(ws.path)["runs"]
    assert (entry["lab"], entry["day"], entry["big"]) == (
        {"1": "a", "2026-01-01": "b"},
        "2026-01-02",
        "1e400",
    )
    assert entry["id"] == run.id
    json.dumps(entry, allow_nan=False)


def test_an_entry_says_what_the_run_says(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with ws.runs.create("whole", [n4w.Template(["SNV"], "snv", "text", 1)], ["wheat"], "about") as run:
        run.plan([{"name": "a"}])
        run.transition("paused")
    (entry,) = _native.list_runs(ws.path)["runs"]
    record = yaml.safe_load((run.path / "run.yaml").read_text("utf-8"))
    assert {key: entry[key] for key in record if key != "schema_version"} == {
        key: value for key, value in record.items() if key != "schema_version"
    }
    assert (entry["kind"], entry["templates"], entry["datasets"]) == ("run", run.templates, run.datasets)
    summary = yaml.safe_load((run.path / "summary.yaml").read_text("utf-8"))
    summary.pop("schema_version")
    assert entry["summary"] == summary
    assert (entry["n_configs"], entry["n_failed"]) == (1, 0)
    (listed,) = ws.runs.list()
    assert (listed.name, listed.status, listed.created_at) == ("whole", "paused", run.created_at)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"), max_size=12)
plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        texts,
        st.sampled_from(["n4a:x", "n4a:", "\x7f", "é", "😀", "\ufb33"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            texts,
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)


@given(steps=st.lists(plain, min_size=1, max_size=3))
def test_ids_of_content_are_those_that_python_makes(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("ids")
    folder = root / "runs" / "wheat" / "0001_config_abcdef"
    folder.mkdir(parents=True)
    content = {"uid": "u", "name": "config_abcdef", "pipeline": {"steps": steps}}
    text = yaml.safe_dump(content, allow_unicode=False)
    (folder / "manifest.yaml").write_text(text, "utf-8")
    steps = yaml.safe_load(text)["pipeline"]["steps"]
    listed = _native.list_runs(root)
    assert listed["errors"] == []
    (run,) = listed["runs"]
    assert run["templates"][0]["id"] == content_id("tpl", steps)
    assert run["manifests"][0]["config_id"] == content_id("cfg", steps)
    shutil.rmtree(root)


def test_a_copy_of_a_configuration_is_listed_once(old):
    choices = {number: [{"_or_": number}] for number in (1, 2)}
    for number in (1, 2):
        at = f"2026-03-01T10:00:0{number}+00:00"
        manifest(old, number=number, steps=[number], choices=choices[number], at=at)
    first = next(old.path.glob("runs/wheat/0001*"))
    shutil.copytree(first, first.with_name(f"{first.name} (copy)"))
    shutil.copytree(old.path / "runs" / "wheat", old.path / "runs" / "wheat_backup")
    assert uids(old.runs.list()) == [["uid-wheat-1", "uid-wheat-2"]]


def test_a_summary_counts_the_sessions_that_it_lists(old):
    for number in (1, 2):
        config = manifest(old, number=number, name=f"call {number}").name
        rows(old, "wheat", config, [0.5, 0.25])
    for summary in (old.summary("wheat"), *old.summary()["datasets"]):
        assert len(summary["runs"]) == summary["facets"]["n_runs"] == 2


def test_rows_of_hidden_files_are_nobodys(old):
    config = manifest(old, "mem")
    file = config / "manifest.yaml"
    file.write_text(file.read_text("utf-8").replace("dataset: mem", "dataset: .mem"), "utf-8")
    rows(old, ".mem", config.name, [0.5])
    (result,) = old.results.list()
    assert (result.n_rows, old.predictions.page(result=result.id).total) == (0, 0)


def test_what_nirs4all_0_5_left(old):
    """The day before the dataset in the folder's name, and manifests of fewer keys."""
    said = dict.fromkeys(("schema_version", "generator_choices", "predictions"))
    said |= {"version": "1.0", "artifacts": [{"name": "PLS_1", "path": "PLS_1.joblib"}]}
    folder = old.path / "runs" / "2026-03-01_wheat"
    for number, steps in ((1, ["SNV"]), (2, ["MSC"])):
        at = f"2026-03-01T10:00:0{number}+00:00"
        config = old_runs.manifest(
            old.path, folder.name, number, "config", steps, [], at, str(number), **said
        )
        file = config / "manifest.yaml"
        file.write_text(file.read_text("utf-8").replace(folder.name, "wheat"), "utf-8")
        rows(old, "wheat", config.name, [0.5] * number)
    (folder / "_binaries").mkdir()
    listed = old.runs.list()
    assert listed.errors == []
    for number, run in enumerate(listed, 1):
        assert (run.kind, run.created_at[:10], run.datasets[0]["name"]) == ("session", "2026-03-01", "wheat")
        (result,) = run.results()
        assert (result.status, result.n_rows) == ("done", number)
        assert old.predictions.page(run=run.id).total == number
    assert number == 2


@pytest.mark.parametrize("store", ["store.duckdb", "store.sqlite"])
def test_stores_of_later_versions_are_noted(old, store):
    (old.path / store).touch()
    (note,) = old.verify()["notes"]
    assert (note["path"], note["kind"]) == (store, "foreign")
