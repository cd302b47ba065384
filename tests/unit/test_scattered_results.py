"""Results whose rows are not all with the writer that checkpointed them, and other odd ones."""

import dataclasses
import subprocess
import sys
import textwrap
import warnings

import nirs4all_workspace as n4w
import pytest

TEMPLATE = n4w.Template([{"class": "PLS"}])


@pytest.fixture
def run(ws):
    return ws.runs.create("a", templates=[TEMPLATE], datasets=["wheat"])


def row(result, fold, score=0.5):
    place = {"fold_id": str(fold), "partition": "val", "metric": "rmse", "model_name": "PLS"}
    return {"result_id": result.id, "val_score": score, **place}


def assert_paused(run, n_rows):
    assert run.status == "paused"
    assert f"{n_rows} row" in run.history[-1]["reason"]
    assert "by another writer" in run.history[-1]["reason"]


@pytest.mark.filterwarnings("ignore:1 row is of results that were never checkpointed")
@pytest.mark.parametrize("has_own", [True, False])
def test_rows_of_a_writer_that_was_closed_before_are_not_forgotten(ws, run, has_own):
    with run:
        (result,) = run.plan([{"name": "one"}])
        with run.writer("wheat") as first:
            first.write(row(result, 0))
        with run.writer("wheat") as second:
            if has_own:
                second.write(row(result, 1))
            second.checkpoint(result)
    assert_paused(run, 1)
    with run.resume():
        assert run.plan([{"name": "one"}]) == []
    assert run.status == "completed"
    assert ws.predictions.scan().collect().height == has_own


@pytest.mark.parametrize("how", ["closed", "flushed", "killed"])
def test_folds_that_processes_write_for_one_that_checkpoints_are_not_forgotten(ws, run, how):
    child = """
        import os, sys, warnings, nirs4all_workspace as n4w
        warnings.simplefilter("ignore")
        writer = n4w.Workspace.open(sys.argv[1]).runs.get(sys.argv[2]).writer("wheat")
        row = {"result_id": sys.argv[3], "metric": "rmse", "partition": "val", "model_name": "PLS"}
        writer.write({**row, "val_score": 0.5, "fold_id": sys.argv[4]})
        writer.flush()
        if sys.argv[5] == "closed":
            writer.close()
        elif sys.argv[5] == "killed":
            os.kill(os.getpid(), 9)
    """
    with run:
        (result,) = run.plan([{"name": "one"}])
        for fold in range(3):
            arguments = [ws.path, run.id, result.id, str(fold), how]
            subprocess.run([sys.executable, "-c", textwrap.dedent(child), *arguments], check=False)
        with run.writer("wheat") as writer:
            writer.write(row(result, 2))
            writer.checkpoint(result)
    # The last fold was written again, as after a death.
    assert_paused(run, 2)


def test_rows_of_a_writer_that_is_open_are_warned_of(run):
    with run:
        (result,) = run.plan([{"name": "one"}])
        with run.writer("wheat") as first:
            first.write(row(result, 0))
            with run.writer("wheat") as second, pytest.warns(UserWarning, match=first.writer_id):
                second.checkpoint(result)
            with pytest.warns(UserWarning, match="never checkpointed"):
                first.close()
    assert_paused(run, 1)


@pytest.mark.filterwarnings("ignore:.* has rows of it too")
def test_a_result_that_each_fold_checkpoints_is_not_complete(ws, run):
    with run:
        (result,) = run.plan([{"name": "one"}])
        writers = [run.writer("wheat") for _ in range(3)]
        for fold, writer in enumerate(writers):
            writer.write(row(result, fold))
            writer.flush()
        for writer in writers:
            writer.checkpoint(result)
            writer.close()
    assert_paused(run, 2)
    assert ws.predictions.scan().collect().height == 1


def test_a_result_that_several_processes_checkpoint_is_not_complete(ws, run):
    child = """
        import sys, nirs4all_workspace as n4w
        with n4w.Workspace.open(sys.argv[1]).runs.get(sys.argv[2]).writer("wheat") as writer:
            writer.write({"result_id": sys.argv[3], "val_score": 0.5, "metric": "rmse"})
            writer.checkpoint({"id": sys.argv[3]})
    """
    with run:
        (result,) = run.plan([{"name": "one"}])
        for _ in range(2):
            command = [sys.executable, "-c", textwrap.dedent(child), ws.path, run.id, result.id]
            subprocess.run(command, check=True)
    assert_paused(run, 1)
    with run.resume():
        pass
    assert run.status == "completed"


