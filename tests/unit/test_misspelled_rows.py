"""What looks like a typing error in a row is stored, and warned of once a writer."""

import logging
import warnings

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
from nirs4all_workspace.predictions import misspellings

RUN = "2026-11-30_Any_0123456789ab"
ROW = {"val_score": 0.5, "metric": "rmse", "partition": "val", "model_name": "PLS", "fold_id": "0"}


def as_mapping(writer, row):
    writer.write(row)


def as_batch(writer, row):
    writer.write_batch(pl.DataFrame([row]))


@pytest.fixture(params=[as_mapping, as_batch])
def add(request):
    return request.param


def warned(ws, add, *rows):
    with (
        warnings.catch_warnings(record=True) as caught,
        ws.predictions.writer(RUN, "wheat") as writer,
    ):
        warnings.simplefilter("always")
        for row in rows:
            add(writer, row)
    assert all(one.category is UserWarning and one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ({"vla_score": 0.5}, "val_score"),
        ({"metrics": "rmse"}, "metric"),
        ({"Val-Score": 0.5}, "val_score"),
        ({"fodl_id": "0"}, "fold_id"),
        ({"model": "PLS"}, "model_name"),
        ({"n_sample": 3}, "n_samples"),
        ({"partition": "validation"}, "val"),
        ({"partition": "Train"}, "train"),
        ({"partition": "tset"}, "test"),
        ({"metric": "rmes"}, "rmse"),
    ],
)
def test_a_misspelled_name_is_warned_of_once_and_stored(ws, add, wrong, meant):
    row = {**ROW, **wrong}
    (message,) = warned(ws, add, row, {**row, "val_score": 0.25})
    assert f"did you mean {meant!r}" in message
    stored = ws.predictions.scan().collect()
    assert stored.height == 2
    (name, value) = next(iter(wrong.items()))
    assert stored[name].to_list() == [value] * 2


def test_every_writer_and_every_thing_is_warned_of_by_itself(ws, add):
    rows = [
        {**ROW, "vla_score": 0.5, "partition": "validation"},
        {**ROW, "vla_score": 0.5, "partition": "testing", "metric": "unheard_of"},
    ]
    for _ in range(2):
        assert len(warned(ws, add, *rows)) == 4


@pytest.mark.parametrize(
    "extra",
    [
        {"seed": 3},
        {"site": "lab-1"},
        {"best_score": 0.5},
        {"val_score_2": 0.5},
        {"n_components": 7},
        {"val_score_std": 0.5},
        {"rank_score": 0.5},
        {"cv_score": 0.5, "dataset_id": "ds_wheat_01234567", "pipeline_id": "p"},
        {"wavelength": 1100.0},
        {"partition": None, "metric": None},
        {"partition": "test", "metric": "R2"},
    ],
)
def test_other_extra_columns_and_known_names_are_silent(ws, add, extra):
    assert warned(ws, add, {**ROW, **extra}) == []


def test_a_metric_that_was_registered_is_known(ws, add):
    n4w.register_metric("my_own_distance_of_rows", "minimize")
    assert warned(ws, add, {**ROW, "metric": "my_own_distance_of_rows"}) == []


@pytest.mark.parametrize(
    ("y_true", "y_pred", "count"),
    [
        (np.zeros(5), np.zeros(4), 1),
        (np.zeros((5, 2)), np.zeros((4, 2)), 1),
        (np.zeros(5), np.zeros((5, 1)), 0),
        (np.zeros((1, 5)), np.zeros(5), 0),
        (np.zeros(5), np.zeros((5, 3)), 0),
        (np.zeros(5), None, 0),
    ],
)
def test_arrays_of_different_length_are_warned_of_once(ws, y_true, y_pred, count):
    row = {**ROW, "y_true": y_true, "y_pred": y_pred}
    assert len(warned(ws, as_mapping, {"id": "a", **row}, row)) == count
    stored = ws.predictions.get("a", arrays=True)
    assert np.array_equal(stored["y_true"], y_true)


@pytest.mark.parametrize("lengths", [(3, 3), (3, 2)])
def test_arrays_by_their_ids_are_compared_too(ws, add, lengths):
    with warnings.catch_warnings(record=True) as caught, ws.predictions.writer(RUN, "wheat") as writer:
        warnings.simplefilter("always")
        arrays = {
            "array_data": [[0.5] * length for length in lengths],
            "array_shape": [f"[{length}]" for length in lengths],
            "array_type": ["y_true", "y_pred"],
        }
        y_true, y_pred = writer.write_arrays(pl.DataFrame(arrays))
        for fold in "01":
            add(writer, {**ROW, "fold_id": fold, "y_true_id": y_true})
            assert caught == []
        for fold in "23":
            add(writer, {**ROW, "fold_id": fold, "y_true_id": y_true, "y_pred_id": y_pred})
    found = [str(one.message) for one in caught]
    assert len(found) == (lengths == (3, 2))
    assert all(message.startswith("y_true and y_pred") for message in found)


