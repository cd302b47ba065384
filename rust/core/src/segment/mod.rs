//! What one writer leaves, open and sealed, and which of it is live.

pub(crate) mod carriers;
pub mod checkpoint;
pub mod checkpoints;
pub mod ipc;
pub mod journal;
pub mod live_set;
pub mod merged;
pub mod said;
pub mod segment_file;
pub mod segments;
