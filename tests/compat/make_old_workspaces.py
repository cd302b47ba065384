"""Make the workspaces in `golden/`, with the versions of nirs4all that wrote such: run it by hand.

    python tests/compat/make_old_workspaces.py [--python PYTHON] [--environments FOLDER]

Each version is installed from its package into an environment of its own, which is thrown away unless
`--environments` keeps it, and runs on a few made-up samples. `golden/versions.json` says which
versions made what.

- `nirs4all-0.6.2`: two calls, the second one twice; manifests, pipelines, folds, reports, binaries, arrays.
- `nirs4all-2026-01`: the same package as people used it in January 2026: default names, no generators, one
  dataset's binaries gone, files of its app beside, and footers with `n4a_summary` of version 1.0. Those
  keys were written by the app, not by the package, and are made here as `make_golden.py` makes them.
- `nirs4all-1.4.10`: `store.sqlite` and arrays, which `import` is to read.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from make_golden import summary_1_0

GOLDEN = Path(__file__).parent / "golden"
# Charts, where a version draws any, need no screen.
QUIET = {**os.environ, "MPLBACKEND": "Agg"}

DATA = """
import numpy as np
rng = np.random.default_rng(7)
def dataset(folder, classes):
    folder.mkdir(parents=True)
    for part, rows in (("cal", 24), ("val", 9)):
        x = np.cumsum(rng.normal(size=(rows, 12)), axis=1).round(4)
        y = np.arange(rows) % 3 if classes else (2 * x[:, 3] - x[:, 8] + rng.normal(size=rows) / 9).round(4)
        np.savetxt(folder / f"X{part}.csv", x, fmt="%.4f", delimiter=";", header=";".join(
            str(1100 + 10 * n) for n in range(12)), comments="")
        np.savetxt(folder / f"Y{part}.csv", y, fmt="%g", delimiter=";", header="y", comments="")
"""

WORKER = """
import pathlib, sys, warnings
warnings.simplefilter("ignore")
root = pathlib.Path(sys.argv[1])
kind = sys.argv[2]
import nirs4all
from nirs4all.operators.transforms import FirstDerivative, StandardNormalVariate
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.preprocessing import MinMaxScaler
for name in ("wheat", "corn"):
    dataset(root / "data" / name, classes=False)
dataset(root / "data" / "variety", classes=True)
options = dict(verbose=0, save_charts=False, workspace_path=str(root / "workspace"), random_state=1)
def run(steps, names, **more):
    nirs4all.run(steps, [str(root / "data" / name) for name in names], **options, **more)
if kind == "january":
    for components in (2, 3):
        run([MinMaxScaler(), KFold(n_splits=2), {"model": PLSRegression(n_components=components)}], ["wheat"])
    run([MinMaxScaler(), KFold(n_splits=2), {"model": PLSRegression(n_components=3)}], ["wheat"])
    run([StandardNormalVariate(), KFold(n_splits=2), {"model": PLSRegression(n_components=2)}], ["corn"])
else:
    run([MinMaxScaler(), {"_or_": [StandardNormalVariate, FirstDerivative]},
         ShuffleSplit(n_splits=2, test_size=0.25, random_state=1), {"model": PLSRegression(n_components=2)}],
        ["wheat", "corn"], name="Protein sweep")
    for _ in range(2):
        model = {"model": LogisticRegression(max_iter=50)}
        run([StandardNormalVariate(), StratifiedKFold(n_splits=2), model], ["variety"], name="Variety")
"""


def environment(folder: Path, version: str, python: str) -> Path:
    """An interpreter that has that version of nirs4all."""
    place = folder / version
    if not place.exists():
        subprocess.run([python, "-m", "venv", place], check=True)
    interpreter = place / "bin" / "python"
    subprocess.run([interpreter, "-m", "pip", "install", "--quiet", f"nirs4all=={version}"], check=True)
    return interpreter


def make(interpreter: Path, kind: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-c", DATA + WORKER, folder, kind], check=True, cwd=folder, env=QUIET)
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        shutil.copytree(Path(folder) / "workspace", GOLDEN / name)
    for path in sorted(GOLDEN.joinpath(name).rglob("*"), reverse=True):
        if path.is_file() and (path.suffix in {".log", ".png", ".html"} or path.name.endswith("-wal")):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def age(name: str) -> None:
    """What January 2026 had besides: an app's files, its footers, and binaries that somebody removed."""
    root = GOLDEN / name
    for path in sorted(root.glob("*.meta.parquet")):
        content = pq.read_table(path)
        keys = {**(content.schema.metadata or {}), b"n4a_summary": json.dumps(summary_1_0(content))}
        pq.write_table(content.replace_schema_metadata(keys), path)
    shutil.rmtree(root / "binaries" / "corn")
    (root / "workspace.json").write_text('{"name": "Default Workspace", "settings": {}}')
    (root / ".nirs4all").mkdir(exist_ok=True)
    (root / ".nirs4all" / "settings.json").write_text('{"developer_mode": false}')


def versions_of(interpreter: Path) -> dict[str, str]:
    names = ("nirs4all", "scikit-learn", "numpy", "polars", "pandas", "pyarrow", "joblib")
    program = (
        "import json, sys, importlib.metadata as m\n"
        "known = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        f"print(json.dumps({{'python': sys.version.split()[0]}} | {{n: known.get(n) for n in {names}}}))"
    )
    return json.loads(subprocess.run([interpreter, "-c", program], check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--environments", type=Path)
    given = parser.parse_args()
    made = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.environments or Path(temporary)
        for version, kinds in (("0.6.2", ("calls", "january")), ("1.4.10", ("calls",))):
            interpreter = environment(folder, version, given.python)
            for kind in kinds:
                name = "nirs4all-2026-01" if kind == "january" else f"nirs4all-{version}"
                make(interpreter, kind, name)
                if kind == "january":
                    age(name)
                frames = [pl.read_parquet(path) for path in (GOLDEN / name).glob("*.meta.parquet")]
                made[name] = {"rows": sum(frame.height for frame in frames), **versions_of(interpreter)}
    (GOLDEN / "versions.json").write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
