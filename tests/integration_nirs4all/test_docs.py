"""The examples of docs/nirs4all.md run."""

import re
from pathlib import Path

import experiments

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
