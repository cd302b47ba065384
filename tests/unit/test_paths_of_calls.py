"""All calls of Python that take a path: relative ones are meant when they are given, and names are names."""

import inspect
import os
import re
import shutil
import threading
import unicodedata
import warnings
from pathlib import Path

import nirs4all_workspace as n4w
import path_lab
import polars as pl
import pyarrow.parquet as pq
import pytest
from path_lab import settled
from test_paths_of_commands import ODD


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls") / "lab"
    names, writer = path_lab.make(folder)
    yield folder, names
    writer.close()


def _watch(path, elsewhere):
    watch = n4w.Workspace.open(path("ws")).watch(interval=0.05)
    elsewhere()
    root = watch._workspace.path
    said, tries = [], []

    def change():
        while not said:
            # Again and again, since it may come before the first look.
            (root / "templates" / "tpl_0123456789abcdef.yaml").write_text(
                f"schema_version: '1.0'  # {len(tries)}\n"
            )
            tries.append(None)
            threading.Event().wait(0.05)

    actor = threading.Thread(target=change)
    actor.start()
    with watch:
        said.append(next(watch))
    actor.join()
    return [(change["kind"], change["path"]) for change in said[0]]


def _create(path, elsewhere):
    ws = n4w.Workspace.create(path("made"))
    elsewhere()
    run = ws.runs.create("r", templates=[["SNV"]], datasets=["wheat"])
    with run, run.writer("wheat") as writer:
        (planned,) = run.plan([{"name": "c", "steps": ["SNV"]}])
        writer.write({"result_id": planned.id, "val_score": 0.5, "metric": "rmse", "partition": "val"})
        writer.checkpoint(planned)
    return str(run.status), ws.predictions.scan().select("val_score").collect().to_series().to_list()


def _open(path, elsewhere):
    ws = n4w.Workspace.open(path("ws"))
    elsewhere()
    summary, row = ws.summary(), ws.predictions.get("a", arrays=True)
    return (
        summary,
        row["y_true"].tolist(),
        sorted(ws.predictions.scan().collect()["id"]),
        ws.verify(full=True),
    )


def _end_of_a_run(path, elsewhere):
    run = n4w.Workspace.open(path("ws")).runs.create("block")
    with run:
        elsewhere()
    return str(run.status), run.is_owned


def _export(kind):
    def export(path, elsewhere):
        target = path(f"best [1]*.{kind}")
        full = Path(target).absolute()
        n4w.Workspace.open(path("ws")).predictions.export(target, columns=["id", "val_score"])
        elsewhere()
        frame = pl.from_arrow(pq.read_table(full)) if kind == "parquet" else pl.read_csv(full.read_bytes())
        return frame.sort("id").rows()

    return export


def _datasets(call):
    """A call of `ws.datasets`, and what it returns as plain data."""

    def ask(path, elsewhere):
        found = call(n4w.Workspace.open(path("ws")).datasets, path)
        elsewhere()
        return found.to_dict()

    return ask


def _index(path, elsewhere):
    index = n4w.FileIndex(path("more"))
    elsewhere()
    index.refresh()
    return len(index), sorted(index.find(size=133)), str(index.root)


def _put(path, elsewhere):
    ws = n4w.Workspace.open(path("ws"))
    artifact = ws.artifacts.put(path("model.joblib"))
    elsewhere()
    return artifact, str(ws.artifacts.get(artifact))


def _summaries(path, elsewhere):
    several = n4w.read_summaries([path("old/wheat.meta.parquet"), path("more/none.parquet")])
    of_folder = n4w.read_summaries(path("old"))
    elsewhere()
    return [(str(it.path), it.summary, getattr(it.error, "filename", None)) for it in [*several, *of_folder]]


def _errors(path, elsewhere):
    found = []
    for ask in (n4w.Workspace.open, n4w.hash_file, n4w.quick_hash, n4w.read_summary):
        with pytest.raises((OSError, n4w.WorkspaceError)) as raised:
            ask(path("nothing here"))
        found.append(getattr(raised.value, "filename", None) or raised.value.path)
    elsewhere()
    return found


def _run_on_a_path(path, elsewhere):
    run = n4w.Workspace.open(path("ws")).runs.create("r", datasets=[Path(path("more/new"))])
    elsewhere()
    return run.datasets


