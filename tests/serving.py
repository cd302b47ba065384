"""A workspace with some of everything, and clients of an app that serves it."""

from pathlib import Path

import nirs4all_workspace as n4w
from starlette.testclient import TestClient

BASE = "http://localhost"
# Ids that a path must hold as they are.
ODD_IDS = ("a/b", "a b%2F?#", "é/scatter", "=1+1", "scatter")


def make(folder: Path) -> n4w.Workspace:
    """Two runs with arrays, a NaN, an id that both have and odd ones; an artifact, and a run that waits."""
    ws = n4w.Workspace.create(folder)
    data = folder / "data" / "wheat"
    data.mkdir(parents=True)
    (data / "Xcal.csv").write_text("1100;1102;1104\n0.1;0.2;0.3\n0.2;0.3;0.4\n")
    (data / "Ycal.csv").write_text("protein\n10.5\n11.5\n")
    ws.datasets.register(data)
    model = ws.artifacts.put(b"a model")
    for number, name in enumerate(("first", "second")):
        run = ws.runs.create(name, templates=[["SNV", {"model": name}]], datasets=["wheat"], tags=[name])
        with run, run.writer("wheat") as writer:
            for planned in run.plan([{"name": f"{name}_{place}", "steps": [place]} for place in range(2)]):
                for row in range(12):
                    writer.write(
                        {
                            "id": f"{planned.id}-{row:02d}",
                            "result_id": planned.id,
                            "metric": "rmse",
                            "model_name": f"PLS {row % 3}",
                            "fold_id": str(row % 4),
                            "partition": ("train", "val", "test")[row // 4],
                            "val_score": float("nan") if row == 11 else 1 + number + row / 10,
                            "test_score": 2.0 + row,
                            "scores": {"val": {"r2": row / 12}},
                            "n_samples": 3,
                            "y_true": [1.0, 2.0, 3.0],
                            "y_pred": [1.5, 2.0, 2.0 + row],
                        }
                    )
                if number == 0:
                    planned.artifacts.append(model)
                    for id_ in ODD_IDS:
                        row = {"id": id_, "result_id": planned.id, "metric": "rmse", "partition": "test"}
                        if planned.config_name.endswith("_0"):
                            writer.write(
                                {**row, "model_name": "=HYPERLINK(1)", "y_true": [1.0], "y_pred": [2.0]}
                            )
                if planned.config_name.endswith("_0"):
                    writer.write(
                        {"id": "same", "result_id": planned.id, "metric": "rmse", "partition": "test"}
                    )
                writer.checkpoint(planned)
    ws.runs.create("waits", templates=[["SNV"]], datasets=["wheat"])
    return ws


def client(app, **headers) -> TestClient:
    """A client that has the token, and says where it comes from."""
    given = {"Authorization": f"Bearer {app.state.token}", "Origin": BASE, **headers}
    return TestClient(app, base_url=BASE, headers=given, raise_server_exceptions=False)


def place(app, number: int = 0) -> str:
    """The path of a workspace in the API."""
    return f"/api/v1/workspaces/{app.state.api.served()[number].key}"


def files_of(folder: Path) -> dict[str, bytes]:
    """What is on disk, but for caches."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }
