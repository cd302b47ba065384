"""Sabotages of what a writer says of its rows, of edits of runs, and of the log."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "write rows without what their results say": Sabotage(
        "python/nirs4all_workspace/predictions/writer.py",
        "            planned=planned,\n",
        "",
        "unit/test_planned_rows.py",
    ),
    "drop the tags of a run with an edit": Sabotage(
        "python/nirs4all_workspace/runs/run.py",
        "record.update(changes, history=history)",
        'record.update({"tags": [], **changes}, history=history)',
        "unit/test_run_edits.py",
    ),
    "list runs that have one of several tags": Sabotage(
        "python/nirs4all_workspace/runs/collection.py",
        "if not wanted.issubset(run_record.tags_in(entry)):",
        "if wanted.isdisjoint(run_record.tags_in(entry)):",
        "unit/test_run_edits.py",
    ),
    "overwrite the number of samples that was given": Sabotage(
        "python/nirs4all_workspace/predictions/planned_fields.py",
        '            if found.get("n_samples") is None:',
        "            if True:",
        "unit/test_planned_rows.py",
    ),
    "forget rows that a dropped writer lost": Sabotage(
        "python/nirs4all_workspace/predictions/writer.py",
        "            _lost[self.run_id] = _lost.get(self.run_id, 0) + waiting\n",
        "",
        "unit/test_lost_rows.py",
    ),
    "keep lost rows in mind for ever": Sabotage(
        "python/nirs4all_workspace/runs/run.py",
        "        forget_lost_rows(self.id)\n",
        "",
        "unit/test_lost_rows.py",
    ),
    "know writers by the spelling of their path": Sabotage(
        "python/nirs4all_workspace/predictions/writer.py",
        "os.path.realpath(self._root) == os.path.realpath(root)",
        "self._root == root",
        "unit/test_lost_rows.py",
    ),
    "take any status for done": Sabotage(
        "python/nirs4all_workspace/model/result.py",
        '    if stored["status"] not in STATUSES:',
        "    if False:",
        "unit/test_lost_rows.py",
    ),
    "leave the line of progress open": Sabotage(
        "python/nirs4all_workspace/runs/run.py",
        "        plan_progress.end(self._root, self.id)\n",
        "",
        "unit/test_plan_progress.py",
    ),
    "doubt results without rows where none was forgotten": Sabotage(
        "python/nirs4all_workspace/predictions/writer.py",
        "meant = 0 if self._planned.unfinished else unnamed",
        "meant = unnamed",
        "unit/test_misspelled_rows.py",
    ),
    "know the blocks of the parent in a fork": Sabotage(
        "python/nirs4all_workspace/runs/termination.py",
        "            _pid = os.getpid()\n            _active.clear()",
        "            pass",
        "unit/test_termination.py",
    ),
    "hear nothing of misspelled columns of batches": Sabotage(
        "rust/core/src/write/first_seen.rs",
        "        self.add_named(batch);",
        "",
        "unit/test_misspelled_rows.py",
    ),
    "draw progress into a pipe": Sabotage(
        "python/nirs4all_workspace/runs/plan_progress.py",
        "return console if console.is_terminal else None",
        "return console",
        "unit/test_plan_progress.py",
    ),
    "log to stderr without being asked": Sabotage(
        "python/nirs4all_workspace/__init__.py",
        ".addHandler(logging.NullHandler())",
        ".addHandler(logging.StreamHandler())",
        "unit/test_logging.py",
    ),
    "pickle a run whole": Sabotage(
        "python/nirs4all_workspace/runs/view.py",
        "return self._workspace.runs.get, (self.id,)",
        "return type(self), (self._workspace, self.id)",
        "unit/test_pickling.py",
    ),
    "take names for alike that are not": Sabotage(
        "python/nirs4all_workspace/predictions/misspellings.py",
        "_ALIKE, _ALIKE_OF_SAME_LETTERS = 0.88, 0.75",
        "_ALIKE, _ALIKE_OF_SAME_LETTERS = 0.75, 0.75",
        "unit/test_misspelled_rows.py",
    ),
}