# By the public name whose path they give; several that begin with a space are of one that stands above.
CALLS = {
    "Workspace.create": _create,
    "Workspace.open": _open,
    " end of a run": _end_of_a_run,
    " watch": _watch,
    " run on a path": _run_on_a_path,
    " errors": _errors,
    "Predictions.export": _export("csv"),
    " parquet": _export("parquet"),
    "Datasets.register": _datasets(lambda it, path: it.register(path("more/new"))),
    "Datasets.resolve": _datasets(lambda it, path: it.resolve("barley", [path("more")])),
    "Datasets.link": _datasets(lambda it, path: it.link([path("more")])),
    "Datasets.relocate": _datasets(lambda it, path: it.relocate("barley", path("more/barley"))),
    "Datasets.accept_version": _datasets(lambda it, path: it.accept_version("barley", path("more/barley"))),
    "Artifacts.put": _put,
    "FileIndex": _index,
    "hash_file": lambda path, _: [n4w.hash_file(path(name)) for name in ("model.joblib", "more/barley")],
    "quick_hash": lambda path, _: [n4w.quick_hash(path(name)) for name in ("model.joblib", "more/barley")],
    "read_footers": lambda path, _: n4w.read_footers([path("old/wheat.meta.parquet")]),
    "read_summary": lambda path, _: n4w.read_summary(path("old/wheat.meta.parquet")),
    "read_summaries": _summaries,
    "migrate": lambda path, _: n4w.migrate(path("old"), path("migrated")),
    "import_store": lambda path, _: n4w.import_store(path("store"), path("imported")),
}
FORMS = ["relative", "dots", "behind a link", *ODD]


def plain_data(answer):
    if isinstance(answer, tuple | list):
        return [plain_data(item) for item in answer]
    return answer


def ask(name, lab, tmp_path, form, monkeypatch):
    top = tmp_path / ODD.get(form, "x")
    shutil.copytree(lab[0], top / "lab")
    there, cwd = top / "lab", top / "lab"
    if form == "behind a link":
        (top / "far" / "off").mkdir(parents=True)
        (top / "far" / "lab").symlink_to(there)
        (top / "link").symlink_to(top / "far" / "off")
    elif form == "dots":
        cwd = there / "ws" / "data"
    elif form == "plain":
        cwd = Path("/")
    monkeypatch.chdir(cwd)

    def path(inner):
        if form == "behind a link":
            return str(top / "link" / ".." / "lab" / inner)
        return os.path.relpath(there / inner) if form in ("relative", "dots") else str(there / inner)

    answer = CALLS[name](path, lambda: os.chdir("/"))
    found = settled(plain_data(answer), there)
    return settled(found, top / "far" / "lab") if form == "behind a link" else found


@pytest.mark.parametrize("name", CALLS)
def test_a_path_is_meant_when_it_is_given(name, lab, tmp_path_factory, monkeypatch):
    plain = ask(name, lab, tmp_path_factory.mktemp("plain"), "plain", monkeypatch)
    assert plain
    for form in FORMS:
        found = ask(name, lab, tmp_path_factory.mktemp("other"), form, monkeypatch)
        assert found == plain, form


def test_the_table_has_every_public_name_that_takes_a_path():
    natives = {"FileIndex", "hash_file", "quick_hash", "read_footers"}
    found = set()
    public = {name: getattr(n4w, name) for name in n4w.__all__}
    public["Datasets"] = type(n4w.Workspace.open(path_lab.DEMO).datasets)
    for name, thing in public.items():
        methods = {f"{name}.{method}": call for method, call in inspect.getmembers(thing, inspect.isroutine)}
        for called, call in (methods if inspect.isclass(thing) else {name: thing}).items():
            annotations = getattr(call, "__annotations__", {}).values()
            if "._" not in called and any("PathLike" in str(it) or it == "Paths" for it in annotations):
                found.add(called)
    assert found | natives == {name for name in CALLS if not name.startswith(" ")}


