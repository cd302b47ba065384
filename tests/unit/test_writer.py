"""Writing predictions and reading them back: types, arrays, thresholds, checkpoints, errors."""

import datetime as dt
import json
import math
import os
import threading

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

RUN = "2026-11-24_Test_0123456789ab"
# Closing a writer says so.
UNFINISHED = pytest.mark.filterwarnings("ignore:.* of results that were never checkpointed")


@pytest.fixture
def ws(tmp_path):
    made = n4w.Workspace.create(tmp_path / "ws")
    run = made.runs.create("test")
    record = (run.path / "run.yaml").read_text()
    (run.path / "run.yaml").write_text(record.replace(run.id, RUN))
    run.path.rename(made.path / "runs" / RUN)
    return made


def sealed(ws):
    return pl.read_parquet(sorted(ws.path.glob("predictions/*/*.meta.parquet")))


def test_a_row_reads_back_in_the_types_of_its_columns(ws):
    row = {
        "id": "a",
        "val_score": np.float32(0.5),
        "test_score": 3,
        "train_score": float("-inf"),
        "fold_id": 1,
        "n_samples": np.int64(97),
        "branch_id": 2.0,
        "best_params": {"alpha": (1, float("nan"))},
        "created_at": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        "mine": True,
        "Größe": "ü",
        "nothing": None,
    }
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write(row)
    found = sealed(ws).row(0, named=True)
    expected = row | {
        "test_score": 3.0,
        "fold_id": "1",
        "branch_id": 2,
        "best_params": '{"alpha": [1, "NaN"]}',
        "run_id": RUN,
        "dataset_name": "wheat",
        "metric": None,
    }
    del expected["nothing"]
    assert {key: found[key] for key in expected} == expected
    assert ws.predictions.get("a") == found | {"best_params": {"alpha": [1, "NaN"]}}


def test_missing_ids_and_times_are_made(ws):
    before = dt.datetime.now(dt.UTC)
    with ws.predictions.writer(RUN, "wheat") as writer:
        for _ in range(3):
            writer.write({})
        writer.write_batch(pl.DataFrame({"id": ["x", None], "val_score": [1.0, 2.0]}))
    frame = sealed(ws)
    assert frame["id"].n_unique() == 5
    assert "x" in frame["id"].to_list()
    assert frame["created_at"].null_count() == 0
    assert before - dt.timedelta(seconds=1) < frame["created_at"].min()
    assert frame["created_at"].max() <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("kind", ["polars", "pyarrow table", "record batch", "reader"])
def test_batches_of_every_kind_read_back(ws, kind):
    frame = pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(1000)],
            "val_score": pl.Series([i / 7 for i in range(1000)], dtype=pl.Float32),
            "metric": pl.Series(["rmse"] * 1000, dtype=pl.Categorical),
            "n_samples": pl.Series([i % 5 or None for i in range(1000)], dtype=pl.Int16),
            "extra": [[i, i + 1] for i in range(1000)],
        }
    )
    table = frame.with_columns(pl.col("metric").cast(pl.String)).to_arrow()
    batch = {
        "polars": frame,
        "pyarrow table": table,
        "record batch": table.combine_chunks().to_batches()[0],
        "reader": pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=300)),
    }[kind]
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write_batch(batch)
    found = sealed(ws).select(frame.columns)
    expected = frame.with_columns(
        pl.col("val_score").cast(pl.Float64),
        pl.col("metric").cast(pl.String),
        pl.col("n_samples").cast(pl.Int64),
    )
    assert_frame_equal(found, expected)


