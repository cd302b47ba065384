"""Make the rows and scores in `data/scores/`, as nirs4all and scikit-learn give them: run it by hand.

    python tests/compat/make_scores.py [--python PYTHON] [--environments FOLDER] [NAME ...]

nirs4all 1.4.10 and 0.6.2 are installed as `make_old_workspaces.py` does it, and run each case on made-up
spectra: 60 samples for training, 12 for testing, 12 wavelengths. NAME is `1.4.10`, `1.4.10-legacy` (its other
engine) or `0.6.2`; without one all three are made anew. Ids and times differ from run to run, nothing else.

- `nirs4all-1.4.10/<case>.parquet` holds the rows that the call returned, with their arrays.
- `nirs4all-0.6.2/workspace` is what that version wrote, of all cases, without models, reports and logs.
- `<case>.json` beside them says what nirs4all said of each model, and what scikit-learn says of the same
  steps, splitter and data. Those are tied by their predictions, which have to be equal.

What the rows have, and what is odd about them, is told in `data/scores/README.md`.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import logging
import math
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
SCORES = Path(__file__).parent / "data" / "scores"
NAMES = ("1.4.10", "1.4.10-legacy", "0.6.2")
# What the other engine would only say once more.
LEFT_OUT = {
    "1.4.10": set(),
    "1.4.10-legacy": {"kfold7", "no_refit", "same_class", "twins", "two_targets", "classes_stratified"},
    "0.6.2": {"no_refit", "refit_two"},
}
RANKED = {"regression": ("rmse", "mae", "r2"), "classes": ("accuracy", "balanced_accuracy", "f1")}
SMALL = {"compression": "zstd", "compression_level": 19, "write_statistics": False, "store_schema": False}
PROGRAM = "import make_scores, pathlib, sys; make_scores.work(sys.argv[1], *map(pathlib.Path, sys.argv[2:]))"


def dataset(name, data):
    from nirs4all.data.dataset import SpectroDataset

    made = SpectroDataset(name=name)
    for part, x, y in (("train", *data[:2]), ("test", *data[2:])):
        if x is not None:
            made.add_samples(x, indexes={"partition": part})
            made.add_targets(y.astype(int) if name == "classes" else y)
    return made


def table(rows):
    """Rows as a table: dicts as JSON, arrays as lists, and their shapes where they have two dimensions."""
    import numpy as np
    import pyarrow as pa

    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    made = {}
    for name, values in columns.items():
        if name in {"y_true", "y_pred", "y_proba", "weights", "sample_indices"}:
            kind = pa.int64() if name == "sample_indices" else pa.float64()
            lists = [None if of is None else np.asarray(of).ravel().tolist() for of in values]
            if any(lists):
                made[name] = pa.array(lists, pa.list_(kind))
                if name.startswith("y_"):
                    made[f"{name}_shape"] = pa.array([json.dumps(np.shape(of)) for of in values])
        elif name in {"X", "spectra"}:
            assert not any(len(of) for of in values)
        elif any(isinstance(of, dict | list) for of in values):
            # The id of each sample in the dataset's memory is left out: it repeats the indices.
            for of in values:
                if isinstance(of, dict):
                    of.pop("physical_sample_id", None)
            made[name] = pa.array([None if of is None else json.dumps(of) for of in values], pa.string())
        elif name == "created_at":
            made[name] = pa.array([None if of is None else str(of) for of in values])
        elif name.endswith("_score") or name == "exclusion_rate":
            made[name] = pa.array(values, pa.float64())
        elif name in {"step_idx", "op_counter", "n_samples", "n_features", "branch_id", "exclusion_count"}:
            made[name] = pa.array(values, pa.int64())
        else:
            made[name] = pa.array([None if of is None else str(of) for of in values], pa.string())
    return pa.table(made)


def written(place, seen):
    """Rows of 0.6.2 as they are in its files, of the configurations that were not there before."""
    import polars as pl

    rows = []
    for path in sorted(place.glob("*.meta.parquet")):
        stored = pl.read_parquet(str(path).replace(".meta.", ".arrays."))
        held = dict(stored.select("array_id", "array_data").iter_rows())
        new = [row for row in pl.read_parquet(path).iter_rows(named=True) if row["config_name"] not in seen]
        rows += [row | {"y_true": held[row["y_true_id"]], "y_pred": held[row["y_pred_id"]]} for row in new]
    seen |= {row["config_name"] for row in rows}
    return rows


def finite(value):
    """A value for strict JSON: numbers of NumPy as those of Python, and null for what is not finite."""
    if isinstance(value, dict):
        return {str(name): finite(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [finite(of) for of in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def call(name, label, case, data, place):
    """The result of one case."""
    import nirs4all

    options = {"random_state": 1, "save_charts": False, "verbose": 0, "name": label} | case.options
    if name != "1.4.10":
        options["workspace_path"] = str(place)
    if name != "0.6.2":
        options["save_artifacts"] = False
    if name == "1.4.10-legacy":
        options["engine"] = "legacy"
    with contextlib.redirect_stdout(io.StringIO()):
        return nirs4all.run(case.steps, dataset(case.data, data), **options)


def work(name: str, folder: Path, target: Path) -> None:
    """Run all cases in the environment of one version of nirs4all."""
    warnings.simplefilter("ignore")
    logging.disable()
    import pyarrow.parquet as pq
    from scores_of_cases import arrays, cases
    from scores_of_models import describe, entry, first

    versions = {of: importlib.metadata.version(of) for of in ("nirs4all", "scikit-learn", "numpy")}
    older = None if name == "1.4.10" else name
    given, seen, refused = arrays(), set(), {}
    for label, case in cases().items():
        if label in LEFT_OUT[name]:
            continue
        data, place = given[case.data], folder / ("workspace" if name == "0.6.2" else label)
        try:
            result = call(name, label, case, data, place)
        except Exception as problem:  # noqa: BLE001
            refused[label] = f"{type(problem).__name__}: {problem}"[:300]
            continue
        if name == "0.6.2":
            rows = written(place, seen)
        else:
            rows = result.predictions.filter_predictions(load_arrays=True)
            pq.write_table(table(rows), target / f"{label}.parquet", **SMALL)
        predictions = result.predictions
        said = {
            "case": label,
            "made_by": versions | {"engine": getattr(result, "execution_engine", None) or name},
            "steps": [repr(step) for step in case.steps],
            "options": case.options,
            "result": {
                "class": type(result).__name__,
                "rows": len(rows),
                "cv_best_score": getattr(result, "cv_best_score", None),
                "best_score": result.best_score,
                "cv_best": entry(getattr(result, "cv_best", None)),
                "best": entry(result.best),
                "runs": [run.cv_best_score for run in getattr(result, "runs", [])],
            },
            "ranked_first": {
                of: first(predictions, older, rank_metric=of)
                for of in RANKED.get(case.data, RANKED["regression"])
            },
            "refits": [entry(row) for row in rows if row["fold_id"] == "final"],
            "models": describe(case, rows, data, result, older),
        }
        text = json.dumps(finite(said), indent=1, allow_nan=False)
        # One line for what has no further level.
        text = re.sub(r"[{][^{}\[\]]*[}]", lambda found: " ".join(found[0].split()), text)
        (target / f"{label}.json").write_text(text + "\n")
    (target / "refused.json").write_text(json.dumps(refused, indent=1) + "\n")


def keep(workspace: Path, target: Path) -> None:
    """The prediction files of a workspace of 0.6.2, and its manifests, which are long and alike, zipped."""
    target.joinpath("workspace").mkdir()
    for path in sorted(workspace.glob("*.parquet")):
        shutil.copyfile(path, target / "workspace" / path.name)
    with zipfile.ZipFile(target / "manifests.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(workspace.rglob("manifest.yaml")):
            archive.write(path, path.relative_to(workspace))


def main() -> None:
    from make_old_workspaces import QUIET, environment

    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--environments", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES])
    given = parser.parse_args()
    for name in given.names or NAMES:
        target = SCORES / f"nirs4all-{name}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as folder:
            place = given.environments or Path(folder) / "environments"
            interpreter = environment(place, name.partition("-")[0], given.python)
            paths = {**QUIET, "PYTHONPATH": str(Path(__file__).parent), "PYTHONDONTWRITEBYTECODE": "1"}
            asked = [interpreter, "-c", PROGRAM, name, folder, target]
            subprocess.run(asked, check=True, cwd=folder, env=paths)
            if name == "0.6.2":
                keep(Path(folder) / "workspace", target)


if __name__ == "__main__":
    main()
