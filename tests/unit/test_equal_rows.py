"""`top` shows rows that are equal once, with their number; all other answers have every row."""

import json

import nirs4all_workspace as n4w
import polars as pl
import pytest

# What equal rows are equal in, in a folder of nirs4all 0.6.
EQUAL = (
    "dataset_name", "model_name", "step_idx", "branch_id", "fold_id", "partition", "metric", "val_score",
    "test_score", "train_score", "scores",
)  # fmt: skip


def frame_of(count, **columns):
    base = {
        "id": [f"{row:04d}" for row in range(count)],
        "dataset_name": ["wheat"] * count,
        "config_path": [f"wheat/{row:04d}_my_name_00aa{row % 2}f" for row in range(count)],
        "config_name": [f"{row:04d}_my_name_00aa{row % 2}f" for row in range(count)],
        "model_name": ["PLS"] * count,
        "step_idx": [3] * count,
        "branch_id": [None] * count,
        "fold_id": ["0"] * count,
        "partition": ["val"] * count,
        "metric": ["rmse"] * count,
        "val_score": [0.5] * count,
        "test_score": [0.25] * count,
        "train_score": [0.125] * count,
        "scores": ['{"val": {"r2": 0.5}}'] * count,
    }
    kinds = {"branch_id": pl.Int64, "test_score": pl.Float64}
    return pl.DataFrame(base | columns, schema_overrides=kinds)


def workspace_of(folder, *frames, rebuilt=False):
    for number, frame in enumerate(frames):
        frame.write_parquet(folder / f"{number}.meta.parquet", row_group_size=7)
    ws = n4w.Workspace.open(folder)
    if rebuilt:
        ws.predictions.rebuild_summaries()
    return ws


def groups_of(rows, value=lambda row: row["val_score"]):
    """Return the first id of each group of equal rows and their number, best first."""
    groups = {}
    for row in sorted(rows, key=lambda row: (value(row), row["id"])):
        key = (repr([row[name] for name in EQUAL]), row["config_path"].rsplit("_", 1)[1])
        groups.setdefault(key, []).append(row["id"])
    return [(ids[0], len(ids)) for ids in groups.values()]


@pytest.mark.parametrize("rebuilt", [False, True])
@pytest.mark.parametrize("k", [1, 2, 5, 32, 40, 500])
def test_equal_rows_are_one_entry(tmp_path, k, rebuilt):
    scores = [(row % 23) / 8 for row in range(100)]
    frames = [frame_of(100, val_score=scores), frame_of(30, id=[f"x{row}" for row in range(30)])]
    ws = workspace_of(tmp_path, *frames, rebuilt=rebuilt)
    rows = [row for frame in frames for row in frame.to_dicts()]
    expected = groups_of(rows)
    assert len(expected) < len(rows) / 2
    assert [(row["id"], row["n_equal"]) for row in ws.predictions.top(k)] == expected[:k]
    every = ws.predictions.top(k, distinct=False)
    ids = [row["id"] for row in sorted(rows, key=lambda row: (row["val_score"], row["id"]))]
    assert [(row["id"], row["n_equal"]) for row in every] == [(id_, 1) for id_ in ids[:k]]
    assert ws.predictions.page(limit=0).total == 130 == ws.predictions.scan().collect().height
    assert ws.summary()["total_predictions"] == 130


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("dataset_name", "corn"),
        ("config_path", "wheat/0001_my_name_bbbbbb"),
        ("model_name", "SVR"),
        ("step_idx", 4),
        ("branch_id", 0),
        ("fold_id", "1"),
        ("partition", "test"),
        ("metric", "mae"),
        ("val_score", 0.5000000000000001),
        ("test_score", None),
        ("train_score", 0.12500000000000003),
        ("scores", '{"val": {"r2": 0.25}}'),
    ],
)
@pytest.mark.parametrize("rebuilt", [False, True])
def test_rows_that_differ_in_one_thing_are_two(tmp_path, name, other, rebuilt):
    same = frame_of(2, config_path=["wheat/0001_my_name_aaaaaa", "wheat/0007_x_aaaaaa"])
    one = pl.Series(name, [same[name][0], other], dtype=same.schema[name])
    ws = workspace_of(tmp_path, same.with_columns(one), rebuilt=rebuilt)
    found = [ws.predictions.top(metric="rmse", fold=fold, **arguments) for fold, arguments in QUESTIONS]
    assert {row["n_equal"] for ranking in found for row in ranking} == {1}
    assert ws.predictions.page(limit=0).total == 2
    changed = same.with_columns(pl.Series("id", ["a", "b"]), created_at=pl.lit("2026-01-01"))
    (tmp_path / "0.meta.parquet").unlink()
    ws = workspace_of(tmp_path, changed, rebuilt=rebuilt)
    assert [(row["id"], row["n_equal"]) for row in ws.predictions.top()] == [("a", 2)]