@pytest.mark.filterwarnings("ignore:y_true and y_pred of a row:UserWarning")
def test_arrays_are_stored_once_per_content_and_read_back_in_their_shape(ws):
    truth = np.linspace(0, 1, 7)
    rows = [
        {"id": "a", "y_true": truth, "y_pred": [1, 2, 3], "y_proba": np.arange(6.0).reshape(2, 3)},
        {
            "id": "b",
            "y_true": truth.copy(),
            "y_pred": truth[::2],
            "sample_indices": np.arange(3, dtype=np.uint8),
        },
        {"id": "c", "y_true": pl.Series(truth), "y_pred": [[1.0], [2.0]], "weights": []},
        {"id": "d", "y_true": truth.reshape(7, 1), "y_pred": np.asfortranarray(np.arange(6).reshape(2, 3))},
        {"id": "e", "y_pred": np.array([math.nan, math.inf, -0.0])},
    ]
    with ws.predictions.writer(RUN, "wheat") as writer:
        for row in rows:
            writer.write(row)
            writer.flush()
        live = [ws.predictions.get(row["id"], arrays=True) for row in rows]
    stored = pl.read_parquet(sorted(ws.path.glob("arrays/*/*.arrays.parquet")))
    roles = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")
    contents = [np.asarray(row[role], dtype=np.float64) for row in rows for role in roles if role in row]
    assert stored.height == stored["array_id"].n_unique()
    assert stored.height == len({(values.shape, values.tobytes()) for values in contents}) < len(contents)
    for row, found in zip(rows, live, strict=True):
        for answer in (found, ws.predictions.get(row["id"], arrays=True)):
            for role in roles:
                if role not in row:
                    assert answer[role] is None
                    continue
                expected = np.asarray(row[role], dtype=np.float64)
                np.testing.assert_array_equal(answer[role], expected)
                assert answer[role].shape == expected.shape
    assert ws.verify(full=True)["problems"] == []


@pytest.mark.parametrize(
    ("row", "error", "named"),
    [
        ({"val_score": "good"}, TypeError, "val_score"),
        ({"val_score": True}, TypeError, "val_score"),
        ({"n_samples": 1.5}, TypeError, "n_samples"),
        ({"created_at": "yesterday"}, TypeError, "created_at"),
        ({"mine": object()}, TypeError, "mine"),
        ({"mine": {"a": object()}}, TypeError, "object"),
        ({"mine": 2**70}, ValueError, "mine"),
        ({"y_true": ["a"]}, TypeError, "y_true"),
        ({"y_true": 5}, TypeError, "y_true"),
        ({"y_pred": [[1.0], [1.0, 2.0]]}, ValueError, "y_pred"),
        ({"id": "first"}, ValueError, "first"),
        ({"run_id": "other"}, ValueError, "other"),
        ({"dataset_name": "oats"}, ValueError, "oats"),
        ({3: 4}, TypeError, "names"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_leaves_nothing(ws, row, error, named):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"id": "first"})
        with pytest.raises(error, match=named):
            writer.write({"unheard_of": 1, **row})
        writer.write({"id": "last"})
    assert sealed(ws)["id"].to_list() == ["first", "last"]
    assert "unheard_of" not in sealed(ws).columns
    assert list(ws.path.glob("arrays/*/*")) == []


@pytest.mark.parametrize(
    ("batch", "error", "named"),
    [
        ({"id": ["x", "y", "x"]}, ValueError, "'x'|\"x\""),
        ({"id": ["x", "first"]}, ValueError, "first"),
        ({"id": ["x"], "val_score": ["good"]}, TypeError, "val_score"),
        ({"id": ["x"], "run_id": ["other"]}, ValueError, "other"),
        ({"id": ["x"], "mine": ["text"]}, TypeError, "mine"),
    ],
)
def test_a_batch_that_does_not_fit_adds_nothing(ws, batch, error, named):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"id": "first", "mine": 1})
        with pytest.raises(error, match=named):
            writer.write_batch(pl.DataFrame(batch))
        writer.write_batch(pl.DataFrame({"id": ["x"]}))
    assert sealed(ws)["id"].to_list() == ["first", "x"]
    with pytest.raises(TypeError, match="list"):
        ws.predictions.writer(RUN, "wheat").write_batch([1])


def test_rows_and_bytes_flush_by_themselves_and_progress_is_told(ws):
    told = []
    with ws.predictions.writer(
        RUN, "wheat", flush_rows=10, progress=lambda *counts: told.append(counts)
    ) as writer:
        for _ in range(25):
            writer.write({"val_score": 1.0})
        assert (told, writer.acknowledged) == ([(10, 0), (20, 0)], 20)
        assert ws.predictions.scan().collect().height == 20
    with ws.predictions.writer(RUN, "wheat", flush_bytes=100_000) as writer:
        for _ in range(10):
            writer.write({"metadata": "x" * 20_000})
        assert writer.acknowledged == 10
    with ws.predictions.writer(RUN, "wheat", flush_seconds=0) as writer:
        writer.write({})
        assert writer.acknowledged == 1


