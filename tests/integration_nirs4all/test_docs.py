"""The examples of docs/nirs4all.md run."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import experiments
import nirs4all_workspace as n4w

DOCS = Path(__file__).parents[2] / "docs" / "nirs4all.md"


def test_the_example_of_record_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "record(" in block]
    x = experiments.spectra()
    names = {"X": x, "y": 2 * x[:, 3] - x[:, 8]}
    exec(compile(example, str(DOCS), "exec"), names)
    (result,) = names["run"].results()
    assert capsys.readouterr().out.splitlines()[-1] == str(result.score)
    assert result.dataset_name == "wheat"


def test_the_example_of_a_drive_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "import run\n" in block]
    data = f"""
        import sys
        sys.path.insert(0, {str(Path(experiments.__file__).parent)!r})
        import experiments
        X = experiments.spectra()
        y = 2 * X[:, 3] - X[:, 8]
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(data) + example)
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False
    )
    assert ended.returncode == 0, ended.stderr
    status, score = ended.stdout.split()
    (run,) = n4w.Workspace.open(tmp_path / "experiments").runs.list()
    assert (status, float(score)) == ("completed", run.results()[0].score)
    assert len(run.results()) == 4


def test_the_example_of_the_way_back_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    x = experiments.spectra()
    names = {"X": x, "y": 2 * x[:, 3] - x[:, 8]}
    for name in ("record(", "export_store("):
        (example,) = [block for block in blocks if name in block]
        exec(compile(example, str(DOCS), "exec"), names)
    rows = n4w.Workspace.open("experiments").predictions.scan().collect()
    best = rows.filter(partition="val")["val_score"].min()
    assert capsys.readouterr().out.splitlines()[-3:] == [str(best), str(len(rows)), str(len(rows))]
