//! What everything else stands on, without access to files: errors, progress, threads, values, names.

pub mod clock;
pub mod codec;
pub mod content;
pub mod error;
pub mod file_names;
pub mod metrics;
pub mod normal;
pub mod progress;
pub mod refused;
pub mod threads;
pub mod value;
