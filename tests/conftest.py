"""Fixtures that every test may use: workspaces are copied before they are touched."""

import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parent / "property"),
    str(Path(__file__).parent / "stress"),
]

REPO = Path(__file__).resolve().parents[1]
DEMO = REPO / "python" / "nirs4all_workspace" / "demo"
DATA = Path(__file__).parent / "compat" / "data"

settings.register_profile(
    "suite",
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path_factory, monkeypatch):
    """Keep every test, and the processes it starts, out of the user's cache folder."""
    folder = tmp_path_factory.mktemp("xdg_cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def copy_files(source: Path, target: Path) -> Path:
    """Copy the Parquet files of a folder, writable whatever the originals were."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.parquet")):
        shutil.copyfile(file, target / file.name)
    return target


def shared_workspace(name: str) -> Path:
    """Return a real workspace that lies beside the repository, or skip."""
    folder = REPO.parent / "shared" / "workspaces" / name
    if not folder.is_dir():
        pytest.skip(f"the sample workspace {name} does not lie beside the repository ({folder})")
    return folder


@pytest.fixture
def data():
    """Give `data(name)`: the folder of a real dataset that lies beside the repository, or skip."""

    def folder(name):
        found = REPO.parent / "shared" / "data" / name
        if not found.is_dir():
            pytest.skip(f"the sample dataset {name} does not lie beside the repository ({found})")
        return found

    return folder


@pytest.fixture
def shared(tmp_path_factory):
    """Give `shared(name)`: a whole copy of a sample workspace, which must stay as it is."""

    def copy(name):
        target = tmp_path_factory.mktemp("sample") / name
        ignore = shutil.ignore_patterns(".cache")
        shutil.copytree(shared_workspace(name), target, copy_function=shutil.copyfile, ignore=ignore)
        for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        return target

    return copy


@pytest.fixture
def shared_copy(tmp_path):
    """Give `shared_copy(name)`: a writable copy of a sample workspace's Parquet files."""
    return lambda name: copy_files(shared_workspace(name), tmp_path / name)


@pytest.fixture
def demo(tmp_path):
    """Copy the three prediction files that come with the package into a workspace."""
    return copy_files(DEMO, tmp_path / "demo")


@pytest.fixture
def demo_file(demo):
    """One of them."""
    return demo / "regression.meta.parquet"
