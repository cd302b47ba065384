"""What an ordinary `nirs4all.run` returned becomes a run of a workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.inputs import Loaded, inputs_of, load
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.models import exported
from nirs4all_workspace.integrations.nirs4all.recorded_names import (
    Called,
    Pipelines,
    as_called,
    base_of,
)
from nirs4all_workspace.integrations.nirs4all.rows import (
    Known,
    results_of,
    row_of,
    sample_ids_hash,
    selected_params,
)
from nirs4all_workspace.integrations.nirs4all.steps import models_of
from nirs4all_workspace.model.plan import planned_result
from nirs4all_workspace.values.canonical import content_id
from nirs4all_workspace.workspace import Workspace

if TYPE_CHECKING:
    import os

    from nirs4all_workspace.integrations.nirs4all.tasks import Input
    from nirs4all_workspace.runs.run import Run

# What nirs4all calls data in memory, whatever it is.
_NAMELESS = ("array_dataset", "dataset", "")
_COUNTS = ("n_samples", "n_features")


@dataclass
class _Recorded:
    """One configuration on one dataset, as it will be stored."""

    dataset: str
    config_name: str
    config: dict[str, Any] | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    models: list[tuple[str, bytes]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)


def record(
    result: Any,  # noqa: ANN401 - a RunResult, which is imported on use
    workspace: Workspace | str | os.PathLike[str],
    *,
    name: str,
    pipeline: Any = None,  # noqa: ANN401 - whatever nirs4all takes
    dataset: object = None,
) -> Run:
    """Store what an ordinary `nirs4all.run` returned, of either engine, as a completed run.

    Args:
        result: What `nirs4all.run` returned.
        workspace: A workspace, or the path of one.
        name: The name of the run.
        pipeline: The pipeline that was run, as it was given; a tuple of them where the call had several. With
            it the run has templates, and each result its configuration; without it there is one result for
            each name of a configuration and dataset.
        dataset: The dataset or datasets that were run on: paths, or data in memory by name
            (`{"wheat": (X, y)}`). Demanded for data in memory, which nirs4all calls alike.

    Returns:
        The run, completed. Scores, arrays and nulls are those of nirs4all; models that it exports are
        artifacts of their results.

    Raises:
        ImportError: nirs4all is not installed.
        TypeError: What is given is no result of nirs4all.
        ValueError: There are no rows, or rows could not be told apart later: data in memory without a name,
            two datasets or two models of one name, a row of a configuration that the pipeline lacks.
        SchemaError, ConflictError, OSError: As for `ws.runs.create`.
    """
    version = nirs4all().__version__
    if not hasattr(getattr(result, "predictions", None), "filter_predictions"):
        raise TypeError(f"result: expected what nirs4all.run returned, got a {type(result).__name__}")
    ws = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    leaves = results_of(result)
    rows = [as_called(leaf.predictions.filter_predictions(load_arrays=True)) for leaf in leaves]
    given = [] if dataset is None else inputs_of(dataset)
    inputs = _inputs_of_rows({called.dataset for part in rows for called in part}, given)
    pipelines = Pipelines.of(pipeline, (called.config_name for part in rows for called in part), name)
    described = _described(inputs)
    found = _grouped(leaves, rows, inputs, described, pipelines)
    _refuse_alike(found)
    engine = result.execution_engine or "legacy"
    data = {name_: item.hash for name_, item in inputs.values() if item is not None and item.path is None}
    run = ws.runs.create(
        name,
        pipelines.templates,
        [_dataset(ws, name_, item, described[name_].description) for name_, item in inputs.values()],
        config={"recorded": True, "nirs4all": version, "engine": engine, "data": data},
    )
    with run:
        # Content that the workspace knows has the name that it is known by.
        names = [name_ for name_, _ in inputs.values()]
        references = dict(zip(names, run.datasets, strict=True))
        fields = {"engine": engine, "lane": result.execution_lane}
        _write(run, references, found, pipelines, fields)
    return run


def _inputs_of_rows(in_rows: set[str], given: list[Input]) -> dict[str, tuple[str, Input | None]]:
    """Return for each name of a dataset in rows the name that it is stored under, and the dataset."""
    if not in_rows:
        raise ValueError("result: it has no predictions")
    if not given:
        nameless = sorted(in_rows.intersection(_NAMELESS))
        if nameless:
            raise ValueError(
                f"dataset: nirs4all calls it {nameless[0]!r}, as it calls all data in memory; give it by "
                'name: dataset={"wheat": (X, y)}'
            )
        return {name: (name, None) for name in sorted(in_rows)}
    if len(given) == len(in_rows) == 1 and in_rows <= {*_NAMELESS, _name_in_rows(given[0])}:
        return {next(iter(in_rows)): (given[0].name, given[0])}
    named: dict[str, tuple[str, Input | None]] = {_name_in_rows(item): (item.name, item) for item in given}
    if len(named) < len(given) or set(named) != in_rows:
        raise ValueError(
            f"dataset: rows are of {', '.join(map(repr, sorted(in_rows)))}, and what was given is called "
            f"{', '.join(map(repr, sorted(_name_in_rows(item) for item in given)))}: they cannot be told "
            "apart; record the call of each dataset for itself"
        )
    return named


def _name_in_rows(item: Input) -> str:
    if item.path is not None:
        return str(nirs4all("nirs4all.data").DatasetConfigs(item.path).configs[0][1])
    return str(getattr(item.data, "name", _NAMELESS[0]))


def _grouped(
    leaves: list[Any],
    rows: list[list[Called]],
    inputs: dict[str, tuple[str, Input | None]],
    described: dict[str, Loaded],
    pipelines: Pipelines,
) -> list[_Recorded]:
    """Return rows by configuration and dataset, as they are stored, with the models of each."""
    found: dict[tuple[str, str], _Recorded] = {}

    def group_of(called: Called) -> _Recorded:
        dataset, _ = inputs[called.dataset]
        config = pipelines.config_of(called.config_name)
        base = base_of(called.config_name)
        key = base if config is None else config["config_id"] + config["template_id"]
        return found.setdefault((dataset, key), _Recorded(dataset, base, config))

    for place, (leaf, part) in enumerate(zip(leaves, rows, strict=True)):
        models = exported(leaf, "refit", with_manifests=True)
        selected = selected_params(models.manifests[0])
        for called in part:
            group = group_of(called)
            description = described[group.dataset].description
            steps = None if group.config is None else group.config["steps"]
            known = Known(
                models=models_of(steps),
                place=place if len(leaves) > 1 == len(inputs) == len(pipelines.given) else None,
                config_name=_name_of_nameless(group, place if len(leaves) > 1 else None),
                description=description,
                selected=selected,
            )
            group.rows.append(row_of(called.row, known))
            group.fields |= {key: description[key] for key in _COUNTS if key in description}
            group.fields["classes"] = described[group.dataset].facts.get("classes")
            if models.problems:
                group.fields["models_refused"] = models.problems
        if models.files:
            best = leaf.best["id"]
            group_of(next(called for called in part if called.row["id"] == best)).models += models.files
    return list(found.values())


def _name_of_nameless(group: _Recorded, place: int | None) -> str | None:
    """Return the name of a configuration for rows that have none, as of a search of parameters."""
    name = None if group.config is None else group.config["name"]
    return name if name is None or place is None else f"{name}_p{place}"


def _refuse_alike(found: list[_Recorded]) -> None:
    """Refuse rows of which nothing would say later which is which."""
    for group in found:
        seen = set()
        for row in group.rows:
            fold = row.get("fold_id")
            if fold in (None, "final", "avg", "w_avg"):
                continue
            columns = ("config_name", "model_name", "step_idx", "branch_id", "branch_name", "partition")
            key = (fold, *(row.get(column) for column in columns), str(row.get("branch_path")))
            if key in seen:
                raise ValueError(
                    f"result: two rows of configuration {group.config_name!r} on dataset {group.dataset!r} "
                    f"are of model {row.get('model_name')!r}, fold {fold!r} and partition "
                    f"{row.get('partition')!r}, and could not be told apart; name models or datasets "
                    "differently, or record each call for itself"
                )
            seen.add(key)


def _described(inputs: dict[str, tuple[str, Input | None]]) -> dict[str, Loaded]:
    """Return what is known of each dataset by the name that it is stored under."""
    return {name: Loaded(None, {}, {}) if item is None else load(item) for name, item in inputs.values()}


def _dataset(ws: Workspace, name: str, item: Input | None, description: dict[str, Any]) -> object:
    """Return a dataset as `ws.runs.create` takes it; one at a path is registered."""
    if item is None or item.path is None:
        return name
    return ws.datasets.register(item.path, name, **description)


def _write(
    run: Run,
    references: dict[str, dict[str, Any]],
    found: list[_Recorded],
    pipelines: Pipelines,
    fields: dict[str, Any],
) -> None:
    if pipelines.given:
        run.plan(list(pipelines.found.values()))
    for dataset_name, reference in references.items():
        with run.writer(reference["name"]) as writer:
            for group in (group for group in found if group.dataset == dataset_name):
                result = _result(run, group, reference)
                more = {**fields, **group.fields, **_scores(group)}
                content_hash = sample_ids_hash(group.rows)
                if content_hash is not None:
                    more["sample_ids_hash"] = content_hash
                for row in group.rows:
                    writer.write({**row, "result_id": result["id"]})
                artifacts = [run.workspace.artifacts.put(content, "n4a") for _, content in group.models]
                known = {key: value for key, value in more.items() if value is not None}
                writer.checkpoint({**result, **known, "artifacts": artifacts})


def _result(run: Run, group: _Recorded, reference: dict[str, Any]) -> dict[str, Any]:
    if group.config is not None:
        return planned_result(run.id, group.config, reference).to_dict()
    dataset_id = reference.get("id") or reference["name"]
    return {
        "id": content_id("res", [run.id, None, group.config_name, dataset_id]),
        "config_name": group.config_name or None,
        "dataset_id": dataset_id,
    }


def _scores(group: _Recorded) -> dict[str, Any]:
    """Return what nirs4all calls the average, and the score of the model fitted again, where there is one."""
    averages = [row for row in group.rows if (row.get("fold_id"), row.get("partition")) == ("avg", "val")]
    finals = [row for row in group.rows if (row.get("fold_id"), row.get("partition")) == ("final", "test")]
    return {
        "score_avg": averages[0].get("val_score") if len(averages) == 1 else None,
        "refit_score": finals[0].get("test_score") if len(finals) == 1 else None,
    }
