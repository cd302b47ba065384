"""Many processes that register, link, relocate and finish runs in one workspace: nothing is lost."""

import json
import os

import nirs4all_workspace as n4w
import spawning
import yaml

PROCESSES = int(os.environ.get("N4W_STRESS_WRITERS", "8"))  # a multiple of 8
ROUNDS = 3
SHARED = 8

CODE = """
import json, sys
from pathlib import Path
import nirs4all_workspace as n4w

root, me = Path(sys.argv[1]), int(sys.argv[2])
ws = n4w.Workspace.open(root / "ws")
sys.stdin.readline()
seen = {}
for turn in range(%(rounds)d):
    own = ws.datasets.register(root / f"own{me}-{turn}.csv", metadata={"owner": me})
    shared = ws.datasets.register(root / f"shared{(me + turn) %% %(shared)d}-{me %% 2}.csv", name=f"by {me}")
    seen[own.name] = own.id
    seen[f"shared{(me + turn) %% %(shared)d}"] = shared.id
    bare = {"name": f"bare{me %% 4}", "path": f"../bare{me %% 4}.csv"}
    with ws.runs.create(f"run {me}", templates=[[{"scale": me}]], datasets=[own.id, shared, bare]):
        pass
    report = ws.datasets.link()
    assert report.errors == [], report.errors
    assert ws.datasets.get(own.id).metadata == {"owner": me}
print(json.dumps(seen))
"""


def content(key):
    lines = [";".join(str(1100 + 10 * i) for i in range(8)) + ";y"]
    lines += [";".join(str(key * 100 + r + c % 3) for c in range(8)) + f";{r / 2}" for r in range(5)]
    return "\n".join(lines) + "\n"


def test_nothing_is_lost_and_no_id_is_shared(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    expected = {}
    for me in range(PROCESSES):
        for turn in range(ROUNDS):
            file = tmp_path / f"own{me}-{turn}.csv"
            file.write_text(content(1000 + me * ROUNDS + turn))
            expected[n4w.hash_file(file)] = file.stem
    for i in range(SHARED):
        for copy in range(2):
            file = tmp_path / f"shared{i}-{copy}.csv"
            file.write_text(content(i))
            expected[n4w.hash_file(file)] = f"shared{i}"
    for i in range(4):
        file = tmp_path / f"bare{i}.csv"
        file.write_text(content(100 + i))
        expected[n4w.hash_file(file)] = f"bare{i}"
    code = CODE % {"rounds": ROUNDS, "shared": SHARED}
    processes = [spawning.Process(code, tmp_path, me, stderr=spawning.PIPE) for me in range(PROCESSES)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=280) for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, [
        it[1] for it in outputs if it[1]
    ]
    ids = {}
    for output, _ in outputs:
        for name, id_ in json.loads(output).items():
            assert ids.setdefault(name, id_) == id_, "one content, two records"
    records = ws.datasets.list()
    assert records.errors == []
    assert {record.hash: record.id for record in records}.keys() == expected.keys()
    assert len(records) == len(expected)
    for record in records:
        name = expected[record.hash]
        assert ids.get(name, record.id) == record.id
        runs = {"o": 1, "s": PROCESSES * ROUNDS / SHARED, "b": PROCESSES * ROUNDS / 4}[name[0]]
        assert record.usage.run_count == runs, name
        if name.startswith("own"):
            assert record.metadata == {"owner": int(name[3:].split("-")[0])}
        stored = yaml.safe_load((ws.path / "datasets" / f"{record.id}.yaml").read_text())
        assert stored["versions"][0]["hash"] == record.hash
    leftovers = [path.name for path in (ws.path / "datasets").iterdir() if path.suffix != ".yaml"]
    assert leftovers == []
    report = ws.datasets.link()
    assert (report.created, report.errors, report.statuses) == ([], [], {"valid": len(expected)})
