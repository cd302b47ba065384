"""One configuration computed on one dataset, wherever that is: nothing is written but temporary files."""

from __future__ import annotations

import copy
import tempfile
import time
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.integrations.nirs4all.inputs import load
from nirs4all_workspace.integrations.nirs4all.installation import nirs4all
from nirs4all_workspace.integrations.nirs4all.models import exported
from nirs4all_workspace.integrations.nirs4all.rows import fields_of, rows_of, sample_ids_hash
from nirs4all_workspace.integrations.nirs4all.steps import is_tuned
from nirs4all_workspace.integrations.nirs4all.tasks import RESERVED, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from nirs4all_workspace.integrations.nirs4all.inputs import Loaded
    from nirs4all_workspace.integrations.nirs4all.tasks import Options, Task

_LEGACY = "legacy"


def compute(task: Task, should_stop: Callable[[], bool] | None = None) -> Outcome:
    """Compute one task.

    Args:
        task: What is computed. Its options may hold any option of `nirs4all.run` but those in `RESERVED`.
        should_stop: Asked now and then whether to stop; nirs4all asks between steps of folds.

    Returns:
        Rows, models and fields; where it was asked to stop, that alone.

    Raises:
        ImportError: nirs4all is not installed.
        TypeError: An option is one that is set here.
        Exception: Whatever nirs4all raises.
    """
    taken = [name for name in task.options.run_options if name in RESERVED]
    if taken:
        raise TypeError(f"run_options: {', '.join(taken)} cannot be given: a drive sets what they say itself")
    begun = time.perf_counter()
    loaded = load(task.input)
    was_asked = False

    def stops() -> bool:
        nonlocal was_asked
        was_asked = was_asked or (should_stop is not None and should_stop())
        return was_asked

    try:
        if task.options.engine == _LEGACY:
            # It writes a workspace of its own in any case.
            with tempfile.TemporaryDirectory(prefix="n4w-legacy-", ignore_cleanup_errors=True) as folder:
                keeps = task.options.artifacts != "none"
                # Its log would stay open, and hold the folder.
                places = {"workspace_path": folder, "log_file": False, "save_artifacts": keeps}
                outcome = _run(task, loaded, stops, places)
        else:
            outcome = _run(task, loaded, stops, {"save_artifacts": False})
    except Exception:
        # nirs4all surfaces that it was asked to stop as an error of its engine, of several types.
        if not was_asked:
            raise
        outcome = Outcome(was_stopped=True)
    outcome.duration_s = time.perf_counter() - begun
    return outcome


def _run(task: Task, loaded: Loaded, stops: Callable[[], bool], places: dict[str, Any]) -> Outcome:
    options = task.options
    engine = {} if options.engine is None else {"engine": options.engine}
    result = nirs4all().run(
        task.steps,
        # nirs4all copies it too, but leaves a dataset changed where it fails.
        copy.deepcopy(loaded.data),
        name=task.run_name,
        refit=options.refit,
        random_state=options.random_state,
        save_charts=False,
        verbose=0,
        should_stop=stops,
        **engine,
        **places,
        **options.run_options,
    )
    try:
        return _outcome(task, loaded, result)
    finally:
        result.close()


def _outcome(task: Task, loaded: Loaded, result: Any) -> Outcome:  # noqa: ANN401 - a RunResult
    options: Options = task.options
    models = exported(result, options.artifacts, task.config_name, with_manifests=is_tuned(task.steps))
    rows = rows_of(
        result,
        steps=task.steps,
        config_name=task.config_name,
        description=loaded.description,
        tuned=models.manifests,
    )
    fields = fields_of(result, rows, loaded.description, loaded.facts, options.engine)
    content_hash = sample_ids_hash(rows)
    if content_hash is not None:
        fields["sample_ids_hash"] = content_hash
    if models.problems:
        fields["models_refused"] = models.problems
    return Outcome(rows=rows, models=models.files, fields=fields)