QUESTIONS = [(None, {}), (None, {"partition": "val"}), (None, {"min_val_score": 0.0})]


def test_minus_zero_and_nan_are_told_by_their_bits(tmp_path):
    content = frame_of(
        4, val_score=[0.0, -0.0, 0.0, -0.0], test_score=[float("nan")] * 4, metric=["bias"] * 4
    )
    content = content.with_columns(config_path=pl.lit("wheat/0001_a_aaaaaa"))
    found = [(row["id"], row["n_equal"]) for row in workspace_of(tmp_path, content).predictions.top()]
    assert found == [("0000", 2), ("0001", 2)]


@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_row_beyond_those_that_footers_have_counts(tmp_path, rebuilt):
    content = frame_of(33, model_name=[f"m{min(row, 31):02d}" for row in range(33)])
    content = content.with_columns(config_path=pl.lit("wheat/0001_a_aaaaaa"))
    top = workspace_of(tmp_path, content, rebuilt=rebuilt).predictions.top(32)
    assert [row["n_equal"] for row in top] == [1] * 31 + [2]


def test_many_ties_are_counted_to_the_end(tmp_path):
    count = 12_000
    content = frame_of(count, model_name=[f"m{row % 3}" for row in range(count)])
    content = content.with_columns(config_path=pl.lit("wheat/0001_a_aaaaaa"))
    content.write_parquet(tmp_path / "0.meta.parquet", row_group_size=1000)
    top = n4w.Workspace.open(tmp_path).predictions.top(2)
    assert [(row["id"], row["n_equal"]) for row in top] == [("0000", count // 3), ("0001", count // 3)]


def test_equal_rows_of_metrics_in_scores(tmp_path):
    content = frame_of(12, scores=[json.dumps({"val": {"r2": row % 3}}) for row in range(12)])
    ws = workspace_of(tmp_path, content.with_columns(config_path=pl.lit("wheat/0001_a_aaaaaa")))
    found = [(row["id"], row["val_score"], row["n_equal"]) for row in ws.predictions.top(metric="r2")]
    assert found == [("0002", 2.0, 4), ("0001", 1.0, 4), ("0000", 0.0, 4)]


def test_the_configuration_of_a_result_tells(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "new")
    (tmp_path / "wheat.csv").write_text("1;2\n3;4\n")
    dataset = ws.datasets.register(tmp_path / "wheat.csv", name="wheat")
    template = n4w.Template([{"_or_": ["a", "b"]}], name="t")
    configs = [{"name": "one", "generator_choices": "a"}, {"name": "two", "generator_choices": "b"}]
    for name in ("first", "again"):
        with (
            ws.runs.create(name, templates=[template], datasets=[dataset]) as run,
            run.writer("wheat") as writer,
        ):
            for result in run.plan(configs):
                row = {"id": f"{name}-{result.config_name}", "result_id": result.id, "metric": "rmse"}
                writer.write(
                    row | {"partition": "val", "val_score": 0.5, "model_name": "PLS", "fold_id": "0"}
                )
                writer.checkpoint(result)
    found = {row["id"]: row["n_equal"] for row in ws.predictions.top()}
    assert found == {"again-one": 2, "again-two": 2}
    assert len(ws.predictions.top(distinct=False)) == 4


def test_footers_alone_answer_where_no_two_rows_can_be_equal(tmp_path):
    content = frame_of(200, val_score=[row / 8 for row in range(200)])
    ws = workspace_of(tmp_path, content, rebuilt=True)
    assert ws.predictions.top(10).files_read == 0
    assert ws.predictions.top(32, distinct=False).files_read == 0
    assert [row["id"] for row in ws.predictions.top(32)] == [f"{row:04d}" for row in range(32)]
