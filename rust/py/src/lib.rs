//! The Python face of n4w-core: one file per concept; it converts, releases the GIL and maps errors, and
//! decides nothing.

mod artifacts;
mod atomic;
mod cache;
mod catalogue;
mod cells;
mod chunk_checks;
mod content;
mod convert;
mod dict;
mod footer;
mod gate;
mod hash;
mod index;
mod journal;
mod lock;
mod mapping;
mod metrics;
mod query;
mod recover;
mod scan;
mod stat_snapshot;
mod stream;
mod summary;
mod table;
mod workspace;
mod writer;
mod yaml;

/// Threads of the system's allocator ask the kernel for each page, and wait for one another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pyo3::pymodule]
mod _native {
    /// From here on, forked children keep no lock of this process.
    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        Ok(n4w_core::fs::forks::watch()?)
    }

    #[pymodule_export]
    use crate::artifacts::put_artifact;
    #[pymodule_export]
    use crate::atomic::{
        Draft, create_file, is_network_drive, make_folder, move_folder, replace_file, sync_folder,
    };
    #[pymodule_export]
    use crate::cache::{read_cache, write_cache};
    #[pymodule_export]
    use crate::catalogue::{
        _run_header, RunHeader, best_by_model, count_results, list_results, list_run_headers, list_runs,
        page_results, run_results, session_rows, top_results,
    };
    #[pymodule_export]
    use crate::chunk_checks::check_chunks;
    #[pymodule_export]
    use crate::content::{blake3_hex, dataset_folder, run_of, slug};
    #[pymodule_export]
    use crate::convert::problem_kinds;
    #[pymodule_export]
    use crate::footer::read_footers;
    #[pymodule_export]
    use crate::hash::{HashCache, content_size, has_trusted_ctime, hash_file, quick_hash};
    #[pymodule_export]
    use crate::index::FileIndex;
    #[pymodule_export]
    use crate::journal::{journal_arrays, row_schema};
    #[pymodule_export]
    use crate::lock::{Lock, lock_holder, lock_is_held};
    #[pymodule_export]
    use crate::metrics::{MetricInfo, is_better, metric_info, metric_names, register_metric};
    #[pymodule_export]
    use crate::query::{find_arrays, find_predictions, page_predictions, top_predictions};
    #[pymodule_export]
    use crate::recover::{
        compact, finished_results, live_journals, passed_over, recover, remove_partial, rows_by_result,
        run_files, supersede, sweep,
    };
    #[pymodule_export]
    use crate::scan::{RowStream, Rows, ScanPlan, score_names, score_names_in, score_structs};
    #[pymodule_export]
    use crate::stat_snapshot::{performance, survey};
    #[pymodule_export]
    use crate::summary::{SummaryAccumulator, read_summaries};
    #[pymodule_export]
    use crate::table::{RowReader, row_digest};
    #[pymodule_export]
    use crate::workspace::{list_files, old_files, rebuild_summaries, summarise, verify_files};
    #[pymodule_export]
    use crate::writer::{JournalWriter, array_ids};
    #[pymodule_export]
    use crate::yaml::{canonical_json, check_record, in_line, parse_run, parse_yaml, read_yaml};

    #[pymodule_export]
    const RACY_NS: i64 = n4w_core::fs::stat::RACY_NS;
    #[pymodule_export]
    const ROW_KEY: [&str; 7] = n4w_core::reading::unfinished::KEY;
    #[pymodule_export]
    const RESTARTS: usize = n4w_core::reading::collect::RESTARTS;
}
