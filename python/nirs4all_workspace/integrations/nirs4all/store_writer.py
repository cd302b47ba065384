"""A run of a workspace written into a store of nirs4all, by its own public methods."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import display
from nirs4all_workspace._io import files
from nirs4all_workspace.integrations.nirs4all import stored_rows
from nirs4all_workspace.model.states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from nirs4all_workspace.integrations.nirs4all.stored_rows import Rows
    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.runs.run import Run

# Below this key of a run's configuration stands which run of which workspace it was.
ORIGIN = "workspace_run"
# Below this key of its shared artifacts a chain names whole models; keys without `_` are steps to nirs4all.
_MODELS = "_models"
# Extensions of models that nirs4all loads from its stores; a `.n4a` file is loaded by its path.
_FORMATS = {"joblib": "joblib", "pkl": "pickle"}


class StoreWriter:
    """Writes one run into an open store.

    Attributes:
        copied: The files that were added beside the database, so far.
    """

    def __init__(self, store: Any, run: Run) -> None:  # noqa: ANN401 - nirs4all's WorkspaceStore
        """Write nothing yet."""
        self._store = store
        self._run = run
        self._ws = run.workspace
        self._configs = {(it["template_id"], it["config_id"]): it for it in run.configs()}
        self._templates: dict[str, Any] = {}
        self._results = {result.id: result for result in run.results()}
        self._run_id = ""
        self.copied: list[Path] = []

    def write(self, parts: Sequence[Rows]) -> str:
        """Write the run with all its rows, and return its id in the store. The caller holds a transaction."""
        run, store = self._run, self._store
        counts = run.counts
        origin = {"workspace_id": self._ws.manifest.get("workspace_id"), "id": run.id, "name": run.name}
        origin |= {"created_at": run.created_at, "status": run.status.value, "description": run.description}
        origin |= {"tags": run.tags, "notes": run.notes}
        datasets = [self._dataset(reference) for reference in run.datasets]
        self._run_id = store.begin_run(run.name, {**run.config, ORIGIN: origin}, datasets)
        for part in parts:
            self._write_part(part)
        with_rows = {row["result_id"] for part in parts for row in part.rows}
        for result in self._results.values():
            if result.id not in with_rows:
                name, dataset = result.config_name or "", result.dataset_name or ""
                self._end_pipeline(self._begin_pipeline(name, dataset, result), result, None)
        if run.status is RunStatus.COMPLETED:
            total = {"total_pipelines": counts["results"], "num_predictions": counts["rows"]}
            store.complete_run(self._run_id, total)
        else:
            # nirs4all knows no other end of a run.
            text = "; ".join(str(error["error"]) for error in run.summary()["errors"])
            store.fail_run(self._run_id, text or f"the run is {run.status.value}")
        return str(self._run_id)

    def _write_part(self, part: Rows) -> None:
        """Write the rows of one dataset, whose arrays nirs4all stores in one file."""
        placed = stored_rows.places(part)
        given = stored_rows.with_arrays(self._ws, part)
        by_pipeline: dict[str, list[int]] = defaultdict(list)
        for number, place in enumerate(placed):
            by_pipeline[place.pipeline].append(number)
        arrays = _Arrays(self._store)
        all_chains: list[str] = []
        seen: set[str | None] = set()
        for numbers in by_pipeline.values():
            rows = [part.rows[number] for number in numbers]
            result = self._results.get(rows[0]["result_id"])
            pipeline_id = self._begin_pipeline(placed[numbers[0]].name, part.dataset, result)
            # What a result has besides its rows belongs to its first pipeline.
            is_first = result is not None and result.id not in seen
            artifacts = self._artifacts(result) if result is not None and is_first else []
            seen.add(rows[0]["result_id"])
            predictions = stored_rows.predictions(
                stored_rows.Rows(part.run_id, part.dataset, rows),
                [given[number] for number in numbers],
                [placed[number] for number in numbers],
            )
            chains = self._chains(pipeline_id, part.dataset, predictions.iter_entries(), artifacts)
            predictions.flush(
                pipeline_id=pipeline_id,
                store=arrays,
                chain_id_resolver=lambda row, of=chains: of[row["chain_id"]],
            )
            all_chains += chains.values()
            best = predictions.top(1)
            self._end_pipeline(pipeline_id, result, best[0] if best else rows[0])
        arrays.save()
        # Each call reads all predictions of the store.
        self._store.bulk_update_chain_summaries(all_chains)

    def _begin_pipeline(self, name: str, dataset: str, result: Result | None) -> str:
        config: dict[str, Any] = {}
        steps = None
        if result is not None and result.template_id is not None:
            config = self._configs.get((result.template_id, str(result.config_id)), {})
            steps = self._template(result.template_id)
        found = self._store.begin_pipeline(
            self._run_id,
            name or self._run.name,
            config.get("steps") or [],
            (result.generator_choices if result is not None else None) or [],
            dataset,
            self._hashes.get(dataset, ""),
            original_template=steps,
        )
        return str(found)

    def _end_pipeline(self, pipeline_id: str, result: Result | None, best: Any) -> None:  # noqa: ANN401 - a row
        if result is not None and result.status == "failed":
            self._store.fail_pipeline(pipeline_id, result.error or "failed")
            return
        scores = best or {}
        duration = result.duration_s if result is not None else None
        self._store.complete_pipeline(
            pipeline_id,
            scores.get("val_score"),
            scores.get("test_score"),
            scores.get("metric") or "",
            round(1000 * (duration or 0)),
        )

    def _chains(
        self, pipeline_id: str, dataset: str, entries: list[dict[str, Any]], artifacts: list[str]
    ) -> dict[str, str]:
        """Write the chains of a pipeline, and return their ids in the store by those of the rows.

        They have no steps with fitted objects, which nirs4all would replay: whole models are named apart.
        """
        found: dict[str, str] = {}
        for entry in entries:
            if entry["chain_id"] not in found:
                found[entry["chain_id"]] = self._store.save_chain(
                    pipeline_id,
                    [],
                    entry["step_idx"],
                    entry["model_classname"],
                    entry["preprocessings"],
                    "score_only",
                    {},
                    {} if found or not artifacts else {_MODELS: artifacts},
                    branch_path=entry["branch_path"],
                    dataset_name=dataset,
                )
        return found

    def _artifacts(self, result: Result) -> list[str]:
        """Copy the models of a result into the store, and return their ids there, those of the workspace."""
        found = []
        for artifact in result.artifacts:
            path = self._ws.artifacts.find(artifact)
            if path is None:
                display.warn(f"artifact {artifact} of result {result.id} is missing, and is not exported")
                continue
            found.append(artifact)
            content = files.read_bytes(path)
            digest = hashlib.sha256(content).hexdigest()
            suffix = path.suffix.removeprefix(".")
            self._store.register_existing_artifact(
                artifact,
                f"{digest[:2]}/{digest}.{suffix}",
                digest,
                result.model_name or "",
                "model",
                _FORMATS.get(suffix, suffix),
                len(content),
            )
            target = self._store.get_artifact_path(artifact)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                self.copied.append(target)
                target.write_bytes(content)
        return found

    def _template(self, template_id: str) -> Any:  # noqa: ANN401 - steps
        if template_id not in self._templates:
            self._templates[template_id] = self._ws.templates.get(template_id).steps
        return self._templates[template_id]

    def _dataset(self, reference: dict[str, Any]) -> dict[str, Any]:
        name = reference["name"]
        return {"name": name, "path": reference.get("path"), "hash": self._hashes.get(name, "")}

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """Return the hash of each dataset: nirs4all's own where it is known, else the workspace's."""
        found = dict(self._run.config.get("data") or {})
        found |= {it["name"]: it["hash"] for it in self._run.datasets if it.get("hash")}
        for result in self._results.values():
            if result.extra.get("sample_ids_hash"):
                found[result.dataset_name] = result.extra["sample_ids_hash"]
        return found


class _Arrays:
    """The store for `Predictions.flush`, which would write the file of a dataset again for each pipeline."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401 - nirs4all's WorkspaceStore
        self._store = store
        self._records: list[dict[str, Any]] = []
        self.array_store = self
        self.save_prediction = store.save_prediction

    def transaction(self) -> AbstractContextManager[None]:
        found: AbstractContextManager[None] = self._store.transaction()
        return found

    def save_batch(self, records: list[dict[str, Any]]) -> None:
        self._records += records

    def save(self) -> None:
        self._store.array_store.save_batch(self._records)
