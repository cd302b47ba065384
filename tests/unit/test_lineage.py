"""Lineage of runs: trees, cycles, missing parents, long chains, and names that need escaping."""

import re
import shutil
import subprocess

import nirs4all_workspace as n4w
import pytest
import yaml
from nirs4all_workspace.model import run_record


@pytest.fixture
def family(ws):
    """A run, its two children, and a child of the first of these."""
    top = ws.runs.create("top")
    change = [{"type": "dataset_added", "dataset": "corn"}, {"type": "note"}]
    one = ws.runs.create("one", parent_run=top.id, derived_from_result="res_1", modifications=change)
    two = ws.runs.create("two", parent_run=top.id)
    leaf = ws.runs.create("leaf", parent_run=one.id)
    return ws, top, one, two, leaf


def lay_run(ws, run_id, **fields):
    """A run's folder as somebody else might have written it."""
    folder = ws.path / "runs" / run_id
    folder.mkdir(parents=True)
    record = {"id": run_id, "name": run_id, "created_at": "2026-11-24T10:00:00+00:00", "status": "completed"}
    (folder / "run.yaml").write_text(yaml.safe_dump(record | fields), encoding="utf-8")
    (folder / "templates.yaml").write_text("templates: []\n")
    (folder / "datasets.yaml").write_text("datasets: []\n")


def edit(run, **changes):
    path = run.path / "run.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes), encoding="utf-8")


def test_what_a_run_is_derived_from_and_what_is_derived_from_it(family):
    ws, top, one, two, leaf = family
    found = ws.lineage(one.id)
    assert (found.id, found.ancestors, found.descendants) == (one.id, [top.id], [leaf.id])
    assert [(node.id, node.name, node.status, node.is_missing) for node in found.nodes] == [
        (run.id, name, "queued", False) for run, name in ((top, "top"), (one, "one"), (leaf, "leaf"))
    ]
    assert [(edge.parent, edge.child, edge.derived_from_result) for edge in found.edges] == [
        (top.id, one.id, "res_1"),
        (one.id, leaf.id, None),
    ]
    assert found.edges[0].modifications == [{"type": "dataset_added", "dataset": "corn"}, {"type": "note"}]
    assert ws.lineage(top.id).descendants == [one.id, two.id, leaf.id]
    assert ws.lineage(leaf.id).ancestors == [one.id, top.id]
    answer = found.to_dict()
    assert list(answer) == ["id", "ancestors", "descendants", "nodes", "edges", "errors"]
    assert list(answer["nodes"][0]) == ["id", "name", "status", "created_at", "is_missing"]
    assert list(answer["edges"][0]) == ["parent", "child", "derived_from_result", "modifications"]


def test_the_tree_the_graph_and_the_chart(family):
    ws, top, one, two, leaf = family
    assert ws.lineage(top.id).to_text() == (
        f"* {top.id}  top [queued]\n"
        f"|- o {one.id}  one [queued]  <- from res_1; dataset_added(dataset=corn); note\n"
        f"|  o {leaf.id}  leaf [queued]\n"
        f"`- o {two.id}  two [queued]\n"
    )
    dot = ws.lineage(one.id).to_dot().splitlines()
    label = "from res_1; dataset_added(dataset=corn); note"
    assert f'  "{top.id}" -> "{one.id}" [label="{label}"];' in dot
    assert f'  "{one.id}" -> "{leaf.id}";' in dot
    assert f'  "{one.id}" [label="one\\n{one.id}\\nqueued", penwidth=2];' in dot
    chart = ws.lineage(one.id).to_mermaid().splitlines()
    assert chart[0] == "flowchart TD"
    assert f'  n1["one<br/>{one.id}<br/>queued"]:::this' in chart
    assert '  n0 -->|"from res_1#59; dataset_added(dataset=corn)#59; note"| n1' in chart
    assert "  n1 --> n2" in chart


def test_a_result_stands_for_its_run(ws):
    run = ws.runs.create("a", templates=[["SNV"]], datasets=["wheat"])
    with run:
        (planned,) = run.plan([{"name": "a"}])
        with run.writer("wheat") as writer:
            writer.checkpoint(planned)
    child = ws.runs.create("b", derived_from_result=planned.id)
    assert ws.lineage(planned.id).id == run.id
    # It names no parent, but a result of it.
    assert ws.lineage(child.id).ancestors == [run.id]


def test_a_missing_parent_is_shown_as_missing(ws):
    run = ws.runs.create("orphan", parent_run="2025-01-01_Gone_000000000000")
    found = ws.lineage(run.id)
    assert found.ancestors == ["2025-01-01_Gone_000000000000"]
    assert found.nodes[0].is_missing
    assert found.to_text().startswith("o 2025-01-01_Gone_000000000000  missing\n")
    assert 'label="2025-01-01_Gone_000000000000\\nmissing", style=dashed' in found.to_dot()
    assert '["2025-01-01_Gone_000000000000<br/>missing"]:::missing' in found.to_mermaid()
    # It can be asked for, too: something is derived from it.
    assert ws.lineage("2025-01-01_Gone_000000000000").descendants == [run.id]
    with pytest.raises(n4w.NotFoundError, match="nobody"):
        ws.lineage("nobody")


