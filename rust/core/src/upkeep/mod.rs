//! What repairs, compacts, rebuilds and verifies.

mod beside;
pub mod compact;
pub mod compaction_groups;
mod compaction_plan;
pub mod finding;
mod promote;
pub mod rebuild;
pub mod recover;
mod removal;
pub mod supersede;
mod unbacked;
pub mod verify;
mod verify_arrays;
mod verify_copies;
pub mod verify_segments;
