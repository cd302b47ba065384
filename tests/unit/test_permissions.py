"""From a template that is plain data only classes of packages that are allowed are made."""

import importlib
import json
import os
import subprocess
import sys
import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.integrations.nirs4all import permissions
from nirs4all_workspace.integrations.nirs4all.permissions import NotAllowedError, check

PLS = "sklearn.cross_decomposition.PLSRegression"
SNV = "nirs4all.operators.transforms.scalers.StandardNormalVariate"

# What nirs4all 1.4.10 imports, calls or unpickles: each was found in its source.
HOSTILE_NAMES = [
    "subprocess.Popen",
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "importlib.import_module",
    "ctypes.CDLL",
    "joblib.load",
    "numpy.load",
    "numpy.arrays",
    "antigravity.fly",
    "antigravity.1",
    "this.s",
    "sklearnx.linear_model.Ridge",
    "sklearn_evil.Ridge",
    "xsklearn.Ridge",
    "nirs4all_workspace.workspace.Workspace",
    "nirs4all_evil.operators.X",
    "nirs4all.operatorsevil.X",
    "Sklearn.linear_model.Ridge",
    "nirs4all.run",
    "nirs4all.import_module",
    "nirs4all.pipeline.storage.artifacts.artifact_persistence.from_bytes",
    "nirs4all.pipeline.dagml.framework_estimator.DagMLFrameworkEstimator",
    "sklearn.base.__builtins__",
    "sklearn.__loader__.load_module",
    "\uff4f\uff53.system",
    "n4mevil.PLS",
]
HOSTILE_FILES = [
    "model.pkl",
    "models/pls.joblib",
    "C:\\models\\net.keras",
    "net.PT",
    "a/b.h5",
    "x.ckpt",
    "best.n4a",
    "x.pickle ",
    "net.pth",
    "x.hdf5",
]
# Where a text may stand.
FORMS = {
    "step": lambda it: [it],
    "class": lambda it: [{"class": it}],
    "class with params": lambda it: [{"class": it, "params": {"args": ["id"]}}],
    "function": lambda it: [{"function": it, "args": ["id"]}],
    "instance": lambda it: [{"instance": it}],
    "module": lambda it: [{"module": it}],
    "object": lambda it: [{"object": it}],
    "model": lambda it: [{"model": it}],
    "model class": lambda it: [{"model": {"class": it}}],
    "model function": lambda it: [{"model": {"function": it, "framework": "pytorch"}}],
    "model import": lambda it: [{"model": {"import": it}}],
    "model func": lambda it: [{"model": {"type": "function", "func": it, "framework": "jax"}}],
    "model instance": lambda it: [{"model": {"model_instance": it}}],
    "preprocessing": lambda it: [{"preprocessing": it}, {"model": PLS}],
    "y processing": lambda it: [{"y_processing": [it]}],
    "parameter": lambda it: [{"model": {"class": PLS, "params": {"n_components": it}}}],
    "callable parameter": lambda it: [{"class": "sklearn.preprocessing.X", "params": {"func": it}}],
    "stack": lambda it: [
        {"model": {"class": "sklearn.ensemble.StackingRegressor", "params": {"estimators": [["a", it]]}}}
    ],
    "enumeration": lambda it: [{"class": PLS, "params": {"mode": {"enum": it, "value": 1}}}],
    "or": lambda it: [{"_or_": [SNV, it]}],
    "or of a model": lambda it: [{"model": {"_or_": [PLS, it]}}],
    "nested generators": lambda it: [{"_cartesian_": [{"_or_": [SNV, None]}, {"_or_": [[SNV, it]]}]}],
    "chain": lambda it: [{"_chain_": [{"model": PLS}, {"model": it}]}],
    "grid": lambda it: [{"class": PLS, "params": {"_grid_": {"scale": [True, it]}}}],
    "branch": lambda it: [{"branch": {"a": [SNV], "b": [{"model": it}]}}],
    "branch list": lambda it: [{"branch": [[SNV], [it]]}],
    "steps of a branch": lambda it: [{"branch": {"by_tag": "x", "steps": {True: [it], False: [SNV]}}}],
    "augmentation": lambda it: [{"sample_augmentation": {"transformers": [{"class": it}], "count": 2}}],
    "concat": lambda it: [{"concat_transform": {"operations": [{"class": it}, None]}}],
    "parameters apart": lambda it: [{"model": it, "model_params": {"a": 1}}],
    "tuning": lambda it: [{"model": PLS, "finetune_params": {"model_params": {"x": [1, it]}, "sampler": it}}],
    "training": lambda it: [{"model": PLS, "train_params": {"optimizer": {"class": it}}}],
    "a key of its own": lambda it: [{"whatever": {"deep": [[[{"er": it}]]]}}],
    "a mapping": lambda it: {"pipeline": [{"model": it}]},
    "a tuple": lambda it: [({"model": it},)],
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_allowed_is_refused_wherever_it_stands(form):
    for name in HOSTILE_NAMES + HOSTILE_FILES:
        if form == "enumeration" and name.startswith("nirs4all."):
            continue  # whether it is one shows where nirs4all is installed
        with pytest.raises(NotAllowedError, match="template"):
            check(FORMS[form](name))
        with pytest.raises(NotAllowedError):
            check(yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(FORMS[form](name), skipkeys=True)))))


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"enumeration"}))
def test_what_is_allowed_passes_wherever_it_stands(form):
    for name in (PLS, SNV, "n4m.PLS", "n4m:pls", "pls4all.sklearn.Ridge"):
        check(FORMS[form](name))
    check(FORMS[form]("friendly.models.Net"), ["friendly"])
    check(FORMS[form]("friendly.models.Net"), ["other", "friendly.models"])


