"""What changes a workspace is in the log at INFO, details at DEBUG, and rows nowhere."""

import logging
import subprocess
import sys

import nirs4all_workspace as n4w
import pytest
from samples import table, write

SECRET = 0.123456789


@pytest.fixture
def log(caplog):
    """Give `log(work, level=INFO)`: the messages of the package while `work` runs."""

    def messages(work, level=logging.INFO):
        caplog.clear()
        with caplog.at_level(level, logger="nirs4all_workspace"):
            work()
        assert all(record.name.startswith("nirs4all_workspace") for record in caplog.records)
        return [(record.levelno, record.getMessage()) for record in caplog.records]

    return messages


def said(messages, *words, level=logging.INFO):
    """How many messages of a level have all these words."""
    return sum(of == level and all(word in text for word in words) for of, text in messages)


def test_a_run_from_beginning_to_end(ws, log):
    def work():
        run = ws.runs.create("Any", templates=[["SNV"]], datasets=["wheat"])
        with run, run.writer("wheat") as writer:
            (result,) = run.plan([{"name": "SNV"}])
            for number in range(50):
                writer.write({"result_id": result.id, "val_score": SECRET, "model_name": f"secret {number}"})
            writer.flush()
            writer.checkpoint(result)
        run.edit(tags=["a"])
        work.ids = run.id, writer.writer_id, result.id

    messages = log(work, logging.DEBUG)
    run, writer, result = work.ids
    assert said(messages, run, "created") == 1
    assert said(messages, run, "queued -> running") == said(messages, run, "running -> completed") == 1
    assert said(messages, writer, "opened", run, "wheat") == said(messages, writer, "sealed") == 1
    assert said(messages, result, "checkpointed", "done") == 1
    assert said(messages, run, "edited", "tags") == 1
    assert said(messages, "template", "stored") == 1
    assert said(messages, writer, "flushed", "50", level=logging.DEBUG) == 1
    assert not any("secret" in text or str(SECRET) in text for _, text in messages)
    assert len(messages) < 20  # not one for each row


def test_work_on_a_workspace(ws, tmp_path, log):
    run = ws.runs.create("Any")
    with run:
        for _ in range(2):
            with run.writer("wheat") as writer:
                writer.write({"val_score": 0.5})
    assert said(log(lambda: ws.predictions.compact()), "compacted") in (0, 1)  # young ones wait
    assert said(log(lambda: ws.recover()), "recovered") == 1
    assert said(log(lambda: ws.runs.delete(run.id)), run.id, "deleted") == 1
    (tmp_path / "a.csv").write_text("1100;1102\n0.1;0.2\n", "utf-8")
    assert said(log(lambda: ws.datasets.register(tmp_path / "a.csv")), "registered") == 1
    assert said(log(lambda: ws.artifacts.put(b"model")), "artifact", "stored") == 1
    write(tmp_path / "old" / "wheat.meta.parquet", table(3))
    assert said(log(lambda: n4w.migrate(tmp_path / "old", tmp_path / "new")), "migrated") == 1
    assert said(log(lambda: n4w.Workspace.create(tmp_path / "other")), "created") == 1


def test_reading_changes_nothing_and_says_nothing(ws, log):
    ws.runs.create("Any")

    def work():
        again = n4w.Workspace.open(ws.path)
        again.summary()
        again.runs.list()
        again.predictions.page()

    assert log(work) == []


def test_names_cannot_forge_a_line(ws, log):
    def work():
        ws.predictions.writer("2026-11-30_Any_0123456789ab", "wheat\nERROR forged \x1b[2J").close()

    assert all("\n" not in text and "\x1b" not in text for _, text in log(work))


def test_a_transition_is_logged_with_its_reason_on_one_line(ws, log):
    run = ws.runs.create("Any")
    run.transition("running")
    messages = log(lambda: run.transition("paused", "lunch\nERROR forged \x1b[2J" + "!" * 10_000))
    assert said(messages, run.id, "running -> paused", "lunch") == len(messages) == 1
    (message,) = [text for _, text in messages]
    assert message.isprintable()
    assert len(message) < 500


def test_nothing_is_printed_unless_asked():
    code = """
import sys, tempfile, nirs4all_workspace as n4w
ws = n4w.Workspace.create(tempfile.mkdtemp() + "/ws")
with ws.predictions.writer("2026-11-30_Any_0123456789ab", "wheat") as writer:
    writer.write({"val_score": 0.5})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (handler,) = logging.getLogger("nirs4all_workspace").handlers[:1]
    assert isinstance(handler, logging.NullHandler)
