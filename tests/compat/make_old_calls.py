"""Make the workspaces in `golden/nirs4all-0.6.2-calls/`, of calls of every kind: run it by hand.

    python tests/compat/make_old_calls.py [--python PYTHON] [--environments FOLDER] [NAME ...]

nirs4all 0.6.2 is installed as `make_old_workspaces.py` does it, and makes small calls on made-up samples,
each workspace in a process of its own (a call that is killed in one more). A workspace is kept as
`<name>.zip` without artifacts and charts; in it lie `workspace/` and `truth.json`, which says of each call
what it was given, how it ended and which manifests it left, and how many rows each file has.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from make_old_workspaces import DATA, GOLDEN, QUIET, environment

CALLS = GOLDEN / "nirs4all-0.6.2-calls"
# A zone where neither half hours nor the sign can be mistaken.
ZONES = {"zones": "America/St_Johns", "talking": "Asia/Kolkata"}

WORKER = """
import datetime, json, os, pathlib, sys, time, warnings
warnings.simplefilter("ignore")
root, kind, only = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
import polars as pl
import nirs4all
from nirs4all.data.dataset import SpectroDataset
from nirs4all.operators.transforms import FirstDerivative, MultiplicativeScatterCorrection, StandardNormalVariate
from nirs4all.pipeline import PipelineConfigs, PipelineRunner
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.preprocessing import MinMaxScaler
place = root / "workspace"
if not only:
    for name in ("wheat", "corn"):
        dataset(root / "data" / name, classes=False)
SNV, MSC, D1 = StandardNormalVariate, MultiplicativeScatterCorrection, FirstDerivative
FOLDS = KFold(n_splits=2, shuffle=True, random_state=1)
PLS2 = {"model": PLSRegression(n_components=2)}
TOO_MANY = {"model": PLSRegression(n_components=99)}
PLAIN = [SNV(), FOLDS, PLS2]
CHOICE = [{"_or_": [SNV, D1]}, FOLDS, PLS2]
RANGE = [SNV(), FOLDS, {"model": PLSRegression(), "n_components": {"_range_": [1, 3]}}]

calls = []
def manifests():
    return {str(path.relative_to(place)) for path in place.glob("runs/**/manifest.yaml")}
def files():
    return {str(path.relative_to(place)): pl.read_parquet(path, columns=["config_name"]).height
            for path in sorted(place.glob("**/*.meta.parquet"))}
def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()
def call(label, work, name=""):
    before, began, error = manifests(), now(), None
    try:
        work()
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}"[:200]
    new = sorted(manifests() - before)
    calls.append({"label": label, "name": name, "started": began, "ended": now(), "error": error, "manifests": new})
def data(*names):
    return [str(root / "data" / name) for name in names]
def run(label, pipeline, names, name="", **more):
    options = dict(verbose=0, save_charts=False, workspace_path=str(place), random_state=1) | more
    given = names if not isinstance(names, list) else data(*names) if len(names) > 1 else data(*names)[0]
    call(label, lambda: nirs4all.run(pipeline, given, **options, **({"name": name} if name else {})), name)
def killed(label, fits):
    began, before = now(), manifests()
    import subprocess
    subprocess.run([sys.executable, "-c", PROGRAM, str(root), kind, str(fits)], check=False)
    calls.append({"label": label, "name": "Killed", "started": began, "ended": now(), "error": "killed",
                  "manifests": sorted(manifests() - before)})
def spectra(name, sources=1):
    import numpy as np
    made, rng = SpectroDataset(name=name), np.random.default_rng(3)
    for part, rows in (("train", 20), ("test", 8)):
        x = [np.cumsum(rng.normal(size=(rows, 12)), axis=1) for _ in range(sources)]
        made.add_samples(x if sources > 1 else x[0], indexes={"partition": part})
        made.add_targets(x[0][:, 3] * 2)
    return made

if only:
    whole, fits = PLSRegression.fit, []
    def fit(self, *given):
        fits.append(self)
        if len(fits) > int(only[0]):
            os.kill(os.getpid(), 9)
        return whole(self, *given)
    PLSRegression.fit = fit
    run("", CHOICE, ["wheat", "corn"], "Killed")
elif kind == "lists":
    run("one configuration", PLAIN, ["wheat"], "Same")
    run("the same again", PLAIN, ["wheat"], "Same")
    run("the same name, another dataset", PLAIN, ["corn"], "Same")
    run("a list of pipelines on two datasets", [PLAIN, [MSC(), FOLDS, {"model": Ridge()}]], ["wheat", "corn"], "Lists")
    run("a list of pipelines without a name", [PLAIN, RANGE], ["corn"])
    run("no name", PLAIN, ["corn"])
    run("no name again", [MSC(), FOLDS, PLS2], ["wheat"])