@UNFINISHED
def test_a_checkpoint_says_what_its_rows_say(ws):
    scores = {"r1": [0.5, 0.2, math.nan, 0.9], "r2": [0.1, 0.3]}
    with ws.predictions.writer(RUN, "wheat") as writer:
        for result, values in scores.items():
            for fold, value in enumerate(values):
                writer.write(
                    {"result_id": result, "val_score": value, "metric": "r2", "model_name": f"m{fold}"}
                )
        stored = writer.checkpoint({"id": "r1", "config_id": "c1", "best_model": "mine"})
        assert (stored["best_score"], stored["best_model"]) == (0.9, "mine")
        assert (stored["metric"], stored["score_kind"], stored["n_rows"]) == ("r2", "val_score", 4)
        assert stored["status"] == "done"
        assert dt.datetime.fromisoformat(stored["completed_at"]).tzinfo is not None
        with pytest.raises(ValueError, match="r1"):
            writer.checkpoint({"id": "r1"})
        with pytest.raises(ValueError, match="r1"):
            writer.write({"result_id": "r1"})
        with pytest.raises(ValueError, match="id"):
            writer.checkpoint({"config_id": "c"})
        with pytest.raises(TypeError, match="object"):
            writer.checkpoint({"id": "r2", "error": object()})
        writer.write({"result_id": "r3", "test_score": 2.0, "metric": "rmse", "model_name": "RF"})
        stored = writer.checkpoint({"id": "r3", "status": "failed", "error": "too hot"})
        assert (stored["best_score"], stored["best_model"], stored["score_kind"]) == (2.0, "RF", "test_score")
        writer.checkpoint({"id": "r4"})
    lines = next(ws.path.glob(f"runs/{RUN}/results.*.jsonl")).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["r1", "r3", "r4"]
    # r2 was never checkpointed: its rows are apart.
    assert sorted(sealed(ws)["result_id"]) == ["r1"] * 4 + ["r3"]
    assert ws.predictions.scan().collect().height == 5
    assert sorted(ws.predictions.scan(partial=True).collect()["result_id"]) == ["r1"] * 4 + ["r2"] * 2 + [
        "r3"
    ]
    assert ws.summary("wheat")["total_predictions"] == 5


def test_checkpoints_need_a_run(ws):
    with ws.predictions.writer("orphan", "wheat") as writer:
        writer.write({"id": "a"})
        with pytest.raises(n4w.NotFoundError, match="orphan"):
            writer.checkpoint({"id": "r"})
    assert ws.predictions.get("a")["run_id"] == "orphan"


def test_what_is_read_while_writing_is_what_was_flushed(ws):
    with ws.predictions.writer(RUN, "wheat") as writer:
        for i in range(5):
            writer.write({"id": f"a{i}", "val_score": float(i), "metric": "rmse"})
            writer.flush()
            writer.write({"id": f"b{i}", "val_score": float(i), "metric": "rmse"})
            frame = ws.predictions.scan().collect()
            assert frame.height == 2 * i + 1
            summary = ws.summary("wheat")
            assert summary["total_predictions"] == frame.height
            assert summary["stats"]["val_score"]["mean"] == pytest.approx(frame["val_score"].mean())
            assert ws.predictions.top(1, max_val_score=99)[0]["id"] == "a0"
        assert ws.predictions.scan(live=False).collect().height == 0
        assert ws.predictions.top(1, metric="rmse", live=False) == []
    assert ws.predictions.scan(live=False).collect().height == 10


def test_get_names_what_is_ambiguous_and_what_is_missing(ws):
    for run in (RUN, "other"):
        with ws.predictions.writer(run, "wheat") as writer:
            writer.write({"id": "same"})
    with pytest.raises(ValueError, match="run_id"):
        ws.predictions.get("same")
    assert ws.predictions.get("same", run_id="other")["run_id"] == "other"
    with pytest.raises(n4w.NotFoundError, match="nowhere"):
        ws.predictions.get("nowhere")


