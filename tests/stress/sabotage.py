"""Break the package on purpose, one promise at a time, and demand that a test notices.

    python tests/stress/sabotage.py [name ...]

Each sabotage is one textual patch to a copy of the tree, which gets a build of its own; dependencies are
not compiled again. It fails where a patch no longer applies, where the patched tree does not build, and
where the test that is meant to notice passes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[2]


class Sabotage(NamedTuple):
    """A patch, and the test that must fail on it."""

    file: str
    right: str
    wrong: str
    test: str


SABOTAGES = {
    "drop the sync of a flush": Sabotage(
        "rust/core/src/write/writer.rs",
        "open.appender.file.sync_data().map_err(|error| Error::io(path, error))?;",
        "let _ = path;",
        "stress/test_failing_writes.py::test_a_flush_returns_after_the_sync_of_its_journal",
    ),
    "drop the sync of the folders": Sabotage(
        "rust/core/src/write/writer.rs",
        "platform::sync_folder(folder).map_err(|error| Error::io(folder, error))?;",
        "let _ = folder;",
        "stress/test_failing_writes.py::test_a_flush_returns_after_the_sync_of_its_journal",
    ),
    "skip the checksum of payloads": Sabotage(
        "rust/core/src/segment/journal/read.rs",
        "if sum.to_le_bytes() != *stored {",
        "if sum.to_le_bytes() != *stored && false {",
        "stress/test_damaged_journals.py::test_every_flipped_bit_is_found",
    ),
    "skip the checksum of the header": Sabotage(
        "rust/core/src/segment/journal/header.rs",
        "if XxHash3_64::oneshot(content).to_le_bytes() != *checksum {",
        "if XxHash3_64::oneshot(content).to_le_bytes() != *checksum && false {",
        "stress/test_damaged_journals.py::test_every_flipped_bit_is_found",
    ),
    "skip the fence": Sabotage(
        "rust/core/src/segment/journal/append.rs",
        "let reason = if fence_path(&self.path).exists() {",
        "let reason = if false {",
        "stress/test_declared_dead.py::test_a_writer_that_was_declared_dead_cannot_go_on",
    ),
    "unlink the journal before its segment is there": Sabotage(
        "rust/core/src/write/seal.rs",
        "    rows.publish(&keys, summary)?;",
        "    remove_if_there(path)?;\n    rows.publish(&keys, summary)?;",
        "stress/test_failing_writes.py::test_a_segment_is_there_before_its_journal_goes",
    ),
    "drop the sync of a name": Sabotage(
        "rust/core/src/fs/atomic.rs",
        "    platform::sync_folder(folder).map_err(|error| Error::io(folder, error))",
        "    let _ = folder;\n    Ok(())",
        "stress/test_failing_writes.py::test_a_segment_is_there_before_its_journal_goes",
    ),
    "believe that a segment covers its journal": Sabotage(
        "rust/core/src/segment/carriers.rs",
        "            match longest.map_or(Ok(false), |sealed| journal.is_covered_by(sealed)) {",
        "            match longest.map_or(Ok(false), |_| Ok(true)) {",
        "stress/test_copies.py::test_a_live_workspace_copied_twice_and_recovered_in_between",
    ),
    "forget where a successor cuts its predecessor": Sabotage(
        "rust/core/src/segment/journal/read.rs",
        "let limit = cut.map_or(size, |cut| cut.min(size));",
        "let limit = size;",
        "stress/test_failing_writes.py::test_a_frame_that_cannot_be_cut_off_is_not_counted_twice",
    ),
    "miss a segment that was sealed after the listing": Sabotage(
        "rust/core/src/segment/carriers.rs",
        "&& folder.join(name.sealed()).exists() {",
        "&& false {",
        "stress/test_many_writers.py::test_a_journal_that_is_sealed_just_after_it_was_listed",
    ),
    "believe the catalogue whatever a stat says": Sabotage(
        "rust/core/src/catalogue/unit.rs",
        "self.stats == stats && self.is_settled()",
        "!stats.is_empty() && self.is_settled()",
        "unit/test_catalogue.py::test_what_changed_is_read_again",
    ),
    "rule out a row group that ends where the filter begins": Sabotage(
        "rust/core/src/query/filter.rs",
        "(low > *range.end() || high < *range.start()).then_some(false)",
        "(low > *range.end() || high <= *range.start()).then_some(false)",
        "unit/test_pages.py::test_bounds_are_part_of_what_is_asked_for",
    ),
    "order what follows a cursor without its row": Sabotage(
        "rust/core/src/query/cursor.rs",
        '"id" => &self.tie.id,',
        '"id" => &None,',
        "unit/test_pages.py::test_a_cursor_outlives_its_row_and_its_file",
    ),
    "remember rows past a damaged frame": Sabotage(
        "rust/core/src/reading/open_segments.rs",
        "cached.get_or_insert_with(|| state_of(&datasets));",
        "cached.get_or_insert_with(|| state_of(&datasets)); cached = None;",
        "stress/test_damaged_journals.py::test_blocks_that_a_disk_lost_cost_what_they_held",
    ),
    "count a result whose rows were lost": Sabotage(
        "rust/core/src/segment/checkpoint.rs",
        ".is_some_and(|rows| counted < rows)",
        ".is_some_and(|rows| counted < rows && false)",
        "stress/test_damaged_journals.py::test_rows_that_a_predecessor_lost_unmake_a_checkpoint_in_its_successor",
    ),
    "let a damaged journal count beside its segment": Sabotage(
        "rust/core/src/segment/journal/frames.rs",
        "match self.compare(sealed.position, &sealed.saved)? {",
        "match self.compare(sealed.position, &[])? {",
        "stress/test_damaged_journals.py::test_damage_in_several_places_costs_the_frames_that_it_hits",
    ),
    "count what a compaction has of a damaged journal again": Sabotage(
        "rust/core/src/write/seal.rs",
        "let (begin, skipped) = (compacted.position, &compacted.saved);",
        "let (begin, skipped): (_, &[Stretch]) = (compacted.position, &[]);",
        "stress/test_damaged_journals.py::test_an_intact_copy_after_a_compaction_brings_what_was_lost",
    ),
    "keep places of rows when a frame is lost": Sabotage(
        "rust/core/src/query/file_snapshot.rs",
        "if damage_mark::set(&listed.path, &reading) == listed.identity.ctime_ns {",
        "if damage_mark::set(&listed.path, &reading) == listed.identity.ctime_ns || true {",
        "stress/test_damaged_journals.py::test_nothing_is_remembered_past_a_damaged_frame",
    ),
    "seal a damaged journal with its writer's summary": Sabotage(
        "rust/core/src/write/seal.rs",
        "let summary = summary.filter(|_| !survey.reading.is_damaged());",
        "let summary = summary.filter(|_| true);",
        "stress/test_damaged_journals.py::test_a_writer_says_when_its_journal_was_damaged_before_it_closed",
    ),
    "let the later checkpoint win": Sabotage(
        "rust/core/src/segment/hidden.rs",
        "        if rank < known.0 {",
        "        if rank > known.0 {",
        "unit/test_live_footers.py::test_a_done_checkpoint_comes_before_a_failed_one_and_then_the_earlier",
    ),
    "show rows of results that lost": Sabotage(
        "rust/core/src/segment/carriers.rs",
        "            let Some(winner) = claim.winner.filter(|_| !claim.others.is_empty()) else { continue };",
        "            let Some(winner) = claim.winner.filter(|_| false) else { continue };",
        "stress/test_copies.py::test_a_run_that_was_resumed_in_two_copies",
    ),
    "prefer a compaction to a segment that goes on": Sabotage(
        "rust/core/src/segment/carriers.rs",
        "                (frames, carrier.name.is_compaction(), carrier.replaced.len(), file)",
        "                (carrier.name.is_compaction().then_some(u64::MAX).or(frames), true, "
        "carrier.replaced.len(), file)",
        "stress/test_copies.py::test_a_copy_was_compacted_while_the_original_went_on",
    ),
    "forget what is hidden of a page": Sabotage(
        "rust/core/src/query/file_snapshot.rs",
        "            Some(hidden) => hidden.narrow(batch, u64::from(first), rows),",
        "            Some(_) => Ok(rows),",
        "stress/test_copies.py::test_compactions_of_two_copies_that_overlap",
    ),
    "believe the summary of a file with hidden rows": Sabotage(
        "rust/core/src/reading/collect.rs",
        "        Some(hidden) => count_live(&path, folder.open_file(file), hidden),",
        "        Some(_) => summarise_opened(&path, folder.open_file(file), tails),",
        "unit/test_live_footers.py::test_a_done_checkpoint_comes_before_a_failed_one_and_then_the_earlier",
    ),
    "name what is migrated at random": Sabotage(
        "python/nirs4all_workspace/migration/transfer.py",
        "                ids=writer_ids(unit.run_id, unit.dataset, self.file.file, *self._contents()),",
        "                ids=None,",
        "unit/test_migrations_merged.py::test_two_migrations_of_one_folder_are_one",
    ),
    "skip the checksum of column chunks": Sabotage(
        "rust/core/src/decode/chunk_sums.rs",
        "    if found == written {",
        "    if found == written || true {",
        "stress/test_damaged_pages.py::test_damages",
    ),
    "skip the checksum of bloom filters": Sabotage(
        "rust/core/src/query/source.rs",
        "            self.checks.check_filter(&file, (group, leaf))?;\n",
        "",
        "stress/test_damaged_pages.py::test_a_damaged_bloom_filter_denies_no_row",
    ),
    "decode what was not checked for a few rows": Sabotage(
        "rust/core/src/query/source.rs",
        "                chunks.check(group, &mask, &self.checks)?;",
        "                let _ = &self.checks;",
        "stress/test_damaged_pages.py::test_rows_are_taken_from_checked_chunks",
    ),
    "believe what a page announces": Sabotage(
        "rust/core/src/decode/page_limits.rs",
        "        if uncompressed > limit {",
        "        if uncompressed > limit && false {",
        "stress/test_hostile_pages.py::test_limit_of_a_page",
    ),
    "remember a chunk whatever its file's state": Sabotage(
        "rust/core/src/decode/chunk_checks.rs",
        "    if *of != identity {",
        "    if *of != identity && false {",
        "stress/test_damaged_pages.py::test_a_file_is_checked_again_when_its_state_changes",
    ),
    "store values of any length": Sabotage(
        "rust/core/src/decode/value_sizes.rs",
        "    if bytes <= VALUE_BYTES {",
        "    if bytes <= VALUE_BYTES || true {",
        "stress/test_hostile_pages.py::test_a_value_beyond_the_limit_is_refused",
    ),
    "trust a list of results by its folder alone": Sabotage(
        "rust/core/src/catalogue/run_stats.rs",
        "            if !is_same(file, read_stat(reader)?) {",
        "            if read_stat(reader)?.is_none() && !is_same(file, None) {",
        "unit/test_result_cache.py::test_every_change_is_seen",
    ),
    "trust the folder of a run whatever its stat": Sabotage(
        "rust/core/src/catalogue/run_stats.rs",
        "if folder.is_none() || folder != runs.identity_of_folder(name) {",
        "if folder.is_none() {",
        "unit/test_result_cache.py::test_every_change_is_seen",
    ),
    "ignore open segments where results are kept": Sabotage(
        "rust/core/src/catalogue/result_query.rs",
        "ranking.add_open(root, &wanted)?;",
        "",
        "unit/test_result_cache.py::test_open_results_come_in_place_of_what_is_kept",
    ),
    "pass over row groups at the bound of a pin": Sabotage(
        "rust/core/src/query/keys.rs",
        "(key < one.min(other) || key > one.max(other)).then_some(false)",
        "(key <= one.min(other) || key > one.max(other)).then_some(false)",
        "unit/test_pages_of_ties.py::test_any_offset_and_what_follows",
    ),
    "store values that no reader knows": Sabotage(
        "rust/core/src/types/stored.rs",
        "    ranges::check(array).map_err(|what| refuse(&what))?;",
        "    let _ = ranges::check(array);",
        "property/test_column_types.py::test_what_has_no_place_is_refused_and_the_writer_goes_on",
    ),
    "round whole numbers to floats in answers": Sabotage(
        "rust/core/src/types/convert.rs",
        "Some(value as f64).filter(|float| *float as i128 == value)",
        "Some(value as f64)",
        "property/test_column_types.py::test_columns_of_two_types_are_answered_alike",
    ),
    "take a column of any type for a known one": Sabotage(
        "rust/core/src/types/answer.rs",
        "            && !accepts(kind, field.data_type())",
        "            && !accepts(kind, field.data_type())\n            && false",
        "property/test_column_types.py::test_a_known_column_of_another_type_is_one_error_in_every_answer",
    ),
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
    "forget the mask of an array": Sabotage(
        "python/nirs4all_workspace/values/arrays.py",
        "        numbers[mask] = np.nan\n",
        "        pass\n",
        "unit/test_values.py::test_what_is_masked_or_null_in_an_array_is_nan",
    ),
    "take any whole number for a float": Sabotage(
        "python/nirs4all_workspace/values/arrays.py",
        "    return all(int(number) == whole for whole, number in pairs)",
        "    return True or all(int(number) == whole for whole, number in pairs)",
        "unit/test_values.py::test_arrays_that_would_lose_their_meaning_are_refused",
    ),
    "take durations of NumPy for whole numbers": Sabotage(
        "python/nirs4all_workspace/values/meaning.py",
        "    if isinstance(value, numpy.datetime64 | numpy.timedelta64):\n        return None if",
        "    if isinstance(value, numpy.datetime64):\n        return None if",
        "unit/test_values.py::test_values_of_extra_columns",
    ),
    "take arrays whatever their byte order": Sabotage(
        "rust/py/src/cells.rs",
        'buffer.dimensions() > 0 && buffer.format().to_bytes() == b"d";',
        "buffer.dimensions() > 0;",
        "unit/test_values.py::test_arrays_of_any_dtype_order_and_stride",
    ),
    "take extension types for what they are stored as": Sabotage(
        "rust/core/src/types/meaning.rs",
        "    if !has_extension(field) {",
        "    if !has_extension(field) || true {",
        "unit/test_values.py::test_extension_types_by_their_meaning",
    ),
    "read null arrays as they come": Sabotage(
        "rust/py/src/stream.rs",
        "        set_buffers(&nulls, 0);\n",
        "",
        "unit/test_values.py::test_null_columns_of_any_library",
    ),
    "forget an overflow when names are merged": Sabotage(
        "rust/core/src/summary/names.rs",
        "        self.has_overflow |= other.has_overflow;\n",
        "",
        "property/test_overflow.py::test_any_order_and_split",
    ),
    "square large deviations as they are": Sabotage(
        "rust/core/src/summary/moments.rs",
        "if self.largest < LARGE { 1.0 } else { UNIT }",
        "if self.largest < f64::INFINITY { 1.0 } else { UNIT }",
        "property/test_overflow.py::test_any_order_and_split",
    ),
    "trust old summaries of scores without a mean": Sabotage(
        "rust/core/src/summary/embedded.rs",
        "            if sketch.hides_overflow() {",
        "            if false && sketch.hides_overflow() {",
        "compat/test_old_means.py::test_an_old_summary_of_scores_without_a_mean_is_counted_again",
    ),
    "store the partial sum of scores without a mean": Sabotage(
        "rust/core/src/summary/sketch_writer.rs",
        "if totals.has_overflow { [f64::INFINITY, 0.0] }",
        "if false { [f64::INFINITY, 0.0] }",
        "compat/test_old_means.py::test_what_older_readers_find_in_a_new_summary_is_no_mean",
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
        "super().add_row(*(shown(cell) if isinstance(cell, str) else cell for cell in cells), **options)",
        "super().add_row(*cells, **options)",
        "unit/test_terminal.py::test_no_command_lets_a_name_through",
    ),
    "take a dataset's name for a pattern": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/parquet.py",
        "pl.scan_parquet(path, glob=False).select(names)",
        "pl.scan_parquet(path).select(names)",
        "unit/test_paths_of_commands.py::test_a_path_is_one_however_it_is_given",
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
        "unit/test_descriptions.py::test_a_first_spectrum_that_rises_alone_may_be_a_header",
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
        "unit/test_descriptions.py::test_of_two_forms_of_a_file_the_note_says_which_was_read",
    ),
    "fill ragged lines": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/table_profile.py",
        '    raise Undecided(f"line {line} has {len(row)} fields, where others have {width}")',
        '    return [*row, *[""] * width][:width]',
        "unit/test_descriptions.py::test_a_ragged_line_is_named",
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
        "compat/test_old_calls.py::test_migrated_calls_are_the_same_runs",
    ),
    "negate what is maximized": Sabotage(
        "rust/core/src/base/metrics.rs",
        "(self.direction == Direction::Minimize).then(|| Self {",
        "(self.direction != Direction::Unknown).then(|| Self {",
        "unit/test_metrics.py::test_an_unknown_metric_is_never_guessed",
    ),
    "let bytes that are no text into a summary": Sabotage(
        "python/nirs4all_workspace/model/run_summary.py",
        "{\"error\": stored.error_text(f\"{item['path']}: {item['message']}\")}",
        "{\"error\": f\"{item['path']}: {item['message']}\"}",
        "unit/test_runs.py::test_a_name_that_is_no_utf8_below_predictions_keeps_no_run_from_ending",
    ),
    "let bytes that are no text into notes": Sabotage(
        "python/nirs4all_workspace/datasets/inspect/describe.py",
        "dict.fromkeys(map(stored.error_text, contents.notes))",
        "dict.fromkeys(contents.notes)",
        "unit/test_datasets.py::test_names_that_are_no_utf8",
    ),
    "show what cannot be read and exit with 0": Sabotage(
        "python/nirs4all_workspace/cli/runs.py",
        'exit_with([error for error in answer["summary"]["errors"] if "result" not in error])',
        "exit_with([])",
        "unit/test_one_unreadable_thing.py::test_what_asks_for_a_run_or_template_says_what_it_cannot_read",
    ),
    "fail what cannot be read": Sabotage(
        "rust/core/src/catalogue/legacy/session_rows.rs",
        "self.of(manifest).is_some() || self.unread.iter().any(|error| is_within(&file, &error.path))",
        "self.of(manifest).is_some()",
        "unit/test_old_sessions.py::test_a_link_to_nothing_in_place_of_rows_makes_nothing_failed",
    ),
    "take 0.0 and -0.0 for two keys": Sabotage(
        "rust/core/src/types/ranges.rs",
        "unary(|value| value + 0.0)",
        "unary(|value| value)",
        "unit/test_values.py::test_maps_with_keys_that_dicts_do_not_tell_apart",
    ),
    "round whole scores of batches": Sabotage(
        "rust/core/src/types/rows.rs",
        "if kind == Type::Float && is_whole {",
        "if kind == Type::Float && is_whole && false {",
        "unit/test_values.py::test_whole_scores_of_batches_that_no_float_is",
    ),
    "lose the offset of nested times": Sabotage(
        "python/nirs4all_workspace/values/meaning.py",
        'if isinstance(value, datetime) and value.tzinfo is not None and hasattr(value, "to_datetime64"):',
        "if False:",
        "unit/test_values.py::test_missing_values_and_offsets_within_values",
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
        "unit/test_descriptions.py::test_a_first_spectrum_with_fewer_decimals_than_others_may_be_wavelengths",
    ),
}


def run(tree: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=tree, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def copy_tree(tree: Path) -> None:
    """The files that git knows."""
    names = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPO / name).exists():
            shutil.copy2(REPO / name, target)


def share_dependencies(target: Path) -> None:
    """What the last build of this tree compiled, by hard links, so that only the copy is compiled."""
    for name in ("deps", "build", ".fingerprint"):
        source = REPO / "target" / "debug" / name
        if source.is_dir():
            link = os.link if source.stat().st_dev == target.parent.stat().st_dev else shutil.copy2
            ignore = shutil.ignore_patterns("*n4w*", "*_native*")
            shutil.copytree(source, target / "debug" / name, copy_function=link, ignore=ignore)


def build(tree: Path, target: Path) -> None:
    """Build the module and lay it beside the Python sources of the copy."""
    done = run(
        tree,
        "cargo",
        "build",
        "--locked",
        "--quiet",
        "-p",
        "n4w-py",
        "--features",
        "pyo3/extension-module",
        CARGO_TARGET_DIR=str(target),
        PYO3_PYTHON=sys.executable,
        RUSTFLAGS=os.environ.get("RUSTFLAGS", ""),
    )
    if done.returncode:
        sys.exit(f"the patched tree does not build:\n{done.stderr[-3_000:]}")
    library = target / "debug" / "lib_native.so"
    shutil.copy2(library, tree / "python" / "nirs4all_workspace" / "_native.abi3.so")


def test(tree: Path, name: str) -> bool:
    """Whether a test passes on the package in the copy, and not on the one that is installed."""
    path = str(tree / "python")
    where = "import nirs4all_workspace as n, sys; sys.exit(not n.__file__.startswith(sys.argv[1]))"
    if run(tree, sys.executable, "-c", where, str(tree), PYTHONPATH=path).returncode:
        sys.exit("the tests would use another copy of the package")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{name}"]
    done = run(tree, *command, PYTHONPATH=path)
    if done.returncode not in (0, 1):
        sys.exit(f"{name} was neither passed nor failed:\n{done.stdout[-3_000:]}")
    return done.returncode == 0


def main(names: list[str]) -> int:
    chosen = {name: SABOTAGES[name] for name in names or SABOTAGES}
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        target = Path(folder) / "target"
        copy_tree(tree)
        share_dependencies(target)
        build(tree, target)
        for name in sorted({sabotage.test for sabotage in chosen.values()}):
            if not test(tree, name):
                sys.exit(f"{name} fails on the package as it is")
        for name, sabotage in chosen.items():
            file = tree / sabotage.file
            content = file.read_text()
            if content.count(sabotage.right) != 1:
                sys.exit(f"{name}: the patch no longer applies to {sabotage.file}")
            file.write_text(content.replace(sabotage.right, sabotage.wrong))
            build(tree, target)
            is_noticed = not test(tree, sabotage.test)
            file.write_text(content)
            print(f"{'noticed' if is_noticed else 'NOT NOTICED'}: {name} ({sabotage.test})", flush=True)
            unnoticed += [] if is_noticed else [name]
    return len(unnoticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
