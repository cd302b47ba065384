//! Files and folders: the only place that opens, lists, locks and publishes them.

pub mod atomic;
pub mod cache_file;
pub mod folders;
#[cfg(unix)]
pub mod forks;
#[cfg(not(unix))]
#[path = "no_forks.rs"]
pub mod forks;
pub mod lock;
pub mod platform;
pub mod regular;
pub mod stat;

pub use std::fs::{DirEntry, File, FileType, Metadata};
