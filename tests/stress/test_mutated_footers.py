"""1,000 damaged files: right answers or named errors; no crash, no hang, no wrong answer."""

import os
import random
import subprocess
import sys
from pathlib import Path

import mutants
import nirs4all_workspace as n4w
import oracle
import pytest
from samples import footer_span, frame_of, strict, table, write

COUNT = int(os.environ.get("N4W_STRESS_MUTANTS", "1000"))
SEED = int(os.environ.get("N4W_STRESS_SEED", "20260116"))
NAMED = {"CorruptFileError", "SchemaError", "UnknownMetricError"}


def sources(folder: Path) -> list[Path]:
    """Files of several writers and shapes, some with a summary in the footer."""
    plain = write(folder / "plain" / "wheat.meta.parquet", table(40))
    groups = write(
        folder / "groups" / "wheat.meta.parquet", table(45, seed=2), row_group_size=10, compression="none"
    )
    write(folder / "rebuilt" / "wheat.meta.parquet", table(30, seed=3, metric="r2"))
    n4w.Workspace.open(folder / "rebuilt").predictions.rebuild_summaries()
    frame = frame_of(plain).with_columns(run_id=None)
    polars = folder / "polars" / "wheat.meta.parquet"
    polars.parent.mkdir()
    frame.write_parquet(polars)
    return [plain, groups, folder / "rebuilt" / "wheat.meta.parquet", polars]


def run_over(mode, out, paths):
    """Every file's answer, and the files at which the worker died."""
    script = Path(mutants.__file__)
    done, deaths = [], []
    rest = [str(path) for path in paths]
    while rest:
        out.unlink(missing_ok=True)
        run = subprocess.run(
            [sys.executable, script, mode, out, *rest],
            stderr=subprocess.PIPE,
            text=True,
            timeout=200,
            check=False,
        )
        answers = [strict(line) for line in out.read_text().splitlines()] if out.exists() else []
        done += answers
        rest = rest[len(answers) :]
        if run.returncode == 0:
            break
        deaths.append((rest[0], run.returncode, run.stderr[-500:]))
        rest = rest[1:]
    return {answer["path"]: answer for answer in done}, deaths


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    originals = sources(folder)
    rng = random.Random(SEED)
    made = {}
    (folder / "ws").mkdir()
    for number in range(COUNT):
        source = originals[number % len(originals)]
        path = folder / "ws" / f"{number:05d}.meta.parquet"
        path.write_bytes(mutants.mutate(source.read_bytes(), rng))
        made[str(path)] = source
    answers, deaths = run_over("read", folder / "answers.jsonl", made)
    return folder, made, answers, deaths


def test_no_damage_kills_the_process(damaged):
    assert damaged[3] == []


def test_every_damaged_file_is_right_or_a_named_error(damaged):
    folder, made, answers, deaths = damaged
    read = [path for path, answer in answers.items() if "essence" in answer]
    by_pyarrow, _ = run_over("rows", folder / "rows.jsonl", read)
    originals = {
        source: mutants.of_oracle(oracle.summarise(frame_of(source))) for source in set(made.values())
    }
    wrong = []
    for path, answer in answers.items():
        if "error" in answer:
            assert answer["error"] in NAMED, answer
            continue
        told = by_pyarrow.get(path, {}).get("essence")
        if told is None and pages_differ(made[path], Path(path)):
            continue  # pages carry no checksum, and decoders differ in what damage they notice
        right = [originals[made[path]], told]
        if strict(mutants.json.dumps(answer["essence"])) not in strict(mutants.json.dumps(right)):
            wrong.append((path, answer, by_pyarrow.get(path)))
    assert len(answers) + len(deaths) == COUNT
    assert wrong == []


def pages_differ(source: Path, damaged: Path) -> bool:
    pages = footer_span(source.read_bytes())[0]
    return source.read_bytes()[:pages] != damaged.read_bytes()[:pages]


def test_errors_and_answers_both_occur(damaged):
    """Else the damage would be too crude, or too mild, to test anything."""
    _, _, answers, _ = damaged
    failed = sum("error" in answer for answer in answers.values())
    assert COUNT * 0.2 < failed < COUNT * 0.95


def test_damage_that_is_trusted_lies_outside_of_the_footer(damaged):
    """A footer with a flipped bit never passes for the one that the summary was made for."""
    _, made, answers, _ = damaged
    for path, answer in answers.items():
        if "essence" not in answer or answer["scanned"] is not None:
            continue
        source, now = made[path].read_bytes(), Path(path).read_bytes()
        length = int.from_bytes(source[-8:-4], "little") + 8
        assert now[-length:] == source[-length:], path


def test_a_workspace_of_damaged_files_answers_for_the_others(damaged, tmp_path):
    _, made, answers, deaths = damaged
    if deaths:
        pytest.skip("a file that kills the process would kill this one")
    ws = tmp_path / "ws"
    for path in list(made)[::5]:
        write_link(ws, Path(path))
    for number in range(3):
        write(ws / f"good{number}.meta.parquet", table(seed=number, dataset=f"good{number}", metric="mae"))
    code = (
        "import sys, json, nirs4all_workspace as n; w = n.Workspace.open(sys.argv[1]); "
        "print(json.dumps([w.summary(), w.predictions.top(40, metric='mae').to_dict(), w.verify()]))"
    )
    run = subprocess.run([sys.executable, "-c", code, ws], capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-1000:]
    summary, top, _ = strict(run.stdout)
    failed = sorted(Path(path).name for path in list(made)[::5] if "error" in answers[path])
    assert sorted(error["path"] for error in summary["errors"]) == failed
    assert sorted(error["path"] for error in top["errors"]) == failed
    total = sum(answers[path]["essence"]["total"] for path in list(made)[::5] if "essence" in answers[path])
    assert summary["total_predictions"] == total + 180
    by_name = {entry["dataset_name"]: entry for entry in summary["datasets"]}
    for number in range(3):
        assert by_name[f"good{number}"]["total_predictions"] == 60
    assert [row["dataset_name"][:4] for row in top["records"]] == ["good"] * 40


def write_link(folder, path):
    folder.mkdir(exist_ok=True)
    (folder / path.name).symlink_to(path)
