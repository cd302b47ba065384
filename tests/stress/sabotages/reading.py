"""Sabotages of what pages, caches, damaged and hostile files answer."""

from sabotages.patch import Sabotage

SABOTAGES = {
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
        "            if !is_same(file, Identity::decode_if_any(reader)?) {",
        "            if Identity::decode_if_any(reader)?.is_none() && !is_same(file, None) {",
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
    "believe the live-set keys of any footer": Sabotage(
        "rust/core/src/segment/live_keys.rs",
        "if is_of_others || is_as_written(footer) {",
        "if true || is_of_others || is_as_written(footer) {",
        "stress/test_flipped_live_keys.py::test_a_compaction_beside_what_it_replaces",
    ),
    "name the row of a cursor by its place in the file": Sabotage(
        "rust/core/src/query/origins.rs",
        "if let Ok(first) = u32::try_from(unit.rows.start)",
        "if let Ok(first) = u32::try_from(0 * unit.rows.start)",
        "unit/test_cursors_of_merged_rows.py::test_every_row_once",
    ),
}
