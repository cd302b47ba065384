"""Make the stores in `samples/stores/`, with the versions of nirs4all that wrote such: run it by hand.

    python tests/compat/make_stores.py [--uv UV] [--environments FOLDER] [NAME ...]

Each version is installed by `uv pip install --exclude-newer`, so with what there was at its date, and makes
small calls on made-up samples, each in a process of its own. A store is kept as `<name>.zip`; `stores.json`
says of each call how it ended, and which rows of `runs` it left, as SQL lists them after each call.
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parent))
from make_old_workspaces import DATA, QUIET

STORES = Path(__file__).parent / "samples" / "stores"
# Of each version: the day after it was published, and packages that need a version named to be installed.
VERSIONS = {
    "0.7.1": ("2026-02-10", ["numba>=0.60"]),
    "0.8.0": ("2026-02-22", []),
    "0.8.11": ("2026-04-16", []),
    "0.9.4": ("2026-06-12", []),
    "0.11.0": ("2026-07-12", []),
    "0.13.0": ("2026-09-04", []),
    "1.0.0": ("2026-09-05", []),
    "1.4.10": ("2026-10-17", []),
}
# Names of stores, and what makes them: a version, the calls, and options that all of them get.
LEGACY = "1.4.10-legacy"
CALLED = (
    *("plain", "plain again", "another dataset", "choice", "list", "fails", "half fails", "killed"),
    *("place in its name", "odd name", "no folds", "classes"),
)
KINDS = {
    **{version: (version, CALLED, {}) for version in VERSIONS},
    # Its default engine stores nothing.
    "1.0.0": ("1.0.0", CALLED, {"engine": "legacy"}),
    LEGACY: ("1.4.10", CALLED, {"engine": "legacy"}),
    "1.4.10-tables": ("1.4.10", ("choice", "tables"), {}),
}

WORKER = """
import json, os, pathlib, sys, warnings
warnings.simplefilter("ignore")
root, label, options = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
import nirs4all
from nirs4all.operators.transforms import FirstDerivative, StandardNormalVariate
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
if not (root / "data").exists():
    for name in ("wheat", "corn"):
        dataset(root / "data" / name, classes=False)
    dataset(root / "data" / "variety", classes=True)
SNV, D1 = StandardNormalVariate, FirstDerivative
FOLDS = KFold(n_splits=2, shuffle=True, random_state=1)
PLS, TOO_MANY = {"model": PLSRegression(n_components=2)}, {"model": PLSRegression(n_components=99)}
PLAIN = [SNV(), FOLDS, PLS]
CHOICE = [{"_or_": [SNV, D1]}, FOLDS, PLS]
CALLS = {
    "plain": (PLAIN, ["wheat"], "Plain"),
    "plain again": (PLAIN, ["wheat"], "Plain"),
    "another dataset": ([SNV(), FOLDS, {"model": Ridge()}], ["corn"], "Other"),
    "choice": (CHOICE, ["wheat", "corn"], "Choice"),
    "list": ([PLAIN, [D1(), FOLDS, {"model": Ridge()}]], ["wheat", "corn"], "List"),
    "fails": ([SNV(), FOLDS, TOO_MANY], ["wheat"], "Fails"),
    "half fails": ([PLAIN, [SNV(), FOLDS, TOO_MANY]], ["corn"], "Half"),
    "killed": (CHOICE, ["wheat", "corn"], "Killed"),
    "place in its name": (PLAIN, ["wheat"], "Batch_p1"),
    "odd name": (PLAIN, ["corn"], "Été à l'Öko / 100 %"),
    "no folds": ([SNV(), PLS], ["wheat"], "No folds"),
    "classes": ([SNV(), StratifiedKFold(n_splits=2), {"model": LogisticRegression(max_iter=50)}], ["variety"], "Classes"),
}
place = root / "workspace"
if label == "killed":
    whole, fits = PLSRegression.fit, []
    def fit(self, *given, **named):
        fits.append(self)
        if len(fits) > 4:
            os.kill(os.getpid(), 9)
        return whole(self, *given, **named)
    PLSRegression.fit = fit
if label == "tables":
    TABLES
else:
    steps, names, name = CALLS[label]
    given = [str(root / "data" / one) for one in names]
    nirs4all.run(steps, given if len(given) > 1 else given[0], name=name, verbose=0, save_charts=False,
                 workspace_path=str(place), random_state=1, **options)
