"""Names of others on a terminal: in tables, lines, errors and warnings they are text, never commands."""

import ast
import json
import unicodedata
import warnings
from pathlib import Path

import nirs4all_workspace as n4w
import pytest
from commands import n4w as command
from nirs4all_workspace import cli
from nirs4all_workspace.display import shown
from samples import strict, table, write

# Values that a writer warns of are what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:(metric|partition) :UserWarning")

# Sets the clipboard, clears the screen, colours; C1, bidi, zero width, a tab and lines of one's own.
EVIL = "\x1b]52;c;cm0=\x07\x1b[2J\x9b31mX\u202e\u2066\u200b\ufeff\t\r\n0 problems\x7f\u2028\x85end"
DOUBTFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_safe(text):
    """Whether a terminal is told nothing but to begin new lines."""
    return all(unicodedata.category(character) not in DOUBTFUL for character in text.replace("\n", ""))


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """A workspace in which everything that may be called anything is called `EVIL`."""
    ws = n4w.Workspace.create(tmp_path_factory.mktemp("evil") / EVIL.replace("/", ""))
    data = ws.path / f"{EVIL}.csv"
    data.write_text("1100;1102;1104\n0.1;0.2;0.3\n")
    record = ws.datasets.register(data, EVIL)
    run = ws.runs.create(
        EVIL,
        templates=[n4w.Template(["SNV"], name=EVIL, description=EVIL)],
        datasets=[record],
        description=EVIL,
        modifications=[{"type": EVIL, EVIL: EVIL}],
        parent_run=EVIL,
    )
    with run, run.writer(EVIL) as writer:
        for number, planned in enumerate(run.plan([{"name": EVIL + str(n), "steps": [n]} for n in range(2)])):
            row = {"id": EVIL + str(number), "result_id": planned.id, "metric": EVIL, "partition": EVIL}
            names = dict.fromkeys(
                ("model_name", "fold_id", "preprocessings", "task_type", "config_name"), EVIL
            )
            writer.write({**row, **names, "val_score": 0.5, EVIL: EVIL})
            writer.checkpoint({**planned.to_dict(), "status": "failed", "error": EVIL} if number else planned)
    queued = ws.runs.create("q", parent_run=run.id)
    queued.transition("cancelled", EVIL)
    write(
        ws.path / "predictions" / "bad" / f"{queued.id}.b1c2cfdba291.meta.parquet",
        table(3, **{EVIL: ["x"] * 3}),
    )
    return ws


def commands(ws):
    done, other = ws.runs.list()
    at = str(ws.path)
    (result, *_) = ws.results.list()
    return [
        ["summary", at],
        ["stats", at],
        ["runs", at],
        ["runs", at, "--dataset", EVIL],
        ["show", done.id, at],
        ["show", other.id, at],
        ["results", at],
        ["top", at, "--metric", EVIL],
        ["top", at],
        ["predictions", at],
        ["predictions", at, "--columns", f"id,{EVIL}"],
        ["templates", at],
        ["templates", at, "--compare", done.id, "--compare", other.id],
        ["lineage", done.id, at],
        ["lineage", done.id, at, "--format", "dot"],
        ["lineage", done.id, at, "--format", "mermaid"],
        ["lineage", result.id, at, "--trace", "result"],
        ["lineage", EVIL, at, "--trace", "dataset"],
        ["datasets", "list", at],
        ["datasets", "resolve", EVIL, "-w", at],
        ["datasets", "link", at],
        ["datasets", "accept", EVIL, "-w", at],
        ["datasets", "register", str(ws.path / f"{EVIL}.csv"), "-w", at],
        ["verify", at, "--full"],
        ["gc", at],
        ["compact", at],
        ["recover", at],
        ["rebuild-summaries", at],
        # What does not exist, what cannot be, what is no option.
        *(
            [name, at, "--dataset", "no" + EVIL]
            for name in ("summary", "runs", "results", "top", "predictions")
        ),
        *([name, at, "--metric", "no" + EVIL] for name in ("results", "top", "predictions")),
        ["results", at, "--template", "no" + EVIL],
        ["top", at, "--run", "no" + EVIL],
        ["top", at, "-k", EVIL],
        ["runs", at, "--status", EVIL],
        ["top", at, "--" + EVIL],
        [EVIL],
        ["datasets", EVIL],
        ["predictions", at, "--sort-by", EVIL + "no"],
        ["predictions", at, "--cursor", EVIL],
        ["lineage", done.id, at, "--trace", EVIL],
        ["show", "no" + EVIL, at],
        ["pause", done.id, at],
        ["summary", at + "/no" + EVIL],
        ["init", at],
        ["datasets", "relocate", EVIL, str(ws.path), "-w", at],
        ["migrate", at, at + "2"],
        ["predictions", at, "--csv", str(ws.path / "none" / EVIL)],
    ]


def test_no_command_lets_a_name_through(ws):
    for arguments in commands(ws):
        _, out, err = command(*arguments)
        assert out + err, arguments
        assert is_safe(out + err), (arguments, ascii(out + err)[:3000])


