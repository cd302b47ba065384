"""What may be made from a template that is stored, queued or plain data: such a template is code.

nirs4all imports every text with a dot that stands anywhere in a template, calls what it finds there, and
unpickles files that stand in place of a model. So it is texts that are checked, wherever they stand, twice:

1. By name alone, before anything is imported: a text that could be imported must begin, by whole dotted
   parts, with a package that is allowed; files of models and pickled bytes are refused.
2. What passed is looked up, which imports allowed packages only. It must be a class or function that an
   allowed package defines, not something that it imported itself: `nirs4all.import_module` leads out, and so
   does `sklearn.datasets._base.urlretrieve`. Where nirs4all calls what it finds, only classes pass, and
   functions that nirs4all marks as makers of models.

Of nirs4all only its operators are allowed, since other parts of it unpickle what they are given. Packages
that the caller adds are trusted whole: whatever they define may be called. Instances, classes and functions
that the caller passes as objects need no permission.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.exceptions import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# nirs4all's operators and the methods that its short names (`n4m.PLS`) stand for, and scikit-learn.
ALLOWED = ("nirs4all.operators", "n4m", "pls4all", "sklearn")
# Names that nirs4all itself writes for arrays and types among parameters.
_EXACT = frozenset({"numpy.array", "numpy.float32", "numpy.float64"})
# Enumerations stand in all of nirs4all, and making one calls nothing else.
_ENUMERATIONS = ("nirs4all",)
# Keys whose text names what is made; `model` may also name a file or folder.
_COMPONENTS = frozenset(
    {"model", "class", "function", "instance", "import", "func", "enum", "factory_path", "model_instance"}
)
_PARAMETERS = "params"
# Below these modules of scikit-learn functions only compute; others write files, or read pickles.
_FUNCTIONS = ("sklearn.metrics", "sklearn.feature_selection", "sklearn.preprocessing", "sklearn.cluster")
# scikit-learn keeps pickles in a folder that such a parameter names, and loads what lies there.
_CACHES = "memory"
# Keys whose text nirs4all calls at once.
_CALLED = frozenset({"class", "instance", "import", "model", "model_instance"})
# Files that nirs4all, or what it calls, unpickles.
_MODEL_FILES = (
    ".pkl",
    ".pickle",
    ".joblib",
    ".dill",
    ".sav",
    ".h5",
    ".hdf5",
    ".keras",
    ".pt",
    ".pth",
    ".ckpt",
    ".pb",
    ".n4a",
)
# A method of nirs4all's catalogue, by its id.
_ROLE = "n4m:"
_SHOWN = 60


class NotAllowedError(WorkspaceError, ValueError):
    """A template names something that may not be made from it. Also a `ValueError`."""


@dataclass(frozen=True)
class _Part:
    """A part of a template: where it stands, below which key, and whether that names a parameter."""

    place: str
    thing: Any
    key: str | None = None
    is_parameter: bool = False


@dataclass(frozen=True)
class _Name:
    """A text that nirs4all would import: where it stands, and below which key."""

    place: str
    text: str
    key: str | None


def check(template: Any, allow_packages: Iterable[str] = (), *, where: str = "template") -> None:  # noqa: ANN401
    """Refuse a template that would make something outside of nirs4all, scikit-learn and what is allowed.

    Args:
        template: Plain data: lists, mappings, texts and numbers.
        allow_packages: Further packages, or modules, that are trusted whole.
        where: What the template is called in errors.

    Raises:
        NotAllowedError: With the place, what stands there, and how to allow it.
        ValueError: A package that is allowed has no name that could be one.
    """
    added = _packages(allow_packages)
    names = list(_names(template, where))
    for name in names:
        _check_name(name, added)
    for name in names:
        _check_object(name, added)


def _packages(allow_packages: Iterable[str]) -> tuple[str, ...]:
    """Check the names of packages that the caller allows."""
    if isinstance(allow_packages, str):
        raise TypeError(f"allow_packages: expected a list of names, got the text {allow_packages!r}")
    added = tuple(allow_packages)
    for name in added:
        if not isinstance(name, str) or not _is_dotted_name(name):
            raise ValueError(f"allow_packages: expected names of packages, got {name!r}")
    return added


# --- by name


def _names(template: Any, where: str) -> Iterator[_Name]:  # noqa: ANN401 - plain data
    """Find all texts that could be imported; refuse what would be unpickled.

    Without recursion, and each thing once in a role: YAML makes deep, shared and even circular data.
    """
    found = [_Part(where, template)]
    seen: set[tuple[int, str | None, bool]] = set()
    while found:
        part = found.pop()
        place, thing = part.place, part.thing
        if isinstance(thing, str):
            if _is_imported(part, thing):
                yield _Name(place, thing, part.key)
        elif isinstance(thing, bytes | bytearray | memoryview):
            raise NotAllowedError(f"{place}: expected plain data, found bytes, which may be unpickled")
        elif isinstance(thing, dict | list | tuple | set | frozenset):
            role = (id(thing), part.key, part.is_parameter)
            found += [] if role in seen else _within(part)
            seen.add(role)


def _within(part: _Part) -> Iterator[_Part]:
    """List what a list or mapping holds."""
    place, thing = part.place, part.thing
    if not isinstance(thing, dict):
        for at, it in enumerate(thing):
            yield _Part(f"{place}[{at}]", it, part.key, part.is_parameter)
        return
    for name, value in thing.items():
        text = name if isinstance(name, str) else repr(name)
        if text.startswith("__") or text == "template_blob":
            raise NotAllowedError(f"{place}: the key {_shown(text)} is nirs4all's own, not of a template")
        if text.rpartition("__")[2] == _CACHES and value is not None:
            raise NotAllowedError(
                f"{place}: {_shown(text)} names a folder of pickles, which would be loaded; leave it out"
            )
        # Generators (`_or_`, `_chain_`, ...) stand in place of what they choose.
        is_generator = text.startswith("_")
        key = text if text in _COMPONENTS or text == _PARAMETERS else part.key if is_generator else None
        is_parameter = part.is_parameter if is_generator else part.key == _PARAMETERS
        yield _Part(f"{place}.{text}", value, key, is_parameter)


def _is_imported(part: _Part, text: str) -> bool:
    """Whether nirs4all would import a text; refuse those that it would load a model from."""
    place = part.place
    if text.strip().lower().endswith(_MODEL_FILES):
        raise NotAllowedError(
            f"{place}: {_shown(text)} is a file of a model, which would be unpickled; "
            "templates may not load models: pass the loaded model as an object"
        )
    if text.startswith(_ROLE):
        return True
    module = text.rpartition(".")[0]
    is_path = "/" in text or "\\" in text
    is_proper = _is_dotted_name(text) and bool(module)
    if part.key in _COMPONENTS and not is_proper and (is_path or not part.is_parameter):
        raise NotAllowedError(
            f"{place}: expected a class or function as `package.module.Name`, found {_shown(text)}; "
            "files and folders of models may not be loaded"
        )
    if not module or is_path:
        return False
    # `v1.0` and `my-module.x` name nothing that can be made; importing them may still do something.
    return is_proper or _exists(module)


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _exists(module: str) -> bool:
    """Whether a module without a proper name, such as `my-module`, can be found; imports nothing."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _check_name(name: _Name, added: tuple[str, ...]) -> None:
    """Refuse a name outside of the packages that are allowed, or that leads into the inside of objects."""
    text = name.text
    if text in _EXACT:
        return
    allowed = (*ALLOWED, *added, *(_ENUMERATIONS if name.key == "enum" else ()))
    if text.startswith(_ROLE):
        text = "n4m.roles"
    if any(part.startswith("__") for part in text.split(".")):
        raise NotAllowedError(f"{name.place}: {_shown(text)} leads into the inside of objects")
    if not _is_within(text, allowed):
        package = text.partition(".")[0]
        part = " (of nirs4all, only its operators)" if package == "nirs4all" else ""
        raise NotAllowedError(
            f"{name.place}: {_shown(text)} is not in a package that templates may use: expected one of "
            f"{', '.join((*ALLOWED, *added))}{part}. A template is code; where you trust it, allow this "
            f"(allow_packages=[{package!r}], or --allow-package {package}). "
            "A text that is no class must have no dot in it, or a slash"
        )


