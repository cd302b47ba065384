//! One writer: rows and arrays on their way to disk.

pub mod arrays;
pub mod artifacts;
pub mod intake;
pub mod mappings;
pub mod seal;
pub mod writer;