def test_popen_is_refused_with_its_place_and_what_would_allow_it():
    template = [SNV, {"class": "subprocess.Popen", "params": {"args": ["touch", "/tmp/x"]}}]
    with pytest.raises(NotAllowedError) as caught:
        check(template, where="templates[0]")
    for text in ("templates[0][1].class", "subprocess.Popen", "--allow-package subprocess"):
        assert text in str(caught.value)


def test_nothing_is_imported_before_it_is_refused(tmp_path):
    (tmp_path / "loud.py").write_text("print('imported')\nclass Net: pass\n")
    (tmp_path / "loud-one.py").write_text("print('imported')\n")
    program = """
        import sys
        from nirs4all_workspace.integrations.nirs4all.permissions import NotAllowedError, check
        for text in ("loud.Net", "loud.1", "loud.", "loud-one.Net", "sklearn.x.Y"):
            try:
                check([{"model": "sklearn.linear_model.Ridge"}, text, "loud.Net"])
            except NotAllowedError:
                pass
            else:
                print(text, "was let through")
        print(sorted(name for name in sys.modules if name in ("loud", "loud-one", "sklearn", "nirs4all")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "template",
    [
        [],
        None,
        [None, 3, 2.5, True],
        ["chart_2d", {"model": PLS, "name": "PLS, v1.0 of May"}],
        [{"model": {"class": PLS, "params": {"kernel": "rbf", "svd_method": "flip_v", "alpha": "0.5"}}}],
        [{"class": PLS, "params": {"func": None, "model": "linear", "function": "rbf"}}],
        [{"class": "sklearn.svm.SVR", "params": {"path": "./data/reference.csv"}}],
        [{"class": "numpy.array", "params": {"object": [1, 2], "dtype": "float64"}}],
        [{"tag": "v1.0", "name": "baseline_v2.1"}],
        [{"_range_": [1, 10, 2], "param": "n_components", "model": {"class": PLS}}],
        [{"exclude": {"class": "nirs4all.operators.filters.YOutlierFilter", "params": {"method": "iqr"}}}],
        [{"params": {"mode": {"enum": "nirs4all.core.task_type.TaskType", "value": "regression"}}}],
        ["<nirs4all.x object at 0x7f00>"],
        ["Some words. And more", "ends with a dot ."],
    ],
)
def test_ordinary_templates_pass(template):
    check(template)


def test_a_place_for_a_model_takes_no_file_and_no_folder():
    for text in ("models/best", "best", "", ".", "..", "../best", "a.b/c", "C:\\best"):
        with pytest.raises(NotAllowedError):
            check([{"model": text}])
        with pytest.raises(NotAllowedError):
            check([{"model": {"_or_": [PLS, text]}}])


@pytest.mark.parametrize("thing", [b"\x80\x04", bytearray(b"x"), {"a": [b"x"]}])
def test_bytes_are_refused(thing):
    with pytest.raises(NotAllowedError):
        check([{"class": PLS, "params": {"x": thing}}])


@pytest.mark.parametrize("key", ["template_blob", "__nirs4all_constructor_component_v1__", "__class__"])
def test_markers_of_nirs4all_itself_are_refused(key):
    with pytest.raises(NotAllowedError):
        check([{"class": PLS, "params": {key: {"kind": "mapping", "value": []}}}])


def test_objects_of_the_caller_need_no_permission():
    check([subprocess.Popen, object(), {"model": subprocess.run}, {"model": json.JSONDecoder()}])
    with pytest.raises(NotAllowedError):
        check([object(), {"model": "json.JSONDecoder"}])


def test_shared_circular_and_deep_data_end():
    step = {"model": PLS}
    step["again"] = [step]
    check([step, step])
    for _ in range(100):
        step = [step, step]
    check(step)
    deep = "os.system"
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(NotAllowedError):
        check(deep)
    shared = ["best"]
    with pytest.raises(NotAllowedError):
        check([{"tag": shared, "model": shared}])


@pytest.mark.parametrize("wrong", ["sklearn", [""], ["a b"], [3], [".os"], ["a..b"], ["torch."]])
def test_packages_that_are_none_are_refused(wrong):
    with pytest.raises((ValueError, TypeError), match="allow_packages"):
        check([], wrong)


@given(
    st.lists(st.sampled_from(["os", "sklearn", "system", "nirs4all", "operators", "n4m", "subprocess", "x"])),
    st.sampled_from(sorted(FORMS)),
)
def test_a_name_passes_only_below_what_is_allowed(parts, form):
    name = ".".join(parts)
    is_allowed = parts[:1] in (["sklearn"], ["n4m"]) or parts[:2] == ["nirs4all", "operators"]
    if len(parts) < 2 or parts in (["nirs4all", "operators"], ["sklearn", "os"]):
        # The latter are modules, where they are installed.
        return
    if is_allowed or (form == "enumeration" and parts[0] == "nirs4all"):
        check(FORMS[form](name))
    else:
        with pytest.raises(NotAllowedError):
            check(FORMS[form](name))


# --- what a name of an allowed package leads to


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Packages: one that is allowed always, one that a caller may add, one that neither is."""
    sources = {
        "always_ok/__init__.py": """
            import os, subprocess, enum, functools
            from os import system
            from importlib import import_module
            from never_ok import Thing, make
            from subprocess import Popen as Model
            class Net: pass
            class Colour(enum.Enum):
                RED = 1
            def factory(): pass
            factory.framework = "pytorch"
            def score(): pass
            def _private(): pass
            instance = Net()
            partial = functools.partial(Net)
            class Sub(Thing): pass
        """,
        "added/__init__.py": """
            import os
            from os import system
            class Net: pass
            def make(): pass
            def _private(): pass
            instance = Net()
        """,
        "never_ok.py": "class Thing: pass\ndef make(): pass\n",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(permissions, "ALLOWED", (*permissions.ALLOWED, "always_ok"))
    yield
    for name in ("always_ok", "added", "never_ok"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("name", ["os", "system", "import_module", "Thing", "make", "Model", "subprocess"])
@pytest.mark.parametrize("form", ["step", "class", "function", "model", "parameter"])
def test_what_a_package_only_imported_is_refused(name, form):
    with pytest.raises(NotAllowedError):
        check(FORMS[form](f"always_ok.{name}"))


REFERENCES = ("step", "parameter", "function")
CALLS = ("class", "instance", "model")


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("Net", REFERENCES + CALLS),
        ("Sub", REFERENCES + CALLS),
        ("Colour", (*REFERENCES, *CALLS, "enumeration")),
        ("score", REFERENCES),
        ("factory", REFERENCES + CALLS),
        ("nothing", (*REFERENCES, *CALLS, "enumeration")),
        ("_private", ()),
        ("instance", ()),
        ("partial", ()),
    ],
)
def test_what_is_called_must_be_a_class_or_make_models(name, allowed):
    for form in (*REFERENCES, *CALLS, "enumeration"):
        if form in allowed:
            check(FORMS[form](f"always_ok.{name}"))
        else:
            with pytest.raises(NotAllowedError):
                check(FORMS[form](f"always_ok.{name}"))


@pytest.mark.usefixtures("package")
def test_packages_that_the_caller_adds_are_trusted_with_what_they_define():
    for name in ("Net", "make", "_private", "instance"):
        check(FORMS["class"](f"added.{name}"), ["added"])
        with pytest.raises(NotAllowedError):
            check(FORMS["class"](f"added.{name}"))
    for name in ("os", "system"):
        with pytest.raises(NotAllowedError):
            check(FORMS["class"](f"added.{name}"), ["added"])
    check(FORMS["class"]("always_ok.make"), ["never_ok"])
