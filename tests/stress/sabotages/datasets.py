"""Sabotages of descriptions of datasets, and what older versions left."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "name what is migrated at random": Sabotage(
        "python/nirs4all_workspace/migration/transfer.py",
        "                ids=writer_ids(unit.run_id, unit.dataset, self.file.file, *self._contents()),",
        "                ids=None,",
        "unit/test_migrations_merged.py::test_two_migrations_of_one_folder_are_one",
    ),
    "take fewer marks for missing than pandas": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/tokens.py",
        "return token in MISSING",
        'return token in {"", "NA", "NaN", "nan", "na"}',
        "unit/test_descriptions.py::test_marks_that_pandas_takes_for_missing_are_missing",
    ),
    "count lines of separators as samples": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/table_profile.py",
        "        if not any(row):\n            blanks += 1",
        "        if not row:\n            blanks += 1",
        "property/test_any_table.py::test_any_dialect_is_described_right_or_not_at_all",
    ),
    "take any first line that rises for a header": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/header.py",
        "    if is_ordered and is_far:",
        "    if is_ordered:",
        "unit/test_description_headers.py::test_a_first_spectrum_that_rises_alone_may_be_a_header",
    ),
    "take a comma before three digits for a decimal one": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/table_profile.py",
        'return self.hint if self.hint == "," else None',
        'return ","',
        "unit/test_descriptions.py::test_one_comma_before_three_digits_may_be_decimals_or_thousands",
    ),
    "read both forms of a file": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/files.py",
        "if _stem(other) == _stem(path):",
        "if False:",
        "unit/test_description_files.py::test_of_two_forms_of_a_file_the_note_says_which_was_read",
    ),
    "fill ragged lines": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/table_profile.py",
        '    raise Undecided(f"line {line} has {len(row)} fields, where others have {width}")',
        '    return [*row, *[""] * width][:width]',
        "unit/test_description_files.py::test_a_ragged_line_is_named",
    ),
    "take a text among numbers for a class": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/targets.py",
        "if self.doubt or bool(self.numbers) == bool(self.texts):",
        "if not self.numbers and not self.texts:",
        "unit/test_descriptions.py::test_other_marks_leave_task_and_statistics_open_and_are_named",
    ),
    "take a call's log for one of any time": Sabotage(
        "rust/core/src/catalogue/legacy/sessions.rs",
        "zero == 0 && first == base && at == last + 1",
        "false",
        "compat/test_old_calls.py::test_calls_are_the_sessions",
    ),
    "complete calls that were killed": Sabotage(
        "rust/core/src/catalogue/legacy/sessions.rs",
        'if ended && !self.is_broken && !self.lacks_its_end() { "completed" }',
        'if true { "completed" }',
        "compat/test_old_calls.py::test_calls_are_the_sessions",
    ),
    "take a cut manifest for a whole one": Sabotage(
        "rust/core/src/catalogue/legacy/manifests.rs",
        'trace.get("metadata").is_none()',
        "false",
        "compat/test_old_calls.py::test_a_manifest_that_was_cut_is_told",
    ),
    "count augmented samples": Sabotage(
        "rust/core/src/catalogue/legacy/row_groups.rs",
        "!has_folds || !is_average(fold)",
        "true",
        "compat/test_old_calls.py::test_samples_are_the_datasets",
    ),
    "miss files a level deeper": Sabotage(
        "rust/core/src/reading/old_files.rs",
        "if is_old {",
        "if false {",
        "compat/test_old_calls.py::test_every_answer_counts_the_same",
    ),
    "complete what is migrated": Sabotage(
        "python/nirs4all_workspace/migration/sessions.py",
        'status = entry.get("status") or "completed"',
        'status = "completed"',
        "compat/test_old_calls.py::test_migrated_calls_are_the_same_runs",
    ),
    "make datasets of configurations without rows": Sabotage(
        "python/nirs4all_workspace/migration/builder.py",
        "self._leave_no_dataset(path)",
        "path.unlink(missing_ok=True)",
        "unit/test_migrate.py::test_configurations_without_rows_are_results",
    ),
    "let bytes that are no text into notes": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/describe.py",
        "dict.fromkeys(map(stored.error_text, contents.notes))",
        "dict.fromkeys(contents.notes)",
        "unit/test_datasets.py::test_names_that_are_no_utf8",
    ),
    "fail what cannot be read": Sabotage(
        "rust/core/src/catalogue/legacy/session_rows.rs",
        "self.of(manifest).is_some() || self.unread.iter().any(|error| is_within(&file, &error.path))",
        "self.of(manifest).is_some()",
        "unit/test_old_sessions.py::test_a_link_to_nothing_in_place_of_rows_makes_nothing_failed",
    ),
    "read whole numbers with commas as two columns": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/describe.py",
        'of_targets = None if hint == "." and divides != {","} else hint',
        "of_targets = hint",
        "unit/test_descriptions.py::test_pairs_of_whole_numbers_are_columns_beside_commas_and_undecided_beside_others",
    ),
    "take any even row that rises for wavelengths": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/header.py",
        "        and min(numbers) >= _LOWEST_NM\n",
        "",
        "unit/test_description_headers.py::test_a_first_spectrum_with_fewer_decimals_than_others_may_be_wavelengths",
    ),
}