@pytest.mark.parametrize(
    "call",
    [
        n4w.Workspace.create,
        n4w.Workspace.open,
        n4w.hash_file,
        n4w.quick_hash,
        n4w.FileIndex,
        n4w.read_summary,
        n4w.read_summaries,
        lambda path: n4w.read_footers([path]),
        lambda path: n4w.migrate(path, "target"),
        lambda path: n4w.migrate("source", path),
        lambda path: n4w.import_store(path, "target"),
        lambda path: n4w.import_store("source", path),
        lambda path: n4w.Workspace.open("ws").datasets.register(path),
        lambda path: n4w.Workspace.open("ws").datasets.relocate("wheat", path),
        lambda path: n4w.Workspace.open("ws").datasets.accept_version("wheat", path),
        lambda path: n4w.Workspace.open("ws").datasets.resolve("wheat", [path]),
        lambda path: n4w.Workspace.open("ws").datasets.link([path]),
        lambda path: n4w.Workspace.open("ws").artifacts.put(path),
        lambda path: n4w.Workspace.open("ws").predictions.export(path),
        lambda path: n4w.Workspace.open("ws").runs.create("r", datasets=[path]),
    ],
)
def test_an_empty_text_is_not_the_working_directory(call, lab, tmp_path, monkeypatch):
    shutil.copytree(lab[0], tmp_path / "lab")
    monkeypatch.chdir(tmp_path / "lab")
    before = sorted(Path().rglob("*"))
    with pytest.raises(ValueError, match="empty"):
        call("")
    assert [path for path in sorted(Path().rglob("*")) if ".cache" not in str(path)] == before