elif kind == "failing":
    run("good", PLAIN, ["wheat"], "Good")
    run("fails in its model", [SNV(), FOLDS, TOO_MANY], ["wheat"], "Bad")
    run("fails in its second configuration", [FOLDS, {"_or_": [{"model": PLSRegression(n_components=2)}, TOO_MANY]}], ["corn"], "Half")
    run("second pipeline fails", [PLAIN, [SNV(), FOLDS, TOO_MANY]], ["corn"], "List")
    run("goes on after an error", [{"_or_": [SNV, D1]}, FOLDS, TOO_MANY], ["wheat"], "Goes on", continue_on_error=True)
    run("no such dataset", PLAIN, ["barley"], "Nothing")
    killed("killed in its second configuration", 3)
    killed("killed on its second dataset", 5)
    run("good again", PLAIN, ["wheat"], "Good")
elif kind == "names":
    run("accents and blanks", PLAIN, ["wheat"], "Été à l'Öko 100 %")
    run("ends as a hash", PLAIN, ["wheat"], "run_abcdef")
    run("ends as a list's", PLAIN, ["wheat"], "Try_p1")
    run("another that ends as a list's", PLAIN, ["wheat"], "Try_p2")
    run("a slash in the dataset", PLAIN, spectra("corn/2023"), "Slash")
    run("two slashes in the dataset", CHOICE, spectra("corn/2023/a b"), "Slash")
    run("a slash in the name", PLAIN, ["wheat"], "NIR/2023")
    run("blanks in the dataset", PLAIN, spectra("Blé d'été"), "Blanks")
elif kind == "generators":
    run("or", CHOICE, ["wheat"], "Or")
    run("range on two datasets", RANGE, ["wheat", "corn"], "Range")
    run("or and range", [{"_or_": [SNV, MSC]}, *RANGE[1:]], ["wheat"], "Both")
    run("or again on another dataset", CHOICE, ["corn"], "Or")
elif kind == "sources":
    run("two sources", PLAIN, spectra("pair", 2), "Sources")
    run("two models", [SNV(), FOLDS, PLS2, {"model": Ridge()}], ["wheat"], "Models")
    run("augmented", [{"sample_augmentation": {"transformers": [nirs4all.operators.Rotate_Translate()], "count": 2}}, *PLAIN],
        ["wheat"], "Augmented")
    run("no folds", [SNV(), PLS2], ["wheat"], "No folds")
    run("three folds of some samples", [SNV(), ShuffleSplit(n_splits=3, test_size=0.25, random_state=1), PLS2], ["wheat"], "Shuffled")
elif kind == "zones":
    run("first", PLAIN, ["wheat"], "Zone")
    run("second", PLAIN, ["corn"], "Zone")
    time.sleep(1.2)
    run("third, of two datasets", [MSC(), FOLDS, PLS2], ["wheat", "corn"], "Zone")
elif kind == "talking":
    run("first", PLAIN, ["wheat", "corn"], "Talk", verbose=1)
    run("second", [PLAIN, RANGE], ["wheat"], "Talk", verbose=2, json_output=True)
    run("fails", [SNV(), FOLDS, TOO_MANY], ["wheat"], "Talk", verbose=1)
elif kind == "runner":
    runner = PipelineRunner(workspace_path=str(place), verbose=0, save_charts=False, random_state=1)
    for label, steps, name, of in (("a", PLAIN, "One", "wheat"), ("b", CHOICE, "Two", "wheat"), ("c", PLAIN, "One", "wheat")):
        call(label, lambda: runner.run(PipelineConfigs(steps, name), data(of)[0]), name)
    with nirs4all.session(workspace_path=str(place), verbose=0, save_charts=False) as shared:
        call("in a session", lambda: nirs4all.run(PLAIN, data("corn")[0], name="Held", session=shared), "Held")
        call("in it again", lambda: nirs4all.run(CHOICE, data("corn")[0], name="Held too", session=shared), "Held too")
if not only:
    (root / "truth.json").write_text(json.dumps({"made_by": "nirs4all 0.6.2", "calls": calls, "rows": files()}, indent=1))
"""  # noqa: E501
KINDS = ("lists", "failing", "names", "generators", "sources", "zones", "talking", "runner")
# What neither readers nor migration need to see to be tested.
LEFT_OUT = {".png", ".html", ".joblib", ".csv"}


def make(interpreter: Path, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = DATA + WORKER
        program = f"PROGRAM = {program!r}\n" + program
        environment_of = {**QUIET, "TZ": ZONES.get(kind, "UTC")}
        subprocess.run([interpreter, "-c", program, folder, kind], check=True, cwd=folder, env=environment_of)
        CALLS.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(CALLS / f"{kind}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.write(Path(folder) / "truth.json", "truth.json")
            for path in sorted((Path(folder) / "workspace").rglob("*")):
                if path.is_file() and path.suffix not in LEFT_OUT and path.name != "pipeline.json":
                    archive.write(path, path.relative_to(folder))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--environments", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *KINDS])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        interpreter = environment(given.environments or Path(temporary), "0.6.2", given.python)
        for kind in given.names or KINDS:
            make(interpreter, kind)
            print(kind, (CALLS / f"{kind}.zip").stat().st_size)


if __name__ == "__main__":
    main()
