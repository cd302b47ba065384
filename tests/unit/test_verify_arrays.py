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
