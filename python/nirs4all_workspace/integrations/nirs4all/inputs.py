"""Datasets as the caller gives them, loaded once a process, and described by what nirs4all loaded."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nirs4all_workspace.integrations.nirs4all.content import content_hash
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.tasks import Input

# Datasets that a process keeps.
_KEPT = 4
_UNITS = ("nm", "cm-1", "um")


@dataclass(frozen=True)
class Loaded:
    """A dataset as `nirs4all.run` takes it.

    Attributes:
        data: A SpectroDataset, which `nirs4all.run` copies and leaves as it is; or (X, y) or a mapping.
        description: What is known of it, as `ws.datasets.register` takes it: those of n_samples, n_features
            (of all sources together), task_type, wavelength_range and wavelength_unit that are known.
        facts: What else nirs4all knows of it: n_sources, num_classes, signal_types, metadata_columns; and
            classes, in the order in which it encodes them, where targets in memory are texts.
    """

    data: Any
    description: dict[str, Any]
    facts: dict[str, Any]


_loaded: OrderedDict[tuple[str, str], Loaded] = OrderedDict()
_loading = threading.Lock()


def inputs_of(datasets: object) -> list[Input]:
    """Return datasets as inputs, each with its name; those in memory with the hash of their content.

    Args:
        datasets: A path, a mapping of names to paths or data, or a list of paths and such mappings. Data is
            (X, y), a mapping that `nirs4all.run` takes, or a SpectroDataset. A path without a name has
            the one that nirs4all gives it.

    Raises:
        ImportError: nirs4all is not installed.
        TypeError: Data in memory has no name, or is none.
        ValueError: There is none, or two have one name.
    """
    found: list[Input] = []
    for given in datasets if isinstance(datasets, list) else [datasets]:
        if isinstance(given, str | os.PathLike):
            found.append(_at_path(None, given))
        elif isinstance(given, Mapping) and given and not _is_data(given):
            found += [_named(name, data) for name, data in given.items()]
        else:
            what = "nothing" if isinstance(given, Mapping) and not given else f"a {type(given).__name__}"
            raise TypeError(
                f'datasets: expected paths, or data in memory by name ({{"wheat": (X, y)}}), got {what}'
            )
    names = [item.name for item in found]
    if not found or len(set(names)) < len(names):
        again = sorted({name for name in names if names.count(name) > 1})
        what = f"two are called {', '.join(again)}; name one otherwise: {{NAME: PATH}}" if again else "none"
        raise ValueError(f"datasets: expected at least one, of different names, got {what}")
    return found


def load(item: Input) -> Loaded:
    """Return a dataset as `nirs4all.run` takes it; of one name and hash it is loaded once a process.

    Raises:
        ImportError: nirs4all is not installed.
        ValueError, OSError: nirs4all cannot load the path.
    """
    key = None if item.hash is None else (item.name, item.hash)
    with _loading:
        if key is not None and key in _loaded:
            _loaded.move_to_end(key)
            return _loaded[key]
        found = loaded(_load(item.path if item.path is not None else item.data))
        if key is not None:
            _loaded[key] = found
            while len(_loaded) > _KEPT:
                _loaded.popitem(last=False)
        return found


def loaded(data: Any) -> Loaded:  # noqa: ANN401 - what nirs4all takes
    """Return data that is in memory, with what is known of it."""
    known, facts = _of_dataset(data) if hasattr(data, "get_dataset_metadata") else _of_arrays(data)
    return Loaded(data, {key: value for key, value in known.items() if value is not None}, facts)


def _named(name: object, data: object) -> Input:
    if not isinstance(name, str) or not name:
        raise TypeError(f"datasets: expected texts as names, got {name!r}")
    if isinstance(data, str | os.PathLike):
        return _at_path(name, data)
    if not _is_data(data):
        raise TypeError(
            f"datasets[{name!r}]: expected a path, (X, y), a mapping of arrays or a SpectroDataset, got a "
            f"{type(data).__name__}"
        )
    return Input(name, data=data, hash=content_hash(data))


def _is_data(given: object) -> bool:
    """Return whether `nirs4all.run` takes a value as one dataset."""
    if isinstance(given, Mapping):
        return any(key in given for key in ("X", "train_x", "test_x"))
    return isinstance(given, tuple | np.ndarray) or hasattr(given, "get_dataset_metadata")


def _at_path(name: str | None, path: str | os.PathLike[str]) -> Input:
    absolute = str(Path(path).expanduser().absolute())
    if not Path(absolute).exists():
        raise FileNotFoundError(f"there is no dataset at {absolute}")
    if name is None:
        name = nirs4all("nirs4all.data").DatasetConfigs(absolute).configs[0][1]
    return Input(name, path=absolute)


def _load(given: Any) -> Any:  # noqa: ANN401 - what nirs4all takes
    """Return a path, or a mapping that may hold paths, as a SpectroDataset; other data as it is."""
    if isinstance(given, str) or (isinstance(given, Mapping) and "X" not in given):
        return nirs4all("nirs4all.data").DatasetConfigs(given).get_dataset_at(0)
    return given


def _of_dataset(dataset: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401 - a SpectroDataset, which has no types
    known = dataset.get_dataset_metadata(include_y_stats=False)
    n_features = known["n_features"]
    kept = ("n_sources", "num_classes", "signal_types", "metadata_columns")
    unit = known.get("wavelength_unit")
    has_wavelengths = unit in _UNITS and known["n_sources"] and dataset.headers(0) is not None
    found = {
        "n_samples": int(known["n_samples"]),
        "n_features": int(sum(n_features) if isinstance(n_features, list) else n_features),
        "task_type": _task_type(known.get("task_type")),
        "wavelength_range": known.get("wavelength_range") if has_wavelengths else None,
        "wavelength_unit": unit if has_wavelengths else None,
    }
    return found, {key: known[key] for key in kept if known.get(key)}


def _task_type(name: str | None) -> str | None:
    """Return the task as rows name it: nirs4all tells datasets of two and of more classes apart."""
    return "classification" if name is not None and name.endswith("classification") else name


def _of_arrays(data: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401 - (X, y) or a mapping
    if isinstance(data, Mapping):
        features = [data[key] for key in ("X", "train_x", "test_x") if data.get(key) is not None]
        targets = data.get("y", data.get("train_y"))
    else:
        given = data if isinstance(data, tuple) else (data,)
        features, targets = [given[0]], given[1] if len(given) > 1 else None
    if any(isinstance(part, str | os.PathLike | list) for part in features):
        return {}, {}
    arrays = [np.asarray(part) for part in features]
    labels = None if targets is None or isinstance(targets, str) else np.asarray(targets)
    # nirs4all encodes texts by their place in the alphabet, and nowhere says so.
    classes = _classes(labels)
    found = {
        "n_samples": sum(len(array) for array in arrays),
        "n_features": int(np.prod(arrays[0].shape[1:])) if arrays else None,
        "task_type": "classification" if classes else None,
    }
    return found, {"classes": classes} if classes else {}


def _classes(labels: Any) -> list[str]:  # noqa: ANN401 - an array or None
    """Return the classes that texts name; none where targets are no texts."""
    if labels is None or labels.dtype.kind not in "UO":
        return []
    found = set(labels.ravel().tolist())
    return sorted(found) if all(isinstance(label, str) for label in found) else []
