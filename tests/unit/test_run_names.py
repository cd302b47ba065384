"""What names a run: its id, its name, `latest`, or the beginning of its id; for calls and commands alike."""

import json

import nirs4all_workspace as n4w
import pytest
from commands import n4w as command
from samples import table, write


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("names") / "ws")
    for name in ("Wheat", "twice", "twice", "a/b", "bl\u00e9", "last one"):
        with ws.runs.create(name, templates=[[name]], datasets=["wheat"]) as run:
            (result,) = run.plan([{"name": "c"}])
            with run.writer("wheat") as writer:
                row = {"id": run.id, "result_id": result.id, "metric": "rmse", "val_score": 0.5}
                writer.write(row | {"partition": "val"})
                writer.checkpoint(result)
    return ws


def ids(ws):
    return [run.id for run in ws.runs.list()]


def test_each_way_to_name_a_run(ws):
    wheat, first, second, slash, ble, last = ids(ws)
    day = wheat[:11]
    for given, meant in {
        wheat: wheat,
        "Wheat": wheat,
        f"{day}Wheat": wheat,
        wheat[:-1]: wheat,
        first[:-1]: first,
        "a/b": slash,
        "ble\u0301": ble,
        "latest": last,
        "last one": last,
    }.items():
        assert ws.runs.get(given).id == meant
        assert [it.run_id for it in ws.results.list(run=given)] == [meant]
        assert [it["id"] for it in ws.predictions.page(run=given).records] == [meant]
        assert [it["id"] for it in ws.predictions.top(run=given)] == [meant]
        assert ws.predictions.get(meant, run_id=given)["id"] == meant
        assert ws.lineage(given).id == meant
        assert [it["id"] for it in ws.trace("run", given).runs] == [meant]
    assert second != first


@pytest.mark.parametrize("given", ["twice", "prefix"])
def test_what_is_ambiguous_lists_the_candidates(ws, given):
    _, first, second, *_ = ids(ws)
    given = first[: first.index("wice")] if given == "prefix" else given
    calls = [ws.runs.get, ws.runs.get_writable, ws.lineage, lambda it: ws.trace("run", it)]
    if given != "twice":  # as a filter, a name means all runs that have it
        calls.append(lambda it: ws.results.list(run=it))
        calls.append(lambda it: ws.predictions.page(run=it))
    for call in calls:
        with pytest.raises(n4w.NotFoundError) as caught:
            call(given)
        assert first in caught.value.message
        assert second in caught.value.message
    run = command("show", given, ws.path)
    assert run.returncode == 1
    assert first in run.stderr
    assert second in run.stderr
    assert command("delete", given, ws.path, "--yes").returncode == 1
    assert len(ids(ws)) == 6


def test_a_name_as_a_filter_means_all_runs_that_have_it(ws):
    assert {it.run_id for it in ws.results.list(run="twice")} == set(ids(ws)[1:3])


@pytest.mark.parametrize("given", ["", ".", "nobody", "../runs", "Whea", "x" * 300])
def test_what_names_no_run(ws, given):
    for call in (ws.runs.get, lambda it: ws.results.list(run=it), lambda it: ws.trace("run", it)):
        with pytest.raises(n4w.NotFoundError):
            call(given)


