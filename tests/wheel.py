"""Try a wheel as a user gets it: its tag, then the demo in a new environment, with no Rust to be found.

python tests/wheel.py dist/*.whl [--sdist dist/*.tar.gz]
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def tags(wheel: Path) -> list[tuple[str, str, str]]:
    """Python, ABI and platform of each tag that a wheel says of itself."""
    with zipfile.ZipFile(wheel) as opened:
        (name,) = [name for name in opened.namelist() if name.endswith(".dist-info/WHEEL")]
        lines = opened.read(name).decode().splitlines()
    return [tuple(line.removeprefix("Tag: ").split("-")) for line in lines if line.startswith("Tag: ")]


def bare_environment(folder: Path) -> dict[str, str]:
    """Variables with which no Rust, and nothing of this checkout, is found."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "CARGO", "RUST", "VIRTUAL_ENV"))
    }
    return kept | {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def main(wheel: Path) -> None:
    found = tags(wheel)
    assert found, f"{wheel} has no tag"
    for python, abi, platform in found:
        assert abi == "abi3", f"{wheel} is of {abi} and not of the stable ABI"
        assert sys.platform != "linux" or platform.startswith("manylinux_"), f"{wheel} is of {platform}"
        assert python == "cp311", f"{wheel} is of {python}"
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        variables = bare_environment(folder)

        def run(*command: str | Path, code: int = 0) -> str:
            done = subprocess.run(
                command, cwd=folder, env=variables, capture_output=True, text=True, check=False
            )
            assert done.returncode == code, f"{command}: {done.stderr}"
            return done.stdout

        run("sh", "-c", "command -v cargo rustc || exit 3", code=3)
        # Dependencies too come as wheels: an environment without compilers is enough.
        run("bin/python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", wheel.resolve())
        where = run("bin/python", "-c", "import nirs4all_workspace as n; print(n.__file__)")
        assert Path(where.strip()).is_relative_to(folder.resolve()), where
        answer = json.loads(run("bin/n4w", "demo", "--json"))
        assert (answer["total_predictions"], answer["total_datasets"], answer["errors"]) == (390, 3, [])
    print(f"{wheel.name}: installed and tried without Rust")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
