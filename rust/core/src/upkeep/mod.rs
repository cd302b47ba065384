//! What repairs, compacts, rebuilds and verifies.

pub mod compact;
pub mod compaction_groups;
mod compaction_plan;
pub mod finding;
pub mod rebuild;
pub mod recover;
pub mod verify;
mod verify_arrays;
pub mod verify_segments;
