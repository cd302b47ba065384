"""Files that describe runs: what they say, and the line of what is wrong."""

import inspect
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.integrations.nirs4all import specification
from nirs4all_workspace.integrations.nirs4all.specification import SpecificationError, read

STEPS = [{"class": "sklearn.preprocessing.MinMaxScaler"}, {"model": "sklearn.linear_model.Ridge"}]
MINIMAL = {"name": "protein", "templates": [STEPS], "datasets": ["data/wheat"]}


@pytest.fixture
def folder(tmp_path):
    """A folder with a dataset and pipeline files."""
    (tmp_path / "data" / "wheat").mkdir(parents=True)
    (tmp_path / "data" / "barley.csv").write_text("1;2\n")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "a.yaml").write_text(yaml.safe_dump(STEPS))
    (tmp_path / "pipelines" / "b.yml").write_text(yaml.safe_dump({"name": "Bee", "pipeline": STEPS[:1]}))
    (tmp_path / "pipelines" / "c.json").write_text(json.dumps({"steps": STEPS}))
    (tmp_path / "pipelines" / "tabs.JSON").write_text(json.dumps(STEPS, indent="\t"))
    return tmp_path


def written(folder, text, name="spec.yaml"):
    (folder / name).write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))
    return folder / name


def refused(folder, text, name="spec.yaml"):
    """What the error about a file says."""
    with pytest.raises(SpecificationError) as caught:
        read(written(folder, text, name))
    assert caught.value.path is not None
    assert isinstance(caught.value, ValueError)
    return caught.value.message


def test_a_file_gives_the_arguments_of_run(folder, monkeypatch):
    options = {
        "workspace": "../ws",
        "resume": None,
        "retry_failed": True,
        "workers": 2,
        "on_error": "raise",
        "refit": {"top_k": 2},
        "artifacts": "none",
        "engine": "legacy",
        "random_state": 7,
        "timeout": 2.5,
        "allow_packages": ["torch"],
        "run_options": {"cv": 3, "verbose": 1},
    }
    templates = [STEPS, "pipelines/a.yaml", "pipelines/b.yml", "pipelines/c.json", "pipelines/tabs.JSON"]
    spec = {**MINIMAL, **options, "templates": templates, "datasets": ["data/wheat", "data/barley.csv"]}
    monkeypatch.chdir("/")
    found = dict(read(written(folder, spec)).arguments)
    made = found.pop("templates")
    assert [template.steps for template in made] == [STEPS, STEPS, STEPS[:1], STEPS, STEPS]
    assert [template.name for template in made] == [None, "a", "Bee", "c", "tabs"]
    assert found.pop("datasets") == [str(folder / "data" / "wheat"), str(folder / "data" / "barley.csv")]
    assert found.pop("workspace") == str(folder.parent / "ws")
    options_of_nirs4all = options.pop("run_options")
    del options["workspace"], options["resume"]
    assert found == {"name": "protein", **options, **options_of_nirs4all}


def test_datasets_may_have_names(folder):
    spec = {**MINIMAL, "datasets": {"Wheat": "data/wheat", "b": "data/barley.csv"}}
    found = read(written(folder, spec)).arguments["datasets"]
    assert found == {"Wheat": str(folder / "data" / "wheat"), "b": str(folder / "data" / "barley.csv")}
    message = refused(folder, "templates: [[a]]\ndatasets:\n  a: data/wheat\n  b: data/none\n")
    assert "line 4" in message


def test_options_are_the_parameters_of_run():
    from nirs4all_workspace.integrations.nirs4all.drive import run

    parameters = {
        name for name, it in inspect.signature(run).parameters.items() if it.kind is not it.VAR_KEYWORD
    }
    assert set(specification.OPTIONS) == (parameters - {"executor"}) | {"run_options"}


def test_a_run_that_goes_on_needs_neither_templates_nor_datasets(folder):
    assert read(written(folder, {"resume": "latest"})).arguments == {"resume": "latest"}
    for key in ("templates", "datasets"):
        assert key in refused(folder, {name: it for name, it in MINIMAL.items() if name != key})


