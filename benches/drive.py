"""What driving costs: six configurations, driven, against one call of nirs4all, by turns.

    python benches/drive.py [--rounds 7] [--results 1000] [--json FILE]

Each round is a fresh process for each; processor time is compared, not that of a clock. The bar is 1.15 times
that of one call to its own workspace, and 5 ms for our own part of a result: writing it, storing its models,
committing it. Memory after many results is compared with that of a script that calls nirs4all alone for each.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_SAMPLES, N_WAVELENGTHS = 150, 2151


def spectra():
    rng = np.random.default_rng(5)
    x = np.cumsum(rng.normal(size=(N_SAMPLES, N_WAVELENGTHS)), axis=1)
    return x, x[:, 300] - 0.5 * x[:, 800] + rng.normal(size=N_SAMPLES)


def template():
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    snv = {"class": "nirs4all.operators.transforms.StandardNormalVariate"}
    return [
        {"_or_": [StandardScaler(), MinMaxScaler(), snv]},
        KFold(5),
        {"model": PLSRegression(), "n_components": {"_or_": [5, 10]}},
    ]


def one_call(place):
    import nirs4all

    result = nirs4all.run(
        template(),
        spectra(),
        name="bench",
        workspace_path=place,
        random_state=1,
        save_charts=False,
        verbose=0,
    )
    result.close()


def driven(place):
    from nirs4all_workspace.integrations.nirs4all import run

    run([template()], {"spectra": spectra()}, place, name="bench", random_state=1)


def own_part(place):
    """Seconds that each result takes beside what computes it."""
    from nirs4all_workspace.integrations.nirs4all import drive

    add, spent = drive._Store.add, []

    def timed(self, task, answer):
        begun = time.perf_counter()
        add(self, task, answer)
        spent.append(time.perf_counter() - begun)

    drive._Store.add = timed
    driven(place)
    return spent


def alone_many(_, count):
    """Call nirs4all alone for as many small results, and keep nothing."""
    import nirs4all
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold

    x, y = spectra()
    for number in range(count):
        steps = [KFold(2), {"model": Ridge(alpha=1 + number)}]
        options = {"random_state": 1, "save_artifacts": False, "save_charts": False, "verbose": 0}
        result = nirs4all.run(steps, (x[:, :50], y), name="bench", **options)
        result.predictions.filter_predictions(load_arrays=True)
        result.close()


def driven_many(place, count):
    """Memory when the last result is stored; what the run takes to end comes on top."""
    from nirs4all_workspace.integrations.nirs4all import drive, run
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold

    add, seen = drive._Store.add, []

    def counted(self, task, answer):
        add(self, task, answer)
        seen.append(rss_mb())

    drive._Store.add = counted
    x, y = spectra()
    many = [KFold(2), {"_or_": [{"model": Ridge(alpha=1 + number)} for number in range(count)]}]
    run([many], {"spectra": (x[:, :50], y)}, place, name="bench", random_state=1, artifacts="none")
    return seen[-1]


def rss_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


WORK = {
    "one call": one_call,
    "driven": driven,
    "own part": own_part,
    "alone": alone_many,
    "many": driven_many,
}


def once(work, *arguments):
    """Run in a fresh process; return its processor time, peak memory in MB, and what it returned."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--once", work, *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measured(work, *arguments):
    import nirs4all
    import nirs4all_workspace

    del nirs4all, nirs4all_workspace
    before = time.process_time()
    found = WORK[work](Path("place"), *map(int, arguments))
    spent = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"cpu_s": spent, "rss_mb": rss_mb(), "peak_mb": peak, "found": found}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--once", nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.once:
        measured(*arguments.once)
        return
    found = {"one call": [], "driven": []}
    for number in range(arguments.rounds):
        for work in sorted(found, reverse=number % 2 == 0):
            found[work].append(once(work)["cpu_s"])
        print({work: round(times[-1], 2) for work, times in found.items()}, flush=True)
    call, drive = (statistics.median(found[work]) for work in ("one call", "driven"))
    own = statistics.median(once("own part")["found"])
    print(f"CPU of six configurations: one call {call:.2f} s, driven {drive:.2f} s, {drive / call:.2f}x")
    print(f"our own part of a result: {1e3 * own:.1f} ms")
    answer = {"cpu_s": found, "own_part_s": own, "versions": {"python": platform.python_version()}}
    if arguments.results:
        alone, many = (once(work, arguments.results) for work in ("alone", "many"))
        answer["rss_mb"] = {"alone": alone["rss_mb"], "driven": many["found"], "ended": many["rss_mb"]}
        print(f"memory after {arguments.results} results, MB: {answer['rss_mb']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
