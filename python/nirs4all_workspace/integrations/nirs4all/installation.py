"""nirs4all itself: an optional package, imported when it is used, of which public names alone are called."""

from __future__ import annotations

import importlib
from typing import Any

INSTALL = 'pip install "nirs4all-workspace[nirs4all]"'
_MAJOR = "1."


def nirs4all(module: str = "nirs4all") -> Any:  # noqa: ANN401 - a module without complete types
    """Import nirs4all, or a public module of it.

    Args:
        module: "nirs4all", "nirs4all.data" or "nirs4all.pipeline".

    Raises:
        ImportError: It is not installed, or an older version is; the message says what to install.
    """
    try:
        package: Any = importlib.import_module("nirs4all")
    except ModuleNotFoundError as error:
        if error.name != "nirs4all":
            raise
        raise ImportError(f"nirs4all is not installed: {INSTALL}", name="nirs4all") from error
    version = str(getattr(package, "__version__", "of unknown version"))
    if not version.startswith(_MAJOR):
        raise ImportError(f"expected nirs4all 1.4, found {version}: {INSTALL}", name="nirs4all")
    return package if module == "nirs4all" else importlib.import_module(module)
