//! What one writer leaves, open and sealed, and which of it is live.

pub(crate) mod carrier;
pub mod checkpoints;
pub mod file_results;
pub mod hidden_rows;
pub mod ipc;
pub mod journal;
pub mod journal_contents;
pub mod live_keys;
pub mod live_set;
pub mod merged;
pub mod resolve;
pub mod sealed;
pub mod segment_file;
pub mod stored_result;
pub(crate) mod writer_files;