"""  # noqa: E501
# Rows of tables that calls of this size do not fill; the columns are nirs4all's.
TABLES = """
    import sqlite3
    with sqlite3.connect(place / "store.sqlite") as base:
        run_id, pipeline_id = base.execute("SELECT run_id, pipeline_id FROM pipelines LIMIT 1").fetchone()
        chain_id, prediction_id = base.execute("SELECT chain_id, prediction_id FROM predictions LIMIT 1").fetchone()
        base.execute("INSERT INTO projects (project_id, name) VALUES ('pr1', 'Grain')")
        base.execute("UPDATE runs SET project_id = 'pr1' WHERE run_id = ?", (run_id,))
        base.execute("INSERT INTO logs (log_id, pipeline_id, step_idx, event, message) VALUES ('l1', ?, 1, 'fit', 'é')", (pipeline_id,))
        for key, given in (("c1", prediction_id), ("c2", "gone")):
            base.execute("INSERT INTO conformal_results (conformal_id, prediction_id, artifact_fingerprint, result_fingerprint, "
                         "coverages, artifact_json, result_json) VALUES (?, ?, 'a', 'r', '[0.9]', '{}', '{\\"width\\": 1.5}')", (key, given))
        base.execute("INSERT INTO tuning_results (tuning_id, run_id, tuning_fingerprint, result_fingerprint, engine, metric, "
                     "direction, best_value, n_trials, tuning_json, result_json) VALUES ('t1', ?, 'f', 'r', 'grid', 'rmse', 'min', 0.5, 3, '{}', '[]')", (run_id,))
        base.execute("INSERT INTO robustness_results (robustness_id, conformal_id, result_fingerprint, mode, scenario_count, slice_by, "
                     "report_json) VALUES ('b1', 'c1', 'r', 'noise', 2, '[]', '{}')")
"""  # noqa: E501


def environment(folder: Path, version: str, uv: str) -> Path:
    """An interpreter that has that version of nirs4all, and what was published before."""
    place, (date, more) = folder / version, VERSIONS[version]
    interpreter = place / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
        given = [f"--exclude-newer={date}", f"nirs4all=={version}", *more]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", interpreter, *given], check=True)
    return interpreter


def run_ids(workspace: Path) -> list[str]:
    """The ids in the table `runs`."""
    query = "SELECT run_id FROM runs ORDER BY rowid"
    if (workspace / "store.sqlite").exists():
        with closing(sqlite3.connect(workspace / "store.sqlite")) as base:
            return [row[0] for row in base.execute(query)]
    if (workspace / "store.duckdb").exists():
        with duckdb.connect(str(workspace / "store.duckdb"), read_only=True) as base:
            return [row[0] for row in base.execute(query).fetchall()]
    return []


def make(interpreter: Path, name: str) -> dict[str, object]:
    """Make a store, and return what is known of it."""
    version, labels, options = KINDS[name]
    calls = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder, "workspace")
        program = DATA + WORKER.replace("    TABLES\n", TABLES)
        for label in labels:
            before = set(run_ids(workspace))
            command = [interpreter, "-c", program, folder, label, json.dumps(options)]
            found = subprocess.run(
                command, cwd=folder, env=QUIET, capture_output=True, text=True, check=False
            )
            ending = {0: "completed", -9: "killed"}.get(found.returncode, "failed")
            new = [one for one in run_ids(workspace) if one not in before]
            calls.append({"label": label, "ending": ending, "runs": new})
            if ending == "failed":
                print(f"{name}: {label}: {found.stderr.strip().splitlines()[-1:]}")
        STORES.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(STORES / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(workspace.rglob("*")):
                if path.is_file() and path.suffix not in (".png", ".html", ".log"):
                    archive.write(path, path.relative_to(workspace))
    return {"nirs4all": version, "calls": [call for call in calls if call["label"] != "tables"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uv", default=shutil.which("uv"))
    parser.add_argument("--environments", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *KINDS])
    given = parser.parse_args()
    listed = STORES / "stores.json"
    made = json.loads(listed.read_text()) if listed.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.names or KINDS:
            interpreter = environment(given.environments or Path(temporary), KINDS[name][0], given.uv)
            made[name] = make(interpreter, name)
            print(name, (STORES / f"{name}.zip").stat().st_size)
            listed.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
