"""Sabotages of how runs end, are retried and are opened again."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "complete a run of which planned results are missing": Sabotage(
        "python/nirs4all_workspace/runs/ending.py",
        "reasons = [*_missing(run, results), *_unfinished(run, results)]",
        "reasons = [*_unfinished(run, results)]",
        "unit/test_run_endings.py::test_a_break_pauses_with_what_is_missing",
    ),
    "complete a run with rows of results that were never checkpointed": Sabotage(
        "python/nirs4all_workspace/runs/ending.py",
        "reasons = [*_missing(run, results), *_unfinished(run, results)]",
        "reasons = [*_missing(run, results)]",
        "unit/test_run_endings.py::test_a_forgotten_checkpoint_pauses_and_warns",
    ),
    "let death end the wish to retry": Sabotage(
        "python/nirs4all_workspace/model/run_record.py",
        "if to in ENDED and not is_death:",
        "if to in ENDED:",
        "unit/test_run_endings.py::test_a_worker_that_claims_the_run_knows_of_the_wish",
    ),
    "know only the plan of this process": Sabotage(
        "python/nirs4all_workspace/predictions/planned.py",
        "if found.stamp != stamp:",
        "if not found.results:",
        "unit/test_run_endings.py::test_another_process_may_plan_while_a_writer_is_open",
    ),
    "leave the handler of SIGTERM in place": Sabotage(
        "python/nirs4all_workspace/runs/termination.py",
        "if _active or threading.current_thread() is not threading.main_thread():",
        "if True:",
        "unit/test_termination.py::test_the_default_action_is_restored_however_the_block_ends",
    ),
    "look for a run and make it in two steps": Sabotage(
        "python/nirs4all_workspace/runs/opening.py",
        "with locks.take(layout.opening_lock(workspace.path), timeout=60.0):",
        "if True:",
        "unit/test_runs_open.py::test_of_processes_that_open_at_once_one_makes_the_run",
    ),
    "open a cancelled run again": Sabotage(
        "python/nirs4all_workspace/runs/opening.py",
        " and run.status != RunStatus.CANCELLED",
        "",
        "unit/test_runs_open.py::test_the_newest_that_is_not_cancelled_counts",
    ),
}
