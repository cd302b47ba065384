"""Make `data/poisoned.journal`: run it by hand with the version that acknowledged such results.

    git worktree add /tmp/old 277e53d       # and build it into an environment of its own
    <its python> tests/compat/make_poisoned_journal.py tests/compat/data/poisoned.journal

A writer of that version checkpointed results that no reader could parse: texts and keys that are no
Unicode, a number beyond a double, more than 127 levels; and fields of types that no reader expects.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nirs4all_workspace as n4w

RUN = "2026-01-02_Stress_0123456789ab"


def nested(levels: int) -> list:
    """Lists in lists."""
    value: list = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


# By id, what each result has beside what the writer fills in.
RESULTS = {
    "good": {"config_name": "c", "note": "fine"},
    "surrogate": {"config_name": "c", "note": os.fsdecode(b"b\xfcro.csv"), "seed": 1},
    "key": {"config_name": "c", "b\udcffro": 1, "seed": 2},
    "number": {"config_name": "c", "seed": 10**400, "kept": {"a": [1, 2.5, None]}},
    "nested": {"config_name": "c", "params": nested(140), "unreadable": "the user's"},
    "types": {"config_name": "c", "artifacts": 5, "best_score": [1], "n_samples": "many"},
}

if __name__ == "__main__":
    root = tempfile.mkdtemp() + "/ws"
    ws = n4w.Workspace.create(root)
    (ws.path / "runs" / RUN).mkdir(parents=True)
    writer = ws.predictions.writer(RUN, "wheat")
    for number, name in enumerate(RESULTS):
        writer.write({"id": f"row{number}", "result_id": name, "metric": "rmse", "val_score": float(number)})
    for name, fields in RESULTS.items():
        writer.checkpoint({"id": name, **fields})
    shutil.copyfile(writer.path, Path(sys.argv[1]))
    print(json.dumps({"results": list(RESULTS), "version": n4w.__version__}))
    os._exit(0)
