"""How a run is driven: what its config keeps, so that resuming it needs nothing but the run."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.exceptions import ConflictError, NotFoundError
from nirs4all_workspace.integrations.nirs4all.tasks import RESERVED, Options
from nirs4all_workspace.values.canonical import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nirs4all_workspace.runs.run import Run

# The key of a run's config.
KEY = "nirs4all"
_ON_ERROR = ("record", "raise")
_ARTIFACTS = ("refit", "all", "none")


@dataclass(frozen=True)
class How:
    """Who computes, and what becomes of failures.

    Attributes:
        workers: Number of processes that compute; 0 for the one that owns the run.
        timeout: Seconds that a configuration may take; None for any.
        on_error: "record" or "raise".
    """

    workers: int = 0
    timeout: float | None = None
    on_error: str = "record"

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            ValueError: A value makes no sense.
        """
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 0:
            raise ValueError(f"workers: expected a number of processes, 0 or more, got {self.workers!r}")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout: expected seconds, more than 0, got {self.timeout!r}")
        if self.on_error not in _ON_ERROR:
            raise ValueError(f"on_error: expected 'record' or 'raise', got {self.on_error!r}")


@dataclass(frozen=True)
class Settings:
    """How a run is driven.

    Attributes:
        name: The name that configuration names begin with.
        options: How nirs4all computes.
        how: Who computes.
        inputs: Hashes of the datasets that were given in memory, by name.
        version: The version of nirs4all that the run was made with.
    """

    name: str
    options: Options
    how: How
    inputs: Mapping[str, str]
    version: str

    def to_config(self) -> dict[str, Any]:
        """Return them for the config of a run.

        Raises:
            TypeError: An option cannot be stored, so that a run resumed without it would be another one.
        """
        return {"random_state": self.options.random_state, KEY: plain(asdict(self), "options")}


def complete(options: Options) -> Options:
    """Return options that are checked and have a seed, which is drawn where there is none.

    Raises:
        ValueError: One makes no sense, or is one that a drive sets itself.
        TypeError: One has a wrong type.
    """
    if options.artifacts not in _ARTIFACTS:
        raise ValueError(f"artifacts: expected 'refit', 'all' or 'none', got {options.artifacts!r}")
    if options.engine is not None and not isinstance(options.engine, str):
        raise TypeError(f"engine: expected a text or None, got {options.engine!r}")
    if taken := [name for name in options.run_options if name in RESERVED]:
        raise ValueError(f"{', '.join(taken)}: cannot be given, a drive sets what they say itself")
    seed = options.random_state
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32):
        raise ValueError(f"random_state: expected an integer from 0 to 2**32 - 1, got {seed!r}")
    if seed is not None:
        return options
    return replace(options, random_state=random.SystemRandom().randrange(2**31))


def of_run(run: Run) -> Settings:
    """Return how a run is driven.

    Raises:
        NotFoundError: It was not made to be driven with nirs4all.
    """
    stored = run.config.get(KEY)
    if not isinstance(stored, dict):
        raise NotFoundError("was not made to be driven with nirs4all", str(run.path))
    known = {field.name: stored[field.name] for field in fields(Settings)}
    return Settings(**known | {"options": Options(**stored["options"]), "how": How(**stored["how"])})


def check_same(run: Run, given: Options, name: str | None) -> None:
    """Check that what is given to resume a run is what it has, as far as it is given.

    Raises:
        ConflictError: Something differs; the message lists it.
    """
    settings = of_run(run)
    before, usual = asdict(settings.options), asdict(Options())
    differing = [
        f"{key} {before[key]!r} then, {value!r} now"
        for key, value in plain(asdict(given), "options").items()
        if value not in (usual[key], before[key])
    ]
    if name not in (None, settings.name):
        differing.append(f"name {settings.name!r} then, {name!r} now")
    if differing:
        raise ConflictError(f"goes on as it was begun: {'; '.join(differing)}", str(run.path))
