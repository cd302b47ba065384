"""Sabotages of locks, paths, terminals and what cannot be read."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "open lock files while others fork": Sabotage(
        "rust/core/src/fs/forks.rs",
        "        let mut registry = registry();\n        let file = open()?;\n",
        "        let file = open()?;\n        let mut registry = registry();\n",
        "stress/test_locks_threads_forks.py::test_idle_forks_keep_no_lock_of_busy_threads",
    ),
    "forget the files of those who only look": Sabotage(
        "rust/core/src/fs/lock.rs",
        "match OwnFile::open(|| platform::open(path)) {",
        "match platform::open(path) {",
        "stress/test_locks_threads_forks.py::test_idle_forks_keep_no_lock_of_busy_threads",
    ),
    "believe that a locked file is the lock": Sabotage(
        "rust/core/src/fs/lock.rs",
        "Ok(()) => Ok(platform::is_same_file(file, path)),",
        "Ok(()) => Ok(!path.as_os_str().is_empty()),",
        "stress/test_locks_threads_forks.py::test_a_file_that_is_removed_between_opening_and_locking_is_not_the_lock",
    ),
    "release by closing alone": Sabotage(
        "rust/core/src/fs/forks.rs",
        "            let _ = self.file.unlock();\n",
        "",
        "unit/test_locks.py::test_release_unlocks_though_another_process_has_a_copy",
    ),
    "try a lock once": Sabotage(
        "rust/core/src/fs/lock.rs",
        "timeout.max(SHORTEST_PATIENCE).saturating_sub(waited)",
        "timeout.saturating_sub(waited)",
        "stress/test_locks_threads_forks.py::test_looking_fails_no_take",
    ),
    "keep open what is no file": Sabotage(
        "rust/core/src/fs/regular.rs",
        "    if kind.is_file() { Ok(file) } else { Err(refused(what(kind))) }",
        "    if kind.is_file() || true { Ok(file) } else { Err(refused(what(kind))) }",
        "unit/test_one_unreadable_thing.py::test_something_else_lies_there",
    ),
    "blame each file of a closed folder": Sabotage(
        "rust/core/src/fs/folders.rs",
        '        if let Err(error) = path.join(".").metadata() {',
        "        if let Err(error) = path.metadata() {",
        "unit/test_one_unreadable_thing.py::test_nobody_may_read_it",
    ),
    "follow the link of a deleted run": Sabotage(
        "python/nirs4all_workspace/runs/delete.py",
        "            if path.is_symlink():\n                target",
        "            if path.is_symlink() and False:\n                target",
        "unit/test_linked_runs.py::test_a_run_that_is_a_link",
    ),
    "give up where the trash is on another drive": Sabotage(
        "python/nirs4all_workspace/runs/delete.py",
        "        if error.errno != errno.EXDEV:",
        "        if True:",
        "unit/test_linked_runs.py::test_runs_on_another_drive",
    ),
    "plan without results that cannot be read": Sabotage(
        "python/nirs4all_workspace/runs/run.py",
        "        self._demand(finished.errors)",
        "        pass",
        "unit/test_one_unreadable_thing.py::test_a_run_is_resumed_only_where_its_own_files_can_be_read",
    ),
    "forget rows that may come back": Sabotage(
        "python/nirs4all_workspace/runs/delete.py",
        '        if done["errors"]:\n            return done',
        "        pass",
        "unit/test_linked_runs.py::test_what_may_hold_more_of_a_run_keeps_it_hidden",
    ),
    "wait for pipes": Sabotage(
        "rust/core/src/fs/platform.rs",
        "options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)",
        "options.custom_flags(0)",
        "unit/test_one_unreadable_thing.py::test_something_else_lies_there",
    ),
    "keep a relative workspace path": Sabotage(
        "python/nirs4all_workspace/workspace.py",
        "folder = paths.on_disk(paths.absolute(path))",
        "folder = __import__('pathlib').Path(path)",
        "unit/test_paths_of_calls.py::test_a_path_is_meant_when_it_is_given",
    ),
    "let a name through to the terminal": Sabotage(
        "python/nirs4all_workspace/cli/output.py",
        "super().add_row(*map(_cell, cells), **options)",
        "super().add_row(*cells, **options)",
        "unit/test_terminal.py::test_no_command_lets_a_name_through",
    ),
    "take a dataset's name for a pattern": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/parquet.py",
        "pl.scan_parquet(path, glob=False).select(names)",
        "pl.scan_parquet(path).select(names)",
        "unit/test_contents.py::test_brackets_in_a_path_are_part_of_it",
    ),
    "filter datasets by bytes": Sabotage(
        "rust/core/src/query/filter.rs",
        "text.is_some_and(|text| text == value || column == DATASET && same_name(text, value))",
        "text == Some(value)",
        "unit/test_paths_of_calls.py::test_old_files_in_two_normal_forms_are_one_dataset",
    ),
    "count the names of datasets by bytes": Sabotage(
        "rust/core/src/reading/collect.rs",
        "parts.entry(nfc(name)).or_default().push(Part::Encoded(file, state));",
        "parts.entry(Cow::Borrowed(name)).or_default().push(Part::Encoded(file, state));",
        "unit/test_paths_of_calls.py::test_old_files_in_two_normal_forms_are_one_dataset",
    ),
    "lose the number of a failed export": Sabotage(
        "python/nirs4all_workspace/predictions/export.py",
        "raise out.failed from error",
        "pass",
        "stress/test_full_disk.py::test_calls_that_write_say_so_and_others_answer",
    ),
    "let a progress fail a flush": Sabotage(
        "python/nirs4all_workspace/predictions/writer.py",
        "            try:\n                display.warn(message, stacklevel=3)",
        "            raise\n            try:\n                display.warn(message, stacklevel=3)",
        "unit/test_paths_of_calls.py::test_a_progress_that_raises_does_not_undo_a_flush",
    ),
    "pass over young segments in silence": Sabotage(
        "rust/core/src/upkeep/compact.rs",
        "if ready.len() + young.len() > 1 {",
        "if false {",
        "unit/test_exports.py::test_compaction_says_which_segments_are_too_young",
    ),
    "hash a folder that has a dataset's name": Sabotage(
        "python/nirs4all_workspace/runs/dataset_references.py",
        "os.path.exists(path) if has_separator else os.path.isfile(path)",
        "os.path.exists(path)",
        "unit/test_paths_of_calls.py::test_a_text_in_datasets_is_a_name_whatever_folders_are_called",
    ),
    "show what cannot be read and exit with 0": Sabotage(
        "python/nirs4all_workspace/cli/runs.py",
        'exit_with([error for error in answer["summary"]["errors"] if "result" not in error])',
        "exit_with([])",
        "unit/test_one_unreadable_thing.py::test_what_asks_for_a_run_or_template_says_what_it_cannot_read",
    ),
}