def _is_within(name: str, packages: Iterable[str]) -> bool:
    """Whether a name is one of the packages or below one, by whole parts."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


# --- by what it is


def _check_object(name: _Name, added: tuple[str, ...]) -> None:
    """Refuse what is no class or function of the packages that are allowed; imports these alone."""
    if name.text in _EXACT or name.text.startswith(_ROLE):
        return
    module_name, _, attribute = name.text.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError):
        return  # nirs4all finds nothing either, and says so
    owner = getattr(found, "__module__", None)
    roots = {package.partition(".")[0] for package in ALLOWED}
    kind = "module" if inspect.ismodule(found) else type(found).__name__
    if inspect.ismodule(found) or not isinstance(owner, str) or not _is_within(owner, (*roots, *added)):
        source = f" of {owner}" if isinstance(owner, str) else ""
        raise NotAllowedError(
            f"{name.place}: {_shown(name.text)} is a {kind}{source}, "
            "which the package only imported; name it by the package that defines it, and allow that"
        )
    if _is_within(owner, added):
        return
    if name.key == "enum":
        is_fit = inspect.isclass(found) and issubclass(found, enum.Enum)
    elif inspect.isfunction(found) or inspect.isbuiltin(found):
        is_called = name.key in _CALLED and not hasattr(found, "framework")
        is_plain = not owner.startswith("sklearn.") or _is_within(owner, _FUNCTIONS)
        is_fit = is_plain and not is_called and not found.__name__.startswith("_")
    else:
        is_fit = inspect.isclass(found)
    if not is_fit:
        expected = "an enumeration" if name.key == "enum" else "a class"
        raise NotAllowedError(
            f"{name.place}: expected {expected}, found {_shown(name.text)}, a {kind}; where you trust it, "
            f"allow its module (allow_packages=[{owner!r}], or --allow-package {owner})"
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
