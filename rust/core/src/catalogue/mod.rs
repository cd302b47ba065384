//! The runs of a workspace, whatever wrote them: one discovery, one kind of entry.
//!
//! Records and manifests are read once and cached for as long as the stat of each of their files is
//! unchanged; no file of results or predictions is opened.

mod cache;
pub mod entry;
pub mod found_results;
pub mod legacy;
mod listing;
pub mod model_scores;
pub mod native;
mod other_metric;
mod packed_results;
mod ranking;
pub mod result_configs;
pub mod result_fields;
pub mod result_query;
pub mod results;
mod results_cache;
mod row_scores;
mod run_results;
mod run_stats;
pub mod top_results;
mod unit;

pub use entry::{Entry, Kind};
pub use listing::{Catalogue, Listed, list, list_session_rows};
