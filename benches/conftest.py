"""Sizes and data of the benchmarks: `pytest benches`, or `pytest benches --quick` for small ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import make_workspace
import ours
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    files: int
    datasets: int
    rows: int
    rounds: int


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="small sizes: everything runs, figures mean little")


@pytest.fixture(scope="session")
def sizes(request: pytest.FixtureRequest) -> Sizes:
    if request.config.getoption("--quick"):
        return Sizes(files=60, datasets=6, rows=20_000, rounds=2)
    return Sizes(files=2_000, datasets=50, rows=1_000_000, rounds=5)


@pytest.fixture(scope="session", params=["flat", "segments"])
def workspace(request: pytest.FixtureRequest, sizes: Sizes, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of nirs4all 0.6 and a workspace of format 2, both with summaries in their footers."""
    folder = tmp_path_factory.mktemp("bench") / request.param
    if request.param == "flat":
        make_workspace.make_flat(folder, sizes.files, datasets=sizes.datasets)
    else:
        make_workspace.make_segments(folder, sizes.files // sizes.datasets, sizes.datasets)
    ours.rebuild(str(folder))
    time.sleep(3)  # the cache does not trust files younger than that
    return str(folder)


@pytest.fixture
def user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, for the time of a test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nirs4all-workspace"


@pytest.fixture(scope="session")
def frame(sizes: Sizes) -> pl.DataFrame:
    """Rows with the columns that a summary needs."""
    return make_workspace.summary_rows(sizes.rows)


@pytest.fixture(scope="session")
def mappings() -> list[dict[str, Any]]:
    """A thousand whole rows, which stay in the processor's caches as those of a writer would."""
    return make_workspace.rows(0, 10, 100, 10, make_workspace.COLUMNS + make_workspace.RUN_COLUMNS).to_dicts()
