"""Watching: both ways tell the same of the same real changes, and end when they are told to."""

import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import nirs4all_workspace as n4w
import pytest

WAYS = [pytest.param(False, id="system"), pytest.param(True, id="clock")]
INTERVAL = 0.05


class Watched:
    """A watch in a thread, and all that it told."""

    def __init__(self, ws, poll):
        self.watch = ws.watch(interval=INTERVAL, poll=poll)
        self.told = []
        self.thread = threading.Thread(target=self._listen)

    def _listen(self):
        for changes in self.watch:
            self.told += changes

    def wait_for(self, wanted):
        """Wait until all of these were told."""
        deadline = time.monotonic() + 20
        while not wanted <= self.all() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert wanted <= self.all()

    def all(self):
        return {(it["kind"], it["action"], it["id"], it["path"]) for it in list(self.told)}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.watch.stop()
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()


def run_changes(watched, ws, tmp_path):
    """Change one thing after the other, each once the one before was told; return what was to be told."""
    wanted = set()

    def expect(kind, action, id_, path):
        wanted.add((kind, action, id_, path))
        watched.wait_for(wanted)

    (tmp_path / "wheat.csv").write_text("1;2\n3;4\n")
    record = ws.datasets.register(tmp_path / "wheat.csv")
    path = f"datasets/{record.id}.yaml"
    expect("dataset", "added", record.id, path)
    (ws.path / path).write_text((ws.path / path).read_text().replace("valid", "missing"))
    expect("dataset", "modified", record.id, path)
    (ws.path / path).unlink()
    expect("dataset", "deleted", record.id, path)
    template = ws.templates.add(["SNV"])
    expect("template", "added", template, f"templates/{template}.yaml")
    run = ws.runs.create("one", templates=[["SNV"]], datasets=["wheat"])
    expect("run", "added", run.id, f"runs/{run.id}")
    run.transition("running")
    expect("run", "modified", run.id, f"runs/{run.id}")
    with run.writer("wheat") as writer:
        writer.write({"id": "1", "metric": "rmse", "val_score": 1.0})
        writer.flush()
        journal = writer.path.relative_to(ws.path).as_posix()
        id_ = f"{run.id}.{writer.writer_id}"
        expect("segment", "added", id_, journal)
        writer.write({"id": "2", "metric": "rmse", "val_score": 1.0})
        writer.flush()
        expect("segment", "modified", id_, journal)
    expect("segment", "added", id_, journal.replace(".journal", ".meta.parquet"))
    run.transition("completed")
    ws.runs.delete(run.id)
    expect("run", "deleted", run.id, f"runs/{run.id}")
    expect("segment", "deleted", id_, journal.replace(".journal", ".meta.parquet"))
    wanted.add(("segment", "deleted", id_, journal))
    watched.wait_for(wanted)
    return wanted


@pytest.mark.parametrize("poll", WAYS)
def test_every_change_is_told(ws, tmp_path, poll):
    with Watched(ws, poll) as watched:
        wanted = run_changes(watched, ws, tmp_path)
    # A run changes several times, and a template is asked for again; nothing else was told.
    assert watched.all() - wanted <= {
        (kind, "modified", id_, path) for kind, action, id_, path in wanted if kind in ("run", "template")
    }


def test_both_ways_tell_the_same(ws, tmp_path):
    with Watched(ws, False) as system, Watched(ws, True) as clock:
        wanted = run_changes(system, ws, tmp_path)
        clock.wait_for(wanted)
    touched = {
        it for it in system.all() ^ clock.all() if it[0] in ("run", "template") and it[1] == "modified"
    }
    assert system.all() ^ clock.all() == touched


@pytest.mark.parametrize("poll", WAYS)
def test_what_is_no_data_is_not_told(ws, poll):
    with Watched(ws, poll) as watched:
        for name in (".cache/a.json", ".locks/runs/a.lock", ".trash/a/run.yaml", "datasets/.n4w-1.tmp"):
            path = ws.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a")
        for name in (
            "notes.txt",
            "artifacts/ab/abc.bin",
            "arrays/wheat/a.b.arrays.parquet",
            "a.arrays.parquet",
        ):
            path = ws.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a")
        (ws.path / "wheat.meta.parquet").write_text("told")
        watched.wait_for({("segment", "added", "wheat", "wheat.meta.parquet")})
    assert len(watched.told) == 1


