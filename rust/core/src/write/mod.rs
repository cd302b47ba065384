//! One writer: rows and arrays on their way to disk.

pub mod arrays;
pub mod artifacts;
pub mod first_seen;
pub mod intake;
pub mod mappings;
pub mod planned;
pub mod seal;
pub mod writer;
