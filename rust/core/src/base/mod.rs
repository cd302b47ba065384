//! What everything else stands on, without access to files: errors, progress, threads, values, names.

pub mod clock;
pub mod codec;
pub mod content;
pub mod error;
pub mod file_names;
pub mod metrics;
pub mod names;
pub mod progress;
pub mod special_files;
pub mod threads;
pub mod value;
