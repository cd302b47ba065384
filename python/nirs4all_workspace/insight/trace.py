"""The chain dataset, run, template, result, prediction, artifact, walked from any of them both ways.

A run has templates and datasets; a result has one of each, and its own predictions and artifacts. Connections
are found through results, and through runs that have no results yet.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace._io import files, listing
from nirs4all_workspace._io.paths import forms_of
from nirs4all_workspace.display import shown
from nirs4all_workspace.exceptions import NotFoundError, WorkspaceError, problem
from nirs4all_workspace.legacy import old_artifacts
from nirs4all_workspace.predictions import pages
from nirs4all_workspace.predictions.scan import FILE, scan
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.exceptions import Problem
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.workspace import Workspace

KINDS = ("dataset", "run", "template", "result", "prediction", "artifact")
# This many predictions are listed; all are counted.
SHOWN = 100


@dataclass
class Trace:
    """The things that one thing is connected with.

    Attributes:
        kind: "dataset", "run", "template", "result", "prediction" or "artifact".
        id: The id that was asked for.
        datasets: Dicts of id (None where it is not registered) and name.
        runs: Dicts of id and name, oldest first.
        templates: Dicts of id and name in the runs.
        results: Dicts of id, name (of the configuration), run_id, status, metric and best_score.
        n_predictions: Number of prediction rows.
        predictions: The first 100 rows by id: dicts of id, name (of the model), run_id, fold_id, partition
            and val_score.
        artifacts: Dicts of id (the hash, with nirs4all 0.6 the hash in its manifest), name (None where it is
            not recorded) and path (relative to the workspace; None where the file is missing).
        errors: What cannot be read, as dicts of path, kind and message.
    """

    kind: str
    id: str
    datasets: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    templates: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    n_predictions: int = 0
    predictions: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as plain data, the shape of `n4w lineage --json` for all kinds but runs."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the trace as text, one item a line."""
        lines = [f"{self.kind} {shown(self.id)}"]
        for kind in ("datasets", "runs", "templates", "results", "predictions", "artifacts"):
            found = getattr(self, kind)
            total = self.n_predictions if kind == "predictions" else len(found)
            lines.append(f"{kind} ({total})")
            for item in found:
                names = [str(item[key]) for key in ("id", "name") if item[key] is not None]
                lines.append("  " + "  ".join(map(shown, names)))
            if total > len(found):
                lines.append(f"  ... {total - len(found)} more")
        return "\n".join(lines) + "\n"


def trace(workspace: Workspace, kind: str, id_: str) -> Trace:
    """Return the trace of one thing; see `Workspace.trace`."""
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    walk = _Walk(workspace)
    find: Callable[[str], _Found | None] = getattr(walk, f"from_{kind}")
    # A text that is not Unicode names nothing.
    found = find(id_) if stored.is_unicode(id_) else None
    if found is None:
        listing.raise_if_unreadable(workspace.path, walk.errors, f"{kind}s/{id_}", f"runs/{id_}")
        if kind == "run":
            raise catalogue.run_not_found(workspace.path, id_, walk.errors)
        raise NotFoundError(f"there is no {kind} {id_!r}", str(workspace.path))
    return walk.collect(Trace(kind, id_), found)


@dataclass
class _Found:
    """The runs, results and rows that a trace is made of.

    Attributes:
        runs: Entries of the catalogue.
        results: Finished results.
        rows: The rows, as filters of `ws.predictions.page` or as an expression of Polars.
        datasets: Ids and names of the datasets; None for all of the runs.
        templates: Ids of the templates; None for all of the runs.
        artifacts: Hashes of artifacts, in addition to those of the results.
    """

    runs: list[dict[str, Any]]
    results: list[Result]
    rows: Mapping[str, str] | pl.Expr
    datasets: set[str] | None = None
    templates: set[str] | None = None
    artifacts: set[str] = field(default_factory=set)


