"""A run that is made over the API waits for a worker, which drives it."""

import nirs4all_workspace as n4w
import pytest
from drives import folders

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")
pytest.importorskip("httpx2", reason="httpx2 is missing: pip install httpx2")

import serving
from nirs4all_workspace.integrations.nirs4all.worker import Stop, work
from nirs4all_workspace.web import create_app


def test_a_run_is_made_and_driven(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "w")
    for path in folders(tmp_path / "data"):
        ws.datasets.register(path)
    names = [record.name for record in ws.datasets.list()]
    app = create_app([ws.path], write=True)
    guest, at = serving.client(app), serving.place(app)
    steps = [
        "nirs4all.operators.transforms.StandardNormalVariate",
        {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 2}},
        {"model": {"class": "sklearn.cross_decomposition.PLSRegression", "params": {"n_components": 2}}},
    ]
    stored = guest.post(f"{at}/templates", json={"steps": steps}).json()["id"]
    body = {"name": "lab", "templates": [stored], "datasets": names, "tags": ["web"], "notes": "n"}
    answer = guest.post(f"{at}/runs", json=body)
    assert answer.status_code == 201, answer.text
    (run,) = ws.runs.list()
    assert (run.id, run.status, run.tags, run.notes) == (answer.json()["id"], "queued", ["web"], "n")
    for wrong in ({"datasets": ["none"]}, {"templates": ["tpl_0"]}):
        assert guest.post(f"{at}/runs", json=body | wrong).status_code == 404
    assert guest.post(f"{at}/runs", json=body | {"templates": [["os.system"]]}).status_code == 400
    assert len(ws.runs.list()) == 1
    work(ws, Stop(), once=True)
    run = n4w.Workspace.open(ws.path).runs.get("lab")
    assert (run.status, len(run.results())) == ("completed", len(names))
    listed = guest.get(f"{at}/results").json()["results"]
    assert {it["dataset_name"] for it in listed} == set(names)
