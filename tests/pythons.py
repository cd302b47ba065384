"""Run the quick tests on the oldest and the newest Python that is at hand, in its development mode.

    python tests/pythons.py FOLDER [pytest arguments]

Each gets an environment in FOLDER, with the dependencies that pyproject.toml names and the library that was
built, which is of the stable ABI. The Python that runs this is passed over: it runs all tests anyway.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
OLDEST = tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
TOLD = "import sys; print(*sys.version_info[:2], sys.implementation.name, sys.version_info.releaselevel)"


def version(python: str) -> tuple[int, int] | None:
    """The version of an interpreter; None where it does not start, is no CPython, or is not released."""
    done = subprocess.run([python, "-c", TOLD], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.endswith(" cpython final\n"):
        return None  # as the shims of pyenv for versions that are not chosen
    major, minor, *_ = done.stdout.split()
    return int(major), int(minor)


def find_interpreters() -> dict[tuple[int, int], str]:
    """Every version that the package supports, by one interpreter each."""
    found: dict[tuple[int, int], str] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(OLDEST[1], OLDEST[1] + 20):
        name = f"{OLDEST[0]}.{minor}"
        places = [shutil.which(f"python{name}"), *sorted(pyenv.glob(f"versions/{name}.*/bin/python"))]
        for place in filter(None, places):
            known = version(place)
            if known is not None and known >= OLDEST:
                found.setdefault(known, str(place))
    return found


def environment(python: str, folder: Path) -> Path:
    """The interpreter of an environment with all that the tests need."""
    made = folder / "bin" / "python"
    needed = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    mark = folder / ".installed"
    if not mark.exists() or mark.read_text() != "\n".join(needed):
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([made, "-m", "pip", "install", "--quiet", *needed], check=True)
        mark.write_text("\n".join(needed))
    return made


def main(folder: Path, arguments: list[str]) -> int:
    found = find_interpreters()
    chosen = {min(found), max(found)} if found else set()
    failed = 0
    for of in sorted(chosen):
        name = ".".join(map(str, of))
        if of == sys.version_info[:2]:
            print(f"Python {name} runs all tests already", flush=True)
            continue
        python = environment(found[of], folder / name)
        print(f"Python {name}, {found[of]}", flush=True)
        variables = os.environ | {"PYTHONPATH": str(REPO / "python"), "PYTHONDEVMODE": "1"}
        command = [python, "-m", "pytest", *arguments]
        failed |= subprocess.run(command, cwd=REPO, env=variables, check=False).returncode
    if chosen <= {sys.version_info[:2]}:
        print("skipped: no other Python is at hand")
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
