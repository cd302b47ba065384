//! What one writer leaves, open and sealed, and which of it is live.

pub(crate) mod carriers;
pub mod checkpoint;
pub mod checkpoints;
pub mod hidden;
pub mod ipc;
pub mod journal;
pub mod journal_contents;
pub mod live_set;
pub mod merged;
pub mod resolve;
pub mod said;
pub mod sealed;
pub mod segment_file;
