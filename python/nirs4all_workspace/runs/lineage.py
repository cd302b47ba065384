"""Lineage of runs: each may have a parent, and the modifications made to it.

A parent that does not exist is shown as missing; cycles are refused. Chains may have any length: there is no
recursion.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue
from nirs4all_workspace._io import listing
from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import CorruptFileError, NotFoundError, WorkspaceError
from nirs4all_workspace.model import run_record
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.workspace import Workspace


@dataclass(frozen=True)
class Node:
    """A run in a lineage.

    Attributes:
        id: The id of the run; of a result, where only the result that another run is derived from is known.
        name: The name of the run; None where it is missing.
        status: The status of the run; None where it is missing, or for files of nirs4all 0.6.
        created_at: Creation time, ISO-8601; None where it is missing.
        is_missing: Whether the run does not exist here (any more).
    """

    id: str
    name: str | None
    status: str | None
    created_at: str | None
    is_missing: bool


@dataclass(frozen=True)
class Edge:
    """A derivation of one run from another.

    Attributes:
        parent: The id of the run that it is derived from.
        child: The id of the derived run.
        derived_from_result: The result of the parent that it is derived from, if it names one.
        modifications: The differences from the parent, as mappings with a key `type`.
    """

    parent: str
    child: str
    derived_from_result: str | None
    modifications: list[dict[str, Any]]

    @property
    def label(self) -> str:
        """The text of the edge for people; empty without a result and modifications."""
        parts = [f"from {self.derived_from_result}"] if self.derived_from_result else []
        for modification in self.modifications:
            details = {key: value for key, value in modification.items() if key != "type"}
            said = ", ".join(f"{key}={_plain(value)}" for key, value in details.items())
            parts.append(f"{modification.get('type')}({said})" if said else str(modification.get("type")))
        return "; ".join(parts)


@dataclass(frozen=True)
class Lineage:
    """A run with its ancestors and descendants.

    Attributes:
        id: The id of the run.
        ancestors: Ids of its ancestors, its parent first.
        descendants: Ids of its descendants: children before grandchildren, oldest first.
        nodes: The ancestors, the oldest first, the run, and the descendants.
        edges: The derivations between the nodes, in the order of their children in `nodes`.
        errors: What cannot be read, as dicts of path, kind and message: runs may be missing because of it.
    """

    id: str
    ancestors: list[str]
    descendants: list[str]
    nodes: list[Node]
    edges: list[Edge]
    errors: list[Problem] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the lineage as plain data, the shape of `n4w lineage --json`."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the lineage as a text tree: derived runs are indented, an only child stays in line."""
        nodes = {node.id: node for node in self.nodes}
        edges = {edge.child: edge for edge in self.edges}
        children = _children(self.edges)
        lines: list[str] = []
        # Of each waiting line: its indent, the indent of the lines below it, and the run.
        waiting = [("", "", self.nodes[0].id)]
        while waiting:
            indent, below, run_id = waiting.pop()
            node, label = nodes[run_id], edges[run_id].label if run_id in edges else ""
            mark = "*" if run_id == self.id else "o"
            about = "missing" if node.is_missing else f"{node.name or ''} [{node.status or 'unknown'}]"
            said = f"  <- {label}" if label else ""
            lines.append(shown(f"{indent}{mark} {run_id}  {about}{said}"))
            found = children.get(run_id, [])
            if len(found) == 1:
                waiting.append((below, below, found[0]))
                continue
            for number, child in enumerate(reversed(found)):
                is_last = number == 0
                inner = f"{below}{'   ' if is_last else '|  '}"
                waiting.append((f"{below}{'`- ' if is_last else '|- '}", inner, child))
        return "\n".join(lines) + "\n"

    def to_dot(self) -> str:
        """Return the lineage as a graph for Graphviz."""
        lines = ["digraph lineage {", "  node [shape=box];"]
        for node in self.nodes:
            style = ", style=dashed" if node.is_missing else ", penwidth=2" if node.id == self.id else ""
            label = "\\n".join(map(_dot, _caption(node)))
            lines.append(f'  "{_dot(node.id)}" [label="{label}"{style}];')
        for edge in self.edges:
            label = f' [label="{_dot(edge.label)}"]' if edge.label else ""
            lines.append(f'  "{_dot(edge.parent)}" -> "{_dot(edge.child)}"{label};')
        return "\n".join([*lines, "}"]) + "\n"

    def to_mermaid(self) -> str:
        """Return the lineage as a flowchart for Mermaid."""
        names = {node.id: f"n{number}" for number, node in enumerate(self.nodes)}
        lines = ["flowchart TD"]
        for node in self.nodes:
            label = "<br/>".join(map(_mermaid, _caption(node)))
            kind = ":::missing" if node.is_missing else ":::this" if node.id == self.id else ""
            lines.append(f'  {names[node.id]}["{label}"]{kind}')
        for edge in self.edges:
            label = f'|"{_mermaid(edge.label)}"|' if edge.label else ""
            lines.append(f"  {names[edge.parent]} -->{label} {names[edge.child]}")
        lines += ["  classDef missing stroke-dasharray: 4", "  classDef this stroke-width: 3px"]
        return "\n".join(lines) + "\n"


