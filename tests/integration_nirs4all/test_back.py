"""Predictions of a workspace in nirs4all's own form: rows, rankings, plots and reports, and its own seam."""

import csv
import io
import itertools
import subprocess
import sys
import textwrap
from collections import Counter

import experiments
import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
import stored
from nirs4all_workspace.integrations.nirs4all import record, to_predictions, use_workspaces

ENGINES = ["dag-ml", "legacy"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Calls that nirs4all stored itself, and that were recorded: by name, its store and its run."""
    folder = tmp_path_factory.mktemp("lab")
    ws = n4w.Workspace.create(folder / "ws")
    calls = {f"generators, {engine}": ("generators", engine) for engine in ENGINES}
    calls |= {
        name: (name, "dag-ml") for name in ("several models", "branches", "search", "merged predictions")
    }
    calls |= {"classification": ("classification", "dag-ml")}
    for name, (capability, engine) in calls.items():
        steps, given = experiments.pipeline(capability), experiments.data(capability)
        result = experiments.one_call(steps, given, folder / name, engine=engine)
        record(result, ws, name=name, pipeline=steps, dataset={"wheat": given})
    return ws, folder, list(calls)


def own(folder):
    """What nirs4all's own store of a call gives back."""
    import nirs4all.pipeline.storage  # noqa: F401 - registers what opens it
    from nirs4all.data import Predictions

    return Predictions(folder)


def rows(predictions):
    return {row["id"]: row for row in predictions.filter_predictions(load_arrays=True)}


def ranking(predictions, n, **how):
    """Scores in order; and which rows they are of, but for those that tie with one that is left out."""
    found = predictions.top(n, **how)
    scores = [row["rank_score"] for row in found]
    whole = Counter(row["rank_score"] for row in predictions.top(1_000, **how))
    groups = Counter(scores)
    ids = {row["id"] for row in found if groups[row["rank_score"]] == whole[row["rank_score"]]}
    return scores, ids


def test_rows_are_those_of_nirs4alls_own_store(lab):
    ws, folder, names = lab
    for name in names:
        here, there = rows(to_predictions(ws, name)), rows(own(folder / name))
        assert here.keys() == there.keys(), name
        for id_, row in here.items():
            other = there[id_]
            for column in (
                "model_name",
                "fold_id",
                "partition",
                "metric",
                "task_type",
                "n_samples",
                "scores",
            ):
                assert row[column] == other[column], (name, column)
            for column in ("test_score", "train_score", "branch_name", "refit_context"):
                assert row[column] == other[column], (name, column)
            for role in ("y_true", "y_pred"):
                assert row[role].dtype == np.float64
                # nirs4all's own store makes (n, 1) of its legacy engine to (n,).
                assert row[role].shape in (other[role].shape, (*other[role].shape, 1))
                assert np.array_equal(row[role].reshape(other[role].shape), other[role]), (name, role)
            assert list(row["sample_indices"]) == list(other["sample_indices"])
            ids = other["metadata"].get("physical_sample_id")
            assert row["metadata"].get("physical_sample_id") == ids


def test_rankings_are_those_over_nirs4alls_own_store(lab):
    ws, folder, names = lab
    compared = 0
    for name in names:
        here, there = to_predictions(ws, name), own(folder / name)
        metrics = (
            ("", "balanced_accuracy", "accuracy") if name == "classification" else ("", "r2", "mae", "rmse")
        )
        groups = (None, "model_name", "config_name", ["dataset_name", "fold_id"])
        for metric, part, scope, group in itertools.product(
            metrics, ("val", "test"), ("all", "folds"), groups
        ):
            if name == "search" and group == "config_name":
                continue  # which is empty there, and filled in here
            how = {"rank_metric": metric, "rank_partition": part, "score_scope": scope}
            if group is None:
                assert ranking(here, 5, **how) == ranking(there, 5, **how), (name, how)
            scores = [
                Counter(
                    (row["rank_score"], row["fold_id"], row["model_name"])
                    for row in of.top(3, group_by=group, **how)
                )
                for of in (here, there)
            ]
            assert scores[0] == scores[1], (name, how, group)
            compared += bool(scores[0])
    assert compared > 200


@pytest.mark.parametrize("name", ["generators, dag-ml", "several models", "branches", "classification"])
def test_refits_rank_as_over_nirs4alls_own_store(lab, name):
    ws, folder, _ = lab
    for how in ({"score_scope": "refit"}, {"evaluation_scope": "sample"}, {"group_by_fold": True}):
        here, there = to_predictions(ws, name), own(folder / name)
        assert ranking(here, 4, **how) == ranking(there, 4, **how)
        assert ranking(here, 4, **how)[0]


def test_filters_and_runs(lab):
    ws, _, names = lab
    everything = to_predictions(ws.path)
    assert len(everything) == sum(run.count_rows() for run in ws.runs.list())
    run = next(run for run in ws.runs.list() if run.name == names[0])
    for named in (run, run.id, run.name):
        found = rows(to_predictions(ws, named, partition="val", fold="0"))
        expected = stored.rows_of(ws, run)
        assert found.keys() == {
            row["id"] for row in expected if (row["partition"], row["fold_id"]) == ("val", "0")
        }
        assert {row["run_id"] for row in found.values()} == {run.id}
    assert len(to_predictions(ws, dataset="nothing")) == 0
    with pytest.raises(n4w.NotFoundError):
        to_predictions(ws, "no such run")
    with pytest.raises((ValueError, TypeError), match="nonsense"):
        to_predictions(ws, nonsense=1)


def test_nulls_and_nan_arrive_as_such(ws):
    run = ws.runs.create("hand", [], [])
    score = {"val": {"rmse": float("nan"), "r2": float("-inf"), "mae": 1.5}}
    with run, run.writer("wheat") as writer:
        first = {"id": "a", "fold_id": "0", "partition": "val", "val_score": float("nan"), "scores": score}
        writer.write({**first, "result_id": "res_1"})
        second = {"id": "b", "model_name": "M", "weights": [0.5, 2.0], "y_pred": np.ones((2, 2))}
        writer.write({**second, "result_id": "res_1"})
        writer.checkpoint({"id": "res_1"})
    found = rows(to_predictions(ws))
    assert np.isnan(found["a"]["val_score"])
    assert np.isnan(found["a"]["scores"]["val"]["rmse"])
    assert (found["a"]["scores"]["val"]["r2"], found["a"]["scores"]["val"]["mae"]) == (float("-inf"), 1.5)
    assert (found["b"]["val_score"], found["b"]["metric"], found["b"]["n_samples"]) == (None, "", 0)
    assert list(found["b"]["weights"]) == [0.5, 2.0]
    assert found["b"]["y_pred"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert found["b"]["y_true"].size == 0


def test_rows_of_several_runs_with_one_id_stay_apart(ws):
    runs = [ws.runs.create("hand", [], []) for _ in range(2)]
    for number, run in enumerate(runs):
        with run, run.writer("wheat") as writer:
            of = {"result_id": f"res_{number}"}
            writer.write({"id": "same", "val_score": float(number), "y_pred": [float(number)], **of})
            writer.write({"id": f"own{number}", **of})
            writer.checkpoint({"id": f"res_{number}"})
    found = rows(to_predictions(ws))
    assert found.keys() == {"own0", "own1", *(f"{run.id}/same" for run in runs)}
    for number, run in enumerate(runs):
        assert found[f"{run.id}/same"]["y_pred"].tolist() == [float(number)]
        assert rows(to_predictions(ws, run)).keys() == {"same", f"own{number}"}


def test_a_folder_of_nirs4all_06(shared_copy):
    folder = shared_copy("nirs4all-0.6.2")
    found = rows(to_predictions(folder))
    whole = pl.concat([pl.read_parquet(path) for path in folder.glob("*.meta.parquet")], how="diagonal")
    assert found.keys() == set(whole["id"])
    values = {}
    for path in folder.glob("*.arrays.parquet"):
        values |= dict(pl.read_parquet(path, columns=["array_id", "array_data"]).iter_rows())
    for row in whole.iter_rows(named=True):
        here = found[row["id"]]
        assert (here["model_name"], here["val_score"]) == (row["model_name"], row["val_score"])
        assert here["y_pred"].ravel().tolist() == values.get(row["y_pred_id"], [])


def test_plots_and_reports_work(lab):
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt
    from nirs4all.visualization.predictions import PredictionAnalyzer
    from nirs4all.visualization.reports import TabReportManager

    ws, folder, _ = lab
    name = "generators, dag-ml"
    analyzer = PredictionAnalyzer(to_predictions(ws, name))
    axes = {"x_var": "model_name", "y_var": "config_name"}
    figures = [analyzer.plot_top_k(k=3), analyzer.plot_histogram(), analyzer.plot_heatmap(**axes)]
    figures.append(analyzer.plot_candlestick(variable="config_name"))
    assert all(figure.axes for figure in figures)
    plt.close("all")
    PredictionAnalyzer(to_predictions(ws, "classification")).plot_confusion_matrix(k=1)
    plt.close("all")
    reports = [
        TabReportManager.generate_best_score_tab_report(of.get_entry_partitions(of.get_best()))
        for of in (to_predictions(ws, name), own(folder / name))
    ]
    tables = [list(csv.DictReader(io.StringIO(text))) for _, text in reports]
    for row in (*tables[0], *tables[1]):
        row.pop("Nfeature", None)  # nirs4all's own store has 0
    assert tables[0] == tables[1]
    assert "RMSE" in tables[0][0]


# nirs4all's seam for stores


def test_paths_of_workspaces_are_read_while_they_are_in_use(lab):
    ws, folder, names = lab
    expected = to_predictions(ws)
    from nirs4all.data import Predictions

    with use_workspaces():
        found = Predictions(ws.path)
        assert Predictions.from_workspace(str(ws.path), dataset_name="nothing").num_predictions == 0
        assert len(Predictions(ws.path, load_arrays=False)) == len(expected)
        # Other paths go where they went.
        assert rows(Predictions(folder / names[0])).keys() == rows(to_predictions(ws, names[0])).keys()
    assert rows(found).keys() == rows(expected).keys()
    for id_, row in rows(found).items():
        other = rows(expected)[id_]
        for column in ("config_name", "model_name", "fold_id", "val_score", "step_idx", "chain_id", "scores"):
            assert row[column] == other[column], column
        assert np.array_equal(row["y_pred"], other["y_pred"])
        assert list(row["sample_indices"]) == list(other["sample_indices"])
    how = {"rank_metric": "rmse", "group_by": "config_name", "task_type": "regression"}
    assert ranking(found, 3, **how) == ranking(expected, 3, **how)


def test_nothing_is_written_to_a_workspace_that_is_read(lab):
    from nirs4all.data import Predictions

    ws, _, _ = lab
    to_predictions(ws)  # whose cache stays
    before = {path: path.read_bytes() for path in ws.path.rglob("*") if path.is_file()}
    with use_workspaces():
        Predictions(ws.path)
    assert {path: path.read_bytes() for path in ws.path.rglob("*") if path.is_file()} == before


class Another:
    """A backend of somebody else."""

    def __init__(self, path):
        raise LookupError(str(path))


def opened_by(path):
    """What opens a path: "workspace", "nirs4all" or "another"."""
    from nirs4all.data import Predictions

    try:
        Predictions(path)
    except LookupError:
        return "another"
    except FileExistsError:
        # The database that it made would make a store of the folder.
        for file in path.glob("store.sqlite*"):
            file.unlink()
        return "nirs4all"
    return "workspace"


@pytest.fixture
def unreadable_by_nirs4all(ws):
    """A workspace beside which nirs4all's own class cannot make its database."""
    run = ws.runs.create("hand", [], [])
    with run, run.writer("wheat") as writer:
        writer.write({"id": "a", "result_id": "res_1"})
        writer.checkpoint({"id": "res_1"})
    if (ws.path / "arrays").exists():
        (ws.path / "arrays").rmdir()
    (ws.path / "arrays").write_text("")
    return ws.path


def test_it_is_undone_in_any_order(unreadable_by_nirs4all):
    from nirs4all.data import Predictions
    from nirs4all.pipeline.storage import WorkspaceStore

    path = unreadable_by_nirs4all
    for order in itertools.permutations(range(3)):
        Predictions.register_store_backend(WorkspaceStore)
        uses = [use_workspaces() for _ in range(3)]
        for number in order:
            assert opened_by(path) == "workspace"
            uses[number].undo()
            uses[number].undo()
        assert opened_by(path) == "nirs4all"


def test_what_others_registered_stays(ws, tmp_path):
    from nirs4all.data import Predictions
    from nirs4all.pipeline.storage import WorkspaceStore

    try:
        Predictions.register_store_backend(Another)
        with use_workspaces() as use:
            assert (opened_by(ws.path), opened_by(tmp_path)) == ("workspace", "another")
        assert opened_by(ws.path) == "another"
        use = use_workspaces()
        Predictions.register_store_backend(Another)
        use.undo()
        assert opened_by(ws.path) == "another"
    finally:
        Predictions.register_store_backend(WorkspaceStore)


def test_a_folder_that_is_a_store_too_stays_one(lab, tmp_path):
    from nirs4all.data import Predictions

    ws, folder, names = lab
    both = n4w.Workspace.create(tmp_path / "both").path
    (both / "store.sqlite").write_bytes((folder / names[0] / "store.sqlite").read_bytes())
    with use_workspaces():
        found = Predictions(both, load_arrays=False)
    assert len(found) == len(to_predictions(ws, names[0]))


def test_importing_registers_nothing(tmp_path):
    code = f"""
        import nirs4all.pipeline.storage
        from nirs4all.data import Predictions
        import nirs4all_workspace as n4w
        from nirs4all_workspace.integrations.nirs4all import use_workspaces
        path = n4w.Workspace.create({str(tmp_path / "ws")!r}).path
        (path / "store.sqlite").mkdir()
        try:
            Predictions(path)
        except Exception as error:
            print(type(error).__name__)
        else:
            print("read")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "OperationalError"
