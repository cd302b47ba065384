"""Rows of nirs4all and of a workspace, brought to one form that can be compared bit for bit."""

from collections import Counter

import numpy as np

NAMES = ("config_name", "model_name", "branch_name", "fold_id", "partition", "metric", "refit_context")
SCORES = ("val_score", "test_score", "train_score", "n_samples")
ARRAYS = ("y_true", "y_pred", "sample_indices", "weights")


def known(row, config_name=None):
    """What a row says, whichever of the two has it. An empty text says as much as a null."""
    names = [row.get(name) or None for name in NAMES]
    if names[0] is None and config_name is not None:
        names[0] = config_name + ("_refit" if row["fold_id"] == "final" else "")
    scores = [row.get(name) for name in SCORES]
    return (*names, *scores, *(_bits(row.get(name)) for name in ARRAYS), _all_scores(row.get("scores")))


def _bits(array):
    if array is None or len(array) == 0:
        return None
    array = np.asarray(array, dtype=np.float64)
    return array.shape, array.tobytes()


def _all_scores(scores):
    import json

    found = json.loads(scores) if isinstance(scores, str) else scores or {}
    return tuple(
        sorted((part, key, value) for part, of in found.items() for key, value in (of or {}).items())
    )


def in_nirs4all(result, config_name=None):
    rows = result.predictions.filter_predictions(load_arrays=True)
    return Counter(known(row, config_name) for row in rows)


def rows_of(ws, run):
    ids = ws.predictions.scan().filter(run_id=run.id).select("id").collect()["id"].to_list()
    return [ws.predictions.get(id_, run.id, arrays=True) for id_ in ids]


def in_workspace(ws, run):
    return Counter(known(row) for row in rows_of(ws, run))


def drive(ws, name, template, given, artifacts="refit", **options):
    """Compute all configurations of a template one by one, and store what comes of them."""
    from nirs4all_workspace.integrations.nirs4all.compute import compute
    from nirs4all_workspace.integrations.nirs4all.expansion import expand, plannable, serialised
    from nirs4all_workspace.integrations.nirs4all.inputs import inputs_of
    from nirs4all_workspace.integrations.nirs4all.tasks import Options, Task

    (item,) = inputs_of({"wheat": given})
    template_id = ws.templates.add(serialised(template, 1))
    run = ws.runs.create(name, [template_id], ["wheat"])
    expansion = expand(ws.templates.get(template_id).steps, name, 1)
    configs = plannable(expansion, template_id)
    how = Options(artifacts=artifacts, random_state=1, **options)
    outcomes = []
    with run:
        planned = run.plan(configs)
        with run.writer("wheat") as writer:
            for result, config in zip(planned, configs, strict=True):
                assert result.config_name == config["name"]
                choices = config["generator_choices"]
                task = Task(result.id, name, config["name"], config["steps"], choices, item, how)
                outcome = compute(task)
                for row in outcome.rows:
                    writer.write({**row, "result_id": result.id})
                hashes = [ws.artifacts.put(content, "n4a") for _, content in outcome.models]
                fields = {**outcome.fields, "artifacts": hashes, "duration_s": outcome.duration_s}
                writer.checkpoint({**result.to_dict(), **fields})
                outcomes.append(outcome)
    return run, outcomes
