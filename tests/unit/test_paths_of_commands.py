"""All commands of `n4w`, however their paths are given: each answers as with a plain absolute path."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import commands
import path_lab
import pytest
import typer
from nirs4all_workspace import cli
from path_lab import COMMANDS, READS, Place, copy, each, perform

ODD = {
    "spaces": "a  folder with spaces ",
    "brackets": "set [12] {a,b} lot*?",
    "newline": "two\nlines\tand a tab",
    "NFC": unicodedata.normalize("NFC", "Zürich café é"),
    "NFD": unicodedata.normalize("NFD", "Zürich café é"),
    "shell": "$HOME ;'\"`%20~#&\\x",
    "escapes": "\x1b[31mred\u202e\u200b",
    "markup": "[bold]:smile:[/bold] <b>",
}
FORMS = ["relative", "default", "dots", "odd and relative", *ODD]


MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture
def tmp_path():
    """In memory and removed at once: there are hundreds of copies of the lab."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "lab"
    names, writer = path_lab.make(folder)
    yield folder, names
    writer.close()


@pytest.fixture(scope="module")
def plain(lab, tmp_path_factory):
    """What each command answers with a plain absolute path, asked once."""
    folder, names = lab
    known = {}

    def answer(name):
        if name not in known:
            there = copy(folder, tmp_path_factory.mktemp("plain") / "lab")
            known[name] = perform(name, Place(there, Path("/"), names=names))
        return known[name]

    return answer


@pytest.fixture(scope="module")
def places(lab, tmp_path_factory):
    return functools.cache(lambda form: place(form, lab, tmp_path_factory.mktemp("shared")))


def place(form, lab, tmp_path):
    folder, names = lab
    top = tmp_path / (
        "".join(ODD.values()).replace("/", "") if form == "odd and relative" else ODD.get(form, "x")
    )
    there = copy(folder, top / "lab")
    if form == "relative":
        return Place(there, there, is_relative=True, names=names)
    if form == "default":
        return Place(there, there / "ws", is_relative=True, has_default=True, names=names)
    if form == "dots":
        return Place(there, there / "ws" / "data" / "wheat", is_relative=True, names=names)
    if form == "odd and relative":
        return Place(there, there / "more", is_relative=True, names=names)
    return Place(there, tmp_path, names=names)


def commands_of(group, before=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name


def test_the_table_has_every_command():
    assert sorted(commands_of(typer.main.get_command(cli.app))) == sorted(COMMANDS)
    assert COMMANDS.keys() > READS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_path_is_one_however_it_is_given(name, form, lab, plain, places, tmp_path):
    # What only reads may share a copy.
    at = places(form) if name in READS - {"watch"} else place(form, lab, tmp_path)
    code, answer, err = perform(name, at)
    assert (code, answer) == plain(name)[:2], err
    assert answer is not None, "a command that answers nothing is compared with nothing"


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            "init EMPTY",
            "summary EMPTY",
            "top EMPTY",
            "watch EMPTY",
            "migrate EMPTY made",
            "migrate old EMPTY",
            "import EMPTY made",
            "import store EMPTY",
        ),
        *("datasets register EMPTY -w ws", "datasets list EMPTY", "datasets register more/new -w EMPTY"),
        *("datasets relocate wheat EMPTY -w ws", "datasets accept wheat EMPTY -w ws"),
        *("predictions ws --csv EMPTY", "datasets link ws --search EMPTY"),
    ],
)
def test_an_empty_path_is_refused(arguments, lab, tmp_path, monkeypatch):
    there = copy(lab[0], tmp_path / "lab")
    monkeypatch.chdir(there)
    before = sorted(there.rglob("*"))
    code, out, err = commands.n4w(*("" if it == "EMPTY" else it for it in arguments.split()))
    assert (code, out) == (2, ""), err
    assert [path for path in sorted(there.rglob("*")) if ".cache" not in path.parts] == before


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("watch", "serve")])
def test_tables_and_lines_hold_no_command_to_the_terminal(name, lab, tmp_path, monkeypatch):
    at = place("odd and relative", lab, tmp_path)
    monkeypatch.chdir(at.cwd)
    code, out, err = commands.n4w(*COMMANDS[name](at))
    assert code in (0, 1), err
    for line in (out + err).splitlines():
        assert line.isprintable(), ascii(line)


def answers_of_users(lab):
    """What each command answers root, nobody in folders of its own, and nobody in folders of root's."""
    folder, names = lab
    with tempfile.TemporaryDirectory(dir=MEMORY) as top:
        Path(top).chmod(0o755)
        for user in ("root", "nobody", "reader"):
            for name in COMMANDS:
                at = each(Place(Path(top) / user, Path(top)), name)
                at.lab.parent.mkdir(exist_ok=True)
                copy(folder, at.lab)
        cache = Path(top) / "cache"
        cache.mkdir()
        own = [Path(top) / "nobody", *(Path(top) / "nobody").rglob("*"), cache]
        for path in own:
            os.chown(path, 65534, 65534)
        done = subprocess.run(
            [sys.executable, path_lab.__file__, top, json.dumps(names)],
            env=os.environ | {"PYTHONPATH": str(Path(path_lab.__file__).parent)},
            cwd=top,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_answered_the_same_and_a_read_only_folder_is_read(lab):
    found = answers_of_users(lab)
    assert found["nobody"].keys() >= COMMANDS.keys() - {"demo", "serve"}
    for name in found["nobody"]:
        code, answer, _ = found["root"][name]
        assert found["nobody"][name][:2] == [code, answer], (name, found["nobody"][name][2])
        if name == "watch":
            continue
        reader = found["reader"][name]
        if name in READS:
            assert reader[:2] == [code, answer], (name, reader[2])
        elif answer != reader[1]:
            # It had something to write: it says so, with the path, and fails.
            assert reader[0] == 1, (name, reader)
            assert "ermission denied" in reader[2] + json.dumps(reader[1]), (name, reader)
