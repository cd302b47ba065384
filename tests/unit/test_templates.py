"""Templates: named by content, stored once, given back as they were."""

import enum
import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import PurePosixPath

import nirs4all_workspace as n4w
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace._native import canonical_json
from nirs4all_workspace.values.canonical import plain


class SNV:
    """An estimator as scikit-learn's are."""

    def __init__(self, axis=1, inner=None):
        self.axis, self.inner = axis, inner

    def get_params(self, deep=True):
        params = {"axis": self.axis, "inner": self.inner}
        return params | {"inner__deep": 1} if deep else params


class Mean:
    def __init__(self):
        self.hidden = 1


class Kind(enum.Enum):
    FIRST = "first"


def window(x):
    return x


HERE = __name__
SNV_STEP = {"class": f"{HERE}.SNV", "params": {"axis": 1, "inner": None}}


# RFC 8785, section 3.2.2 and appendix B, and the tags for what it cannot write.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27]},
            '{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
        ),
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7},
            '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
        (
            [True, False, None, -0.0, 5e-324, -1.7976931348623157e308, 1e21, 1e20],
            "[true,false,null,0,5e-324,-1.7976931348623157e+308,1e+21,100000000000000000000]",
        ),
        ('\u20ac$\x0f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ([math.nan, math.inf, -math.inf], '["n4a:NaN","n4a:Infinity","n4a:-Infinity"]'),
        (
            [2**53 - 1, 2**53, -(2**64)],
            '[9007199254740991,"n4a:int:9007199254740992","n4a:int:-18446744073709551616"]',
        ),
        (["n4a:NaN", "n4a:text:", "n4"], '["n4a:text:n4a:NaN","n4a:text:n4a:text:","n4"]'),
    ],
)
def test_the_canonical_form(value, text):
    assert canonical_json(value) == text.encode()


def test_what_contains_itself_has_no_canonical_form():
    ring = []
    ring.append({"again": ring})
    with pytest.raises(ValueError, match="contains itself"):
        canonical_json(ring)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SNV(), SNV_STEP),
        (SNV, {"class": f"{HERE}.SNV"}),
        (SNV(inner=SNV()), SNV_STEP | {"params": {"axis": 1, "inner": SNV_STEP}}),
        (window, {"function": f"{HERE}.window"}),
        ((1, [2, {"a": (3,)}]), [1, [2, {"a": [3]}]]),
        (range(2), [0, 1]),
        (Kind.FIRST, "first"),
        (PurePosixPath("a/b"), "a/b"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.str_("a"), "a"),
        (np.bool_(True), True),
        (np.array(2), 2),
        (np.array([[1, 2]], dtype="int16"), {"array": [[1, 2]], "dtype": "int16"}),
    ],
)
def test_objects_become_plain_data(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found)


def itself():
    steps = []
    steps.append(steps)
    return steps


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([1, {"model": Mean()}], TypeError, r"steps\[1\]\['model'\].*Mean"),
        ([lambda x: x], TypeError, "lambda"),
        ([{1: "a"}], TypeError, r"steps\[0\].*\b1$"),
        ([{1, 2}], TypeError, "set"),
        ([b"a"], TypeError, "bytes"),
        ([np.zeros(10_001)], TypeError, "10001"),
        ([np.array([object()])], TypeError, "object"),
        (itself(), ValueError, "contains itself"),
        (["\ud800"], ValueError, r"steps\[0\].*ud800"),
    ],
)
def test_what_cannot_be_stored_is_named(ws, steps, error, message):
    with pytest.raises(error, match=message):
        ws.templates.add(n4w.Template(steps))
    assert ws.templates.list() == []


def test_the_id_is_the_blake3_of_the_canonical_form(ws):
    """The digits are the reference implementation's, of `[{"_or_":["SNV","MSC"]}]`."""
    assert ws.templates.add(n4w.Template([{"_or_": ["SNV", "MSC"]}])) == "tpl_4549f6102fd453f9"


