"""What pipelines are made of, stored as a template and given back: generators, branches, estimators."""

import functools
import math

import nirs4all_workspace as n4w
import numpy as np
import pytest
import yaml


class SNV:
    """As scikit-learn's estimators are: its parameters are those of its constructor."""

    def __init__(self, axis=1, window=None):
        self.axis, self.window = axis, window

    def get_params(self, deep=True):  # noqa: ARG002
        return {"axis": self.axis, "window": self.window}


class PLS:
    def __init__(self, n_components=2, scale=True):
        self.n_components, self.scale = n_components, scale

    def get_params(self, deep=True):  # noqa: ARG002
        return {"n_components": self.n_components, "scale": self.scale}


class Pipeline:
    """Holds named estimators, and shows theirs as its own where it is asked for all."""

    def __init__(self, steps):
        self.steps = steps

    def get_params(self, deep=True):
        params = {"steps": self.steps}
        if deep:
            for name, step in self.steps:
                params[name] = step
                params |= {f"{name}__{key}": value for key, value in step.get_params().items()}
        return params


class Shallow:
    """An estimator of another library, whose `get_params` takes no argument."""

    def __init__(self, depth):
        self.depth = depth

    def get_params(self):
        return {"depth": self.depth}


def first_derivative(spectra):
    return np.diff(spectra)


HERE = __name__
SNV_1 = {"class": f"{HERE}.SNV", "params": {"axis": 1, "window": None}}
PLS_2 = {"class": f"{HERE}.PLS", "params": {"n_components": 2, "scale": True}}

CASES = {
    "_or_ of instances, classes and None": (
        [{"_or_": [SNV(), SNV, None, first_derivative]}, {"model": PLS()}],
        [
            {"_or_": [SNV_1, {"class": f"{HERE}.SNV"}, None, {"function": f"{HERE}.first_derivative"}]},
            {"model": PLS_2},
        ],
    ),
    "_or_ with how many and how": (
        [{"_or_": ["SNV", "MSC", "D1"], "pick": (1, 2), "count": np.int64(4)}],
        [{"_or_": ["SNV", "MSC", "D1"], "pick": [1, 2], "count": 4}],
    ),
    "_range_ as list, tuple, range and mapping": (
        [
            {"_range_": [1, 10, 2], "param": "n_components", "model": PLS},
            {"_range_": (1, 10)},
            {"_range_": range(1, 10, 4)},
            {"_range_": {"from": 1, "to": np.float64(2.5), "step": 0.5}},
        ],
        [
            {"_range_": [1, 10, 2], "param": "n_components", "model": {"class": f"{HERE}.PLS"}},
            {"_range_": [1, 10]},
            {"_range_": [1, 5, 9]},
            {"_range_": {"from": 1, "to": 2.5, "step": 0.5}},
        ],
    ),
    "_log_range_": (
        [{"_log_range_": (1e-6, 1e6, 13), "param": "alpha"}],
        [{"_log_range_": [1e-6, 1e6, 13], "param": "alpha"}],
    ),
    "_grid_": (
        [{"_grid_": {"n_components": [2, 5], "scale": (True, False), "window": np.array([5, 7])}}],
        [
            {
                "_grid_": {
                    "n_components": [2, 5],
                    "scale": [True, False],
                    "window": {"array": [5, 7], "dtype": "int64"},
                }
            }
        ],
    ),
    "generators in generators": (
        [{"_or_": [{"_range_": (1, 3)}, {"_grid_": {"a": [{"_or_": [SNV(axis=0), None]}]}}]}],
        [
            {
                "_or_": [
                    {"_range_": [1, 3]},
                    {"_grid_": {"a": [{"_or_": [SNV_1 | {"params": {"axis": 0, "window": None}}, None]}]}},
                ]
            }
        ],
    ),
    "branches in branches": (
        [{"branch": [[SNV(), {"branch": {"a": [SNV], "b": ()}}], []]}, {"merge": "predictions"}],
        [
            {"branch": [[SNV_1, {"branch": {"a": [{"class": f"{HERE}.SNV"}], "b": []}}], []]},
            {"merge": "predictions"},
        ],
    ),
    "estimators in estimators": (
        [Pipeline([("snv", SNV()), ("inner", Pipeline([("pls", PLS())]))])],
        [
            {
                "class": f"{HERE}.Pipeline",
                "params": {
                    "steps": [
                        ["snv", SNV_1],
                        ["inner", {"class": f"{HERE}.Pipeline", "params": {"steps": [["pls", PLS_2]]}}],
                    ]
                },
            }
        ],
    ),
    "parameters of any kind": (
        [
            SNV(axis=np.int32(-1), window=np.array([[0.5, math.nan], [math.inf, 1.0]])),
            Shallow(np.bool_(True)),
        ],
        [
            {
                "class": f"{HERE}.SNV",
                "params": {
                    "axis": -1,
                    "window": {"array": [[0.5, math.nan], [math.inf, 1.0]], "dtype": "float64"},
                },
            },
            {"class": f"{HERE}.Shallow", "params": {"depth": True}},
        ],
    ),
    "classes and functions of libraries": (
        [np.ndarray, len, math.sqrt, functools.reduce],
        [
            {"class": "numpy.ndarray"},
            {"function": "builtins.len"},
            {"function": "math.sqrt"},
            {"function": "_functools.reduce"},
        ],
    ),
    "scalars and arrays of numpy": (
        [np.float32(0.1), np.uint8(7), np.array("text"), np.array([True]), np.array([], dtype="float32")],
        [
            float(np.float32(0.1)),
            7,
            "text",
            {"array": [True], "dtype": "bool"},
            {"array": [], "dtype": "float32"},
        ],
    ),
    "nothing": ([], []),
    "texts that look like numbers and dates": (
        ["1", "1.5", "yes", "null", "2026-11-24", "1:30", "~", "", " a ", "é\n"],
        ["1", "1.5", "yes", "null", "2026-11-24", "1:30", "~", "", " a ", "é\n"],
    ),
}