def test_a_text_in_datasets_is_a_name_whatever_folders_are_called(tmp_path, monkeypatch):
    """Only a `Path`, a text with a separator and the name of a file are read."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    for name in ("corn", "corn.v2"):
        path_lab.spectra(tmp_path / name, 3, 10)
    (tmp_path / "corn.csv").write_text("1100;1102;1104\n0.1;0.2;0.3\n")
    monkeypatch.chdir(tmp_path)
    run = ws.runs.create("names", datasets=["..", ".", "corn", "corn.v2", "no/such"])
    assert [it["name"] for it in run.datasets] == ["..", ".", "corn", "corn.v2", "no/such"]
    assert all(it["hash"] is None and it["path"] is None for it in run.datasets)
    assert ws.datasets.list() == []
    for given in (Path("corn"), "./corn", "corn.csv", str(tmp_path / "corn.v2")):
        (one,) = ws.runs.create("paths", datasets=[given]).datasets
        assert one["hash"] == n4w.hash_file(given)


def test_hashing_a_dataset_is_reported(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    (tmp_path / "data").mkdir()
    for name in "ab":
        (tmp_path / "data" / f"{name}.bin").write_bytes(name.encode() * 300_000)
    said = []
    ws.datasets.register(tmp_path / "data", progress=lambda *now: said.append(now))
    assert said[-1] == (600_000, 600_000)
    said.clear()
    (tmp_path / "c.bin").write_bytes(b"c" * 1_000)
    ws.runs.create("r", datasets=[tmp_path / "c.bin"], progress=lambda *now: said.append(now))
    assert said[-1] == (1_000, 1_000)


def test_a_progress_that_raises_does_not_undo_a_flush(tmp_path, capsys):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("r", templates=[["SNV"]], datasets=["wheat"])

    def fail(*_):
        raise RuntimeError("the window is gone")

    with run:
        planned, other = run.plan([{"name": name, "steps": [name]} for name in "ab"])
        with run.writer("wheat", progress=fail) as writer:
            writer.write({"id": "a", "result_id": planned.id, "val_score": 0.5, "metric": "rmse"})
            with pytest.warns(UserWarning, match="the window is gone"):
                writer.flush()
            assert writer.acknowledged == 1
            with pytest.warns(UserWarning, match="the window is gone"):
                assert writer.checkpoint(planned)["status"] == "done"
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                writer.write({"id": "b", "result_id": other.id, "val_score": 0.5, "metric": "rmse"})
                writer.checkpoint(other)
        assert run.plan([]) == []
        assert {it.id for it in run.results()} == {planned.id, other.id}
    assert "the window is gone" in capsys.readouterr().err


FORMS_OF_ONE = [unicodedata.normalize(form, "blé d'été") for form in ("NFC", "NFD")]


def test_names_in_two_normal_forms_are_one_dataset(tmp_path):
    """Rows, runs and records that a Mac and another system wrote; asked for by either form."""
    ws = n4w.Workspace.create(tmp_path / "ws")
    path_lab.spectra(tmp_path / "data", 3, 10)
    ws.datasets.register(tmp_path / "data", FORMS_OF_ONE[1])
    for number, name in enumerate(FORMS_OF_ONE):
        run = ws.runs.create(f"r{number}", templates=[["SNV"]], datasets=[name])
        with run, run.writer(FORMS_OF_ONE[1 - number]) as writer:
            for planned in run.plan([{"name": "c", "steps": ["SNV"]}]):
                row = {"id": str(number), "result_id": planned.id, "metric": "rmse", "partition": "val"}
                writer.write(row | {"val_score": 0.5 + number, "dataset_name": name, "model_name": "PLS"})
                writer.write_batch(
                    pl.DataFrame(
                        {"id": [f"{number}b"], "dataset_name": [FORMS_OF_ONE[1]], "val_score": [0.1]}
                    )
                )
                writer.checkpoint(planned)
    with pytest.raises(ValueError, match=re.escape(FORMS_OF_ONE[0])):
        ws.runs.create("twice", datasets=FORMS_OF_ONE)
    assert ws.summary()["total_datasets"] == 1
    assert len({row["dataset"] for row in ws.stats()["model_performance"]}) == 1
    (record,) = ws.datasets.list()
    assert record.usage.run_count == 2
    for name in FORMS_OF_ONE:
        assert ws.datasets.get(name).id == record.id
        assert ws.summary(name)["total_predictions"] == 4
        assert ws.predictions.page(dataset=name).total == 4
        assert len(ws.predictions.top(dataset=name, metric="rmse")) == 2
        assert ws.results.list(dataset=name).total == 2
        assert len(ws.runs.list(dataset=name)) == 2
        assert len(ws.trace("dataset", name).runs) == 2
        assert ws.datasets.resolve(name).status == "valid"


def test_old_files_in_two_normal_forms_are_one_dataset(tmp_path):
    for number, name in enumerate(FORMS_OF_ONE):
        path_lab.write(tmp_path / f"{number}.meta.parquet", path_lab.table(30, dataset=name, seed=number))
    ws = n4w.Workspace.open(tmp_path)
    assert ws.summary()["total_datasets"] == 1
    ws.predictions.rebuild_summaries()
    for _ in range(2):  # scanned, then from footers
        assert [it["total_predictions"] for it in ws.summary()["datasets"]] == [60]
        for name in FORMS_OF_ONE:
            assert ws.predictions.page(dataset=name).total == 60
            assert ws.summary(name)["total_predictions"] == 60
            assert len(ws.predictions.top(20, dataset=name)) == 20
            assert ws.trace("dataset", name).n_predictions == 60
    composed = unicodedata.normalize("NFC", "gérste")
    with pytest.raises(n4w.NotFoundError):
        ws.trace("dataset", composed)


def test_files_that_went_through_a_mac_are_found(tmp_path):
    """Their names came back in NFD: at their path, in the folders that are searched, and inside a folder."""
    composed, decomposed = FORMS_OF_ONE
    ws = n4w.Workspace.create(tmp_path / "ws")
    place = tmp_path / composed
    path_lab.spectra(place / composed, 3, 10)
    (place / composed / f"{composed}.txt").write_text("notes")
    (place / composed / f"{composed}x.txt").write_text("more")
    record = ws.datasets.register(place / composed)
    shutil.move(place, tmp_path / "moving")
    (tmp_path / "moving" / composed / f"{composed}.txt").rename(
        tmp_path / "moving" / composed / f"{decomposed}.txt"
    )
    (tmp_path / "moving" / composed).rename(tmp_path / "moving" / decomposed)
    (tmp_path / "moving").rename(tmp_path / decomposed)
    now = tmp_path / decomposed / decomposed
    found = ws.datasets.resolve(record.id)
    assert (found.status, found.path, found.proven) == ("valid", now, True)
    for asked in (now, place / composed):
        assert ws.datasets.register(asked).id == record.id
        assert ws.datasets.relocate(record.id, asked).hash == record.hash
    assert len(ws.datasets.list()) == 1
    (tmp_path / "data").mkdir()
    now.rename(tmp_path / "data" / decomposed)
    found = ws.datasets.resolve(record.id)
    assert (found.status, found.path) == ("relocated", tmp_path / "data" / decomposed)
    (tmp_path / "data" / decomposed).rename(tmp_path / "elsewhere")
    found = ws.datasets.resolve(record.id, [tmp_path])
    assert (found.status, found.path, found.proven) == ("found_by_hash", tmp_path / "elsewhere", True)
    (tmp_path / "elsewhere" / "Ycal.csv").write_text("protein\n1.5\n2.5\n9.5\n")
    assert ws.datasets.resolve(record.id, [tmp_path]).path is None
    assert n4w.Workspace.create(tmp_path / composed / "ws").path != tmp_path / decomposed / "ws"
    assert n4w.Workspace.open(tmp_path / "ws").path == tmp_path / "ws"