def test_what_is_the_same_and_what_is_not():
    assert n4w.Template(()).id == n4w.Template([]).id
    assert n4w.Template([1]).id == n4w.Template([1.0]).id
    assert n4w.Template([1]).id != n4w.Template(["1"]).id
    assert n4w.Template([math.nan]).id != n4w.Template(["n4a:NaN"]).id
    assert n4w.Template([SNV]).id != n4w.Template([SNV()]).id


def test_only_the_list_makes_several(ws):
    """Nothing is inferred from nesting."""
    cases = {
        1: [[SNV(), SNV()]],
        2: [SNV, [1, 2, 3]],
    }
    for count, templates in cases.items():
        assert len(ws.runs.create("a", templates=templates).templates) == count
    branches = ws.runs.create("b", templates=[{"branch": [[SNV], [Kind.FIRST]]}])
    (reference,) = branches.templates
    assert ws.templates.get(reference["id"]).steps == {"branch": [[{"class": f"{HERE}.SNV"}], ["first"]]}


def test_content_is_stored_once_and_names_are_not_part_of_it(ws):
    first = ws.templates.add(n4w.Template([SNV(), {"_range_": [1, 10, 2]}], name="a"))
    path = ws.path / "templates" / f"{first}.yaml"
    content = path.read_bytes()
    assert ws.templates.add(n4w.Template((SNV_STEP, {"_range_": (1, 10, 2)}), name="b")) == first
    assert path.read_bytes() == content
    assert list(yaml.safe_load(content)) == ["schema_version", "id", "steps"]
    assert ws.templates.list() == [first]
    run = ws.runs.create("by id", templates=[first])
    assert run.templates[0]["id"] == first


def test_damage_is_found(ws):
    template = ws.templates.add(n4w.Template([1, 2]))
    path = ws.path / "templates" / f"{template}.yaml"
    path.write_bytes(path.read_bytes().replace(b"- 2", b"- 3"))
    with pytest.raises(n4w.CorruptFileError, match="steps"):
        ws.templates.get(template)
    assert [item["path"] for item in ws.verify()["problems"]] == [f"templates/{template}.yaml"]
    with pytest.raises(n4w.NotFoundError):
        ws.templates.get("tpl_0000000000000000")
    with pytest.raises(n4w.NotFoundError):
        ws.templates.get("../workspace")


def test_a_missing_template_is_a_problem(ws):
    run = ws.runs.create("a", templates=[[1]])
    ws.templates.path(run.templates[0]["id"]).unlink()
    (found,) = ws.verify()["problems"]
    assert (found["path"], found["kind"]) == (f"runs/{run.id}/templates.yaml", "dangling")


def test_only_old_templates_that_nothing_uses_are_garbage(ws):
    used = ws.runs.create("a", templates=[["used"]]).templates[0]["id"]
    old, fresh, asked = (ws.templates.add([name]) for name in ("old", "fresh", "asked again"))
    for template in (used, old, asked):
        os.utime(ws.templates.path(template), (0, 0))
    ws.templates.add(["asked again"])
    for yes in (False, True):
        assert [item["path"] for item in ws.gc(yes=yes)["items"]] == [f"templates/{old}.yaml"]
    assert ws.templates.list() == sorted([used, fresh, asked])


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(a, b):
    """Equal, with NaN equal to NaN and types that agree."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(TREES)
def test_whatever_is_stored_comes_back(tmp_path_factory, steps):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("trees") / "ws")
    template = ws.templates.add(n4w.Template(steps))
    assert same(ws.templates.get(template).steps, steps)
    assert template == n4w.Template(steps).id


def test_ids_agree_between_processes():
    code = "import nirs4all_workspace as n; print(n.Template([{'b': 1, 'a': 0.1}, '\\u00e9']).id)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == n4w.Template([{"a": 0.1, "b": 1}, "é"]).id
    assert (
        hashlib.sha256(canonical_json([{"b": 1, "a": 0.1}])).digest()
        == hashlib.sha256(b'[{"a":0.1,"b":1}]').digest()
    )
