"""Templates: pipelines with their generators unexpanded, stored once by content, shared by runs."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import catalogue
from nirs4all_workspace._io import files, layout, listing, locks, yaml_records
from nirs4all_workspace.exceptions import (
    ConflictError,
    CorruptFileError,
    NotFoundError,
    WorkspaceError,
    problem,
)
from nirs4all_workspace.values.canonical import content_id, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.answers import TemplateComparison
    from nirs4all_workspace.workspace import Workspace

    Errors = list[Problem]  # below, `list` is a method

_log = logging.getLogger(__name__)

_ID = re.compile(r"tpl_[0-9a-f]{16}")


@dataclass(frozen=True)
class Template:
    """A pipeline, with its name in a run.

    Attributes:
        steps: The steps as given: plain data, estimators, classes, generators such as `_or_` and `_range_`,
            nested branches. Nothing is inferred from nesting.
        name: The name of the template in the run.
        description: The description of the template in the run.
        expansion_count: The number of configurations that its generators expand to.
    """

    steps: Any
    name: str | None = None
    description: str | None = None
    expansion_count: int | None = None

    @property
    def id(self) -> str:
        """`tpl_` and 16 hex of the BLAKE3 of the canonical JSON of its steps.

        Raises:
            TypeError: A step cannot be stored; the message names it.
        """
        return content_id("tpl", plain(self.steps, "steps"))


class TemplateList(list[str]):
    """Ids of templates.

    Attributes:
        errors: Files that cannot be listed or read, as dicts of path, kind and message.
    """

    def __init__(self) -> None:
        """Start an empty list."""
        super().__init__()
        self.errors: Errors = []


class UsageList(list[dict[str, Any]]):
    """Templates and the runs that use them.

    Attributes:
        errors: What cannot be read, as dicts of path, kind and message: runs may be missing.
    """

    def __init__(self, found: Iterable[dict[str, Any]] = ()) -> None:
        """Store the templates; there are no errors yet."""
        super().__init__(found)
        self.errors: list[Problem] = []


class Templates:
    """Access to the templates of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Bind to a workspace."""
        self._workspace = workspace
        self.folder: Path = workspace.path / "templates"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Workspace, str]]:
        """Be pickled and copied by workspace."""
        return getattr, (self._workspace, "templates")

    def add(self, template: Template) -> str:
        """Store a template's steps, durably, unless they are there already.

        Args:
            template: A `Template`; any other value is taken as steps.

        Returns:
            The id. Names and descriptions are not stored here: they belong to the runs that refer to it.

        Raises:
            TypeError: A step cannot be stored; the message names it.
            SchemaError: The workspace is read-only: of nirs4all 0.6, or of a newer version.
            OSError: A file cannot be read or written; nothing was stored.
        """
        self._workspace.check_writable()
        steps = plain(template.steps if isinstance(template, Template) else template, "steps")
        template_id = content_id("tpl", steps)
        path = self.path(template_id)
        # Under the lock, garbage collection sees that it was stored again just now.
        with locks.take(layout.gc_lock(self._workspace.path)):
            try:
                files.touch(path)
            except FileNotFoundError:
                files.make_folder(self.folder)
                try:
                    yaml_records.create(path, {"id": template_id, "steps": steps})
                    _log.info("template %s stored", template_id)
                except ConflictError:
                    files.touch(path)
        return template_id

    def get(self, template_id: str) -> Template:
        """Return the steps of a template, as plain data (see `values/canonical.py`).

        Raises:
            NotFoundError: There is no such template.
            CorruptFileError: The file is damaged: the id in its name is not that of its steps.
        """
        if not is_template_id(template_id):
            message = f"expected the id of a template, got {template_id!r}; `n4w templates` lists all"
            raise NotFoundError(message, str(self.folder))
        path = self.path(template_id)
        record = yaml_records.read(path)
        if "steps" not in record:
            raise CorruptFileError("key 'steps' is missing", str(path))
        if content_id("tpl", record["steps"]) != template_id:
            raise CorruptFileError("key 'steps' does not match the id in the file's name", str(path))
        return Template(record["steps"])

    def runs_using(self, template_id: str) -> list[str]:
        """Return the ids of the runs that refer to a template, oldest run first."""
        runs = catalogue.read(self._workspace.path)[0]
        return [run["id"] for run in runs if any(it.get("id") == template_id for it in run["templates"])]

    def usage(self) -> UsageList:
        """Return every template that is stored or that a run refers to, by id.

        Returns:
            A list, whose `errors` are the templates and runs that cannot be read, of dicts of id, names (in
            the runs, sorted), n_runs, runs (their ids, oldest first) and is_stored (False for a template of
            nirs4all 0.6, or one that was lost).
        """
        found: dict[str, dict[str, Any]] = {}
        stored = self.list()
        for template_id in stored:
            found[template_id] = {"id": template_id, "names": set(), "runs": [], "is_stored": True}
        runs, errors = catalogue.read(self._workspace.path)
        for run in runs:
            for reference in run["templates"]:
                template_id = str(reference.get("id"))
                new = {"id": template_id, "names": set(), "runs": [], "is_stored": False}
                known = found.setdefault(template_id, new)
                known["runs"].append(run["id"])
                known["names"] |= {reference.get("name")} - {None}
        used = UsageList(
            it | {"names": sorted(it["names"]), "n_runs": len(it["runs"])} for _, it in sorted(found.items())
        )
        listing.add_problems(used.errors, stored.errors)
        # Rows refer to no templates beside those of their runs.
        listing.add_problems(
            used.errors, (it for it in errors if it["path"].partition("/")[0] != "predictions")
        )
        return used

    def compare(self, *run_ids: str) -> TemplateComparison:
        """Compare runs by their templates.

        Args:
            run_ids: Two or more runs, named as for `ws.runs.get`.

        Returns:
            A dict of `shared` (ids of the templates of all runs) and `union` (of any run), both sorted, and
            `only`: for each run the templates of no other run.

        Raises:
            ValueError: There are fewer than two different runs.
            NotFoundError: There is no such run.
            OSError: A run cannot be read.
        """
        if len(set(run_ids)) < 2:
            raise ValueError("expected two or more different runs to compare")
        runs, errors = catalogue.read(self._workspace.path)
        known = [(run["id"], run["name"]) for run in runs]
        run_ids = tuple(catalogue.find_run(self._workspace.path, it, known, errors) for it in run_ids)
        if len(set(run_ids)) < 2:
            raise ValueError("expected two or more different runs to compare")
        used = {
            run["id"]: {str(reference.get("id")) for reference in run["templates"]}
            for run in runs
            if run["id"] in run_ids
        }
        for run_id in run_ids:
            if run_id not in used:
                raise catalogue.run_not_found(self._workspace.path, run_id, errors)
        others = {
            run_id: set[str]().union(*(used[other] for other in used if other != run_id)) for run_id in used
        }
        return {
            "shared": sorted(set.intersection(*used.values())),
            "union": sorted(set.union(*used.values())),
            "only": {run_id: sorted(used[run_id] - others[run_id]) for run_id in dict.fromkeys(run_ids)},
        }

    def path(self, template_id: str) -> Path:
        """Return the path of a template."""
        return self.folder / f"{template_id}.yaml"

    def list(self) -> TemplateList:
        """Return the ids of all templates, sorted; files that cannot be read are in its `errors`."""
        found = TemplateList()
        for template_id in self.names(found.errors):
            try:
                self.get(template_id)
            except (WorkspaceError, OSError) as error:
                if not isinstance(error, NotFoundError):  # it was removed meanwhile
                    listing.add_problems(found.errors, [problem(f"templates/{template_id}.yaml", error)])
            else:
                found.append(template_id)
        return found

    def names(self, errors: Errors) -> Iterable[str]:
        """Return the ids of all regular files, sorted; others are added to `errors`. No file is read."""
        root = self._workspace.path
        ids = (
            name.removesuffix(".yaml") for name in listing.list_names(root, "templates", errors, _is_record)
        )
        return [
            template_id
            for template_id in ids
            if is_template_id(template_id)
            and listing.is_regular_file(root, f"templates/{template_id}.yaml", errors, unknown=False)
        ]


def _is_record(name: str) -> bool:
    return name.startswith("tpl_") and name.endswith(".yaml")


def is_template_id(text: object) -> bool:
    """Return whether a value has the form of a template's id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def ids_of(workspace: Workspace, templates: object) -> dict[str, str | None]:
    """Return the id and the name of each template that `references` would return; nothing is stored.

    Raises:
        TypeError: The value is not a list, or a step cannot be stored.
        NotFoundError: An id is unknown.
    """
    if not isinstance(templates, list | tuple):
        raise TypeError(f"templates: expected a list of templates, got {type(templates).__name__}")
    found: dict[str, str | None] = {}
    for template in templates:
        if is_template_id(template):
            workspace.templates.get(template)
            found[template] = None
        else:
            template = template if isinstance(template, Template) else Template(template)
            found[template.id] = template.name
    return found


def references(workspace: Workspace, templates: object) -> list[dict[str, Any]]:
    """Store templates and return the references to them for a run's `templates.yaml`.

    Args:
        workspace: The workspace in which they are stored.
        templates: A list whose elements are templates: a `Template`, the id of a stored one, or steps.

    Raises:
        TypeError: The value is not a list, or a step cannot be stored.
        ValueError: Two elements are the same template.
        NotFoundError: An id is unknown.
    """
    if not isinstance(templates, list | tuple):
        raise TypeError(f"templates: expected a list of templates, got {type(templates).__name__}")
    found: dict[str, dict[str, Any]] = {}
    for template in templates:
        if is_template_id(template):
            template = workspace.templates.get(template)
        template = template if isinstance(template, Template) else Template(template)
        template_id = workspace.templates.add(template)
        if template_id in found:
            raise ValueError(f"templates: the same steps are given twice ({template_id})")
        found[template_id] = {
            "id": template_id,
            "name": template.name,
            "description": template.description,
            "expansion_count": template.expansion_count,
        }
    return list(found.values())