def test_a_deleted_parent_is_missing(family):
    ws, top, one, *_ = family
    ws.runs.delete(top.id)
    assert ws.lineage(one.id).nodes[0].is_missing


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_cycle_is_refused_and_named(ws, length):
    runs = [ws.runs.create(f"run {number}") for number in range(length)]
    for number, run in enumerate(runs):
        edit(run, parent_run=runs[(number + 1) % length].id)
    beside = ws.runs.create("beside")
    below = ws.runs.create("below", parent_run=beside.id)
    edit(below, parent_run=runs[0].id)
    for run in (*runs, below):
        with pytest.raises(n4w.CorruptFileError, match="derived from each other") as raised:
            ws.lineage(run.id)
        assert all(one.id in str(raised.value) for one in runs)
        assert below.id not in str(raised.value)
    assert ws.lineage(beside.id).ancestors == []
    with pytest.raises(n4w.CorruptFileError, match="derived from each other"):
        ws.runs.create("another", parent_run=runs[0].id)


def test_a_run_cannot_be_derived_from_what_is_derived_from_it(ws, monkeypatch):
    child = ws.runs.create("child", parent_run="2026-11-24_Mine_000000000000")
    grandchild = ws.runs.create("grandchild", parent_run=child.id)
    monkeypatch.setattr(run_record, "new_id", lambda *_: "2026-11-24_Mine_000000000000")
    for parent in (grandchild.id, child.id, "2026-11-24_Mine_000000000000"):
        with pytest.raises(ValueError, match="cannot be derived"):
            ws.runs.create("mine", parent_run=parent)
    assert [run.name for run in ws.runs.list()] == ["child", "grandchild"]


def test_chains_of_any_length(ws):
    length = 3_000  # deeper than Python recurses
    for number in range(length):
        lay_run(ws, f"r{number:05d}", **({"parent_run": f"r{number - 1:05d}"} if number else {}))
    found = ws.lineage("r01500")
    assert found.ancestors == [f"r{number:05d}" for number in range(1499, -1, -1)]
    assert found.descendants == [f"r{number:05d}" for number in range(1501, length)]
    text = found.to_text().splitlines()
    assert len(text) == length
    assert text[-1] == "o r02999  r02999 [completed]"
    assert len(found.to_dot().splitlines()) == 2 * length - 1 + 3
    assert len(found.to_mermaid().splitlines()) == 2 * length - 1 + 3


NAMES = [
    'say "hi"',
    "back\\slash\\",
    "two\nlines\r\nand\u2028more",
    "blé 小麦 🌾",
    "end",
    "%%{init: {}}%%",
    "a]-->b; `x` <b>&amp;#35;|",
    "nul\x01\x7f",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_escaped(ws, name):
    run = ws.runs.create("plain")
    edit(run, name=name, parent_run=f"gone {name}", modifications=[{"type": name}])
    found = ws.lineage(run.id)
    for line in found.to_text().splitlines():
        assert line.isprintable()
    assert len(found.to_text().splitlines()) == 2

    # Texts in quotes, undone by the rules of DOT, and nothing else but what was meant.
    dot = found.to_dot()
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', dot)
    skeleton = re.sub(r'"(?:[^"\\]|\\.)*"', '""', dot)
    assert skeleton == (
        'digraph lineage {\n  node [shape=box];\n  "" [label="", style=dashed];\n'
        '  "" [label="", penwidth=2];\n  "" -> "" [label=""];\n}\n'
    )
    undone = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), quoted[3])
    shown = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in name.splitlines())
    assert undone == f"{shown}\n{run.id}\nqueued"

    chart = found.to_mermaid()
    labels = re.findall(r'"([^"\n]*)"', chart)
    assert re.sub(r'"[^"\n]*"', '""', chart) == (
        'flowchart TD\n  n0[""]:::missing\n  n1[""]:::this\n  n0 -->|""| n1\n'
        "  classDef missing stroke-dasharray: 4\n  classDef this stroke-width: 3px\n"
    )
    undone = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), labels[1].replace("<br/>", "\n"))
    assert undone == f"{shown}\n{run.id}\nqueued"
    assert not re.search(r"[%`{};&\\|]", re.sub(r"#\d+;|<br/>", "", labels[1]))


def test_graphviz_reads_it(family):
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    ws, top, *_ = family
    edit(top, name=NAMES[0] + NAMES[1])
    run = subprocess.run(
        ["dot", "-Tplain"], input=ws.lineage(top.id).to_dot(), capture_output=True, text=True, check=True
    )
    assert sum(line.startswith("node ") for line in run.stdout.splitlines()) == 4


def test_odd_records_do_no_harm(ws):
    run = ws.runs.create("odd")
    edit(run, parent_run=5, derived_from_result=[1], modifications=["text", {"kind": 1}])
    found = ws.lineage(run.id)
    assert found.ancestors == ["5"]
    assert found.edges[0].modifications == [{"kind": 1}]
    damaged = ws.runs.create("damaged", parent_run=run.id)
    leaf = ws.runs.create("leaf", parent_run=damaged.id)
    (damaged.path / "run.yaml").write_text("status: [")
    assert [(node.id, node.is_missing) for node in ws.lineage(leaf.id).nodes] == [
        (damaged.id, True),
        (leaf.id, False),
    ]
