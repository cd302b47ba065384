"""The README does what it shows, and the demo shows what nirs4all wrote."""

import json
import re
from pathlib import Path

import nirs4all_workspace as n4w
import polars as pl
import pytest
from commands import n4w_process

README = Path(__file__).parents[2] / "README.md"


EXAMPLES = [
    text
    for text in re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    if "create" in text
]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_writing_as_the_readme_shows_it(tmp_path, monkeypatch, capsys, number):
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(EXAMPLES[number], found)
    run = found["run"]
    assert run.status is n4w.RunStatus.COMPLETED
    assert [result.best_score for result in run.results()] == [0.31]
    rows = pl.read_parquet(found["ws"].path / "predictions/*/*.meta.parquet")
    assert rows.select("val_score", "metric").rows() == [(0.31, "rmse")]
    assert found["ws"].verify(full=True)["problems"] == []
    assert capsys.readouterr().out == ("1 0.31\n" if "print" in EXAMPLES[number] else "")


def test_the_demo_summarises_its_files():
    answer = json.loads(n4w_process("demo", "--json", check=True).stdout)
    files = sorted((Path(n4w.__file__).parent / "demo").glob("*.parquet"))
    rows = pl.concat([pl.read_parquet(file) for file in files], how="diagonal_relaxed")
    assert (answer["total_predictions"], answer["total_datasets"]) == (rows.height, len(files)) == (390, 3)