@pytest.mark.parametrize(
    ("key", "says"),
    [("worker", "'workers'"), ("template", "'templates'"), ("Timeout", "'timeout'"), ("executor", "Python")],
)
def test_an_unknown_key_is_told_with_its_line_and_what_was_meant(folder, key, says):
    message = refused(folder, f"name: x\ntemplates: [[1]]\n# more\n{key}: 3\ndatasets: []\n")
    assert repr(key) in message
    assert "line 4" in message
    assert says in message


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("name", it) for it in ("3", "[a]", "''", "2024-01-01")),
        *(("templates", it) for it in ("x", "[]", "{a: 1}", "3")),
        *(
            ("datasets", it)
            for it in ("x", "[]", "{}", "{a: [b]}", "{3: b}", "{a: 3}", "[3]", "[[a]]", "['']")
        ),
        *(("workspace", it) for it in ("[x]", "3")),
        *(("resume", it) for it in ("true", "3")),
        *(("retry_failed", it) for it in ("1", "'yes'")),
        *(("workers", it) for it in ("-1", "1.5", "true", "'2'", "[2]")),
        *(("on_error", it) for it in ("ignore", "true", "[record]")),
        *(("refit", it) for it in ("3", "1.5")),
        *(("artifacts", it) for it in ("some", "true", "{a: 1}")),
        ("engine", "3"),
        *(("random_state", it) for it in ("-1", "x", "true", "1.5")),
        *(("timeout", it) for it in ("0", "-1", "1h", "true", ".nan")),
        *(("allow_packages", it) for it in ("torch", "[3]", "['']")),
        *(("run_options", it) for it in ("[cv]", "x")),
    ],
)
def test_a_value_of_a_wrong_type_is_told_with_its_line(folder, key, wrong):
    text = yaml.safe_dump({name: it for name, it in MINIMAL.items() if name != key}, default_flow_style=True)
    lines = text.strip().strip("{}").replace("\n", " ")
    message = refused(folder, f"{{{lines},\n\n  {key}: {wrong}}}\n")
    assert repr(key) in message
    assert "line 3" in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nname: b\n", 2),
        ("name: a\nrun_options:\n  cv: 3\n  x: 1\n  cv: 4\n", 5),
        ("templates:\n- - class: a\n    class: b\n", 3),
        ("name: [a\nworkers: 3\n", 2),
        ("name: !!python/object/apply:os.system [id]\n", 1),
        ("name: a\ndatasets: &x\n  - *y\n", 3),
        ("name: a\n\tworkers: 3\n", 2),
    ],
)
def test_what_is_no_plain_yaml_is_told_with_its_line(folder, text, line):
    assert f"line {line}" in refused(folder, text)


@pytest.mark.parametrize("text", ["", "- a\n", "3\n", "text", "\x00", "[" * 5_000])
def test_what_is_no_mapping_is_told(folder, text):
    assert refused(folder, text)


def test_bytes_that_are_no_text_are_told(folder):
    (folder / "spec.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(SpecificationError):
        read(folder / "spec.yaml")


def test_a_file_that_is_not_there_is_an_os_error(folder):
    with pytest.raises(FileNotFoundError):
        read(folder / "none.yaml")


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{model: x}", "list of steps"),
        ("pipelines/none.yaml", "no file"),
        ("pipelines", "list of steps"),
        ("sklearn.linear_model.Ridge", "list of steps"),
        ("[]", "list of steps"),
        ("[{class: a, params: {day: 2024-01-01}}]", "quotes"),
        ("[{class: a, params: {blob: !!binary aGk=}}]", "plain data"),
        ("[!!set {a}]", "plain data"),
    ],
)
def test_a_template_that_is_none_is_told_with_its_line(folder, template, says):
    text = f"name: x\ndatasets: [data/wheat]\ntemplates:\n- [a]\n- {template}\n"
    message = refused(folder, text)
    assert "line 5" in message
    assert says in message


@pytest.mark.parametrize(
    "content", ["", "name: x\n", "pipeline: x\n", "steps: []\n", "3\n", "a: [", "a: 1\na: 2\n"]
)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_pipeline_file_that_is_none_is_named(folder, content, suffix):
    written(folder, content, f"wrong.{suffix}")
    spec = written(folder, {**MINIMAL, "templates": [f"wrong.{suffix}"]})
    with pytest.raises(SpecificationError) as caught:
        read(spec)
    assert caught.value.path == str(folder / f"wrong.{suffix}")


def test_a_key_that_json_has_twice_is_told(folder):
    written(folder, '{"pipeline": [1], "pipeline": [2]}', "twice.json")
    with pytest.raises(SpecificationError, match="pipeline"):
        read(written(folder, {**MINIMAL, "templates": ["twice.json"]}))


def test_a_dataset_that_is_not_there_is_told_with_its_line(folder):
    message = refused(folder, "templates: [[a]]\ndatasets:\n- data/wheat\n- data/none\n")
    assert "line 4" in message
    assert "data/none" in message


@pytest.mark.parametrize("key", ["workers", "executor", "templates", "3"])
def test_options_of_nirs4all_hide_no_option_of_run(folder, key):
    message = refused(folder, yaml.safe_dump(MINIMAL) + f"run_options:\n  cv: 3\n  {key}: 1\n")
    assert repr(key) in message or key in message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_steps_come_as_they_were_written(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("spec")
    (folder / "d").mkdir()
    written(folder, json.dumps([value]), "steps.json")
    spec = {"templates": [[value], "steps.json"], "datasets": ["d"]}
    found = read(written(folder, spec)).arguments["templates"]
    assert [template.steps for template in found] == [[value], [value]]