def same(found, expected):
    """Equal, with NaN equal to NaN and types that agree."""
    if isinstance(found, float) and isinstance(expected, float) and math.isnan(expected):
        return math.isnan(found)
    if type(found) is not type(expected):
        return False
    if isinstance(found, dict):
        return list(found) == list(expected) and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return found == expected


@pytest.mark.parametrize("name", CASES)
def test_steps_come_back_as_plain_data(tmp_path, name):
    steps, expected = CASES[name]
    ws = n4w.Workspace.create(tmp_path / "ws")
    template_id = ws.templates.add(n4w.Template(steps, name=name))
    assert same(ws.templates.get(template_id).steps, expected)
    # What came back is the same template, and so is what any other YAML reader finds in the file.
    assert ws.templates.add(ws.templates.get(template_id)) == template_id
    stored = yaml.safe_load((ws.path / "templates" / f"{template_id}.yaml").read_text(encoding="utf-8"))
    assert same(stored["steps"], expected)
    # A run that names it by id has the same one.
    run = ws.runs.create("run", templates=[template_id])
    assert [reference["id"] for reference in run.templates] == [template_id]


def test_order_of_keys_is_no_content_and_order_of_choices_is():
    one = n4w.Template([{"_or_": ["SNV", "MSC"], "count": 1}]).id
    assert n4w.Template([{"count": 1, "_or_": ["SNV", "MSC"]}]).id == one
    assert n4w.Template([{"_or_": ["MSC", "SNV"], "count": 1}]).id != one


def test_what_differs_in_a_parameter_is_another_template():
    ids = {
        n4w.Template([step]).id
        for step in (PLS(), PLS(3), PLS(scale=False), PLS, SNV(), SNV(window=0), SNV(window=False))
    }
    assert len(ids) == 7


@pytest.fixture
def three(tmp_path):
    """Three runs: of templates a and b, of b and c, and of b alone; and a template that nobody uses."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    a, b, c, lone = (n4w.Template([name], name=f"name of {name}") for name in "abcd")
    runs = [ws.runs.create("run", templates=templates) for templates in ([a, b], [b, c], [b])]
    ws.templates.add(lone)
    return ws, runs, {name: template.id for name, template in zip("abcd", (a, b, c, lone), strict=True)}


def test_runs_compared_by_templates_are_sets(three):
    ws, (one, two, lone), ids = three
    assert ws.templates.compare(one.id, two.id) == {
        "shared": [ids["b"]],
        "union": sorted([ids["a"], ids["b"], ids["c"]]),
        "only": {one.id: [ids["a"]], two.id: [ids["c"]]},
    }
    answer = ws.templates.compare(lone.id, two.id, one.id)
    assert answer["shared"] == [ids["b"]]
    assert answer["only"] == {lone.id: [], two.id: [ids["c"]], one.id: [ids["a"]]}
    for runs in ((), (one.id,), (one.id, one.id)):
        with pytest.raises(ValueError, match="two or more"):
            ws.templates.compare(*runs)
    with pytest.raises(n4w.NotFoundError, match="nobody"):
        ws.templates.compare(one.id, "nobody")


def test_templates_are_listed_with_who_uses_them(three):
    ws, (one, two, lone), ids = three
    ws.templates.path(ids["c"]).unlink()
    expected = {
        ids["a"]: ([one.id], ["name of a"], True),
        ids["b"]: ([one.id, two.id, lone.id], ["name of b"], True),
        ids["c"]: ([two.id], ["name of c"], False),
        ids["d"]: ([], [], True),
    }
    listed = ws.templates.usage()
    assert [it["id"] for it in listed] == sorted(expected)
    assert {it["id"]: (it["runs"], it["names"], it["is_stored"]) for it in listed} == expected
    assert all(it["n_runs"] == len(it["runs"]) for it in listed)
    assert ws.templates.runs_using(ids["b"]) == [one.id, two.id, lone.id]
    assert ws.templates.runs_using(ids["d"]) == []


def test_sessions_of_nirs4all_06_use_templates_too(shared):
    ws = n4w.Workspace.open(shared("nirs4all-0.6.2"))
    sessions = ws.runs.list()
    used = [session.templates[0]["id"] for session in sessions]
    assert {it["id"]: it["is_stored"] for it in ws.templates.usage()} == dict.fromkeys(used, False)
    # The last two calls were the same pipeline.
    first, second, third = (session.id for session in sessions)
    assert ws.templates.compare(second, third)["shared"] == [used[1]]
    assert ws.templates.compare(first, third)["shared"] == []
    assert ws.templates.runs_using(used[1]) == [second, third]
