//! The engine of nirs4all-workspace, without Python.
//!
//! Bytes flow one way: [`footer`] reads the tails of Parquet files, [`summary`] accumulates and
//! merges what rows say, [`scan`] feeds it from files without a trusted summary, [`rebuild`] writes
//! summaries back into footers, and [`collect`] answers for whole folders through a [`cache`].

pub mod arrays;
pub mod artifacts;
pub mod atomic;
pub mod cache;
mod carriers;
pub mod catalogue;
pub mod checkpoint;
pub mod checkpoints;
pub mod chunk_checks;
pub mod chunk_sums;
pub mod collect;
pub mod compact;
pub mod compaction_groups;
mod compaction_plan;
pub mod content;
mod delta_pages;
pub mod error;
pub mod files;
pub mod folders;
pub mod footer;
#[cfg(unix)]
pub mod forks;
#[cfg(not(unix))]
#[path = "no_forks.rs"]
pub mod forks;
pub mod hash;
pub mod index;
pub mod ipc;
pub mod journal;
pub mod live;
pub mod live_set;
pub mod lock;
pub mod mappings;
pub mod merged;
pub mod metrics;
pub mod normal;
pub mod old_files;
pub mod page_limits;
pub mod partial;
pub mod platform;
pub mod progress;
pub mod query;
pub mod rebuild;
pub mod recover;
pub mod regular;
pub mod rows;
pub mod said;
pub mod scan;
pub mod seal;
pub mod segment_file;
pub mod segments;
pub mod summary;
pub mod survey;
pub mod table;
pub mod tally;
pub mod threads;
pub mod types;
pub mod value;
pub mod value_sizes;
pub mod verify;
mod verify_arrays;
pub mod verify_segments;
pub mod writer;

pub use error::{Error, ErrorKind, Result};
