"""Readers that loop while other processes rebuild and replace files: totals never change, no error."""

import json
import time

import nirs4all_workspace as n4w
import spawning
from agreement import check_workspace
from samples import frame_of, strict, table, write

READER = """
import json, sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
seen, rounds = set(), 0
print("ready", flush=True)
while not __import__("os").path.exists(sys.argv[3]):
    summary = ws.summary()
    top = ws.predictions.top(5)
    page = ws.predictions.top(50)
    seen.add(json.dumps([summary["total_predictions"], summary["total_datasets"], summary["errors"],
                         summary["by_metric"]["rmse"]["stats"]["val_score"]["count"],
                         [row["id"] for row in summary["top_predictions"]],
                         [row["id"] for row in top], top.errors, [row["id"] for row in page], page.errors]))
    rounds += 1
open(sys.argv[2], "w").write(json.dumps([rounds, sorted(seen)]))
"""


def test_totals_never_change(tmp_path):
    folder, stop = tmp_path / "ws", tmp_path / "stop"
    contents = {}
    for number in range(30):
        path = write(folder / f"d{number:02d}.meta.parquet", table(60, seed=number, dataset=f"d{number:02d}"))
        contents[path] = path.read_bytes()
    frames = {path.name.split(".")[0]: frame_of(path) for path in contents}
    check_workspace(n4w.Workspace.open(folder).summary(), frames)
    files = [tmp_path / f"{number}.json" for number in range(2)]
    readers = [spawning.Process(READER, folder, file, stop, stdin=spawning.DEVNULL) for file in files]
    for reader in readers:
        reader.stdout.readline()
    writer = n4w.Workspace.open(folder)
    until = time.monotonic() + 6
    while time.monotonic() < until:
        report = writer.predictions.rebuild_summaries()
        assert report["errors"] == []
        for path, content in contents.items():
            # Back to the file without a summary, as a tool would replace it.
            temporary = path.with_suffix(".new")
            temporary.write_bytes(content)
            temporary.rename(path)
    stop.touch()
    for reader, file in zip(readers, files, strict=True):
        assert reader.wait(timeout=60) == 0
        reader.stdout.close()
        rounds, seen = strict(file.read_text())
        assert rounds > 1
        assert len(seen) == 1, seen
        total, datasets, errors, count, shown, best, top_errors, page, page_errors = json.loads(seen[0])
        assert (total, datasets, errors, count) == (1_800, 30, [], 1_800)
        assert (top_errors, page_errors) == ([], [])
        assert shown[:5] == best == page[:5]


def test_two_processes_rebuild_at_once(tmp_path):
    contents = {}
    for number in range(40):
        path = write(
            tmp_path / f"d{number:02d}.meta.parquet", table(50, seed=number, dataset=f"d{number:02d}")
        )
        contents[path] = frame_of(path)
    code = (
        "import sys, json, nirs4all_workspace as n; "
        "print(json.dumps(n.Workspace.open(sys.argv[1]).predictions.rebuild_summaries()))"
    )
    workers = [spawning.Process(code, tmp_path) for _ in range(3)]
    reports = [strict(worker.communicate(timeout=60)[0]) for worker in workers]
    for report in reports:
        assert report["errors"] == []
        assert report["kept"] + len(report["written"]) == 40
    check_workspace(
        n4w.Workspace.open(tmp_path).summary(),
        {path.name.split(".")[0]: rows for path, rows in contents.items()},
    )
    assert n4w.Workspace.open(tmp_path).verify(full=True) == {"problems": [], "notes": []}
