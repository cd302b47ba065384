"""Terminals and pipes whose encoding lacks characters: what it lacks is escaped, and nothing fails for it."""

import os
import pty
import struct
import subprocess
import termios
from fcntl import ioctl

import nirs4all_workspace as n4w
import pytest
from commands import LINE
from conftest import DEMO, copy_files
from samples import strict

ENCODINGS = ("ascii", "latin-1", "cp437", "cp1252", "utf-8")
NAME = "h\u00eatre \u2026 \u5c71\u6bdb\u6989 \U0001f33e \u2500"
COMMANDS = (
    "summary",
    "runs",
    "top",
    "results",
    "predictions",
    "templates",
    "datasets list",
    "stats",
    "verify",
)


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """A workspace with a name that no such encoding has, and texts too long for a table of 60 columns."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("encodings") / "ws")
    templates = [n4w.Template(["A"], name=NAME)]
    run = ws.runs.create(f"{NAME} a run", templates=templates, datasets=[NAME])
    with run, run.writer(NAME) as writer:
        for planned in run.plan([{"name": NAME}]):
            row = {"id": NAME, "result_id": planned.id, "metric": "rmse", "val_score": 0.5}
            writer.write(row | {"model_name": NAME + " model" * 20})
            writer.checkpoint(planned)
    return ws


def on_terminal(encoding, *arguments):
    """Run a command with a terminal of 60 columns as stdin, stdout and stderr: its code and bytes."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    env |= {"PYTHONIOENCODING": encoding, "TERM": "xterm"}
    with subprocess.Popen(
        [*LINE, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    return process.returncode, b"".join(parts)


CASES = [("ascii", name) for name in COMMANDS] + [(encoding, "results") for encoding in ENCODINGS[1:]]


@pytest.mark.parametrize(("encoding", "name"), CASES)
def test_a_table(ws, encoding, name):
    code, out = on_terminal(encoding, *name.split(), str(ws.path))
    assert code == 0, out
    text = out.decode(encoding)
    assert "Traceback" not in text
    assert "codec" not in text
    # The lines of a table in ASCII are as wide as each other.
    rows = [line for line in text.replace("\r", "").split("\n") if line.startswith(("| ", "+-"))]
    if encoding != "utf-8" and name != "stats":  # which has several
        assert len({len(row) for row in rows}) <= 1, text


def test_lines_and_errors_are_escaped(ws):
    code, out = on_terminal("ascii", "show", ws.runs.list()[0].id, str(ws.path))
    assert (code, b"h\\xeatre \\u2026" in out.replace(b"\r\n", b"")) == (0, True), out
    code, out = on_terminal("ascii", "show", NAME, str(ws.path))
    assert (code, b"h\\xeatre \\u2026" in out.replace(b"\r\n", b"")) == (1, True), out


def test_a_migration_with_its_progress(tmp_path):
    copy_files(DEMO, tmp_path / "old\u2026")
    code, out = on_terminal("ascii", "migrate", str(tmp_path / "old\u2026"), str(tmp_path / "new\u2192"))
    assert code == 0, out
    assert b"read again and compared" in out
    assert n4w.Workspace.open(tmp_path / "new\u2192").predictions.page(limit=0).total > 0


@pytest.mark.parametrize("name", ["runs", "top"])
def test_json_is_the_same_in_every_encoding(ws, name):
    done = [
        subprocess.run(
            [*LINE, *name.split(), str(ws.path), "--json"],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            check=True,
        ).stdout
        for encoding in ("ascii", "utf-8")
    ]
    assert done[0].isascii()
    assert strict(done[0].decode()) == strict(done[1].decode())


def test_a_pipe(ws):
    env = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    done = subprocess.run([*LINE, "runs", str(ws.path)], capture_output=True, env=env, check=True)
    assert b"h\\xeatre \\u2026" in done.stdout
