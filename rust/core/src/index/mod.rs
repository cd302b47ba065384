//! All files of a tree by size, so that a lost file is found by reading next to nothing.
//!
//! [`tree`] walks and refreshes by stat, [`store`] keeps the result between processes, [`search`]
//! narrows by size and quick hash and proves by full hash.

mod file_index;
pub mod search;
mod store;
pub mod tree;

pub use file_index::FileIndex;
pub use search::{Found, Stage, Wanted};
pub use tree::Refresh;
