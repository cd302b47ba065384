"""An experiment over a Dask cluster whose owner is killed again and again: nothing is missing in the end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import pytest

pytest.importorskip("distributed", reason="Dask is missing: pip install distributed")
pytest.importorskip("nirs4all", reason='nirs4all is missing: pip install "nirs4all-workspace[nirs4all]"')
if "N4W_STRESS_ROUNDS" not in os.environ:
    pytest.skip("takes a minute: N4W_STRESS_ROUNDS=1 runs it", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "integration_nirs4all"))

from drives import TEMPLATES, drive_again, folders, rows_of_one_call, rows_of_run

CLUSTER = """
import distributed
cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
client = distributed.Client(cluster)
how = {"executor": client.get_executor()}
"""


def test_killed_after_every_third_checkpoint_and_resumed(tmp_path):
    paths, place = folders(tmp_path / "data"), tmp_path / "ws"
    expected = rows_of_one_call(TEMPLATES(), paths, tmp_path / "one")
    code = drive_again(paths, place, 0, kill_after=3, before=CLUSTER)
    ends = []
    while not ends or (ends[-1] and len(ends) < 9):
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=500, check=False)
        ends.append(ended.returncode)
    assert ends == [-signal.SIGKILL] * 4 + [0]
    (run,) = n4w.Workspace.open(place).runs.list()
    assert (run.status, len(run.results())) == ("completed", 14)
    assert not expected - rows_of_run(run)