def test_an_attempt_that_raised_and_was_made_again_is_no_loss(ws, run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with run:
            (result,) = run.plan([{"name": "one"}])
            with pytest.raises(ZeroDivisionError), run.writer("wheat") as writer:  # noqa: PT012
                writer.write(row(result, 0))
                writer.flush()
                raise ZeroDivisionError
            with run.writer("wheat") as writer:
                writer.write(row(result, 0))
                writer.checkpoint(result)
    assert run.status == "completed"
    assert ws.predictions.scan().collect().height == 1


def test_an_attempt_of_a_process_that_died_and_was_made_again_is_no_loss(ws, run):
    child = """
        import os, sys, nirs4all_workspace as n4w
        writer = n4w.Workspace.open(sys.argv[1]).runs.get(sys.argv[2]).writer("wheat")
        row = {"result_id": sys.argv[3], "metric": "rmse", "partition": "val", "model_name": "PLS"}
        writer.write({**row, "val_score": 0.5, "fold_id": "0"})
        writer.flush()
        os._exit(0)
    """
    with run:
        (result,) = run.plan([{"name": "one"}])
        subprocess.run([sys.executable, "-c", textwrap.dedent(child), ws.path, run.id, result.id], check=True)
        with run.writer("wheat") as writer:
            writer.write(row(result, 0))
            writer.checkpoint(result)
    assert run.status == "completed"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stauts": "failed"}, "did you mean 'status'"),
        ({"metrics": "rmse"}, "did you mean 'metric'"),
    ],
)
def test_fields_like_those_of_a_result_are_warned_of(ws, run, fields, said):
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        with pytest.warns(UserWarning, match=said):
            writer.checkpoint({**result.to_dict(), **fields})
    (stored,) = ws.results.list()
    assert stored.extra == fields


def test_other_fields_of_a_result_are_silent(ws, run):
    extra = {"alpha": 0.5, "n_components": 3, "scores": {}, "traceback": "none", "refit_score": 1.5}
    with run, run.writer("wheat") as writer, warnings.catch_warnings():
        warnings.simplefilter("error")
        (result,) = run.plan([{"name": "one"}])
        writer.checkpoint({**result.to_dict(), **extra})
    (stored,) = ws.results.list()
    assert stored.extra == extra


@pytest.mark.parametrize("status", [None, "failed"])
def test_a_result_with_an_error_failed(ws, run, status):
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        result.error, result.status = "no memory", status
        writer.checkpoint(result)
    (stored,) = ws.results.list()
    assert (stored.status, stored.error, run.status) == ("failed", "no memory", "failed")


def test_rows_without_a_metric_and_folds_written_twice_are_warned_of(run, caplog):
    with run, run.writer("wheat") as writer:
        one, two, three, four = run.plan([{"name": name} for name in "abcd"])
        writer.write({"result_id": one.id, "val_score": 0.5, "fold_id": "0", "partition": "val"})
        writer.checkpoint(one)
        assert ["no metric" in it.getMessage() for it in caplog.records if it.levelname == "WARNING"] == [
            True
        ]
        for fold in (0, 1):
            writer.write(row(two, fold))
        assert writer.checkpoint(two)["n_folds"] == 2
    with run.resume(), run.writer("wheat") as writer:
        for score in (0.5, 0.25):
            writer.write(row(three, 0, score))
        with pytest.warns(UserWarning, match="fold '0'"):
            assert writer.checkpoint(three)["n_folds"] == 2
        writer.write(row(four, 0))
        writer.write({**row(four, 1), "metric": None})
        writer.write({**row(four, 1), "metric": None, "partition": "train"})
        with pytest.warns(UserWarning, match="1 of its 3 rows"):
            assert writer.checkpoint(four)["n_folds"] == 1


def test_a_field_that_a_result_lacks_cannot_be_set(run):
    with run:
        (result,) = run.plan([{"name": "one"}])
        with pytest.raises(AttributeError, match="stauts"):
            result.stauts = "failed"
        run.transition("cancelled")


def test_configurations_that_differ_beside_their_steps_are_two(run):
    steps = [{"class": "PLS"}]
    with run:
        configs = [{"name": "a", "steps": steps, "n_components": n} for n in (1, 2)]
        assert len({result.config_id for result in run.plan(configs)}) == 2
        (other,) = run.plan([{"name": "a", "steps": steps, "n_components": 3}])
        assert other.config_id not in {result.config_id for result in run.plan(configs)}
        assert len(run.configs()) == 3
        run.transition("cancelled")


def test_dataclasses_are_told_apart_by_all_fields(run):
    @dataclasses.dataclass
    class Config:
        name: str
        n_components: int

    with run:
        assert len(run.plan([Config("a", 1), Config("a", 2), Config("a", 1)])) == 2
        run.transition("cancelled")


