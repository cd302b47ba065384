"""Unknown names in filters: a typing error must not look like an empty answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue, display
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nirs4all_workspace.workspace import Workspace

# Names listed in a message at most.
_SHOWN = 20


def unknown_names(workspace: Workspace, asked: Mapping[str, Any]) -> list[str]:
    """Return a message for each name among some filters that does not occur in the workspace.

    It reads the whole workspace: call it only where the answer is empty.

    Args:
        workspace: The workspace to look in.
        asked: Values by the name of the filter; filters without a value or of other kinds are ignored.
    """
    names = _Names(workspace)
    said = []
    for kind, find in _FINDERS.items():
        wanted = asked.get(kind)
        if wanted is None:
            continue
        known, is_whole = find(names)
        if is_whole and nfc(str(wanted)) not in {nfc(name) for name in known}:
            said.append(f"there is no {kind.replace('_', ' ')} {str(wanted)!r}; {_offer(known)}")
    return said


def say_unknown(workspace: Workspace, asked: Mapping[str, Any]) -> list[str]:
    """Print the messages of `unknown_names` on stderr, one a line, and return them."""
    said = unknown_names(workspace, asked)
    for line in said:
        say(f"n4w: {line}", to_stderr=True)
    return said


def _offer(known: Iterable[str]) -> str:
    names = sorted({name for name in known if name})
    if not names:
        return "there are none"
    return f"there {'is' if len(names) == 1 else 'are'} {display.some_of(names, _SHOWN)}"


class _Names:
    """The names in a workspace, each kind read at its first use."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._entries: list[dict[str, Any]] | None = None
        self._summary: dict[str, Any] | None = None

    @property
    def entries(self) -> list[dict[str, Any]]:
        if self._entries is None:
            self._entries = catalogue.read(self._workspace.path)[0]
        return self._entries

    @property
    def summary(self) -> dict[str, Any]:
        if self._summary is None:
            self._summary = self._workspace.summary()
        return self._summary

    def datasets(self) -> tuple[set[str], bool]:
        found = {dataset["dataset_name"] for dataset in self.summary["datasets"]}
        found |= self._references("datasets")
        for record in self._workspace.datasets.list():
            found |= {record.id, record.name}
        return found, True

    def templates(self) -> tuple[set[str], bool]:
        return self._references("templates"), True

    def metrics(self) -> tuple[set[str], bool]:
        # A result may have a metric that no row has.
        of_results = {result.metric for result in self._workspace.results.list() if result.metric}
        return {*self.summary["by_metric"], *of_results}, True

    def models(self) -> tuple[set[str], bool]:
        groups = self.summary["by_metric"].values()
        # Beyond a limit, models are counted together without names.
        models = [model for group in groups for model in group["models"]]
        return {str(model["name"]) for model in models if model["name"]}, not any(
            it.get("is_other") for it in models
        )

    def facet(self, name: str) -> tuple[set[str], bool]:
        facets = [dataset["facets"] for dataset in self.summary["datasets"]]
        # Partitions have counts, folds are names only.
        items = [item if isinstance(item, str) else item["name"] for facet in facets for item in facet[name]]
        return {str(item) for item in items}, all(facet[f"n_{name}"] <= len(facet[name]) for facet in facets)

    def _references(self, key: str) -> set[str]:
        items = [item for entry in self.entries for item in entry[key]]
        return {str(item[name]) for item in items for name in ("id", "name") if item.get(name)}


_FINDERS: dict[str, Callable[[_Names], tuple[set[str], bool]]] = {
    "dataset": _Names.datasets,
    "template": _Names.templates,
    "metric": _Names.metrics,
    "model": _Names.models,
    "partition": lambda names: names.facet("partitions"),
    "fold": lambda names: names.facet("folds"),
}
