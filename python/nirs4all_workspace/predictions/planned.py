"""The results in the plan of a run as it is on disk: those that rows of its writers may name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nirs4all_workspace import display
from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.model import plan, run_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Results listed in a message at most.
_SHOWN = 10
# Plans kept at most: a loop opens a writer for each result of one run.
_KEPT = 8


class Planned(NamedTuple):
    """What the plan of a run says of a result.

    Attributes:
        dataset_name: The name of its dataset.
        dataset_id: The id of its dataset; the name of one that is not registered.
        config_name: The name of its configuration.
        config_id: The id of its configuration.
        template_id: The id of its template.
    """

    dataset_name: str
    dataset_id: str | None
    config_name: str | None
    config_id: str | None
    template_id: str | None


@dataclass(frozen=True)
class _Plan:
    """A plan as it was read last.

    Attributes:
        stamp: Size, mtime and inode of the file that it was read from.
        configs: What tells its configurations apart.
        results: Its results by id.
    """

    stamp: tuple[int, ...] = ()
    configs: frozenset[tuple[Any, str]] = frozenset()
    results: dict[str, Planned] = field(default_factory=dict)


_plans: dict[Path, _Plan] = {}


class PlannedResults:
    """Checks the results that rows of one writer name, against the plan of its run as it is on disk.

    Any process may add to the plan meanwhile; a run without a plan has any results.

    Attributes:
        unfinished: Ids of the results that rows named and that were not checkpointed yet, in their order.
    """

    def __init__(self, root: Path, run_id: str, dataset_name: str) -> None:
        """Read nothing yet."""
        self._folder = root / "runs" / run_id
        self._run_id = run_id
        self._dataset_name = dataset_name
        self.unfinished: dict[str, None] = {}

    def begin(self, result_ids: Iterable[str]) -> None:
        """Check results that rows name, and count them among the unfinished ones.

        Raises:
            ValueError: The run has a plan, and a result is not in it, or is on another dataset.
            CorruptFileError: The plan is damaged.
            OSError: The plan cannot be read.
        """
        result_ids = list(result_ids)
        self.check(result_ids)
        self.unfinished.update(dict.fromkeys(result_ids))

    def check(self, result_ids: Iterable[str]) -> None:
        """Check results as `begin` does, without counting them."""
        results = results_of(self._folder, self._run_id)
        for result_id in result_ids if results else ():
            result = results.get(result_id)
            if result is None:
                raise ValueError(
                    f"the plan of run {self._run_id} has no result {result_id!r}; {self._offer(results)}"
                )
            if nfc(result.dataset_name) != self._dataset_name:
                raise ValueError(
                    f"result {result_id!r} is planned on dataset {result.dataset_name!r}, and this writer "
                    f"writes {self._dataset_name!r}; open a writer for it"
                )

    def finish(self, result_id: str) -> None:
        """Count a result among the finished ones."""
        self.unfinished.pop(result_id, None)

    def _offer(self, results: dict[str, Planned]) -> str:
        named = [
            f"{id_} ({it.config_name or it.config_id})"
            for id_, it in results.items()
            if nfc(it.dataset_name) == self._dataset_name
        ]
        if not named:
            names = sorted({it.dataset_name for it in results.values()})
            return f"it has none on {self._dataset_name!r}, only on {', '.join(map(repr, names))}"
        return f"on {self._dataset_name!r} it has {display.some_of(named, _SHOWN)}"


def results_of(folder: Path, run_id: str) -> dict[str, Planned]:
    """Return the results in the plan of a run, in its folder, as it is now; empty without a plan.

    The plan is read again where its file has another stat than before.

    Raises:
        CorruptFileError: The plan is damaged.
        OSError: The plan cannot be read.
    """
    path = folder / plan.FILE
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    found = _plans.pop(folder, None) or _Plan()
    if found.stamp != stamp:
        configs = plan.read(path)
        keys = frozenset(map(plan.key_of, configs))
        if not found.configs <= keys:
            found = _Plan()  # another one, not a longer one
        new = [config for config in configs if plan.key_of(config) not in found.configs]
        datasets = run_record.references(folder / "datasets.yaml", "datasets")
        results = {
            result.id: Planned(
                str(result.dataset_name),
                result.dataset_id,
                result.config_name,
                result.config_id,
                result.template_id,
            )
            for result in plan.results_of(run_id, new, datasets)
        }
        found = _Plan(stamp, keys, found.results | results)
    # Without a lock, which a fork might inherit: what another thread reads is as right.
    _plans[folder] = found
    for other in list(_plans)[:-_KEPT]:
        _plans.pop(other, None)
    return found.results
