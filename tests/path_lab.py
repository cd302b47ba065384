"""A folder with all that commands work on, the ways to say where it is, and each command of `n4w` on it.

`Place` is one copy of that folder and one way to give its paths; `COMMANDS` has an entry for every command.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import commands
import nirs4all_workspace as n4w
from nirs4all_workspace import cli
from samples import strict, table, write

STORE = Path(__file__).parent / "compat" / "samples" / "stores" / "1.4.10-tables.zip"
DEMO = Path(cli.__file__).parents[1] / "demo"
LONG_AGO = 1_700_000_000
# What differs between two calls whatever the paths are.
VOLATILE = {
    *("generated_at", "seconds", "time", "who", "workspace_id", "created_at", "migrated_at", "fingerprint"),
    *("started_at", "completed_at", "revision", "created_by", "history", "bytes_after", "imported_at"),
}


def spectra(folder, rows, first):
    """A dataset as nirs4all wants it; the targets rise from `first`."""
    folder.mkdir(parents=True)
    lines = [f"0.{i + 1};0.2;0.7;0.1;0.4" for i in range(rows)]
    (folder / "Xcal.csv").write_text("\n".join(["1100;1102;1104;1106;1108", *lines]) + "\n")
    (folder / "Ycal.csv").write_text("\n".join(["protein", *(f"{first + i}.5" for i in range(rows))]) + "\n")


def make(lab):
    """Make `ws` (a workspace with datasets in `data`), `more` datasets, `old` of nirs4all 0.6, and a `store`.

    Return what is in it by name, and a writer that is still open.
    """
    ws = n4w.Workspace.create(lab / "ws")
    data = lab / "ws" / "data"
    spectra(data / "wheat", 6, 10)
    spectra(data / "barley", 4, 70)
    names = {name: ws.datasets.register(data / name).id for name in ("wheat", "barley")}
    (lab / "more").mkdir()
    (data / "barley").rename(lab / "more" / "barley")
    spectra(data / "barley", 5, 30)
    spectra(lab / "more" / "new", 3, 50)
    done = ws.runs.create("done", templates=[["SNV"]], datasets=["wheat"])
    model = lab / "model.joblib"
    model.write_bytes(b"a model")
    with done:
        for name in ("a", "b"):
            with done.writer("wheat") as writer:
                for planned in done.plan([{"name": name, "steps": ["SNV", name]}]):
                    row = {"id": name, "result_id": planned.id, "metric": "rmse", "partition": "val"}
                    writer.write({**row, "val_score": 0.5, "model_name": "PLS", "y_true": [1.0, 2.0]})
                    writer.checkpoint(planned)
                    names["result"] = planned.id
    names["done"] = done.id
    for name, states in {
        "waits": [],
        "stopped": ["running", "paused"],
        "broke": ["running", "failed"],
    }.items():
        run = ws.runs.create(name)
        for state in states:
            run.transition(state)
        names[name] = run.id
    names["artifact"] = ws.artifacts.put(model)
    # In copies nobody owns it, and its writer is dead.
    began = ws.runs.create("began", datasets=["barley"])
    began.transition("running")
    writer = began.writer("barley")
    writer.write({"id": "c", "metric": "rmse", "partition": "val", "val_score": 0.25, "model_name": "PLS"})
    writer.flush()
    names["began"] = began.id
    spec = "name: again\ntemplates: [[SNV]]\ndatasets: [barley, ../ws/data/wheat]\n"
    (lab / "more" / "spec.yaml").write_text(spec)
    write(lab / "old" / "wheat.meta.parquet", table(30))
    manifest = "uid: u\nname: config\ndataset: wheat\ncreated_at: '2026-01-15T12:00:00'\npipeline:\n- SNV\n"
    (lab / "old" / "runs" / "wheat" / "0001_config_abcdef").mkdir(parents=True)
    (lab / "old" / "runs" / "wheat" / "0001_config_abcdef" / "manifest.yaml").write_text(manifest)
    zipfile.ZipFile(STORE).extractall(lab / "store")
    shutil.rmtree(lab / "ws" / ".cache", ignore_errors=True)
    for path in [lab, *lab.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return names, writer


@dataclass
class Place:
    """A copy of the lab, where commands are called from, and how paths are given."""

    lab: Path
    cwd: Path
    is_relative: bool = False
    has_default: bool = False
    names: dict | None = None

    def path(self, name):
        """The path of something in the lab, as it is given."""
        full = self.lab / name
        return os.path.relpath(full, self.cwd) if self.is_relative else str(full)

    @property
    def ws(self):
        """The arguments that name the workspace."""
        return [] if self.has_default else [self.path("ws")]

    @property
    def option(self):
        """The options that name the workspace."""
        return [] if self.has_default else ["-w", self.path("ws")]


def _delete(at):
    return ["delete", at.names["broke"], *at.ws, "--yes"]


# Every command, by what makes it of a place; `READS` are those that write nothing but cache.
COMMANDS = {
    "init": lambda at: ["init", at.path("made")],
    "demo": lambda _: ["demo"],
    "summary": lambda at: ["summary", *at.ws],
    "stats": lambda at: ["stats", *at.ws],
    "runs": lambda at: ["runs", *at.ws],
    "show": lambda at: ["show", at.names["done"], *at.ws],
    "results": lambda at: ["results", *at.ws],
    "top": lambda at: ["top", *at.ws],
    "predictions": lambda at: ["predictions", *at.ws],
    "templates": lambda at: ["templates", *at.ws],
    "lineage": lambda at: ["lineage", at.names["done"], *at.ws],
    "datasets list": lambda at: ["datasets", "list", *at.ws],
    "datasets register": lambda at: ["datasets", "register", at.path("more/new"), *at.option],
    "datasets link": lambda at: ["datasets", "link", *at.ws, "--search", at.path("more")],
    "datasets resolve": lambda at: ["datasets", "resolve", "barley", *at.option, "--search", at.path("more")],
    "datasets relocate": lambda at: ["datasets", "relocate", "barley", at.path("more/barley"), *at.option],
    "datasets accept": lambda at: ["datasets", "accept", "barley", at.path("ws/data/barley"), *at.option],
    "edit": lambda at: ["edit", at.names["done"], *at.ws, "--notes", "n"],
    "pause": lambda at: ["pause", at.names["began"], *at.ws],
    "resume": lambda at: ["resume", at.names["stopped"], *at.ws],
    "cancel": lambda at: ["cancel", at.names["waits"], *at.ws],
    "retry": lambda at: ["retry", at.names["broke"], *at.ws],
    "delete": _delete,
    "recover": lambda at: ["recover", *at.ws],
    "compact": lambda at: ["compact", *at.ws],
    "rebuild-summaries": lambda at: ["rebuild-summaries", *at.ws],
    "verify": lambda at: ["verify", *at.ws, "--full"],
    "gc": lambda at: ["gc", *at.ws, "--yes"],
    "migrate": lambda at: ["migrate", at.path("old"), at.path("migrated")],
    "import": lambda at: ["import", at.path("store"), at.path("imported")],
    "serve": lambda at: ["serve", *at.ws, "--no-browser", "--port", "0"],
    "watch": lambda at: ["watch", *at.ws, "--interval", "0.05"],
    "run": lambda at: ["run", at.path("more/spec.yaml"), *at.option],
    "worker": lambda at: ["worker", *at.ws, "--once"],
}
READS = {
    *("demo", "summary", "stats", "runs", "show", "results", "top", "predictions", "templates", "lineage"),
    *("datasets list", "datasets resolve", "verify", "watch", "serve"),
}


def watched(at, arguments):
    """What `n4w watch` says: something changes, and once that is told it is sent SIGINT."""
    out, err = io.StringIO(), io.StringIO()
    file = at.lab / "ws" / "templates" / "tpl_0123456789abcdef.yaml"

    def act():
        until = time.monotonic() + 20
        while time.monotonic() < until and not out.getvalue():
            file.write_text(f"schema_version: '1.0'  # {time.monotonic()}\n")
            time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    code = 0
    actor = threading.Thread(target=act)
    # Whoever runs the tests in the background may have it ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        actor.start()
        try:
            cli.main(arguments)
        except SystemExit as ended:
            code = ended.code or 0
        except KeyboardInterrupt:
            code = 130
    actor.join()
    signal.signal(signal.SIGINT, handler)
    lines = out.getvalue().splitlines()
    return code, lines[0] if lines else "", err.getvalue()


def driven(templates, datasets, workspace="n4w-workspace", name=None):
    """What drives nirs4all, without it: a run that is there, described as what it was given."""
    ws = n4w.Workspace.open(workspace)
    assert [template.steps for template in templates] == [["SNV"]]
    given = [os.path.relpath(path, ws.path) for path in datasets]
    return ws.runs.get("done").edit(description=f"{name}: {given}")


def served(server, sockets):
    """What a server would serve, in place of serving it."""
    for socket in sockets:
        socket.close()
    listed = server.config.app.state.api.served()
    print(json.dumps([{"key": it.key, "path": str(it.path)} for it in listed]))


def perform(name, at):
    """Do one command at a place, from its working directory: exit code, answer, and the text of stderr."""
    before = Path.cwd()
    os.chdir(at.cwd)
    try:
        arguments = [*COMMANDS[name](at), *(() if name == "serve" else ("--json",))]
        with contextlib.ExitStack() as replaced:
            if name == "serve":
                replaced.enter_context(mock.patch("nirs4all_workspace.web.serve._Server.run", served))
            replaced.enter_context(mock.patch("nirs4all_workspace.integrations.nirs4all.drive.run", driven))
            code, out, err = watched(at, arguments) if name == "watch" else commands.n4w(*arguments)
    finally:
        os.chdir(before)
    return code, settled(strict(out), at.lab) if out else None, err


def settled(answer, lab):
    """An answer without what differs between two calls, and with one name for the lab."""
    if isinstance(answer, dict):
        return {key: settled(value, lab) for key, value in answer.items() if key not in VOLATILE}
    if isinstance(answer, list):
        return [settled(item, lab) for item in answer]
    return answer.replace(str(lab), "<lab>") if isinstance(answer, str) else answer


def copy(lab, target):
    """A copy of the lab with its times."""
    shutil.copytree(lab, target, symlinks=True)
    return target


def main(folder, names):
    """Do every command as root on a copy; then as nobody, on a copy of nobody's and on one of root's."""
    folder = Path(folder)
    names = json.loads(names)
    places = {name: Place(folder / name, folder, names=names) for name in ("root", "nobody", "reader")}
    made = {}
    for user, at in places.items():
        if user == "nobody":
            # All that is imported on use is imported by now: the environment may not be everybody's.
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        for name in COMMANDS:
            if name == "watch" and user == "reader":
                continue  # nothing changes there
            if name in ("demo", "serve") and not os.access(DEMO, os.R_OK):
                continue  # its files come with the package, which may be one user's
            made.setdefault(user, {})[name] = perform(name, each(at, name))
    print(json.dumps(made))


def each(at, name):
    """The copy of a place that one command works on."""
    return Place(at.lab / name.replace(" ", "_"), at.cwd, at.is_relative, at.has_default, at.names)


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
