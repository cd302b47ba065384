"""Fixtures that every test may use: workspaces are copied before they are touched."""

import functools
import shutil
import sys
import zipfile
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
import sample_data
import tiers
import with_nirs4all

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parent / "property"),
    str(Path(__file__).parent / "stress"),
]

REPO = Path(__file__).resolve().parents[1]
DEMO = REPO / "python" / "nirs4all_workspace" / "demo"
DATA = Path(__file__).parent / "compat" / "data"
# Whole samples lie beside some checkouts; cut ones come with all (`make_samples.py`).
SHARED = REPO.parent / "shared"
CUT = Path(__file__).parent / "compat" / "samples"

tiers.register_profiles()


def pytest_collection_modifyitems(items):
    """Mark the tests that are quick, and those that run with no other beside them."""
    for item in items:
        for marker in tiers.markers(item.nodeid.partition("tests/")[2] or item.nodeid):
            item.add_marker(marker)
    with_nirs4all.mark(items)


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path_factory, monkeypatch):
    """Keep every test, and the processes it starts, out of the user's cache folder."""
    folder = tmp_path_factory.mktemp("xdg_cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(request, monkeypatch):
    """Run what computes with nirs4all in a folder of its own, which it should leave empty."""
    if "integration_nirs4all" in request.path.parts:
        folder = request.getfixturevalue("tmp_path") / "cwd"
        folder.mkdir()
        monkeypatch.chdir(folder)
        return folder
    return None


def copy_files(source: Path, target: Path) -> Path:
    """Copy the Parquet files of a folder, writable whatever the originals were."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.parquet")):
        shutil.copyfile(file, target / file.name)
    return target


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Give `samples(name)`: a real workspace, whole where it lies beside the repository, cut where not."""

    @functools.cache
    def folder(name):
        if (SHARED / "workspaces" / name).is_dir():
            return SHARED / "workspaces" / name
        target = tmp_path_factory.mktemp("samples") / name
        with zipfile.ZipFile(CUT / f"{name}.zip") as cut:
            cut.extractall(target)
        return copy_files(DEMO, target) if name == "nirs4all-0.6.2" else target

    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Give `data(name)`: the folder of a real dataset, or of one in its form."""

    @functools.cache
    def folder(name):
        found = SHARED / "data" / name
        return found if found.is_dir() else sample_data.write(tmp_path_factory.mktemp("data") / name, name)

    return folder


@pytest.fixture
def shared(samples, tmp_path_factory):
    """Give `shared(name)`: a whole copy of a sample workspace, which must stay as it is."""

    def copy(name):
        target = tmp_path_factory.mktemp("sample") / name
        ignore = shutil.ignore_patterns(".cache")
        shutil.copytree(samples(name), target, copy_function=shutil.copyfile, ignore=ignore)
        for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        return target

    return copy


@pytest.fixture
def shared_copy(samples, tmp_path):
    """Give `shared_copy(name)`: a writable copy of a sample workspace's Parquet files."""
    return lambda name: copy_files(samples(name), tmp_path / name)


@pytest.fixture
def ws(tmp_path):
    """Give a new workspace."""
    return n4w.Workspace.create(tmp_path / "ws")


@pytest.fixture
def demo(tmp_path):
    """Copy the three prediction files that come with the package into a workspace."""
    return copy_files(DEMO, tmp_path / "demo")


@pytest.fixture
def demo_file(demo):
    """One of them."""
    return demo / "regression.meta.parquet"
