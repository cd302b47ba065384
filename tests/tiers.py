"""Which tests are quick, which need the machine for themselves, and how many examples Hypothesis tries.

pytest -m "not alone and not slow"      # the quick ones, which `make check` runs
pytest -m "not alone" -n 2              # all that may run side by side
pytest -m alone                         # those with clocks, locks, kills and strace, one by one
pytest --hypothesis-profile=stress      # quick, ci (what is taken by default), stress
"""

from hypothesis import HealthCheck, Phase, settings

# Files and tests below `tests/`, by how their names begin.
ALONE = ()
SLOW = ()

# How many examples: of most tests, of those whose examples are costly; and the steps of a state machine.
PROFILES = {
    "quick": {"examples": 20, "costly": 3, "steps": 15},
    "ci": {"examples": 100, "costly": 12, "steps": 25},
    "stress": {"examples": 2_000, "costly": 300, "steps": 25},
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
        costly = {"max_examples": of["costly"], "stateful_step_count": of["steps"]}
        settings.register_profile(f"{name} costly", **common, **costly)
    settings.load_profile("ci")


def costly() -> settings:
    """The settings of state machines, and of tests that write workspaces for each example."""
    return settings.get_profile(f"{settings.get_current_profile_name()} costly")