def lineage(workspace: Workspace, id_: str) -> Lineage:
    """Return the lineage of a run; see `Workspace.lineage`."""
    found, errors = catalogue.read(workspace.path)
    runs = {run["id"]: run for run in found}
    edges = _edges(workspace, runs)
    known = runs.keys() | {edge.parent for edge in edges.values()}
    if id_ not in known:
        id_ = next((str(result.run_id) for result in workspace.results.with_id(id_)), id_)
    if id_ not in known:
        names = [(run["id"], run["name"]) for run in found]
        if catalogue.matching_runs(id_, names, errors):
            id_ = catalogue.find_run(workspace.path, id_, names, errors)
    if id_ not in known:
        listing.raise_if_unreadable(workspace.path, errors, f"runs/{id_}")
        message = f"there is no run or result {id_!r}; `n4w runs` and `n4w results` list them"
        if unread := [error["path"] for error in errors if error["path"].startswith("runs/")]:
            more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
            message = f"{message}; {unread[0]}{more} cannot be read"
        raise NotFoundError(message, str(workspace.path))
    ancestors = ancestors_of(id_, lambda run_id: edges[run_id].parent if run_id in edges else None)
    children = _children(edges.values())
    descendants: list[str] = []
    for run_id in (queue := [id_]):
        queue += children.get(run_id, [])
        descendants += children.get(run_id, [])
    ids = [*reversed(ancestors), id_, *descendants]
    nodes = [_node(run_id, runs.get(run_id)) for run_id in ids]
    return Lineage(id_, ancestors, descendants, nodes, [edges[run_id] for run_id in ids[1:]], errors)


def check_parent(workspace: Workspace, run_id: str, parent: str | None) -> None:
    """Check that a parent is not derived from the run itself; a missing parent is accepted.

    Raises:
        ValueError: The run would be its own ancestor.
        CorruptFileError: The parent is its own ancestor: its `run.yaml` was edited.
    """

    def parent_of(id_: str) -> str | None:
        if id_ == run_id:
            return None
        try:
            found = run_record.read(workspace.runs.folder / id_)[1]["parent_run"]
        except (WorkspaceError, OSError, ValueError):
            return None
        return None if found is None else str(found)

    if parent is not None and run_id in (parent, *ancestors_of(parent, parent_of)):
        raise ValueError(f"run {run_id} cannot be derived from {parent}, which is derived from it")


def ancestors_of(run_id: str, parent_of: Callable[[str], str | None]) -> list[str]:
    """Return the ancestors of a run, its parent first.

    Raises:
        CorruptFileError: The run, or an ancestor, is its own ancestor; the message names the cycle.
    """
    # In the order of derivation.
    path = {run_id: None}
    while (parent := parent_of(next(reversed(path)))) is not None:
        if parent in path:
            ids = list(path)
            cycle = " <- ".join([*ids[ids.index(parent) :], parent])
            message = (
                f"runs are derived from each other: {cycle}; correct the key 'parent_run' of one of them"
            )
            raise CorruptFileError(message, f"runs/{parent}/run.yaml")
        path[parent] = None
    return list(path)[1:]


def _edges(workspace: Workspace, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Edge]:
    """Return the edge to each run's parent, by run; without a parent, to the run of its result."""
    results = {
        str(run["derived_from_result"])
        for run in runs.values()
        if run.get("derived_from_result") is not None and run.get("parent_run") is None
    }
    listed = catalogue.results(workspace.path) if results else []
    run_of = {result.id: str(result.run_id) for result in listed if result.id in results}
    edges = {}
    for run_id, run in runs.items():
        parent, result = run.get("parent_run"), run.get("derived_from_result")
        if parent is None and result is None:
            continue
        modifications = [item for item in run.get("modifications") or [] if isinstance(item, dict)]
        result = None if result is None else str(result)
        parent = str(parent) if parent is not None else run_of.get(str(result), str(result))
        edges[run_id] = Edge(parent, run_id, result, modifications)
    return edges


def _children(edges: Iterable[Edge]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for edge in edges:
        children.setdefault(edge.parent, []).append(edge.child)
    return children


def _node(run_id: str, run: Mapping[str, Any] | None) -> Node:
    if run is None:
        return Node(run_id, None, None, None, is_missing=True)
    return Node(run_id, run.get("name"), run.get("status"), run.get("created_at"), is_missing=False)


def _caption(node: Node) -> list[str]:
    about = "missing" if node.is_missing else node.status
    return [text for text in (node.name, node.id, about) if text]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else strict_json.dumps(value)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _dot(text: str) -> str:
    """Escape a text for a quoted string of DOT."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return "\\n".join(map(_one_line, text.splitlines()))


def _mermaid(text: str) -> str:
    """Escape a text for a quoted string of Mermaid: characters with a meaning there become their codes."""

    def escape(character: str) -> str:
        is_plain = character.isalnum() or character in " _-.,:/=()[]"
        return character if is_plain else f"#{ord(character)};" if character.isprintable() else " "

    return "<br/>".join("".join(map(escape, line)) for line in text.splitlines())
