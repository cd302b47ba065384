"""Cursors that were taken before segments are sealed or merged: every row once, in the order of a model."""

import base64
import itertools
import json
import random

import nirs4all_workspace as n4w
import pytest
from writing import age

DATASET = "wheat"
WRITERS = 4
# What happens between two pages.
SEAL, MERGE, BOTH = ("seal",), ("merge",), ("seal", "merge")
SORTS = [
    {},
    {"sort_by": "id"},
    {"sort_by": "id", "descending": True},
    {"sort_by": "model_name"},
    {"sort_by": "model_name", "descending": True},
    {"sort_by": "fold_id"},
    {"sort_by": "val_score", "descending": True},
    {"sort_by": "number"},
    {"sort_by": "task_type"},
]


class Lab:
    """Rows of some writers in the order in which they were written, and what is done to their files."""

    def __init__(self, path, seed, kind, rows=6):
        rng = random.Random(seed)
        self.ws = n4w.Workspace.create(path)
        run_id = self.ws.runs.create("run").id
        self.open, self.rows = [], []
        number = itertools.count()
        for _ in range(WRITERS):
            writer = self.ws.predictions.writer(run_id, DATASET)
            for place in range(rows):
                self.rows.append(self.write(writer, next(number), place, rng, kind))
            writer.flush()
            self.open.append(writer)

    def write(self, writer, number, place, rng, kind):
        row = {
            # Those of another writer may be the same.
            "id": f"{rng.randrange(10**6):06}-{number}" if kind == "own" else f"id_{place}",
            "model_name": rng.choice(["pls", "svm", None]),
            "fold_id": str(rng.randrange(2)),
            "val_score": float(rng.randrange(3)),
            "metric": "rmse",
            "partition": "val",
            "task_type": "regression",
            "number": number % 3,
            "place": number,
        }
        writer.write(row)
        return row | {"writer": writer.writer_id}

    def seal(self):
        while self.open:
            self.open.pop().close()

    def merge(self):
        age(self.ws.path)
        self.ws.predictions.compact()
        age(self.ws.path)
        self.ws.recover()

    def in_order(self, sort_by="val_score", descending=False):
        """Values in their order, nulls last; then ids, then what each writer wrote, in its order."""
        rows = sorted(self.rows, key=lambda row: (row["id"], row["writer"], row["place"]))
        known = [row for row in rows if row[sort_by] is not None]
        known.sort(key=lambda row: row[sort_by], reverse=descending)
        known += [row for row in rows if row[sort_by] is None]
        return [row["place"] for row in known]


def walk(lab, limit, happens, sort):
    """All pages, with what happens after the one of each number."""
    found, cursor = [], None
    for number in range(10_000):
        page = lab.ws.predictions.page(limit=limit, columns=["place"], cursor=cursor, **sort)
        assert page.errors == []
        found += [row["place"] for row in page.records]
        for action in happens.get(number, ()):
            getattr(lab, action)()
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


@pytest.mark.parametrize("kind", ["own", "shared"])
@pytest.mark.parametrize("happens", [{0: BOTH}, {0: SEAL, 1: MERGE}, {1: BOTH}, {}], ids=str)
def test_every_row_once(tmp_path, kind, happens):
    for seed, sort in enumerate(SORTS):
        lab = Lab(tmp_path / str(seed), seed, kind)
        limit = 2 + seed % 5
        assert walk(lab, limit, happens, sort) == lab.in_order(**sort), (sort, limit)
        lab.seal()


def test_compactions_that_are_merged_again(tmp_path):
    lab = Lab(tmp_path / "ws", 1, "shared")
    held = lab.open[2:]
    del lab.open[2:]
    lab.seal()
    lab.open = held
    happens = {0: MERGE, 2: BOTH}
    sort = {"sort_by": "model_name"}
    assert walk(lab, 4, happens, sort) == lab.in_order(**sort)


def test_a_cursor_of_the_version_before_is_refused(tmp_path):
    lab = Lab(tmp_path / "ws", 3, "own")
    cursor = lab.ws.predictions.page(limit=1).next_cursor
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert parts[0] == 2
    old = base64.urlsafe_b64encode(json.dumps([1, *parts[1:]]).encode()).decode().rstrip("=")
    with pytest.raises(ValueError, match="another version"):
        lab.ws.predictions.page(limit=1, cursor=old)
    lab.seal()
