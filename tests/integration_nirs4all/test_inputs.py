"""Datasets by path and in memory: names, hashes, and what is known of them."""

import pickle
import subprocess
import sys

import experiments
import numpy as np
import pandas as pd
import pytest
import sample_data
from nirs4all_workspace.integrations.nirs4all.content import content_hash
from nirs4all_workspace.integrations.nirs4all.inputs import inputs_of, load, loaded
from nirs4all_workspace.integrations.nirs4all.tasks import Input


def test_a_path_has_the_name_that_nirs4all_gives_it(tmp_path):
    from nirs4all.data import DatasetConfigs

    folder = sample_data.write(tmp_path / "regression", "regression")
    (item,) = inputs_of(folder)
    assert (item.name, item.path, item.data, item.hash) == ("regression", str(folder), None, None)
    theirs = DatasetConfigs(str(folder)).get_dataset_at(0)
    assert item.name == theirs.name
    loaded = load(item)
    assert loaded.data.content_hash() == theirs.content_hash()
    assert loaded.description["n_samples"] == theirs.num_samples
    assert loaded.description["n_features"] == theirs.num_features
    assert inputs_of({"other": folder})[0].name == "other"
    assert [item.name for item in inputs_of([str(folder), {"w": experiments.wheat()}])] == ["regression", "w"]


def test_what_is_known_can_be_registered(ws, tmp_path):
    folder = sample_data.write(tmp_path / "regression", "regression")
    (item,) = inputs_of(str(folder))
    record = ws.datasets.register(item.path, item.name, **load(item).description)
    assert record.task_type == "regression"


def test_one_name_and_hash_is_loaded_once():
    (item,) = inputs_of({"wheat": experiments.wheat()})
    assert load(item) is load(pickle.loads(pickle.dumps(item)))
    (other,) = inputs_of({"wheat": experiments.wheat(8)})
    assert load(other) is not load(item)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([], ValueError, "at least one"),
        ({}, TypeError, "nothing"),
        ((np.ones((3, 2)), np.ones(3)), TypeError, "by name"),
        ({"X": np.ones((3, 2)), "y": np.ones(3)}, TypeError, "by name"),
        ({"a": 7}, TypeError, "'a'"),
        ({"a": None}, TypeError, "'a'"),
        ({7: (np.ones((3, 2)), np.ones(3))}, TypeError, "names"),
        (["nowhere/at/all"], FileNotFoundError, "nowhere"),
        ([{"a": (np.ones((3, 2)),)}, {"a": (np.ones((3, 2)),)}], ValueError, "two are called a"),
    ],
)
def test_what_is_no_dataset_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        inputs_of(given)


def test_a_spectro_dataset_without_a_name_of_ours_is_refused():
    with pytest.raises(TypeError, match="by name"):
        inputs_of(experiments.wheat())


def test_the_hash_is_of_the_content():
    x, y = experiments.spectra(), np.arange(60.0)
    one = content_hash((x, y))
    assert one.startswith("blake3:")
    assert one == content_hash((x.copy(order="F"), y)) == content_hash([x, y])
    assert one == content_hash((x.astype(">f8"), y.astype(">f8")))
    assert one == content_hash((np.repeat(x, 2, axis=0)[::2], y))
    others = [(x + 0, y + 1), (x.astype(np.float32), y), (x[:, ::-1], y), (x, y.reshape(-1, 1)), (x,), (y, x)]
    assert len({one, *map(content_hash, others)}) == len(others) + 1
    assert content_hash({"X": x, "y": y}) == content_hash({"y": y, "X": x}) != one


def test_texts_frames_and_masks_have_hashes():
    texts = np.array(["a", "bb"])
    assert content_hash({"y": texts}) == content_hash({"y": texts.astype("U9")})
    assert content_hash({"y": texts}) == content_hash({"y": texts.astype(object)})
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert content_hash({"m": frame}) == content_hash({"m": frame.copy()})
    assert content_hash({"m": frame}) != content_hash({"m": frame.rename(columns={"a": "c"})})
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    assert content_hash({"x": masked}) == content_hash({"x": np.ma.array([1.0, 9.0], mask=[False, True])})
    assert content_hash({"x": masked}) != content_hash({"x": masked.data})
    with pytest.raises(TypeError, match="data"):
        content_hash({"x": object()})


def test_the_hash_of_a_spectro_dataset_is_of_all_that_it_holds():
    one = content_hash(experiments.wheat())
    assert one == content_hash(experiments.wheat()) == content_hash(experiments.wheat(name="other"))
    changed = experiments.wheat()
    changed.set_task_type("multiclass_classification")
    x = experiments.spectra()
    others = [
        experiments.wheat(8),
        experiments.two_sources(),
        experiments.two_targets(),
        experiments.dataset(x, np.arange(60.0)),
        experiments.dataset(x, np.arange(60.0)[::-1]),
    ]
    assert len({one, *map(content_hash, others)}) == len(others) + 1


def test_the_hash_stays_when_nirs4all_has_looked_at_the_data():
    dataset = experiments.wheat()
    before = content_hash(dataset)
    load(Input("wheat", data=dataset))
    assert content_hash(dataset) == before


def test_another_process_has_the_same_hash():
    code = (
        "import experiments, numpy as np\n"
        "from nirs4all_workspace.integrations.nirs4all.content import content_hash\n"
        "print(content_hash((experiments.spectra(), np.arange(60.0))))\n"
        "print(content_hash(experiments.two_sources()))\n"
    )
    folder = experiments.__file__.rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    expected = [
        content_hash((experiments.spectra(), np.arange(60.0))),
        content_hash(experiments.two_sources()),
    ]
    assert done.stdout.split() == expected


def test_what_is_known_of_data_in_memory():
    x = experiments.spectra()
    assert loaded((x, np.arange(60.0))).description == {"n_samples": 60, "n_features": 30}
    split = loaded({"train_x": x[:40], "test_x": x[40:]})
    assert (split.description, split.facts) == ({"n_samples": 60, "n_features": 30}, {})
    named = loaded({"X": x, "y": np.array(["b", "a"] * 30)})
    assert (named.description["task_type"], named.facts) == ("classification", {"classes": ["a", "b"]})
    two = loaded(experiments.two_sources())
    assert (two.description["n_samples"], two.description["n_features"]) == (60, 40)
    assert two.facts["n_sources"] == 2
    assert loaded(experiments.labels()).description["task_type"] == "classification"


def test_what_a_user_says_of_a_dataset_stays(ws, tmp_path):
    folder = sample_data.write(tmp_path / "regression", "regression")
    ws.datasets.register(folder, "regression", metadata={"instrument": "ASD"})
    (item,) = inputs_of(str(folder))
    record = ws.datasets.register(item.path, item.name, **load(item).description)
    assert record.metadata == {"instrument": "ASD"}


def test_a_mapping_of_files_is_its_files(tmp_path):
    folder = sample_data.write(tmp_path / "regression", "regression")
    (x, y) = (
        next(path for path in sorted(folder.iterdir()) if of in path.name.lower()) for of in ("xcal", "ycal")
    )
    mapping = {"train_x": str(x), "train_y": str(y)}
    (item,) = inputs_of({"wheat": mapping})
    known = load(item)
    assert known.description["n_features"] == load(inputs_of(str(folder))[0]).description["n_features"]
    copy = tmp_path / "elsewhere.csv"
    copy.write_bytes(x.read_bytes())
    assert content_hash({**mapping, "train_x": str(copy)}) == item.hash
    copy.write_bytes(x.read_bytes() + b"\n1")
    assert content_hash({**mapping, "train_x": str(copy)}) != item.hash