def test_an_array_and_the_id_of_another_are_compared(ws):
    with ws.predictions.writer(RUN, "wheat") as writer:
        table = {"array_data": [[0.5] * 3], "array_shape": ["[3]"], "array_type": ["y_true"]}
        (y_true,) = writer.write_arrays(pl.DataFrame(table))
        writer.write({**ROW, "y_true_id": y_true, "y_pred": np.zeros(3)})
        writer.write({**ROW, "y_true_id": "array_of_elsewhere", "y_pred": np.zeros(2)})
        with pytest.warns(UserWarning, match="3 and 2"):
            writer.write({**ROW, "y_true_id": y_true, "y_pred": np.zeros(2)})


def test_rows_that_do_not_name_the_result_that_they_precede_are_warned_of_once(ws, add):
    run = ws.runs.create("a", templates=[["s"]], datasets=["wheat"])
    with warnings.catch_warnings(record=True) as caught, run:
        warnings.simplefilter("always")
        named, failed, *others = run.plan([{"name": name} for name in "abcd"])
        with run.writer("wheat") as writer:
            add(writer, ROW)
            add(writer, {**ROW, "result_id": named.id})
            writer.checkpoint(named)
            add(writer, ROW)
            writer.checkpoint(failed.to_dict() | {"status": "failed"})
            assert caught == []
            for result in others:
                add(writer, ROW)
                add(writer, ROW)
                writer.checkpoint(result)
    (one,) = caught
    assert f"result {others[0].id} is done without rows, and the 2 rows before it name no result" in str(
        one.message
    )
    assert one.filename == __file__


def test_results_without_rows_are_silent_where_no_rows_were_meant_for_them(ws, add):
    run = ws.runs.create("a")
    with warnings.catch_warnings(), run, run.writer("wheat") as writer:
        warnings.simplefilter("error")
        writer.checkpoint({"id": "without rows"})
        add(writer, {**ROW, "result_id": "later"})
        writer.checkpoint({"id": "another"})
        writer.checkpoint({"id": "later"})
        add(writer, ROW)


def test_arrays_in_a_batch_are_said_to_be_no_arrays(ws):
    (message,) = warned(ws, as_batch, {**ROW, "y_true": [1.0, 2.0]})
    assert "write_arrays" in message


def test_the_log_has_them_too(ws, add, caplog):
    with caplog.at_level(logging.WARNING, logger="nirs4all_workspace"):
        (message,) = warned(ws, add, {**ROW, "vla_score": 0.5})
    (record,) = caplog.records
    assert message in record.getMessage()


def test_where_warnings_are_errors_the_row_is_there_all_the_same(ws, add):
    with ws.predictions.writer(RUN, "wheat", flush_rows=1) as writer:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning):
                add(writer, {**ROW, "vla_score": 0.5})
        assert writer.acknowledged == 1


def test_names_of_the_stored_columns_are_known():
    columns = n4w.PredictionRow.__annotations__
    assert all(misspellings.warning("column", f"{name}x") for name in columns if len(name) > 4)
    # Of a row it is a name that says too little.
    assert [name for name in n4w.Result.__annotations__ if misspellings.column_meant(name)] == ["score"]


def test_a_row_type_names_the_columns_of_every_segment(ws):
    roles = {"y_true", "y_pred", "y_proba", "sample_indices", "weights"}
    assert set(n4w.PredictionRow.__annotations__) - roles == set(ws.predictions.scan().collect_schema())


def test_scores_as_a_mapping_are_the_text_that_nirs4all_writes(ws):
    scores = {"val": {"rmse": 0.5, "r2": 0.25}, "test": {"rmse": 1.5}}
    with ws.predictions.writer(RUN, "wheat") as writer:
        writer.write({"id": "a", **ROW, "scores": scores, "best_params": {"n": 3}, "metadata": "as it is"})
    stored = ws.predictions.scan().collect().to_dicts()[0]
    assert stored["scores"] == '{"val": {"rmse": 0.5, "r2": 0.25}, "test": {"rmse": 1.5}}'
    assert (stored["best_params"], stored["metadata"]) == ('{"n": 3}', "as it is")
    assert ws.predictions.get("a")["scores"] == scores


def test_a_long_value_is_cut_in_the_message(ws, add):
    (message,) = warned(ws, add, {**ROW, "metric": "m" * 100_000})
    assert len(message) < 1_000
