"""Which tests are quick, which need the machine for themselves, and how many examples Hypothesis tries.

pytest -m "not alone and not slow"      # the quick ones, which `make check` runs
pytest -m "not alone" -n 2              # all that may run side by side
pytest -m alone                         # those with clocks, locks, kills and strace, one by one
pytest --hypothesis-profile=stress      # quick, ci (what is taken by default), stress
"""

from hypothesis import HealthCheck, Phase, settings

# Files and tests below `tests/`, by how their names begin.
ALONE = (
    "integration_nirs4all/test_drive.py::test_killed",
    "integration_nirs4all/test_drive.py::test_no_process",
    "integration_nirs4all/test_drive.py::test_signals",
    "stress/test_copies.py",
    "stress/test_declared_dead.py",
    "stress/test_failing_",
    "stress/test_full_disk.py",
    "stress/test_interrupted_migration.py",
    "stress/test_killed_",
    "stress/test_listing.py",
    "stress/test_locks_threads_forks.py",
    "stress/test_many_",
    "stress/test_readers_during_rebuild.py",
    "stress/test_resume_example.py",
    "stress/test_strict_writing.py",
    "stress/test_web_",
    "unit/test_cache.py",
    "unit/test_hashes.py",
    "unit/test_locks.py",
    "unit/test_one_unreadable_thing.py",
    "unit/test_pool_deaths.py",
    "unit/test_resolve.py",
    "unit/test_watch.py",
    "unit/test_worker_processes.py",
)
SLOW = (
    "compat/test_import",
    "compat/test_old_workspaces.py::test_a_read_only_folder",
    "integration_nirs4all/",
    "property/",
    "stress/",
    "unit/test_checkpoints.py",
    "unit/test_embedded_bits.py",
    "unit/test_lineage.py::test_chains_of_any_length",
    "unit/test_metrics.py::test_the_cache_of_one_process",
    "unit/test_meta.py::test_the_package_is_typed_and_versioned",  # where it is installed
    "unit/test_migrate",
    "unit/test_paths_of_",
    "unit/test_terminal_encodings.py",
    "unit/test_unreadable_old_folders.py",
    "unit/test_typed_calls.py",
    "unit/test_verify_arrays.py",
)

# How many examples: of most tests, of those that write workspaces for each, of sequences of so many steps.
PROFILES = {
    "quick": {"examples": 20, "costly": 5, "sequences": 3, "steps": 15},
    "ci": {"examples": 100, "costly": 40, "sequences": 12, "steps": 25},
    "stress": {"examples": 2_000, "costly": 1_000, "sequences": 300, "steps": 25},
}


def markers(name: str) -> list[str]:
    """The markers of a test."""
    is_alone, is_slow = name.startswith(ALONE), name.startswith(SLOW)
    return ["alone"] * is_alone + ["quick"] * (not is_alone and not is_slow)


def register_profiles() -> None:
    """Make the profiles known, and `ci` the one that is taken where none is named."""
    common = {
        "deadline": None,
        "database": None,
        "phases": [Phase.explicit, Phase.generate, Phase.shrink],
        "suppress_health_check": [
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    }
    for name, of in PROFILES.items():
        settings.register_profile(name, max_examples=of["examples"], **common)
        settings.register_profile(f"{name} costly", max_examples=of["costly"], **common)
        sequences = {"max_examples": of["sequences"], "stateful_step_count": of["steps"]}
        settings.register_profile(f"{name} sequences", **sequences, **common)
    settings.load_profile("ci")


def costly() -> settings:
    """The settings of tests that write workspaces for each example."""
    return settings.get_profile(f"{settings.get_current_profile_name()} costly")


def sequences() -> settings:
    """The settings of state machines."""
    return settings.get_profile(f"{settings.get_current_profile_name()} sequences")
