"""Import of the package, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize("module", ["nirs4all_workspace", "polars", "pyarrow.parquet"])
def test_import(benchmark: Any, sizes: Any, module: str) -> None:
    """The whole process, so that subtracting that of an empty one gives the import."""
    benchmark.pedantic(
        subprocess.run, ([sys.executable, "-c", f"import {module}"],), {"check": True}, rounds=sizes.rounds
    )


def test_empty_process(benchmark: Any, sizes: Any) -> None:
    benchmark.pedantic(subprocess.run, ([sys.executable, "-c", ""],), {"check": True}, rounds=sizes.rounds)


def test_heavy_packages_load_on_use() -> None:
    code = "import sys, nirs4all_workspace; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"polars", "pyarrow", "fastapi"} & set(loaded)
