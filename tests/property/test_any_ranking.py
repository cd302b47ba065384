"""`top` against a plain sort of all rows: any k, score, direction and filter, with and without footers."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nirs4all_workspace as n4w
import oracle
import polars as pl
import pyarrow as pa
import pytest
from agreement import check_ranking
from hypothesis import given
from hypothesis import strategies as st
from samples import table, write
from strategies import FILTERS, SCORES, frame, rows

METRICS = ["rmse", "r2", "bias", "house_metric"]


def expected(frame, metric, score, direction, filters):
    """All candidates, best first, by the rules of the specification."""
    rows = oracle.normal(frame)
    if "dataset" in filters:
        rows = rows.filter(pl.col("dataset_name") == filters["dataset"])
    rows = rows.filter(pl.col("metric").fill_null("") == metric)
    for key, column in [("model", "model_name"), ("partition", "partition"), ("run", "run_id"),
                        ("fold", "fold_id"), ("task_type", "task_type")]:  # fmt: skip
        if key in filters:
            rows = rows.filter(pl.col(column) == filters[key])
    for key, value in filters.items():
        if key.startswith("min_"):
            rows = rows.filter((pl.col(key[4:]) >= value) & pl.col(key[4:]).is_not_nan())
        elif key.startswith("max_"):
            rows = rows.filter((pl.col(key[4:]) <= value) & pl.col(key[4:]).is_not_nan())
    if "preprocessings_contains" in filters:
        rows = rows.filter(
            pl.col("preprocessings").str.contains(filters["preprocessings_contains"], literal=True)
        )
    # What the metric has is judged by the rows that are asked for.
    score = score or (
        "val_score" if rows["val_score"].null_count() < len(rows) or rows.is_empty() else "test_score"
    )
    if "partition" not in filters and (rows["partition"] == "val").any():
        rows = rows.filter(pl.col("partition") == "val")
    return score, oracle.ranking(rows, direction, score, only_val=False)


def workspace(folder: Path, parts: list[pl.DataFrame], rebuilt: int) -> n4w.Workspace:
    """A file for each part; the first ones with a summary in their footer."""
    ws = n4w.Workspace.open(folder)
    for number, part in enumerate(parts):
        write(folder / f"{number}.meta.parquet", part.to_arrow())
        if number + 1 == rebuilt:
            assert ws.predictions.rebuild_summaries()["errors"] == []
    return ws


NAMED = st.lists(
    rows(max_size=12, metrics=st.sampled_from(METRICS)).map(
        lambda content: [{"id": "?"} | row for row in content]
    ),
    min_size=1,
    max_size=4,
)


@given(
    contents=NAMED,
    rebuilt=st.integers(0, 4),
    k=st.sampled_from([0, 1, 3, 10, 32, 33, 1_000]),
    metric=st.sampled_from(METRICS),
    score=st.sampled_from([None, None, "val_score", "test_score", "train_score"]),
    direction=st.sampled_from([None, None, "maximize", "minimize", "zero"]),
    filters=st.one_of(st.just({}), FILTERS),
)
def test_any_question(contents, rebuilt, k, metric, score, direction, filters):
    # Rows without a dataset belong to their file's name, which the plain sort does not know.
    parts = [
        frame([row | {"dataset_name": row.get("dataset_name") or "a"} for row in content])
        for content in contents
    ]
    known = direction or oracle.direction_of(metric)
    with TemporaryDirectory() as folder:
        ws = workspace(Path(folder), parts, rebuilt)
        if "run" in filters and not any(filters["run"] in part["run_id"] for part in parts):
            with pytest.raises(n4w.NotFoundError, match=f"there is no run '{filters['run']}'"):
                ws.predictions.top(k, metric, score, direction, distinct=False, **filters)
            return
        if known == "unknown":
            with pytest.raises(n4w.UnknownMetricError, match=metric):
                ws.predictions.top(k, metric, score, direction, distinct=False, **filters)
            return
        named = {row["metric"] for part in parts for row in part.to_dicts() if row["metric"]}
        if named and metric not in named:
            with pytest.raises(ValueError, match=f"'?{metric}.*there are {', '.join(sorted(named))}"):
                ws.predictions.top(k, metric, score, direction, distinct=False, **filters)
            return
        top = ws.predictions.top(k, metric, score, direction, distinct=False, **filters)
    wanted_score, wanted = expected(pl.concat(parts), metric, score, known, filters)
    assert top.errors == []
    assert (top.metric, top.direction) == (metric, known)
    if wanted:
        assert top.ranked_by == wanted_score
    check_ranking(list(top), wanted, wanted_score, k)


@given(st.lists(SCORES, min_size=1, max_size=200), st.integers(0, 250), st.booleans())
def test_any_k(scores, k, rebuilt):
    content = table(len(scores), val_score=pa.array(scores, pa.float64()), partition=["val"] * len(scores))
    plain = pl.from_arrow(content)
    with TemporaryDirectory() as folder:
        top = workspace(Path(folder), [plain], int(rebuilt)).predictions.top(k)
    ranked_by = "val_score" if any(score is not None for score in scores) else "test_score"
    check_ranking(list(top), oracle.ranking(oracle.normal(plain), "minimize", ranked_by), ranked_by, k)
