"""Means and deviations of scores of any magnitude are those of exact sums, in any order, split and form."""

import math
import random
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
import tiers
from agreement import check_summary, check_workspace, close
from hypothesis import example, given
from hypothesis import strategies as st
from nirs4all_workspace import SummaryAccumulator
from oracle import summarise
from strategies import frame

LIMIT = 2.0**960
BELOW = math.nextafter(LIMIT, 0.0)
SCORES = st.one_of(
    st.sampled_from(
        [LIMIT, -LIMIT, BELOW, -BELOW, 1e308, -1e308, 1e160, -1e160, 1.0, 2.0, 0.0, None, math.nan, math.inf]
    ),
    st.floats(-1e3, 1e3),
)
ROWS = st.lists(st.tuples(SCORES, SCORES, st.sampled_from(["A", "B", None])), min_size=1, max_size=14)


def rows_of(drawn):
    return [
        {"id": str(at), "val_score": val, "test_score": test, "model_name": model, "metric": "bias"}
        for at, (val, test, model) in enumerate(drawn)
    ]


def in_some_form(rows, order):
    """Rows in another order, in parts, each added in one way and merged, some of them through bytes."""
    rows = order.sample(rows, len(rows))
    made = SummaryAccumulator()
    while rows:
        size = order.randint(1, len(rows))
        part, rows = rows[:size], rows[size:]
        piece = SummaryAccumulator()
        if order.random() < 0.5:
            for row in part:
                piece.add(row)
        else:
            piece.add_batch(frame(part))
        if order.random() < 0.5:
            piece = SummaryAccumulator.from_bytes(piece.to_bytes())
        if order.random() < 0.3:
            piece.merge(made)
            made = piece
        else:
            made.merge(piece)
    return made


@given(ROWS, st.randoms(use_true_random=False))
@example([(1e308, None, "A"), (1e308, 1.0, "A"), (-1e308, 2.0, "A"), (-1e308, 2.0, "A")], random.Random(1))
@example([(BELOW, 1.0, "A")] * 9 + [(-BELOW, 1.0, "B")] * 5, random.Random(2))
def test_any_order_and_split(drawn, order):
    rows = rows_of(drawn)
    expected = summarise(frame(rows))
    for _ in range(3):
        check_summary(in_some_form(rows, order).summary(), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_each_value_decides(sign):
    def stats_of(*values):
        made = SummaryAccumulator()
        for value in values:
            made.add({"val_score": value, "metric": "rmse", "model_name": "m"})
        summary = made.summary()
        [model] = summary["facets"]["models"]
        stats = summary["stats"]["val_score"]
        assert model.get("overflow", False) == stats["overflow"]
        assert (model["avg_val_score"] is None) == (stats["mean"] is None)
        return stats["mean"], stats["std"], stats["overflow"]

    assert stats_of(sign * LIMIT) == (None, None, True)
    assert stats_of(sign * LIMIT, -sign * LIMIT) == (None, None, True)
    assert stats_of(sign * BELOW) == (sign * BELOW, None, False)
    # Their sum is beyond the limit, none of them is.
    assert stats_of(*[sign * BELOW] * 9) == (sign * BELOW, 0.0, False)
    # Infinities are no values of a mean.
    assert stats_of(math.inf, 1.0) == (1.0, None, False)


@given(st.lists(ROWS, min_size=1, max_size=3))
@tiers.costly()
def test_a_workspace_says_the_same_in_every_answer(parts):
    with tempfile.TemporaryDirectory() as folder:
        ws = n4w.Workspace.create(Path(folder) / "ws")
        run = ws.runs.create("r", datasets=["wheat"])
        run.transition("running")
        written = []
        for number, part in enumerate(parts):
            with run.writer("wheat") as writer:
                for row in rows_of(part):
                    row["created_at"] = "2026-01-16T08:27:29+00:00"
                    written.append(
                        row | {"id": f"{number}-{row['id']}", "run_id": run.id, "dataset_name": "wheat"}
                    )
                    writer.write(written[-1])
        check_workspace(ws.summary(), {"wheat": frame(written)})
        expected = summarise(frame(written))["by_metric"]["bias"]["models"]
        for entry in ws.stats()["model_performance"]:
            wanted = expected[entry["model"]]
            scale = max(
                (abs(row["val_score"]) for row in written if row["val_score"] not in (None, math.inf)),
                default=0.0,
            )
            assert close(entry["mean"], wanted["mean"], 1e-10, 0.0 if math.isnan(scale) else scale)
            assert entry.get("overflow", False) == wanted["overflow"]
        run.transition("completed")
        ws.predictions.compact()
        check_workspace(ws.summary(), {"wheat": frame(written)})
        assert not [it for it in ws.verify(full=True)["problems"] if it["kind"] != "run"]
        assert pl.DataFrame(written).height == ws.summary()["total_predictions"]
