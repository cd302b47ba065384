"""Sabotages of what writers, journals, copies and compactions promise."""

from sabotages.patch import Sabotage

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
        "let reason = if is_fenced(&self.path) {",
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
        "rust/core/src/segment/live_rules.rs",
        "if sealed.is_superseded() { Ok(true) } else { journal.is_covered_by(sealed) }",
        "if sealed.is_superseded() { Ok(true) } else { Ok(true) }",
        "stress/test_copies.py::test_a_live_workspace_copied_twice_and_recovered_in_between",
    ),
    "forget where a successor cuts its predecessor": Sabotage(
        "rust/core/src/segment/journal/read.rs",
        "let limit = cut.map_or(size, |cut| cut.min(size));",
        "let limit = size;",
        "stress/test_failing_writes.py::test_a_frame_that_cannot_be_cut_off_is_not_counted_twice",
    ),
    "miss a segment that was sealed after the listing": Sabotage(
        "rust/core/src/segment/live_rules.rs",
        "&& folder.join(name.sealed()).exists() {",
        "&& false {",
        "stress/test_many_writers.py::test_a_journal_that_is_sealed_just_after_it_was_listed",
    ),
    "remember rows past a damaged frame": Sabotage(
        "rust/core/src/reading/open_segments.rs",
        "cached.get_or_insert_with(|| state_of(&datasets));",
        "cached.get_or_insert_with(|| state_of(&datasets)); cached = None;",
        "stress/test_damaged_journals.py::test_blocks_that_a_disk_lost_cost_what_they_held",
    ),
    "count a result whose rows were lost": Sabotage(
        "rust/core/src/segment/stored_result.rs",
        ".is_some_and(|rows| counted < rows)",
        ".is_some_and(|rows| counted < rows && false)",
        "stress/test_damaged_copies.py::test_rows_that_a_predecessor_lost_unmake_a_checkpoint_in_its_successor",
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
        "stress/test_damaged_copies.py::test_an_intact_copy_after_a_compaction_brings_what_was_lost",
    ),
    "keep places of rows when a frame is lost": Sabotage(
        "rust/core/src/query/file_snapshot.rs",
        "if damage_mark::set(&listed.path, &reading) == listed.identity.ctime_ns {",
        "if damage_mark::set(&listed.path, &reading) == listed.identity.ctime_ns || true {",
        "stress/test_damaged_copies.py::test_nothing_is_remembered_past_a_damaged_frame",
    ),
    "seal a damaged journal with its writer's summary": Sabotage(
        "rust/core/src/write/seal.rs",
        "let summary = summary.filter(|_| !survey.reading.is_damaged());",
        "let summary = summary.filter(|_| true);",
        "stress/test_damaged_copies.py::test_a_writer_says_when_its_journal_was_damaged_before_it_closed",
    ),
    "let the later checkpoint win": Sabotage(
        "rust/core/src/segment/checkpoint_rank.rs",
        "        if rank < known.0 {",
        "        if rank > known.0 {",
        "unit/test_live_footers.py::test_a_done_checkpoint_comes_before_a_failed_one_and_then_the_earlier",
    ),
    "show rows of results that lost": Sabotage(
        "rust/core/src/segment/live_rules.rs",
        "            let Some(winner) = claim.winner.filter(|_| !claim.others.is_empty()) else { continue };",
        "            let Some(winner) = claim.winner.filter(|_| false) else { continue };",
        "stress/test_copies.py::test_a_run_that_was_resumed_in_two_copies",
    ),
    "prefer a compaction to a segment that goes on": Sabotage(
        "rust/core/src/segment/live_rules.rs",
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
    "remove a journal that alone has some arrays": Sabotage(
        "rust/core/src/upkeep/recover.rs",
        "if is_due && checks.may_remove(&journal, &live_set) {",
        "if is_due {",
        "stress/test_merged_copies.py::test_arrays_that_only_the_journal_has_are_written_again",
    ),
    "promote rows without the checkpoint that they belong to": Sabotage(
        "rust/core/src/upkeep/promote.rs",
        "let keys: Vec<_> = checkpoints::key(&named, false).into_iter().collect();",
        "let keys: Vec<(&str, String)> = Vec::new();",
        "stress/test_merged_copies.py::test_rows_that_were_copied_with_their_checkpoint_hide_those_of_a_later_one",
    ),
}
