"""Workspaces that are given values, and what they have of them."""

import datetime as dt

import nirs4all_workspace as n4w
import pytest

BIG = 2**53 + 1


def stored(ws, run, rows):
    """Rows by id after a writer took or refused each; the types of errors of those that it refused."""
    refused = {}
    with run.writer("wheat") as writer:
        for id_, row in rows.items():
            try:
                writer.write({"id": id_, **row})
            except (TypeError, ValueError) as error:
                refused[id_] = error
    found = {}
    for id_ in rows:
        if id_ not in refused:
            found[id_] = ws.predictions.get(id_, arrays=True)
        else:
            with pytest.raises(n4w.NotFoundError):
                ws.predictions.get(id_)
    assert ws.verify(full=True)["problems"] == []
    return found, refused


UTC = dt.UTC
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