class _Walk:
    """The state of one trace: the catalogue, and a method for each kind."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs, self.errors = catalogue.read(workspace.path)
        self._read: dict[str, list[dict[str, Any]]] = {}
        self._by_id = {run["id"]: run for run in self._runs}

    def from_dataset(self, id_: str) -> _Found | None:
        import polars as pl

        wanted = {id_}
        try:
            record = self._workspace.datasets.get(id_)
            wanted |= {record.id, record.name}
        except NotFoundError:
            pass
        except (WorkspaceError, OSError) as error:
            listing.add_problems(self.errors, [problem(f"datasets/{id_}.yaml", error)])
        is_registered = len(wanted) > 1
        wanted |= {form for name in wanted for form in forms_of(name)}
        with_rows = {run for name in wanted for run in catalogue.runs_with_rows(self._workspace.path, name)}
        runs = [run for run in self._runs if run["id"] in with_rows or _refers(run["datasets"], wanted)]
        for run in runs:
            for item in _refers(run["datasets"], wanted):
                wanted |= {item["id"] or item["name"], item["name"]}
        results = [it for it in self._results(runs) if wanted & {it.dataset_id, it.dataset_name}]
        rows = pl.col("dataset_name").is_in(sorted(wanted))
        found = _Found(runs, results, rows, datasets=wanted)
        return found if runs or is_registered or self._has_rows(rows) else None

    def from_run(self, id_: str) -> _Found | None:
        known = [(run["id"], run["name"]) for run in self._runs]
        if catalogue.matching_runs(id_, known, self.errors):
            id_ = catalogue.find_run(self._workspace.path, id_, known, self.errors)
        runs = [run for run in self._runs if run["id"] == id_]
        if not runs:
            return None
        return _Found(runs, self._results(runs), {"run": id_})

    def from_template(self, id_: str) -> _Found | None:
        import polars as pl

        runs = [run for run in self._runs if _refers(run["templates"], {id_})]
        if not runs and id_ not in self._workspace.templates.names(self.errors):
            return None
        results = [result for result in self._results(runs) if result.template_id == id_]
        rows = self._rows_of(results) | (pl.col("template_id") == id_)
        return _Found(runs, results, rows, templates={id_})

    def from_result(self, id_: str) -> _Found | None:
        results = self._with_artifacts(self._workspace.results.with_id(id_))
        return self._of_results(results, {"result": id_}) if results else None

    def from_prediction(self, id_: str) -> _Found | None:
        import polars as pl

        row = self._workspace.predictions.get(id_)
        runs = [run for run in self._runs if row["run_id"] in (run["id"], None)]
        results = [result for result in self._results(runs) if self._has_row(result, row)]
        found = self._of_results(results, pl.col("id") == id_)
        if not results:
            found.runs = [run for run in runs if run["id"] == row["run_id"]]
            found.datasets, found.templates = {row["dataset_name"]}, {row["template_id"]}
        # The row names its model; other artifacts of its result belong to other rows.
        named = self._artifacts_named({row["model_artifact_id"]})
        # With nirs4all 0.6 several datasets may have artifacts of the same name.
        named = named & {hash_ for result in results for hash_ in result.artifacts} or named
        if named:
            found.results = [replace(result, artifacts=[]) for result in found.results]
            found.artifacts = named
        return found

    def from_artifact(self, id_: str) -> _Found | None:
        import polars as pl

        hashes = self._artifacts_named({id_}) or {id_}
        named = {line.get("artifact_id") for line in self._lines() if line.get("hash") in hashes}
        names = {id_} | named - {None}
        all_results = self._results(self._runs)
        own = [result for result in all_results if hashes & {*result.artifacts}]
        rows = pl.col("model_artifact_id").is_in(sorted(names - hashes))
        rows = pl.col("model_artifact_id").is_in(sorted(hashes)) | (
            rows & self._rows_of(own) if own else rows
        )
        named_by = _Rows(self._workspace, rows)
        results = [it for it in all_results if hashes & {*it.artifacts} or it.id in named_by.results]
        if not (results or named_by.total or self._artifacts_named({id_})):
            return None
        # Where rows do not name their artifact, all rows of its results may use it.
        found = self._of_results(results, rows if named_by.total else self._rows_of(results))
        found.results = [replace(it, artifacts=[*hashes & {*it.artifacts}]) for it in found.results]
        found.artifacts = self._artifacts_named({id_})
        return found

    def collect(self, into: Trace, found: _Found) -> Trace:
        """Fill a trace from what was found."""
        rows = _Rows(self._workspace, found.rows)
        into.n_predictions, into.predictions = rows.total, rows.shown
        into.runs = [{"id": run["id"], "name": run["name"]} for run in found.runs]
        into.datasets = _references(found.runs, "datasets", found.datasets)
        known = {name for item in into.datasets for name in item.values()}
        into.datasets += [
            {"id": None, "name": name} for name in self._datasets_of(found) if name not in known
        ]
        into.templates = _references(found.runs, "templates", found.templates)
        into.results = [
            {"id": it.id, "name": it.config_name or it.config_id}
            | {key: getattr(it, key) for key in ("run_id", "status", "metric", "best_score")}
            for it in found.results
        ]
        hashes = {hash_ for result in found.results for hash_ in result.artifacts} | found.artifacts
        lines: dict[str, dict[str, Any]] = {}
        for line in self._lines(found.runs):
            if line.get("hash") in hashes and not lines.get(line["hash"], {}).get("in_place"):
                lines[line["hash"]] = line
        for hash_ in sorted(hashes):
            line = lines.get(hash_, {})
            path = line.get("in_place") or self._find(hash_)
            relative = None if path is None else path.relative_to(self._workspace.path).as_posix()
            into.artifacts.append({"id": hash_, "name": line.get("artifact_id"), "path": relative})
        into.errors = self.errors
        return into

    def _summary(self) -> dict[str, Any]:
        if self._summarised is None:
            self._summarised = self._workspace.summary()
            listing.add_problems(self.errors, self._summarised["errors"])
        return self._summarised

    _summarised: dict[str, Any] | None = None

    def _results(self, runs: Sequence[dict[str, Any]]) -> list[Result]:
        listed = catalogue.results(self._workspace.path, [run["id"] for run in runs])
        listing.add_problems(self.errors, listed.errors)
        return self._with_artifacts(listed)

    def _with_artifacts(self, results: Sequence[Result]) -> list[Result]:
        """Add the artifacts of results of nirs4all 0.6, which are listed in manifests."""
        if self._workspace.format_version > 1:
            return list(results)
        of = {result.run_id for result in results}
        hashes: dict[tuple[Any, ...], list[str]] = {}
        for line in self._lines([run for run in self._runs if run["id"] in of]):
            own = hashes.setdefault((line["run_id"], line["dataset"], line["config_id"]), [])
            own += [line["hash"]] if line["hash"] not in own else []
        return [
            replace(it, artifacts=hashes.get((it.run_id, it.dataset_name, it.config_id), []))
            for it in results
        ]

    def _datasets_of(self, found: _Found) -> list[str]:
        """Return the names of the datasets that runs have rows of, referenced or not."""
        of = {run["id"] for run in found.runs}
        return [
            dataset["dataset_name"]
            for dataset in self._summary()["datasets"]
            if of & {run["id"] for run in dataset["runs"]}
            and (found.datasets is None or dataset["dataset_name"] in found.datasets)
        ]

    def _of_results(self, results: list[Result], rows: Mapping[str, str] | pl.Expr) -> _Found:
        of = {result.run_id for result in results}
        return _Found(
            [run for run in self._runs if run["id"] in of],
            results,
            rows,
            datasets={name for it in results for name in (it.dataset_id, it.dataset_name) if name},
            templates={str(result.template_id) for result in results},
        )

    def _rows_of(self, results: Sequence[Result]) -> pl.Expr:
        """Return an expression for the rows of results: by result id, or by dataset and config in 0.6."""
        import polars as pl

        named = pl.col("result_id").is_in([result.id for result in results])
        configs: dict[tuple[str, str], set[str | None]] = {}
        for file, dataset, config in (one for result in results for one in self._members(result)):
            configs.setdefault((file, dataset), set()).add(config)
        of_dataset = pl.col("dataset_name").fill_null(pl.col(FILE))
        old = [
            (pl.col(FILE) == file)
            & (of_dataset == dataset)
            & pl.col("config_name").is_in(list(wanted), nulls_equal=True)
            for (file, dataset), wanted in configs.items()
        ]
        return pl.any_horizontal(named, *old) if old else named

    def _members(self, result: Result) -> Iterator[tuple[str, str, str | None]]:
        entry = self._by_id.get(str(result.run_id), {"kind": "run"})
        return catalogue.members_of(self._workspace.path, entry, result)

    def _has_row(self, result: Result, row: Mapping[str, Any]) -> bool:

        if row["result_id"] is not None:
            return bool(result.id == row["result_id"])
        members = list(self._members(result))
        if row["config_name"] not in {config for *_, config in members}:
            return False
        # The row does not name its file.
        batches, _ = _native.find_predictions(self._workspace.path, row["id"], {"members": members})
        return any(not pages.frame(batch).is_empty() for batch in batches)

    def _has_rows(self, rows: pl.Expr) -> bool:
        return not self._workspace.predictions.scan().filter(rows).head(1).collect().is_empty()

    def _find(self, artifact: str) -> Path | None:
        try:
            return self._workspace.artifacts.find(artifact)
        except OSError as error:
            path = listing.relative_path(self._workspace.path, error, "artifacts")
            listing.add_problems(self.errors, [problem(path, error)])
            return None

    def _artifacts_named(self, names: set[str | None]) -> set[str]:
        """Return the hashes of artifacts given by hash, or by their name in migrated runs."""
        names = names - {None}
        found = {name for name in names if name and self._find(name) is not None}
        lines = [line for line in self._lines() if names & {line.get("artifact_id"), line.get("hash")}]
        return found | {line["hash"] for line in lines if line.get("hash")}

    def _lines(self, runs: Sequence[Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
        """Return the lines on artifacts in migrated runs, or in the manifests of these sessions."""
        if self._workspace.format_version < 2:
            return [
                line
                for run in (self._runs if runs is None else runs)
                for manifest in run.get("manifests", ())
                for line in self._in_place(run["id"], manifest)
            ]
        if self._listed is None:
            self._listed = []
            for folder in self._folders():
                path = folder / "artifacts.jsonl"
                name = path.relative_to(self._workspace.path).as_posix()
                try:
                    lines = [json.loads(line) for line in files.read_bytes(path).splitlines()]
                except OSError as error:
                    # A folder that cannot be searched is one problem, and its files are not problems too.
                    if not files.is_gone(path, error) and not self._tells(folder):
                        listing.add_problems(self.errors, [problem(name, error)])
                    continue
                except ValueError as error:
                    self.errors.append({"path": name, "kind": "corrupt", "message": str(error)})
                    continue
                self._listed += [line for line in lines if isinstance(line, dict)]
        return self._listed

    def _folders(self) -> list[Path]:
        try:
            return list(self._workspace.runs.folders())
        except OSError:
            return []  # the catalogue reports it

    def _tells(self, folder: Path) -> bool:
        name = folder.relative_to(self._workspace.path).as_posix()
        return any(error["path"] == name for error in self.errors)

    def _in_place(self, run_id: str, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
        if manifest["path"] in self._read:
            return self._read[manifest["path"]]
        lines = self._read[manifest["path"]] = []
        name = f"{manifest['path']}/manifest.yaml"
        try:
            content = _native.read_yaml(self._workspace.path / name)
        except (OSError, WorkspaceError) as error:
            listing.add_problems(self.errors, [problem(name, error)])
            return lines
        for item in old_artifacts.items_of(content):
            if not item.get("path"):
                continue
            try:
                file = old_artifacts.find(self._workspace.path, manifest, item["path"])
            except OSError:
                file = None
            if file is None:
                # It may lie in a folder that cannot be searched.
                for place in old_artifacts.places_of(manifest):
                    listing.list_names(self._workspace.path, place.as_posix(), self.errors, lambda _: False)
            line = {"hash": str(item.get("content_hash") or item["path"]), "in_place": file, "run_id": run_id}
            named = item.get("artifact_id")
            about = {"artifact_id": None if named is None else str(named)}
            lines.append(line | about | {key: manifest[key] for key in ("dataset", "config_id")})
        return lines

    _listed: list[dict[str, Any]] | None = None


class _Rows:
    """A selection of rows: their number and the first of them, in bounded memory."""

    def __init__(self, workspace: Workspace, rows: Mapping[str, str] | pl.Expr) -> None:
        import polars as pl

        self.results: set[str] = set()
        shown = ("run_id", "fold_id", "partition", "val_score")
        if not isinstance(rows, pl.Expr):
            names = ["id", "model_name", *shown]
            wanted: dict[str, Any] = dict(rows)
            page = workspace.predictions.page(0, SHOWN, "id", None, None, names, live=True, **wanted)
            self.total = page.total
            self.shown = [
                {"id": row["id"], "name": row["model_name"]} | {key: row[key] for key in shown}
                for row in page.records
            ]
            return
        named = pl.col("model_name").alias("name")
        columns = pl.col(*shown, "result_id")
        whole = scan(workspace.path, live=True, partial=False, with_file=True)
        frame = whole.filter(rows).select(pl.col("id"), named, columns)
        self.total = 0
        first = None
        for batch in frame.collect_batches():
            self.total += len(batch)
            self.results.update(batch["result_id"].drop_nulls().unique())
            first = (batch if first is None else first.vstack(batch)).sort("id", "run_id").head(SHOWN)
        self.shown = [] if first is None else first.drop("result_id").to_dicts()


def _refers(references: Iterable[Mapping[str, Any]], wanted: set[str]) -> list[Mapping[str, Any]]:
    return [item for item in references if wanted & {item.get("id"), item.get("name")}]


def _references(runs: Iterable[Mapping[str, Any]], key: str, wanted: set[str] | None) -> list[dict[str, Any]]:
    """Return the references of runs, each id once."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in runs:
        for item in run[key] if wanted is None else _refers(run[key], wanted):
            about = {"id": item.get("id"), "name": item.get("name")}
            found.setdefault(tuple(about.values()), about)
    return list(found.values())
