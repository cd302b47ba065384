"""Content-based ids: conversion of objects to plain data, and its canonical form.

Plain data is what YAML and JSON can hold. Objects of a pipeline become mappings:

    an estimator    {"class": "<module>.<name>", "params": {...}}
    a class         {"class": "<module>.<name>"}
    a function      {"function": "<module>.<name>"}
    an array        {"array": [...], "dtype": "<dtype>"}

The canonical form is RFC 8785. Numbers that it lacks become texts with the prefix `n4a:`; texts of users
with that prefix get `n4a:text:` before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType
from typing import Any

from nirs4all_workspace import _native
from nirs4all_workspace.values import scalars, stored

# A record adds some levels around it.
_DEEPEST = stored.DEEPEST_RECORD - 10
_LARGEST_ARRAY = 10_000


def plain(value: object, where: str = "value") -> Any:  # noqa: ANN401 - a tree of plain data
    """Return a value as plain data: mappings, lists, texts, numbers, booleans and None.

    Args:
        value: Plain data, tuples, ranges, enumerations, paths, dates, NumPy scalars and arrays of up
            to 10,000 elements, classes, module-level functions, and objects with `get_params`.
        where: The name of the value in messages.

    Raises:
        TypeError: A part has a type without such a form; the message names its place and type.
        ValueError: It contains itself, is nested too deeply for records, or holds a text that is not Unicode
            or an integer that is too long; the message names its place.
    """
    try:
        found = _plain(value, where)
    except RecursionError as error:
        raise ValueError(f"{where} is nested too deeply, or contains itself") from error
    stored.check_record(found, where, _DEEPEST)
    return found


def _plain(value: object, where: str) -> Any:  # noqa: ANN401 - one line for each kind
    if isinstance(value, Enum):
        return _plain(value.value, where)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value) if kind is not str else str.__str__(value)
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, type):
        return {"class": _path_of(value, where)}
    if isinstance(value, FunctionType | BuiltinFunctionType):
        return {"function": _path_of(value, where)}
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _array(value, where)
    if hasattr(value, "get_params"):
        return _estimator(value, where)
    raise TypeError(
        f"{where} is {value!r}, a {type(value).__qualname__}, which cannot be stored: give plain data, "
        "a class, or an object with get_params"
    )


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{where}: expected texts as keys, got {key!r}")
    return str.__str__(key)


def _path_of(thing: type | FunctionType | BuiltinFunctionType, where: str) -> str:
    name = thing.__qualname__
    if "<" in name:
        raise TypeError(f"{where} is {thing!r}, which has no import path; define it in a module")
    return f"{thing.__module__}.{name}"


def _estimator(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - anything with get_params
    try:
        params = value.get_params(deep=False)
    except TypeError:
        params = value.get_params()
    path = _path_of(type(value), where)
    return {"class": path, "params": _plain(params, f"{where}:{type(value).__name__}")}


def _array(value: Any, where: str) -> Any:  # noqa: ANN401 - anything like an array
    if getattr(value, "ndim", 0) == 0:
        return _plain(scalars.nested(value, where), where)
    if value.size > _LARGEST_ARRAY:
        raise TypeError(
            f"{where} is an array of {value.size} elements, more than the {_LARGEST_ARRAY} that a record "
            "may hold; store it with ws.artifacts.put and name its hash"
        )
    return {"array": _plain(value.tolist(), where), "dtype": str(value.dtype)}


def content_id(prefix: str, value: object) -> str:
    """Return `<prefix>_` and 16 hex of the BLAKE3 of the canonical form of plain data."""
    return f"{prefix}_{_native.blake3_hex(_native.canonical_json(value), 16)}"
