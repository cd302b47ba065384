"""Break the package on purpose, one promise at a time, and demand that a test notices.

    python tests/stress/sabotage.py [name ...]

Each sabotage is one textual patch to a copy of the tree, which gets a build of its own; dependencies are
not compiled again. It fails where a patch no longer applies, where the patched tree does not build, and
where the test that is meant to notice passes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sabotages import SABOTAGES

REPO = Path(__file__).resolve().parents[2]


def run(tree: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=tree, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def copy_tree(tree: Path) -> None:
    """The files that git knows."""
    names = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPO / name).exists():
            shutil.copy2(REPO / name, target)


def share_dependencies(target: Path) -> None:
    """What the last build of this tree compiled, by hard links, so that only the copy is compiled."""
    for name in ("deps", "build", ".fingerprint"):
        source = REPO / "target" / "debug" / name
        if source.is_dir():
            link = os.link if source.stat().st_dev == target.parent.stat().st_dev else shutil.copy2
            ignore = shutil.ignore_patterns("*n4w*", "*_native*")
            shutil.copytree(source, target / "debug" / name, copy_function=link, ignore=ignore)


def build(tree: Path, target: Path) -> None:
    """Build the module and lay it beside the Python sources of the copy."""
    done = run(
        tree,
        "cargo",
        "build",
        # Dependencies are as they were built; what is patched is compiled as fast as can be.
        *("--config", "profile.dev.package.n4w-core.opt-level=0"),
        *("--config", "profile.dev.package.n4w-py.opt-level=0"),
        "--locked",
        "--quiet",
        "-p",
        "n4w-py",
        "--features",
        "pyo3/extension-module",
        CARGO_TARGET_DIR=str(target),
        PYO3_PYTHON=sys.executable,
        RUSTFLAGS=os.environ.get("RUSTFLAGS", ""),
    )
    if done.returncode:
        sys.exit(f"the patched tree does not build:\n{done.stderr[-3_000:]}")
    library = target / "debug" / "lib_native.so"
    shutil.copy2(library, tree / "python" / "nirs4all_workspace" / "_native.abi3.so")


def test(tree: Path, name: str) -> bool:
    """Whether a test passes on the package in the copy, and not on the one that is installed."""
    path = str(tree / "python")
    where = "import nirs4all_workspace as n, sys; sys.exit(not n.__file__.startswith(sys.argv[1]))"
    if run(tree, sys.executable, "-c", where, str(tree), PYTHONPATH=path).returncode:
        sys.exit("the tests would use another copy of the package")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "120"]
    # What hangs in the native side is ended, too.
    command += ["--timeout-method", "thread"]
    done = run(tree, *command, f"tests/{name}", PYTHONPATH=path)
    if done.returncode not in (0, 1):
        sys.exit(f"{name} was neither passed nor failed:\n{done.stdout[-3_000:]}")
    return done.returncode == 0


def main(names: list[str]) -> int:
    chosen = {name: SABOTAGES[name] for name in names or SABOTAGES}
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        target = Path(folder) / "target"
        copy_tree(tree)
        share_dependencies(target)
        build(tree, target)
        for name in sorted({sabotage.test for sabotage in chosen.values()}):
            if not test(tree, name):
                sys.exit(f"{name} fails on the package as it is")
        for name, sabotage in chosen.items():
            file = tree / sabotage.file
            content = file.read_text()
            if content.count(sabotage.right) != 1:
                sys.exit(f"{name}: the patch no longer applies to {sabotage.file}")
            file.write_text(content.replace(sabotage.right, sabotage.wrong))
            build(tree, target)
            is_noticed = not test(tree, sabotage.test)
            file.write_text(content)
            print(f"{'noticed' if is_noticed else 'NOT NOTICED'}: {name} ({sabotage.test})", flush=True)
            unnoticed += [] if is_noticed else [name]
    return len(unnoticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
