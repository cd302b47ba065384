//! The prediction files of a workspace, and what all of them say together.

pub mod cache;
pub mod collect;
pub mod files;
pub mod live;
pub mod old_files;
pub mod partial;
pub mod scan;
pub mod survey;
pub mod table;
