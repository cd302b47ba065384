//! YAML: the one parser, and the trees that come out of it.

mod block;
pub mod canonical;
mod document;
pub mod scalars;
pub mod tree;

pub(crate) use document::check_size;
pub use document::{bytes_of, parse, read};
