"""Any result: refused by name, or the same for every reader, before and after its journal is sealed."""

import math

import nirs4all_workspace as n4w
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.model.result import NAMES as FIELDS

texts = st.text(st.characters(), max_size=8)  # lone surrogates too
numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**309]),
    st.floats(),
)
leaves = st.one_of(st.none(), st.booleans(), texts, numbers)
trees = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3))
)
# All but what the writer and its reader fill in or know by other means.
NAMES = [name for name in FIELDS if name not in ("id", "writer")]
fields = st.dictionaries(
    st.one_of(st.sampled_from(NAMES), texts.filter(lambda name: name not in ("id", "writer"))),
    trees,
    min_size=1,
    max_size=4,
)


def is_readable(value, depth=2):
    """Whether JSON readers give a value back, by the rules of format.md."""
    if isinstance(value, str):
        return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    if isinstance(value, dict):
        return depth <= 127 and all(is_readable(one, depth + 1) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return depth <= 127 and all(is_readable(one, depth + 1) for one in value)
    return isinstance(value, bool | float | None) or -(2**63) <= value < 2**64


def as_json(value):
    """The same value with the names of what JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    return n4w.Workspace.create(tmp_path_factory.mktemp("any") / "ws")


@given(fields, st.booleans())
def test_any_result_is_refused_by_name_or_comes_back(ws, given, dies):
    run = ws.runs.create("any", datasets=["wheat"])
    run.transition("running")
    writer = run.writer("wheat")
    writer.write({"id": "row", "result_id": "r", "metric": "rmse", "val_score": 1.0})
    try:
        writer.checkpoint({"id": "r", **given})
    except (TypeError, ValueError) as error:
        check_refusal(error, given)
        given = {}
        writer.checkpoint({"id": "r"})
    check(ws, run, given)
    if dies:
        writer._is_closed = True
        del writer
        assert ws.recover()["problems"] == []
    else:
        writer.close()
    check(ws, run, given)
    assert run.transition("completed") == "completed"
    assert ws.runs.list().errors == []
    ws.runs.delete(run.id)


def check_refusal(error, given):
    """It names the field, and that one is none that readers give back or that `Result` has."""
    str(error).encode()
    named = [name for name in given if f"[{name!r}]" in str(error)]
    assert named, error
    if isinstance(error, TypeError):
        assert set(named) & set(NAMES)
    else:
        assert not all(is_readable(name) and is_readable(given[name]) for name in named)


def check(ws, run, given):
    """Both readers of results say what was given."""
    of_run, listed = run.results(), ws.results.list(run=run.id)
    assert (of_run.errors, listed.errors, len(of_run), len(listed)) == ([], [], 1, 1)
    for result in (of_run[0].to_dict(), listed[0].to_dict()):
        for name, value in given.items():
            if value is None and name in NAMES:
                continue  # what the writer fills in
            if name in ("error", "traceback") and isinstance(value, str) and given.get("status") == "failed":
                value = value.encode("utf-8", "backslashreplace").decode()
            assert is_readable(name), name
            assert is_readable(value), name
            wanted, found = as_json(value), as_json(result[name])
            assert found == wanted, name
            assert repr(found) == repr(wanted) or found == 0 or isinstance(wanted, dict | list | int), name