@pytest.mark.parametrize("poll", WAYS)
def test_what_changed_before_it_is_asked_is_told(ws, poll):
    watch = ws.watch(interval=INTERVAL, poll=poll)
    template = ws.templates.add(["SNV"])
    with watch:
        assert [it["id"] for it in next(watch)] == [template]


@pytest.mark.parametrize("poll", WAYS)
def test_caches_are_fresh_when_it_tells(ws, poll, monkeypatch):
    monkeypatch.setattr("nirs4all_workspace.insight.stats._RACY_NS", -(10**12))
    with ws.watch(interval=INTERVAL, poll=poll) as watch:
        ws.runs.create("one")
        next(watch)
        assert (ws.path / ".cache" / "workspace_stats.json").exists()
        assert ws.stats()["recomputed"] == []


def test_on_change_is_called_before_it_is_yielded(ws):
    called = []
    with ws.watch(called.append, interval=INTERVAL) as watch:
        ws.templates.add(["SNV"])
        assert next(watch) is called[0]


@pytest.mark.parametrize("poll", WAYS)
def test_it_ends(ws, poll):
    watch = ws.watch(interval=INTERVAL, poll=poll)
    watch.stop()
    assert list(watch) == []
    watch = ws.watch(interval=INTERVAL, poll=poll)
    ws.templates.add(["SNV"])
    next(watch)
    watch.close()
    assert list(watch) == []
    stopping = ws.watch(lambda _: stopping.stop(), interval=INTERVAL, poll=poll)
    ws.templates.add(["MSC"])
    stopping.run()


@pytest.mark.parametrize("poll", WAYS)
def test_the_keyboard_ends_it_cleanly(ws, poll):
    code = (
        "import sys, nirs4all_workspace as n4w\n"
        "watch = n4w.Workspace.open(sys.argv[1]).watch(poll=sys.argv[2] == '1')\n"
        "print('ready', flush=True); watch.run(); print('ended')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, ws.path, str(int(poll))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_without_watchfiles_it_looks_by_the_clock(ws, monkeypatch):
    hidden = lambda name, *rest: None if name == "watchfiles" else find_spec(name, *rest)  # noqa: E731
    monkeypatch.setattr("nirs4all_workspace.insight.watch.find_spec", hidden)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with ws.watch(interval=INTERVAL) as watch:
        template = ws.templates.add(["SNV"])
        assert [it["id"] for it in next(watch)] == [template]


def test_where_the_system_cannot_watch_it_looks_by_the_clock(ws, monkeypatch):
    import watchfiles

    def refuse(*_, **__):
        raise OSError("OS file watch limit reached")
        yield

    monkeypatch.setattr(watchfiles, "watch", refuse)
    with ws.watch(interval=INTERVAL, poll=False) as watch:
        template = ws.templates.add(["SNV"])
        with pytest.warns(UserWarning, match="limit reached"):
            assert [it["id"] for it in next(watch)] == [template]


def test_an_interval_is_positive(ws):
    with pytest.raises(ValueError, match=r"interval.*0"):
        ws.watch(interval=0)


def test_a_folder_of_nirs4all_06(demo):
    ws = n4w.Workspace.open(demo)
    with Watched(ws, True) as watched:
        folder = demo / "runs" / "wheat" / "0001_config_abc123"
        folder.mkdir(parents=True)
        (folder / "manifest.yaml").write_text("name: config\n")
        (demo / "regression.meta.parquet").replace(demo / "renamed.meta.parquet")
        watched.wait_for(
            {
                ("run", "added", "wheat/0001_config_abc123", "runs/wheat/0001_config_abc123"),
                ("segment", "deleted", "regression", "regression.meta.parquet"),
                ("segment", "added", "renamed", "renamed.meta.parquet"),
            }
        )