def test_a_closed_writer_refuses_and_closing_twice_does_nothing(ws):
    writer = ws.predictions.writer(RUN, "wheat")
    writer.write({"id": "a"})
    writer.close()
    writer.close()
    for call in (lambda: writer.write({}), writer.flush, lambda: writer.checkpoint({"id": "r"})):
        with pytest.raises(n4w.ConflictError, match="closed"):
            call()
    assert sealed(ws)["id"].to_list() == ["a"]


def test_a_writer_that_is_dropped_with_rows_says_so(ws):
    writer = ws.predictions.writer(RUN, "wheat")
    writer.write({"id": "a"})
    with pytest.warns(UserWarning, match="1 unflushed row, which is lost"):
        writer.__del__()
    writer.close()


def test_an_exception_keeps_what_was_written_before_it(ws):
    def train():
        with ws.predictions.writer(RUN, "wheat") as writer:
            writer.write({"id": "a"})
            writer.write({"id": 1 / 0})

    with pytest.raises(ZeroDivisionError):
        train()
    assert sealed(ws)["id"].to_list() == ["a"]


@pytest.mark.parametrize("run_id", ["", ".hidden", "a/b", "a\\b", "a\nb", "x" * 200])
def test_run_ids_that_no_file_can_have_are_refused(ws, run_id):
    with pytest.raises(ValueError, match="run id"):
        ws.predictions.writer(run_id, "wheat")


def test_old_and_newer_workspaces_are_not_written(demo, ws):
    with pytest.raises(n4w.SchemaError, match=r"0\.6"):
        n4w.Workspace.open(demo).predictions.writer(RUN, "wheat")
    manifest = ws.path / "workspace.yaml"
    manifest.write_text(manifest.read_text().replace("format_version: 2", "format_version: 3"))
    newer = n4w.Workspace.open(ws.path)
    for call in (lambda: newer.predictions.writer(RUN, "wheat"), newer.predictions.compact):
        with pytest.raises(n4w.SchemaError, match="3"):
            call()


def test_arguments_are_checked(ws):
    for options in ({"durability": "maybe"}, {"flush_seconds": -1.0}, {"flush_seconds": math.nan}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ws.predictions.writer(RUN, "wheat", **options)
    with pytest.raises(ValueError, match="empty"):
        ws.predictions.writer(RUN, "")


@pytest.mark.parametrize("name", ["a/b\\c", "Zürich 2026 🌾", "x" * 300, "..", "CON", "Å", "日本"])
def test_any_name_of_a_dataset_works(ws, name):
    with ws.predictions.writer(RUN, name) as writer:
        writer.write({"id": "a", "y_true": [1.0]})
    folder = next(ws.path.glob("predictions/*/*.meta.parquet")).parent.name
    assert len(folder) <= 40
    assert folder.isascii()
    assert ws.predictions.get("a", arrays=True)["dataset_name"] == name
    assert ws.summary(name)["total_predictions"] == 1


@UNFINISHED
def test_segments_read_with_one_glob_everywhere(ws):
    import duckdb
    import pyarrow.dataset as pads

    for dataset in ("wheat", "oats"):
        for _ in range(2):
            with ws.predictions.writer(RUN, dataset) as writer:
                writer.write_batch(pl.DataFrame({"val_score": [1.0, 2.0, None], "metric": "rmse"}))
                writer.write({"result_id": "never finished"})
    expected = ws.predictions.scan(live=False).collect().height
    glob = str(ws.path / "predictions/*/*.meta.parquet")
    assert expected == 12
    assert pl.read_parquet(glob).height == expected
    assert duckdb.sql(f"SELECT count(*) FROM '{glob}'").fetchall() == [(expected,)]
    files = [str(path) for path in ws.path.glob("predictions/*/*.meta.parquet")]
    assert pads.dataset(files).count_rows() == expected


def test_threads_share_a_writer(ws):
    rows = 200
    with ws.predictions.writer(RUN, "wheat", flush_rows=7) as writer:

        def work(thread):
            for row in range(rows):
                writer.write({"id": f"{thread}-{row}", "val_score": 1.0})
                if row % 50 == 0:
                    writer.write_batch(pl.DataFrame({"id": [f"{thread}-{row}-{i}" for i in range(3)]}))
                    writer.flush()

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = {f"{thread}-{row}" for thread in range(4) for row in range(rows)}
    expected |= {f"{thread}-{row}-{i}" for thread in range(4) for row in range(0, rows, 50) for i in range(3)}
    assert sorted(sealed(ws)["id"]) == sorted(expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_may_not_use_a_writer_but_may_open_its_own(ws):
    writer = ws.predictions.writer(RUN, "wheat")
    writer.write_batch(pl.DataFrame({"id": [f"a{i}" for i in range(100_000)]}))  # has started threads
    child = os.fork()
    if child == 0:
        outcome = 1
        try:
            with pytest.raises(RuntimeError, match="fork"):
                writer.write({"id": "b"})
            with pytest.raises(RuntimeError, match="fork"):
                writer.flush()
            with ws.predictions.writer(RUN, "oats") as own:
                own.write_batch(pl.DataFrame({"id": [f"c{i}" for i in range(100_000)]}))
            outcome = 0
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.close()
    assert sealed(ws).height == 200_000


@UNFINISHED
def test_a_segment_without_rows_is_sound(ws):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"result_id": "never finished"})
    assert sealed(ws).height == 0
    assert ws.verify(full=True)["problems"] == []
    assert ws.summary()["total_predictions"] == 0


