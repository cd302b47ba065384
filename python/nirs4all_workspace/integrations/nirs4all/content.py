"""The hash of data in memory: equal content has an equal hash, in every process and on every machine."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nirs4all_workspace import _native
from nirs4all_workspace.values.canonical import plain


def content_hash(data: object) -> str:
    """Return `blake3:<hex>` of (X, y), a mapping of arrays, or a SpectroDataset.

    Files that a mapping names are hashed. Dtypes count; byte order and memory layout do not, nor does the
    name of a SpectroDataset.

    Raises:
        TypeError: A part has a type that has no such hash; the message says where.
    """
    return "blake3:" + _native.blake3_hex(_native.canonical_json(_tree(data, "data")))


def _tree(value: Any, where: str) -> Any:  # noqa: ANN401 - a tree of anything
    """Return data as a plain tree that has hashes in the place of arrays."""
    if isinstance(value, Mapping):
        return {str(key): _tree(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _array(value, where)
    if hasattr(value, "columns") and hasattr(value, "__getitem__"):
        # A data frame of pandas or Polars.
        return {"columns": [[str(name), _array(np.asarray(value[name]), where)] for name in value.columns]}
    if hasattr(value, "get_dataset_metadata"):
        return _dataset(value, where)
    if isinstance(value, str | os.PathLike) and Path(value).is_file():
        # Of a mapping that names files, as `{"train_x": "spectra.csv"}`.
        return {"file": _native.hash_file(Path(value).absolute())}
    if isinstance(value, list | tuple):
        return [_tree(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "__array__") and not np.isscalar(value):
        return _array(np.asarray(value), where)
    return plain(value, where)


def _array(array: Any, where: str) -> Any:  # noqa: ANN401 - an array, of which NumPy has no exact type
    if isinstance(array, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(array)
        return {"values": _array(array.filled(array.dtype.type(0)), where), "mask": _array(mask, where)}
    if array.dtype.kind == "O":
        return {"shape": list(array.shape), "items": [_item(item, where) for item in array.ravel().tolist()]}
    if array.dtype.kind == "U":
        # The length of the longest text is no content.
        return {"shape": list(array.shape), "items": array.ravel().tolist()}
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "dtype": ordered.dtype.newbyteorder("<").str,
        "blake3": _native.blake3_hex(ordered.tobytes()),
    }


def _item(item: object, where: str) -> Any:  # noqa: ANN401 - plain data
    return [_item(part, where) for part in item] if isinstance(item, list | tuple) else plain(item, where)


def _dataset(dataset: Any, where: str) -> Any:  # noqa: ANN401 - a SpectroDataset, which has no types
    """Return what a SpectroDataset holds, by its public methods."""
    # What a dataset finds out when it is asked, as the type of its signal, counts from the beginning.
    dataset = copy.deepcopy(dataset)
    dataset.get_dataset_metadata(include_y_stats=False)
    n_sources = dataset.n_sources
    parts = {
        "x": dataset.x({}, layout="3d", concat_source=False, include_excluded=True),
        "y": dataset.y({}, include_excluded=True),
        "metadata": dataset.metadata(),
        "headers": [dataset.headers(source) for source in range(n_sources)],
        "units": [dataset.header_unit(source) for source in range(n_sources)],
        "signals": [str(signal) for signal in dataset.signal_types],
        "processings": [dataset.features_processings(source) for source in range(n_sources)],
        "partition": dataset.index_column("partition"),
        "task_type": str(dataset.task_type),
        "folds": dataset.folds,
        "tags": {tag: dataset.get_tag(tag) for tag in dataset.tags},
        "repetition": dataset.repetition,
        "aggregate": [dataset.aggregate, dataset.aggregate_method, dataset.aggregate_exclude_outliers],
    }
    return {name: _tree(part, f"{where}.{name}") for name, part in parts.items()}
