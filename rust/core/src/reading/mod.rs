//! The prediction files of a workspace, and what all of them say together.

pub mod cache;
pub mod collect;
pub mod files;
pub mod old_files;
pub mod open_segments;
pub mod partial;
pub mod scan;
pub mod stat_snapshot;
pub mod table;
pub mod unfinished;