def test_names_are_shown_escaped_and_json_has_them_as_they_are(ws):
    _, out, _ = command("runs", str(ws.path))
    assert r"\x1b]52;c;cm0=\x07" in "".join(out.split())
    _, out, _ = command("runs", str(ws.path), "--json")
    assert out.isascii()
    assert strict(out)["runs"][0]["name"] == EVIL


def test_an_unknown_name_is_named_and_fails(ws, tmp_path):
    at = str(ws.path)
    for name in ("runs", "results", "predictions", "top", "summary"):
        code, _, err = command(name, at, "--dataset", "whaet")
        assert (code, "whaet" in err) == (1, True), name
    code, out, err = command("results", at, "--template", "whaet", "--json")
    assert (code, strict(out)["results"], "whaet" in err) == (1, [], True)
    for option in ("--model", "--partition", "--fold", "--metric"):
        code, _, err = command("predictions", at, option, "whaet")
        assert (code, "whaet" in err) == (1, True), option
    code, _, err = command(
        "predictions", at, "--csv", tmp_path / "x.csv", "--dataset", "whaet", "--columns", "id"
    )
    assert (code, "whaet" in err) == (1, True)
    # Known names that have nothing together are no mistake.
    assert command("results", at, "--dataset", EVIL, "--metric", EVIL, "--min-score", "7")[0] == 0
    assert command("predictions", at, "--dataset", EVIL, "--min-val-score", "7")[0] == 0


def test_texts_of_errors_are_safe_and_their_parts_are_as_they_are(ws, tmp_path):
    fails = [
        lambda: n4w.Workspace.open(tmp_path / EVIL),
        lambda: ws.summary("no" + EVIL),
        lambda: ws.runs.get("no" + EVIL),
        lambda: ws.predictions.top(metric="no" + EVIL),
        lambda: ws.predictions.top(**{EVIL: "x"}),
        lambda: ws.predictions.page(sort_by="no" + EVIL),
        lambda: ws.datasets.get("no" + EVIL),
        lambda: ws.datasets.register(tmp_path / EVIL),
        lambda: ws.datasets.relocate(EVIL, tmp_path),
        lambda: ws.runs.create("r", datasets=[{"name": EVIL}, {"name": EVIL}]),
        lambda: n4w.hash_file(tmp_path / EVIL),
        lambda: n4w.read_summary(tmp_path / EVIL),
        lambda: n4w.metric_info(EVIL),
        lambda: n4w.is_better(1.0, 2.0, EVIL),
        lambda: ws.trace("run", "no" + EVIL),
        lambda: ws.lineage("no" + EVIL),
        lambda: ws.templates.get(EVIL),
        lambda: ws.artifacts.get(EVIL),
        lambda: ws.predictions.writer(EVIL, EVIL),
        lambda: ws.predictions.get(EVIL),
        lambda: ws.predictions.export(tmp_path / EVIL / EVIL),
    ]
    for number, fail in enumerate(fails):
        with pytest.raises((n4w.WorkspaceError, OSError, ValueError, TypeError, KeyError)) as raised:
            assert fail() is None, number
        assert is_safe(str(raised.value)), (number, ascii(str(raised.value)))
    error = n4w.ConflictError(f"of {EVIL}", EVIL)
    assert (error.message, error.path) == (f"of {EVIL}", EVIL)
    with pytest.raises(FileNotFoundError) as raised:
        n4w.hash_file(tmp_path / EVIL)
    assert raised.value.filename == str(tmp_path / EVIL)


def test_warnings_are_safe(tmp_path):
    folder = tmp_path / "ws"
    write(folder / "a.meta.parquet", table(3))
    (folder / f"{EVIL}.meta.parquet").write_bytes(b"no Parquet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        n4w.Workspace.open(folder).predictions.scan().collect()
    assert caught
    assert all(is_safe(str(warning.message)) for warning in caught)


@pytest.mark.parametrize(
    ("text", "as_shown"),
    [
        ("plain [red] \\x1b {a}", "plain [red] \\x1b {a}"),
        ("Zürich 数据 🌾 é", "Zürich 数据 🌾 é"),
        ("\x1b[0m", "\\x1b[0m"),
        ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00"),
        ("\x9b1m\x7f", "\\x9b1m\\x7f"),
        ("\u202eabc\u200b\u2028\U000e0041", "\\u202eabc\\u200b\\u2028\\U000e0041"),
        ("\udcff.csv", "\\xff.csv"),
        ("\ud800", "\\ud800"),
        ("\u3164", "\\u3164"),
    ],
)
def test_what_is_escaped(text, as_shown):
    assert shown(text) == as_shown
    assert is_safe(shown(text))


def test_every_character_is_printable_as_it_is_or_escaped():
    for number in [
        *range(0x3000),
        *range(0xD7FF, 0xE001),
        *range(0xFE00, 0x10000),
        0x1F33E,
        0xE0001,
        0x10FFFF,
    ]:
        assert is_safe(shown(chr(number))), hex(number)
        shown(chr(number)).encode()


def test_commands_print_for_people_through_one_place():
    """What is printed elsewhere would not be escaped."""
    found = []
    folder = Path(cli.__file__).parent
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(file.name)
            if isinstance(node, ast.Attribute) and node.attr in ("echo", "secho", "Console"):
                found.append(file.name)
    assert set(found) == {"output.py"}
    assert json.dumps(EVIL).isascii()
