"""The package about itself: stub and module agree, classes are frozen, imports light, names documented."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nirs4all_workspace import _native

GOLDEN = Path(__file__).parents[1] / "compat" / "data" / "pyarrow.meta.parquet"

PACKAGE = Path(n4w.__file__).parent
STUB = PACKAGE / "_native.pyi"


def public(names):
    return {name for name in names if not name.startswith("_")}


@pytest.fixture
def stub():
    assert STUB.is_file(), "the native module has no stub"
    return ast.parse(STUB.read_text(encoding="utf-8"))


def definitions(body):
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_stub_and_module_name_the_same(stub):
    constants = {item.target.id for item in stub.body if isinstance(item, ast.AnnAssign)}
    assert public(definitions(stub.body)) | public(constants) == public(vars(_native))


def test_stub_and_module_agree_on_parameters(stub):
    for name, node in definitions(stub.body).items():
        if isinstance(node, ast.FunctionDef):
            check_signature(name, node, getattr(_native, name), skip=0)


def test_stub_and_module_agree_on_members(stub):
    for name, node in definitions(stub.body).items():
        if not isinstance(node, ast.ClassDef) or name.startswith("_"):
            continue
        kind = getattr(_native, name)
        annotated = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
        methods = definitions(node.body)
        assert public(methods) | public(annotated) == public(vars(kind))
        for method, item in methods.items():
            if not method.startswith("_") and callable(getattr(kind, method)):
                check_signature(f"{name}.{method}", item, getattr(kind, method), skip=1)


def check_signature(name, node, function, skip):
    try:
        actual = inspect.signature(function)
    except ValueError:
        pytest.fail(f"{name} has no signature to look at")
    arguments = node.args
    positional = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]][skip:]
    keyword = [argument.arg for argument in arguments.kwonlyargs]
    kinds = inspect.Parameter
    parameters = [p for p in actual.parameters.values() if p.name not in ("self", "cls")]
    assert [p.name for p in parameters if p.kind != kinds.KEYWORD_ONLY] == positional, name
    assert [p.name for p in parameters if p.kind == kinds.KEYWORD_ONLY] == keyword, name
    optional = [p.name for p in parameters if p.default is not kinds.empty]
    defaults = positional[len(positional) - len(arguments.defaults) :] if arguments.defaults else []
    defaults += [arg for arg, value in zip(keyword, arguments.kw_defaults, strict=True) if value is not None]
    assert optional == defaults, name


def rows_of(folder):
    """The rows of a file with a column that Polars must not read by itself."""
    kind = pa.dictionary(pa.int8(), pa.string())
    table = pa.table({"id": ["a"], "val_score": [0.1], "x": pa.array(["b"]).cast(kind)})
    (folder / "old").mkdir()
    pq.write_table(table, folder / "old" / "wheat.meta.parquet")
    plan = _native.ScanPlan(folder / "old", live=True, partial=False, is_last=True)
    return plan.stream(0, ["id"], plan)


def test_every_native_class_is_frozen(tmp_path):
    classes = [kind for kind in vars(_native).values() if isinstance(kind, type)]
    assert len(classes) > 0
    ws = n4w.Workspace.create(tmp_path / "ws")
    ws.runs.create("one")
    writer = ws.predictions.writer("run", "wheat")
    instances = [
        n4w.SummaryAccumulator(),
        n4w.metric_info("rmse"),
        _native.Lock(tmp_path / "a.lock"),
        writer._native,
        _native.HashCache(tmp_path),
        _native.Draft(tmp_path / "draft"),
        n4w.FileIndex(tmp_path),
        _native.ScanPlan(ws.path, live=True, partial=False, is_last=True),
        (stream := rows_of(tmp_path)),
        stream.next(),
        _native.list_run_headers(ws.path)["runs"][0],
        _native.RowReader(
            Path(__file__).parents[1] / "compat" / "data" / "pyarrow.meta.parquet", None, 0, 0, 1
        ),
    ]
    assert {type(instance) for instance in instances} == set(classes)
    for instance in instances:
        names = [*public(dir(type(instance))), "anything"]
        for name in names:
            with pytest.raises((AttributeError, TypeError)):
                setattr(instance, name, None)


HEAVY = ["polars", "pyarrow", "pandas", "numpy", "duckdb", "typer", "rich", "yaml", "fastapi", "watchfiles"]


@pytest.mark.parametrize("module", ["nirs4all_workspace", "nirs4all_workspace._native"])
def test_importing_is_light(module):
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded.isdisjoint(HEAVY)


def test_reading_is_light(demo):
    """Reading a workspace needs no other library either."""
    code = "import sys, nirs4all_workspace as n; n.Workspace.open(sys.argv[1]).summary(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, demo], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded.isdisjoint(HEAVY)


def members(thing):
    return {
        f"{thing.__name__}.{name}": getattr(thing, name)
        for name in public(vars(thing))
        if callable(getattr(thing, name)) or isinstance(vars(thing)[name], property)
    }


def described(name, item, kind):
    """In its own docstring or, a property, among the attributes of its class."""
    return (
        ast.get_docstring(item) or f"{name}:" in (ast.get_docstring(kind) or "").partition("Attributes:")[2]
    )


def test_every_public_name_is_documented(stub):
    """A native function is documented in the stub, where editors look."""
    native = definitions(stub.body)
    missing = []
    for name in n4w.__all__:
        thing = getattr(n4w, name)
        if name in native:
            node = native[name]
            missing += [] if ast.get_docstring(node) else [name]
            if isinstance(node, ast.ClassDef):
                missing += [
                    f"{name}.{method}"
                    for method, item in definitions(node.body).items()
                    if not method.startswith("_") and not described(method, item, node)
                ]
            continue
        # A constant has its text beside it, where no program sees it.
        missing += [] if inspect.getdoc(thing) or name.isupper() else [name]
        if inspect.isclass(thing):
            missing += [key for key, member in members(thing).items() if not inspect.getdoc(member)]
    assert missing == []


def test_kinds_of_problems_are_those_of_the_native_side():
    errors, findings = _native.problem_kinds()
    assert {kind.value for kind in n4w.ErrorKind} == set(errors)
    assert set(findings) <= {kind.value for kind in n4w.FindingKind}
    assert {kind.value for kind in n4w.ErrorKind}.isdisjoint(kind.value for kind in n4w.FindingKind)


def test_what_all_names_is_there_and_sorted():
    assert len(set(n4w.__all__)) == len(n4w.__all__)
    assert all(hasattr(n4w, name) for name in n4w.__all__)
    in_order = sorted(n4w.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert in_order == list(n4w.__all__)


def test_the_package_is_typed_and_versioned():
    from importlib.metadata import version

    assert (PACKAGE / "py.typed").is_file()
    assert n4w.__version__ == version("nirs4all-workspace")
