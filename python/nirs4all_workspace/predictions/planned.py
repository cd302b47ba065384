"""The results that rows of a writer may name: those in the plan of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nirs4all_workspace._io.paths import nfc
from nirs4all_workspace.model import plan, run_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nirs4all_workspace.model.result import Result

# Results listed in a message at most.
_SHOWN = 10


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
        self._known: dict[str, Result] = {}
        self._stamp: tuple[int, ...] | None = None
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
        for result_id in result_ids:
            if result_id not in self._known:
                self._read()
            if self._known:
                self._check(result_id)

    def finish(self, result_id: str) -> None:
        """Count a result among the finished ones."""
        self.unfinished.pop(result_id, None)

    def _check(self, result_id: str) -> None:
        planned = self._known.get(result_id)
        if planned is None:
            raise ValueError(f"the plan of run {self._run_id} has no result {result_id!r}; {self._offer()}")
        if nfc(str(planned.dataset_name)) != self._dataset_name:
            raise ValueError(
                f"result {result_id!r} is planned on dataset {planned.dataset_name!r}, and this writer "
                f"writes {self._dataset_name!r}; open a writer for it"
            )

    def _offer(self) -> str:
        own = [it for it in self._known.values() if nfc(str(it.dataset_name)) == self._dataset_name]
        if not own:
            names = sorted({str(it.dataset_name) for it in self._known.values()})
            return f"it has none on {self._dataset_name!r}, only on {', '.join(map(repr, names))}"
        more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        named = ", ".join(f"{it.id} ({it.config_name or it.config_id})" for it in own[:_SHOWN])
        return f"on {self._dataset_name!r} it has {named}{more}"

    def _read(self) -> None:
        path = self._folder / plan.FILE
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if stamp == self._stamp:
            return
        datasets = run_record.references(self._folder / "datasets.yaml", "datasets")
        found = plan.results_of(self._run_id, plan.read(path), datasets)
        self._known = {result.id: result for result in found}
        self._stamp = stamp
