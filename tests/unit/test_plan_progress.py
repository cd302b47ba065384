"""`run.plan(configs, progress=True)` is the list of results, and shows how far they are on a terminal."""

import io
import os
import pty
import re
import subprocess
import sys

import nirs4all_workspace as n4w
import pytest

CODE = """
import sys, nirs4all_workspace as n4w
ws = n4w.Workspace.open(sys.argv[1])
run = ws.runs.get(sys.argv[2])
with run, run.writer("wheat") as writer:
    for number, result in enumerate(run.plan([{"name": name} for name in "abc"], progress=True)):
        score = [0.5, 0.25, 0.75][number]
        writer.write({"result_id": result.id, "metric": "rmse", "val_score": score, "partition": "val"})
        writer.checkpoint(result)
print("end")
"""


@pytest.fixture
def run(ws):
    """Give a queued run on one dataset."""
    return ws.runs.create("Any", templates=[["SNV"]], datasets=["wheat"])


def plain(shown):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def on_terminal(ws, run, term="xterm"):
    """What the script prints on a terminal, as bytes that the terminal got."""
    main, end = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(ws.path), run.id],
            stdout=subprocess.PIPE,
            stderr=end,
            env=os.environ | {"TERM": term, "COLUMNS": "120"},
        )
        os.close(end)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        with process.stdout as stream:
            out = stream.read()
        assert process.wait(timeout=120) == 0, shown
    finally:
        os.close(main)
    return out.decode(), plain(shown.decode())


def test_a_terminal_shows_done_and_best(ws, run):
    out, shown = on_terminal(ws, run)
    assert out == "end\n"
    for done, best in (("1/3", "0.5"), ("2/3", "0.25"), ("3/3", "0.25")):
        assert re.search(rf"{done}.*best rmse {best} \(wheat\)", shown), shown
    assert re.search(r"\d:\d\d:\d\d", shown)


def test_nothing_is_shown_where_stderr_is_no_terminal(ws, run):
    command = [sys.executable, "-c", CODE, str(ws.path), run.id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
    assert run.counts["done"] == 3


def test_a_notebook_shows_it(run, monkeypatch):
    """As rich sees one."""
    from nirs4all_workspace.runs import plan_progress

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(sys, "stderr", out := io.StringIO())
    with run, run.writer("wheat") as writer:
        todo = run.plan([{"name": name} for name in "ab"], progress=True)
        for result in todo:
            writer.checkpoint({**result.to_dict(), "score": 0.125, "metric": "r2"})
    assert re.search(r"2/2 .*best r2 0\.125 \(wheat\)", plain(out.getvalue()))
    assert plan_progress._SHOWN == {}


def test_it_behaves_like_the_list(run):
    configs = [{"name": name} for name in "abc"]
    plain, shown = run.plan(configs), run.plan(configs, progress=True)
    assert isinstance(shown, list)
    assert (shown, len(shown)) == (plain, 3)
    assert [it.id for it in shown] == [it.id for it in plain]
    assert (shown[0], shown[-1], shown[1:]) == (plain[0], plain[-1], plain[1:])
    assert list(reversed(shown)) == plain[::-1]
    assert shown.index(plain[1]) == 1
    assert sorted(it.id for it in shown) == sorted(it.id for it in plain)


def test_the_line_ends_with_the_block_whatever_ends_it(run, monkeypatch):
    from nirs4all_workspace.runs import plan_progress
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(plan_progress, "_console", lambda: console)
    configs = [{"name": name} for name in "abc"]
    iterations = []
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), run.resume():  # noqa: PT012
            iterations.append(iter(run.plan(configs, progress=True)))
            next(iterations[-1])
            (line,) = plan_progress._SHOWN.values()
            assert line.bar.live.is_started
            raise error
        assert plan_progress._SHOWN == {}
        assert not line.bar.live.is_started
    for iteration in iterations:
        iteration.close()
    assert plan_progress._SHOWN == {}


def test_what_was_done_before_counts(run, monkeypatch):
    from nirs4all_workspace.runs import plan_progress
    from rich.console import Console

    console = Console(file=(out := io.StringIO()), force_terminal=True, width=120)
    monkeypatch.setattr(plan_progress, "_console", lambda: console)
    configs = [{"name": name} for name in "abc"]
    with run, run.writer("wheat") as writer:
        writer.checkpoint(run.plan(configs)[0])
        todo = run.plan(configs, progress=True)
        for result in todo:
            # Inside of another loop over it, and with an unknown metric.
            assert len([it.id for it in todo]) == 2
            writer.checkpoint({**result.to_dict(), "score": 0.125, "metric": "unheard_of"})
            break
    seen = [text in out.getvalue() for text in ("1/3", "2/3", "3/3")]
    assert seen == [True, True, False]
    assert run.status is n4w.RunStatus.PAUSED
    assert plan_progress._SHOWN == {}
