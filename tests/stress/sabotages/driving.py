"""Sabotages of what drives nirs4all."""

from sabotages.patch import Sabotage

_OURS = "python/nirs4all_workspace/integrations/nirs4all/"
_TESTS = "integration_nirs4all/"

SABOTAGES = {
    "take ids of samples out that do not follow": Sabotage(
        _OURS + "rows.py",
        "if prefix != (found or prefix) or list(ids)",
        "if prefix != (found or prefix) or False and list(ids)",
        _TESTS + "test_rows.py::test_ids_that_do_not_follow_stay",
    ),
    "export the best of several results alone": Sabotage(
        _OURS + "rows.py",
        "return [leaf for child in children for leaf in results_of(child)]",
        "return [result]",
        _TESTS + "test_models.py",
    ),
    "hash data as it lies in memory": Sabotage(
        _OURS + "content.py",
        'np.ascontiguousarray(array, array.dtype.newbyteorder("<"))',
        "np.ascontiguousarray(array)",
        _TESTS + "test_inputs.py::test_the_hash_is_of_the_content",
    ),
    "name each template alike": Sabotage(
        _OURS + "expansion.py",
        'return f"{name}_p{index}" if n_calls > 1 else name',
        "return name",
        _TESTS + "test_expansion.py",
    ),
    "take a stop for a failure": Sabotage(
        _OURS + "compute.py",
        "        if not was_asked:\n            raise\n",
        "        raise\n",
        _TESTS + "test_capabilities.py::test_one_stops_where_it_is_told_to",
    ),
    "record rows that cannot be told apart": Sabotage(
        _OURS + "record.py",
        "if key in seen:",
        "if key in ():",
        _TESTS + "test_record.py",
    ),
    "compute on the dataset itself": Sabotage(
        _OURS + "compute.py",
        "copy.deepcopy(loaded.data),",
        "copy.copy([loaded.data])[0],",
        _TESTS + "test_drive.py::test_what_fails_is_recorded_and_the_rest_goes_on",
    ),
    "expand before it is asked what a template names": Sabotage(
        _OURS + "preparation.py",
        'permissions.check(template.steps, allowed, where=f"templates[{number}]")',
        "pass",
        _TESTS + "test_drive.py::test_a_template_is_code",
    ),
    "trust what is stored": Sabotage(
        _OURS + "drive.py",
        "        if allowed is not None:\n            preparation.check_permissions(run, allowed)\n",
        "",
        _TESTS + "test_drive.py::test_a_template_is_code",
    ),
    "take data in memory for what it is called": Sabotage(
        _OURS + "preparation.py",
        "if given[dataset].hash != content:",
        "if False:",
        _TESTS + "test_drive.py::test_what_is_given_to_resume_is_what_the_run_has",
    ),
    "let processes of a drive share its group": Sabotage(
        _OURS + "spawned.py",
        "        os.setpgid(0, 0)",
        "        pass",
        "unit/test_pool.py::test_processes_lead_a_group_and_ignore_interrupts",
    ),
    "fail what was in flight at one death": Sabotage(
        _OURS + "processes.py",
        "_DEATHS = 2",
        "_DEATHS = 1",
        "unit/test_pool_deaths.py::test_what_was_in_flight_at_one_death_is_computed_again",
    ),
    "allow packages by how their names begin": Sabotage(
        _OURS + "permissions.py",
        'name == package or name.startswith(f"{package}.")',
        "name.startswith(package)",
        "unit/test_permissions.py::test_what_is_not_allowed_is_refused_wherever_it_stands",
    ),
    "resume what somebody else paused": Sabotage(
        _OURS + "worker.py",
        "return asked_by_others[0] is None",
        "return True",
        "unit/test_worker.py::test_what_somebody_else_pauses_or_cancels_stays_so",
    ),
    "submit all tasks ahead": Sabotage(
        _OURS + "executors.py",
        "_AHEAD = 2",
        "_AHEAD = 10_000",
        "unit/test_pool.py::test_a_bounded_number_is_submitted_ahead",
    ),
}
