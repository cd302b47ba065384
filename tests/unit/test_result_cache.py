"""What is kept of results is never data: answers are those of the files, whatever becomes of it."""

import json
import os
import random
import shutil

import nirs4all_workspace as n4w
import pytest
import xxhash
from settling import settle

RUNS = 12


def result(run, number, score):
    return {
        "id": f"res_{number:016x}",
        "run_id": run.id,
        "template_id": run.templates[0]["id"],
        "dataset_name": "wheat",
        "status": "done",
        "metric": "rmse",
        "score": score,
        "score_basis": "folds",
        "model_name": f"model_{number % 3}",
        "best_score": -score,
        "completed_at": f"2026-11-24T10:00:{number % 60:02d}+00:00",
        "generator_choices": [{"_or_": number}],
        "later": {"unknown": [number, None]},
    }


def lay(run, results, writer="000000000001"):
    lines = "".join(json.dumps(item) + "\n" for item in results)
    path = run.path / f"results.{writer}.jsonl"
    path.write_text(lines, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """A workspace of runs with three results each, whose files are old enough to be trusted."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("kept") / "ws")
    runs = [
        ws.runs.create(f"run {number}", templates=[["PLS"]], datasets=["wheat"]) for number in range(RUNS)
    ]
    for place, run in enumerate(runs):
        lay(run, [result(run, 10 * place + number, number + place / 100) for number in range(3)])
    settle(ws.path)
    return ws, runs


def valued(item):
    return {key: value for key, value in item.items() if value not in (None, [])}


def files_say(ws):
    """The results of all runs, the best first, by json alone."""
    found = []
    for path in ws.path.glob("runs/*/results.*.jsonl"):
        writer = path.name.split(".")[1]
        found += [valued(json.loads(line)) | {"writer": writer} for line in path.read_text().splitlines()]
    return sorted(found, key=lambda item: (item["score"], item["id"]))


def shown(listed):
    return [valued(item.to_dict()) | {"writer": item.writer} for item in listed]


def check(ws):
    """That the answer is what the files say, as it is kept and as it is then read again."""
    expected = files_say(ws)
    for _ in range(2):
        listed = n4w.Workspace.open(ws.path).results.list()
        assert shown(listed) == expected
        assert listed.errors == []
    page = ws.results.list(sort_by="completed_at", descending=True, offset=3, limit=4)
    by_time = sorted(expected, key=lambda item: item["id"])
    by_time.sort(key=lambda item: item["completed_at"], reverse=True)
    assert shown(page) == by_time[3:7]
    return expected


def kept(ws):
    return ws.path / ".cache" / "run_results.bin"


def test_what_is_kept_is_used_and_what_lies_there_decides(laid):
    ws, runs = laid
    check(ws)
    content = kept(ws).read_bytes()
    assert all(run.id.encode() in content for run in runs)
    check(ws)
    assert kept(ws).read_bytes() == content
    shutil.rmtree(kept(ws).parent)
    check(ws)
    assert kept(ws).exists()


def test_damage_changes_no_answer(laid):
    ws, _ = laid
    expected = check(ws)
    cache, rng = kept(ws), random.Random(1)
    content = cache.read_bytes()
    damaged = [b"", b"garbage", os.urandom(len(content)), content + b"x", content * 2, b"\0" * len(content)]
    damaged += [content[: rng.randrange(len(content))] for _ in range(20)]
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    # Another layout, and nonsense, whose checksums are right.
    damaged.append(content[:4] + b"\x7f" + content[5:-8])
    damaged += [content[:40], content[:4] + b"\x01\x00\x00"]
    damaged[-3:] = [item + xxhash.xxh3_64_intdigest(item).to_bytes(8, "little") for item in damaged[-3:]]
    for bytes_ in damaged:
        cache.write_bytes(bytes_)
        assert shown(ws.results.list()) == expected
        assert cache.read_bytes() != bytes_
        assert len(cache.read_bytes()) == len(content)


def test_every_change_is_seen(laid):
    ws, runs = laid
    check(ws)
    # In place, of the same size; its list alone shows it.
    path = runs[0].path / "results.000000000001.jsonl"
    before = path.stat()
    text = path.read_text()
    with path.open("r+") as file:
        file.write(text.replace("model_0", "model_9").replace('"score": 1.0', '"score": 9.0'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert any(item["model_name"] == "model_9" for item in check(ws))
    # Another list, one in place of another by rename, one that goes.
    lay(runs[1], [result(runs[1], 900, -1.0)], "000000000002")
    assert check(ws)[0]["score"] == -1.0
    other = runs[2].path / "results.000000000001.jsonl.tmp"
    other.write_text(json.dumps(result(runs[2], 901, -2.0)) + "\n")
    other.replace(runs[2].path / "results.000000000001.jsonl")
    assert check(ws)[0]["score"] == -2.0
    (runs[3].path / "results.000000000001.jsonl").unlink()
    assert not any(item["run_id"] == runs[3].id for item in check(ws))
    # Runs that come and go, and one whose record is damaged in place.
    new = ws.runs.create("new", templates=[["PLS"]], datasets=["wheat"])
    lay(new, [result(new, 902, -3.0)])
    assert check(ws)[0]["score"] == -3.0
    ws.runs.delete(new.id)
    assert check(ws)[0]["score"] == -2.0
    record = runs[4].path / "run.yaml"
    good = record.read_bytes()
    record.write_bytes(b"status: [")
    listed = ws.results.list()
    assert [error["path"] for error in listed.errors] == [f"runs/{runs[4].id}/run.yaml"]
    assert not any(item.run_id == runs[4].id for item in listed)
    record.write_bytes(good)
    check(ws)


def test_names_in_records_are_those_of_now(laid):
    ws, runs = laid
    check(ws)
    run = runs[5]
    own = [item for item in files_say(ws) if item["run_id"] == run.id]
    assert shown(ws.results.list(run="run 5")) == own
    record, references = run.path / "run.yaml", run.path / "templates.yaml"
    record.write_text(record.read_text().replace("name: run 5", "name: say 5"))
    assert shown(ws.results.list(run="say 5")) == own
    with pytest.raises(n4w.NotFoundError, match="run 5"):
        ws.results.list(run="run 5")
    references.write_text(references.read_text().rstrip() + "\n  name: mine\n")
    assert shown(ws.results.list(template="mine")) == own
    assert shown(ws.results.list(run=run.id, template="mine", dataset="wheat")) == own
    assert shown(ws.results.list(template="nobody's")) == []


def test_open_results_come_in_place_of_what_is_kept(laid):
    ws, runs = laid
    check(ws)
    run = ws.runs.get(runs[6].id)
    with run:
        planned = run.plan([{"name": "a"}, {"name": "b"}])
        with run.writer("wheat") as writer:
            for number, item in enumerate(planned):
                writer.write(
                    {"id": item.id, "metric": "rmse", "val_score": -9.0 - number, "result_id": item.id}
                )
                writer.checkpoint(item)
                listed = ws.results.list(limit=1)
                assert [found.id for found in listed] == [item.id]
                assert listed.total == len(files_say(ws)) + number + 1
        check(ws)
    assert [found.id for found in ws.results.list(limit=2)] == [planned[1].id, planned[0].id]


def test_what_is_done_counts_before_what_failed(laid):
    ws, runs = laid
    first, second = result(runs[7], 950, 5.0), result(runs[7], 950, 4.0)
    lay(runs[7], [first | {"status": "failed"}], "00000000000a")
    lay(runs[7], [second | {"completed_at": "2026-11-24T11:00:00+00:00"}], "00000000000b")
    found = [item for item in ws.results.list() if item.id == first["id"]]
    assert [(item.status, item.score, item.writer) for item in found] == [("done", 4.0, "00000000000b")]
    repeated = ws.runs.get(runs[7].id).results()
    assert sum(item.id == first["id"] for item in repeated) == 1
    lay(runs[7], [second | {"completed_at": first["completed_at"]}], "000000000009")
    found = [item for item in ws.results.list() if item.id == first["id"]]
    assert [item.writer for item in found] == ["000000000009"]