@pytest.mark.parametrize("key", [{"steps": [{"class": "PLS"}]}, {"config_id": "mine"}])
def test_equal_configurations_of_other_names_are_one_with_a_warning(run, key):
    with run:
        with pytest.warns(UserWarning, match=r"b \(as a\)"):
            (result,) = run.plan([{"name": "a", **key}, {"name": "b", **key}])
        assert result.config_name == "a"
        with pytest.warns(UserWarning, match=r"c \(as a\)"):
            (again,) = run.plan([{"name": "c", **key}])
        assert (again.id, again.config_name) == (result.id, "a")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run.plan([{"name": "a", **key}, {"name": "a", **key}])
        assert [it["name"] for it in run.configs()] == ["a"]
        run.transition("cancelled")


def test_equal_configurations_of_two_templates_are_two(ws):
    templates = [TEMPLATE, n4w.Template([{"class": "Ridge"}])]
    run = ws.runs.create("two", templates=templates, datasets=["wheat"])
    ids = [it["id"] for it in run.templates]
    with run, run.writer("wheat") as writer:
        planned = run.plan([{"config_id": "mine", "template_id": id_} for id_ in ids])
        assert len(planned) == 2
        for result in planned:
            writer.write(row(result, 0))
            writer.checkpoint(result)
    assert run.status == "completed"
    assert {it.template_id for it in ws.results.list()} == set(ids)


def test_a_run_that_was_opened_completed_says_where_writers_belong(ws):
    with ws.runs.open("a", templates=[TEMPLATE], datasets=["wheat"]) as run, run.writer("wheat") as writer:
        for result in run.plan([{"name": "one"}]):
            writer.write(row(result, 0))
            writer.checkpoint(result)
    with (
        ws.runs.open("a", templates=[TEMPLATE], datasets=["wheat"]) as run,
        pytest.raises(n4w.ConflictError, match="in the loop"),
    ):
        run.writer("wheat")


def test_the_metric_that_a_result_names_scores_it(run):
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        for fold in range(3):
            writer.write({**row(result, fold, 0.2), "metric": "rmse"})
            writer.write({**row(result, fold, 0.9), "metric": "r2"})
        result.metric = "rmse"
        stored = writer.checkpoint(result)
    assert (stored["metric"], stored["score"], stored["best_score"], stored["n_rows"]) == (
        "rmse",
        0.2,
        0.2,
        6,
    )


def test_a_stored_result_that_is_run_again_has_the_scores_of_its_new_rows(run):
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        writer.write(row(result, 0, 0.1))
        result.status = "failed"
        writer.checkpoint(result)
    (result,) = run.results()
    with run.resume(retry_failed=True), run.writer("wheat") as writer:
        for fold in (0, 1):
            writer.write(row(result, fold, 2.0))
        result.status = None
        writer.checkpoint(result)
    (result,) = run.results()
    assert (result.status, result.score, result.n_folds, result.n_rows) == ("done", 2.0, 2, 2)


def test_a_metric_that_is_registered_later_ranks_results_of_several_models(ws, run):
    metric = "of_several_models"
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        with pytest.warns(UserWarning, match="unknown"):
            writer.write({**row(result, 0, 2.0), "metric": metric, "model_name": "PLS"})
        writer.write({**row(result, 0, 3.0), "metric": metric, "model_name": "RF"})
        assert writer.checkpoint(result)["score"] is None
    n4w.register_metric(metric, "maximize")
    assert [(it.score, it.model_name) for it in ws.results.list()] == [(3.0, "RF")]
    assert [it["score"] for it in ws.predictions.top(per="result", metric=metric)] == [3.0]


def test_equal_folds_have_their_own_score_to_the_last_bit(run):
    with run, run.writer("wheat") as writer:
        planned = run.plan([{"name": metric} for metric in ("rmse", "mae", "r2", "accuracy")])
        for result in planned:
            for fold in range(50):
                writer.write(
                    {**row(result, fold, 0.9), "metric": result.config_name, "n_samples": 7 + fold % 2}
                )
            stored = writer.checkpoint(result)
            assert (stored["score"], stored["score_mean"], stored["score_std"]) == (0.9, 0.9, 0.0)


def test_a_ranking_by_a_metric_that_no_result_has_is_refused(ws, run):
    with run, run.writer("wheat") as writer:
        (result,) = run.plan([{"name": "one"}])
        writer.write(row(result, 0))
        writer.checkpoint(result)
    with pytest.raises(ValueError, match="rmse"):
        ws.predictions.top(per="result", metric="mae")
    assert len(ws.predictions.top(per="result", metric="rmse", dataset="corn")) == 0


def test_a_completed_run_says_that_another_configuration_is_planned(ws):
    for components in (2, 3):
        with ws.runs.open("a", templates=[TEMPLATE], datasets=["wheat"]) as run:
            config = {"config_id": "mine", "name": "one", "steps": [components]}
            if components == 3:
                with pytest.warns(UserWarning, match="mine|one"):
                    assert run.plan([config]) == []
                continue
            for result in run.plan([config]):
                with run.writer("wheat") as writer:
                    writer.write(row(result, 0))
                    writer.checkpoint(result)