def test_exact_ones_come_first(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    first = ws.runs.create("latest")
    second = ws.runs.create(first.id[:12])
    ws.runs.create("third")
    assert ws.runs.get("latest").id == first.id
    assert ws.runs.get(first.id[:12]).id == second.id
    assert ws.runs.create(first.id).name == first.id
    assert ws.runs.get(first.id).id == first.id


def test_there_is_no_latest_run_in_an_empty_workspace(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    with pytest.raises(n4w.NotFoundError, match="no run 'latest'"):
        ws.runs.get("latest")


def test_a_run_that_cannot_be_read_is_named_too(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    run = ws.runs.create("bad")
    (run.path / "run.yaml").write_text("{")
    with pytest.raises(n4w.CorruptFileError):
        ws.runs.get(run.id[:-2])
    assert command("delete", run.id[:-2], ws.path, "--yes").returncode == 0
    assert not run.path.exists()


def test_commands_take_all_of_them(tmp_path):
    ws = n4w.Workspace.create(tmp_path / "ws")
    first, second = ws.runs.create("first", templates=[["a"]]), ws.runs.create("second", templates=[["b"]])
    for given, meant in (("first", first), ("latest", second), (first.id[:-3], first)):
        assert json.loads(command("show", given, ws.path, "--json").stdout)["id"] == meant.id
    done = command("templates", ws.path, "--compare", "first", "--compare", "latest", "--json")
    assert set(json.loads(done.stdout)["only"]) == {first.id, second.id}
    assert command("lineage", "first", ws.path).stdout.startswith(f"* {first.id}")
    first.transition("running")
    assert command("pause", "first", ws.path).returncode == 0
    assert first.status == "paused"
    first.transition("running")
    first.transition("failed")
    assert command("retry", first.id[:-1], ws.path).returncode == 0
    assert (first.status, first.record["retry_failed"]) == ("queued", True)
    assert "to retry" in command("runs", ws.path).stdout
    assert command("cancel", "latest", ws.path).returncode == 0
    assert second.status == "cancelled"
    second_run = ws.runs.create("third")
    second_run.transition("running")
    second_run.transition("paused")
    assert command("resume", "third", ws.path).returncode == 0
    assert second_run.requested == "running"
    assert command("delete", "latest", ws.path, "--yes").returncode == 0
    assert [run.id for run in ws.runs.list()] == [first.id, second.id]


# Where each command takes a run.
WHERE = {
    "cancel": "RUN PATH",
    "delete": "RUN PATH --yes",
    "edit": "RUN PATH --notes n",
    "lineage": "RUN PATH",
    "pause": "RUN PATH",
    "predictions": "PATH --run RUN",
    "results": "PATH --run RUN",
    "resume": "RUN PATH",
    "retry": "RUN PATH",
    "show": "RUN PATH",
    "templates": "PATH --compare RUN --compare other",
    "top": "PATH --run RUN",
}
BEFORE = {"pause": ["running"], "resume": ["running", "paused"], "retry": ["running", "failed"]}


def test_every_command_that_takes_a_run_is_known_here():
    from nirs4all_workspace.cli import app
    from typer.main import get_command

    names = {"run", "run_id", "run_ids", "runs", "compare"}
    commands = get_command(app).commands.items()
    found = {name for name, one in commands if names & {param.name for param in one.params}}
    assert found | {"lineage"} == set(WHERE)


@pytest.mark.parametrize("name", WHERE)
def test_every_command_takes_each_way(tmp_path, name):
    ws = n4w.Workspace.create(tmp_path / "ws")
    runs = []
    for given in ("other", "first", "second", "third"):
        run = ws.runs.create(given, templates=[[given]], datasets=["wheat"])
        with ws.predictions.writer(run.id, "wheat") as writer:
            row = {"result_id": f"r{given}", "metric": "rmse", "val_score": 0.5, "partition": "val"}
            writer.write(row)
            writer.checkpoint({"id": row["result_id"]})
        for status in BEFORE.get(name, ()):
            run.transition(status)
        runs.append(run)
    for given, run in (("latest", runs[3]), ("first", runs[1]), (runs[2].id[:-2], runs[2])):
        values = {"RUN": given, "PATH": str(ws.path)}
        done = command(name, *(values.get(part, part) for part in WHERE[name].split()), "--json")
        assert done.returncode == 0, done.stderr
        assert [other.id for other in runs[1:] if other.id in done.stdout] == [run.id]
        assert (name != "delete") == run.path.exists()


def test_sessions_of_0_6_are_named_alike(tmp_path):
    write(tmp_path / "wheat.meta.parquet", table(30))
    for number, day in (("0001", "15"), ("0002", "16")):
        manifest = (
            f"uid: u{number}\nname: config{number}\ndataset: wheat\ncreated_at: '2026-01-{day}T12:00:00'\n"
        )
        folder = tmp_path / "runs" / "wheat" / f"{number}_config{number}_abcdef"
        folder.mkdir(parents=True)
        (folder / "manifest.yaml").write_text(manifest + "pipeline:\n- SNV\n")
    ws = n4w.Workspace.open(tmp_path)
    old, new = (run.id for run in ws.runs.list() if run.kind == "session")
    assert ws.runs.get("latest").id == new
    assert ws.runs.get("2026-01-15").id == old
    assert ws.runs.get("config0001").id == old
    with pytest.raises(n4w.NotFoundError, match=old):
        ws.runs.get("2026-01")
    with pytest.raises(n4w.ReadOnlyError):
        ws.runs.get("latest").retry()
