//! YAML: the one parser, and the trees that come out of it.

mod block;
pub mod canonical;
mod document;
pub mod scalars;
pub mod tree;

pub(crate) use document::{DEEPEST, check_size, each_key_once};
pub use document::{bytes_of, parse, read};