def test_a_list_of_results_that_was_changed_is_found(ws):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"result_id": "r", "val_score": 0.25, "metric": "rmse"})
        writer.checkpoint({"id": "r"})
    assert ws.verify(full=True)["problems"] == []
    (results,) = ws.path.glob(f"runs/{RUN}/results.*.jsonl")
    results.write_text(results.read_text().replace("0.25", "0.26"))
    (problem,) = [found for found in ws.verify(full=True)["problems"] if found["kind"] == "corrupt"]
    assert results.name in problem["message"]


DEEP: list = [1]
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"model_name": "\udcff"}, "model_name"),
        ({"id": "a\ud800"}, "id"),
        ({"mine": "a\udfffb"}, "mine"),
        ({"m\udcffne": 1}, r"name of a column.*udcff"),
        ({"best_params": {"a": ["b\udcff"]}}, r"'best_params'\['a'\]\[0\]"),
        ({"best_params": {"b\udcff": 1}}, r"'best_params'"),
        ({"metadata": [("\udcff",)]}, r"'metadata'\[0\]\[0\]"),
        ({"metadata": DEEP}, r"'metadata'.*levels"),
        ({"metadata": {"a": object()}}, r"'metadata'\['a'\].*object"),
    ],
)
def test_what_is_no_text_is_refused_by_its_column(ws, row, named):
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"id": "before"})
        with pytest.raises((TypeError, ValueError), match=named):
            writer.write(row)
        writer.write({"id": "after", "best_params": {"seed": 10**400, 1: "ü"}})
    frame = sealed(ws).sort("id")
    assert frame["id"].to_list() == ["after", "before"]
    assert json.loads(frame["best_params"][0]) == {"seed": 10**400, "1": "ü"}
    with pytest.raises(ValueError, match="dataset"):
        ws.predictions.writer(RUN, "b\udcffro")


@pytest.mark.parametrize("value", [2.0, -0.0, math.nan, math.inf, 3, True, dt.datetime(2026, 1, 1)])
@pytest.mark.parametrize("text", ["auto", [1, 2]])
def test_a_column_of_texts_takes_no_other_value(ws, value, text):
    """As a text it would be another value: NaN, for one, would be null."""
    with ws.predictions.writer("run", "wheat") as writer:
        writer.write({"id": "a", "depth": text})
        with pytest.raises(TypeError, match="depth"):
            writer.write({"id": "b", "depth": value})
        writer.write({"id": "c", "depth": "none"})
    rows = ws.predictions.scan().sort("id").select("id", "depth").collect().rows()
    assert rows == [("a", text if isinstance(text, str) else json.dumps(text)), ("c", "none")]
