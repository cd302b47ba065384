"""What verify says of arrays: of files that cannot be read, and of ids that rows name and no file has."""

import nirs4all_workspace as n4w
import polars as pl
import pytest

# Values that a writer warns of are what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:y_true and y_pred of a row:UserWarning")


@pytest.fixture
def workspace(tmp_path):
    ws = n4w.Workspace.create(tmp_path)
    for name in ("one", "two"):
        with ws.predictions.writer(ws.runs.create(name).id, "wheat") as writer:
            for number in range(6):
                writer.write({"id": f"{number}", "y_true": [number, 1.0], "y_pred": [float(len(name))]})
    return ws


def problems(ws, full=True):
    return [(item["path"], item["kind"]) for item in ws.verify(full)["problems"]]


def test_a_file_that_cannot_be_read_is_one_problem(workspace):
    path = sorted(workspace.path.glob("arrays/*/*"))[0]
    path.write_bytes(path.read_bytes()[:-20])
    name = path.relative_to(workspace.path).as_posix()
    segment = name.replace("arrays/", "predictions/").replace(".arrays.", ".meta.")
    assert problems(workspace, full=False) == [(name, "not_parquet")]
    assert problems(workspace) == [(name, "not_parquet"), (segment, "dangling")]


def test_more_arrays_than_are_held_at_a_time(workspace):
    """They take turns, by their hashes."""
    path = sorted(workspace.path.glob("arrays/*/*"))[0]
    ids = pl.read_parquet(path)["array_id"]
    many = pl.select(pl.format("array_{}", pl.int_range(8_100_000)).alias("array_id"))
    kept = pl.DataFrame({"array_id": ids.gather([0, 2, 3, 5])})
    pl.concat([many, kept]).write_parquet(path, statistics=False)
    assert workspace.verify()["problems"] == []
    (found,) = workspace.verify(full=True)["problems"]
    lost = set(ids) - set(kept["array_id"])
    assert found["message"].startswith(f"{len(lost)} of the arrays")


def with_spectra(ws, **ids):
    with ws.predictions.writer(ws.runs.create("spectra").id, "wheat") as writer:
        found = writer.write_arrays(
            pl.DataFrame(
                {
                    "array_data": [[0.5, 0.25, 1.0, 2.0], [3.0, 4.0]],
                    "array_shape": ["[2, 2]", "[2]"],
                    "array_type": ["X", "spectra"],
                },
                schema_overrides={"array_data": pl.List(pl.Float64)},
            )
        )
        row = {"id": "a", "X_id": found[0], "spectra_id": found[1]} | ids
        writer.write_batch(pl.DataFrame([row | {"val_score": 0.5}]))


def test_spectra_of_rows_are_arrays(workspace):
    with_spectra(workspace)
    row = workspace.predictions.get("a", arrays=True)
    assert row["X"].tolist() == [[0.5, 0.25], [1.0, 2.0]]
    assert row["spectra"].tolist() == [3.0, 4.0]
    assert row["y_true"] is None
    run = next(run.id for run in workspace.runs.list() if run.name == "one")
    assert {"X", "spectra"}.isdisjoint(workspace.predictions.get("3", run_id=run, arrays=True))
    stored = pl.read_parquet(workspace.path / "arrays/*/*")
    assert set(stored["array_type"]) == {"y_true", "y_pred", "X", "spectra"}
    assert problems(workspace) == []


@pytest.mark.parametrize("column", ["X_id", "spectra_id"])
def test_lost_spectra_are_a_problem(workspace, column):
    with_spectra(workspace, **{column: f"array_{0:024}"})
    assert [kind for _, kind in problems(workspace)] == ["dangling"]


def test_columns_of_these_names_for_something_else(workspace):
    with_spectra(workspace, X_id="my matrix", spectra_id="17")
    assert problems(workspace) == []
