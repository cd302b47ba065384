//! What one writer leaves, open and sealed, and which of it is live.

pub(crate) mod carrier;
pub mod checkpoint_rank;
pub mod checkpoints;
pub mod file_results;
pub mod hidden_rows;
pub mod ipc;
pub mod journal;
pub mod journal_contents;
pub mod live_keys;
pub(crate) mod live_rules;
pub mod live_set;
pub mod merged;
pub mod resolve;
pub mod sealed;
pub mod segment_file;
pub mod stored_result;
